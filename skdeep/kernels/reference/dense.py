"""Dense layers: ``out = x @ kernel + bias`` and its derivatives, for dense and sparse x.

With the gradient ``d_out`` of the loss with respect to ``out``, the chain rule gives

    d_kernel = x.T @ d_out,    d_bias = sum of the rows of d_out,    d_x = d_out @ kernel.T
"""

import numpy as np
from scipy.sparse import csr_array

from skdeep.kernels.reference.contract import kernel


def _product_flops(rows, matrix):
    return 2.0 * rows.shape[0] * matrix.shape[0] * matrix.shape[1]


@kernel(
    "rows",
    writes="out",
    x=0,
    out=0,
    flops=lambda x, kernel, **_: _product_flops(x, kernel),
)
def dense_forward(x, kernel, bias, out):
    np.matmul(x, kernel, out=out)
    if bias is not None:
        np.add(out, bias, out=out)


@kernel(
    "features",
    writes="d_kernel",
    x=1,
    d_kernel=0,
    flops=lambda x, d_kernel, **_: _product_flops(x, d_kernel),
)
def dense_backward_kernel(x, d_out, d_kernel):
    np.matmul(x.T, d_out, out=d_kernel)


@kernel(None, writes="d_bias", d_bias=0)
def dense_backward_bias(d_out, d_bias):
    np.add.reduce(d_out, axis=0, out=d_bias)


@kernel(
    "rows",
    writes="d_x",
    d_out=0,
    d_x=0,
    flops=lambda d_out, kernel, **_: _product_flops(d_out, kernel),
)
def dense_backward_input(d_out, kernel, d_x):
    np.matmul(d_out, kernel.T, out=d_x)


def _csr(values, columns, row_end, n_columns):
    """Rows as SciPy's sparse array (SciPy's product allocates its result)."""
    row_start = np.zeros(1, dtype=row_end.dtype)
    n_values = row_end[-1] if row_end.size else 0
    return csr_array(
        (values[:n_values], columns[:n_values], np.concatenate((row_start, row_end))),
        shape=(row_end.size, n_columns),
    )


@kernel(None, writes="out", row_end=0, out=0)
def sparse_dense_forward(values, columns, row_end, kernel, bias, out):
    out[...] = _csr(values, columns, row_end, kernel.shape[0]) @ kernel
    if bias is not None:
        np.add(out, bias, out=out)


@kernel(None, writes="d_kernel")
def sparse_dense_backward_kernel(values, columns, row_end, d_out, d_kernel):
    d_kernel[...] = _csr(values, columns, row_end, d_kernel.shape[0]).T @ d_out
