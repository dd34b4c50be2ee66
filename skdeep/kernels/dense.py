"""Dense layers: ``out = x @ kernel + bias`` and its derivatives, for dense and sparse x.

With the gradient ``d_out`` of the loss with respect to ``out``, the chain rule gives

    d_kernel = x.T @ d_out,    d_bias = sum of the rows of d_out,    d_x = d_out @ kernel.T
"""

import numpy as np
from scipy.sparse import csr_array

from skdeep.kernels.runtime.contract import compiled

__all__ = [
    "dense_backward_bias",
    "dense_backward_input",
    "dense_backward_kernel",
    "dense_forward",
    "sparse_dense_backward_kernel",
    "sparse_dense_forward",
]


def _product_flops(rows, matrix):
    return 2.0 * rows.shape[0] * matrix.shape[0] * matrix.shape[1]


@compiled(
    "rows",
    writes="out",
    optional="bias",
    flops=lambda x, kernel, **_: _product_flops(x, kernel),
    x="rows inputs",
    kernel="inputs units",
    bias="units",
    out="rows units",
)
def dense_forward(x, kernel, bias, out):
    np.matmul(x, kernel, out=out)
    if bias is not None:
        np.add(out, bias, out=out)


@compiled(
    "features",
    writes="d_kernel",
    flops=lambda x, d_kernel, **_: _product_flops(x, d_kernel),
    x="rows features",
    d_out="rows units",
    d_kernel="features units",
)
def dense_backward_kernel(x, d_out, d_kernel):
    np.matmul(x.T, d_out, out=d_kernel)


@compiled(None, writes="d_bias", compiled_axis="units", d_out="rows units", d_bias="units")
def dense_backward_bias(d_out, d_bias):
    np.add.reduce(d_out, axis=0, out=d_bias)


@compiled(
    "rows",
    writes="d_x",
    flops=lambda d_out, kernel, **_: _product_flops(d_out, kernel),
    d_out="rows units",
    kernel="inputs units",
    d_x="rows inputs",
)
def dense_backward_input(d_out, kernel, d_x):
    np.matmul(d_out, kernel.T, out=d_x)


_SPARSE_ROWS = {
    "values": "entries",
    "columns": "int<inputs: entries",
    "row_end": "int<=entries: rows",
}


def _csr(values, columns, row_end, n_columns):
    """Rows as SciPy's sparse array (SciPy's product allocates its result)."""
    row_start = np.zeros(1, dtype=row_end.dtype)
    n_values = row_end[-1] if row_end.size else 0
    return csr_array(
        (values[:n_values], columns[:n_values], np.concatenate((row_start, row_end))),
        shape=(row_end.size, n_columns),
    )


@compiled(
    None,
    writes="out",
    optional="bias",
    compiled_axis="rows",
    **_SPARSE_ROWS,
    kernel="inputs units",
    bias="units",
    out="rows units",
)
def sparse_dense_forward(values, columns, row_end, kernel, bias, out):
    out[...] = _csr(values, columns, row_end, kernel.shape[0]) @ kernel
    if bias is not None:
        np.add(out, bias, out=out)


@compiled(
    None, writes="d_kernel", **_SPARSE_ROWS, d_out="rows units", d_kernel="inputs units"
)
def sparse_dense_backward_kernel(values, columns, row_end, d_out, d_kernel):
    d_kernel[...] = _csr(values, columns, row_end, d_kernel.shape[0]).T @ d_out
