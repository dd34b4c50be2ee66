"""Scalers of the form (x - center) / scale + offset, with an optional bound."""

from abc import abstractmethod

import numpy as np

from skdeep.preprocessing.elementwise_scaler import ElementwiseScaler

_ROUNDING = 10 * np.finfo(float).eps


class AffineScaler(ElementwiseScaler):
    """Base of scalers that shift and stretch each feature.

    A subclass says by what (`_line`).
    """

    @abstractmethod
    def _line(self):
        """The center, scale and offset: an array of one number a feature, or None."""

    def _parameters(self, dtype):
        """The center is split in two, as float32 would round one of 1e8 to within 4."""
        center, scale, offset = self._line()
        coarse = rest = None
        if center is not None:
            coarse = center.astype(dtype)
            if coarse.dtype != center.dtype:
                rest = (center - coarse).astype(dtype)
        parts = coarse, rest, scale, offset
        return [p.astype(dtype) if p is not None and p.any() else None for p in parts]

    def _forward(self, x, out, center, rest, scale, offset):
        source = x
        for operation, parameter in (
            (np.subtract, center),
            (np.subtract, rest),
            (np.divide, scale),
            (np.add, offset),
        ):
            if parameter is not None:
                operation(source, parameter, out=out)
                source = out
        if source is x:
            out[...] = x
        self._bound(out)

    def _backward(self, x, out, center, rest, scale, offset):
        out[...] = x
        self._unbound(out)
        if offset is not None:
            out -= offset
        if scale is not None:
            out *= scale
        if rest is not None:
            out += rest
        if center is not None:
            out += center

    def _bound(self, out):
        """Change scaled values in place."""

    def _unbound(self, out):
        """Undo `_bound`."""


def without_zeros(scale, size):
    """A scale to divide by: 1 where it is no more than what rounds values of that size."""
    return np.where(is_rounding(scale, size), 1.0, scale)


def is_rounding(difference, size):
    """Whether a difference is no more than what rounds values of that size."""
    return difference <= _ROUNDING * size
