"""Streams, partitions and weights: parts of the data, put together, are the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skdeep.preprocessing import (
    LogScaler,
    MaxAbsScaler,
    MeanScaler,
    MinMaxScaler,
    QuantileScaler,
    RobustScaler,
    StandardScaler,
    UnitNormScaler,
)
from skdeep.preprocessing.quantile_sketch import KEPT

SCALERS = [
    StandardScaler(),
    MinMaxScaler(),
    MeanScaler(),
    MaxAbsScaler(),
    RobustScaler(),
    UnitNormScaler(),
    LogScaler(),
    QuantileScaler(n_quantiles=20),
]
each = pytest.mark.parametrize("scaler", SCALERS, ids=lambda s: type(s).__name__)


def table(n=600, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.lognormal(size=(n, 3)).round(2)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


def data_for(scaler, X):
    return np.nan_to_num(X) if isinstance(scaler, UnitNormScaler) else X


@each
@settings(deadline=None, max_examples=10)
@given(cuts=st.lists(st.integers(1, 599), max_size=5, unique=True).map(sorted))
def test_batches_teach_what_all_at_once_teaches(scaler, cuts):
    X = data_for(scaler, table())
    parts = np.split(X, cuts)
    whole = clone(scaler).fit(X)
    expected = whole.transform(X)
    stream = clone(scaler)
    for part in parts:
        stream.partial_fit(part)
    merged = clone(scaler).fit(parts[0])
    for part in parts[1:]:
        merged.merge(clone(scaler).fit(part))
    for other in (stream, merged):
        np.testing.assert_array_equal(other.n_samples_seen_, whole.n_samples_seen_)
        np.testing.assert_allclose(other.transform(X), expected, rtol=1e-11, atol=1e-12)


@each
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_a_weight_is_a_repetition(scaler, seed):
    X = data_for(scaler, table(80, seed))
    w = np.random.default_rng(seed).integers(0, 4, 80)
    weighted = clone(scaler).fit(X, sample_weight=w).transform(X)
    repeated = clone(scaler).fit(np.repeat(X, w, axis=0)).transform(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-10, atol=1e-12)


@each
def test_weights_in_any_unit_are_the_same(scaler):
    X = data_for(scaler, table(200))
    w = np.random.default_rng(0).integers(1, 4, 200)
    whole = clone(scaler).fit(X, sample_weight=w).transform(X)
    parts = clone(scaler).fit(X, sample_weight=w / w.sum()).transform(X)
    np.testing.assert_allclose(parts, whole, rtol=1e-9, atol=1e-11)


@each
def test_weighted_batches_teach_what_all_at_once_teaches(scaler):
    X = data_for(scaler, table(300))
    w = np.random.default_rng(0).integers(0, 3, 300).astype(float)
    expected = clone(scaler).fit(X, sample_weight=w).transform(X)
    stream = clone(scaler)
    for part in (slice(0, 100), slice(100, 130), slice(130, 300)):
        stream.partial_fit(X[part], sample_weight=w[part])
    stream.partial_fit(X[:5], sample_weight=np.zeros(5))  # says nothing
    np.testing.assert_allclose(stream.transform(X), expected, rtol=1e-10, atol=1e-12)


def test_partitions_with_large_means_keep_their_digits():
    x = np.random.default_rng(0).standard_normal((60_000, 1))
    parts = [StandardScaler().fit(1e8 + part) for part in np.split(x, 60)]
    first, *others = parts
    for other in others:
        first.merge(other)
    np.testing.assert_allclose(first.scale_, x.std(), rtol=1e-7)


def ranks(x, quantiles):
    """The shares of values below, and up to, each quantile."""
    x = np.sort(x)
    return [np.searchsorted(x, quantiles, side) / len(x) for side in ("left", "right")]


@pytest.mark.parametrize("order", ["random", "rising", "falling", "few values", "tails"])
@pytest.mark.parametrize("batch", [50, 3000])
def test_ranks_of_a_stream_are_within_the_stated_error(order, batch):
    rng = np.random.default_rng(0)
    n = 200_000
    x = {
        "random": rng.random(n),
        "rising": np.arange(n) / 1.0,
        "falling": -np.arange(n) / 1.0,
        "few values": rng.integers(0, 7, n) / 1.0,
        "tails": rng.standard_cauchy(n),
    }[order]
    scaler = QuantileScaler(n_quantiles=500)
    scaler._check(x[:1, None], reset=True)
    batches = np.split(x[:, None], range(batch, n, batch))
    if batch == 50:  # each its own scaler's sketch, so that only the last learns
        sketch = scaler._measure(batches[0], (1,), None)
        for part in batches[1:]:
            sketch = sketch.merge(scaler._measure(part, (1,), None))
        scaler._learn(sketch)
    else:
        for part in batches:
            scaler.partial_fit(part)
    assert 0 < scaler.rank_error_ <= 0.005
    below, up_to = ranks(x, scaler.quantiles_[:, 0])
    error = np.maximum(below - scaler.references_, scaler.references_ - up_to).max()
    # between two kept values a quantile is interpolated: one share more
    assert error <= scaler.rank_error_ + 1 / KEPT


def test_a_sketch_stays_small():
    scaler = QuantileScaler().partial_fit(np.zeros((3000, 2)))
    for seed in range(40):
        x = np.random.default_rng(seed).random((3000, 2))
        scaler.partial_fit(x)
    summaries = scaler._statistics.summaries
    assert len(summaries) <= 7
    assert all(s.values.shape[1] <= KEPT for s in summaries)


def test_drawn_rows_place_ranks_within_half_a_percent():
    X = np.random.default_rng(0).lognormal(size=(400_000, 3))
    X[:, 1:].sort(axis=0)  # rows that lie together are alike
    for weight in (None, np.ones(len(X))):
        scaler = QuantileScaler().fit(X, sample_weight=weight)
        for j in range(3):
            below, _ = ranks(X[:, j], scaler.quantiles_[:, j])
            assert np.abs(below - scaler.references_).max() <= 0.005


def test_robust_fit_is_exact_on_many_rows():
    X = np.random.default_rng(0).lognormal(size=(300_001, 2)).astype(np.float32)
    scaler = RobustScaler().fit(X)
    np.testing.assert_allclose(scaler.center_, np.median(X.astype(float), axis=0))
    low, high = np.percentile(X.astype(float), [25, 75], axis=0)
    np.testing.assert_allclose(scaler.scale_, high - low, rtol=1e-12)
    assert scaler.rank_error_ == 0
    assert scaler.merge(RobustScaler().fit(X)).rank_error_ > 0
    np.testing.assert_allclose(scaler.center_, np.median(X, axis=0), rtol=0.02)


def test_merging_changes_only_the_first():
    a, b = StandardScaler().fit([[0.0], [2.0]]), StandardScaler().fit([[4.0]])
    assert a.merge(b) is a
    assert a.mean_ == 2.0
    assert b.mean_ == 4.0


def test_scalers_that_do_not_fit_together_are_not_merged():
    a = StandardScaler().fit(np.ones((3, 2)))
    for other, message in [
        (MinMaxScaler().fit(np.ones((3, 2))), "can only merge with another"),
        (StandardScaler(with_std=False).fit(np.ones((3, 2))), "differ in with_std"),
        (StandardScaler().fit(np.ones((3, 4))), "same features"),
    ]:
        with pytest.raises(ValueError, match=message):
            a.merge(other)


def test_bad_data_leave_a_stream_as_it_was():
    scaler = StandardScaler().partial_fit([[1.0], [2.0]])
    with pytest.raises(ValueError, match="infinity"):
        scaler.partial_fit([[np.inf]])
    assert scaler.n_samples_seen_ == 2
    assert scaler.mean_ == 1.5


@pytest.mark.parametrize("subsample", [100, 10_000])
def test_the_ends_of_data_are_those_of_all_rows_not_of_those_drawn(subsample):
    X = np.random.default_rng(0).standard_cauchy((50_000, 2))
    scaler = QuantileScaler(subsample=subsample).fit(X)
    np.testing.assert_array_equal(scaler.quantiles_[[0, -1]], [X.min(0), X.max(0)])
    w = np.ones(len(X))
    w[X.argmin(axis=0)] = 0  # a row without weight is no end
    scaler.fit(X, sample_weight=w)
    np.testing.assert_array_equal(scaler.quantiles_[0], X[w > 0].min(0))


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e200, 1e300])
@pytest.mark.parametrize("unit", [1.0, 1e-300, 1e300])
def test_moments_of_any_size_join_in_streams_with_weights_of_any_unit(size, unit):
    X = table(80)
    w = np.random.default_rng(0).integers(1, 4, 80) * 1.0
    expected = StandardScaler().fit(X, sample_weight=w).transform(X)
    stream = StandardScaler()
    for part in (slice(0, 30), slice(30, 80)):
        stream.partial_fit(size * X[part], sample_weight=unit * w[part])
    np.testing.assert_allclose(stream.transform(size * X), expected, rtol=1e-9, atol=1e-12)
    stream.fit(np.zeros((5, 3)))  # zeros say nothing of the size of what follows
    expected = StandardScaler().fit(np.r_[np.zeros((5, 3)), X]).transform(X)
    stream.partial_fit(size * X)
    np.testing.assert_allclose(stream.transform(size * X), expected, rtol=1e-9, atol=1e-12)
