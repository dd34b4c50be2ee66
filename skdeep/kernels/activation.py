"""The kernels of activation functions, from the formulas of `formulas/activations.py`.

A forward kernel computes ``out = f(z)``; a backward kernel computes
``d_z = d_out * f'(z)`` from whichever of ``z`` and ``out`` gives it most cheaply.
"""

from skdeep.kernels.formulas.activations import NAMED_ACTIVATIONS
from skdeep.kernels.runtime.formula_kernels import formula_kernel

__all__ = ["ACTIVATIONS"]

#: By name: the forward and the backward kernel. The identity has none: it emits no calls.
ACTIVATIONS = {
    name: tuple(map(formula_kernel, activation.formulas(name)))
    for name, activation in NAMED_ACTIVATIONS.items()
}
