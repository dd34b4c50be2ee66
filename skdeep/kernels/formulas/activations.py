"""The activation functions that an estimator knows by name: one entry adds one.

An entry is the function of ``z``, what `Activation`'s documentation says of it, and, where
that is cheaper or exacter than what is derived from the function, its derivative: of ``z``,
or of the function's value ``out``.
"""

from dataclasses import dataclass

from .expression import (
    exp,
    expm1_of_negative,
    logistic,
    maximum,
    minimum,
    normal_distribution,
    softplus,
    tanh,
    where,
)
from .formula import activation_formulas

# Klambauer et al. 2017, equation 14: the fixed point of mean 0 and variance 1.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
LEAKY_RELU_SLOPE = 0.01
ROOT_OF_TWO_PI = 2.5066282746310002


@dataclass(frozen=True)
class NamedActivation:
    """An activation function.

    Parameters
    ----------
    text : str
        The formula as documentation, with its source.

    function : callable
        Of ``z``.

    slope : callable or None, default=None
        The derivative, of ``z``, ``out`` or both; None to derive it.
    """

    text: str
    function: object
    slope: object = None

    def formulas(self, name):
        """The forward and the backward formula."""
        return activation_formulas(name, self.function, self.slope)


def _selu_slope(z):
    below = exp(minimum(z, 0)) * (SELU_ALPHA * SELU_SCALE)
    return where(z > 0, SELU_SCALE, below)


def _silu_slope(z, out):
    s = logistic(z)
    return s + out - s * out


def _mish_slope(z):
    t, w = tanh(softplus(z)), z * logistic(z)
    return w + t * (1 - w * t)


def _hard_swish_slope(z):
    return (minimum(maximum(z + 3, 0), 6) + where(abs(z) < 3, z, 0)) * (1 / 6)


#: By name; "identity" needs no formula.
NAMED_ACTIVATIONS = {
    "relu": NamedActivation(
        "max(z, 0) (Nair and Hinton 2010)",
        lambda z: maximum(z, 0),
        lambda out: where(out > 0, 1, 0),
    ),
    "relu6": NamedActivation(
        "min(max(z, 0), 6) (Krizhevsky 2010)", lambda z: minimum(maximum(z, 0), 6)
    ),
    "leaky_relu": NamedActivation(
        "z where z > 0, else 0.01 z (Maas et al. 2013)",
        lambda z: maximum(z, z * LEAKY_RELU_SLOPE),
        lambda out: where(out > 0, 1, LEAKY_RELU_SLOPE),
    ),
    "elu": NamedActivation(
        "z where z > 0, else exp(z) - 1 (Clevert et al. 2016)",
        lambda z: where(z > 0, z, expm1_of_negative(minimum(z, 0))),
        lambda out: minimum(out, 0) + 1,
    ),
    "selu": NamedActivation(
        "1.0507 (z where z > 0, else 1.6733 (exp(z) - 1)) (Klambauer et al. 2017)",
        lambda z: (
            (maximum(z, 0) + expm1_of_negative(minimum(z, 0)) * SELU_ALPHA) * SELU_SCALE
        ),
        _selu_slope,
    ),
    "gelu": NamedActivation(
        "z times the normal distribution function at z (Hendrycks and Gimpel 2016)",
        lambda z: z * normal_distribution(z),
        lambda z: normal_distribution(z) + z * exp(z * z * -0.5) * (1 / ROOT_OF_TWO_PI),
    ),
    "silu": NamedActivation(
        "z logistic(z), also called swish (Elfwing et al. 2018)",
        lambda z: z * logistic(z),
        _silu_slope,
    ),
    "mish": NamedActivation(
        "z tanh(softplus(z)) (Misra 2020)", lambda z: z * tanh(softplus(z)), _mish_slope
    ),
    "softplus": NamedActivation(
        "log(1 + exp(z)) (Dugas et al. 2001)",
        softplus,
        lambda out: -expm1_of_negative(-out),
    ),
    "hard_swish": NamedActivation(
        "z min(max(z + 3, 0), 6) / 6 (Howard et al. 2019)",
        lambda z: z * minimum(maximum(z + 3, 0), 6) * (1 / 6),
        _hard_swish_slope,
    ),
    "logistic": NamedActivation(
        "1 / (1 + exp(-z)), the sigmoid", logistic, lambda out: (1 - out) * out
    ),
    "tanh": NamedActivation("the hyperbolic tangent", tanh, lambda out: 1 - out * out),
}
