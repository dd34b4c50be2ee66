"""NumPy kernels that come from formulas."""

import inspect
import linecache
import math
from functools import lru_cache

import numpy as np
from scipy.special import expit, ndtr, xlogy

from skdeep.kernels.formulas.formula import (
    activation_formulas,
    loss_formula,
    step_formula,
)
from skdeep.kernels.formulas.numpy_source import calls
from skdeep.kernels.formulas.register_machine import fits, machine_code
from skdeep.kernels.formulas.sources import kernel_name
from skdeep.kernels.runtime import native
from skdeep.kernels.runtime.contract import COMPILED, kernel

__all__ = ["activation_kernels", "formula_kernel", "loss_kernel", "step_kernel"]

# What the written functions call.
_NAMES = {"np": np, "math": math, "expit": expit, "ndtr": ndtr, "xlogy": xlogy}
_AXES = {"rows": "rows ...", "parameters": "parameters", "loss": "rows outputs"}
_AXIS = {"rows": "rows", "parameters": "parameters", "loss": "rows"}
# An operation of the compiled executor has so many arguments, two of them the code.
_MOST_ARGUMENTS = 14
_COMPILED_NAMES = frozenset(native.extension.kernel_names() if native.extension else ())


class MachineCode:
    """What the compiled register machine needs to run a kernel's formula.

    Parameters
    ----------
    formula : Formula
        What the kernel computes.
    """

    def __init__(self, formula):
        code, constants = machine_code(formula)
        self.fits = fits(code)
        self.name = f"formula_{formula.kind}"
        self.code = np.array(code, dtype=np.int32)
        self.constants = np.array([*constants, 0.0])


def activation_kernels(name, function, slope=None):
    """The forward and the backward kernel of an activation; see `activation_formulas`."""
    return tuple(map(formula_kernel, activation_formulas(name, function, slope)))


def loss_kernel(loss):
    """The kernel of a loss that has a `formula`."""
    return _kernel_of(loss, loss_formula, "")


def step_kernel(optimizer):
    """The kernel of an optimizer that has a `formula`."""
    return _kernel_of(optimizer, step_formula, "_step")


def _kernel_of(owner, make, suffix):
    method = owner.formula
    if not inspect.ismethod(method):
        raise TypeError(
            f"The formula of {type(owner).__name__} must be a method, not {method!r}."
        )
    name = kernel_name(method.__qualname__, suffix)
    # traced anew each time, as it may use numbers that are not attributes
    return formula_kernel(make(name, method.__func__, owner))


def formula_kernel(formula):
    """The kernel of a formula, the same for equal ones.

    The extension has it compiled where it was known when the package was built; its
    register machine runs any other.

    Parameters
    ----------
    formula : Formula
        What it computes.

    Returns
    -------
    kernel : callable
    """
    return _formula_kernel(_Key(formula))


class _Key:
    """A formula, equal to those that compute the same of the same arguments."""

    def __init__(self, formula):
        self.formula = formula
        self._parts = (
            formula.name,
            formula.kind,
            formula.reads,
            tuple(formula.cells.items()),
            formula.settings,
            tuple(formula.results.items()),  # of equal expressions there is only one
            formula.same,
        )

    def __hash__(self):
        return hash(self._parts)

    def __eq__(self, other):
        return self._parts == other._parts


@lru_cache(maxsize=1 << 10)
def _formula_kernel(key):
    formula = key.formula
    made = _declared(formula)
    if formula.symbol in _COMPILED_NAMES:
        COMPILED[made] = formula.symbol
    elif len(made.passed) <= _MOST_ARGUMENTS:
        code = MachineCode(formula)
        made.machine = code if code.fits else None
    return made


def _declared(formula):
    """The NumPy kernel."""
    consumed = ("gradient",) if formula.kind == "parameters" else ()
    consumed = tuple(name for name in consumed if name in formula.reads)
    lines, scratch = calls(formula.results, formula.cells, consumed, formula.same)
    if formula.kind == "loss":
        scratch = [*scratch, "loss"]
        lines += _MEAN_OVER_OUTPUTS
        if "work" not in scratch:
            scratch.append("work")
    axes = _AXES[formula.kind]
    shapes = dict.fromkeys((*formula.reads, *formula.writes, *scratch), axes)
    shapes |= {name: f"bool: {axes}" for name in scratch if name.startswith("mask")}
    shapes |= dict.fromkeys(formula.settings, "number")
    shapes |= {name: f"{kind}: 1" for name, kind in formula.cells.items()}
    if formula.kind == "loss":
        shapes |= dict.fromkeys(("weight", "losses"), "rows")
        shapes["label_weight"] = "2 outputs"
    function = _function(formula, (*formula.arguments, *scratch), lines)
    function.formula = formula
    return kernel(
        _AXIS[formula.kind],
        writes=" ".join({*formula.writes, *consumed}),
        scratch=" ".join(scratch),
        optional="label_weight" if formula.kind == "loss" else "",
        in_place=bool(formula.same),
        **shapes,
    )(function)


_MEAN_OVER_OUTPUTS = [
    "if label_weight is not None:",
    "    np.multiply(target, label_weight[1], out=work)",
    "    np.add(work, label_weight[0], out=work)",
    "    np.multiply(loss, work, out=loss)",
    "    np.multiply(d_z, work, out=d_z)",
    "share = 1 / z.shape[1]",
    "np.add.reduce(loss, axis=1, out=losses)",
    "np.multiply(losses, share, out=losses)",
    "np.multiply(d_z, share, out=d_z)",
    "np.multiply(d_z, weight[:, np.newaxis], out=d_z)",
]


def _function(formula, arguments, lines):
    """A function of some lines, whose source debuggers and tracebacks find."""
    body = "".join(f"    {line}\n" for line in lines)
    source = f"def kernel({', '.join(arguments)}):\n{body}"
    place = f"<formula {formula.symbol}>"
    linecache.cache[place] = len(source), None, source.splitlines(True), place
    namespace = dict(_NAMES)
    exec(compile(source, place, "exec"), namespace)
    function = namespace["kernel"]
    function.__name__ = function.__qualname__ = formula.name
    return function
