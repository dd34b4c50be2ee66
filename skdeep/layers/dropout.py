"""Dropout of single inputs, and of whole channels."""

from dataclasses import replace
from numbers import Real

from sklearn.utils._param_validation import Interval

from skdeep import kernels
from skdeep.engine.program import ROWS
from skdeep.engine.sparse_rows import SparseRows
from skdeep.layers.activation import Activation
from skdeep.layers.layer import Layer
from skdeep.layers.window import by_place, check_image


class Dropout(Layer):
    """Zero inputs at random while training, and scale the others to make up for it.

    Prediction uses all inputs as they are ("inverted" dropout).

    Parameters
    ----------
    rate : float, default=0.5
        The share of inputs that is zeroed, in [0, 1).

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014). "Dropout: a
    simple way to prevent neural networks from overfitting". JMLR 15.

    Examples
    --------
    >>> from skdeep.layers import Dropout
    >>> Dropout(0.2)
    Dropout(rate=0.2)
    """

    _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, rate=0.5):
        self.rate = rate

    @property
    def is_random(self):
        return self.rate > 0

    def forward(self, scope, x):
        if isinstance(x, SparseRows):
            # Dropping an entry that is zero changes nothing, so only the others draw.
            return replace(x, values=self._drop(scope, x.values))
        return self._drop(scope, x)

    def _drop(self, scope, x):
        keep = scope.buffer("keep", x.shape)
        out = scope.buffer("out", x.shape)
        scope.call(
            kernels.dropout_forward,
            x=x,
            stream=scope.training.stream,
            layer=scope.index,
            step=scope.training.step,
            rate=float(self.rate),
            keep=keep,
            out=out,
        )
        return out

    def infer(self, scope, x):
        return x

    def frozen(self):
        return Activation("identity")

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", d_out.shape)
        scope.call(kernels.dropout_backward, d_out=d_out, keep=scope["keep"], d_x=d_x)
        return d_x


class SpatialDropout(Layer):
    """Dropout of whole channels of images and signals.

    Neighbouring places of a channel say nearly the same, so dropping some of them would
    hide little.

    Parameters
    ----------
    rate : float, default=0.5
        The share of channels that is zeroed, in [0, 1).

    References
    ----------
    Tompson, Goroshin, Jain, LeCun and Bregler (2015). "Efficient object localization
    using convolutional networks". CVPR.

    Examples
    --------
    >>> from skdeep.layers import SpatialDropout
    >>> SpatialDropout(0.2)
    SpatialDropout(rate=0.2)
    """

    _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, rate=0.5):
        self.rate = rate

    @property
    def is_random(self):
        return self.rate > 0

    def output_shape(self, input_shape):
        check_image(input_shape)
        return input_shape

    def forward(self, scope, x):
        out, channels = scope.buffer("out", x.shape), (ROWS, x.shape[-1])
        scope.call(
            kernels.spatial_dropout_forward,
            x=by_place(x),
            stream=scope.training.stream,
            layer=scope.index,
            step=scope.training.step,
            rate=float(self.rate),
            keep=scope.buffer("keep", channels),
            out=by_place(out),
        )
        return out

    def infer(self, scope, x):
        return x

    def frozen(self):
        return Activation("identity")

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", d_out.shape)
        scope.call(
            kernels.spatial_dropout_backward,
            d_out=by_place(d_out),
            keep=scope["keep"],
            d_x=by_place(d_x),
        )
        return d_x
