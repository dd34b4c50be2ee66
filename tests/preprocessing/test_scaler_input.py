"""What scalers take and give: any rank, type, layout; in place; names; bad input."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from threadpoolctl import threadpool_limits

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

SCALERS = [
    StandardScaler(),
    MinMaxScaler(),
    MeanScaler(),
    MaxAbsScaler(),
    RobustScaler(smooth_clip=3.0),
    LogScaler(),
    QuantileScaler(n_quantiles=20),
]
each = pytest.mark.parametrize("scaler", SCALERS, ids=lambda s: type(s).__name__)
and_unit_norm = pytest.mark.parametrize(
    "scaler", [*SCALERS, UnitNormScaler()], ids=lambda s: type(s).__name__
)


def images(dtype=np.float64):
    rng = np.random.default_rng(0)
    return (rng.lognormal(size=(7, 5, 4, 3)) * [1, 10, 100]).astype(dtype)


@each
@pytest.mark.parametrize("axes", [-1, 3, 1, (1, 3), (3, 1), (1, 2, 3), (2,), ()], ids=str)
@pytest.mark.parametrize("layout", ["C", "F", "slices"])
def test_each_feature_of_any_axes_is_scaled_as_a_column(scaler, axes, layout):
    X = images()
    if layout == "F":
        X = np.asfortranarray(X)
    elif layout == "slices":
        X = np.repeat(X, 2, axis=2)[::-1, :, ::2]
    w = np.random.default_rng(1).integers(1, 3, len(X))
    kept = sorted(a % 4 for a in ((axes,) if isinstance(axes, int) else axes))
    pooled = [a for a in range(4) if a not in kept]
    moved = np.transpose(X, pooled + kept)
    columns = moved.reshape(int(np.prod(moved.shape[: len(pooled)])), -1)
    column_weights = np.repeat(w, len(columns) // len(X))
    for weight, row_weight in ((None, None), (w, column_weights)):
        expected = clone(scaler).fit(columns, sample_weight=row_weight)
        own = clone(scaler).set_params(feature_axes=axes).fit(X, sample_weight=weight)
        scaled = own.transform(X)
        assert scaled.shape == X.shape
        found = np.transpose(scaled, pooled + kept).reshape(columns.shape)
        np.testing.assert_allclose(found, expected.transform(columns), atol=1e-12)
        back = own.inverse_transform(scaled)
        np.testing.assert_allclose(back, X, rtol=1e-8, atol=1e-8)


def test_samples_of_any_rank_get_unit_norm():
    X = images()
    whole = UnitNormScaler().fit_transform(X)
    np.testing.assert_allclose((whole**2).sum(axis=(1, 2, 3)), 1.0)
    pixels = UnitNormScaler("l1", feature_axes=-1).fit_transform(X)
    np.testing.assert_allclose(np.abs(pixels).sum(axis=-1), 1.0)


def test_images_of_another_size_have_the_same_channels():
    scaler = StandardScaler().fit(images())
    assert scaler.n_features_in_ == 3
    assert scaler.transform(images()[:, :2, :1]).shape == (7, 2, 1, 3)


@each
def test_a_stream_of_images_is_the_images(scaler):
    X = images()
    whole = clone(scaler).fit_transform(X)
    stream = clone(scaler).partial_fit(X[:2]).partial_fit(X[2:])
    np.testing.assert_allclose(stream.transform(X), whole, atol=1e-12)


@and_unit_norm
@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("f4", "f4"),
        ("f8", "f8"),
        ("u1", "f4"),
        ("i2", "f4"),
        ("i4", "f8"),
        ("f2", "f4"),
        ("?", "f4"),
    ],
)
def test_results_are_of_the_smallest_type_that_holds_the_values(scaler, dtype, expected):
    X = np.random.default_rng(0).integers(0, 100, (50, 3)).astype(dtype)
    result = clone(scaler).fit(X).transform(X)
    assert result.dtype == expected
    reference = clone(scaler).fit(X.astype("f8")).transform(X.astype("f8"))
    np.testing.assert_allclose(result, reference, atol=2e-6)


@and_unit_norm
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_without_copy_the_array_itself_is_scaled(scaler, dtype, order):
    X = np.random.default_rng(0).random((30, 4)).astype(dtype, order=order)
    before = X.copy()
    expected = clone(scaler).fit_transform(X)
    np.testing.assert_array_equal(X, before)
    in_place = clone(scaler).set_params(copy=False).fit(X)
    assert in_place.transform(X) is X
    np.testing.assert_array_equal(X, expected)


@pytest.mark.parametrize("scaler", [MaxAbsScaler(), LogScaler(), UnitNormScaler()])
def test_without_copy_sparse_data_are_scaled_themselves(scaler):
    X = sparse.random_array((30, 4), density=0.5, rng=0).tocsr()
    expected = clone(scaler).fit_transform(X)
    assert clone(scaler).set_params(copy=False).fit_transform(X) is X
    np.testing.assert_array_equal(X.toarray(), expected.toarray())


@pytest.mark.parametrize(
    "scaler", [LogScaler(), LogScaler(unit=2.0), MaxAbsScaler(clip=True)]
)
def test_sparse_data_are_scaled_as_dense_ones(scaler):
    X = sparse.random_array((60, 5), density=0.4, rng=0).tocsc()
    w = np.random.default_rng(0).integers(0, 3, 60)
    result = scaler.fit(X, sample_weight=w).transform(X)
    dense = scaler.fit(X.toarray(), sample_weight=w).transform(X.toarray())
    np.testing.assert_allclose(result.toarray(), dense, atol=1e-15)


@and_unit_norm
def test_results_do_not_depend_on_the_number_of_threads(scaler):
    X = np.random.default_rng(0).lognormal(size=(150_000, 3)).astype(np.float32)
    results = []
    for number in (1, 2, 3):
        with threadpool_limits(number):
            results.append(clone(scaler).fit_transform(X).tobytes())
    assert len(set(results)) == 1


@each
def test_names_go_through_to_data_frames(scaler):
    frame = pd.DataFrame(np.random.default_rng(0).random((20, 2)), columns=["a", "b"])
    out = clone(scaler).set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == ["a", "b"]
    fitted = clone(scaler).fit(frame)
    assert list(fitted.get_feature_names_out()) == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        fitted.transform(frame[["b", "a"]])


@and_unit_norm
def test_a_pickled_scaler_goes_on(scaler):
    X = np.random.default_rng(0).random((30, 2))
    copy = pickle.loads(pickle.dumps(clone(scaler).partial_fit(X[:10])))
    stream = copy.partial_fit(X[10:])
    expected = clone(scaler).fit(X).transform(X)
    np.testing.assert_allclose(stream.transform(X), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("scaler", "X", "error", "message"),
    [
        (StandardScaler(feature_axes=2), [[1.0]], ValueError, "does not fit X with 2"),
        (StandardScaler(feature_axes=0), [[1.0]], ValueError, "that of the samples"),
        (StandardScaler(feature_axes=(1, -1)), [[1.0]], ValueError, "an axis twice"),
        (StandardScaler(), [[np.inf]], ValueError, "infinity"),
        (UnitNormScaler(), [[np.nan]], ValueError, "NaN"),
        (MinMaxScaler((1, 1)), [[1.0]], ValueError, "must be smaller"),
        (RobustScaler(quantile_range=(80, 20)), [[1.0]], ValueError, "quantile range"),
        (LogScaler(unit=[1.0, 2.0]), [[1.0]], ValueError, "positive number"),
        (LogScaler(unit=-1.0), [[1.0]], ValueError, "unit"),
        (StandardScaler(), sparse.eye_array(3).tocsr(), ValueError, "with_mean=False"),
        (MinMaxScaler(), sparse.eye_array(3).tocsr(), TypeError, "MaxAbsScaler"),
        (QuantileScaler(), -sparse.eye_array(3).tocsr(), ValueError, "negative"),
    ],
)
def test_bad_input_is_explained(scaler, X, error, message):
    with pytest.raises(error, match=message):
        scaler.fit(X)


def test_images_with_other_channels_are_refused():
    scaler = StandardScaler().fit(images())
    for X in (images()[..., :2], images()[0]):
        with pytest.raises(ValueError, match="expecting 4 axes"):
            scaler.transform(X)
        with pytest.raises(ValueError, match="expecting 4 axes"):
            scaler.inverse_transform(X)


@and_unit_norm
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_fit_needs_little_memory(scaler, dtype):
    X = np.random.default_rng(0).integers(0, 255, (400_000, 40)).astype(dtype)
    tracemalloc.start()
    with threadpool_limits(2):
        scaler.fit(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 2**20


@pytest.mark.parametrize("quantile_range", [(10, 10), (0, 100), (0, 75)])
def test_unit_variance_needs_a_range_that_a_normal_distribution_has(quantile_range):
    scaler = RobustScaler(quantile_range=quantile_range, unit_variance=True)
    with pytest.raises(ValueError, match="unit_variance=True needs two different"):
        scaler.fit(np.arange(10.0).reshape(5, 2))
