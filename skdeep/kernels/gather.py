"""Collecting the rows of a mini-batch from the training data."""

import numpy as np

from skdeep.kernels.runtime.contract import compiled

__all__ = ["gather_rows", "gather_sparse_rows", "gather_weights", "one_hot"]


def _check_rows(source, index, out):
    if source.dtype != out.dtype and (source.dtype != np.uint8 or out.dtype.kind != "f"):
        raise TypeError(
            f"gather_rows cannot put rows of type {source.dtype} into {out.dtype}."
        )
    _check_source(source, index)


def _check_source(source, index, **_):
    if index.size and not len(source):
        raise ValueError(f"There are no rows from which {index.size} could be taken.")


# An index beyond the end means the last row.
@compiled(
    "rows",
    writes="out",
    check=_check_rows,
    source="any: n ...",
    index="int64: rows",
    out="any: rows ...",
)
def gather_rows(source, index, out):
    if source.dtype == out.dtype:
        # mode="clip" lets NumPy write straight into out: the default mode buffers.
        np.take(source, index, axis=0, out=out, mode="clip")
    else:
        # images are kept as bytes and become floating-point numbers here
        out[...] = source[index]


@compiled(
    "rows",
    writes="out",
    scratch="work",
    index="int64<classes: rows",
    low="number",
    high="number",
    work="int64: rows",
    out="rows classes",
)
def one_hot(index, low, high, work, out):
    """The targets of classes by number: high in the class's column, else low."""
    out.fill(low)
    # where each row starts, then the place of its class, without a temporary
    work.fill(out.shape[1])
    np.cumsum(work, out=work)
    np.subtract(work, out.shape[1], out=work)
    np.add(work, index, out=work)
    out.reshape(-1)[work] = high


@compiled(
    None,
    writes="out",
    compiled_axis="rows",
    check=_check_source,
    source="n",
    index="int64: rows",
    out="rows",
)
def gather_weights(source, index, out):
    """Take the rows' weights and divide by their number, so that sums are means."""
    np.take(source, index, out=out, mode="clip")
    np.divide(out, out.shape[0], out=out)


@compiled(
    None,
    writes="values_out columns_out row_end_out",
    check=lambda row_end, index, **_: _check_source(row_end, index),
    values="entries",
    columns="int: entries",
    row_end="int<=entries: n",
    index="int64: rows",
    values_out="room",
    columns_out="int: room",
    row_end_out="int: rows",
)
def gather_sparse_rows(
    values, columns, row_end, index, values_out, columns_out, row_end_out
):
    """Take rows of a sparse matrix in CSR form, where row i ends at row_end[i]."""
    if index.size == 0:
        return
    start = np.where(index > 0, row_end[index - 1], 0)
    length = row_end[index] - start
    np.cumsum(length, out=row_end_out)
    total = int(row_end_out[-1])
    position = np.arange(total) + np.repeat(start - (row_end_out - length), length)
    values_out[:total] = values[position]
    columns_out[:total] = columns[position]
