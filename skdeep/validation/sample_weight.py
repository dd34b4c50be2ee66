"""The weights of samples: only their proportions matter."""

import numpy as np


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
