"""Losses: the loss of each row, and the gradient with respect to the network's outputs.

``z`` is the output of the last layer (for classifiers: the logits), ``weight`` holds
each row's share of the mean. A kernel writes ``losses``, one number a row, unweighted,
and ``d_z``, weighted, so that ``sum(weight * losses)`` is the mean loss and ``d_z`` is
its derivative. Those of independent outputs are formulas; see `formulas/`. They
take ``label_weight``, None or of shape (2, n_outputs): an output's loss is multiplied by
the first row, plus the second times its target.
"""

import inspect

import numpy as np
from scipy.special import xlogy

from skdeep.kernels.runtime.contract import compiled, kernel

__all__ = [
    "python_loss",
    "softmax_cross_entropy",
    "softmax_focal",
    "softmax_kl_divergence",
    "sum_losses",
]

_SCRATCH = ("norm", "work", "work_2", "work_3")
_SHAPES = {
    **dict.fromkeys(("z", "target", "d_z", *_SCRATCH), "rows outputs"),
    **dict.fromkeys(("weight", "losses", "norm"), "rows"),
    "gamma": "number",
}


def _loss(function):
    names = inspect.signature(function).parameters
    declare = compiled(
        "rows",
        writes="losses d_z",
        scratch=" ".join(name for name in names if name in _SCRATCH),
        **{name: _SHAPES[name] for name in names},
    )
    return declare(function)


@compiled(None, writes="total", losses="rows", weight="rows", total="float64: 1")
def sum_losses(losses, weight, total):
    """Add the batch's mean loss, times its rows, to the sum of the epoch."""
    total += losses.shape[0] * np.dot(losses, weight)


def python_loss(loss):
    """A kernel that asks a Python object for values and gradients; it may allocate."""

    shapes = {n: _SHAPES[n] for n in ("z", "target", "weight", "losses", "d_z")}

    @kernel("rows", writes="losses d_z", **shapes)
    def python_loss(z, target, weight, losses, d_z):
        losses[...] = _of_shape(loss.value(target, z), losses.shape, loss, "value")
        gradient = _of_shape(loss.gradient(target, z), z.shape, loss, "gradient")
        np.multiply(gradient, weight[:, np.newaxis], out=d_z)

    return python_loss


def _of_shape(result, shape, loss, method):
    if np.shape(result) != shape:
        per = "row" if method == "value" else "output"
        raise ValueError(
            f"{type(loss).__name__}.{method} must return a number for each {per}: an "
            f"array of shape {shape}, but it has the shape {np.shape(result)}."
        )
    return result


def _weigh(d_z, weight):
    np.multiply(d_z, weight[:, np.newaxis], out=d_z)


def _softmax_and_log(z, norm, work, p):
    """p = softmax(z) and work = log softmax(z), stable for logits of any size."""
    np.maximum.reduce(z, axis=1, out=norm)
    np.subtract(z, norm[:, np.newaxis], out=work)
    np.exp(work, out=p)
    np.add.reduce(p, axis=1, out=norm)
    np.divide(p, norm[:, np.newaxis], out=p)
    np.log(norm, out=norm)
    np.subtract(work, norm[:, np.newaxis], out=work)


# -sum target log p; d_z = p - target, for targets that sum to one
@_loss
def softmax_cross_entropy(z, target, weight, norm, work, losses, d_z):
    _softmax_and_log(z, norm, work, d_z)
    np.einsum("ij,ij->i", target, work, out=losses)
    np.negative(losses, out=losses)
    np.subtract(d_z, target, out=d_z)
    _weigh(d_z, weight)


# sum target log(target / p): the cross entropy less the entropy of the targets
@_loss
def softmax_kl_divergence(z, target, weight, norm, work, losses, d_z):
    softmax_cross_entropy(z, target, weight, norm, work, losses, d_z)
    xlogy(target, target, out=work)
    np.add.reduce(work, axis=1, out=norm)
    np.add(losses, norm, out=losses)


# Lin et al. 2017: -sum target (1 - p)^gamma log p. With
# g_k = p_k d loss / d p_k = target_k (1 - p_k)^gamma (gamma p_k log p_k / (1 - p_k) - 1)
# the softmax gives d_z = g - p sum(g).
@_loss
def softmax_focal(z, target, weight, gamma, norm, work, work_2, work_3, losses, d_z):
    log_p, p, rest, power = work, d_z, work_2, work_3
    _softmax_and_log(z, norm, log_p, p)
    np.expm1(log_p, out=rest)
    np.negative(rest, out=rest)
    np.power(rest, gamma, out=power)
    np.multiply(power, target, out=power)
    np.einsum("ij,ij->i", power, log_p, out=losses)
    np.negative(losses, out=losses)

    g = log_p
    np.multiply(g, p, out=g)
    np.multiply(g, gamma, out=g)
    np.maximum(rest, np.finfo(z.dtype).tiny, out=rest)
    np.divide(g, rest, out=g)
    np.subtract(g, 1, out=g)
    np.multiply(g, power, out=g)
    np.add.reduce(g, axis=1, out=norm)
    np.multiply(p, norm[:, np.newaxis], out=p)
    np.subtract(g, p, out=d_z)
    _weigh(d_z, weight)
