"""Activation layers: a function of each input by itself."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skdeep import kernels
from skdeep.initializers import Constant
from skdeep.kernels import compiled
from skdeep.kernels.formulas.activations import NAMED_ACTIVATIONS
from skdeep.layers.layer import Layer, Parameter
from skdeep.layers.window import by_place

__all__ = ["Activation", "PReLU"]

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


@compiled(
    "rows",
    writes="out",
    scratch="mask",
    z="rows ... channels",
    slope="channels",
    out="rows ... channels",
    mask="bool: rows ... channels",
)
def prelu_forward(z, slope, out, mask):
    """out = z where z > 0, else z times the channel's slope."""
    np.greater(z, 0, out=mask)
    np.multiply(z, slope, out=out)
    np.copyto(out, z, where=mask)


@compiled(
    "rows",
    writes="d_z",
    scratch="mask",
    z="rows ... channels",
    slope="channels",
    d_out="rows ... channels",
    d_z="rows ... channels",
    mask="bool: rows ... channels",
)
def prelu_backward_input(z, slope, d_out, d_z, mask):
    np.greater(z, 0, out=mask)
    np.multiply(d_out, slope, out=d_z)
    np.copyto(d_z, d_out, where=mask)


@compiled(
    None,
    writes="d_slope",
    scratch="work",
    compiled_axis="channels",
    z="rows ... channels",
    d_out="rows ... channels",
    d_slope="channels",
    work="rows ... channels",
)
def prelu_backward_slope(z, d_out, d_slope, work):
    np.minimum(z, 0, out=work)
    np.multiply(work, d_out, out=work)
    np.add.reduce(work.reshape(-1, work.shape[-1]), axis=0, out=d_slope)


class PReLU(Layer):
    """z where z > 0, else a z, with a slope a for each channel that is trained.

    Of inputs without places, each feature has a slope of its own. Weight decay does not
    act on the slopes: it would make them those of a ReLU.

    Parameters
    ----------
    initial_slope : float, default=0.25
        The slopes before training.

    References
    ----------
    He, Zhang, Ren and Sun (2015). "Delving deep into rectifiers: surpassing human-level
    performance on ImageNet classification". ICCV.

    Examples
    --------
    >>> from skdeep import MLPClassifier
    >>> from skdeep.layers import PReLU
    >>> PReLU().parameters((28, 28, 10))["slope"].shape
    (10,)
    >>> model = MLPClassifier(activation=PReLU())
    """

    _parameter_constraints = {
        "initial_slope": [Interval(Real, None, None, closed="neither")]
    }

    name = "prelu"

    def __init__(self, initial_slope=0.25):
        self.initial_slope = initial_slope

    def parameters(self, input_shape):
        initializer = Constant(float(self.initial_slope))
        return {"slope": Parameter(input_shape[-1:], initializer, decays=False)}

    def forward(self, scope, x):
        scope.keep("z", x)
        out = scope.buffer("out", x.shape)
        scope.call(prelu_forward, z=by_place(x), **scope.parameters, out=by_place(out))
        return out

    def backward_parameters(self, scope, d_out):
        scope.call(
            prelu_backward_slope,
            z=by_place(scope["z"]),
            d_out=by_place(d_out),
            d_slope=scope.gradients["slope"],
        )

    def backward_input(self, scope, d_out):
        d_z = scope.buffer("d_z", d_out.shape)
        scope.call(
            prelu_backward_input,
            z=by_place(scope["z"]),
            **scope.parameters,
            d_out=by_place(d_out),
            d_z=by_place(d_z),
        )
        return d_z


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
