"""Windows that slide over images and signals: where they stop, and what is around."""

import math
from dataclasses import dataclass
from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from skdeep.engine.program import ROWS
from skdeep.kernels import WINDOW_LIMIT
from skdeep.validation.messages import plain

_WHOLE = [Interval(Integral, 1, None, closed="left"), tuple, list]

#: What the parameters of windows may be.
WINDOW_CONSTRAINTS = {
    "strides": _WHOLE,
    "padding": [
        StrOptions({"same", "valid"}),
        Interval(Integral, 0, None, closed="left"),
        tuple,
        list,
    ],
}
#: What the sizes of windows and their dilation may be.
SIZE_CONSTRAINT = _WHOLE


@dataclass(frozen=True)
class Window:
    """A window over the rows and columns of an image; a signal is an image of one row.

    Parameters
    ----------
    size, strides, dilation, padding : tuple of two int
        As kernels take them; the padding is that before the first row and column.

    in_size, out_size : tuple of two int
        Rows and columns of the input, and the windows along each.

    is_signal : bool
        Whether the input has one axis besides its channels.
    """

    size: tuple
    strides: tuple
    dilation: tuple
    padding: tuple
    in_size: tuple
    out_size: tuple
    is_signal: bool

    @classmethod
    def over(cls, input_shape, size, strides, padding, dilation=1, *, name):
        """The window over inputs of a shape, from a layer's parameters.

        Raises
        ------
        ValueError
            Where the shape is not that of images or signals, or the window does not fit.
        """
        axes = check_image(input_shape)
        n = len(axes)
        size = _per_axis(name, size, n)
        strides = _per_axis("strides", strides, n)
        dilation = _per_axis("dilation", dilation, n)
        before, out_size = [], []
        for axis in range(n):
            reach = (size[axis] - 1) * dilation[axis] + 1
            if size[axis] > 1 and dilation[axis] > 1 and dilation[axis] >= axes[axis]:
                raise ValueError(
                    f"dilation={dilation[axis]} is more than an input of {axes[axis]} "
                    f"places allows: of the {size[axis]} places of a window ({name}) all "
                    "but one would be padding. It must be at most "
                    f"{max(axes[axis] - 1, 1)}."
                )
            first, last = _padding(padding, axis, n, axes[axis], reach, strides[axis])
            room = axes[axis] + first + last - reach
            if room < 0:
                raise ValueError(
                    f"a window that reaches over {reach} places ({name}={size[axis]}, "
                    f"dilation={dilation[axis]}) does not fit into "
                    f"{axes[axis]} + {first + last} of padding."
                )
            before.append(first)
            out_size.append(room // strides[axis] + 1)
        if math.prod(size) >= WINDOW_LIMIT:
            raise ValueError(
                f"{name}={size} makes windows of {math.prod(size)} places; they must have "
                f"fewer than {WINDOW_LIMIT}."
            )

        def both(values, fill):
            return tuple(values) if n == 2 else (fill, *values)

        return cls(
            both(size, 1),
            both(strides, 1),
            both(dilation, 1),
            both(before, 0),
            both(axes, 1),
            both(out_size, 1),
            n == 1,
        )

    @property
    def geometry(self):
        """The numbers that kernels of convolutions take."""
        return {
            "strides": self.strides,
            "dilation": self.dilation,
            "padding": self.padding,
        }

    def output_shape(self, channels):
        """The shape of one sample's output."""
        return (*self.out_size[self.is_signal :], channels)

    def image(self, buffer):
        """A buffer of images or signals with four axes, as kernels take it."""
        if self.is_signal:
            return buffer.view((ROWS, 1, *buffer.shape[1:]))
        return buffer


def check_image(shape):
    """The shape of an image or a signal without its channels.

    Raises
    ------
    ValueError
        Where it is neither, or has no place at all.
    """
    if len(shape) not in (2, 3):
        raise ValueError(
            "it takes images of shape (height, width, channels) or signals of shape "
            "(length, channels). Give the estimator such an X or its input_shape, put a "
            "Reshape before, or no Flatten."
        )
    return tuple(shape[:-1])


def _per_axis(name, value, n):
    """A parameter as a tuple with one whole number above zero for each axis."""
    values = (value,) * n if isinstance(value, Integral) else tuple(value)
    if len(values) != n:
        kind = "signals have 1 axis" if n == 1 else "images have 2 axes"
        raise ValueError(
            f"{name}={plain(value)!r} has {len(values)} numbers, but {kind} besides "
            "channels."
        )
    if not all(isinstance(v, Integral) and 1 <= v < WINDOW_LIMIT for v in values):
        raise ValueError(
            f"{name}={plain(value)!r} must be whole numbers from 1 to {WINDOW_LIMIT - 1}."
        )
    return tuple(int(v) for v in values)


def _padding(padding, axis, n, size, reach, stride):
    """The padding before and after an axis."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        return total // 2, total - total // 2
    if not isinstance(padding, Integral):
        if len(padding) != n:
            raise ValueError(
                f"padding={plain(padding)!r} must have an entry for each of {n} axes: a "
                "number, or a pair for before and after."
            )
        padding = padding[axis]
    pair = (padding, padding) if isinstance(padding, Integral) else tuple(padding)
    if len(pair) != 2 or not all(
        isinstance(p, Integral) and 0 <= p < WINDOW_LIMIT for p in pair
    ):
        raise ValueError(
            f"padding={plain(padding)!r} must be whole numbers from 0 to "
            f"{WINDOW_LIMIT - 1}: one, or a pair for before and after."
        )
    return int(pair[0]), int(pair[1])


def by_place(buffer):
    """A buffer of images or signals as (rows, places, channels)."""
    return buffer.view((ROWS, math.prod(buffer.shape[1:-1]), buffer.shape[-1]))
