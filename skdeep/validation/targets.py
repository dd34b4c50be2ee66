"""What targets estimators take: checked before anything is learned from them."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from skdeep.validation.inputs import convert_input

#: The type of targets whose rows are probabilities.
SOFT = "distribution"
MULTILABEL = "multilabel-indicator"


# --- as the user gives them -------------------------------------------------------


def present_classes(y):
    """The targets of a classifier, before scikit-learn's validation.

    Parameters
    ----------
    y : array-like or sparse matrix
        The targets.

    Returns
    -------
    y : array-like or sparse matrix
        The targets without a mask.

    Raises
    ------
    ValueError
        Where a target is masked or missing, or some are strings and some are not.
    """
    y = _unmasked(y, "y")
    if y is None or issparse(y) or np.asarray(y).dtype != object:
        return y
    objects = np.asarray(y).ravel()
    missing = y.isna() if hasattr(y, "isna") else [_is_missing(item) for item in objects]
    if n_missing := np.count_nonzero(missing):
        raise ValueError(
            f"Input y contains NaN: {n_missing} of its entries are missing. Leave "
            "these samples out."
        )
    if len({isinstance(item, str) for item in objects}) == 2:
        types = sorted({type(item).__name__ for item in objects})
        raise ValueError(
            f"The classes in y must be uniformly strings or numbers. Got {types}."
        )
    return y


def present_numbers(y, name="y"):
    """The targets of a regressor, before scikit-learn's validation.

    Parameters
    ----------
    y : array-like
        The targets.

    name : str, default="y"
        What to call them in an error.

    Returns
    -------
    y : array-like
        The targets without a mask; objects became numbers, and None became NaN.

    Raises
    ------
    ValueError
        Where targets are masked, or are dates, durations or text.
    """
    y = _unmasked(y, name)
    if y is None or issparse(y):
        return y
    try:
        y = convert_input(y if _has_own_type(y) else np.asarray(y), name=name)
    except TypeError as error:
        raise ValueError(
            f"{name} must be numbers, but an entry is none: {error}. Convert {name} to "
            "numbers, and leave out samples without a target."
        ) from error
    if isinstance(y, np.ndarray) and y.dtype.kind in "US":
        return check_array(y, ensure_2d=False, dtype="numeric", input_name=name)
    return y


def _unmasked(y, name):
    parts = y if isinstance(y, list | tuple) else (y,)
    masked = sum(np.ma.count_masked(v) for v in parts if isinstance(v, np.ma.MaskedArray))
    if masked:
        raise ValueError(
            f"Masked entries of {name}: {masked}. Every sample needs its target: leave "
            "those out whose target is masked."
        )
    return y.data if isinstance(y, np.ma.MaskedArray) else y


def _is_missing(item):
    return item is None or (isinstance(item, float) and item != item)


def _has_own_type(y):
    """Whether y has a type that NumPy does not know, as a column of pandas may have."""
    types = getattr(y, "dtypes", getattr(y, "dtype", None))
    types = types if np.ndim(types) else [types]
    return not all(isinstance(kind, np.dtype | type(None)) for kind in types)


# --- as an array, after scikit-learn's validation ---------------------------------


def check_numbers(y):
    """A regressor's targets as an array of numbers, one axis for one target."""
    if issparse(y):
        raise TypeError(
            "Sparse data was passed for y, but dense data is required. Use "
            "'.toarray()' to convert to a dense numpy array."
        )
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def check_classes(y, soft_targets):
    """A classifier's targets as an array, and their type.

    Parameters
    ----------
    y : ndarray or sparse matrix
        The targets.

    soft_targets : bool
        Whether a matrix holds probabilities.

    Returns
    -------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The targets.

    target_type : str
        "binary", "multiclass", `MULTILABEL` or `SOFT`.

    Raises
    ------
    ValueError
        Where targets are none of these.
    """
    y = y.toarray() if issparse(y) else np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if soft_targets and y.ndim == 2:
        return _check_distribution(y), SOFT
    target_type = type_of_target(y, input_name="y")
    if target_type == "multiclass-multioutput":
        raise ValueError(
            "Multioutput target data is not supported: y is of type "
            f"{target_type!r}, of shape {y.shape}. Columns may be labels, each 0 or 1; for "
            "columns of classes fit one estimator each, by "
            "sklearn.multioutput.MultiOutputClassifier."
        )
    if target_type not in ("binary", "multiclass", MULTILABEL):
        check_classification_targets(y)  # it finds the type again, and says what is wrong
    if target_type == MULTILABEL:
        _check_labels(y)
    return y, target_type


def _check_labels(y):
    found = np.unique(y)
    if not np.isin(found, (0, 1)).all():
        raise ValueError(
            "Multilabel targets must be 0 and 1, one column for each label, but y has the "
            f"values {found.tolist()}. Convert it: (y == {found[-1].item()}).astype(int)."
        )


def _check_distribution(y):
    y = check_array(y, dtype=np.float64, input_name="y")
    sums = y.sum(axis=1)
    # tables of float32 numbers sum to one only so far
    if y.min(initial=0.0) < 0 or not np.allclose(sums, 1.0, rtol=0, atol=1e-4):
        raise ValueError(
            "The loss 'kl_divergence' takes classes, or a row of probabilities for each "
            "sample: y must be non-negative and its rows must sum to 1. The smallest "
            f"entry is {y.min():.6g}; sums go from {sums.min():.6g} to {sums.max():.6g}."
        )
    return y
