"""The dense (fully connected) layer."""

from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from skdeep import kernels
from skdeep.engine.program import ROWS
from skdeep.engine.sparse_rows import SparseRows
from skdeep.initializers import INITIALIZERS, Initializer, get_initializer
from skdeep.layers.convolution import (
    write_convolution,
    write_convolution_backward_input,
    write_convolution_backward_parameters,
)
from skdeep.layers.layer import Layer, Parameter
from skdeep.layers.window import Window, by_place


class Dense(Layer):
    """Weighted sums of all inputs: ``x @ kernel + bias``.

    Inputs of more axes, such as images, are taken place by place: the sums are over the
    last axis, as with a convolution whose window is one place.

    Parameters
    ----------
    units : int
        The number of outputs.

    use_bias : bool, default=True
        Whether a bias is added. A layer before batch normalization needs none.

    kernel_initializer : str or Initializer, default="glorot_uniform"
        How the kernel's values are drawn.

    bias_initializer : str or Initializer, default="zeros"
        How the bias' values are drawn.

    Examples
    --------
    >>> from skdeep.layers import Dense
    >>> Dense(10).output_shape((64,))
    (10,)
    """

    _parameter_constraints = {
        "units": [Interval(Integral, 1, None, closed="left")],
        "use_bias": ["boolean"],
        "kernel_initializer": [StrOptions(set(INITIALIZERS)), Initializer],
        "bias_initializer": [StrOptions(set(INITIALIZERS)), Initializer],
    }

    def __init__(
        self,
        units,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
    ):
        self.units = units
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def parameters(self, input_shape):
        kernel = Parameter(
            (input_shape[-1], self.units),
            get_initializer(self.kernel_initializer),
            decays=True,
        )
        if not self.use_bias:
            return {"kernel": kernel}
        bias = Parameter(
            (self.units,), get_initializer(self.bias_initializer), decays=False
        )
        return {"kernel": kernel, "bias": bias}

    def forward(self, scope, x):
        scope.keep("x", x)
        kernel, bias = scope.parameters["kernel"], scope.parameters.get("bias")
        if _has_places(x):
            out = scope.buffer("out", (*x.shape[:-1], self.units))
            window = _one_place(x)
            write_convolution(scope, window, by_place(x), by_place(out), kernel, bias)
            return out
        out = scope.buffer("out", (ROWS, self.units))
        if isinstance(x, SparseRows):
            scope.call(
                kernels.sparse_dense_forward,
                **x.arguments,
                kernel=kernel,
                bias=bias,
                out=out,
            )
        else:
            scope.call(kernels.dense_forward, x=x, kernel=kernel, bias=bias, out=out)
        return out

    def backward_parameters(self, scope, d_out):
        x, d_kernel = scope["x"], scope.gradients["kernel"]
        if _has_places(x):
            write_convolution_backward_parameters(
                scope, _one_place(x), by_place(x), by_place(d_out)
            )
            return
        if isinstance(x, SparseRows):
            scope.call(
                kernels.sparse_dense_backward_kernel,
                **x.arguments,
                d_out=d_out,
                d_kernel=d_kernel,
            )
        else:
            sums = kernels.dense_sums_shape(scope.batch_size, x.shape[-1], self.units)
            if sums is not None:
                self._sum_parts(scope, x, d_out, scope.buffer("sums", sums))
                return
            scope.call(kernels.dense_backward_kernel, x=x, d_out=d_out, d_kernel=d_kernel)
        if self.use_bias:
            scope.call(
                kernels.dense_backward_bias, d_out=d_out, d_bias=scope.gradients["bias"]
            )

    def _sum_parts(self, scope, x, d_out, sums):
        gradients = scope.gradients
        scope.call(kernels.dense_sums, x=x, d_out=d_out, sums=sums)
        scope.call(kernels.dense_kernel_of_sums, sums=sums, d_kernel=gradients["kernel"])
        if self.use_bias:
            scope.call(kernels.dense_bias_of_sums, sums=sums, d_bias=gradients["bias"])

    def backward_input(self, scope, d_out):
        d_x, kernel = scope.buffer("d_x", scope["x"].shape), scope.parameters["kernel"]
        if _has_places(d_x):
            write_convolution_backward_input(
                scope, _one_place(d_x), by_place(d_out), by_place(d_x), kernel
            )
            return d_x
        scope.call(kernels.dense_backward_input, d_out=d_out, kernel=kernel, d_x=d_x)
        return d_x


def _has_places(x):
    return not isinstance(x, SparseRows) and len(x.shape) > 2


def _one_place(x):
    """A window of one place over inputs of any shape, seen as signals."""
    return Window.over(by_place(x).shape[1:], 1, 1, "valid", name="kernel_size")
