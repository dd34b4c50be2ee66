"""Mean and variance of each feature: stable, weighted, without NaN, mergeable."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.sparse import issparse

from skdeep.preprocessing.blocks import (
    BLOCK,
    column_indices,
    count_features,
    count_rows,
    measured,
    row_blocks,
)
from skdeep.preprocessing.extremes import Extremes

#: What lies between is squared and added up without overflow or loss of digits.
_SMALL, _LARGE = 1e-120, 1e120
_TINIEST = np.finfo(float).tiny


@dataclass(frozen=True)
class Moments:
    """Mean and mean squared deviation of each feature, in float64.

    Each block is centred on its own mean before anything is squared, and blocks are joined
    by the formula of Chan, Golub and LeVeque (1983, equation 1.5), so that a large mean
    costs no digits of the variance.

    Attributes
    ----------
    count : ndarray of int
        The number of values that are not NaN and weigh something.
    weight : ndarray
        The sum of their weights: `count` itself, where there were none.
    exponent : ndarray of int
        The mean is in units of 2^exponent and the variance in their squares: 0, but for
        values whose squares float64 cannot hold.
    unit_mean, unit_variance : ndarray
        Mean and variance in these units.
    """

    count: np.ndarray
    weight: np.ndarray
    exponent: np.ndarray
    unit_mean: np.ndarray
    unit_variance: np.ndarray

    @classmethod
    def of(cls, X, axes, weight):
        """The moments of the features of X; weight is None or one number a sample."""
        with np.errstate(over="ignore", invalid="ignore"):
            moments = cls._in_units(X, axes, weight, 0)
        if np.isnan(moments.unit_variance).any():
            extremes = Extremes.of(X, axes, weight)
            size = np.fmax(np.abs(extremes.minimum), np.abs(extremes.maximum))
            ordinary = ~(size > 0) | ((size > _SMALL) & (size < _LARGE))
            exponent = np.where(ordinary, 0, np.frexp(size)[1])
            moments = cls._in_units(X, axes, weight, exponent)
        return moments

    @classmethod
    def _in_units(cls, X, axes, weight, exponent):
        """The moments in such units; the variance is NaN where they do not suit."""
        largest = 1
        if weight is not None:
            largest = weight.max()
            weight = weight / largest
        if issparse(X):
            parts = _sparse_parts(X, weight, exponent)
        elif weight is None:
            parts = measured(partial(_of_block, exponent=exponent), X, axes)
        else:
            parts = _weighted_parts(X, axes, weight, exponent)
        none = np.zeros(count_features(X, axes), dtype=int)
        total = cls(none, none, none + exponent, none / 1.0, none / 1.0)
        for count, number, mean, variance in parts:
            total = total.merge(cls(count, number, total.exponent, mean, variance))
        return replace(total, weight=total.weight * largest)

    def merge(self, other):
        """The moments of both parts of the data together."""
        if not np.array_equal(self.exponent, other.exponent):
            exponent = np.where(other._says_more(self), other.exponent, self.exponent)
            return self._in(exponent).merge(other._in(exponent))
        weight = self.weight + other.weight
        share = np.divide(other.weight, weight, out=np.zeros(len(weight)), where=weight > 0)
        apart = other.unit_mean - self.unit_mean
        beyond = other.unit_variance - self.unit_variance + (1 - share) * apart**2
        variance = self.unit_variance + share * beyond
        mean = self.unit_mean + apart * share
        return Moments(self.count + other.count, weight, self.exponent, mean, variance)

    def _says_more(self, other):
        """Where this part's units are to be taken: larger, or the other has only zeros."""
        empty = (other.unit_mean == 0) & (other.unit_variance == 0)
        return (self.exponent > other.exponent) | empty

    def _in(self, exponent):
        """The same in other units."""
        change = self.exponent - exponent
        return replace(
            self,
            exponent=exponent,
            unit_mean=np.ldexp(self.unit_mean, change),
            unit_variance=np.ldexp(self.unit_variance, 2 * change),
        )

    @property
    def mean(self):
        """The mean; NaN where there are no values."""
        return np.where(self.count > 0, np.ldexp(self.unit_mean, self.exponent), np.nan)

    @property
    def variance(self):
        """The mean squared deviation: infinite or 0 where float64 cannot hold it."""
        with np.errstate(over="ignore", under="ignore"):
            variance = np.ldexp(self.unit_variance, 2 * self.exponent)
        return np.where(self.count > 0, variance, np.nan)

    @property
    def deviation(self):
        """The root of the mean squared deviation; NaN where there are no values."""
        deviation = np.ldexp(np.sqrt(self.unit_variance), self.exponent)
        return np.where(self.count > 0, deviation, np.nan)

    def is_constant(self):
        """Whether a feature cannot be told from a constant one.

        The bound is scikit-learn's, from Chan, Golub and LeVeque, for as many samples as
        lie in a block: more of them do not make the sums less exact.
        """
        epsilon = np.finfo(float).eps
        n, variance = np.minimum(self.count, 1024), self.unit_variance
        bound = n * epsilon * variance + (n * self.unit_mean * epsilon) ** 2
        return (self.count > 0) & (variance <= bound)


def _fold(total, count):
    """Sums over wide rows as sums of each feature."""
    return total.reshape(-1, count).sum(axis=0)


def _in_float64(block, exponent):
    """A copy of a block, in units of 2^exponent of each feature."""
    x = block.astype(np.float64)
    if np.any(exponent):
        np.ldexp(x, -np.tile(exponent, x.shape[-1] // len(exponent)), out=x)
    return x


def _of_block(block, count, exponent):
    x = _in_float64(block, exponent)
    total = _fold(x.sum(axis=0), count)
    number, missing = np.full(count, x.size // count), None
    if not np.isfinite(total).all():
        missing = np.isnan(x)
        number = number - _fold(missing.sum(axis=0), count)
        x[missing] = 0.0
        total = _fold(x.sum(axis=0), count)
    mean = total / np.maximum(number, 1)
    x -= np.tile(mean, x.shape[1] // count)
    if missing is not None:
        x[missing] = 0.0
    rest = _fold(x.sum(axis=0), count)  # what rounding left of the mean
    squares = _fold(np.einsum("ij,ij->j", x, x), count)

    def deviates():
        return _fold((x != 0).any(axis=0), count) > 0

    return number, number, *_corrected(number, mean, rest, squares, deviates)


def _weighted_parts(X, axes, weight, exponent):
    rows = count_rows(X, axes) // len(X)
    for start, block in row_blocks(X, axes):
        x = _in_float64(block, exponent)
        w = weight[np.arange(start, start + len(x)) // rows, None]
        w = np.where(np.isnan(x), 0.0, w)
        x[np.isnan(x)] = 0.0
        number = w.sum(axis=0)
        positive = np.where(number > 0, number, 1.0)
        mean = (w * x).sum(axis=0) / positive
        x -= mean
        rest, squares = (w * x).sum(axis=0), (w * x * x).sum(axis=0)
        count = np.count_nonzero(w, axis=0)

        def deviates(x=x):
            return (x != 0).any(axis=0)

        yield count, number, *_corrected(number, mean, rest, squares, deviates)


def _sparse_parts(X, weight, exponent):
    """Parts of stored values, and last the zeros that are not stored."""
    columns = column_indices(X)
    rows = X.indices
    if X.format == "csr":
        rows = np.repeat(np.arange(X.shape[0], dtype=rows.dtype), np.diff(X.indptr))
    weighted = weight is not None
    weight = weight if weighted else np.ones(X.shape[0])
    count = X.shape[1]
    stored, entries = np.zeros(count), np.zeros(count, dtype=int)
    step = max(BLOCK, count)
    for start in range(0, X.nnz, step):
        part = slice(start, start + step)
        x, column, w = X.data[part].astype(np.float64), columns[part], weight[rows[part]]
        if np.any(exponent):
            np.ldexp(x, -exponent[column], out=x)
        stored += np.bincount(column, w, count)
        entries += np.bincount(column[w > 0], minlength=count)
        w = np.where(np.isnan(x), 0.0, w)
        x[np.isnan(x)] = 0.0
        number = np.bincount(column, w, count)
        positive = np.where(number > 0, number, 1.0)
        mean = np.bincount(column, w * x, count) / positive
        x -= mean[column]
        rest = np.bincount(column, w * x, count)
        squares = np.bincount(column, w * x * x, count)
        known = np.bincount(column[w > 0], minlength=count)

        def deviates(x=x, column=column):
            return np.bincount(column[x != 0], minlength=count) > 0

        moments = _corrected(number, mean, rest, squares, deviates)
        yield known, number if weighted else known, *moments
    zeros = np.count_nonzero(weight) - entries
    weights = np.where(zeros > 0, np.maximum(weight.sum() - stored, 0.0), 0.0)
    yield zeros, weights if weighted else zeros, np.zeros(count), np.zeros(count)


def _corrected(number, mean, rest, squares, deviates):
    """Mean and variance; NaN where squares are beyond what float64 holds well.

    `deviates` tells in which features any value is not the mean.
    """
    positive = np.maximum(number, _TINIEST)
    variance = np.maximum(squares - rest**2 / positive, 0.0) / positive
    odd = (squares < _SMALL**2) | ~(squares < _LARGE**2)
    if odd.any():
        small = (np.abs(mean) < _SMALL) & (squares < _SMALL**2)
        small &= (mean != 0) | deviates()
        large = ~((np.abs(mean) < _LARGE) & (squares < _LARGE**2))
        variance[small | large] = np.nan
    return mean + rest / positive, variance
