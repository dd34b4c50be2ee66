"""Outputs of linear models in float64, whatever the type of x, for dense and sparse x."""

import numpy as np
from scipy.sparse import csr_array

from skdeep.kernels.runtime.contract import compiled

__all__ = ["linear_output", "sparse_linear_outputs"]


@compiled(
    "rows",
    writes="out",
    x="rows inputs",
    coef="float64: inputs",
    intercept="float64: 1",
    out="float64: rows",
)
def linear_output(x, coef, intercept, out):
    np.matmul(x.astype(np.float64, copy=False), coef, out=out)
    np.add(out, intercept, out=out)


# It believes no column: rows with one that is not there are told of, and are NaN.
@compiled(
    None,
    writes="out misplaced",
    compiled_axis="rows",
    values="entries",
    columns="int: entries",
    row_end="int<=entries: rows",
    coef="float64: inputs outputs",
    intercept="float64: outputs",
    out="float64: rows outputs",
    misplaced="bool: rows",
)
def sparse_linear_outputs(values, columns, row_end, coef, intercept, out, misplaced):
    """Outputs of rows in CSR form, and which of them have a column that `coef` has not."""
    ends = np.concatenate((np.zeros(1, row_end.dtype), row_end))
    wrong = (columns < 0) | (columns >= len(coef))
    if not len(coef):
        coef = np.zeros((1, coef.shape[1]))
    if wrong.any():
        columns = np.where(wrong, 0, columns)
    before = np.concatenate(([0], np.cumsum(wrong)))[ends]
    np.greater(before[1:], before[:-1], out=misplaced)
    rows = csr_array((values, columns, ends), shape=(len(row_end), len(coef)))
    np.add(rows @ coef, intercept, out=out)
    out[misplaced] = np.nan
