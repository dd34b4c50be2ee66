"""Fast convolution of 3 x 3 windows: Winograd's minimal filtering of tiles of outputs.

A tile of 4 x 4 outputs sees 6 x 6 inputs. A convolution multiplies 144 times for it, and
this 36 times, once for each position of the tile (Lavin and Gray 2016, equation 8): with
the inputs d and the weights g of a channel, and three small matrices,

    outputs = A.T @ ((G @ g @ G.T) * (B.T @ d @ B)) @ A

summed over the channels. That sum is a product of matrices, of tiles by channels and of
channels by filters, for each position. The gradients are the same, read backwards:
that of the inputs is a convolution, too, with weights that are turned around, and

    d_g = G.T @ (sum over tiles of (A @ d_outputs @ A.T) * (B.T @ d @ B)) @ G

The rows of the matrices are polynomials at the points 0, a, -a, b, -b and infinity. With
a = 5/8 and b = 3/2 rounding is half of what it is with 1 and 2, the usual ones.

References
----------
Winograd (1980). "Arithmetic complexity of computations". SIAM.

Lavin and Gray (2016). "Fast algorithms for convolutional neural networks". CVPR.
"""

import os
from functools import partial

import numpy as np

from skdeep.kernels.runtime import native
from skdeep.kernels.runtime.contract import compiled
from skdeep.kernels.runtime.image_window import places

__all__ = [
    "suits_winograd",
    "winograd_backward_kernel",
    "winograd_convolution",
    "winograd_sums",
    "winograd_sums_shape",
    "winograd_weights",
    "winograd_weights_backward",
    "winograd_weights_shape",
]

# --- which convolutions -----------------------------------------------------------------


def _asked():
    """What the user asks for."""
    asked = os.environ.get("SKDEEP_CONVOLUTION", "")
    if asked not in ("", "direct"):
        raise ImportError(
            f"SKDEEP_CONVOLUTION is {asked!r}; it must be 'direct', or not be set."
        )
    return asked or "fast"


#: "fast" or "direct".
CONVOLUTION = _asked()


def suits_winograd(
    kernel_shape, channels, out_size, strides, dilation, padding, batch_size
):
    """Whether a convolution is to be computed by Winograd's minimal filtering.

    Parameters
    ----------
    kernel_shape : tuple of four int
        Rows, columns, channels of a group, filters.

    channels : int
        The channels of the input.

    out_size : tuple of two int
        Rows and columns of the output.

    strides, dilation, padding : tuple of two int
        Those of the convolution.

    batch_size : int or None
        The images of a step of training; None in prediction, which may be of one.

    Returns
    -------
    suits : bool
    """
    # NumPy's kernels are there to be read; and the user may want the direct ones
    if not native.ENABLED or CONVOLUTION == "direct":
        return False
    # the transforms are those of this window, and know of no groups
    if tuple(kernel_shape[:2]) != (3, 3) or kernel_shape[2] != channels:
        return False
    if strides != (1, 1) or dilation != (1, 1):
        return False
    # what goes back has a padding of its own, 2 less this one
    if max(padding) > 2:
        return False
    # the transforms take as long for one filter as for many
    if min(channels, kernel_shape[3]) < FEWEST_CHANNELS:
        return False
    # weights are transformed once a step, and that must be worth it
    tiles, fewest = n_tiles(*out_size), FEWEST_TILES
    if batch_size is not None:
        tiles, fewest = tiles * batch_size, FEWEST_TRAINED_TILES
    if tiles < fewest:
        return False
    # tiles that are mostly outside of the image do more than they save
    rows, columns = out_size
    return 9 * rows * columns >= LEAST_GAIN * _POSITIONS * n_tiles(rows, columns)


#: Kernels take no fewer channels or filters: a vector of 512 bits has as many.
FEWEST_CHANNELS = 16
#: Of an image that is predicted alone, and of a step of training.
FEWEST_TILES, FEWEST_TRAINED_TILES = 16, 64
#: How many times as many products the direct convolution must take.
LEAST_GAIN = 2


def describe():
    """Which algorithm convolutions use, and why."""
    if not native.ENABLED:
        return "direct, because NumPy's kernels run"
    if CONVOLUTION == "direct":
        return "direct, because SKDEEP_CONVOLUTION=direct"
    return "Winograd's for windows of 3 x 3 that suit it, else direct"


# --- the matrices -----------------------------------------------------------------------

_OUTPUTS, _INPUTS = 4, 6
_POSITIONS = _INPUTS**2
_POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)


def _matrices():
    """A.T, G and B.T of the points, and of infinity."""
    a, g, b = np.zeros((4, 6)), np.zeros((6, 3)), np.zeros((6, 6))
    for i, point in enumerate(_POINTS):
        others = [other for other in _POINTS if other != point]
        scale = np.prod([point - other for other in others])
        a[:, i] = point ** np.arange(4)
        g[i] = point ** np.arange(3) / scale
        b[i, :5] = np.poly(others)[::-1]
    a[3, 5] = g[5, 2] = 1.0
    b[5] = np.poly(_POINTS)[::-1]
    return a, g, b


_A_T, _G, _B_T = _matrices()


def n_tiles(rows, columns):
    """The tiles of so many outputs."""
    return -(-rows // _OUTPUTS) * -(-columns // _OUTPUTS)


def _transform(matrix, x, middle, out, work):
    """out = matrix @ x @ matrix.T, along the first two axes; the others stay."""
    _combine(matrix, x, middle, work[: x.shape[1]])
    across = out.swapaxes(0, 1)
    _combine(matrix, middle.swapaxes(0, 1), across, work[: len(matrix)])


def _combine(matrix, x, out, work):
    for row, target in zip(matrix, out, strict=True):
        target.fill(0)
        for factor, part in zip(row, x, strict=True):
            if factor:
                np.multiply(part, factor, out=work)
                np.add(target, work, out=target)


def winograd_weights_shape(channels, filters):
    """The shape of transformed weights: positions, and the numbers of each.

    A few numbers more than weights: at distances that are powers of two, the positions of
    a weight would take each other's place in the cache.
    """
    return _POSITIONS, channels * filters + 16


def winograd_sums_shape(channels, filters):
    """The shape of the sums of a kernel's gradient: parts of the batch before that.

    Parts are for threads to share; many of large ones would take long to add up.
    """
    parts = 4 if channels * filters <= 4096 else 2
    return parts, *winograd_weights_shape(channels, filters)


def _by_weight(numbers, channels, filters):
    """The numbers of positions by row, column, channel and filter."""
    weights = numbers[..., : channels * filters]
    return weights.reshape(*numbers.shape[:-2], 6, 6, channels, filters)


class _Memory:
    """Scratch memory in five pieces of the same length."""

    def __init__(self, work):
        self._pieces = work.reshape(5, -1)

    def array(self, number, *shape):
        return self._pieces[number, : int(np.prod(shape))].reshape(shape)


# --- the kernels ------------------------------------------------------------------------

_IMAGES = "rows in_rows in_columns deep_inputs"
_FILTERED = "rows out_rows out_columns deep_outputs"
_KERNEL = "3 3 deep_inputs deep_outputs"


def _scratch_sizes(sizes):
    """Room for each of five arrays: all positions of an image, or of the kernel."""
    inputs, outputs = sizes["deep_inputs"], sizes["deep_outputs"]
    tiles = n_tiles(sizes["out_rows"], sizes["out_columns"])
    numbers = max(tiles * max(inputs, outputs), inputs * outputs)
    return {"positions": 5 * _POSITIONS * numbers}


def _check_numbers(numbers, channels, filters):
    if min(channels, filters) < FEWEST_CHANNELS:
        raise ValueError(
            f"Winograd's convolution takes {FEWEST_CHANNELS} channels and filters or more, "
            f"not {channels} and {filters}."
        )
    wanted = winograd_weights_shape(channels, filters)[-1]
    if numbers.shape[-1] != wanted:
        raise ValueError(
            f"{channels} channels and {filters} filters take {wanted} numbers for each "
            f"position, but there are {numbers.shape[-1]}."
        )


def _flops(x, out):
    """Two for each product: 36 for each tile."""
    n, rows, columns, filters = out.shape
    return 2.0 * _POSITIONS * n * n_tiles(rows, columns) * x.shape[3] * filters


_declare_weights = partial(
    compiled,
    None,
    writes="weights",
    check=lambda kernel, weights, **_: _check_numbers(weights, *kernel.shape[2:]),
    kernel=_KERNEL,
    weights="36 numbers",
)
_declare = partial(compiled, scratch="work", scratch_sizes=_scratch_sizes, work="positions")


@_declare_weights(compiled_axis="deep_inputs")
def winograd_weights(kernel, weights):
    weights = _by_weight(weights, *kernel.shape[2:])
    np.einsum("ip,pqcf,jq->ijcf", _G, kernel, _G, out=weights, casting="same_kind")


# what goes back is a convolution with these, whose channels are the filters
@_declare_weights(compiled_axis="deep_outputs")
def winograd_weights_backward(kernel, weights):
    winograd_weights(kernel[::-1, ::-1].swapaxes(2, 3), weights)


@_declare(
    "rows",
    writes="out",
    optional="bias",
    flops=lambda x, out, **_: _flops(x, out),
    check=lambda x, weights, out, **_: _check_numbers(weights, x.shape[3], out.shape[3]),
    x=_IMAGES,
    weights="36 numbers",
    bias="deep_outputs",
    padding="pair",
    out=_FILTERED,
)
def winograd_convolution(x, weights, bias, padding, work, out):
    (rows, columns, filters), channels = out.shape[1:], x.shape[3]
    tiles = -(-rows // _OUTPUTS), -(-columns // _OUTPUTS)
    memory = _Memory(work)
    weights = _by_weight(weights, channels, filters)
    inputs = memory.array(0, 6, 6, *tiles, channels).reshape(6, 6, -1, channels)
    for image, target in zip(x, out, strict=True):
        _transform_inputs(image, padding, tiles, memory)
        products = memory.array(1, 6, 6, *tiles, filters)
        np.matmul(inputs, weights, out=products.reshape(6, 6, -1, filters))
        middle = memory.array(2, 4, 6, *tiles, filters)
        outputs = memory.array(0, 4, 4, *tiles, filters)
        _transform(_A_T, products, middle, outputs, memory.array(3, 6, *tiles, filters))
        for i, j in np.ndindex(4, 4):
            part = target[i::4, j::4]
            np.copyto(part, outputs[i, j, : part.shape[0], : part.shape[1]])
    if bias is not None:
        np.add(out, bias, out=out)


def _transform_inputs(image, padding, tiles, memory):
    """Write all positions of an image's tiles of inputs into the first piece."""
    shape = (6, 6, *tiles, image.shape[-1])
    inputs, middle, seen = (memory.array(number, *shape) for number in range(3))
    seen.fill(0)
    for place, outputs, inside in places(
        image.shape[:2], tiles, (6, 6), (4, 4), (1, 1), padding
    ):
        seen[*place, *outputs] = image[*inside]
    _transform(_B_T, seen, middle, inputs, memory.array(3, *shape[1:]))


# a part is of rows that lie together: cut along the rows, there were other parts
@_declare(
    None,
    writes="sums",
    flops=lambda x, d_out, **_: _flops(x, d_out),
    check=lambda x, d_out, sums, **_: _check_numbers(sums, x.shape[3], d_out.shape[3]),
    x=_IMAGES,
    d_out=_FILTERED,
    padding="pair",
    sums="parts 36 numbers",
)
def winograd_sums(x, d_out, padding, work, sums):
    (rows, columns, filters), channels = d_out.shape[1:], x.shape[3]
    tiles = -(-rows // _OUTPUTS), -(-columns // _OUTPUTS)
    memory = _Memory(work)
    inputs = memory.array(0, 6, 6, *tiles, channels)
    gradients = memory.array(1, 6, 6, *tiles, filters)
    sums.fill(0)
    parts = len(sums)
    for number, total in enumerate(_by_weight(sums, channels, filters)):
        part = slice(len(x) * number // parts, len(x) * (number + 1) // parts)
        for image, d_outputs in zip(x[part], d_out[part], strict=True):
            _transform_inputs(image, padding, tiles, memory)
            seen = memory.array(2, 4, 4, *tiles, filters)
            seen.fill(0)
            for i, j in np.ndindex(4, 4):
                block = d_outputs[i::4, j::4]
                seen[i, j, : block.shape[0], : block.shape[1]] = block
            middle = memory.array(3, 6, 4, *tiles, filters)
            one = memory.array(4, 6, *tiles, filters)
            _transform(_A_T.T, seen, middle, gradients, one)
            products = memory.array(2, *total.shape)
            np.matmul(
                inputs.reshape(6, 6, -1, channels).swapaxes(2, 3),
                gradients.reshape(6, 6, -1, filters),
                out=products,
            )
            np.add(total, products, out=total)


@compiled(
    None,
    writes="d_kernel",
    compiled_axis="deep_inputs",
    check=lambda sums, d_kernel, **_: _check_numbers(sums, *d_kernel.shape[2:]),
    sums="parts 36 numbers",
    d_kernel=_KERNEL,
)
def winograd_backward_kernel(sums, d_kernel):
    sums = _by_weight(sums, *d_kernel.shape[2:])
    np.einsum("ip,nijcf,jq->pqcf", _G, sums, _G, out=d_kernel, casting="same_kind")
