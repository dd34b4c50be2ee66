"""Pooling of images, channels last: the largest or the mean input of every window.

Places of a window that lie outside of the image do not count: they are never the
largest, and a mean is over those inside. A window always has one inside.
"""

import numpy as np

from skdeep.kernels.reference.contract import kernel
from skdeep.kernels.reference.windows import covered, places

_NO_DILATION = (1, 1)


def _places(x, out, pool_size, strides, padding):
    return enumerate(
        places(x.shape[1:3], out.shape[1:3], pool_size, strides, _NO_DILATION, padding)
    )


# largest is the number of the place of the first largest input, row by row; prediction
# passes None, since only the way back needs it
@kernel("rows", writes="largest out", x=0, mask=0, largest=0, out=0)
def max_pool_forward(x, pool_size, strides, padding, mask, largest, out):
    out.fill(-np.inf)
    if largest is not None:
        largest.fill(0)
    for number, (_, outputs, inputs) in _places(x, out, pool_size, strides, padding):
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


@kernel("rows", writes="d_x", d_out=0, largest=0, mask=0, work=0, d_x=0)
def max_pool_backward(d_out, largest, pool_size, strides, padding, mask, work, d_x):
    d_x.fill(0)
    for number, (_, outputs, inputs) in _places(d_x, d_out, pool_size, strides, padding):
        np.equal(largest, number, out=mask)
        np.copyto(work, mask)
        np.multiply(work, d_out, out=work)
        part = d_x[:, *inputs]
        np.add(part, work[:, *outputs], out=part)


@kernel("rows", writes="out", x=0, out=0)
def average_pool_forward(x, pool_size, strides, padding, out):
    out.fill(0)
    for _, (_, outputs, inputs) in _places(x, out, pool_size, strides, padding):
        part = out[:, *outputs]
        np.add(part, x[:, *inputs], out=part)
    _divide_by_places(out, x.shape[1:3], pool_size, strides, padding)


# work is d_out divided by the number of inputs of each window
@kernel("rows", writes="d_x", d_out=0, work=0, d_x=0)
def average_pool_backward(d_out, pool_size, strides, padding, work, d_x):
    np.copyto(work, d_out)
    _divide_by_places(work, d_x.shape[1:3], pool_size, strides, padding)
    d_x.fill(0)
    for _, (_, outputs, inputs) in _places(d_x, d_out, pool_size, strides, padding):
        part = d_x[:, *inputs]
        np.add(part, work[:, *outputs], out=part)


def _divide_by_places(out, in_size, pool_size, strides, padding):
    """Divide each output by the number of inputs in its window: rows times columns."""
    for axis in (0, 1):
        counts = np.zeros(out.shape[1 + axis], dtype=out.dtype)
        for i in range(pool_size[axis]):
            outputs, _ = covered(
                in_size[axis], counts.size, i - padding[axis], strides[axis]
            )
            counts[outputs] += 1
        shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
        np.divide(out, counts.reshape(shape), out=out)


# The global ones see images as (n, places, channels).
@kernel("rows", writes="out", x=0, out=0)
def global_average_pool_forward(x, out):
    np.add.reduce(x, axis=1, out=out)
    np.divide(out, x.shape[1], out=out)


@kernel("rows", writes="d_x", d_out=0, d_x=0)
def global_average_pool_backward(d_out, d_x):
    np.divide(d_out[:, np.newaxis], d_x.shape[1], out=d_x)


@kernel("rows", writes="out", x=0, out=0)
def global_max_pool_forward(x, out):
    np.maximum.reduce(x, axis=1, out=out)


# Equal largest inputs share the gradient. mask and d_x are as large as x; work as d_out.
@kernel("rows", writes="d_x", x=0, out=0, d_out=0, mask=0, work=0, d_x=0)
def global_max_pool_backward(x, out, d_out, mask, work, d_x):
    np.equal(x, out[:, np.newaxis], out=mask)
    np.copyto(d_x, mask)
    np.add.reduce(d_x, axis=1, out=work)
    np.divide(d_out, work, out=work)
    np.multiply(d_x, work[:, np.newaxis], out=d_x)
