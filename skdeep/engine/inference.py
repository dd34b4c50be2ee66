"""Compiled forward passes, each with buffers of its own, kept for the next prediction."""

import numpy as np

from skdeep.engine.program import ROWS, Buffer
from skdeep.engine.sparse_rows import SparseRows
from skdeep.kernels import native

# Rows that a prediction handles at a time. Compiled programs carry fewer through the
# layers at once; theirs are the rows between two meetings of all threads.
_BLOCK = 2048 if native.ENABLED else 1024
# Compiling takes longer than predicting a few rows, so small passes are kept: a pass for
# so many rows serves all batches that fit.
_SMALL = (1, 32, 256)
# Outputs of layers that a pass holds at most, unless it is one for a single row.
_NUMBERS = 1 << 22
# Samples at a time where what is inside of a network is kept.
_FEW_ROWS = 32


class ForwardPass:
    """The forward pass of prediction for blocks of up to `rows` rows.

    Parameters
    ----------
    program : Program
        The calls of it.

    x, out : Buffer
        Its inputs and its outputs.

    rows : int
        The most rows of a block.
    """

    def __init__(self, program, x, out, rows):
        self.rows = rows
        self._program, self._x, self._out = program, x, out
        self._memory = program.allocate(rows)
        self._bound = {}

    def session(self):
        return self._bind(self.rows).session()

    def run(self, rows):
        """Run for the first `rows` rows of the input; return the outputs."""
        self._bind(rows).run()
        return self._memory[self._out][:rows]

    def run_on(self, x, out):
        """Write the outputs for a block of rows into `out`."""
        rows = x.shape[0]
        source, result = self._memory[self._x][:rows], self._memory[self._out][:rows]
        self._bind(rows).run_on(source, x, result, out)

    def _bind(self, rows):
        if rows not in self._bound:
            if len(self._bound) > 1:  # the full block, and the last one of a data set
                self._bound = {self.rows: self._bound[self.rows]}
            self._bound[rows] = self._program.bind(self._memory, rows)
        return self._bound[rows]


class ForwardPasses:
    """The compiled forward passes of a network: any number of threads may predict.

    Taking a pass from a list and putting it back are atomic, so that each thread works in
    its own buffers.

    Parameters
    ----------
    program : Program
        The calls of prediction.

    x, out : Buffer
        Its inputs and its outputs.

    width : int
        The numbers that a pass holds for each row.
    """

    def __init__(self, program, x, out, width):
        self._program, self._x, self._out = program, x, out
        self._sizes = [s for s in (*_SMALL, _BLOCK) if s * width <= _NUMBERS] or [1]
        self._idle = {size: [] for size in (*_SMALL, _BLOCK)}

    def write_outputs(self, x, out):
        """Write the outputs of the last layer for every row of `x` into `out`."""
        n = x.shape[0]
        compiled = self._borrow(n)
        rows = compiled.rows
        with compiled.session():
            for start in range(0, n, rows):
                stop = min(start + rows, n)
                compiled.run_on(x[start:stop], out[start:stop])
        if compiled.rows in self._idle:
            self._idle[compiled.rows].append(compiled)

    def _borrow(self, n):
        size = next((size for size in self._sizes if n <= size), self._sizes[-1])
        if size == _BLOCK:
            size = min(n, _BLOCK)
        try:
            return self._idle[size].pop()
        except (KeyError, IndexError):
            return ForwardPass(self._program, self._x, self._out, size)


def sparse_blocks(x, size=_BLOCK):
    """Cut a CSR matrix into blocks of so many rows, whose entries are not copied.

    Yields
    ------
    rows : slice
    block : SparseRows
    """
    for start in range(0, x.shape[0], size):
        ends = x.indptr[start + 1 : start + 1 + size]
        first = x.indptr[start]
        entries = slice(first, ends[-1])
        values, columns, ends = x.data[entries], x.indices[entries], ends - first
        block = SparseRows(
            Buffer("x.values", values.shape, array=values),
            Buffer("x.columns", columns.shape, array=columns),
            Buffer("x.row_end", (ROWS,), array=ends),
        )
        yield slice(start, start + len(ends)), block


def run_blocks(program, inputs):
    """Run a program for some samples at a time.

    Parameters
    ----------
    program : Program
        What to run.

    inputs : dict of Buffer to ndarray of shape (n_samples, ...)
        What to run it on.

    Yields
    ------
    rows : slice
    arrays : dict of Buffer to ndarray
        Those of the program after these rows.
    """
    arrays = program.allocate(_FEW_ROWS)
    for buffer in inputs:  # an input may be an output, and in no call
        shape = buffer.array_shape(_FEW_ROWS)
        arrays.setdefault(buffer, np.zeros(shape, program.dtype))
    n_samples = len(next(iter(inputs.values())))
    for start in range(0, n_samples, _FEW_ROWS):
        rows = slice(start, min(start + _FEW_ROWS, n_samples))
        n = rows.stop - rows.start
        for buffer, values in inputs.items():
            arrays[buffer][:n] = values[rows]
        bound = program.bind(arrays, n)
        with bound.session():
            bound.run()
        yield rows, arrays
