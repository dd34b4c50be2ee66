"""Which inputs a window that slides over an image covers, as slices for each place in it.

A window covers ``kernel_size`` places, ``dilation`` apart; the output at row ``r`` sees
the input rows ``r * stride - padding + i * dilation``, for every row ``i`` of the window.
Columns are alike. Places outside of the input hold nothing.
"""


def covered(in_size, out_size, offset, stride):
    """The outputs for which ``output * stride + offset`` is an input, and these inputs.

    Parameters
    ----------
    in_size, out_size : int
        The inputs and the outputs along an axis.

    offset : int
        Where the first output looks.

    stride : int
        How far the next output looks from there.

    Returns
    -------
    outputs, inputs : slice
        As long as each other; empty where no output finds an input.
    """
    start = max(0, -(offset // stride))
    stop = min(out_size, (in_size - 1 - offset) // stride + 1)
    if stop <= start:
        return slice(0, 0), slice(0, 0)
    return (
        slice(start, stop),
        slice(start * stride + offset, (stop - 1) * stride + offset + 1, stride),
    )


def _meeting(in_size, out_size, window, stride, dilation, padding):
    """The places of a window along an axis that may ever be on an input."""
    first = -((padding - (out_size - 1) * stride) // -dilation)
    last = (in_size - 1 + padding) // dilation
    return range(max(first, 0), min(last + 1, window))


def places(in_size, out_size, window, strides, dilation, padding):
    """Go through the places of a window of two axes that see an input, row by row.

    Parameters
    ----------
    in_size, out_size, window, strides, dilation, padding : tuple of two int
        Rows and columns of inputs, outputs and window; the padding is that before the
        first row and column.

    Yields
    ------
    place : tuple of two int
        The row and the column in the window.

    outputs, inputs : tuple of two slice
        Rows and columns of the outputs that find an input at this place, and of these
        inputs.
    """
    rows, columns = (
        _meeting(*axis)
        for axis in zip(in_size, out_size, window, strides, dilation, padding, strict=True)
    )
    for i in rows:
        offset = i * dilation[0] - padding[0]
        out_rows, in_rows = covered(in_size[0], out_size[0], offset, strides[0])
        for j in columns:
            offset = j * dilation[1] - padding[1]
            out_columns, in_columns = covered(in_size[1], out_size[1], offset, strides[1])
            yield (i, j), (out_rows, out_columns), (in_rows, in_columns)
