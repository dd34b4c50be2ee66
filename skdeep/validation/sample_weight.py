"""The weights of samples: what a user gives, checked, and their proportions."""

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from skdeep.validation.inputs import convert_input


def check_sample_weight(sample_weight, X, *, allow_all_zero=False):
    """A user's weights of samples in float64; ones, where there are none.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), number or None
        What the user gave.

    X : {array-like, sparse matrix} of shape (n_samples, ...)
        The samples, checked.

    allow_all_zero : bool, default=False
        Whether all samples may be without weight.

    Returns
    -------
    sample_weight : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        Where weights are no finite numbers of at least zero, or of another number.
    """
    return _check_sample_weight(
        convert_input(sample_weight, name="sample_weight"),
        X,
        dtype=np.float64,
        ensure_non_negative=True,
        allow_all_zero_weights=allow_all_zero,
    )


def of_size_one(weight):
    """Weights times a power of two that brings the largest to [1, 2), to lose no digits.

    Only the proportions of weights matter, whatever their type can hold.

    Parameters
    ----------
    weight : ndarray
        The weights, zero or above.

    Returns
    -------
    weight : ndarray

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.validation.sample_weight import of_size_one
    >>> of_size_one(np.array([3.0, 12.0]))
    array([0.375, 1.5  ])
    """
    largest = weight.max(initial=0.0)
    return weight if largest == 0.0 else np.ldexp(weight, 1 - np.frexp(largest)[1])
