"""Compiled forward passes, each with buffers of its own, kept for the next prediction."""

import math

from skdeep.engine.program import ROWS, Buffer, Calls, Program
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


class ForwardPass:
    """The forward pass of prediction for blocks of up to `rows` rows."""

    def __init__(self, network, x, rows):
        self.rows = rows
        calls = Calls()
        calls.reserve(x)
        self._x = self._out = x
        for (_, layer), scope in zip(network.layers, network.scopes(calls), strict=True):
            self._out = layer.infer(scope, self._out)
        self._program = Program(calls, network.dtype)
        self._memory = self._program.allocate(rows)
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
    """

    def __init__(self):
        self._idle = {size: [] for size in (*_SMALL, _BLOCK)}

    def raw_outputs(self, network, x, out):
        """Write the outputs of the last layer for every row of `x` into `out`."""
        n = x.shape[0]
        compiled = self._borrow(network, n)
        rows = compiled.rows
        with compiled.session():
            for start in range(0, n, rows):
                stop = min(start + rows, n)
                compiled.run_on(x[start:stop], out[start:stop])
        if compiled.rows in self._idle:
            self._idle[compiled.rows].append(compiled)

    def _borrow(self, network, n):
        width = math.prod(network.input_shape) + sum(map(math.prod, network.shapes))
        sizes = [s for s in (*_SMALL, _BLOCK) if s * width <= _NUMBERS] or [1]
        size = next((size for size in sizes if n <= size), sizes[-1])
        if size == _BLOCK:
            size = min(n, _BLOCK)
        try:
            return self._idle[size].pop()
        except (KeyError, IndexError):
            x = Buffer("x", (ROWS, *network.input_shape))
            return ForwardPass(network, x, size)


def sparse_raw_outputs(network, x, out):
    """Write the outputs for every row of a CSR matrix: its entries are not copied."""
    for start in range(0, x.shape[0], _BLOCK):
        ends = x.indptr[start + 1 : start + 1 + _BLOCK]
        first = x.indptr[start]
        entries = slice(first, ends[-1])
        values, columns, ends = x.data[entries], x.indices[entries], ends - first
        rows = SparseRows(
            Buffer("x.values", values.shape, array=values),
            Buffer("x.columns", columns.shape, array=columns),
            Buffer("x.row_end", (ROWS,), array=ends),
        )
        compiled = ForwardPass(network, rows, len(ends))
        with compiled.session():
            out[start : start + _BLOCK] = compiled.run(len(ends))
