"""Quantiles of each feature from a bounded, mergeable summary.

A summary of n values is K of them, those whose ranks are nearest to the middle of K equal
shares of the weight, each of which stands for one share (Manku, Rajagopalan and Lindsay
1998). Choosing them moves no rank by more than 1 / (2 K) of the weight. Two summaries of
equal depth are joined, and summarised again, to one that is a step deeper; so n values in
batches end in at most one summary for each depth up to 1 + log2(n / K), and ranks are
wrong by no more than depth / (2 K). While there are no more than K rows, all are kept.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import issparse

from skdeep.engine.threads import run_pieces, threads
from skdeep.preprocessing.blocks import (
    count_features,
    count_rows,
    float_type,
    row_blocks,
)
from skdeep.preprocessing.extremes import Extremes

#: K, the number of values in a summary.
KEPT = 2048
#: So many rows, drawn evenly spread from more, place a rank with a standard deviation of at
#: most 0.14 %.
DRAWN = 1 << 17
#: Bytes of whole columns in memory at a time.
_GROUP = 1 << 24


@dataclass(frozen=True)
class Summary:
    """Sorted values of each feature with their weights; NaN has no weight.

    Both arrays are of shape (n_features, n_values).
    """

    values: np.ndarray
    weights: np.ndarray
    depth: int

    def join(self, other):
        """The values of both, sorted."""
        values = np.concatenate([self.values, other.values], axis=1)
        weights = np.concatenate([self.weights, other.weights], axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        values = np.take_along_axis(values, order, axis=1)
        weights = np.take_along_axis(weights, order, axis=1)
        return Summary(values, weights, max(self.depth, other.depth))

    def compressed(self):
        """A summary of KEPT values, a step deeper."""
        count = len(self.values)
        values = np.full((count, KEPT), np.nan, self.values.dtype)
        weights = np.zeros((count, KEPT))
        for j, cumulative in enumerate(np.cumsum(self.weights, axis=1)):
            if cumulative[-1] > 0:
                values[j] = self.values[j, middle_of_shares(cumulative)]
                weights[j] = cumulative[-1] / KEPT
        return Summary(values, weights, self.depth + 1)


@dataclass(frozen=True)
class QuantileSketch:
    """Summaries of different depths that together stand for all values seen.

    Attributes
    ----------
    summaries : tuple of Summary
        The deepest last.
    unit : float
        The smallest weight of a sample: that of one observation.
    weight : float
        The weight of all rows, with those that miss a value.
    ends : ndarray of shape (2, n_features)
        The smallest and the largest value.
    answers : tuple of (probabilities, quantiles) or None
        Quantiles of the values themselves, if they came all at once.
    """

    summaries: tuple
    unit: float
    weight: float
    ends: np.ndarray
    answers: tuple | None = None

    @classmethod
    def of(cls, X, axes, weight, probabilities, *, subsample=None, prepare=None):
        """Summarise the features of X, and find their quantiles.

        Parameters
        ----------
        X : ndarray or sparse matrix
            The data.
        axes : tuple of int
            The features' axes.
        weight : ndarray of shape (n_samples,) or None
            The weights of the samples.
        probabilities : ndarray
            The quantiles that will be asked for.
        subsample : int or None
            The number of rows to draw where there are more; None takes all.
        prepare : callable or None
            Called with an array of values, to change them in place.
        """
        if weight is not None and not weight.all():
            X, weight = X[np.flatnonzero(weight)], weight[weight > 0]
        rows = count_rows(X, axes)
        total, unit = observed(X, axes, weight)
        if weight is not None:
            weight = np.repeat(weight, rows // X.shape[0])
        drawn = None
        each = unit
        if subsample is not None and rows > subsample:
            drawn, weight = _draw(subsample, rows, weight), None
            each = total / subsample
        count = count_features(X, axes)
        size = min(KEPT, rows if drawn is None else len(drawn))
        values = np.full((count, size), np.nan, float_type(X.dtype))
        weights = np.zeros((count, size))
        quantiles = np.full((len(probabilities), count), np.nan)
        ends = np.full((2, count), np.nan)
        if drawn is not None:  # the ends of all rows, not of those that are drawn
            extremes = Extremes.of(X, axes, None)
            ends[:] = extremes.minimum, extremes.maximum

        def summarise(column, j):
            known = ~np.isnan(column)
            w = weight
            if not known.all():
                column, w = column[known], w if w is None else w[known]
            if not len(column):
                return
            if drawn is None:
                ends[:, j] = column.min(), column.max()
            answers, kept, kept_weights = _of_column(column, w, each, probabilities)
            quantiles[:, j] = answers
            values[j, : len(kept)], weights[j, : len(kept)] = kept, kept_weights

        with threads(50.0 * count * size):
            for first, columns in _columns(X, axes, drawn):
                if prepare is not None:
                    prepare(columns)
                run_pieces([[(summarise, (c, first + j))] for j, c in enumerate(columns)])
        _set_ends(quantiles, probabilities, ends)
        summary = Summary(values, weights, int(size == KEPT < rows))
        return cls((summary,), unit, total, ends, (probabilities, quantiles))

    def merge(self, other):
        """A sketch of both parts of the data together."""
        summaries = {s.depth: s for s in self.summaries}
        for summary in other.summaries:
            while summary.depth in summaries:
                summary = summaries.pop(summary.depth).join(summary)
                if summary.depth or summary.values.shape[1] > KEPT:
                    summary = summary.compressed()
            summaries[summary.depth] = summary
        ordered = tuple(summaries[depth] for depth in sorted(summaries))
        unit, weight = min(self.unit, other.unit), self.weight + other.weight
        ends = np.fmin(self.ends, other.ends)
        ends[1] = np.fmax(self.ends[1], other.ends[1])
        return replace(
            self, summaries=ordered, unit=unit, weight=weight, ends=ends, answers=None
        )

    @property
    def rank_error(self):
        """The most by which a rank can be wrong, as a share of the weight."""
        return max(s.depth for s in self.summaries) / (2 * KEPT)

    def quantiles(self, probabilities):
        """Quantiles of each feature, of shape (n_probabilities, n_features)."""
        if self.answers is not None and np.array_equal(self.answers[0], probabilities):
            return self.answers[1]
        everything = self.summaries[0]
        for summary in self.summaries[1:]:
            everything = everything.join(summary)
        quantiles = np.full((len(probabilities), len(everything.values)), np.nan)
        cumulative = np.cumsum(everything.weights, axis=1)
        for j, (values, sums) in enumerate(zip(everything.values, cumulative, strict=True)):
            if sums[-1] > 0:
                quantiles[:, j] = interpolate(values, sums, self.unit, probabilities)
        _set_ends(quantiles, probabilities, self.ends)
        return quantiles


def observed(X, axes, weight):
    """The weight of all rows, and the smallest weight of one that has any."""
    rows = count_rows(X, axes)
    if weight is None:
        return float(rows), 1.0
    return float(weight.sum()) * (rows // X.shape[0]), float(weight[weight > 0].min())


def _set_ends(quantiles, probabilities, ends):
    quantiles[probabilities <= 0] = ends[0]
    quantiles[probabilities >= 1] = ends[1]


def interpolate(values, cumulative, unit, probabilities):
    """Quantiles of sorted values with cumulative weights.

    Let x(t) be the value at the cumulative weight t. The quantile of p is the mean of x
    over a window as wide as one observation, from p (W - unit) on, where W is the whole
    weight. For whole weights and a unit of 1 it is NumPy's and scikit-learn's linear
    interpolation of values repeated as often as their weights say; and it does not change
    when all weights are multiplied by a number.
    """
    start = probabilities * max(cumulative[-1] - unit, 0.0)
    index = np.minimum(np.searchsorted(cumulative, start, "right"), len(values) - 1)
    following = np.minimum(index + 1, np.searchsorted(cumulative, cumulative[-1]))
    beyond = np.clip(1.0 - (cumulative[index] - start) / unit, 0.0, 1.0)
    # a quantile that falls on a value is that value, also where the sums were rounded:
    # scaling jumps at equal values
    beyond = np.where(np.abs(beyond - np.rint(beyond)) < 1e-9, np.rint(beyond), beyond)
    low, high = values[index].astype(float), values[following].astype(float)
    with np.errstate(over="ignore"):
        between = low + np.where(beyond > 0, high - low, 0.0) * beyond
    return np.where(beyond == 1, high, between)


def middle_of_shares(cumulative):
    """Indices of the values at the middle of KEPT equal shares of the weight."""
    middles = (np.arange(KEPT) + 0.5) * (cumulative[-1] / KEPT)
    return np.minimum(np.searchsorted(cumulative, middles), len(cumulative) - 1)


def _of_column(column, weight, unit, probabilities):
    """Quantiles of the values, and the values and weights that summarise them."""
    answers = None
    if weight is None:
        if len(column) > DRAWN and len(probabilities) < 10:
            answers = _select(column, probabilities)
            # the values are in parts now, and what is drawn has its share of each
            drawn = (_spread(DRAWN // 2) * len(column)).astype(np.intp)
            column, unit = column[drawn], unit * len(column) / len(drawn)
        column = np.sort(column)
        cumulative = np.arange(unit, unit * (len(column) + 0.5), unit)
    else:
        order = np.argsort(column, kind="stable")
        column, weight = column[order], weight[order]
        cumulative = np.cumsum(weight)
    if answers is None:
        answers = interpolate(column, cumulative, unit, probabilities)
    if len(column) <= KEPT:
        return answers, column, unit if weight is None else weight
    return answers, column[middle_of_shares(cumulative)], cumulative[-1] / KEPT


def _select(column, probabilities):
    """NumPy's linear quantiles, by selection; the order of the column is lost."""
    start = probabilities * (len(column) - 1)
    index = start.astype(np.intp)
    following = np.minimum(index + 1, len(column) - 1)
    column.partition(np.unique([index, following]))
    low, high = column[index].astype(float), column[following].astype(float)
    return low + (high - low) * (start - index)


def _draw(number, rows, weight):
    """Sorted indices of so many rows, each as often as its weight says."""
    if weight is None:
        return (_spread(number) * rows).astype(np.intp)
    cumulative = weight.cumsum()
    drawn = np.searchsorted(cumulative, _spread(number) * cumulative[-1], "right")
    return np.minimum(drawn, rows - 1)


def _spread(number):
    """Random numbers, one in each of so many equal parts of [0, 1); always the same."""
    jitter = np.random.Generator(np.random.Philox(0)).random(number)
    return (np.arange(number) + jitter) / number


def _columns(X, axes, drawn):
    """First feature and values, of shape (features, rows), of groups of columns."""
    rows = count_rows(X, axes) if drawn is None else len(drawn)
    count = count_features(X, axes)
    if issparse(X):
        X = (X if drawn is None else X.tocsr()[drawn]).tocsc()
    dtype = float_type(X.dtype)
    group = max(1, min(count, _GROUP // (rows * dtype.itemsize)))
    for first in range(0, count, group):
        part = slice(first, min(first + group, count))
        columns = np.empty((part.stop - first, rows), dtype)
        if issparse(X):
            columns[...] = X[:, part].T.toarray()
        else:
            _gather(X, axes, part, drawn, columns)
        yield first, columns


def _gather(X, axes, part, drawn, columns):
    def copy(start, block):
        if drawn is None:
            columns[:, start : start + len(block)] = block[:, part].T
            return
        begin, end = np.searchsorted(drawn, [start, start + len(block)])
        columns[:, begin:end] = block[drawn[begin:end] - start, part].T

    run_pieces([[(copy, each)] for each in row_blocks(X, axes)])
