"""Activation layers: a function of each input by itself."""

from sklearn.utils._param_validation import StrOptions

from skdeep import kernels
from skdeep.kernels.formulas.activations import NAMED_ACTIVATIONS
from skdeep.layers.layer import Layer

__all__ = ["Activation"]

#: The names of all activation functions.
ACTIVATIONS = frozenset({"identity", *NAMED_ACTIVATIONS})


class Activation(Layer):
    """A function of each input by itself.

    Parameters
    ----------
    function : str or callable
        A formula of ``z``, such as ``lambda z: z * logistic(z)``: it is called with a
        symbol, is made of arithmetic and of the functions in `skdeep.formulas`, and
        runs compiled. Or the name of one:

        {names}

    slope : callable or None, default=None
        The derivative of the formula: a formula of ``z``, of the result ``out``, or of
        both; None to derive it.

    Examples
    --------
    >>> from skdeep import MLPClassifier
    >>> from skdeep.formulas import exp
    >>> from skdeep.layers import Activation
    >>> Activation("relu").output_shape((64,))
    (64,)
    >>> model = MLPClassifier(activation=Activation(lambda z: exp(-z * z)))
    """

    _parameter_constraints = {
        "function": [StrOptions(set(ACTIVATIONS)), callable],
        "slope": [callable, None],
    }

    def __init__(self, function, slope=None):
        self.function = function
        self.slope = slope

    @property
    def name(self):
        """What the function is called."""
        if isinstance(self.function, str):
            return self.function
        name = getattr(self.function, "__name__", "")
        return name if name.isidentifier() else "activation"

    @property
    def _kernels(self):
        """The kernels of the way forward and back."""
        if isinstance(self.function, str):
            return kernels.ACTIVATIONS[self.function]
        return kernels.activation_kernels(self.name, self.function, self.slope)

    def forward(self, scope, x):
        if self.function == "identity":
            return x
        forward, backward = self._kernels
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
        _, backward = self._kernels
        if backward.in_place and not scope.is_reserved(d_out):
            d_z = scope.rename("d_z", d_out)
        else:
            d_z = scope.buffer("d_z", d_out.shape)
        arguments = {
            name: scope[name] for name in ("z", "out") if name in backward.arguments
        }
        scope.call(backward, **arguments, d_out=d_out, d_z=d_z)
        return d_z


def _list_of_names():
    texts = {"identity": "z"} | {n: a.text for n, a in NAMED_ACTIVATIONS.items()}
    items = (f'- ``"{name}"``: {text}.' for name, text in texts.items())
    return "\n        ".join(items)


if Activation.__doc__ is not None:  # python -OO
    Activation.__doc__ = Activation.__doc__.replace("{names}", _list_of_names())


def activation_name(activation):
    """The name of an activation that is one, or a layer."""
    return activation if isinstance(activation, str) else activation.name


def activation_layers(activation, number):
    """The (name, layer) pairs of an activation, which may be a name or a layer."""
    if isinstance(activation, str):
        activation = Activation(activation)
    activation._validate_params()
    name = activation.name
    return [] if name == "identity" else [(f"{name}_{number}", activation)]
