"""The smallest and the largest value of each feature: without NaN, mergeable."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse

from skdeep.preprocessing.blocks import (
    column_indices,
    count_features,
    count_rows,
    measured,
    row_blocks,
)


@dataclass(frozen=True)
class Extremes:
    """Minimum and maximum, in float64; NaN where there are no values."""

    minimum: np.ndarray
    maximum: np.ndarray

    @classmethod
    def of(cls, X, axes, weight):
        """The extremes of the features of X among samples with a positive weight."""
        count = count_features(X, axes)
        if issparse(X):
            return cls(*_of_sparse(X, weight))
        if weight is None or weight.all():
            parts = measured(_of_block, X, axes)
        else:
            blocks = _weighing_something(X, axes, weight)
            parts = (_of_block(block, count) for block in blocks)
        total = cls(np.full(count, np.nan), np.full(count, np.nan))
        for part in parts:
            total = total.merge(cls(*part))
        return total

    @property
    def size(self):
        """The largest absolute value."""
        return np.maximum(np.abs(self.minimum), np.abs(self.maximum))

    def merge(self, other):
        """The extremes of both parts of the data together."""
        return Extremes(
            np.fmin(self.minimum, other.minimum), np.fmax(self.maximum, other.maximum)
        )


def span(low, high):
    """high - low of each feature; an error where float64 cannot hold it."""
    with np.errstate(over="ignore"):
        difference = high - low
    if np.isinf(difference).any():
        feature = int(np.argmax(np.isinf(difference)))
        raise ValueError(
            f"Feature {feature} of X goes from {low[feature]:.3g} to {high[feature]:.3g}, "
            "a range that float64 cannot hold. Divide it by a number before scaling."
        )
    return difference


def _of_block(block, count):
    low, high = block.min(axis=0), block.max(axis=0)
    if np.isnan(low).any():
        low, high = np.fmin.reduce(block, axis=0), np.fmax.reduce(block, axis=0)
    low = np.fmin.reduce(low.reshape(-1, count), axis=0)
    high = np.fmax.reduce(high.reshape(-1, count), axis=0)
    return low.astype(np.float64), high.astype(np.float64)


def _weighing_something(X, axes, weight):
    rows = count_rows(X, axes) // len(X)
    for start, block in row_blocks(X, axes):
        kept = block[weight[np.arange(start, start + len(block)) // rows] > 0]
        if len(kept):
            yield kept


def _of_sparse(X, weight):
    count = X.shape[1]
    X = X.tocsr()
    if weight is not None and not weight.all():
        X = X[weight > 0]
    low, high = np.full(count, np.nan), np.full(count, np.nan)
    columns = column_indices(X)
    np.fmin.at(low, columns, X.data)
    np.fmax.at(high, columns, X.data)
    not_stored = np.bincount(columns, minlength=count) < X.shape[0]
    low[not_stored] = np.fmin(low[not_stored], 0.0)
    high[not_stored] = np.fmax(high[not_stored], 0.0)
    return low, high
