"""The rows as solvers want them: float64, centred, with no more columns than rows."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr
from scipy.sparse import csr_array, issparse


@dataclass(frozen=True)
class PreparedRows:
    """Rows for the solvers, and the way back to the coefficients of the original rows.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n, d)
        The rows.

    mean : ndarray of shape (n_features,) or None
        What was subtracted from every row.

    rotation : ndarray of shape (n_features, d) or None
        The orthonormal directions that span the rows, whose coordinates they are in.
    """

    X: object
    mean: np.ndarray | None = None
    rotation: np.ndarray | None = None

    def restore(self, w, b):
        """Coefficients and intercept for the original rows."""
        if self.rotation is not None:
            w = self.rotation @ w
        if self.mean is not None:
            b = b - float(self.mean @ w)
        return w, b

    def project(self, w, b):
        """Coefficients and intercept for the prepared rows."""
        if self.mean is not None:
            b = b + float(self.mean @ w)
        if self.rotation is not None:
            w = self.rotation.T @ w
        return w, b


def prepare(X, weight, *, intercept, rotate=True):
    """Prepare rows for the solvers.

    Dense rows are centred where an intercept takes up the shift: otherwise its digits
    would be lost in the sums. More columns than rows are turned until only as many are
    left as there are rows, which changes neither norms nor products.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n, n_features)
        The rows.

    weight : ndarray of shape (n,)
        Their weights, for the mean.

    intercept : bool
        Whether there is an intercept.

    rotate : bool, default=True
        Whether more columns than rows are turned.

    Returns
    -------
    rows : PreparedRows
    """
    if issparse(X):
        X = csr_array(X, dtype=np.float64)
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        if max(*X.shape, X.nnz) < np.iinfo(np.int32).max:  # half the memory to read
            parts = X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)
            X = csr_array(parts, shape=X.shape)
        return PreparedRows(X)
    X = np.asarray(X, dtype=np.float64)
    mean = rotation = None
    if intercept:
        mean = weight @ X / weight.sum()
        X = X - mean
    n, d = X.shape
    if rotate and d > n:
        rotation, triangle = qr(X.T, mode="economic", check_finite=False)
        X = np.ascontiguousarray(triangle.T)
    return PreparedRows(np.ascontiguousarray(X), mean, rotation)
