"""Mean and variance of each feature: stable, weighted, without NaN, mergeable."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Moments:
    """Weight, mean, and weighted sum of squared deviations from the mean, in float64.

    Each block is centred on its own mean before anything is squared, and blocks are joined
    by the formula of Chan, Golub and LeVeque (1983, equation 1.5), so that a large mean
    costs no digits of the variance.
    """

    weight: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, X, axes, weight):
        """The moments of the features of X; weight is None or one number a sample."""
        count = count_features(X, axes)
        total = cls(np.zeros(count), np.zeros(count), np.zeros(count))
        if issparse(X):
            parts = _sparse_parts(X, weight)
        elif weight is None:
            parts = measured(_of_block, X, axes)
        else:
            parts = _weighted_parts(X, axes, weight)
        for part in parts:
            total = total.merge(cls(*part))
        return total

    def merge(self, other):
        """The moments of both parts of the data together."""
        weight = self.weight + other.weight
        share = np.divide(other.weight, weight, out=np.zeros_like(weight), where=weight > 0)
        apart = other.mean - self.mean
        squares = self.squares + other.squares + apart**2 * self.weight * share
        return Moments(weight, self.mean + apart * share, squares)

    @property
    def variance(self):
        """The mean squared deviation; NaN where there are no values."""
        with np.errstate(invalid="ignore"):
            return self.squares / self.weight

    def is_constant(self):
        """Whether a feature cannot be told from a constant one.

        The bound is scikit-learn's, from Chan, Golub and LeVeque, for as many samples as
        lie in a block: more of them do not make the sums less exact.
        """
        epsilon = np.finfo(float).eps
        n, variance = np.minimum(self.weight, 1024.0), self.variance
        return variance <= n * epsilon * variance + (n * self.mean * epsilon) ** 2


def _fold(total, count):
    """Sums over wide rows as sums of each feature."""
    return total.reshape(-1, count).sum(axis=0)


def _of_block(block, count):
    x = block.astype(np.float64)
    total = _fold(x.sum(axis=0), count)
    number, missing = float(x.size // count), None
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
    np.multiply(x, x, out=x)
    squares = _fold(x.sum(axis=0), count)
    return _corrected(np.broadcast_to(number, (count,)), mean, rest, squares)


def _weighted_parts(X, axes, weight):
    rows = count_rows(X, axes) // len(X)
    for start, block in row_blocks(X, axes):
        x = block.astype(np.float64)
        w = weight[np.arange(start, start + len(x)) // rows, None]
        w = np.where(np.isnan(x), 0.0, w)
        x[np.isnan(x)] = 0.0
        number = w.sum(axis=0)
        positive = np.where(number > 0, number, 1.0)
        mean = (w * x).sum(axis=0) / positive
        x -= mean
        yield _corrected(number, mean, (w * x).sum(axis=0), (w * x * x).sum(axis=0))


def _sparse_parts(X, weight):
    """Parts of stored values, and last the zeros that are not stored."""
    count = X.shape[1]
    columns = column_indices(X)
    weight = np.ones(X.shape[0]) if weight is None else weight
    rows = X.indices
    if X.format == "csr":
        rows = np.repeat(np.arange(X.shape[0], dtype=rows.dtype), np.diff(X.indptr))
    stored = np.zeros(count)
    step = max(BLOCK, count)
    for start in range(0, X.nnz, step):
        part = slice(start, start + step)
        x, column, w = X.data[part].astype(np.float64), columns[part], weight[rows[part]]
        stored += np.bincount(column, w, count)
        w = np.where(np.isnan(x), 0.0, w)
        x[np.isnan(x)] = 0.0
        number = np.bincount(column, w, count)
        positive = np.where(number > 0, number, 1.0)
        mean = np.bincount(column, w * x, count) / positive
        x -= mean[column]
        rest = np.bincount(column, w * x, count)
        yield _corrected(number, mean, rest, np.bincount(column, w * x * x, count))
    zeros = np.maximum(weight.sum() - stored, 0.0)
    zeros[zeros < 1e-12 * weight.sum()] = 0.0  # rounding of sums in another order
    yield zeros, np.zeros(count), np.zeros(count)


def _corrected(number, mean, rest, squares):
    positive = np.where(number > 0, number, 1.0)
    squares = np.maximum(squares - rest**2 / positive, 0.0)
    return number, mean + rest / positive, squares
