"""Samples of unit norm."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils._param_validation import StrOptions

from skdeep.preprocessing.base_scaler import BaseScaler, NothingMeasured
from skdeep.preprocessing.blocks import checked_axes, map_rows

_SHORT = 1024


class UnitNormScaler(BaseScaler):
    """Scale each sample to unit norm: x / ||x||. Samples of zeros stay as they are.

    Nothing is learned from data; `fit` and `partial_fit` only check them. What is divided
    away cannot be brought back, so there is no `inverse_transform`. Sparse X stays sparse.

    Parameters
    ----------
    norm : {"l1", "l2", "max"}, default="l2"
        The sum of absolute values, the root of the sum of squares, or the largest
        absolute value.

    feature_axes : int, tuple of int or None, default=None
        The axes whose values make a vector of unit norm. None takes all but the first:
        each sample, of any number of axes. -1 scales the channels of each pixel.

    copy : bool, default=True
        Whether to leave the X that is transformed as it is. False overwrites it if it
        is an array of float32 or float64, or a sparse one.

    Attributes
    ----------
    n_samples_seen_ : int
        The number of samples seen.

    n_features_in_ : int
        The number of features.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of the features, where X had names.

    Examples
    --------
    >>> from skdeep.preprocessing import UnitNormScaler
    >>> UnitNormScaler().fit_transform([[3.0, 4.0], [0.0, 2.0]])
    array([[0.6, 0.8],
           [0. , 1. ]])
    """

    _parameter_constraints = {
        "norm": [StrOptions({"l1", "l2", "max"})],
        "feature_axes": [*BaseScaler._parameter_constraints["feature_axes"], None],
        "copy": ["boolean"],
    }
    _allows_nan = False  # as in scikit-learn: a sample with NaN has no norm

    def __init__(self, norm="l2", *, feature_axes=None, copy=True):
        self.norm = norm
        self.feature_axes = feature_axes
        self.copy = copy

    def transform(self, X):
        """Scale each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ..., n_features)
            The data.

        Returns
        -------
        X_scaled : {ndarray, sparse matrix} of the same shape
            The scaled data: float32 for float32 and for integers of up to 16 bits, else
            float64. With ``copy=False``, floating-point X itself.
        """
        X = self._check(X, reset=False)
        out = self._output(X)
        if issparse(X):
            self._divide_sparse(out)
        else:
            map_rows(self._divide, X, out, self._axes(X))
        return out

    def _divide(self, x, out):
        """Divide each row of a block by its norm."""
        x = np.asarray(x, dtype=out.dtype)
        with np.errstate(over="ignore"):
            norms = self._norms(x)
        odd = np.flatnonzero(~_ordinary(norms, out.dtype))
        if not len(odd):
            np.divide(x, norms.astype(out.dtype, copy=False)[:, None], out=out)
            return
        rows = x[odd]
        rows /= _or_one(np.maximum(rows.max(axis=1), -rows.min(axis=1)))[:, None]
        rows /= _or_one(self._norms(rows))[:, None]
        norms[odd] = 1.0
        np.divide(x, norms.astype(out.dtype, copy=False)[:, None], out=out)
        out[odd] = rows

    def _norms(self, x):
        """The norms of rows."""
        if self.norm == "l2":
            # float32 is exact enough for the sums of tables, and several times as fast
            dtype = x.dtype if x.shape[1] <= _SHORT else np.float64
            return np.sqrt(np.einsum("ij,ij->i", x, x, dtype=dtype))
        if self.norm == "l1":
            return np.abs(x).sum(axis=1, dtype=np.float64)
        return np.maximum(x.max(axis=1), -x.min(axis=1))

    def _divide_sparse(self, X):
        """Divide by the largest values first: no power of theirs is too large or small."""
        rows = X.indices
        if X.format == "csr":
            rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        largest = np.zeros(X.shape[0])
        np.maximum.at(largest, rows, np.abs(X.data))
        values = X.data / _or_one(largest)[rows]
        if self.norm != "max":
            powers = np.abs(values) if self.norm == "l1" else values * values
            norms = np.bincount(rows, powers, X.shape[0])
            norms = np.sqrt(norms) if self.norm == "l2" else norms
            values /= _or_one(norms)[rows]
        X.data[...] = values

    def _measure(self, X, axes, weight):
        return NothingMeasured()

    def _learn(self, statistics):
        pass

    def _axes(self, X):
        if self.feature_axes is None:
            return tuple(range(1, X.ndim))
        return checked_axes(self.feature_axes, X)

    def _check_features(self, X, axes):
        if hasattr(self, "n_samples_seen_"):
            super()._check_features(X, axes)

    def _accepts_sparse(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def _ordinary(norms, dtype):
    """Where neither a norm nor a square in it was too large or too small for the type."""
    bound = 2.0**50 if dtype == np.float32 else 2.0**400
    return (norms > 1 / bound) & (norms < bound)


def _or_one(norms):
    """Norms to divide by: 1 for samples of zeros."""
    return np.where(norms == 0, norms.dtype.type(1), norms)
