"""How X enters every estimator: what scikit-learn's check would take for something else.

scikit-learn's own check comes after this one and stays the judge of shapes, names, NaN
and infinities. It forgets masks, turns dates into numbers of nanoseconds, and converts a
sparse matrix by code that believes its indices.
"""

import datetime

import numpy as np
from scipy.sparse import issparse

#: The types of numbers that scalers compute with; others become the first.
NUMBERS = (
    *(np.float64, np.float32, np.float16, np.bool_),
    *(np.int8, np.int16, np.int32, np.int64),
    *(np.uint8, np.uint16, np.uint32, np.uint64),
)
_PLAIN = frozenset("dfe?bBhHiIlLqQ")
_DATES = (np.datetime64, np.timedelta64, datetime.date, datetime.time, datetime.timedelta)
_INDEX_TYPES = np.dtype(np.int32), np.dtype(np.int64)
_UNSIGNED = dict(zip(_INDEX_TYPES, (np.uint32, np.uint64), strict=True))


def convert_input(X, *, allow_nan=False, name="X", checks=()):
    """Bring data to a form that scikit-learn's validation takes for what it is.

    Arrays of numbers come back as they are, at the price of two comparisons.

    - The masked entries of a masked array become NaN where that is allowed.
    - Lists and arrays of objects, such as None and `Decimal`, become float64; None is NaN.
    - Floating-point numbers of more than 64 bits become float64.
    - A sparse matrix is checked; its arrays become contiguous and of one index type.

    Parameters
    ----------
    X : array-like, sparse matrix or None
        What a user gave: data, or weights.

    allow_nan : bool, default=False
        Whether NaN may stand for what is missing.

    name : str, default="X"
        What errors call it.

    checks : tuple of {"csr", "csc"}, default=()
        Formats of sparse matrices whose indices the caller compares with the shape as it
        reads them (`check_places`): to read them once more takes a share of the time of
        what is done with them.

    Returns
    -------
    X : ndarray, sparse matrix, or what was given
        The user's own object, where nothing had to be changed.

    Raises
    ------
    ValueError
        For dates, for a mask where NaN is not allowed, for numbers too large for
        float64, and for a sparse matrix whose indices do not fit its shape.
    """
    if type(X) is np.ndarray and X.dtype.char in _PLAIN:
        return X
    if issparse(X):
        return _sound(X, name, checks)
    if isinstance(X, (list, tuple)):
        masked = any(isinstance(row, np.ma.MaskedArray) for row in X)
        X = np.ma.array(X) if masked else np.asarray(X)
    if isinstance(X, np.ma.MaskedArray):
        X = _without_mask(X, allow_nan, name)
    _refuse_dates(X, name)
    if not isinstance(X, np.ndarray):
        return X
    too_long = X.dtype.kind == "f" and X.dtype.itemsize > 8
    return _as_float64(X, name) if too_long or X.dtype == object else X


def check_places(X, entries=slice(None), name="X"):
    """Raise a ValueError where indices of a CSR or CSC matrix do not fit its shape.

    Parameters
    ----------
    X : CSR or CSC matrix
        What `convert_input` gave.

    entries : slice, default=slice(None)
        Which of its entries are looked at.

    name : str, default="X"
        What errors call it.
    """
    stop = X.shape[1] if X.format == "csr" else X.shape[0]
    _check_range(X.indices[entries], stop, "indices", name)


def sum_duplicates(X):
    """Add up the entries of a sparse matrix at one place, in a copy.

    Whatever takes entries one by one needs it: dropout, coordinate descent, scalers.
    Products with a matrix, such as predictions are made of, add them up by themselves.

    Parameters
    ----------
    X : object
        What `convert_input` gave.

    Returns
    -------
    X : object
        What was given, unless there are entries to add up or to sort.
    """
    if not issparse(X) or X.format == "coo" or X.has_canonical_format:
        return X  # to convert COO is to add up
    X = X.copy()
    X.sum_duplicates()
    return X


def _without_mask(X, allow_nan, name):
    if not np.ma.is_masked(X):
        return X.data
    if not allow_nan:
        raise ValueError(
            f"{name} is a masked array with {np.ma.count_masked(X)} masked entries, but "
            f"missing values are not taken here. Fill them in: {name}.filled(0.0), or "
            f"sklearn.impute.SimpleImputer() on {name}.astype(float).filled(np.nan)."
        )
    X = X if X.dtype.kind == "f" else X.astype(np.float64)
    return X.filled(np.nan)


def _refuse_dates(X, name):
    types = getattr(X, "dtypes", None)  # of the columns of a data frame
    types = types if hasattr(types, "__iter__") else [getattr(X, "dtype", None)]
    found = next((kind for kind in types if _is_date(kind)), None)
    if found is None and type(X) is np.ndarray and X.dtype == object:
        dates = (type(v).__name__ for v in X.flat if isinstance(v, _DATES))
        found = next(dates, None)
    if found is not None:
        raise ValueError(
            f"{name} has dates or times ({found}), whose numbers are an arbitrary count of "
            "units since 1970. Make numbers of what matters in them, such as the hour or "
            "the days since an event."
        )


def _is_date(dtype):
    """Whether a NumPy, pandas or Polars type is one of dates, times or durations."""
    is_temporal = getattr(dtype, "is_temporal", None)
    return is_temporal() if is_temporal else getattr(dtype, "kind", None) in ("m", "M")


def _as_float64(X, name):
    try:
        with np.errstate(over="ignore"):  # infinities are found by what comes next
            return X.astype(np.float64)
    except OverflowError as error:
        raise ValueError(
            f"{name} has an integer that is too large for float64, whose largest number "
            "is 1.8e308. Scale it first."
        ) from error


# --- sparse matrices ------------------------------------------------------------------


def _sound(X, name, checks):
    """A sparse matrix in COO, CSR or CSC form whose indices fit."""
    if X.ndim != 2:
        raise ValueError(f"Expected 2D input, got input with shape {X.shape}.")
    if X.format not in ("csr", "csc", "bsr", "coo"):
        X = X.tocoo()
    if X.format == "coo":
        _check_coordinates(X, name)
        return X
    _check_compressed(X, name)
    if X.format == "bsr":
        blocks = X.indices[: X.indptr[-1]]
        _check_range(blocks, X.shape[1] // X.data.shape[2], "indices", name)
        return X.tocsr()
    if not _is_plain(X):
        parts = (np.ascontiguousarray(a[: X.indptr[-1]]) for a in (X.data, X.indices))
        X = type(X)((*parts, np.ascontiguousarray(X.indptr)), shape=X.shape)
    if X.format not in checks:
        check_places(X, name=name)
    return X


def _is_plain(X):
    """Whether a compressed matrix has contiguous arrays of one index type, and no rest."""
    data, indices, indptr = X.data, X.indices, X.indptr
    return (
        indices.dtype == indptr.dtype
        and indices.dtype in _INDEX_TYPES
        and len(data) == len(indices) == indptr[-1]
        and data.flags.c_contiguous
        and indices.flags.c_contiguous
        and indptr.flags.c_contiguous
    )


def _check_compressed(X, name):
    """Check all of a CSR, CSC or BSR matrix but the values of its indices."""
    data, indices, indptr = X.data, X.indices, X.indptr
    if indices.ndim != 1 or data.ndim != (3 if X.format == "bsr" else 1):
        _refuse(name, f"indices have shape {indices.shape}, and data {data.shape}")
    n_major = X.shape[1] if X.format == "csc" else X.shape[0]
    if X.format == "bsr":
        n_major //= data.shape[1]
    if indices.dtype.kind not in "iu" or indptr.dtype.kind not in "iu":
        _refuse(name, f"its indices are of type {indices.dtype} and {indptr.dtype}")
    if indptr.shape != (n_major + 1,):
        _refuse(name, f"indptr has shape {indptr.shape} instead of ({n_major + 1},)")
    if indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        _refuse(name, "indptr does not rise from 0 on")
    n_entries = int(indptr[-1])
    if n_entries > min(len(indices), len(data)):
        _refuse(
            name,
            f"indptr ends at {n_entries}, but there are {len(indices)} indices and "
            f"{len(data)} values",
        )


def _check_coordinates(X, name):
    for axis, places in enumerate((X.row, X.col)):
        if len(places) != len(X.data) or places.dtype.kind not in "iu":
            _refuse(
                name,
                f"it has {len(X.data)} values, but {len(places)} places of type "
                f"{places.dtype}",
            )
        _check_range(places, X.shape[axis], ["row", "col"][axis], name)


def _check_range(places, stop, what, name):
    if not places.size:
        return
    # a negative number is a large one without its sign: one pass finds both
    unsigned = _UNSIGNED.get(places.dtype) or places.dtype.str.replace("i", "u")
    if places.view(unsigned).max() >= stop:
        _refuse(
            name,
            f"`{what}` go from {places.min()} to {places.max()}, but must be from 0 to "
            f"{stop - 1}",
        )


def _refuse(name, reason):
    raise ValueError(
        f"{name} is a sparse matrix that contradicts itself: {reason}. See how it was "
        f"made; {name}.check_format(full_check=True) tells whether it is mended."
    )
