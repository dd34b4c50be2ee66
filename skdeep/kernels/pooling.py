"""Pooling of images, channels last: the largest or the mean input of every window.

Places of a window that lie outside of the image do not count: they are never the
largest, and a mean is over those inside. A window always has one inside.
"""

from functools import partial

import numpy as np

from skdeep.kernels.runtime.contract import compiled
from skdeep.kernels.runtime.image_window import places

__all__ = [
    "average_pool_backward",
    "average_pool_forward",
    "global_average_pool_backward",
    "global_average_pool_forward",
    "global_max_pool_backward",
    "global_max_pool_forward",
    "max_pool_backward",
    "max_pool_forward",
]

_NO_DILATION = (1, 1)


def _places(x, out, pool_size, strides, padding):
    """As `places`, with the number of each place in the window instead of itself."""
    sizes = x.shape[1:3], out.shape[1:3]
    for (i, j), outputs, inputs in places(
        *sizes, pool_size, strides, _NO_DILATION, padding
    ):
        yield i * pool_size[1] + j, outputs, inputs


_IMAGES = "rows in_rows in_columns channels"
_WINDOWS = "rows out_rows out_columns channels"
_NUMBERS_OF_PLACES = "bytes: " + _WINDOWS


def _check(x, out, pool_size, strides, padding, **_):
    """Every window has a place inside of the image."""
    for axis in (0, 1):
        size, stride, before = pool_size[axis], strides[axis], padding[axis]
        last = (out.shape[1 + axis] - 1) * stride - before
        if size < 1 or stride < 1 or before >= size or last >= x.shape[1 + axis]:
            raise ValueError(
                f"windows of pool_size={pool_size}, strides={strides}, padding={padding} "
                f"and outputs of shape {out.shape} lie outside of images of {x.shape}."
            )


_declare = partial(compiled, "rows", pool_size="pair", strides="pair", padding="pair")
_declare_forward = partial(_declare, check=_check, x=_IMAGES, out=_WINDOWS)
_declare_backward = partial(
    _declare,
    writes="d_x",
    check=lambda d_x, d_out, **rest: _check(d_x, d_out, **rest),
    d_out=_WINDOWS,
    d_x=_IMAGES,
)


# largest is the number of the place of the first largest input, row by row; prediction
# passes None, since only the way back needs it
@_declare_forward(
    writes="largest out",
    scratch="mask",
    optional="mask largest",
    mask="bool: " + _WINDOWS,
    largest=_NUMBERS_OF_PLACES,
)
def max_pool_forward(x, pool_size, strides, padding, mask, largest, out):
    out.fill(-np.inf)
    if largest is not None:
        largest.fill(0)
    for number, outputs, inputs in _places(x, out, pool_size, strides, padding):
        candidate, best = x[:, *inputs], out[:, *outputs]
        if largest is not None and number:
            better = mask[:, *outputs]
            np.greater(candidate, best, out=better)
            _note(number, better, largest[:, *outputs])
        np.maximum(candidate, best, out=best)


def _note(number, better, largest):
    """Write a number, above all before it, where it is better."""
    if largest.dtype == np.uint8:  # products of bytes are several times as fast
        flags = better.view(np.uint8)
        np.multiply(flags, np.uint8(number), out=flags)
        np.maximum(largest, flags, out=largest)
    else:
        np.copyto(largest, number, where=better)


@_declare_backward(
    scratch="mask work",
    largest=_NUMBERS_OF_PLACES,
    mask="bool: " + _WINDOWS,
    work=_WINDOWS,
)
def max_pool_backward(d_out, largest, pool_size, strides, padding, mask, work, d_x):
    d_x.fill(0)
    for number, outputs, inputs in _places(d_x, d_out, pool_size, strides, padding):
        np.equal(largest, number, out=mask)
        np.copyto(work, mask)
        np.multiply(work, d_out, out=work)
        part = d_x[:, *inputs]
        np.add(part, work[:, *outputs], out=part)


@_declare_forward(writes="out")
def average_pool_forward(x, pool_size, strides, padding, out):
    out.fill(0)
    for _, outputs, inputs in _places(x, out, pool_size, strides, padding):
        part = out[:, *outputs]
        np.add(part, x[:, *inputs], out=part)
    _divide_by_places(out, x.shape[1:3], pool_size, strides, padding)


# work is d_out divided by the number of inputs of each window
@_declare_backward(scratch="work", work=_WINDOWS)
def average_pool_backward(d_out, pool_size, strides, padding, work, d_x):
    np.copyto(work, d_out)
    _divide_by_places(work, d_x.shape[1:3], pool_size, strides, padding)
    d_x.fill(0)
    for _, outputs, inputs in _places(d_x, d_out, pool_size, strides, padding):
        part = d_x[:, *inputs]
        np.add(part, work[:, *outputs], out=part)


def _divide_by_places(out, in_size, pool_size, strides, padding):
    """Divide each output by the number of inputs in its window: rows times columns."""
    for axis in (0, 1):
        start = np.arange(out.shape[1 + axis]) * strides[axis] - padding[axis]
        stop = np.minimum(start + pool_size[axis], in_size[axis])
        counts = (stop - np.maximum(start, 0)).astype(out.dtype)
        shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
        np.divide(out, counts.reshape(shape), out=out)


# The global ones see images as (n, places, channels).
_IMAGE, _CHANNELS = "rows places channels", "rows channels"


@compiled("rows", writes="out", x=_IMAGE, out=_CHANNELS)
def global_average_pool_forward(x, out):
    np.add.reduce(x, axis=1, out=out)
    np.divide(out, x.shape[1], out=out)


@compiled("rows", writes="d_x", d_out=_CHANNELS, d_x=_IMAGE)
def global_average_pool_backward(d_out, d_x):
    np.divide(d_out[:, np.newaxis], d_x.shape[1], out=d_x)


@compiled("rows", writes="out", x=_IMAGE, out=_CHANNELS)
def global_max_pool_forward(x, out):
    np.maximum.reduce(x, axis=1, out=out)


# Equal largest inputs share the gradient.
@compiled(
    "rows",
    writes="d_x",
    scratch="mask work",
    x=_IMAGE,
    out=_CHANNELS,
    d_out=_CHANNELS,
    mask="bool: " + _IMAGE,
    work=_CHANNELS,
    d_x=_IMAGE,
)
def global_max_pool_backward(x, out, d_out, mask, work, d_x):
    np.equal(x, out[:, np.newaxis], out=mask)
    np.copyto(d_x, mask)
    np.add.reduce(d_x, axis=1, out=work)
    np.divide(d_out, work, out=work)
    np.multiply(d_x, work[:, np.newaxis], out=d_x)
