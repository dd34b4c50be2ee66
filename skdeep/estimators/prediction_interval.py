"""Intervals around predictions, from the errors of rows that were set aside."""

import math

import numpy as np

# Numbers of errors around predictions that are sorted at a time.
_BLOCK_NUMBERS = 1 << 22


def cross_validation_plus(predictions, fold, residuals, confidence_level):
    """The CV+ interval of Barber, Candès, Ramdas and Tibshirani (2021), equation 7.

    With n training rows, each set aside in fold k(i) with the absolute error R_i of the
    models of that fold, the interval of x goes from the floor(alpha (n + 1))-th smallest
    of mu_k(i)(x) - R_i to the ceil((1 - alpha)(n + 1))-th smallest of mu_k(i)(x) + R_i,
    where alpha is 1 - confidence_level. If rows are exchangeable it covers a new target
    with a probability of at least about 1 - 2 alpha, and nearly always 1 - alpha.

    Parameters
    ----------
    predictions : ndarray of shape (n_folds, n_samples)
        Of the models of each fold, for new rows.

    fold : ndarray of int of shape (n_training,)
        The fold in which each training row was set aside.

    residuals : ndarray of shape (n_training,)
        The absolute errors of the training rows.

    confidence_level : float
        In (0, 1).

    Returns
    -------
    intervals : ndarray of shape (n_samples, 2)
        Infinite, where there are too few training rows for the level.

    References
    ----------
    Barber, Candès, Ramdas and Tibshirani (2021). Predictive inference with the jackknife+.
    *Annals of Statistics* 49 (1).

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.estimators.prediction_interval import cross_validation_plus
    >>> fold, residuals = np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 1.0, 2.0])
    >>> cross_validation_plus(np.array([[10.0], [20.0]]), fold, residuals, 0.6)
    array([[ 9., 21.]])
    """
    n, alpha = len(residuals), 1 - confidence_level
    # rounded: 0.1 * 10 must not become 0.99
    lower = math.floor(round(alpha * (n + 1), 9))
    upper = math.ceil(round(confidence_level * (n + 1), 9))
    intervals = np.empty((predictions.shape[1], 2))
    step = max(1, _BLOCK_NUMBERS // n)
    for start in range(0, len(intervals), step):
        rows = slice(start, start + step)
        centres = predictions[:, rows].T[:, fold]
        intervals[rows, 0] = _smallest(centres - residuals, lower)
        intervals[rows, 1] = _smallest(centres + residuals, upper)
    return intervals


def _smallest(values, number):
    """The number-th smallest of each row, counted from one."""
    if number < 1:
        return -np.inf
    if number > values.shape[1]:
        return np.inf
    return np.partition(values, number - 1, axis=1)[:, number - 1]
