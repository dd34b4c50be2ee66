"""What a trained network computes inside: outputs of layers, and gradients there.

Everything is as in prediction: nothing is dropped, and batch normalization uses what it
learned.
"""

import numpy as np

from skdeep.engine.inference import run_blocks
from skdeep.engine.program import ROWS, Buffer, Calls, Program


def output_shapes(network):
    """The shape of one sample's output of every layer.

    Parameters
    ----------
    network : Network
        The network.

    Returns
    -------
    shapes : dict of str to tuple of int
        By the names of the layers, those inside of others as ``outer.inner``.
    """
    calls = Calls(keeps_all=True)
    out = Buffer("x", (ROWS, *network.input_shape))
    for (_, layer), scope in zip(network.layers, network.scopes(calls), strict=True):
        out = calls.outputs[scope.name] = layer.infer(scope, out)
    return {name: tuple(out.shape[1:]) for name, out in calls.outputs.items()}


def output_gradients(network, x, name, d_z):
    """The outputs of a layer, and with respect to them the gradient of a sum of outputs.

    Parameters
    ----------
    network : Network
        The network.

    x : ndarray of shape (n_samples, ...)
        The inputs, as the network takes them.

    name : str
        The layer.

    d_z : ndarray of shape (n_samples, n_outputs)
        The factors of the network's raw outputs in the sum.

    Returns
    -------
    outputs, gradients : ndarray of shape (n_samples, ...)
    """
    _check_name(name, output_shapes(network))
    calls = Calls(keeps_all=True)
    source = out = Buffer("x", (ROWS, *network.input_shape))
    layers = [layer.frozen() for _, layer in network.layers]
    scopes = list(network.scopes(calls, gradient=np.zeros_like(network.parameters)))
    for layer, scope in zip(layers, scopes, strict=True):
        out = calls.outputs[scope.name] = layer.forward(scope, out)
    factors = d_out = Buffer("d_z", out.shape)
    for layer, scope in zip(layers[::-1], scopes[::-1], strict=True):
        calls.gradients[scope.name] = d_out
        if name in calls.gradients:
            break
        layer.backward_parameters(scope, d_out)
        if name in calls.gradients:
            break
        d_out = layer.backward_input(scope, d_out)
    wanted, d_out = calls.outputs[name], calls.gradients[name]
    outputs = np.empty((len(x), *wanted.shape[1:]), network.dtype)
    gradients = np.empty_like(outputs)
    program = Program(calls, network.dtype)
    for rows, arrays in run_blocks(program, {source: x, factors: d_z}):
        n = rows.stop - rows.start
        outputs[rows] = wanted.of(arrays[wanted.owner])[:n]
        gradients[rows] = d_out.of(arrays[d_out.owner])[:n]
    return outputs, gradients


def _check_name(name, names):
    if name not in names:
        raise ValueError(f"There is no layer {name!r}; there are {', '.join(names)}.")
