"""Scalers against scikit-learn's and against their formulas."""

import numpy as np
import pytest
import sklearn.preprocessing as theirs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdeep import preprocessing as ours

# values on a grid: differences are then either 0 or far from rounding
VALUES = st.integers(-(10**6), 10**6).map(lambda i: i / 1000)
TABLES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=30).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=VALUES)
)
PAIRS = [
    (ours.StandardScaler(), theirs.StandardScaler()),
    (ours.StandardScaler(with_mean=False), theirs.StandardScaler(with_mean=False)),
    (ours.StandardScaler(with_std=False), theirs.StandardScaler(with_std=False)),
    (ours.MinMaxScaler(), theirs.MinMaxScaler()),
    (
        ours.MinMaxScaler((-2, 3), clip=True),
        theirs.MinMaxScaler((-2, 3), clip=True),
    ),
    (ours.MaxAbsScaler(), theirs.MaxAbsScaler()),
    (ours.RobustScaler(with_scaling=False), theirs.RobustScaler(with_scaling=False)),
    (
        ours.RobustScaler(quantile_range=(0, 100)),
        theirs.RobustScaler(quantile_range=(0, 100)),
    ),
    (
        ours.QuantileScaler(n_quantiles=7),
        theirs.QuantileTransformer(n_quantiles=7, subsample=None),
    ),
]
BOTH = pytest.mark.parametrize(
    ("scaler", "peer"), PAIRS, ids=lambda s: type(s).__module__.split(".")[0]
)
quiet = pytest.mark.filterwarnings("ignore")


def close(a, b, rtol=1e-12):
    scale = np.nanmax(np.abs(b), initial=1.0)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale)


def scikit_learns(peer, X):
    """What the peer makes of X, where its quantiles hit the values they stand for.

    They miss some by the last bit (-2e-17 for 0), and the transform jumps at equal values.
    """
    peer = clone(peer).fit(X)
    if isinstance(peer, theirs.QuantileTransformer):
        for quantiles, column in zip(peer.quantiles_.T, X.T, strict=True):
            for value in np.unique(column[~np.isnan(column)]):
                quantiles[np.abs(quantiles - value) < 1e-12] = value
    return peer.transform(X)


@quiet
@BOTH
@settings(deadline=None, max_examples=20)
@given(X=TABLES, missing=st.floats(0, 1), seed=st.integers(0, 1000))
def test_equals_scikit_learn_with_missing_values(scaler, peer, X, missing, seed):
    X[np.random.default_rng(seed).random(X.shape) < missing - 0.5] = np.nan
    close(scaler.fit_transform(X), scikit_learns(peer, X))


@quiet
@BOTH
@settings(deadline=None, max_examples=10)
@given(X=TABLES)
def test_equals_scikit_learn_in_float32(scaler, peer, X):
    X = X.round(1).astype(np.float32)
    result = scaler.fit_transform(X)
    assert result.dtype == np.float32
    # float32 rounds values to within eps |x|, and scales are at least 0.02 here: columns
    # of 30 values, of which two differ by 0.1 or more
    rounding = 8 * np.finfo(np.float32).eps * np.abs(X).max() / 0.02
    expected = scikit_learns(peer, X)
    assert np.abs(result - expected).max() <= max(rounding, 1e-6)


@settings(deadline=None, max_examples=20)
@given(X=TABLES, norm=st.sampled_from(["l1", "l2", "max"]), layout=st.booleans())
def test_unit_norms_equal_scikit_learns(X, norm, layout):
    expected = theirs.Normalizer(norm).fit_transform(X)
    close(ours.UnitNormScaler(norm).fit_transform(X), expected)
    S = (sparse.csr_array if layout else sparse.csc_array)(X)
    close(ours.UnitNormScaler(norm).fit_transform(S).toarray(), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_values_are_scaled_to_the_middle_of_their_ranks(dtype):
    X = np.array([[0.1, 0.0, 0.1, 0.0, -0.1, 0.0]], dtype=dtype).T
    scaler = ours.QuantileScaler(n_quantiles=6).fit(X)
    np.testing.assert_array_equal(scaler.quantiles_, np.sort(X, axis=0))
    scaled = scaler.transform(X).ravel()  # three zeros: ranks 1, 2 and 3 of 0 to 5
    np.testing.assert_allclose(scaled, [1, 0.4, 1, 0.4, 0, 0.4], rtol=1e-6)


@quiet
def test_interquartile_range_equals_scikit_learns_where_it_is_not_zero():
    X = np.random.default_rng(0).lognormal(size=(1001, 4))
    X[::7, 1] = np.nan
    for options in [{}, {"unit_variance": True}, {"quantile_range": (10.0, 60.0)}]:
        expected = theirs.RobustScaler(**options).fit_transform(X)
        close(ours.RobustScaler(**options).fit_transform(X), expected)


@quiet
@pytest.mark.parametrize("layout", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix])
def test_equals_scikit_learn_on_sparse_data(layout):
    rng = np.random.default_rng(0)
    X = rng.integers(1, 9, (200, 5)) * (rng.random((200, 5)) < 0.6) * 1.0
    X[X == 7] = np.nan
    for scaler, peer in [
        (ours.StandardScaler(with_mean=False), theirs.StandardScaler(with_mean=False)),
        (ours.MaxAbsScaler(), theirs.MaxAbsScaler()),
        (
            ours.RobustScaler(with_centering=False),
            theirs.RobustScaler(with_centering=False),
        ),
        (ours.QuantileScaler(), theirs.QuantileTransformer(subsample=None)),
    ]:
        result = scaler.fit_transform(layout(X))
        assert type(result) is layout
        close(result.toarray(), peer.fit_transform(layout(X)).toarray())
        dense = scaler.fit(X).transform(X)
        close(result.toarray(), dense)
        if hasattr(peer, "inverse_transform"):
            back = scaler.inverse_transform(result).toarray()
            np.testing.assert_allclose(back, X, rtol=1e-12)


@quiet
def test_standard_scaler_weighs_samples_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    X, w = rng.random((500, 3)), rng.random(500)
    X[rng.random(X.shape) < 0.1] = np.nan
    close(
        ours.StandardScaler().fit(X, sample_weight=w).transform(X),
        theirs.StandardScaler().fit(X, sample_weight=w).transform(X),
    )


@quiet
@BOTH
def test_constant_and_missing_columns_behave_as_in_scikit_learn(scaler, peer):
    X = np.array([[3.1, np.nan, 1.0, 0.0]] * 6)
    new = np.array([[4.0, 1.0, np.nan, 2.0], [3.1, 2.0, 1.0, 0.0]])
    close(scaler.fit(X).transform(new), peer.fit(X).transform(new))


def test_fitted_attributes_have_scikit_learns_names_and_values():
    X = np.random.default_rng(0).random((50, 3))
    for scaler, peer, names in [
        (ours.StandardScaler(), theirs.StandardScaler(), "mean_ var_ scale_"),
        (
            ours.MinMaxScaler((1, 3)),
            theirs.MinMaxScaler((1, 3)),
            "data_min_ data_max_ data_range_ scale_ min_",
        ),
        (ours.MaxAbsScaler(), theirs.MaxAbsScaler(), "max_abs_ scale_"),
        (ours.RobustScaler(), theirs.RobustScaler(), "center_ scale_"),
        (
            ours.QuantileScaler(n_quantiles=9),
            theirs.QuantileTransformer(n_quantiles=9),
            "quantiles_ references_ n_quantiles_",
        ),
    ]:
        scaler.fit(X), peer.fit(X)
        for name in names.split():
            np.testing.assert_allclose(getattr(scaler, name), getattr(peer, name))


def test_normal_quantiles_equal_scikit_learns():
    X = np.random.default_rng(0).integers(0, 60, (400, 3)) / 4
    options = {"n_quantiles": 50, "output_distribution": "normal"}
    scaler = ours.QuantileScaler(**options).fit(X)
    peer = theirs.QuantileTransformer(**options, subsample=None).fit(X)
    new = np.linspace(-1, 17, 300).reshape(100, 3)
    close(scaler.transform(new), peer.transform(new))
    z = np.linspace(-6, 6, 300).reshape(100, 3)
    close(scaler.inverse_transform(z), peer.inverse_transform(z))


def test_mean_normalization_is_its_formula():
    X = np.random.default_rng(0).random((40, 3))
    expected = (X - X.mean(0)) / (X.max(0) - X.min(0))
    close(ours.MeanScaler().fit_transform(X), expected)


def test_logarithm_is_its_formula_with_the_median_of_what_is_not_zero():
    X = np.random.default_rng(0).standard_cauchy((99, 2))
    X[:30] = 0.0
    scaler = ours.LogScaler().fit(X)
    units = np.median(np.abs(X[30:]), axis=0)
    close(scaler.unit_, units)
    close(scaler.transform(X), np.sign(X) * np.log(1 + np.abs(X) / units))
    close(scaler.inverse_transform(scaler.transform(X)), X)
    close(ours.LogScaler(unit=[1.0, 2.0]).fit(X).unit_, [1.0, 2.0])


def test_robust_scaler_falls_back_to_half_the_range():
    X = np.zeros((100, 1))
    X[:4, 0] = [8.0, -2.0, 1.0, 1.0]
    assert ours.RobustScaler().fit(X).scale_ == 5.0


def test_smooth_clip_is_its_formula_and_is_undone():
    X = np.array([[-1e6], [-2.0], [0.0], [1.0], [3.0]])
    scaler = ours.RobustScaler(smooth_clip=3.0).fit(X)
    z = (X - 0.0) / 3.0
    expected = z / np.sqrt(1 + (z / 3) ** 2)
    close(scaler.transform(X), expected)
    np.testing.assert_allclose(scaler.inverse_transform(expected)[1:], X[1:], atol=1e-12)
    for dtype in (np.float32, np.float64):
        beyond = scaler.inverse_transform(np.array([[5.0], [-3.0]], dtype))
        assert np.isfinite(beyond).all()
        assert beyond[0] > 0 > beyond[1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_scaled_is_scaled_back(seed, dtype):
    X = np.random.default_rng(seed).normal(3, 2, (200, 3)).astype(dtype)
    for scaler in [
        ours.StandardScaler(),
        ours.MinMaxScaler((-1, 1)),
        ours.MeanScaler(),
        ours.MaxAbsScaler(),
        ours.RobustScaler(smooth_clip=10.0),
        ours.LogScaler(),
        ours.QuantileScaler(),
    ]:
        back = scaler.inverse_transform(scaler.fit_transform(X))
        assert back.dtype == dtype
        np.testing.assert_allclose(back, X, rtol=1e4 * np.finfo(dtype).eps, atol=1e-6)


def test_inputs_with_a_large_mean_keep_their_digits():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100_000, 1))
    scaler = ours.StandardScaler().fit(1e8 + x)
    np.testing.assert_allclose(scaler.scale_, np.std(x), rtol=1e-7)
    np.testing.assert_allclose(scaler.mean_ - 1e8, x.mean(), atol=1e-7)


def test_float32_is_centred_on_the_mean_in_full():
    x = (1e6 + np.tile([0.0, 0.0, 0.125], 20)).astype(np.float32)[:, None]
    z = ours.StandardScaler().fit_transform(x)
    expected = (x - x.mean(dtype=float)) / x.std(dtype=float)
    np.testing.assert_allclose(z, expected, atol=1e-6)


def test_range_ends_are_reached_exactly():
    X = np.random.default_rng(0).lognormal(5, 5, (1000, 20))
    scaled = ours.MinMaxScaler().fit_transform(X)
    assert (scaled.min(axis=0) == 0).all()
    assert (scaled.max(axis=0) == 1).all()


@pytest.mark.parametrize(
    "size", [1e-300, 1e-200, 1e200, 1e300, 1e-100, 1e-20, 1e-15, 1e15, 1e100]
)
@pytest.mark.parametrize(
    "scaler",
    [
        ours.StandardScaler(),
        ours.MinMaxScaler(),
        ours.MaxAbsScaler(),
        ours.MeanScaler(),
        ours.RobustScaler(),
        ours.RobustScaler(quantile_range=(49.0, 51.0)),
        ours.LogScaler(),
        ours.QuantileScaler(n_quantiles=20),
    ],
    ids=str,
)
def test_features_of_any_size_are_scaled(scaler, size):
    X = np.random.default_rng(0).lognormal(size=(50, 2))
    expected = clone(scaler).fit_transform(X)
    tiny = clone(scaler).fit(size * X)
    np.testing.assert_allclose(tiny.transform(size * X), expected, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(tiny.inverse_transform(expected), size * X, rtol=1e-9)


@pytest.mark.parametrize("size", [1e-42, 1e-37, 1e37])
@pytest.mark.parametrize(
    "scaler",
    [
        ours.StandardScaler(),
        ours.MinMaxScaler(),
        ours.MeanScaler(),
        ours.RobustScaler(smooth_clip=3.0),
        ours.LogScaler(),
    ],
    ids=str,
)
def test_float32_at_the_edges_is_scaled_as_in_float64(scaler, size):
    X = (np.random.default_rng(0).uniform(-9, 9, (50, 2)) * size).astype("f4")
    scaled = scaler.fit_transform(X)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, scaler.transform(X.astype(float)), atol=1e-5)


def test_ranges_that_only_float64_holds_are_scaled_in_float32():
    X = np.array([[-3e38], [0.0], [3e38]], dtype="f4")
    np.testing.assert_allclose(ours.MinMaxScaler().fit_transform(X), [[0], [0.5], [1]])


@pytest.mark.parametrize(
    "scaler", [ours.MinMaxScaler(), ours.MeanScaler(), ours.RobustScaler()], ids=str
)
def test_ranges_that_float64_cannot_hold_are_refused(scaler):
    X = np.array([[0.0, -1.7e308], [1.0, 1.7e308], [2.0, 1.7e308]])
    with pytest.raises(ValueError, match="Feature 1 of X goes from -1"):
        scaler.fit(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logarithms_reach_where_the_ratio_overflows(dtype):
    largest = 1e30 if dtype == np.float32 else 1e200
    X = np.array([[largest, -largest, 0.0, 1.0]], dtype=dtype).T
    scaler = ours.LogScaler(unit=1 / largest).fit(X)
    expected = np.log(largest) * np.array([[2, -2, 0, 1]]).T
    np.testing.assert_allclose(scaler.transform(X), expected, rtol=1e-6)
    back = scaler.inverse_transform(scaler.transform(X))
    np.testing.assert_allclose(back, X, rtol=2e-5)


@pytest.mark.parametrize(
    "scaler", [ours.MinMaxScaler(), ours.MeanScaler(), ours.RobustScaler()], ids=str
)
def test_what_differs_by_rounding_only_is_constant(scaler):
    x = np.array([1e9, np.nextafter(1e9, 2e9), 1e9, np.nextafter(1e9, 2e9)])[:, None]
    assert np.ptp(scaler.fit_transform(x)) < 1e-6


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize(
    ("dtype", "size"), [("f4", 1e20), ("f4", 1e-30), ("f8", 1e200), ("f8", 1e-200)]
)
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array, sparse.csc_array])
def test_samples_of_any_size_get_unit_norm(norm, dtype, size, layout):
    X = np.random.default_rng(0).normal(size=(6, 5))
    X[2] = 0
    expected = ours.UnitNormScaler(norm).fit_transform(X)
    sizes = np.array([1, size, 1, size, size, 1.0])[:, None]
    scaled = ours.UnitNormScaler(norm).fit_transform(layout((X * sizes).astype(dtype)))
    scaled = scaled.toarray() if sparse.issparse(scaled) else scaled
    np.testing.assert_allclose(scaled, expected, rtol=10 * np.finfo(dtype).eps)


@quiet
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_samples_are_counted_as_scikit_learn_does(weighted, missing):
    rng = np.random.default_rng(0)
    X, w = rng.random((60, 3)), rng.random(60) if weighted else None
    if missing:
        X[rng.random(X.shape) < 0.2] = np.nan
    own = ours.StandardScaler().fit(X, sample_weight=w).partial_fit(X, sample_weight=w)
    peer = theirs.StandardScaler().fit(X, sample_weight=w).partial_fit(X, sample_weight=w)
    np.testing.assert_allclose(own.n_samples_seen_, peer.n_samples_seen_)
    assert np.shape(own.n_samples_seen_) == np.shape(peer.n_samples_seen_)


@pytest.mark.parametrize("with_mean", [False, True])
@pytest.mark.parametrize("with_std", [False, True])
def test_statistics_that_are_not_used_are_none_as_in_scikit_learn(with_mean, with_std):
    X = np.random.default_rng(0).random((9, 2))
    options = {"with_mean": with_mean, "with_std": with_std}
    own = ours.StandardScaler(**options).fit(X).partial_fit(X)
    peer = theirs.StandardScaler(**options).fit(X)
    for name in ("mean_", "var_", "scale_"):
        assert (getattr(own, name) is None) == (getattr(peer, name) is None), name


def test_callbacks_of_a_pipeline_reach_every_scaler():
    X = np.random.default_rng(0).random((30, 2))
    scalers = [getattr(ours, n)() for n in ours.__all__ if n != "TargetScaler"]
    recorder = Recorder()
    make_pipeline(*scalers, LogisticRegression()).set_callbacks(recorder).fit(
        X, X[:, 0] > 0.5
    )
    seen = [name for name in recorder.ended if name in ours.__all__]
    assert seen == [type(s).__name__ for s in scalers]


class Recorder:
    """Records whose tasks end; scikit-learn propagates it."""

    max_propagation_depth = None

    def __init__(self):
        self.ended = []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.ended.append(type(estimator).__name__)
