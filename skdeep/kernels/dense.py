"""Dense layers: ``out = x @ kernel + bias`` and its derivatives, for dense and sparse x.

With the gradient ``d_out`` of the loss with respect to ``out``, the chain rule gives

    d_kernel = x.T @ d_out,    d_bias = sum of the rows of d_out,    d_x = d_out @ kernel.T

The gradients of a small kernel may be summed over parts of the rows first: a thread then
sums the rows that it has worked on, which lie in its own cache, and threads hand each other
a few sums instead of all rows. Parts are cut by shapes alone.
"""

import numpy as np
from scipy.sparse import csr_array

from skdeep.kernels.runtime.contract import compiled

__all__ = [
    "dense_backward_bias",
    "dense_backward_input",
    "dense_backward_kernel",
    "dense_bias_of_sums",
    "dense_forward",
    "dense_kernel_of_sums",
    "dense_sums",
    "dense_sums_shape",
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


#: Parts of fewer rows, and sums of more numbers, take longer than they save.
_FEWEST_ROWS, _MOST_NUMBERS = 128, 1 << 14
_PARTS = 2


def dense_sums_shape(batch_size, inputs, units):
    """The shape of the sums of parts of a batch, or None where there are to be none.

    The last row of a part's sums is that of the bias.
    """
    few = batch_size is None or batch_size < _FEWEST_ROWS
    if few or inputs * units > _MOST_NUMBERS:
        return None
    return _PARTS, inputs + 1, units


def _check_sums(sums, inputs):
    if sums.shape[1] != inputs + 1:
        return f"sums has {sums.shape[1]} rows, but there are {inputs} inputs and a bias"
    return None


# a part is of rows that lie together: cut along the rows, there were other parts
@compiled(
    None,
    writes="sums",
    flops=lambda x, d_out, **_: 2.0 * x.shape[0] * x.shape[1] * d_out.shape[1],
    check=lambda x, sums, **_: _check_sums(sums, x.shape[1]),
    x="rows inputs",
    d_out="rows units",
    sums="parts inputs_and_bias units",
)
def dense_sums(x, d_out, sums):
    parts = len(sums)
    for number, total in enumerate(sums):
        rows = slice(len(x) * number // parts, len(x) * (number + 1) // parts)
        np.matmul(x[rows].T, d_out[rows], out=total[:-1])
        np.add.reduce(d_out[rows], axis=0, out=total[-1])


@compiled(
    None,
    writes="d_kernel",
    compiled_axis="features",
    check=lambda sums, d_kernel, **_: _check_sums(sums, len(d_kernel)),
    sums="parts features_and_bias units",
    d_kernel="features units",
)
def dense_kernel_of_sums(sums, d_kernel):
    np.add.reduce(sums[:, :-1], axis=0, out=d_kernel)


@compiled(
    None,
    writes="d_bias",
    compiled_axis="units",
    sums="parts features_and_bias units",
    d_bias="units",
)
def dense_bias_of_sums(sums, d_bias):
    np.add.reduce(sums[:, -1], axis=0, out=d_bias)


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
