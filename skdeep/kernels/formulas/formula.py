"""Formulas of activations, losses and optimizer steps, ready to become kernels."""

import inspect
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from hashlib import sha256
from numbers import Real
from types import MethodType

from .expression import (
    Application,
    Array,
    Constant,
    Scalar,
    as_expression,
    derivative,
    in_order,
    zero_unless,
)

#: Arguments of an optimizer's step that change from step to step: arrays of one number.
CELLS = {"learning_rate": "float64", "step": "int64"}


# What the written NumPy kernels call something.
_TAKEN = re.compile(r"np|math|expit|ndtr|xlogy|share|(work|mask|number)(_\d+)?")


@dataclass(frozen=True)
class Formula:
    """What a kernel computes, entry by entry.

    Parameters
    ----------
    name : str
        The kernel's name.

    kind : {"rows", "parameters", "loss"}
        What the arrays are: of a batch, of the flat vectors of parameters, or the outputs
        and targets of a loss, which is the mean over a sample's outputs.

    reads : tuple of str
        The arrays that are read, in the order of the kernel's arguments.

    cells : dict of str to str
        Arrays of one number, and their types.

    settings : tuple of str
        Arguments that are plain numbers.

    results : dict of str to Expression
        What is written. A loss has ``loss`` and its derivative ``d_z``.

    same : tuple of (str, str), default=()
        A written array and one that is read, which may be the same memory.
    """

    name: str
    kind: str
    reads: tuple
    cells: dict
    settings: tuple
    results: dict
    same: tuple = ()

    def __post_init__(self):
        fixed = ("weight", "label_weight", "losses", "loss") if self.kind == "loss" else ()
        names = [*self.reads, *self.cells, *self.settings]
        for name in names:
            if (*names, *fixed).count(name) > 1 or _TAKEN.fullmatch(name):
                raise ValueError(
                    f"{self.name}: {name!r} is the name of something else in a kernel. "
                    "Call the attribute, vector or number of the formula otherwise."
                )

    @property
    def numbers(self):
        """The arguments that are numbers, in their order."""
        return (*self.cells, *self.settings)

    @property
    def writes(self):
        """The arrays that are written."""
        return ("losses", "d_z") if self.kind == "loss" else tuple(self.results)

    @property
    def arguments(self):
        """The names of the kernel's arguments, in their order, without scratch memory."""
        weight = ("weight", "label_weight") if self.kind == "loss" else ()
        only_written = tuple(name for name in self.writes if name not in self.reads)
        return (*self.reads, *weight, *self.numbers, *only_written)

    @cached_property
    def symbol(self):
        """The compiled kernel's name, which tells formulas apart by what they compute.

        So a formula that was changed since the package was built is another one, and never
        runs as what it was.
        """
        order = in_order(self.results.values())
        number = {expression: i for i, expression in enumerate(order)}
        parts = [
            self.kind,
            self.reads,
            list(self.cells.items()),
            self.settings,
            [(name, number[result]) for name, result in self.results.items()],
            self.same,
            *(
                (e.function, *(number[a] for a in e.arguments)) if e.arguments else repr(e)
                for e in order
            ),
        ]
        digest = sha256("\n".join(map(str, parts)).encode()).hexdigest()
        return f"{self.name}_{digest[:12]}"


def activation_formulas(name, function, slope=None):
    """The forward and the backward formula of an activation.

    Parameters
    ----------
    name : str
        Its name.

    function : callable
        The activation of ``z``.

    slope : callable or None, default=None
        Its derivative, a function of ``z``, of its result ``out``, or of both; None to
        derive it.

    Returns
    -------
    forward, backward : Formula
        Out of z; and d_z out of d_out and whatever of z and out the slope takes.
    """
    z, out, d_out = Array("z"), Array("out"), Array("d_out")
    value = as_expression(function(z))
    if slope is None:
        reads, factor = ("z",), derivative(value, z)
    else:
        reads = tuple(inspect.signature(slope).parameters)
        factor = as_expression(slope(**{n: {"z": z, "out": out}[n] for n in reads}))
    # z is not overwritten where the way back reads it
    same = () if "z" in reads else (("out", "z"),)
    return (
        Formula(f"{name}_forward", "rows", ("z",), {}, (), {"out": value}, same),
        Formula(
            f"{name}_backward",
            "rows",
            (*reads, "d_out"),
            {},
            (),
            {"d_z": _times(factor, d_out)},
            (("d_z", "d_out"),),
        ),
    )


def _times(factor, d_out):
    """A slope times the gradient behind it; one of 1 and 0 needs no array of its own."""
    if isinstance(factor, Application) and factor.function == "where":
        condition, above, below = factor.arguments
        if (above, below) == (Constant(1.0), Constant(0.0)):
            return zero_unless(condition, d_out)
    return factor * d_out


def loss_formula(name, function, owner=None):
    """The formula of a loss that is the mean over independent outputs.

    Parameters
    ----------
    name : str
        The kernel's name.

    function : callable
        The loss of ``(self, z, target)``, as an expression; or that and its derivative with
        respect to z, where it is not to be derived.

    owner : object or None, default=None
        What self is: its numbers become the kernel's settings; None where every attribute
        is a number.

    Returns
    -------
    formula : Formula
    """
    z, target, settings = Array("z"), Array("target"), Settings(owner)
    loss = function(settings, z, target)
    loss, d_z = loss if isinstance(loss, tuple) else (loss, None)
    loss = as_expression(loss)
    results = {"loss": loss, "d_z": derivative(loss, z) if d_z is None else d_z}
    results = {n: as_expression(result) for n, result in results.items()}
    return Formula(name, "loss", ("z", "target"), {}, settings.used, results)


def step_formula(name, function, owner=None):
    """The formula of an optimizer's step on the flat vectors.

    Parameters
    ----------
    name : str
        The kernel's name.

    function : callable
        Takes ``self``, the vectors ``parameters``, ``gradient`` and those that the
        optimizer keeps, and as keywords ``learning_rate``, ``step`` and the single numbers
        that it keeps, as far as it needs them. Returns a dict with what the vectors are
        after the step.

    owner : object or None, default=None
        What self is: its numbers become the kernel's settings; None where every attribute
        is a number.

    Returns
    -------
    formula : Formula
    """
    settings = Settings(owner)
    vectors, cells = _signature(function)
    results = _trace(name, partial(function, settings), vectors[1:], cells)
    cells = {cell: CELLS.get(cell, "float64") for cell in cells}
    return Formula(name, "parameters", vectors[1:], cells, settings.used, results)


def vector_formula(name, function):
    """The formula of any other function of the flat vectors.

    Parameters
    ----------
    name : str
        The kernel's name.

    function : callable
        Takes vectors, and as keywords ``learning_rate``, ``step`` and other numbers.
        Returns a dict with what the vectors are afterwards.

    Returns
    -------
    formula : Formula
    """
    vectors, numbers = _signature(function)
    cells = {name: CELLS[name] for name in numbers if name in CELLS}
    settings = tuple(name for name in numbers if name not in CELLS)
    results = _trace(name, function, vectors, (*cells, *settings))
    return Formula(name, "parameters", vectors, cells, settings, results)


@lru_cache(maxsize=1 << 8)
def _signature(function):
    """The names of a function's positional and of its keyword-only arguments."""
    names = inspect.signature(function).parameters
    keywords = tuple(n for n, p in names.items() if p.kind is p.KEYWORD_ONLY)
    return tuple(n for n in names if n not in keywords), keywords


def _trace(name, function, vectors, numbers):
    """What a function makes of some vectors: a dict of expressions."""
    results = function(*map(Array, vectors), **{n: Scalar(n) for n in numbers})
    if not isinstance(results, dict):
        raise TypeError(
            f"{name} must return a dict with what its vectors are afterwards, such as "
            f"{{'parameters': parameters - learning_rate * gradient}}, not {results!r}."
        )
    unknown = [vector for vector in results if vector not in vectors]
    if unknown:
        raise TypeError(
            f"{name} gives a new value to {unknown}; it can to {list(vectors)} only."
        )
    return {n: as_expression(result) for n, result in results.items()}


class Settings:
    """Stands for an object while a formula of it is traced: its numbers become symbols.

    Parameters
    ----------
    owner : object or None
        The object; None for one of which every attribute is a number.

    Attributes
    ----------
    used : tuple of str
        The numbers that were asked for, in their order.
    """

    def __init__(self, owner):
        self._owner = owner
        self.used = ()

    def __getattr__(self, name):
        if self._owner is not None:
            value = getattr(self._owner, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                return _rebound(value, self)
        if name not in self.used:
            self.used = (*self.used, name)
        return Scalar(name)


def _rebound(value, settings):
    """A method of the object is one of its stand-in; anything else is what it is."""
    return MethodType(value.__func__, settings) if inspect.ismethod(value) else value
