"""X w + b in double precision, with the same bits for any number of threads."""

import numpy as np
from scipy.sparse import issparse

from skdeep.engine.threads import run_pieces, threads

# Products of fewer multiplications are done before a BLAS could be held at one thread.
_SMALL = 1 << 13
# Entries of X in a piece: its rows stay in the cache while they become float64.
_PIECE_ENTRIES = 1 << 16
_FEWEST_ROWS = 16


def linear_outputs(X, coef, intercept):
    """The outputs of linear models.

    Rows are cut into pieces by the shapes alone, so that the number of threads, the
    BLAS's or ours, changes no bit. float32 rows become float64 piece by piece: that
    needs no copy of X, and features far from zero keep their digits.

    Parameters
    ----------
    X : {ndarray, csr matrix} of shape (n_samples, n_features)
        The samples, in float32 or float64.

    coef : ndarray of shape (n_outputs, n_features)
        The coefficients, in float64.

    intercept : ndarray of shape (n_outputs,)
        The intercepts.

    Returns
    -------
    z : ndarray of shape (n_samples, n_outputs)
        In float64.
    """
    if issparse(X):  # SciPy's product knows no threads
        return X @ coef.T + intercept
    n, d = X.shape
    z = np.empty((n, len(coef)))
    if z.size * d <= _SMALL:
        np.einsum("ij,kj->ik", X, coef, out=z)
    else:
        rows = max(_PIECE_ENTRIES // d, _FEWEST_ROWS)
        starts = range(0, n, rows)
        pieces = [[(_multiply, (X[i : i + rows], coef.T, z[i : i + rows]))] for i in starts]
        with threads(2.0 * z.size * d):
            run_pieces(pieces)
    z += intercept
    return z


def _multiply(rows, coef, out):
    np.matmul(rows.astype(np.float64, copy=False), coef, out=out)
