"""A ReLU with trained slopes, and its kernels; prelu.cpp has them in C++."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from skdeep.initializers import Constant
from skdeep.kernels import compiled
from skdeep.layers.layer import Layer, Parameter
from skdeep.layers.window import by_place


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
