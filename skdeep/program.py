"""A program: a flat list of kernel calls over buffers, and the executor that runs it.

A network is compiled into programs once; a training step is one run of a list whose
arguments were all resolved before. Nothing is allocated and no object graph is walked.
"""

import math
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from skdeep.threads import CUT_FLOPS, run_pieces

#: Stands for the number of rows of the mini-batch, as the first entry of a shape.
ROWS = "rows"

# Vectors of parameters are cut into pieces that stay in a core's cache between the
# passes of an optimizer's step.
_PIECE_PARAMETERS = 32768
# Matrix products of fewer rows take long to prepare for what they do.
_SMALLEST_PIECE = 96


@dataclass(frozen=True, eq=False)
class Buffer:
    """A named array of a program.

    ``array`` is the memory it stands for, of any number of rows where the shape names
    them by a word; where it is None, each allocation of the program makes its own. A
    ``dtype`` of None is the program's own type.
    """

    name: str
    shape: tuple
    dtype: str | None = None
    array: np.ndarray | None = None

    def array_shape(self, rows):
        """The shape with the number of rows filled in."""
        if self.shape[:1] == (ROWS,):
            return (rows, *self.shape[1:])
        return self.shape


@dataclass(frozen=True)
class Call:
    """One kernel with the values of its arguments: buffers, numbers or None."""

    kernel: object
    arguments: dict

    @property
    def buffers(self):
        return [value for value in self.arguments.values() if isinstance(value, Buffer)]


class Scope:
    """What a layer, a loss or an optimizer sees while it writes its calls.

    Parameters
    ----------
    name : str
        Precedes the names of the buffers made here.

    calls : list of Call
        The program so far; `call` appends to it.

    shared : dict of str to Buffer or number
        What every part of a training step may read: ``weight``, ``step``,
        ``learning_rate``, ``stream`` and ``batch_size``.

    parameters, gradients, state : dict of str to Buffer
        The variables of this layer, and the gradients of its parameters.
    """

    def __init__(
        self, name, calls, shared, *, index=0, parameters=(), gradients=(), state=()
    ):
        self.name = name
        self.index = index
        self.shared = shared
        self.parameters = dict(parameters)
        self.gradients = dict(gradients)
        self.state = dict(state)
        self._calls = calls
        self._buffers = {}

    def buffer(self, name, shape, dtype=None):
        """The buffer of this name, made at the first call."""
        if name not in self._buffers:
            self._buffers[name] = Buffer(f"{self.name}.{name}", shape, dtype)
        return self._buffers[name]

    def __getitem__(self, name):
        """A buffer that was made or kept before."""
        return self._buffers[name]

    def keep(self, name, buffer):
        """Remember a buffer of an earlier layer under a name, for the way back."""
        self._buffers[name] = buffer
        self.reserve(buffer)

    def reserve(self, buffer):
        """Forbid later calls to overwrite a buffer that the way back will read."""
        self.shared.setdefault("reserved", set()).add(buffer)

    def is_reserved(self, buffer):
        return buffer in self.shared.get("reserved", ())

    def call(self, kernel, /, *, scratch=None, **arguments):
        """Append a call.

        Arguments of the kernel that are named ``work``, ``mask`` or ``norm`` are
        scratch: they get buffers of the shape `scratch`, of booleans for ``mask``,
        and without the last axis for ``norm``, shared by all calls that need alike.
        """
        for name in kernel.arguments:
            if name not in arguments:
                arguments[name] = self._scratch(name, scratch)
        self._calls.append(
            Call(kernel, {name: arguments[name] for name in kernel.arguments})
        )

    def _scratch(self, name, shape):
        dtype = "bool" if name.startswith("mask") else None
        shape = shape[:-1] if name == "norm" else shape
        pool = self.shared.setdefault("scratch", {})
        return pool.setdefault((name, shape), Buffer(name, shape, dtype))


class Program:
    """A list of calls that can be allocated, bound to memory, run and printed.

    Parameters
    ----------
    calls : sequence of Call
        What to do, in order.

    dtype : dtype
        The type of every buffer that names none.
    """

    def __init__(self, calls, dtype):
        self.calls = tuple(calls)
        self.dtype = np.dtype(dtype)

    def allocate(self, rows):
        """Make the memory for batches of up to `rows` rows: a dict from buffer to array."""
        memory = {}
        for call in self.calls:
            for buffer in call.buffers:
                if buffer.array is not None:
                    memory[buffer] = buffer.array
                elif buffer not in memory:
                    memory[buffer] = np.zeros(
                        buffer.array_shape(rows), dtype=buffer.dtype or self.dtype
                    )
        return memory

    def nbytes(self, rows):
        """The bytes that `allocate` takes for batches of `rows` rows."""
        own = {b for call in self.calls for b in call.buffers if b.array is None}
        return sum(
            math.prod(b.array_shape(rows)) * np.dtype(b.dtype or self.dtype).itemsize
            for b in own
        )

    def bind(self, memory, rows):
        """Resolve every argument to an array, for batches of exactly `rows` rows."""
        calls = [_bind_call(call, memory, rows) for call in self.calls]
        flops = sum(_flops(kernel, named) for kernel, named in calls)
        steps = []
        for axis, group in groupby(calls, key=lambda call: call[0].axis):
            if axis == "parameters":
                steps += _cut_together(list(group))
            else:
                for call in group:
                    steps += _cut_together([call])
        return BoundProgram(steps, flops, rows)

    def describe(self, rows):
        """The calls, one a line, with the shapes of their arrays."""
        lines = []
        for call in self.calls:
            written = [
                f"{name}={_describe_argument(call.arguments[name], rows)}"
                for name in call.kernel.arguments
                if name in call.kernel.writes and not _is_scratch(name)
            ]
            read = [
                f"{name}={_describe_argument(call.arguments[name], rows)}"
                for name in call.kernel.arguments
                if name not in call.kernel.writes
                and not _is_scratch(name)
                and call.arguments[name] is not None
            ]
            lines.append(
                f"{call.kernel.__name__}({', '.join(read)}) -> {', '.join(written)}"
            )
        width = len(str(len(lines)))
        return "\n".join(f"{i:>{width}}. {line}" for i, line in enumerate(lines, 1))


class BoundProgram:
    """A program whose arguments are arrays: `run` does one step."""

    def __init__(self, steps, flops, rows):
        self.flops = flops
        self.rows = rows
        self._steps = steps

    def run(self):
        for function, arguments in self._steps:
            function(*arguments)


def _is_scratch(name):
    return name.startswith(("work", "mask")) or name in ("norm", "uniform")


def _describe_argument(value, rows):
    if isinstance(value, Buffer):
        shape = "x".join(map(str, value.array_shape(rows)))
        return f"{value.name}[{shape}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _bind_call(call, memory, rows):
    """The kernel of a call and its arguments by name, with arrays for buffers."""
    named = {}
    for name, value in call.arguments.items():
        if isinstance(value, Buffer):
            array = memory[value]
            value = array[:rows] if value.shape[:1] == (ROWS,) else array
        named[name] = value
    return call.kernel, named


def _flops(kernel, named):
    return kernel.flops(**named) if kernel.flops else 0.0


def _cut_together(calls):
    """The (function, arguments) steps of calls whose pieces depend on no other pieces.

    Calls on the vectors of parameters are cut alike, and one piece goes through all of
    them before the next, while it is in a core's cache.
    """
    pieces = {}
    for kernel, named in calls:
        for piece in _pieces(kernel, named):
            arguments = tuple(_cut(kernel, named, name, piece) for name in named)
            pieces.setdefault(piece.start, []).append((kernel, arguments))
    pieces = list(pieces.values())
    return pieces[0] if len(pieces) == 1 else [(run_pieces, (pieces,))]


def _pieces(kernel, named):
    """Where to cut a call. It depends on the shapes alone, never on the threads."""
    lengths = {
        named[name].shape[axis]
        for name, axis in kernel.split.items()
        if named.get(name) is not None
    }
    if len(lengths) != 1:
        return [slice(0, None)]
    (length,) = lengths
    size = length
    if kernel.axis == "parameters":
        size = _PIECE_PARAMETERS
    elif (flops := _flops(kernel, named)) > CUT_FLOPS:
        n_pieces = min(int(2 * flops // CUT_FLOPS), max(length // _SMALLEST_PIECE, 1))
        # in whole registers of the product's inner kernels
        size = -(-length // (16 * n_pieces)) * 16
    if length <= size:
        return [slice(0, None)]
    return [slice(start, start + size) for start in range(0, length, size)]


def _cut(kernel, named, name, piece):
    if piece == slice(0, None) or name not in kernel.split or named[name] is None:
        return named[name]
    return named[name][(slice(None),) * kernel.split[name] + (piece,)]
