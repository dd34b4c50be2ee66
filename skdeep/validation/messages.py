"""How values are written in warnings and errors."""

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
