"""A convolution step by step: every place of the window, the products, and their sums."""

from dataclasses import dataclass

import numpy as np

from skdeep.inspection.plotting import import_pyplot
from skdeep.layers.window import Window

# Steps that are printed before the rest is left out.
_PRINTED_STEPS = 12


@dataclass(frozen=True)
class ConvolutionStep:
    """One place of the window.

    Parameters
    ----------
    row, column : int
        Which output it is.

    top, left : int
        Where the window begins in the padded image.

    window : ndarray of shape (rows, columns, channels)
        What the kernel sees there.

    kernel : ndarray of shape (rows, columns, channels)
        The kernel.

    bias : float
        What is added to the sum.
    """

    row: int
    column: int
    top: int
    left: int
    window: np.ndarray
    kernel: np.ndarray
    bias: float

    @property
    def products(self):
        """The window times the kernel, place by place."""
        return self.window * self.kernel + 0.0  # no zero keeps a sign

    @property
    def sum(self):
        """The output: the sum of all products, plus the bias."""
        return float(self.products.sum() + self.bias)

    def __str__(self):
        lines = [
            f"output ({self.row}, {self.column}): window at row {self.top}, "
            f"column {self.left}"
        ]
        for channel in range(self.window.shape[2]):
            if self.window.shape[2] > 1:
                lines.append(f"  channel {channel}")
            blocks = [
                _rows(array[:, :, channel])
                for array in (self.window, self.kernel, self.products)
            ]
            for number, (a, b, c) in enumerate(zip(*blocks, strict=True)):
                middle = number == (len(blocks[0]) - 1) // 2
                signs = ("  *  ", "  =  ") if middle else ("     ", "     ")
                lines.append(f"  {a}{signs[0]}{b}{signs[1]}{c}")
        terms = " ".join(_signed(p) for p in self.products.ravel())
        terms = terms.removeprefix("+ ")
        bias = f" {_signed(self.bias)} (bias)" if self.bias else ""
        lines.append(f"  sum: {terms}{bias} = {self.sum:.6g}")
        return "\n".join(lines)


class ConvolutionExplanation:
    """All steps of a convolution of one image with one kernel.

    Print it to read the steps, `plot` draws one of them.

    Parameters
    ----------
    image : ndarray of shape (height, width, channels)
        The image, without padding; a signal has the height 1.

    padded : ndarray of shape (padded height, padded width, channels)
        The image with the zeros around it.

    steps : list of ConvolutionStep
        Every place of the window, row by row.

    output : ndarray of shape (output height, output width)
        The sums; of a signal, of shape (output length,).

    dilation : tuple of two int
        How far apart the places of the window are, along rows and columns.
    """

    def __init__(self, image, padded, steps, output, dilation):
        self.image = image
        self.padded = padded
        self.steps = steps
        self.output = output
        self.dilation = dilation

    def __getitem__(self, position):
        """The step of an output: of ``(row, column)``, or its number."""
        if isinstance(position, tuple):
            row, column = position
            position = row * np.atleast_2d(self.output).shape[1] + column
        return self.steps[position]

    def __len__(self):
        return len(self.steps)

    def __str__(self):
        shape = " x ".join(map(str, self.steps[0].kernel.shape[:2]))
        lines = [f"A kernel of {shape} at {len(self.steps)} places"]
        lines += [str(step) for step in self.steps[:_PRINTED_STEPS]]
        if len(self.steps) > _PRINTED_STEPS:
            lines.append(
                f"... and {len(self.steps) - _PRINTED_STEPS} more: print one with "
                "explanation[row, column]"
            )
        table = "\n".join(f"  {row}" for row in _rows(np.atleast_2d(self.output)))
        return "\n".join([*lines, "all outputs", table])

    def plot(self, row=0, column=0, channel=0, axes=None):
        """Draw one step: the image with the window, kernel, products and outputs.

        Parameters
        ----------
        row, column : int, default=0
            The output whose step is drawn.

        channel : int, default=0
            The channel of the image that is drawn.

        axes : array of four matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        axes : ndarray of four matplotlib Axes

        Raises
        ------
        ImportError
            Where Matplotlib is not installed.
        """
        pyplot, step = import_pyplot(), self[row, column]
        if axes is None:
            _, axes = pyplot.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
        output = np.atleast_2d(self.output)
        titles = ("image and window", "kernel", "products", f"outputs: {step.sum:.4g}")
        shown = (
            self.padded[:, :, channel],
            step.kernel[:, :, channel],
            step.products[:, :, channel],
            output,
        )
        for ax, title, values in zip(axes, titles, shown, strict=True):
            largest = max(np.abs(values).max(), 1e-12)
            ax.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest)
            ax.set(title=title, xticks=[], yticks=[])
            if values.size <= 144:
                for (i, j), value in np.ndenumerate(values):
                    ax.text(j, i, f"{value:.3g}", ha="center", va="center", fontsize=8)
        for i, j in np.ndindex(*step.kernel.shape[:2]):
            x, y = step.left + j * self.dilation[1], step.top + i * self.dilation[0]
            corner = x - 0.5, y - 0.5
            axes[0].add_patch(pyplot.Rectangle(corner, 1, 1, fill=False, lw=2))
        corner = column - 0.5, row - 0.5
        axes[3].add_patch(pyplot.Rectangle(corner, 1, 1, fill=False, lw=2))
        return axes


def explain_convolution(image, kernel, *, bias=0.0, strides=1, padding="valid", dilation=1):
    """Go through a convolution of one image, or signal, with one kernel.

    Parameters
    ----------
    image : array-like of shape (height, width), (height, width, channels) or (length,)
        What is looked at.

    kernel : array-like of shape (rows, columns), (rows, columns, channels) or (places,)
        The weights of one filter, with the channels of the image.

    bias : float, default=0.0
        What is added to every sum.

    strides, padding, dilation : as for `skdeep.layers.Conv`
        How far the window moves, the zeros around the image, and how far apart the
        places of the window are.

    Returns
    -------
    explanation : ConvolutionExplanation
        It prints and plots; ``explanation.output`` is the result, and
        ``explanation[row, column]`` one step with its window, products and sum.

    Raises
    ------
    ValueError
        Where image and kernel do not fit each other.

    Examples
    --------
    >>> from skdeep.inspection import explain_convolution
    >>> image = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    >>> explanation = explain_convolution(image, [[1, -1], [0, 2]])
    >>> print(explanation[0, 1])
    output (0, 1): window at row 0, column 1
      2 3  *  1 -1  =  2 -3
      5 6     0  2     0 12
      sum: 2 - 3 + 0 + 12 = 11
    >>> explanation.output
    array([[ 9., 11.],
           [15., 17.]])
    """
    image, kernel = np.asarray(image, float), np.asarray(kernel, float)
    if image.ndim != kernel.ndim or not 1 <= image.ndim <= 3:
        raise ValueError(
            "image and kernel must both have 1 axis (a signal), 2 (an image) or 3 (with "
            f"channels). Got the shapes {image.shape} and {kernel.shape}."
        )
    if image.ndim == 3 and image.shape[2] != kernel.shape[2]:
        raise ValueError(
            f"image has {image.shape[2]} channels, but kernel has {kernel.shape[2]}."
        )
    is_signal = image.ndim == 1
    channels = image.shape[2] if image.ndim == 3 else 1
    window = Window.over(
        (*image.shape[:2], channels),
        kernel.shape[:2],
        strides,
        padding,
        dilation,
        name="kernel_size",
    )
    image = image.reshape(*window.in_size, channels)
    kernel = kernel.reshape(*window.size, channels)
    padded = _padded(image, window)
    steps = []
    for row, column in np.ndindex(*window.out_size):
        top, left = row * window.strides[0], column * window.strides[1]
        rows = top + np.arange(window.size[0]) * window.dilation[0]
        columns = left + np.arange(window.size[1]) * window.dilation[1]
        seen = padded[np.ix_(rows, columns)]
        steps.append(ConvolutionStep(row, column, top, left, seen, kernel, float(bias)))
    output = np.reshape([step.sum for step in steps], window.out_size)
    output = output[0] if is_signal else output
    return ConvolutionExplanation(image, padded, steps, output, window.dilation)


def _padded(image, window):
    """The image with zeros up to the end of the last window."""
    widths = []
    for axis in (0, 1):
        before = window.padding[axis]
        reach = (window.size[axis] - 1) * window.dilation[axis] + 1
        end = (window.out_size[axis] - 1) * window.strides[axis] + reach
        widths.append((before, max(end - before - window.in_size[axis], 0)))
    return np.pad(image, (*widths, (0, 0)))


def _rows(values):
    """A table of numbers as lines with aligned columns."""
    texts = [[f"{value:.4g}" for value in row] for row in values]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        " ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True))
        for row in texts
    ]


def _signed(value):
    return f"{'-' if value < 0 else '+'} {abs(value):.4g}"
