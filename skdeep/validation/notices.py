"""Warnings that point at the line of the user's program which caused them."""

import contextlib
import sys
import threading
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

_of_thread = threading.local()


@contextlib.contextmanager
def hold_notices():
    """Collect what `warn_user` has to say in this thread, instead of warning of it.

    A thread that works for another one knows no line of the user's program.

    Yields
    ------
    notices : list of (str, type)
        Messages and their categories.
    """
    before = getattr(_of_thread, "notices", None)
    _of_thread.notices = notices = []
    try:
        yield notices
    finally:
        _of_thread.notices = before


def warn_user(message, category=UserWarning):
    """Warn, from the line that called into skdeep.

    Parameters
    ----------
    message : str
        What was wrong, and what to do.

    category : type, default=UserWarning
        The class of the warning.
    """
    notices = getattr(_of_thread, "notices", None)
    if notices is not None:
        notices.append((message, category))
        return
    level, frame = 1, sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
