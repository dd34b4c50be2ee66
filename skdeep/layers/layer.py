"""What a layer is: a small immutable description that writes kernel calls."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from skdeep.engine.program import Buffer, Scope
from skdeep.initializers import INITIALIZERS, Initializer
from skdeep.validation.named_parameters import NamedParameters


@dataclass(frozen=True)
class Parameter:
    """A trained array of a layer.

    Parameters
    ----------
    shape : tuple of int
        Its shape.

    initializer : Initializer
        How its values are drawn.

    decays : bool
        Whether weight decay acts on it: on kernels, not on biases, scales and shifts.
    """

    shape: tuple[int, ...]
    initializer: Initializer
    decays: bool


@dataclass(frozen=True)
class State:
    """An array of a layer that training keeps but no gradient reaches.

    Parameters
    ----------
    shape : tuple of int
        Its shape.

    initial : float or ndarray
        The value of every entry before training, or their values.
    """

    shape: tuple[int, ...]
    initial: float | np.ndarray


class Layer(NamedParameters, BaseEstimator):
    """Base of all layers.

    A layer is described by its constructor's parameters and never changes. It writes
    the calls of its forward pass with `forward` (training) and `infer` (prediction),
    and those of backpropagation with `backward_parameters`, then `backward_input`.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}
    _named_objects: ClassVar[dict[str, Any]] = {"kernel_initializer": INITIALIZERS}

    @property
    def is_random(self) -> bool:
        """Whether training computes something else at every step."""
        return False

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of one sample's output, from that of its input."""
        return input_shape

    def parameters(self, input_shape: tuple[int, ...]) -> dict[str, Parameter]:
        """The trained arrays: a dict from name to `Parameter`."""
        return {}

    def state(self, input_shape: tuple[int, ...]) -> dict[str, State]:
        """The arrays kept besides: a dict from name to `State`."""
        return {}

    def least_rows(self, input_shape: tuple[int, ...]) -> int:
        """The fewest rows of a batch that can be learned from."""
        return 1

    def frozen(self) -> "Layer":
        """A layer that does in training what this one does in prediction."""
        return self

    def with_plain_statistics(self) -> "Layer":
        """The layer with a state that weighs all batches alike, the first and the last."""
        return self

    def forward(self, scope: Scope, x: Buffer) -> Buffer:
        """Write the calls from the input `x` on in training; return the output buffer."""
        raise NotImplementedError(f"{type(self).__name__} must define forward.")

    def infer(self, scope: Scope, x: Buffer) -> Buffer:
        """Write the calls of prediction; return the output buffer."""
        return self.forward(scope, x)

    def backward_parameters(self, scope: Scope, d_out: Buffer) -> None:
        """Write the calls that compute the gradients of the parameters."""

    def backward_input(self, scope: Scope, d_out: Buffer) -> Buffer:
        """Write the calls of the gradient with respect to the input; return its buffer."""
        raise NotImplementedError(f"{type(self).__name__} must define backward_input.")
