"""Rescaling of inputs, inside the network."""

from numbers import Real

from sklearn.utils._param_validation import Interval

from skdeep import kernels
from skdeep.layers.layer import Layer


class Rescaling(Layer):
    """Inputs times a scale, plus an offset; bytes become floating-point numbers.

    As the first layer it lets images stay bytes in memory: only the batch is converted.

    Parameters
    ----------
    scale : float, default=1/255
        What inputs are multiplied by. The default brings bytes to [0, 1].

    offset : float, default=0.0
        What is added then.

    Examples
    --------
    >>> from skdeep.layers import Rescaling
    >>> Rescaling(1 / 127.5, offset=-1.0).output_shape((28, 28, 1))
    (28, 28, 1)
    """

    _parameter_constraints = {
        "scale": [Interval(Real, None, None, closed="neither")],
        "offset": [Interval(Real, None, None, closed="neither")],
    }

    def __init__(self, scale=1 / 255, offset=0.0):
        self.scale = scale
        self.offset = offset

    def forward(self, scope, x):
        out = scope.buffer("out", x.shape)
        scope.call(
            kernels.rescale,
            x=x,
            scale=float(self.scale),
            offset=float(self.offset),
            out=out,
        )
        return out

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", d_out.shape)
        scope.call(kernels.rescale, x=d_out, scale=float(self.scale), offset=0.0, out=d_x)
        return d_x
