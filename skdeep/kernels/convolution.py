"""Convolution of images, channels last: every output is a weighted sum of a window.

    out[n, r, c, f] = bias[f] + sum over i, j, k of
        x[n, r * strides[0] - padding[0] + i * dilation[0],
             c * strides[1] - padding[1] + j * dilation[1], k] * kernel[i, j, k, f]

where x is zero outside of the image. (As in all of deep learning, the kernel is not
turned around: mathematicians call it a correlation.) With groups, the channels and the
filters are divided into as many equal parts, and a filter sees the channels of its part
only: ``kernel.shape[2]`` is the number of channels of one part.

The windows are copied into the rows of a matrix, a bounded block of outputs at a time,
so that each pass is a matrix product. With P the matrix of windows of one group:

    out = P @ kernel,    d_kernel = P.T @ d_out,    d_P = d_out @ kernel.T

and d_x adds up the entries of d_P where they were copied from.
"""

from functools import partial

import numpy as np

from skdeep.kernels.runtime.contract import compiled
from skdeep.kernels.runtime.image_window import places

__all__ = [
    "convolution_backward_bias",
    "convolution_backward_input",
    "convolution_backward_kernel",
    "convolution_forward",
    "convolution_scratch",
]

#: The numbers that a block of windows has, unless a single row of outputs has more.
BLOCK_NUMBERS = 1 << 17
# With fewer channels, copies are faster along the image than along the window.
_FEW_CHANNELS = 8


def convolution_scratch(kernel_shape, channels, out_columns):
    """The numbers in the scratch memory of all three passes.

    Parameters
    ----------
    kernel_shape : tuple of four int
        Rows, columns, channels of a group, filters.

    channels : int
        The channels of the input.

    out_columns : int
        The columns of the output.

    Returns
    -------
    size : int
    """
    rows, columns, group_channels, filters = kernel_shape
    line = out_columns * rows * columns * channels
    weights = rows * columns * group_channels * filters
    return weights + max(BLOCK_NUMBERS, line)


def _flops(x, kernel, out):
    """Two for each weight and output."""
    rows, columns, group_channels, _ = kernel.shape
    return 2.0 * out.size * rows * columns * group_channels


def _check(x, kernel, out, strides, dilation, **_):
    """Groups divide channels and filters, and windows are somewhere."""
    channels, filters, group_channels = x.shape[3], out.shape[3], kernel.shape[2]
    groups = channels // max(group_channels, 1)
    if groups < 1 or groups * group_channels != channels or filters % groups:
        raise ValueError(
            f"a convolution's kernel of shape {kernel.shape} does not go with {channels} "
            f"channels and {filters} filters."
        )
    if min(*strides, *dilation, *kernel.shape[:2]) < 1:
        raise ValueError(
            f"strides={strides}, dilation={dilation} and the window {kernel.shape[:2]} of "
            "a convolution must be at least 1."
        )


def _scratch_sizes(sizes):
    weights = [sizes[axis] for axis in _WEIGHTS.split()]
    return {"block": convolution_scratch(weights, sizes["channels"], sizes["out_columns"])}


_INPUTS = "rows in_rows in_columns channels"
_OUTPUTS = "rows out_rows out_columns filters"
_WEIGHTS = "window_rows window_columns group_channels filters"
_declare = partial(
    compiled,
    strides="pair",
    dilation="pair",
    padding="pair",
    work="block",
    scratch_sizes=_scratch_sizes,
)


@_declare(
    "rows",
    writes="out",
    scratch="work",
    optional="bias",
    flops=lambda x, kernel, out, **_: _flops(x, kernel, out),
    check=lambda x, kernel, out, **rest: _check(x, kernel, out, **rest),
    x=_INPUTS,
    kernel=_WEIGHTS,
    bias="filters",
    out=_OUTPUTS,
)
def convolution_forward(x, kernel, bias, strides, dilation, padding, work, out):
    windows = _Windows(x, kernel, strides, dilation, padding, out)
    weights = windows.weights(kernel)
    for block in windows.blocks(work):
        target = block.outputs(out)
        np.matmul(block.gather(x), weights, out=windows.by_group(target))
        if bias is not None:
            np.add(target, bias, out=target)


@_declare(
    "sum",
    writes="d_kernel",
    scratch="work",
    flops=lambda x, d_out, d_kernel, **_: _flops(x, d_kernel, d_out),
    check=lambda x, d_kernel, d_out, **rest: _check(x, d_kernel, d_out, **rest),
    x=_INPUTS,
    d_out=_OUTPUTS,
    d_kernel=_WEIGHTS,
)
def convolution_backward_kernel(x, d_out, strides, dilation, padding, work, d_kernel):
    windows = _Windows(x, d_kernel, strides, dilation, padding, d_out)
    product = work[: d_kernel.size].reshape(d_kernel.shape)
    d_kernel.fill(0)
    for block in windows.blocks(work[d_kernel.size :]):
        matrix = block.gather(x).transpose(0, 2, 1)
        d_outputs = windows.by_group(block.outputs(d_out))
        np.matmul(matrix, d_outputs, out=windows.weights(product))
        np.add(d_kernel, product, out=d_kernel)


@compiled("sum", writes="d_bias", d_out=_OUTPUTS, d_bias="filters")
def convolution_backward_bias(d_out, d_bias):
    np.add.reduce(d_out.reshape(-1, d_bias.size), axis=0, out=d_bias)


@_declare(
    "rows",
    writes="d_x",
    scratch="work",
    flops=lambda d_out, kernel, d_x, **_: _flops(d_x, kernel, d_out),
    check=lambda d_x, kernel, d_out, **rest: _check(d_x, kernel, d_out, **rest),
    d_out=_OUTPUTS,
    kernel=_WEIGHTS,
    d_x=_INPUTS,
)
def convolution_backward_input(d_out, kernel, strides, dilation, padding, work, d_x):
    windows = _Windows(d_x, kernel, strides, dilation, padding, d_out)
    weights = windows.weights(kernel).transpose(0, 2, 1)
    d_x.fill(0)
    for block in windows.blocks(work):
        d_outputs = windows.by_group(block.outputs(d_out))
        np.matmul(d_outputs, weights, out=block.matrix)
        block.scatter(d_x)


class _Windows:
    """The windows of a convolution, and how its arrays are seen as matrices by group."""

    def __init__(self, x, kernel, strides, dilation, padding, out):
        self.n, self.out_size = out.shape[0], out.shape[1:3]
        self.in_size, self.channels = x.shape[1:3], x.shape[3]
        self.window, self.group_channels = kernel.shape[:2], kernel.shape[2]
        self.groups = self.channels // self.group_channels
        self.strides, self.dilation, self.padding = strides, dilation, padding

    def weights(self, kernel):
        """The kernel as a matrix for each group: (groups, weights, filters)."""
        filters = kernel.shape[3] // self.groups
        return kernel.reshape(-1, self.groups, filters).transpose(1, 0, 2)

    def by_group(self, outputs):
        """Outputs as a matrix for each group: (groups, outputs, filters)."""
        filters = outputs.shape[-1] // self.groups
        return outputs.reshape(-1, self.groups, filters).transpose(1, 0, 2)

    def blocks(self, work):
        """Cut the outputs into blocks whose windows fit: samples, or rows of one."""
        rows, columns = self.out_size
        line = columns * self.window[0] * self.window[1] * self.channels
        if line * rows <= work.size:
            at_a_time = max(work.size // (line * rows), 1)
            for start in range(0, self.n, at_a_time):
                samples = slice(start, min(start + at_a_time, self.n))
                # a block of as many samples has left zeros around the images
                clean = 0 < start <= self.n - at_a_time
                yield _Block(self, work, samples, slice(0, rows), clean)
            return
        at_a_time = work.size // line
        for sample in range(self.n):
            for start in range(0, rows, at_a_time):
                band = slice(start, min(start + at_a_time, rows))
                yield _Block(self, work, slice(sample, sample + 1), band, False)


class _Block:
    """The windows of some samples and some rows of outputs, as a matrix for each group.

    ``matrix`` is of shape (groups, outputs, places of the window and channels);
    ``windows`` shows the same memory by (group, sample, row, column, place, place,
    channel).
    """

    def __init__(self, windows, work, samples, rows, clean):
        self.samples, self.rows, self._clean = samples, rows, clean
        n, n_rows = samples.stop - samples.start, rows.stop - rows.start
        outputs = n, n_rows, windows.out_size[1]
        place = (*windows.window, windows.group_channels)
        groups = windows.groups
        n_outputs, n_places = n * n_rows * outputs[2], place[0] * place[1] * place[2]
        memory = work[: groups * n_outputs * n_places]
        if windows.group_channels < _FEW_CHANNELS:
            self.windows = memory.reshape(groups, *place, *outputs)
            self.windows = self.windows.transpose(0, 4, 5, 6, 1, 2, 3)
            self.matrix = memory.reshape(groups, n_places, n_outputs).transpose(0, 2, 1)
        else:
            self.windows = memory.reshape(groups, *outputs, *place)
            self.matrix = memory.reshape(groups, n_outputs, n_places)
        self._memory = memory
        self._groups = groups
        self._places = places(
            windows.in_size,
            (n_rows, windows.out_size[1]),
            windows.window,
            windows.strides,
            windows.dilation,
            (windows.padding[0] - rows.start * windows.strides[0], windows.padding[1]),
        )

    def outputs(self, out):
        """The block's part of an array of outputs."""
        return out[self.samples, self.rows]

    def _inputs(self, x):
        """The block's samples by (group, sample, row, column, channel)."""
        x = x[self.samples]
        return x.reshape(*x.shape[:3], self._groups, -1).transpose(3, 0, 1, 2, 4)

    def gather(self, x):
        """Copy the windows into the matrix, with zeros around the images."""
        x = self._inputs(x)
        if not self._clean:
            self._memory.fill(0)
        for (i, j), outputs, inputs in self._places:
            self.windows[:, :, *outputs, i, j] = x[:, :, *inputs]
        return self.matrix

    def scatter(self, d_x):
        """Add the windows to where they would be copied from."""
        d_x = self._inputs(d_x)
        for (i, j), outputs, inputs in self._places:
            part = d_x[:, :, *inputs]
            np.add(part, self.windows[:, :, *outputs, i, j], out=part)
