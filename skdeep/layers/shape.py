"""Layers that only say how the same numbers are arranged: they make no calls."""

import math
from numbers import Integral

from skdeep.engine.program import ROWS
from skdeep.layers.layer import Layer
from skdeep.validation.messages import plain


class _Rearrangement(Layer):
    """Base: a view of the input, and of the gradient on the way back."""

    def forward(self, scope, x):
        scope.keep("x", x)
        return x.view((ROWS, *self.output_shape(x.shape[1:])))

    def backward_input(self, scope, d_out):
        return d_out.view(scope["x"].shape)


class Flatten(_Rearrangement):
    """Every sample as one row of numbers, as dense layers take them.

    Examples
    --------
    >>> from skdeep.layers import Flatten
    >>> Flatten().output_shape((7, 7, 64))
    (3136,)
    """

    def output_shape(self, input_shape):
        return (math.prod(input_shape),)


class Reshape(_Rearrangement):
    """Every sample in another shape.

    Parameters
    ----------
    target_shape : int or tuple of int
        The shape of a sample; one entry may be -1, and is found from the others.

    Examples
    --------
    >>> from skdeep.layers import Reshape
    >>> Reshape((28, 28, 1)).output_shape((784,))
    (28, 28, 1)
    >>> Reshape((-1, 4)).output_shape((100,))
    (25, 4)
    """

    _parameter_constraints = {"target_shape": [Integral, tuple, list]}

    def __init__(self, target_shape):
        self.target_shape = target_shape

    def output_shape(self, input_shape):
        shape = self.target_shape
        shape = (shape,) if isinstance(shape, Integral) else tuple(shape)
        wrong = [n for n in shape if not isinstance(n, Integral) or n == 0 or n < -1]
        if wrong or shape.count(-1) > 1:
            raise ValueError(
                f"target_shape={plain(shape)} must be whole numbers above 0, of which one "
                "may be -1."
            )
        total = math.prod(input_shape)
        known = math.prod(n for n in shape if n != -1)
        if total % known or (-1 not in shape and total != known):
            raise ValueError(
                f"{total} numbers do not make an array of shape {plain(shape)}, which has "
                f"{'a multiple of ' if -1 in shape else ''}{known}."
            )
        return tuple(total // known if n == -1 else int(n) for n in shape)
