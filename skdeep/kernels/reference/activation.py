"""Activation functions, each with its derivative beside it.

A forward kernel computes ``out = f(z)``; a backward kernel computes
``d_z = d_out * f'(z)`` from whichever of ``z`` and ``out`` gives it most cheaply.
To add an activation, write the two kernels and a line of `ACTIVATIONS`.
"""

import inspect
import math

import numpy as np
from scipy.special import expit, ndtr

from skdeep.kernels.reference.contract import compiled

# Klambauer et al. 2017, equation 14: the fixed point of mean 0 and variance 1.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
LEAKY_RELU_SLOPE = 0.01


def _activation(writes, in_place=False):
    """Declare a kernel whose arrays are all of one shape."""

    def declare(function):
        names = inspect.signature(function).parameters
        shapes = dict.fromkeys(names, "rows ...")
        if "mask" in names:
            shapes["mask"] = "bool: rows ..."
        scratch = " ".join({"work", "mask"} & names.keys())
        return compiled(
            "rows", writes=writes, scratch=scratch, in_place=in_place, **shapes
        )(function)

    return declare


def _forward(in_place):
    return _activation("out", in_place)


def _backward_kernel(in_place):
    return _activation("d_z", in_place)


_backward = _backward_kernel(in_place=False)


# max(z, 0)
@_forward(in_place=True)
def relu_forward(z, out):
    np.maximum(z, 0, out=out)


@_backward_kernel(in_place=True)
def relu_backward(out, d_out, mask, d_z):
    np.greater(out, 0, out=mask)
    np.multiply(d_out, mask, out=d_z)


# z where z > 0, else slope * z
@_forward(in_place=False)
def leaky_relu_forward(z, out):
    np.multiply(z, LEAKY_RELU_SLOPE, out=out)
    np.maximum(z, out, out=out)


@_backward
def leaky_relu_backward(out, d_out, mask, d_z):
    np.greater(out, 0, out=mask)
    np.copyto(d_z, mask)
    np.multiply(d_z, 1 - LEAKY_RELU_SLOPE, out=d_z)
    np.add(d_z, LEAKY_RELU_SLOPE, out=d_z)
    np.multiply(d_z, d_out, out=d_z)


# 1 / (1 + exp(-z))
@_forward(in_place=True)
def logistic_forward(z, out):
    expit(z, out=out)


@_backward
def logistic_backward(out, d_out, d_z):
    np.subtract(1, out, out=d_z)
    np.multiply(d_z, out, out=d_z)
    np.multiply(d_z, d_out, out=d_z)


# tanh(z), with derivative 1 - tanh(z)^2
@_forward(in_place=True)
def tanh_forward(z, out):
    np.tanh(z, out=out)


@_backward
def tanh_backward(out, d_out, d_z):
    np.multiply(out, out, out=d_z)
    np.subtract(1, d_z, out=d_z)
    np.multiply(d_z, d_out, out=d_z)


# z where z > 0, else exp(z) - 1; the second is never below z
@_forward(in_place=False)
def elu_forward(z, out):
    np.minimum(z, 0, out=out)
    np.expm1(out, out=out)
    np.maximum(z, out, out=out)


@_backward
def elu_backward(out, d_out, d_z):
    np.minimum(out, 0, out=d_z)
    np.add(d_z, 1, out=d_z)
    np.multiply(d_z, d_out, out=d_z)


# scale * (z where z > 0, else alpha * (exp(z) - 1))
@_forward(in_place=False)
def selu_forward(z, work, out):
    np.minimum(z, 0, out=out)
    np.expm1(out, out=out)
    np.multiply(out, SELU_ALPHA, out=out)
    np.maximum(z, 0, out=work)
    np.add(out, work, out=out)
    np.multiply(out, SELU_SCALE, out=out)


@_backward
def selu_backward(z, d_out, work, mask, d_z):
    np.minimum(z, 0, out=d_z)
    np.exp(d_z, out=d_z)
    np.multiply(d_z, SELU_ALPHA * SELU_SCALE, out=d_z)
    # where z > 0 the line above left alpha * scale: correct it to scale
    np.greater(z, 0, out=mask)
    np.copyto(work, mask)
    np.multiply(work, SELU_SCALE * (1 - SELU_ALPHA), out=work)
    np.add(d_z, work, out=d_z)
    np.multiply(d_z, d_out, out=d_z)


# z * Phi(z), with Phi the normal distribution function
@_forward(in_place=False)
def gelu_forward(z, out):
    ndtr(z, out=out)
    np.multiply(z, out, out=out)


@_backward
def gelu_backward(z, d_out, work, d_z):
    np.multiply(z, z, out=work)
    np.multiply(work, -0.5, out=work)
    np.exp(work, out=work)
    np.multiply(work, z, out=work)
    np.multiply(work, 1 / math.sqrt(2 * math.pi), out=work)
    ndtr(z, out=d_z)
    np.add(d_z, work, out=d_z)
    np.multiply(d_z, d_out, out=d_z)


# z * s with s = logistic(z); derivative s + z s (1 - s) = s + out - s out
@_forward(in_place=False)
def silu_forward(z, out):
    expit(z, out=out)
    np.multiply(z, out, out=out)


@_backward
def silu_backward(z, out, d_out, work, d_z):
    expit(z, out=d_z)
    np.multiply(d_z, out, out=work)
    np.add(d_z, out, out=d_z)
    np.subtract(d_z, work, out=d_z)
    np.multiply(d_z, d_out, out=d_z)


# z * t with t = tanh(softplus(z)); derivative t + w (1 - t^2) = w + t (1 - w t)
# with w = z * logistic(z)
@_forward(in_place=False)
def mish_forward(z, out):
    np.logaddexp(z, 0, out=out)
    np.tanh(out, out=out)
    np.multiply(z, out, out=out)


@_backward
def mish_backward(z, d_out, work, d_z):
    np.logaddexp(z, 0, out=d_z)
    np.tanh(d_z, out=d_z)
    expit(z, out=work)
    np.multiply(work, z, out=work)
    np.multiply(work, d_z, out=work)
    np.subtract(1, work, out=work)
    np.multiply(d_z, work, out=d_z)
    expit(z, out=work)
    np.multiply(work, z, out=work)
    np.add(d_z, work, out=d_z)
    np.multiply(d_z, d_out, out=d_z)


# log(1 + exp(z)), with derivative logistic(z) = 1 - exp(-out)
@_forward(in_place=True)
def softplus_forward(z, out):
    np.logaddexp(z, 0, out=out)


@_backward
def softplus_backward(out, d_out, d_z):
    np.negative(out, out=d_z)
    np.expm1(d_z, out=d_z)
    np.multiply(d_z, d_out, out=d_z)
    np.negative(d_z, out=d_z)


# z * r / 6 with r = min(max(z + 3, 0), 6); derivative r / 6, plus z / 6 where |z| < 3
@_forward(in_place=False)
def hard_swish_forward(z, out):
    np.add(z, 3, out=out)
    np.maximum(out, 0, out=out)
    np.minimum(out, 6, out=out)
    np.multiply(out, 1 / 6, out=out)
    np.multiply(z, out, out=out)


@_backward
def hard_swish_backward(z, d_out, work, mask, d_z):
    np.absolute(z, out=work)
    np.less(work, 3, out=mask)
    np.copyto(work, mask)
    np.multiply(work, z, out=work)
    np.add(z, 3, out=d_z)
    np.maximum(d_z, 0, out=d_z)
    np.minimum(d_z, 6, out=d_z)
    np.add(d_z, work, out=d_z)
    np.multiply(d_z, 1 / 6, out=d_z)
    np.multiply(d_z, d_out, out=d_z)


# The identity has no kernels: it emits no calls.
ACTIVATIONS = {
    "elu": (elu_forward, elu_backward),
    "gelu": (gelu_forward, gelu_backward),
    "hard_swish": (hard_swish_forward, hard_swish_backward),
    "leaky_relu": (leaky_relu_forward, leaky_relu_backward),
    "logistic": (logistic_forward, logistic_backward),
    "mish": (mish_forward, mish_backward),
    "relu": (relu_forward, relu_backward),
    "selu": (selu_forward, selu_backward),
    "silu": (silu_forward, silu_backward),
    "softplus": (softplus_forward, softplus_backward),
    "tanh": (tanh_forward, tanh_backward),
}
