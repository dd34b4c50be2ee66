"""What every kernel says of itself, for executors to check, cut, order and print its calls.

An argument is declared once, by its type and the names of its axes:

    @kernel("rows", writes="out", x="rows inputs", kernel="inputs units", out="rows units")

Axes of one name are of one length. Where a program is bound its arrays are checked
against this, so that no kernel ever reads or writes past the end of one.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from operator import index
from typing import Any, Protocol

import numpy as np

__all__ = [
    "COMPILED",
    "WINDOW_LIMIT",
    "Kernel",
    "check_arguments",
    "check_names",
    "compiled",
    "kernel",
    "scratch_shapes",
]

#: The numbers that say where a window is must be below this: what compiled kernels
#: compute of them stays within 64 bits.
WINDOW_LIMIT = 1 << 31
#: The kernels that the extension has as well, and their names there. A function belongs
#: here by being one of skdeep's, never by how it is called.
COMPILED: dict[Callable[..., None], str] = {}

# The types of arrays by the words for them; "float" is the program's own, and all
# arguments of a call that are "int" are alike.
_TYPES = {
    "any": (),
    "bool": (np.dtype(bool),),
    "bytes": (np.dtype(np.uint8), np.dtype(np.int32)),
    "float32": (np.dtype(np.float32),),
    "float64": (np.dtype(np.float64),),
    "int": (np.dtype(np.int32), np.dtype(np.int64)),
    "int64": (np.dtype(np.int64),),
}
_UNSIGNED = dict(zip(_TYPES["int"], (np.uint32, np.uint64), strict=True))
_VALUES = ("number", "pair", "stream")


@dataclass(frozen=True)
class Argument:
    """What is declared of one argument.

    Parameters
    ----------
    name : str
        Its name.

    text : str
        The declaration as it was written.

    kind : str
        The word for its type; or ``"number"``, ``"pair"`` or ``"stream"``.

    is_array : bool
        Whether it is an array.

    before, after : tuple of str
        The names of its axes before and after ``...``; without that, all are before.

    any_axes : bool
        Whether there is a ``...``, which stands for any number of axes.

    below : str or None
        The axis of which its values are places, none of them negative; ``"=axis"`` where
        they may be its end, too.
    """

    name: str
    text: str
    kind: str
    is_array: bool = False
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    any_axes: bool = False
    below: str | None = None

    @classmethod
    def parse(cls, name, text):
        """The argument of a declaration such as ``"int64: rows"`` or ``"rows ... m"``."""
        if not isinstance(text, str):
            raise TypeError(
                f"{name}={text!r} must be the names of its axes, such as "
                f"{name}='rows inputs', or one of {', '.join(_VALUES)}."
            )
        if text in _VALUES:
            return cls(name, text, text)
        kind, colon, shape = text.rpartition(":")
        kind, _, below = kind.partition("<")
        kind = kind if colon else "float"
        if kind != "float" and kind not in _TYPES:
            raise TypeError(f"{name}={text!r} has no type of {', '.join(_TYPES)}.")
        axes = tuple(shape.split())
        if axes.count("...") > 1:
            raise TypeError(f"{name}={text!r} may have one '...' only.")
        place = axes.index("...") if "..." in axes else len(axes)
        before, after = axes[:place], axes[place + 1 :]
        return cls(name, text, kind, True, before, after, "..." in axes, below or None)

    @property
    def axes(self):
        return (*self.before, *(("...",) if self.any_axes else ()), *self.after)

    def match(self, shape, sizes):
        """Note the lengths of a shape's axes; return whether they agree with others."""
        axes = self.before
        if self.any_axes:
            start, stop = len(axes), len(shape) - len(self.after)
            if stop < start:
                return False
            middle = shape[start:stop]
            if sizes.setdefault("...", middle) != middle:
                return False
            axes, shape = axes + self.after, shape[:start] + shape[stop:]
        if len(axes) != len(shape):
            return False
        # at every binding: a generator and a strict zip would take twice as long
        for axis, size in zip(axes, shape):  # noqa: B905, SIM110
            if sizes.setdefault(axis, size) != size:
                return False
        return True

    def shape(self, sizes):
        """The shape, from the lengths of its axes."""
        middle = sizes["..."] if self.any_axes else ()
        before, after = (
            [int(a) if a.isdecimal() else sizes[a] for a in axes]
            for axes in (self.before, self.after)
        )
        return (*before, *middle, *after)

    def dtype(self, program):
        """The type that memory for it is made with."""
        return program if self.kind == "float" else _TYPES[self.kind][0]


class Kernel(Protocol):
    """A function of arrays and numbers that was declared with `kernel`.

    What the declaration says is in attributes of the parameters' names.

    Attributes
    ----------
    arguments : tuple of str
        The names of the function's arguments, in their order.

    declared : dict of str to Argument
        What is declared of each argument.
    """

    __name__: str
    axis: str | None
    writes: frozenset[str]
    scratch: frozenset[str]
    optional: frozenset[str]
    in_place: bool
    arguments: tuple[str, ...]
    declared: dict[str, Argument]

    def __call__(self, *arguments: Any, **named: Any) -> None: ...


def kernel(
    axis: str | None,
    /,
    *,
    writes: str,
    scratch: str = "",
    optional: str = "",
    in_place: bool = False,
    flops: Callable[..., float] | None = None,
    scratch_sizes: Callable[[dict], dict] | None = None,
    check: Callable[..., None] | None = None,
    compiled_axis: str | None = None,
    **arguments: str,
) -> Callable[[Callable[..., None]], Kernel]:
    """Declare a function of arrays and numbers to be a kernel.

    A kernel writes into the arrays it is given and allocates none. It never
    guesses shapes and never branches on data.

    Parameters
    ----------
    axis : {"rows", "parameters", "features", "sum"} or None
        The axis that its work may be cut along; None where every call needs the whole.
        ``"sum"`` is cut along the rows, too, but what is written is a sum over them: the
        results of its parts are added up.
    writes : str
        The names of the arguments it writes, separated by spaces.
    scratch : str, default=""
        The names of arguments whose content means nothing before and after the call.
        Whoever writes a call need not give them.
    optional : str, default=""
        The names of arguments that may be None.
    in_place : bool, default=False
        Whether ``out`` may be the same memory as the input, or ``d_z`` as ``d_out``.
    flops : callable, default=None
        The number of floating-point operations of a call, from its arguments
        by name. Only matrix products declare it.
    scratch_sizes : callable, default=None
        The lengths of axes that only scratch arguments have, from a dict of the others.
    check : callable, default=None
        Takes the arguments by name, and raises a ValueError where they do not fit each
        other in a way that the names of axes cannot say.
    compiled_axis : str, default=None
        Where the axis is None, what a compiled kernel may be cut along.
    **arguments : str
        For each argument the names of its axes, such as ``x="rows inputs"``. Numbers
        stand for themselves, and ``...`` for any axes, the same for all arguments. A type
        before a colon is one of ``bool``, ``float32``, ``float64``, ``int64``, ``int``
        (of 32 or 64 bits), ``bytes`` (or int32) and ``any``; without one an array is of
        the program's type. ``int<inputs: entries`` holds places along the axis
        ``inputs``, ``int<=entries: rows`` may hold its end as well. What is no array is a
        ``"number"``, a ``"pair"`` of whole numbers or a ``"stream"`` of random numbers.
        Arguments that are not declared are not checked.
    """

    def declare(function: Any) -> Kernel:
        function.axis = axis
        function.writes = frozenset(writes.split())
        function.scratch = frozenset(scratch.split())
        function.optional = frozenset(optional.split())
        function.in_place = in_place
        function.flops = flops
        function.scratch_sizes = scratch_sizes
        function.check = check
        function.arguments = tuple(inspect.signature(function).parameters)
        function.declared = {n: Argument.parse(n, text) for n, text in arguments.items()}
        function.places = tuple(a for a in function.declared.values() if a.below)
        function.lengths = tuple(
            {x for a in function.declared.values() for x in a.axes if x.isdecimal()}
        )
        along = compiled_axis if axis is None else "rows" if axis == "sum" else axis
        function.split = {
            name: argument.before.index(along)
            for name, argument in function.declared.items()
            if along in argument.before
        }
        _check_declaration(function)
        _number_arguments(function)
        return function

    return declare


def compiled(
    axis: str | None, /, **declaration: Any
) -> Callable[[Callable[..., None]], Kernel]:
    """Declare a kernel of skdeep that the extension has, too, under the same name."""

    def declare(function: Any) -> Kernel:
        kernel(axis, **declaration)(function)
        missing = [n for n in function.arguments if n not in function.declared]
        if missing:
            raise TypeError(f"{function.__name__} must declare {', '.join(missing)}.")
        COMPILED[function] = function.__name__
        return function

    return declare


def _number_arguments(function):
    """What compiled kernels are passed, and bits of those written and of those cut."""
    passed = [n for n in function.arguments if n not in function.scratch]
    cut = {} if function.axis == "sum" else function.split
    function.passed = tuple(passed)
    function.written_bits = sum(
        1 << i for i, n in enumerate(passed) if n in function.writes
    )
    function.cut_bits = sum(1 << i for i, n in enumerate(passed) if cut.get(n) == 0)


def _check_declaration(function):
    for name in (*function.declared, *function.writes, *function.scratch):
        if name not in function.arguments:
            raise TypeError(_unknown(function, name))
    for name in function.scratch:
        if name not in function.declared:
            raise TypeError(
                f"{function.__name__}: the scratch argument {name!r} needs a shape, such "
                f"as {name}='rows ...'."
            )


def check_names(kernel, names):
    """Raise a TypeError where arguments are unknown, or needed and not among `names`.

    Parameters
    ----------
    kernel : callable
        A kernel.

    names : collection of str
        The arguments that are there.
    """
    for name in names:
        if name not in kernel.arguments:
            raise TypeError(_unknown(kernel, name, names))
    missing = [n for n in kernel.arguments if n not in names and n not in kernel.scratch]
    if missing:
        raise TypeError(
            f"{kernel.__name__} needs {', '.join(map(repr, missing))}; it was given "
            f"{', '.join(map(repr, names))}."
        )


def _unknown(kernel, name, given=()):
    free = [n for n in kernel.arguments if n not in given]
    near = get_close_matches(name, free, 1, 0.5) or get_close_matches(
        name, kernel.arguments, 1
    )
    hint = f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(free)}."
    return f"{kernel.__name__} has no argument {name!r}. {hint}"


def scratch_shapes(kernel, shapes):
    """The shapes of a kernel's scratch arguments.

    Parameters
    ----------
    kernel : callable
        A kernel.

    shapes : dict of str to tuple
        The shapes of its other arrays, by name; a length may be a word.

    Returns
    -------
    shapes : dict of str to tuple
    """
    sizes = {}
    for name, shape in shapes.items():
        if name in kernel.declared:
            kernel.declared[name].match(shape, sizes)
    if kernel.scratch_sizes is not None:
        sizes |= kernel.scratch_sizes(sizes)
    return {name: kernel.declared[name].shape(sizes) for name in kernel.scratch}


def check_arguments(kernel, named, dtype):
    """Raise an error where arguments are not as a kernel declares them.

    Parameters
    ----------
    kernel : callable
        A kernel.

    named : dict of str to object
        The values of all its arguments.

    dtype : dtype
        The program's type of numbers.

    Raises
    ------
    TypeError
        Where one is of another kind or type.
    ValueError
        Where shapes do not agree, or an array that is written is read-only.
    """
    sizes = {}
    for name, argument in kernel.declared.items():
        value = named[name]
        if not argument.is_array:
            if type(value) is not float or argument.kind != "number":
                _check_value(kernel, argument, value)
        elif value is not None or name not in kernel.optional:
            if not isinstance(value, np.ndarray):
                raise TypeError(
                    f"{kernel.__name__}: {name} must be an array, but is {value!r}."
                )
            if argument.kind != "float" or value.dtype != dtype:
                _check_type(kernel, argument, value.dtype, dtype, sizes)
            if not argument.match(value.shape, sizes):
                raise ValueError(_disagreement(kernel, name, named))
            if name in kernel.writes and not value.flags.writeable:
                raise ValueError(
                    f"{kernel.__name__} writes {name}, but its memory is read-only."
                )
    if kernel.lengths or kernel.places:
        _check_lengths_and_places(kernel, named, sizes)
    if kernel.check is not None:
        kernel.check(**named)


def _check_type(kernel, argument, actual, program, sizes):
    kind = argument.kind
    types = (program,) if kind == "float" else _TYPES[kind]
    # all of the same kind are of the same type
    if not types or (actual in types and sizes.setdefault(":" + kind, actual) == actual):
        return
    wanted = " or ".join(map(str, types))
    raise TypeError(
        f"{kernel.__name__}: {argument.name} must be of type {wanted}, but is {actual}."
    )


def _check_value(kernel, argument, value):
    kind = argument.kind
    if kind == "number":
        fits = type(value) is float or isinstance(value, Real | np.bool)
    elif kind == "pair":
        fits = isinstance(value, tuple) and len(value) == 2
        fits = fits and all(0 <= index(v) < WINDOW_LIMIT for v in value)
    else:
        key = getattr(value, "key", None)
        fits = isinstance(key, np.ndarray) and key.shape == (2,)
        fits = fits and key.dtype == np.uint64
    if not fits:
        wanted = {
            "number": "a number",
            "pair": f"two whole numbers from 0 to {WINDOW_LIMIT - 1}",
            "stream": "a stream of random numbers",
        }[kind]
        raise TypeError(
            f"{kernel.__name__}: {argument.name} must be {wanted}, but is {value!r}."
        )


def _check_lengths_and_places(kernel, named, sizes):
    """Check lengths that are numbers, and places that point into other arguments."""
    for axis in kernel.lengths:
        if sizes.get(axis, int(axis)) != int(axis):
            raise ValueError(
                f"{kernel.__name__} has an axis of {sizes[axis]} in the place of {axis}; "
                f"it takes {_declarations(kernel)}."
            )
    for argument in kernel.places:
        name, below = argument.name, argument.below
        places = named[name]
        if not places.size:
            continue
        end = sizes[below.removeprefix("=")] + below.startswith("=")
        # a negative number is a large one without its sign: one pass finds both
        if places.view(_UNSIGNED[places.dtype]).max() >= end:
            least, largest = int(places.min()), int(places.max())
            raise ValueError(
                f"{kernel.__name__}: {name} must be from 0 to {end - 1}, but has "
                f"{least if least < 0 else largest}."
            )


def _disagreement(kernel, name, named):
    shapes = ", ".join(
        f"{n}: {named[n].shape}"
        for n, a in kernel.declared.items()
        if a.is_array and isinstance(named[n], np.ndarray)
    )
    return (
        f"{kernel.__name__}: the shape {named[name].shape} of {name} does not agree with "
        f"the others. It takes {_declarations(kernel)}; here are {shapes}."
    )


def _declarations(kernel):
    return ", ".join(f"{n}='{a.text}'" for n, a in kernel.declared.items() if a.is_array)
