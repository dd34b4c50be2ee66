"""Losses: the loss of each row, and the gradient with respect to the network's outputs.

``z`` is the output of the last layer (for classifiers: the logits), ``weight`` holds
each row's share of the mean. A kernel writes ``losses``, one number a row, unweighted,
and ``d_z``, weighted, so that ``sum(weight * losses)`` is the mean loss and ``d_z`` is
its derivative. With several independent outputs, a row's loss is the mean over them.

Losses of labels take ``label_weight``, None or of shape (2, n_outputs): an output's loss
is multiplied by the first row, plus the second times its target.
"""

import inspect
import math

import numpy as np
from scipy.special import expit, xlogy

from skdeep.kernels.reference.contract import compiled, kernel

_SCRATCH = ("norm", "work", "work_2", "work_3", "work_4", "work_5", "mask")
_SHAPES = {
    **dict.fromkeys(("z", "target", "d_z", *_SCRATCH), "rows outputs"),
    **dict.fromkeys(("weight", "losses", "norm"), "rows"),
    **dict.fromkeys(("gamma", "delta", "quantile"), "number"),
    "label_weight": "2 outputs",
    "mask": "bool: rows outputs",
}


def _loss(function):
    names = inspect.signature(function).parameters
    declare = compiled(
        "rows",
        writes="losses d_z",
        scratch=" ".join(name for name in names if name in _SCRATCH),
        optional="label_weight",
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


def _weigh_labels(values, target, label_weight, factor):
    """Multiply each output by the weight of its label."""
    if label_weight is not None:
        np.multiply(target, label_weight[1], out=factor)
        np.add(factor, label_weight[0], out=factor)
        np.multiply(values, factor, out=values)


def _mean_over_outputs(values, losses):
    np.add.reduce(values, axis=1, out=losses)
    np.multiply(losses, 1 / values.shape[1], out=losses)


# --- classification ---------------------------------------------------------------


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


# log(1 + exp(z)) - target z; d_z = logistic(z) - target
@_loss
def sigmoid_cross_entropy(z, target, weight, label_weight, work, work_2, losses, d_z):
    np.logaddexp(z, 0, out=work)
    np.multiply(target, z, out=d_z)
    np.subtract(work, d_z, out=work)
    _weigh_labels(work, target, label_weight, work_2)
    _mean_over_outputs(work, losses)
    expit(z, out=d_z)
    np.subtract(d_z, target, out=d_z)
    _weigh_labels(d_z, target, label_weight, work_2)
    np.multiply(d_z, 1 / z.shape[1], out=d_z)
    _weigh(d_z, weight)


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


# With p = logistic(z), q = 1 - p:
# loss = target q^gamma (-log p) + (1 - target) p^gamma (-log q)
# d_z = -target q^gamma (gamma p (-log p) + q) + (1 - target) p^gamma (gamma q (-log q) + p)
@_loss
def sigmoid_focal(
    z,
    target,
    weight,
    gamma,
    label_weight,
    norm,
    work,
    work_2,
    work_3,
    work_4,
    work_5,
    losses,
    d_z,
):
    p, q, power, surprise = work, work_2, work_3, work_4
    expit(z, out=p)
    np.negative(z, out=q)
    np.logaddexp(q, 0, out=surprise)
    expit(q, out=q)
    np.power(q, gamma, out=power)
    np.multiply(power, target, out=power)
    _weigh_labels(power, target, label_weight, work_5)
    np.einsum("ij,ij->i", power, surprise, out=losses)
    np.multiply(surprise, p, out=surprise)
    np.multiply(surprise, gamma, out=surprise)
    np.add(surprise, q, out=surprise)
    np.multiply(surprise, power, out=surprise)
    np.negative(surprise, out=d_z)

    np.power(p, gamma, out=power)
    np.multiply(power, target, out=surprise)
    np.subtract(power, surprise, out=power)
    _weigh_labels(power, target, label_weight, work_5)
    np.logaddexp(z, 0, out=surprise)
    np.multiply(q, gamma, out=q)
    np.multiply(q, surprise, out=q)
    np.add(q, p, out=q)
    np.multiply(q, power, out=q)
    np.add(d_z, q, out=d_z)
    np.multiply(surprise, power, out=surprise)
    np.add.reduce(surprise, axis=1, out=norm)
    np.add(losses, norm, out=losses)

    np.multiply(losses, 1 / z.shape[1], out=losses)
    np.multiply(d_z, 1 / z.shape[1], out=d_z)
    _weigh(d_z, weight)


# max(0, 1 - s z) with s = 2 target - 1, one class against the rest
@_loss
def hinge(z, target, weight, label_weight, work, work_2, mask, losses, d_z):
    sign, margin = d_z, work
    np.multiply(target, 2, out=sign)
    np.subtract(sign, 1, out=sign)
    np.multiply(sign, z, out=margin)
    np.subtract(1, margin, out=margin)
    np.maximum(margin, 0, out=margin)
    np.greater(margin, 0, out=mask)
    _weigh_labels(margin, target, label_weight, work_2)
    _mean_over_outputs(margin, losses)
    np.copyto(margin, mask)
    np.multiply(sign, margin, out=d_z)
    _weigh_labels(d_z, target, label_weight, work_2)
    np.multiply(d_z, -1 / z.shape[1], out=d_z)
    _weigh(d_z, weight)


# max(0, 1 - s z)^2
@_loss
def squared_hinge(z, target, weight, label_weight, work, work_2, losses, d_z):
    sign, margin = d_z, work
    np.multiply(target, 2, out=sign)
    np.subtract(sign, 1, out=sign)
    np.multiply(sign, z, out=margin)
    np.subtract(1, margin, out=margin)
    np.maximum(margin, 0, out=margin)
    np.multiply(sign, margin, out=d_z)
    np.multiply(d_z, -2 / z.shape[1], out=d_z)
    np.multiply(margin, margin, out=margin)
    _weigh_labels(margin, target, label_weight, work_2)
    _weigh_labels(d_z, target, label_weight, work_2)
    _mean_over_outputs(margin, losses)
    _weigh(d_z, weight)


# --- regression: each in terms of the error e = z - target ------------------------


# e^2 / 2
@_loss
def squared_error(z, target, weight, losses, d_z):
    np.subtract(z, target, out=d_z)
    np.einsum("ij,ij->i", d_z, d_z, out=losses)
    np.multiply(losses, 0.5 / z.shape[1], out=losses)
    np.multiply(d_z, 1 / z.shape[1], out=d_z)
    _weigh(d_z, weight)


# |e|
@_loss
def absolute_error(z, target, weight, work, losses, d_z):
    np.subtract(z, target, out=d_z)
    np.absolute(d_z, out=work)
    _mean_over_outputs(work, losses)
    np.sign(d_z, out=d_z)
    np.multiply(d_z, 1 / z.shape[1], out=d_z)
    _weigh(d_z, weight)


# Huber 1964: e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2). With c the error
# cut to [-delta, delta], both are c (e - c / 2), and the derivative is c.
@_loss
def huber(z, target, weight, delta, work, work_2, losses, d_z):
    error, cut = work, d_z
    np.subtract(z, target, out=error)
    np.minimum(error, delta, out=cut)
    np.maximum(cut, -delta, out=cut)
    np.multiply(cut, 0.5, out=work_2)
    np.subtract(error, work_2, out=error)
    np.multiply(error, cut, out=error)
    _mean_over_outputs(error, losses)
    np.multiply(cut, 1 / z.shape[1], out=d_z)
    _weigh(d_z, weight)


# log(cosh(e)) = |e| + log(1 + exp(-2 |e|)) - log 2, with derivative tanh(e)
@_loss
def log_cosh(z, target, weight, work, work_2, losses, d_z):
    np.subtract(z, target, out=d_z)
    np.absolute(d_z, out=work)
    np.multiply(work, -2, out=work_2)
    np.exp(work_2, out=work_2)
    np.log1p(work_2, out=work_2)
    np.add(work, work_2, out=work)
    np.subtract(work, math.log(2), out=work)
    _mean_over_outputs(work, losses)
    np.tanh(d_z, out=d_z)
    np.multiply(d_z, 1 / z.shape[1], out=d_z)
    _weigh(d_z, weight)


# Koenker and Bassett 1978: quantile (-e) where e < 0, else (1 - quantile) e.
# Both are (sign(e) / 2 + 1 / 2 - quantile) e.
@_loss
def quantile(z, target, weight, quantile, work, losses, d_z):
    np.subtract(z, target, out=work)
    np.sign(work, out=d_z)
    np.multiply(d_z, 0.5, out=d_z)
    np.add(d_z, 0.5 - quantile, out=d_z)
    np.multiply(work, d_z, out=work)
    _mean_over_outputs(work, losses)
    np.multiply(d_z, 1 / z.shape[1], out=d_z)
    _weigh(d_z, weight)


# half the Poisson deviance, with mean exp(z):
# exp(z) - target z + target log target - target
@_loss
def poisson(z, target, weight, work, work_2, losses, d_z):
    np.exp(z, out=d_z)
    xlogy(target, target, out=work)
    np.subtract(work, target, out=work)
    np.add(work, d_z, out=work)
    np.multiply(target, z, out=work_2)
    np.subtract(work, work_2, out=work)
    _mean_over_outputs(work, losses)
    np.subtract(d_z, target, out=d_z)
    np.multiply(d_z, 1 / z.shape[1], out=d_z)
    _weigh(d_z, weight)
