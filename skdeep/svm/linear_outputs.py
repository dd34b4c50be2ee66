"""X w + b in double precision, with the same bits for any number of threads."""

import numpy as np
from scipy.sparse import issparse

from skdeep import kernels
from skdeep.engine.executor import bind
from skdeep.engine.threads import run_pieces, threads
from skdeep.kernels import native
from skdeep.validation.inputs import check_places

# Products of fewer multiplications are done before a program is bound, or a BLAS held at
# one thread; of sparse rows SciPy's product begins sooner.
_SMALL, _SMALL_SPARSE = 1 << 13, 1 << 15
# Rows so long are read once by a kernel of ours, where a BLAS is slower than memory.
_LONG = 64
# Entries of X in a piece: its rows stay in the cache while they become float64.
_PIECE_ENTRIES = 1 << 16
_FEWEST_ROWS = 16


def linear_outputs(X, coef, intercept):
    """The outputs of linear models.

    Each row is summed in an order of its own, or rows are cut into pieces by the shapes
    alone, so that the number of threads, the BLAS's or ours, changes no bit. float32 rows
    become float64 on the way: that needs no copy of X, and features far from zero keep
    their digits.

    Parameters
    ----------
    X : {ndarray, csr matrix} of shape (n_samples, n_features)
        The samples, in float32 or float64. The columns of a CSR matrix are checked here.

    coef : ndarray of shape (n_outputs, n_features)
        The coefficients, in float64.

    intercept : ndarray of shape (n_outputs,)
        The intercepts.

    Returns
    -------
    z : ndarray of shape (n_samples, n_outputs)
        In float64.

    Raises
    ------
    ValueError
        Where a CSR matrix has an entry in a column that is not there.
    """
    n, d = X.shape
    z = np.empty((n, len(coef)))
    if issparse(X) and X.nnz * len(coef) <= _SMALL_SPARSE:
        check_places(X)
        np.add(X @ coef.T, intercept, out=z)
    elif issparse(X):
        _write_sparse(X, coef, intercept, z)
    elif z.size * d <= _SMALL:
        np.einsum("ij,kj->ik", X, coef, out=z)
        z += intercept
    elif len(coef) == 1 and d >= _LONG and native.ENABLED and X.flags.c_contiguous:
        arguments = {"x": X, "coef": np.ascontiguousarray(coef[0]), "intercept": intercept}
        call = kernels.linear_output, arguments | {"out": z[:, 0]}
        bind([call], n, X.dtype).run()
    else:
        rows = max(_PIECE_ENTRIES // d, _FEWEST_ROWS)
        starts = range(0, n, rows)
        pieces = [[(_multiply, (X[i : i + rows], coef.T, z[i : i + rows]))] for i in starts]
        with threads(2.0 * z.size * d):
            run_pieces(pieces)
        z += intercept
    return z


def _write_sparse(X, coef, intercept, z):
    misplaced = np.empty(len(z), dtype=bool)
    arguments = {
        "values": X.data,
        "columns": X.indices,
        "row_end": X.indptr[1:],
        "coef": np.ascontiguousarray(coef.T),
        "intercept": intercept,
        "out": z,
        "misplaced": misplaced,
    }
    bind([(kernels.sparse_linear_outputs, arguments)], len(z), X.dtype).run()
    if misplaced.any():
        check_places(X)


def _multiply(rows, coef, out):
    np.matmul(rows.astype(np.float64, copy=False), coef, out=out)
