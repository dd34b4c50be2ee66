"""A program: a flat list of kernel calls over buffers.

A network is compiled into programs once; a training step is one run of a list whose
arguments were all resolved before. Nothing is allocated and no object graph is walked.
"""

import math
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from skdeep.engine.executor import bind
from skdeep.kernels import Kernel, check_names, scratch_shapes

#: The lengths of a buffer's axes; a word stands for a number of rows.
Shape: TypeAlias = tuple[int | str, ...]
#: Stands for the number of rows of the mini-batch, as the first entry of a shape.
ROWS = "rows"
# Layers inside a layer have random numbers of their own: it sets their numbers apart.
_MOST_CHILDREN = 1 << 12


@dataclass(frozen=True, eq=False)
class Buffer:
    """A named array of a program.

    ``array`` is the memory it stands for, of any number of rows where the shape names
    them by a word; where it is None, each allocation of the program makes its own. A
    ``dtype`` of None is the program's own type. A buffer with a ``base`` is that
    buffer's memory in another shape.
    """

    name: str
    shape: Shape
    dtype: str | None = None
    array: np.ndarray | None = None
    base: "Buffer | None" = None

    @property
    def owner(self) -> "Buffer":
        """The buffer whose memory this one is."""
        return self if self.base is None else self.base

    def view(self, shape: Shape) -> "Buffer":
        """The same memory in another shape of as many numbers."""
        if tuple(shape) == self.shape:
            return self
        return Buffer(self.name, tuple(shape), self.dtype, base=self.owner)

    def array_shape(self, rows: int) -> tuple[Any, ...]:
        """The shape with the number of rows filled in."""
        if self.shape[:1] == (ROWS,):
            return (rows, *self.shape[1:])
        return self.shape

    def of(self, array: np.ndarray) -> np.ndarray:
        """The array of the owner, in this buffer's shape."""
        if self.base is None:
            return array
        # memory of any number of rows may stand for a batch
        return array.reshape(self.array_shape(len(array)))


@dataclass(frozen=True)
class Call:
    """One kernel with the values of its arguments: buffers, numbers or None.

    ``part`` is whose call it is: the name of a layer, or ``"loss"`` and the like.
    """

    kernel: Kernel
    arguments: dict[str, Any]
    part: str = ""

    @property
    def buffers(self) -> list[Buffer]:
        return [value for value in self.arguments.values() if isinstance(value, Buffer)]


class Calls(list[Call]):
    """A program while it is written: its calls, and what its parts tell each other.

    Parameters
    ----------
    keeps_all : bool, default=False
        Whether no layer may write into the output of another, for who wants to look at
        the outputs.

    Attributes
    ----------
    outputs, gradients : dict of str to Buffer
        The output of each layer, and the gradient with respect to it, by the layers'
        names; those of layers inside of others as well.
    """

    def __init__(self, keeps_all: bool = False):
        super().__init__()
        self.keeps_all = keeps_all
        self.outputs: dict[str, Buffer] = {}
        self.gradients: dict[str, Buffer] = {}
        self._reserved: set[Buffer] = set()
        self._scratch: dict[tuple, Buffer] = {}

    def reserve(self, buffer: Buffer) -> None:
        """Forbid later calls to overwrite a buffer that somebody will read."""
        self._reserved.add(buffer.owner)

    def is_reserved(self, buffer: Buffer) -> bool:
        return self.keeps_all or buffer.owner in self._reserved

    def scratch(self, name: str, shape: Shape, dtype: str | None) -> Buffer:
        """Memory whose content means nothing between calls: the same for all alike."""
        buffer = Buffer(name, shape, dtype)
        return self._scratch.setdefault((name, shape, dtype), buffer)


@dataclass(frozen=True)
class TrainingStep:
    """What every part of a training step may read.

    Parameters
    ----------
    stream : PhiloxStream
        The random numbers of this training.

    batch_size : int
        The samples of a full batch.

    step : Buffer
        The number of the step, 1 for the first.

    learning_rate : Buffer
        The learning rate of the step.

    weight : Buffer or None, default=None
        The share of each sample in the batch's mean loss; None before there is a batch.
    """

    stream: Any
    batch_size: int
    step: Buffer
    learning_rate: Buffer
    weight: Buffer | None = None


class Scope:
    """What a layer, a loss or an optimizer sees while it writes its calls.

    Parameters
    ----------
    name : str
        Precedes the names of the buffers made here.

    calls : Calls
        The program so far; `call` appends to it.

    training : TrainingStep or None, default=None
        What every part of a training step may read; None where nothing is trained.

    parameters, gradients, state : dict of str to Buffer
        The variables of this layer, and the gradients of its parameters.
    """

    def __init__(
        self,
        name: str,
        calls: Calls,
        training: TrainingStep | None = None,
        *,
        index: int = 0,
        parameters: Mapping[str, Buffer] = MappingProxyType({}),
        gradients: Mapping[str, Buffer] = MappingProxyType({}),
        state: Mapping[str, Buffer] = MappingProxyType({}),
    ):
        self.name = name
        self.index = index
        self.calls = calls
        self._training = training
        self.parameters = dict(parameters)
        self.gradients = dict(gradients)
        self.state = dict(state)
        self._buffers: dict[str, Buffer] = {}
        self._children: dict[str, Scope] = {}

    def buffer(self, name: str, shape: Shape, dtype: str | None = None) -> Buffer:
        """The buffer of this name, made at the first call."""
        if name not in self._buffers:
            self._buffers[name] = Buffer(f"{self.name}.{name}", shape, dtype)
        return self._buffers[name]

    def rename(self, name: str, buffer: Buffer) -> Buffer:
        """The same memory under another name, for what takes a buffer's place."""
        renamed = Buffer(
            f"{self.name}.{name}", buffer.shape, buffer.dtype, base=buffer.owner
        )
        self._buffers[name] = renamed
        return renamed

    def __getitem__(self, name: str) -> Buffer:
        """A buffer that was made or kept before."""
        return self._buffers[name]

    @property
    def training(self) -> TrainingStep:
        """What every part of a training step may read."""
        if self._training is None:
            raise ValueError(f"{self.name} asks for a training step, but nothing trains.")
        return self._training

    @property
    def batch_size(self) -> int | None:
        """The samples of a full batch; None where nothing is trained."""
        return None if self._training is None else self._training.batch_size

    def counting(self, step: Buffer) -> "Scope":
        """This scope for who counts steps in another way."""
        other = copy(self)
        other._training = replace(self.training, step=step)
        return other

    def keep(self, name: str, buffer: Buffer) -> None:
        """Remember a buffer of an earlier layer under a name, for the way back."""
        self._buffers[name] = buffer
        self.reserve(buffer)

    def reserve(self, buffer: Buffer) -> None:
        """Forbid later calls to overwrite a buffer that the way back will read."""
        self.calls.reserve(buffer)

    def is_reserved(self, buffer: Buffer) -> bool:
        return self.calls.is_reserved(buffer)

    def child(self, name: str, number: int) -> "Scope":
        """The scope of a layer inside this one, with its share of the variables.

        It is made at the first call, with the number that its random numbers get.
        """
        if name in self._children:
            return self._children[name]
        prefix = f"{name}."

        def part(buffers: dict[str, Buffer]) -> dict[str, Buffer]:
            return {
                key.removeprefix(prefix): buffer
                for key, buffer in buffers.items()
                if key.startswith(prefix)
            }

        self._children[name] = Scope(
            f"{self.name}.{name}",
            self.calls,
            self._training,
            index=(self.index + 1) * _MOST_CHILDREN + number,
            parameters=part(self.parameters),
            gradients=part(self.gradients),
            state=part(self.state),
        )
        return self._children[name]

    def call(self, kernel: Kernel, /, **arguments: Any) -> None:
        """Append a call.

        Scratch arguments that are not given get buffers of the shapes that the kernel
        declares, shared by all calls that need alike.
        """
        check_names(kernel, arguments)
        if kernel.scratch - arguments.keys():
            arguments |= self._scratch(kernel, arguments)
        self.calls.append(
            Call(kernel, {name: arguments[name] for name in kernel.arguments}, self.name)
        )

    def _scratch(self, kernel: Kernel, arguments: dict[str, Any]) -> dict[str, Buffer]:
        """Buffers for the scratch arguments that are not given."""
        shapes = {n: b.shape for n, b in arguments.items() if isinstance(b, Buffer)}
        return {
            name: self.calls.scratch(name, shape, kernel.declared[name].dtype(None))
            for name, shape in scratch_shapes(kernel, shapes).items()
            if name not in arguments
        }


class Program:
    """A list of calls that can be allocated, bound to memory, run and printed.

    Parameters
    ----------
    calls : sequence of Call
        What to do, in order.

    dtype : dtype
        The type of every buffer that names none.
    """

    def __init__(self, calls: Iterable[Call], dtype: type | str | np.dtype):
        self.calls = tuple(calls)
        self.dtype = np.dtype(dtype)

    def allocate(self, rows: int) -> dict[Buffer, np.ndarray]:
        """Make the memory for batches of up to `rows` rows: a dict from buffer to array."""
        memory: dict[Buffer, np.ndarray] = {}
        for call in self.calls:
            for buffer in call.buffers:
                owner = buffer.owner
                if owner.array is not None:
                    memory[owner] = owner.array
                elif owner not in memory:
                    memory[owner] = _zeros(owner, rows, owner.dtype or self.dtype)
                memory[buffer] = buffer.of(memory[owner])
        return memory

    def nbytes(self, rows: int) -> int:
        """The bytes that `allocate` takes for batches of `rows` rows."""
        own = {b.owner for call in self.calls for b in call.buffers}
        own = {b for b in own if b.array is None}
        return sum(
            math.prod(b.array_shape(rows)) * np.dtype(b.dtype or self.dtype).itemsize
            for b in own
        )

    def bind(self, memory: Mapping[Buffer, np.ndarray], rows: int) -> Any:
        """Resolve every argument to an array, for batches of exactly `rows` rows."""
        arrays: dict[Buffer, np.ndarray] = {}
        for call in self.calls:
            for buffer in call.buffers:
                if buffer not in arrays:
                    arrays[buffer] = _array(buffer, memory[buffer], rows)
        calls = [
            (
                call.kernel,
                {
                    name: arrays[value] if isinstance(value, Buffer) else value
                    for name, value in call.arguments.items()
                },
            )
            for call in self.calls
        ]
        return bind(calls, rows, self.dtype)

    def describe(self, rows: int) -> str:
        """The calls, one a line, with the shapes of their arrays."""
        lines = []
        for call in self.calls:
            written = [
                f"{name}={_describe_argument(call.arguments[name], rows)}"
                for name in call.kernel.arguments
                if name in call.kernel.writes and call.arguments[name] is not None
            ]
            read = [
                f"{name}={_describe_argument(call.arguments[name], rows)}"
                for name in call.kernel.arguments
                if name not in call.kernel.writes
                and name not in call.kernel.scratch
                and call.arguments[name] is not None
            ]
            lines.append(
                f"{call.kernel.__name__}({', '.join(read)}) -> {', '.join(written)}"
            )
        width = len(str(len(lines)))
        return "\n".join(f"{i:>{width}}. {line}" for i, line in enumerate(lines, 1))


def _zeros(buffer: Buffer, rows: int, dtype: str | np.dtype) -> np.ndarray:
    shape = buffer.array_shape(rows)
    try:
        return np.zeros(shape, dtype)
    except (MemoryError, ValueError) as error:
        raise ValueError(
            f"There is no memory for {buffer.name!r}, an array of shape {shape}. Make the "
            "batch, the samples or the layer smaller."
        ) from error


def _describe_argument(value: Any, rows: int) -> str:
    if isinstance(value, Buffer):
        shape = "x".join(map(str, value.array_shape(rows)))
        return f"{value.name}[{shape}]"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _array(buffer: Buffer, array: np.ndarray, rows: int) -> np.ndarray:
    """What an array of any number of rows is to a batch of so many."""
    expected, first = buffer.shape, buffer.shape[0] if buffer.shape else 0
    if first == ROWS:
        array, expected = array[:rows], (rows, *expected[1:])
    elif isinstance(first, str):  # as many as there are
        expected = (len(array), *expected[1:])
    if array.shape != expected:
        raise ValueError(
            f"The buffer {buffer.name!r} is to be of shape {expected}, but its memory is "
            f"of shape {array.shape}."
        )
    return array
