"""Activation layers."""

from sklearn.utils._param_validation import StrOptions

from skdeep import kernels
from skdeep.layers.layer import Layer

#: The names of all activation functions.
ACTIVATIONS = frozenset({"identity", *kernels.ACTIVATIONS})


class Activation(Layer):
    """A function of each input by itself.

    Parameters
    ----------
    function : {"identity", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", \
            "mish", "softplus", "hard_swish", "logistic", "tanh"}
        - ``"identity"``: z.
        - ``"relu"``: max(z, 0) (Nair and Hinton 2010).
        - ``"leaky_relu"``: z where z > 0, else 0.01 z (Maas et al. 2013).
        - ``"elu"``: z where z > 0, else exp(z) - 1 (Clevert et al. 2016).
        - ``"selu"``: 1.0507 (z where z > 0, else 1.6733 (exp(z) - 1)) (Klambauer et
          al. 2017).
        - ``"gelu"``: z times the normal distribution function at z (Hendrycks and
          Gimpel 2016).
        - ``"silu"``: z logistic(z), also called swish (Elfwing et al. 2018).
        - ``"mish"``: z tanh(softplus(z)) (Misra 2020).
        - ``"softplus"``: log(1 + exp(z)) (Dugas et al. 2001).
        - ``"hard_swish"``: z min(max(z + 3, 0), 6) / 6 (Howard et al. 2019).
        - ``"logistic"``: 1 / (1 + exp(-z)), the sigmoid.
        - ``"tanh"``: the hyperbolic tangent.

    Examples
    --------
    >>> from skdeep.layers import Activation
    >>> Activation("relu").output_shape((64,))
    (64,)
    """

    _parameter_constraints = {"function": [StrOptions(set(ACTIVATIONS))]}

    def __init__(self, function):
        self.function = function

    def forward(self, scope, x):
        if self.function == "identity":
            return x
        forward, backward = kernels.ACTIVATIONS[self.function]
        # Where the derivative can do without z, out takes its place: less memory moves.
        if forward.in_place and not scope.is_reserved(x):
            out = x
        else:
            out = scope.buffer("out", x.shape)
        read_back = {"z": x, "out": out}.keys() & set(backward.arguments)
        for name, buffer in (("z", x), ("out", out)):
            if name in read_back:
                scope.keep(name, buffer)
        scope.call(forward, z=x, out=out)
        return out

    def backward_input(self, scope, d_out):
        if self.function == "identity":
            return d_out
        _, backward = kernels.ACTIVATIONS[self.function]
        if backward.in_place and not scope.is_reserved(d_out):
            d_z = scope.rename("d_z", d_out)
        else:
            d_z = scope.buffer("d_z", d_out.shape)
        arguments = {
            name: scope[name] for name in ("z", "out") if name in backward.arguments
        }
        scope.call(backward, **arguments, d_out=d_out, d_z=d_z)
        return d_z
