"""How values are written in warnings and errors, and what these call parameters."""

import re
from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator


def plain(value):
    """A value without NumPy's types, whose repr is 0 instead of np.int64(0).

    Parameters
    ----------
    value : object
        A number, text or array, or a list, tuple, dict or layer of such, however deep.

    Returns
    -------
    value : object
        The same, of Python's own types; other objects as they are.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.validation.messages import plain
    >>> plain((np.int64(0), [np.float32(0.5)], np.arange(2)))
    (0, [0.5], [0, 1])
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    if type(value) is dict:
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, BaseEstimator):
        return type(value)(**plain(value.get_params(deep=False)))
    return value


@contextmanager
def naming(names):
    """Call parameters by the names a user knows in errors of checks that know others.

    Checks of data, scikit-learn's too, say X and y of whatever they are given. An error
    that says none of it tells which data it is about.

    Parameters
    ----------
    names : dict of str to str
        What the checks call parameters, and what the user does.

    Examples
    --------
    >>> from skdeep.validation.messages import naming
    >>> with naming({"X": "X_val"}):
    ...     raise ValueError("Input X contains NaN.")
    Traceback (most recent call last):
    ValueError: Input X_val contains NaN.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        if len(error.args) == 1 and isinstance(error.args[0], str):
            error.args = (_renamed(error.args[0], names),)
        raise


def _renamed(text, names):
    # words of their own, but for labels in quotes and features in lists
    words = rf"(?<!['\"])(?<!^- )\b({'|'.join(names)})\b(?!['\"])"
    text, n_named = re.subn(words, lambda w: names[w[0]], text, flags=re.MULTILINE)
    return text if n_named else f"In {', '.join(names.values())}: {text}"
