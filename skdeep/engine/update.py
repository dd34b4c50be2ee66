"""The end of a training step: from the gradient to new weights.

Clipping, then the penalties' part of the gradient, the optimizer's step, the limit of
norms, and the average of the weights.
"""

from dataclasses import dataclass

import numpy as np

from skdeep import kernels
from skdeep.engine.program import Buffer, Scope


@dataclass(frozen=True)
class Settings:
    """What acts on gradients and weights besides the optimizer.

    Parameters
    ----------
    weight_decay : float, default=0.0
        The factor of the L2 penalty, or the rate of decoupled decay.

    l1_penalty : float, default=0.0
        The factor of the L1 penalty.

    max_norm : float or None, default=None
        The largest norm of the weights into a unit.

    gradient_clip_norm : float or None, default=None
        The largest norm of the whole gradient.

    gradient_clip_value : float or None, default=None
        The largest absolute value of each of its entries.

    weight_averaging : WeightAveraging or None, default=None
        Which average of the weights is kept beside them.
    """

    weight_decay: float = 0.0
    l1_penalty: float = 0.0
    max_norm: float | None = None
    gradient_clip_norm: float | None = None
    gradient_clip_value: float | None = None
    weight_averaging: object = None


@dataclass(frozen=True)
class Weights:
    """What an update changes.

    Parameters
    ----------
    parameters : ndarray of shape (n_parameters,)
        All parameters; those that weight decay acts on come first.

    n_decayed : int
        How many these are.

    kernels : dict of str to ndarray
        They by name, in their shapes; the last axis is that of the units.
    """

    parameters: np.ndarray
    n_decayed: int
    kernels: dict


def write_update(calls, training, weights, optimizer, settings, memory):
    """Write the calls that make new weights of the gradient.

    Parameters
    ----------
    calls : Calls
        The program so far.

    training : TrainingStep
        What every part of a training step may read.

    weights : Weights
        What is changed.

    optimizer : Optimizer
        Makes the step.

    settings : Settings
        What else acts on gradient and weights.

    memory : StepMemory
        The gradient, the optimizer's state and the average.
    """
    state = {name: _buffer(name, array) for name, array in memory.optimizer_state.items()}
    scope = Scope("optimizer", calls, training, state=state)
    parameters = _buffer("parameters", weights.parameters)
    gradient = _buffer("gradient", memory.gradient)
    _write_clipping(scope, settings, gradient)
    n, decoupled = weights.n_decayed, optimizer.decoupled_weight_decay
    decayed = _buffer("kernels", weights.parameters[:n])
    d_decayed = _buffer("d_kernels", memory.gradient[:n])
    _write_penalties(scope, settings, decayed, d_decayed, decoupled)
    optimizer.step(
        _counting_from(scope, memory.steps_before_optimizer), parameters, gradient
    )
    if settings.max_norm is not None:
        _write_norm_limits(scope, float(settings.max_norm), weights.kernels)
    if memory.average is not None:
        average = _buffer("average", memory.average)
        settings.weight_averaging.step(scope, parameters, average)


def _counting_from(scope, before):
    """The scope of an optimizer whose first step came after so many of others."""
    if not before:
        return scope
    count = scope.buffer("count", (1,), np.int64)
    scope.call(
        kernels.count_steps, count=count, step=scope.training.step, before=float(before)
    )
    return scope.counting(count)


def _write_clipping(scope, settings, gradient):
    if settings.gradient_clip_value is not None:
        limit = float(settings.gradient_clip_value)
        scope.call(kernels.clip_by_value, gradient=gradient, limit=limit)
    if settings.gradient_clip_norm is not None:
        limit = float(settings.gradient_clip_norm)
        scope.call(kernels.clip_by_norm, gradient=gradient, max_norm=limit)


def _write_penalties(scope, settings, parameters, gradient, decoupled):
    vectors = {"parameters": parameters, "gradient": gradient}
    if settings.l1_penalty:
        rate = float(settings.l1_penalty)
        scope.call(kernels.add_l1_penalty, **vectors, rate=rate)
    if not settings.weight_decay:
        return
    rate = float(settings.weight_decay)
    if decoupled:
        scope.call(
            kernels.decay_parameters,
            parameters=parameters,
            learning_rate=scope.training.learning_rate,
            rate=rate,
        )
    else:
        scope.call(kernels.add_weight_decay, **vectors, rate=rate)


def _write_norm_limits(scope, max_norm, decayed):
    for name, kernel in decayed.items():
        # the last axis is that of the units, whatever shape a kernel has
        weights = kernel.reshape(-1, kernel.shape[-1])
        scope.call(
            kernels.limit_unit_norms, kernel=_buffer(name, weights), max_norm=max_norm
        )


def _buffer(name, array):
    return Buffer(name, array.shape, array=array)
