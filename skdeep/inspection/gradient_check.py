"""Checks of derivatives by central differences, for who writes a loss or an activation."""

import numpy as np

from skdeep.engine.program import ROWS, Buffer, Calls, Program, Scope
from skdeep.losses import Loss


def check_gradient(function, z=None, target=None, *, tolerance=1e-5):
    """Compare the derivative of a loss or an activation with central differences.

    Parameters
    ----------
    function : Loss or Activation
        What is checked.

    z : array-like of shape (n_samples, n_outputs) or None, default=None
        Where: raw outputs that are no kinks of the function. None for 20 numbers from -3
        to 3.

    target : array-like of shape (n_samples, n_outputs) or None, default=None
        A loss's targets; None for zeros and ones in turn, which are in the domain of any.

    tolerance : float, default=1e-5
        The largest difference that is taken for rounding, relative to the larger of 1 and
        the derivative.

    Raises
    ------
    ValueError
        Where they differ; it says where, and by how much.

    Examples
    --------
    >>> from skdeep.formulas import exp
    >>> from skdeep.inspection import check_gradient
    >>> from skdeep.layers import Activation
    >>> from skdeep.losses import Huber
    >>> check_gradient(Huber(delta=0.7))
    >>> check_gradient(Activation(lambda z: exp(-z * z)))
    >>> wrong = Activation(lambda z: exp(-z * z), slope=lambda z, out: -z * out)
    >>> try:
    ...     check_gradient(wrong, [[1.0]])
    ... except ValueError as error:
    ...     print(str(error).rpartition(", but ")[2])
    its value rises by -0.735759 for each unit of z.
    """
    z = np.linspace(-3, 3, 20)[:, np.newaxis] if z is None else np.asarray(z, np.float64)
    if target is None:
        target = np.indices(z.shape).sum(axis=0) % 2
    target = np.asarray(target, np.float64)
    gradient = _evaluate(function, target, z)[1]
    for column in range(z.shape[1]):
        step = np.zeros(z.shape)
        step[:, column] = 1e-6 * np.maximum(1, np.abs(z[:, column]))
        above = _evaluate(function, target, z + step)[0]
        below = _evaluate(function, target, z - step)[0]
        expected = (above - below) / (2 * step[:, column])
        error = np.abs(gradient[:, column] - expected)
        excess = error - tolerance * np.maximum(1, np.abs(expected))
        worst = np.argmax(np.where(np.isnan(excess), np.inf, excess))
        if not excess[worst] <= 0:
            raise ValueError(
                f"At z = {z[worst, column]:.6g}, target = {target[worst, column]:.6g} the "
                f"derivative of {function!r} is {gradient[worst, column]:.6g}, but its "
                f"value rises by {expected[worst]:.6g} for each unit of z."
            )


def _evaluate(function, target, z):
    """Each row's value, and the derivative with respect to each of its outputs."""
    if isinstance(function, Loss):
        return function.value(target, z), function.gradient(target, z)
    out, slope = _run(function, z)
    return out.sum(axis=1), slope


def _run(activation, z):
    """The outputs of an activation, and their derivatives."""
    calls, shape = Calls(), (ROWS, z.shape[1])
    scope = Scope("activation", calls)
    x = Buffer("z", shape, array=np.array(z))
    scope.reserve(x)
    out = activation.forward(scope, x)
    d_out = Buffer("d_out", shape, array=np.ones(z.shape))
    scope.reserve(d_out)
    d_z = activation.backward_input(scope, d_out)
    program = Program(calls, z.dtype)
    memory = program.allocate(len(z))
    program.bind(memory, len(z)).run()
    return memory[out], memory[d_z]
