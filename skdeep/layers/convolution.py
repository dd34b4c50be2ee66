"""Convolution of images and signals, channels last."""

from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from skdeep import kernels
from skdeep.engine.program import ROWS
from skdeep.initializers import INITIALIZERS, Initializer, get_initializer
from skdeep.layers.layer import Layer, Parameter
from skdeep.layers.window import SIZE_CONSTRAINT, WINDOW_CONSTRAINTS, Window


class Conv(Layer):
    """Weighted sums over a window that slides over images or signals.

    The same weights act at every place, so that a pattern is found wherever it is.
    Inputs are images of shape (height, width, channels) or signals of shape
    (length, channels); the rank of the input decides.

    Parameters
    ----------
    filters : int
        The number of patterns: the channels of the output.

    kernel_size : int or tuple of int, default=3
        The size of the window: one for all axes, or one for each.

    strides : int or tuple of int, default=1
        How far the window moves between outputs.

    padding : {"same", "valid"}, int or tuple, default="same"
        The zeros around the input. ``"same"`` gives as many outputs as inputs divided by
        the strides, rounded up; ``"valid"`` adds none. A number adds as many on every
        side; a tuple has a number, or a pair for before and after, for each axis.

    dilation : int or tuple of int, default=1
        How far apart the places of the window are: above 1 it has holes, and sees more
        with as many weights.

    groups : int, default=1
        Into how many parts the channels and the filters are divided; a filter sees the
        channels of its own part only. With as many groups as channels it is called a
        depthwise convolution.

    use_bias : bool, default=True
        Whether a bias is added to each filter. A layer before batch normalization
        needs none.

    kernel_initializer : str or Initializer, default="glorot_uniform"
        How the kernel's values are drawn.

    bias_initializer : str or Initializer, default="zeros"
        How the bias' values are drawn.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner (1998). "Gradient-based learning applied to
    document recognition". Proceedings of the IEEE 86.

    Yu and Koltun (2016). "Multi-scale context aggregation by dilated convolutions".
    ICLR.

    Examples
    --------
    >>> from skdeep.layers import Conv
    >>> Conv(32).output_shape((28, 28, 1))
    (28, 28, 32)
    >>> Conv(32, kernel_size=5, strides=2, padding="valid").output_shape((100, 3))
    (48, 32)
    """

    _parameter_constraints = {
        **WINDOW_CONSTRAINTS,
        "filters": [Interval(Integral, 1, None, closed="left")],
        "kernel_size": SIZE_CONSTRAINT,
        "dilation": SIZE_CONSTRAINT,
        "groups": [Interval(Integral, 1, None, closed="left")],
        "use_bias": ["boolean"],
        "kernel_initializer": [StrOptions(set(INITIALIZERS)), Initializer],
        "bias_initializer": [StrOptions(set(INITIALIZERS)), Initializer],
    }

    def __init__(
        self,
        filters,
        kernel_size=3,
        strides=1,
        padding="same",
        dilation=1,
        groups=1,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
    ):
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def _window(self, input_shape):
        return Window.over(
            input_shape,
            self.kernel_size,
            self.strides,
            self.padding,
            self.dilation,
            name="kernel_size",
        )

    def output_shape(self, input_shape):
        window = self._window(input_shape)
        for name, count in (("channels", input_shape[-1]), ("filters", self.filters)):
            if count % self.groups:
                raise ValueError(
                    f"groups={self.groups} does not divide the {count} {name}."
                )
        return window.output_shape(self.filters)

    def parameters(self, input_shape):
        size = self._window(input_shape).size[len(input_shape) == 2 :]
        kernel = Parameter(
            (*size, input_shape[-1] // self.groups, self.filters),
            get_initializer(self.kernel_initializer),
            decays=True,
        )
        if not self.use_bias:
            return {"kernel": kernel}
        bias = Parameter(
            (self.filters,), get_initializer(self.bias_initializer), decays=False
        )
        return {"kernel": kernel, "bias": bias}

    def forward(self, scope, x):
        window = self._window(x.shape[1:])
        scope.keep("x", x)
        out = scope.buffer("out", (ROWS, *window.output_shape(self.filters)))
        write_convolution(scope, window, x, out, **scope.parameters)
        return out

    def backward_parameters(self, scope, d_out):
        window = self._window(scope["x"].shape[1:])
        write_convolution_backward_parameters(scope, window, scope["x"], d_out)

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", scope["x"].shape)
        window, kernel = self._window(d_x.shape[1:]), scope.parameters["kernel"]
        write_convolution_backward_input(scope, window, d_out, d_x, kernel)
        return d_x


def write_convolution(scope, window, x, out, kernel, bias=None):
    """Write the calls of a convolution."""
    kernel, x, out = _four_axes(kernel), window.image(x), window.image(out)
    if _suits_winograd(scope, window, kernel, x):
        weights = scope.buffer("weights", kernels.winograd_weights_shape(*kernel.shape[2:]))
        scope.call(kernels.winograd_weights, kernel=kernel, weights=weights)
        scope.call(
            kernels.winograd_convolution,
            x=x,
            weights=weights,
            bias=bias,
            padding=window.padding,
            out=out,
        )
        return
    scope.call(
        kernels.convolution_forward,
        x=x,
        kernel=kernel,
        bias=bias,
        **window.geometry,
        out=out,
    )


def write_convolution_backward_parameters(scope, window, x, d_out):
    """Write the calls of the gradients of a convolution's kernel and bias."""
    d_kernel = _four_axes(scope.gradients["kernel"])
    x, d_out = window.image(x), window.image(d_out)
    if _suits_winograd(scope, window, d_kernel, x):
        sums = scope.buffer("sums", kernels.winograd_sums_shape(*d_kernel.shape[2:]))
        scope.call(
            kernels.winograd_sums, x=x, d_out=d_out, padding=window.padding, sums=sums
        )
        scope.call(kernels.winograd_backward_kernel, sums=sums, d_kernel=d_kernel)
    else:
        scope.call(
            kernels.convolution_backward_kernel,
            x=x,
            d_out=d_out,
            **window.geometry,
            d_kernel=d_kernel,
        )
    if "bias" in scope.gradients:
        scope.call(
            kernels.convolution_backward_bias, d_out=d_out, d_bias=scope.gradients["bias"]
        )


def write_convolution_backward_input(scope, window, d_out, d_x, kernel):
    """Write the calls of the gradient with respect to a convolution's input."""
    kernel, d_out, d_x = _four_axes(kernel), window.image(d_out), window.image(d_x)
    if _suits_winograd(scope, window, kernel, d_x):
        weights = scope.buffer(
            "turned_weights", kernels.winograd_weights_shape(*kernel.shape[2:])
        )
        scope.call(kernels.winograd_weights_backward, kernel=kernel, weights=weights)
        scope.call(
            kernels.winograd_convolution,
            x=d_out,
            weights=weights,
            bias=None,
            padding=tuple(2 - before for before in window.padding),
            out=d_x,
        )
        return
    scope.call(
        kernels.convolution_backward_input,
        d_out=d_out,
        kernel=kernel,
        **window.geometry,
        d_x=d_x,
    )


def _suits_winograd(scope, window, kernel, x):
    return kernels.suits_winograd(
        kernel.shape,
        x.shape[3],
        window.out_size,
        **window.geometry,
        batch_size=scope.batch_size,
    )


def _four_axes(kernel):
    """A kernel by row, column, channel and filter, whatever axes it has."""
    return kernel.view((1,) * (4 - len(kernel.shape)) + kernel.shape)
