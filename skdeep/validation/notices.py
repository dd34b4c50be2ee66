"""Warnings that point at the line of the user's program which caused them."""

import contextlib
import sys
import warnings
from os.path import dirname

import joblib
import sklearn

# What lies between a user's line and ours.
_INSIDE = (
    dirname(dirname(__file__)),
    dirname(sklearn.__file__),
    dirname(joblib.__file__),
    contextlib.__file__,
)


def warn_user(message, category=UserWarning):
    """Warn, from the line that called into skdeep.

    Parameters
    ----------
    message : str
        What was wrong, and what to do.

    category : type, default=UserWarning
        The class of the warning.
    """
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
