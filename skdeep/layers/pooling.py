"""Pooling: the largest or the mean input of every window, or of the whole image."""

import math

from skdeep import kernels
from skdeep.engine.program import ROWS
from skdeep.layers.layer import Layer
from skdeep.layers.window import (
    SIZE_CONSTRAINT,
    WINDOW_CONSTRAINTS,
    Window,
    by_place,
    check_image,
)
from skdeep.validation.messages import plain

_PARAMETERS = """Parameters
    ----------
    pool_size : int or tuple of int, default=2
        The size of the window: one for all axes, or one for each.

    strides : int, tuple of int or None, default=None
        How far the window moves between outputs; None is `pool_size`, so that windows
        do not overlap.

    padding : {"same", "valid"}, int or tuple, default="valid"
        What is added around the input, as for `Conv`. Added places never count."""


class _Pool(Layer):
    """Base of the layers with a window."""

    _parameter_constraints = {
        **WINDOW_CONSTRAINTS,
        "pool_size": SIZE_CONSTRAINT,
        "strides": [*WINDOW_CONSTRAINTS["strides"], None],
    }

    def __init__(self, pool_size=2, strides=None, padding="valid"):
        self.pool_size = pool_size
        self.strides = strides
        self.padding = padding

    def _window(self, input_shape):
        strides = self.pool_size if self.strides is None else self.strides
        return Window.over(
            input_shape, self.pool_size, strides, self.padding, name="pool_size"
        )

    def output_shape(self, input_shape):
        window = self._window(input_shape)
        for axis in (0, 1):
            size, before = window.size[axis], window.padding[axis]
            last = (window.out_size[axis] - 1) * window.strides[axis] - before
            if before >= size or last >= window.in_size[axis]:
                raise ValueError(
                    f"with padding={plain(self.padding)!r}, a window of pool_size="
                    f"{plain(self.pool_size)!r} would lie outside of the input."
                )
        return window.output_shape(input_shape[-1])

    def _out(self, scope, x):
        return scope.buffer("out", (ROWS, *self.output_shape(x.shape[1:])))


def _geometry(window):
    return {
        "pool_size": window.size,
        "strides": window.strides,
        "padding": window.padding,
    }


class MaxPool(_Pool):
    """The largest input of every window, for each channel by itself.

    {parameters}

    Examples
    --------
    >>> from skdeep.layers import MaxPool
    >>> MaxPool().output_shape((28, 28, 32))
    (14, 14, 32)
    """

    def forward(self, scope, x):
        scope.keep("x", x)
        window, out = self._window(x.shape[1:]), self._out(scope, x)
        small = math.prod(window.size) <= 256
        largest = scope.buffer("largest", out.shape, "uint8" if small else "int32")
        self._write(scope, window, x, out, window.image(largest))
        return out

    def infer(self, scope, x):
        window, out = self._window(x.shape[1:]), self._out(scope, x)
        self._write(scope, window, x, out, None, mask=None)
        return out

    def _write(self, scope, window, x, out, largest, **mask):
        scope.call(
            kernels.max_pool_forward,
            x=window.image(x),
            **_geometry(window),
            **mask,
            largest=largest,
            out=window.image(out),
        )

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", scope["x"].shape)
        window = self._window(d_x.shape[1:])
        scope.call(
            kernels.max_pool_backward,
            d_out=window.image(d_out),
            largest=window.image(scope["largest"]),
            **_geometry(window),
            d_x=window.image(d_x),
        )
        return d_x


class AveragePool(_Pool):
    """The mean input of every window, for each channel by itself.

    {parameters}

    Examples
    --------
    >>> from skdeep.layers import AveragePool
    >>> AveragePool(pool_size=3, strides=2, padding="same").output_shape((28, 28, 32))
    (14, 14, 32)
    """

    def forward(self, scope, x):
        scope.keep("x", x)
        window, out = self._window(x.shape[1:]), self._out(scope, x)
        scope.call(
            kernels.average_pool_forward,
            x=window.image(x),
            **_geometry(window),
            out=window.image(out),
        )
        return out

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", scope["x"].shape)
        window = self._window(d_x.shape[1:])
        scope.call(
            kernels.average_pool_backward,
            d_out=window.image(d_out),
            **_geometry(window),
            d_x=window.image(d_x),
        )
        return d_x


for _layer in (MaxPool, AveragePool):
    if _layer.__doc__ is not None:  # python -OO
        _layer.__doc__ = _layer.__doc__.replace("{parameters}", _PARAMETERS)


class _GlobalPool(Layer):
    """Base of the layers that leave one number of each channel."""

    def output_shape(self, input_shape):
        check_image(input_shape)
        return input_shape[-1:]


class GlobalAveragePool(_GlobalPool):
    """The mean of each channel over the whole image or signal.

    References
    ----------
    Lin, Chen and Yan (2014). "Network in network". ICLR.

    Examples
    --------
    >>> from skdeep.layers import GlobalAveragePool
    >>> GlobalAveragePool().output_shape((7, 7, 64))
    (64,)
    """

    def forward(self, scope, x):
        scope.keep("x", x)
        out = scope.buffer("out", (ROWS, x.shape[-1]))
        scope.call(kernels.global_average_pool_forward, x=by_place(x), out=out)
        return out

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", scope["x"].shape)
        scope.call(kernels.global_average_pool_backward, d_out=d_out, d_x=by_place(d_x))
        return d_x


class GlobalMaxPool(_GlobalPool):
    """The largest value of each channel over the whole image or signal.

    Equal largest values share the gradient.

    Examples
    --------
    >>> from skdeep.layers import GlobalMaxPool
    >>> GlobalMaxPool().output_shape((100, 64))
    (64,)
    """

    def forward(self, scope, x):
        scope.keep("x", x)
        out = scope.buffer("out", (ROWS, x.shape[-1]))
        scope.reserve(out)
        scope.call(kernels.global_max_pool_forward, x=by_place(x), out=out)
        return out

    def backward_input(self, scope, d_out):
        x, d_x = by_place(scope["x"]), scope.buffer("d_x", scope["x"].shape)
        scope.call(
            kernels.global_max_pool_backward,
            x=x,
            out=scope["out"],
            d_out=d_out,
            d_x=by_place(d_x),
        )
        return d_x
