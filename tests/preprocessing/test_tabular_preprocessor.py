"""Tables as they are become numbers: of each kind of column, from each kind of table."""

import datetime
import pickle
from decimal import Decimal
from math import cos, pi, sin

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from skdeep.preprocessing import TabularPreprocessor
from skdeep.preprocessing.target_means import even_folds, out_of_fold_means

pytestmark = pytest.mark.tiny


def preprocessor(*args, **kwargs):
    return TabularPreprocessor(*args, dtype="float64", random_state=0, **kwargs)


def bounded(z):
    return z / np.sqrt(1 + (z / 3) ** 2)


def robust(column):
    low, median, high = np.nanpercentile(column, [25, 50, 75])
    return np.nan_to_num(bounded((column - median) / (high - low)))


def category(values):
    return pd.DataFrame({"a": pd.Categorical(values)})


# --- numbers ----------------------------------------------------------------------------


def test_numbers_are_scaled_by_quantiles_and_bounded():
    X = np.random.default_rng(0).lognormal(size=(101, 3))
    scaler = preprocessor()
    expected = np.stack([robust(column) for column in X.T], axis=1)
    assert_allclose(scaler.fit_transform(X), expected)
    assert scaler.n_numeric_ == 3


def test_missing_numbers_are_the_median_and_have_a_flag():
    X = np.random.default_rng(0).normal(size=(50, 2))
    X[::7, 1] = np.nan
    scaler = preprocessor()
    out = scaler.fit_transform(X)
    assert_allclose(out[:, 1], robust(X[:, 1]))
    assert_array_equal(out[::7, 1], 0)
    assert_array_equal(out[:, 2], np.isnan(X[:, 1]))
    assert scaler.n_numeric_ == 2
    assert list(scaler.get_feature_names_out()) == ["x0", "x1", "x1_missing"]


def test_a_number_that_is_missing_for_the_first_time_is_the_median():
    scaler = preprocessor().fit([[1.0], [2.0], [4.0]])
    assert_array_equal(scaler.transform([[np.nan], [2.0]]), [[0], [0]])


VALUES = [1.0, None, 3.0, 4.5, 7.0]
TABLES_WITH_A_GAP = {
    "list": [[v] for v in VALUES],
    "objects": np.array(VALUES, dtype=object)[:, None],
    "NaN": np.array(VALUES, dtype=float)[:, None],
    "masked": np.ma.array([1.0, 9, 3, 4.5, 7], mask=[0, 1, 0, 0, 0])[:, None],
    "masked objects": np.ma.array(
        [1.0, "?", 3, 4.5, 7], mask=[0, 1, 0, 0, 0], dtype=object
    )[:, None],
    "pandas": pd.DataFrame({"x0": VALUES}),
    "pandas.NA": pd.DataFrame({"x0": pd.array(VALUES, dtype="Float64")}),
    "objects with pandas.NA": pd.DataFrame({"x0": [1, pd.NA, 3.0, 4.5, 7]}, dtype=object),
    "Decimal": pd.DataFrame({"x0": [v if v is None else Decimal(v) for v in VALUES]}),
    "sparse": pd.DataFrame({"x0": pd.arrays.SparseArray(np.array(VALUES, dtype=float))}),
    "Polars": pl.DataFrame({"x0": VALUES}),
    "NaN in Polars": pl.DataFrame({"x0": np.array(VALUES, dtype=float)}),
    "Polars' Decimal": pl.DataFrame({"x0": [v and Decimal(v) for v in VALUES]}),
}


@pytest.mark.parametrize("X", TABLES_WITH_A_GAP.values(), ids=TABLES_WITH_A_GAP)
def test_every_kind_of_gap_is_one(X):
    expected = np.array(VALUES, dtype=float)
    out = preprocessor().fit_transform(X)
    assert_allclose(out[:, 0], robust(expected))
    assert_array_equal(out[:, 1], np.isnan(expected))


@pytest.mark.parametrize(
    "dtype", ["int8", "uint64", "float16", "float32", "Int64", "object"]
)
def test_numbers_of_any_type_are_numbers(dtype):
    values = [1, 2, 3, 5, 8, 13]
    out = preprocessor().fit_transform(pd.DataFrame({"a": pd.Series(values, dtype=dtype)}))
    assert_allclose(out[:, 0], robust(np.array(values, dtype=float)), rtol=1e-6)


def test_columns_without_a_difference_add_nothing():
    X = pd.DataFrame(
        {
            "constant": [3.0] * 4,
            "void": [np.nan] * 4,
            "none": [None] * 4,
            "a": [1.0, 2, 4, 8],
            "level": pd.Categorical(["u"] * 4),
            "no level": pd.Categorical([None] * 4, categories=["u"]),
        }
    )
    scaler = preprocessor()
    assert_allclose(scaler.fit_transform(X), robust(X["a"].to_numpy())[:, None])
    later = X.assign(constant=[np.inf, 1, 2, 3], void=1.0, none="text", level="v")
    assert_array_equal(scaler.transform(later), scaler.transform(X))


def test_a_constant_with_gaps_is_a_flag():
    scaler = preprocessor()
    assert_array_equal(scaler.fit_transform([[5.0], [None], [5.0]]), [[0], [1], [0]])
    assert scaler.n_numeric_ == 0
    assert list(scaler.get_feature_names_out()) == ["x0_missing"]


def test_a_table_of_constants_is_a_column_of_zeros():
    scaler = preprocessor()
    assert_array_equal(scaler.fit_transform([[1.0, np.nan]] * 3), np.zeros((3, 1)))
    assert list(scaler.get_feature_names_out()) == ["constant"]
    assert scaler.n_numeric_ == 0


def test_two_values_are_0_and_1_behind_the_scaled_numbers():
    X = np.array([[7.0, 1.0], [9.0, 2.0], [np.nan, 3.0], [7.0, 5.0]])
    scaler = preprocessor()
    out = scaler.fit_transform(X)
    assert scaler.n_numeric_ == 1
    assert list(scaler.get_feature_names_out()) == ["x1", "x0", "x0_missing"]
    assert_array_equal(out[:, 1], [0, 1, 0.5, 0])
    assert_array_equal(out[:, 2], [0, 0, 1, 0])
    assert_array_equal(scaler.transform([[8.0, 1], [0.0, 1], [99.0, 1]])[:, 1], [0.5, 0, 1])


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([True, False, True]),
        pd.Series([True, False, True], dtype="boolean"),
        pd.Series([True, False, True], dtype=object),
        pl.Series([True, False, True]),
    ],
)
def test_booleans_are_0_and_1(column):
    frame = type(column.to_frame("a"))({"a": column})
    scaler = preprocessor()
    assert_array_equal(scaler.fit_transform(frame), [[1], [0], [1]])
    assert scaler.n_numeric_ == 0


def test_missing_booleans_are_half_and_flagged():
    X = pd.DataFrame({"a": pd.array([True, None, False], dtype="boolean")})
    assert_array_equal(preprocessor().fit_transform(X), [[1, 0], [0.5, 1], [0, 0]])


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize(
    "frame", [np.asarray, pd.DataFrame, lambda X: pl.DataFrame(np.array(X)), list]
)
def test_infinite_numbers_are_scikit_learns_error(frame, value):
    X = frame([[1.0], [value], [3.0]])
    with pytest.raises(ValueError, match="Input X contains infinity"):
        preprocessor().fit(X)
    with pytest.raises(ValueError, match="Input X contains infinity"):
        preprocessor().fit(frame([[1.0], [2.0], [3.0]])).transform(X)


def test_integers_beyond_float64_are_an_error_that_says_so():
    with pytest.raises(ValueError, match="'x0' has an integer that is too large"):
        preprocessor().fit(np.array([[10**400], [1], [2]], dtype=object))


@pytest.mark.parametrize("values", [[-1.7e308, 1.7e308, 0.0], [-1.7e308, 1.7e308, 1.7e308]])
def test_a_range_beyond_float64_is_an_error_that_names_the_column(values):
    X = category(["u", "v", "w"]).assign(b=values)
    with pytest.raises(ValueError, match="Feature 1 of X goes from"):
        preprocessor().fit(X)


def test_the_smallest_numbers_are_told_apart():
    assert_array_equal(preprocessor().fit_transform([[0.0], [5e-324]]), [[0], [1]])


def test_float32_is_the_default_and_the_values_are_those_of_float64():
    X = 1e8 + np.random.default_rng(0).normal(size=(40, 3))
    out = TabularPreprocessor().fit_transform(X)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous
    assert_allclose(out, preprocessor().fit_transform(X), rtol=1e-6)


def test_one_row_gives_what_it_gives_among_others():
    X = np.random.default_rng(0).normal(size=(30, 4))
    scaler = preprocessor().fit(X)
    out = np.concatenate([scaler.transform(row[None]) for row in X])
    assert_array_equal(out, scaler.transform(X))


def test_the_table_stays_as_it_is():
    X = np.array([[1.0, np.nan], [2.0, 3.0], [5.0, 4.0], [7.0, 6.0]])
    before = X.copy()
    preprocessor().fit(X).transform(X)
    assert_array_equal(X, before)


# --- categories -------------------------------------------------------------------------


def test_one_hot_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a": pd.Categorical(rng.choice(list("pqrs"), 60)),
            "b": pd.Categorical(rng.integers(0, 5, 60)),
        }
    )
    scaler = preprocessor()
    expected = OneHotEncoder(sparse_output=False).fit(X)
    assert_array_equal(scaler.fit_transform(X), expected.transform(X))
    assert list(scaler.get_feature_names_out()) == list(expected.get_feature_names_out())


def test_missing_is_a_level_of_its_own():
    scaler = preprocessor()
    out = scaler.fit_transform(category(["u", None, "v", np.nan]))
    assert_array_equal(out, [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]])
    assert list(scaler.get_feature_names_out()) == ["a_u", "a_v", "a_missing"]


def test_a_level_that_was_not_there_is_all_zeros():
    scaler = preprocessor().fit(category(["u", "v", "w"]))
    assert_array_equal(scaler.transform(category(["z", None, "v"]))[:2], np.zeros((2, 3)))


def test_two_levels_are_one_column_and_what_is_neither_is_half():
    scaler = preprocessor().fit(category(["u", "v", "u"]))
    assert list(scaler.get_feature_names_out()) == ["a_v"]
    out = scaler.transform(category(["u", "v", "z", None]))
    assert_array_equal(out, [[0], [1], [0.5], [0.5]])


def test_a_level_and_missing_are_two_levels():
    assert_array_equal(preprocessor().fit_transform(category(["u", None])), [[0], [1]])


def test_levels_of_a_type_that_no_row_has_get_no_column():
    X = pd.DataFrame({"a": pd.Categorical(["u", "v", "w"], categories=list("tuvwxyz"))})
    assert preprocessor().fit_transform(X).shape == (3, 3)


@pytest.mark.parametrize(
    "chosen", [["b"], [1], [False, True], np.array([False, True]), np.array(["b"])]
)
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_categories_are_named_by_name_place_or_mask(frame, chosen):
    X = frame({"a": [1.0, 2.0, 4.0], "b": ["p", "q", "r"]})
    scaler = preprocessor(chosen).fit(X)
    assert list(scaler.get_feature_names_out()) == ["a", "b_p", "b_q", "b_r"]
    assert_array_equal(scaler.transform(X)[:, 1:], np.eye(3))


def test_numbers_are_levels_where_they_are_said_to_be():
    X = np.array([[3.0, 1.5], [1.0, 2.5], [np.nan, 3.5], [2.0, 7.5]])
    scaler = preprocessor([0]).fit(X)
    assert list(scaler.get_feature_names_out())[1:] == [
        "x0_1.0",
        "x0_2.0",
        "x0_3.0",
        "x0_missing",
    ]
    assert_array_equal(scaler.transform(X)[:, 1:], np.eye(4)[[2, 0, 3, 1]])


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_days_are_levels_where_they_are_said_to_be(frame):
    X = frame({"a": [MOMENTS[0], MOMENTS[1], None, MOMENTS[0], MOMENTS[2]]})
    scaler = preprocessor([0])
    assert_array_equal(scaler.fit_transform(X), np.eye(4)[[1, 0, 3, 1, 2]])
    assert scaler.get_feature_names_out()[1] == "a_2020-02-29 18:30:00"
    objects = np.array([[MOMENTS[2]]], dtype="datetime64[ns]")
    with pytest.warns(UserWarning, match="valid feature names"):
        assert_array_equal(scaler.transform(objects), [[0, 0, 1, 0]])


def test_a_categorical_type_is_one_also_beside_named_ones():
    X = category(["u", "v", "w"]).assign(b=["p", "q", "r"])
    assert preprocessor(["b"]).fit_transform(X).shape == (3, 6)
    assert preprocessor(None).fit_transform(X[["a"]]).shape == (3, 3)


def test_levels_of_different_types_are_different():
    X = np.array([[1], ["1"], [2], [None]], dtype=object)
    scaler = preprocessor([0])
    out = scaler.fit_transform(X)
    assert_array_equal(out.sum(axis=0), np.ones(4))
    names = ["x0_1", "x0_2", "x0_1_2", "x0_missing"]
    assert list(scaler.get_feature_names_out()) == names


def test_a_level_is_known_in_another_kind_of_table():
    scaler = preprocessor().fit(category(["u", "v", "w"]))
    expected = [[0, 1, 0], [0, 0, 0]]
    for column in [
        pl.Series(["v", None], dtype=pl.Categorical),
        pl.Series(["v", "?"], dtype=pl.Enum(["?", "v"])),
        pl.Series(["v", "?"]),
    ]:
        assert_array_equal(scaler.transform(pl.DataFrame({"a": column})), expected)
    assert_array_equal(scaler.transform(pd.DataFrame({"a": ["v", "?"]})), expected)


def test_polars_categories_are_categories():
    X = pl.DataFrame(
        {
            "a": pl.Series(["u", None, "v"], dtype=pl.Categorical),
            "b": pl.Series(["q", "r", "p"], dtype=pl.Enum(["r", "p", "q"])),
        }
    )
    scaler = preprocessor()
    assert_array_equal(
        scaler.fit_transform(X),
        [[1, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1], [0, 1, 0, 1, 0, 0]],
    )
    assert list(scaler.get_feature_names_out())[3:] == ["b_p", "b_q", "b_r"]


# --- target means -----------------------------------------------------------------------


def wide_table(n_rows=300, n_levels=40, seed=0):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, n_levels, n_rows)
    return levels, pd.DataFrame({"a": pd.Categorical([f"l{k:02}" for k in levels])}), rng


TARGETS = {
    "continuous": lambda levels, rng: levels + rng.normal(size=len(levels)),
    "binary": lambda levels, rng: np.where(levels + rng.normal(0, 9, 300) > 20, "y", "n"),
    "multiclass": lambda levels, rng: np.array(list("qpr"))[rng.integers(0, 3, 300)],
}


def smoothing(levels, target):
    """s^2 / t^2 by analysis of variance, with a row more of the variance of all."""
    groups = [target[levels == k] for k in np.unique(levels)]
    sizes = np.array([len(g) for g in groups])
    n, c = sizes.sum(), len(groups)
    within = (sum(np.sum((g - g.mean()) ** 2) for g in groups) + target.var()) / (n - c + 1)
    between = sum(len(g) * (g.mean() - target.mean()) ** 2 for g in groups) / (c - 1)
    signal = (between - within) / ((n - np.sum(sizes**2) / n) / (c - 1))
    return within / signal if signal > 0 else 1e12


def numbers_of(y):
    """Targets as columns: of two classes the second one, of more each."""
    if y.dtype.kind == "f":
        return y[:, None]
    numbers = (y[:, None] == np.unique(y)).astype(float)
    return numbers[:, 1:] if numbers.shape[1] == 2 else numbers


def means_by_scikit_learn(X, levels, train, y, rows):
    """Each column of y encoded by itself, and scaled."""
    columns = []
    for target in numbers_of(y).T:
        smooth = smoothing(levels[train], target[train])
        encoder = TargetEncoder(smooth=smooth, target_type="continuous")
        encoded = encoder.fit(X.iloc[train], target[train]).transform(X.iloc[rows])
        columns.append((encoded - target.mean()) / target.std())
    return bounded(np.concatenate(columns, axis=1))


@pytest.mark.parametrize("kind", TARGETS)
def test_many_levels_become_the_means_of_scikit_learns_target_encoder(kind):
    levels, X, rng = wide_table()
    y = TARGETS[kind](levels, rng)
    scaler = preprocessor().fit(X, y)
    everything = np.arange(300)
    expected = means_by_scikit_learn(X, levels, everything, y, everything)
    assert_allclose(scaler.transform(X), expected, atol=1e-9)
    unknown = scaler.transform(category(["never", None]))
    assert_allclose(unknown, np.zeros_like(unknown), atol=1e-12)
    endings = {"continuous": [""], "binary": [""], "multiclass": ["_p", "_q", "_r"]}[kind]
    assert list(scaler.get_feature_names_out()) == [f"a_mean{e}" for e in endings]
    assert scaler.n_numeric_ == 0


@pytest.mark.parametrize("kind", TARGETS)
def test_training_rows_get_the_means_of_other_rows(kind):
    levels, X, rng = wide_table()
    y = TARGETS[kind](levels, rng)
    folds = even_folds(numbers_of(y), np.random.RandomState(0))
    out = preprocessor().fit_transform(X, y)
    for fold in range(5):
        train, rows = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        expected = means_by_scikit_learn(X, levels, train, y, rows)
        assert_allclose(out[rows], expected, atol=1e-9)


def test_means_of_levels_that_say_nothing_are_the_mean_of_all():
    levels, X, rng = wide_table()
    y = rng.normal(size=300)
    y -= np.bincount(levels, y)[levels] / np.bincount(levels)[levels]
    assert_allclose(preprocessor().fit(X, y).transform(X), np.zeros((300, 1)), atol=1e-12)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_the_size_of_targets_does_not_matter(size):
    levels, X, rng = wide_table()
    y = TARGETS["continuous"](levels, rng)
    expected = preprocessor().fit_transform(X, y)
    assert_allclose(preprocessor().fit_transform(X, size * y), expected, atol=1e-9)


def test_a_row_a_level_tells_nothing():
    levels = np.arange(100)
    X = pd.DataFrame({"a": pd.Categorical(levels)})
    y = np.random.default_rng(0).normal(size=100)
    assert np.abs(preprocessor().fit(X, y).transform(X)).max() < 0.1


def test_a_constant_target_has_one_mean():
    _, X, _ = wide_table()
    out = preprocessor(target_type="continuous").fit_transform(X, np.full(300, 0.1))
    assert_allclose(out, np.zeros((300, 1)), atol=1e-12)


def test_means_of_noise_tell_training_rows_nothing():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": pd.Categorical(rng.integers(0, 10_000, 20_000))})
    y = rng.normal(size=20_000)
    out = preprocessor().fit_transform(X, y)[:, 0]
    assert abs(np.corrcoef(out, y)[0, 1]) < 0.05


def test_several_targets_have_a_column_each():
    levels, X, rng = wide_table()
    Y = levels[:, None] * [1.0, -2.0] + rng.normal(size=(300, 2))
    out = preprocessor().fit(X, Y).transform(X)
    for k in range(2):
        assert_allclose(out[:, [k]], preprocessor().fit(X, Y[:, k]).transform(X))
    assert list(preprocessor().fit(X, Y).get_feature_names_out()) == [
        "a_mean_0",
        "a_mean_1",
    ]


def test_whole_numbers_are_classes_unless_said_otherwise():
    levels, X, _ = wide_table()
    y = levels % 4
    assert preprocessor().fit_transform(X, y).shape == (300, 4)
    assert preprocessor(target_type="continuous").fit_transform(X, y).shape == (300, 1)
    assert preprocessor(target_type="classes").fit_transform(X, y / 2.5).shape == (300, 4)


def test_many_levels_without_targets_are_an_error_that_says_what_to_do():
    _, X, _ = wide_table()
    with pytest.raises(ValueError, match=r"'a' has 40 levels.*pass y.*max_onehot=40"):
        preprocessor().fit(X)
    assert preprocessor(max_onehot=40).fit_transform(X).shape == (300, 40)


def test_ten_thousand_levels_are_one_column():
    levels = np.arange(10_000)
    X = pd.DataFrame({"a": pd.Categorical(levels.astype(str))})
    assert preprocessor().fit_transform(X, levels * 0.5).shape == (10_000, 1)


def test_one_row_of_many_levels_at_a_time():
    levels, X, rng = wide_table()
    scaler = preprocessor().fit(X, TARGETS["continuous"](levels, rng))
    out = np.concatenate([scaler.transform(X.iloc[[i]]) for i in range(20)])
    assert_array_equal(out, scaler.transform(X)[:20])


def test_a_seed_gives_one_result():
    levels, X, rng = wide_table()
    y = TARGETS["continuous"](levels, rng)
    first = TabularPreprocessor(random_state=1).fit_transform(X, y)
    assert_array_equal(first, TabularPreprocessor(random_state=1).fit_transform(X, y))
    assert (first != TabularPreprocessor(random_state=2).fit_transform(X, y)).any()


@pytest.mark.parametrize("n_rows", [1, 2, 4, 7, 23])
def test_folds_are_of_equal_size_and_hold_all_classes(n_rows):
    y = np.arange(n_rows) % 3
    folds = even_folds(np.eye(3)[y], np.random.RandomState(0))
    sizes = np.bincount(folds)
    assert len(sizes) == min(5, n_rows)
    assert np.ptp(sizes) <= 1
    for k in range(3):
        assert np.ptp(np.bincount(folds[y == k], minlength=len(sizes))) <= 2


def test_a_fold_without_others_has_the_mean_of_nothing():
    codes, targets = np.zeros(1, dtype=np.intp), np.ones((1, 1))
    means = out_of_fold_means(codes, 1, targets, np.ones(1), np.zeros(1, dtype=np.intp))
    assert_array_equal(means, [[0.0]])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1.0, np.nan, 2.0], "NaN"),
        ([1.0, 2.0], "inconsistent numbers of samples"),
        ([{}, [], 1], "[Uu]nknown label type"),
    ],
)
def test_targets_that_are_none_are_an_error(y, message):
    y = np.fromiter(y, dtype=object) if isinstance(y[0], dict) else y
    with pytest.raises(ValueError, match=message):
        preprocessor(max_onehot=2).fit(category(["u", "v", "w"]), y)


# --- weights ----------------------------------------------------------------------------


@given(st.lists(st.integers(0, 3), min_size=12, max_size=12), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_weight_is_a_number_of_repetitions(weights, seed):
    weights = np.array(weights)
    weights[0] = 1  # quantiles take the smallest weight for that of one sample
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "a": rng.normal(size=12),
            "b": pd.Categorical(rng.choice(["u", "v", None], 12)),
            "c": pd.Categorical(rng.integers(0, 4, 12)),
            "d": np.where(rng.random(12) < 0.2, np.nan, rng.integers(0, 3, 12)),
            "e": pd.to_datetime(rng.integers(0, 10**9, 12), unit="s"),
        }
    )
    y = rng.normal(size=12)
    weighted = preprocessor(max_onehot=3).fit(X, y, sample_weight=weights)
    again = np.repeat(np.arange(12), weights)
    repeated = preprocessor(max_onehot=3).fit(X.iloc[again], y[again])
    assert list(weighted.get_feature_names_out()) == list(repeated.get_feature_names_out())
    assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-9)


@pytest.mark.parametrize("largest", [5e-324, 1.0, 1e300])
def test_weights_of_any_size_are_weights(largest):
    X, y = mixed_frame()
    weights = np.array([1e-20, 1.0, 0.0] * 20) * largest
    out = preprocessor().fit(X, y, sample_weight=weights).transform(X)
    assert np.isfinite(out).all()
    in_units = preprocessor().fit(X, y, sample_weight=weights / largest).transform(X)
    assert_allclose(out, in_units, atol=1e-9)


def test_weights_of_zero_alone_are_an_error():
    with pytest.raises(ValueError, match="at least one non-zero"):
        preprocessor().fit([[1.0], [2.0]], sample_weight=[0, 0])


# --- dates ------------------------------------------------------------------------------


MOMENTS = [
    datetime.datetime(2020, 2, 29, 18, 30),
    datetime.datetime(1969, 12, 31, 23, 59, 59),
    datetime.datetime(2023, 7, 1),
    datetime.datetime(2024, 12, 31, 6, 0, 1),
]


def turns(moment):
    """How much of the year, of the week and of the day is over."""
    start = datetime.datetime(moment.year, 1, 1)
    length = datetime.datetime(moment.year + 1, 1, 1) - start
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return (
        (moment - start) / length,
        moment.weekday() / 7,
        (moment - midnight) / datetime.timedelta(days=1),
    )


DATES = {
    "pandas": pd.DataFrame({"x0": pd.to_datetime(MOMENTS)}),
    "seconds": pd.DataFrame({"x0": MOMENTS}).astype("datetime64[s]"),
    "objects": pd.DataFrame({"x0": MOMENTS}, dtype=object),
    "Polars": pl.DataFrame({"x0": MOMENTS}),
    "NumPy": np.array(MOMENTS, dtype="datetime64[us]")[:, None],
    "lists": [[moment] for moment in MOMENTS],
}


@pytest.mark.parametrize("X", DATES.values(), ids=DATES)
def test_dates_are_days_and_waves(X):
    n = len(X)
    days = [
        (m - datetime.datetime(1970, 1, 1)) / datetime.timedelta(1) for m in MOMENTS[:n]
    ]
    scaler = preprocessor()
    out = scaler.fit_transform(X)
    assert_allclose(out[:, 0], robust(np.array(days)))
    waves = [[f(2 * pi * t) for t in turns(m) for f in (sin, cos)] for m in MOMENTS]
    assert_allclose(out[:, 1:], waves, atol=1e-9)
    assert scaler.n_numeric_ == 1
    names = [f"x0_{p}_{w}" for p in ("year", "week", "day") for w in ("sin", "cos")]
    assert list(scaler.get_feature_names_out()) == ["x0", *names]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_days_have_no_wave_of_the_day(frame):
    days = [datetime.date(2021, 3, d) for d in (1, 2, 4, 9)]
    names = preprocessor().fit(frame({"a": days})).get_feature_names_out()
    assert "a_week_sin" in names
    assert "a_day_sin" not in names


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_missing_dates_are_the_median_with_waves_of_zero_and_a_flag(frame):
    X = frame({"a": [MOMENTS[0], None, *MOMENTS[1:]]})
    scaler = preprocessor()
    out = scaler.fit_transform(X)
    assert list(scaler.get_feature_names_out())[:2] == ["a", "a_missing"]
    assert_array_equal(out[1], [0, 1, 0, 0, 0, 0, 0, 0])


def zoned(frame, moments):
    """Dates with New York's time zone."""
    if frame is pl.DataFrame:
        return pl.Series(moments).dt.replace_time_zone("America/New_York")
    return pd.Series(moments).dt.tz_localize("America/New_York")


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_dates_are_as_clocks_showed_them_in_fit(frame):
    local = zoned(frame, MOMENTS)
    scaler = preprocessor().fit(frame({"a": local}))
    expected = preprocessor().fit_transform(frame({"a": MOMENTS}))
    assert_array_equal(scaler.transform(frame({"a": local})), expected)
    convert = local.dt.tz_convert if frame is pd.DataFrame else local.dt.convert_time_zone
    elsewhere = frame({"a": convert("Asia/Tokyo")})
    assert_array_equal(scaler.transform(elsewhere), expected)


def test_a_time_zone_that_was_not_there_is_an_error():
    X = pd.DataFrame({"a": pd.to_datetime(MOMENTS)})
    scaler = preprocessor().fit(X)
    with pytest.raises(ValueError, match="'a' have the time zone UTC"):
        scaler.transform(pd.DataFrame({"a": X["a"].dt.tz_localize("UTC")}))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, "objects"])
def test_durations_are_numbers(frame):
    hours = [1, 2, 5, None, 30]
    spans = [h if h is None else datetime.timedelta(hours=h) for h in hours]
    X = [[s] for s in spans] if frame == "objects" else frame({"a": spans})
    out = preprocessor().fit_transform(X)
    assert_allclose(out[:, 0], robust(np.array(hours, dtype=float)))


# --- from all kinds of tables -----------------------------------------------------------


DATETIMES = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))


@st.composite
def tables(draw):
    n_rows = draw(st.integers(1, 12))
    number = st.none() | st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0])

    def column(entries):
        return st.lists(entries, min_size=n_rows, max_size=n_rows)

    return {
        "number": draw(column(number)),
        "level": draw(column(st.none() | st.sampled_from(["p", "q", "r"]))),
        "truth": draw(column(st.none() | st.booleans())),
        "date": draw(column(st.none() | DATETIMES)),
    }


@given(tables())
@settings(max_examples=60, deadline=None)
def test_pandas_polars_and_objects_give_the_same(columns):
    schema = [pl.Float64, pl.Categorical, pl.Boolean, pl.Datetime]
    polars = pl.DataFrame(columns, schema=dict(zip(columns, schema, strict=True)))
    frame = pd.DataFrame(
        {
            "number": np.array(columns["number"], dtype=float),
            "level": pd.Categorical(columns["level"]),
            "truth": pd.array(columns["truth"], dtype="boolean"),
            "date": np.array(columns["date"], dtype="datetime64[us]"),
        }
    )
    objects = np.array(list(columns.values()), dtype=object).T
    expected = preprocessor().fit(frame)
    fitted = [preprocessor().fit(polars), preprocessor([1]).fit(objects)]
    for scaler, X in zip(fitted, [polars, objects], strict=True):
        names = scaler.get_feature_names_out(list(columns))
        assert list(names) == list(expected.get_feature_names_out())
        assert_array_equal(scaler.transform(X), expected.transform(frame))
        assert scaler.n_numeric_ == expected.n_numeric_
    assert np.isfinite(expected.transform(frame)).all()


@given(tables(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_does_not_matter(columns, random):
    frame = pd.DataFrame(columns).astype({"level": "category", "truth": "boolean"})
    frame["number"] = frame["number"].astype(float)
    order = list(range(len(frame)))
    random.shuffle(order)
    first, second = preprocessor().fit(frame), preprocessor().fit(frame.iloc[order])
    assert_array_equal(first.transform(frame), second.transform(frame))


def test_lists_with_text_keep_their_numbers():
    X = [["p", 1.0], ["q", 2.0], ["r", 4.0]]
    out = preprocessor([0]).fit_transform(X)
    assert_allclose(out[:, 0], robust(np.array([1.0, 2, 4])))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_what_is_missing_altogether_later_is_missing(frame):
    X = {
        "number": [1.0, None, 3.0, 5.0],
        "date": [*MOMENTS[:3], None],
        "span": [datetime.timedelta(d) for d in (1, 2, 4, 8)],
        "truth": [True, False, True, None],
        "level": ["p", "q", "r", None],
    }
    scaler = preprocessor(["level"]).fit(frame(X))
    later = scaler.transform(frame({name: [None, None] for name in X}))
    names = list(scaler.get_feature_names_out())
    expected = np.zeros(len(names))
    expected[names.index("truth")] = 0.5
    for name in ("number", "date", "truth", "level"):
        expected[names.index(f"{name}_missing")] = 1
    assert_array_equal(later, [expected, expected])
    nan = frame({name: [np.nan, np.nan] for name in X})
    assert_array_equal(scaler.transform(nan), later)


# --- what is refused --------------------------------------------------------------------


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame({"x0": ["red", "blue", None]}),
        pd.DataFrame({"x0": ["red", np.nan, "blue"]}, dtype=object),
        pl.DataFrame({"x0": ["red", "blue", None]}),
        np.array([["red"], ["blue"]]),
        [["red"], ["blue"]],
    ],
)
def test_text_is_an_error_that_says_what_to_do(X):
    with pytest.raises(ValueError, match=r"Text column 'x0'.*'red'.*categorical_features"):
        preprocessor().fit(X)
    assert preprocessor([0]).fit(X).n_numeric_ == 0


def test_a_text_column_of_many_gaps_at_its_start_is_text():
    X = pd.DataFrame({"a": [None] * 200 + ["red"]}, dtype=object)
    with pytest.raises(ValueError, match="Text column 'a'"):
        preprocessor().fit(X)
    X = pd.DataFrame({"a": [None] * 200 + [1.0, 2.0, 4.0]}, dtype=object)
    assert preprocessor().fit(X).n_numeric_ == 1


def test_entries_of_several_types_are_an_error_that_names_them():
    X = pd.DataFrame({"a": [1.5, "many", 2]}, dtype=object)
    with pytest.raises(ValueError, match=r"'a' has entries of different types.*\(str\)"):
        preprocessor().fit(X)


@pytest.mark.parametrize("entry", [{}, [1, 2], b"1", 1j, datetime.time(1)])
def test_entries_of_no_use_are_an_error_that_names_their_type(entry):
    X = np.fromiter([entry, 1.0, 2.0], dtype=object)[:, None]
    with pytest.raises(TypeError, match=f"'x0'.*{type(entry).__name__!r}"):
        preprocessor().fit(X)


def test_lists_in_a_frame_are_an_error_that_names_the_column():
    with pytest.raises(TypeError, match="Column 'a'"):
        preprocessor().fit(pl.DataFrame({"a": [[1, 2], [3, 4]]}))


def test_what_cannot_be_a_level_is_an_error_in_fit_and_in_transform():
    X = pd.DataFrame({"a": [[1], [2], [3]]})
    with pytest.raises(TypeError, match="'a' has an entry that cannot be a category"):
        preprocessor(["a"]).fit(X)
    scaler = preprocessor(["a"]).fit(pd.DataFrame({"a": ["u", "v", "w"]}))
    with pytest.raises(TypeError, match="'a' has an entry that cannot be a category"):
        scaler.transform(X)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([1.0, 2, 4], ["u", "v", "w"]),
        ([1.0, 2, 4], pd.Categorical(["u", "v", "w"])),
        ([1.0, 2, 4], MOMENTS[:3]),
        (MOMENTS[:3], [1.0, 2, 4]),
        (MOMENTS[:3], ["2020-01-01"] * 3),
        ([datetime.timedelta(d) for d in (1, 2, 4)], [1.0, 2, 4]),
        ([True, False, True], ["yes", "no", "yes"]),
    ],
)
def test_a_column_of_another_kind_later_is_an_error(before, after):
    scaler = preprocessor().fit(pd.DataFrame({"a": before}))
    with pytest.raises(ValueError, match=r"Column 'a' was of the kind .* in fit"):
        scaler.transform(pd.DataFrame({"a": after}))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_other_columns_are_scikit_learns_error(frame):
    scaler = preprocessor().fit(frame({"a": [1.0, 2, 4], "b": [1.0, 2, 4]}))
    with pytest.raises(ValueError, match="must be in the same order"):
        scaler.transform(frame({"b": [1.0, 2, 4], "a": [1.0, 2, 4]}))
    with pytest.raises(ValueError, match="unseen at fit time"):
        scaler.transform(frame({"a": [1.0, 2, 4], "c": [1.0, 2, 4]}))
    with pytest.raises(ValueError, match="yet now missing"):
        scaler.transform(frame({"a": [1.0, 2, 4]}))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        scaler.transform(np.ones((2, 2)))
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="has 3 features"):
        scaler.transform(np.ones((2, 3)))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_tables_without_rows_or_columns_are_scikit_learns_error(frame):
    with pytest.raises(ValueError, match=r"0 sample\(s\).*minimum of 1"):
        preprocessor().fit(frame({"a": np.empty(0)}))
    with pytest.raises(ValueError, match=r"0 feature\(s\)|0 sample\(s\)"):
        preprocessor().fit(frame())


def test_columns_of_one_name_are_an_error():
    with pytest.raises(ValueError, match="several columns of the name 'a'"):
        preprocessor().fit(pd.DataFrame(np.ones((2, 2)), columns=["a", "a"]))


def test_sparse_lazy_and_one_axis_are_errors():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        preprocessor().fit(csr_array(np.eye(3)))
    with pytest.raises(TypeError, match="collect"):
        preprocessor().fit(pl.LazyFrame({"a": [1.0]}))
    for X in [[1.0, 2.0], pd.Series([1.0, 2.0]), pl.Series([1.0, 2.0])]:
        with pytest.raises(ValueError, match=r"Expected 2D array|Expected a 2-dim"):
            preprocessor().fit(X)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (["c"], "'c'"),
        ([5], "indices must be in"),
        ([True], "boolean mask"),
        ([0.5], "bool"),
    ],
)
def test_categories_that_are_not_there_are_scikit_learns_error(chosen, message):
    with pytest.raises(ValueError, match=message):
        preprocessor(chosen).fit(pd.DataFrame({"a": [1.0, 2], "b": [3.0, 4]}))


def test_a_fit_that_fails_changes_nothing():
    scaler = preprocessor().fit([[1.0], [2.0], [4.0]])
    before = vars(scaler).copy()
    with pytest.raises(ValueError, match="Text column"):
        scaler.fit(pd.DataFrame({"b": [1.0, 2], "a": ["u", "v"]}))
    assert vars(scaler) == before


# --- among scikit-learn's tools ---------------------------------------------------------


def mixed_frame(n_rows=60):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "level": pd.Categorical(rng.choice(["p", "q", None], n_rows)),
            "size": np.where(rng.random(n_rows) < 0.2, np.nan, rng.normal(size=n_rows)),
            "flag": rng.random(n_rows) < 0.5,
            "id": pd.Categorical(rng.integers(0, 40, n_rows)),
            "when": pd.to_datetime(rng.integers(0, 10**9, n_rows), unit="s"),
        }
    ), rng.normal(size=n_rows)


def test_numbers_come_first_then_flags_waves_levels_and_means():
    X, y = mixed_frame()
    scaler = preprocessor().fit(X, y)
    waves = [f"when_{p}_{w}" for p in ("year", "week", "day") for w in ("sin", "cos")]
    levels = ["level_p", "level_q", "level_missing"]
    first = ["size", "when", "flag", "size_missing"]
    assert list(scaler.get_feature_names_out()) == [*first, *waves, *levels, "id_mean"]
    assert scaler.n_numeric_ == 2
    assert list(scaler.feature_names_in_) == list(X.columns)
    assert scaler.n_features_in_ == 5


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_output_is_a_frame_if_wanted(library):
    X, y = mixed_frame()
    scaler = preprocessor()
    expected = scaler.fit_transform(X, y)
    frame = clone(scaler).set_output(transform=library).fit_transform(X, y)
    assert list(frame.columns) == list(scaler.get_feature_names_out())
    assert_array_equal(frame.to_numpy(), expected)
    with config_context(transform_output=library):
        assert_array_equal(
            preprocessor().fit(X, y).transform(X).to_numpy(), scaler.transform(X)
        )


def test_no_two_columns_have_one_name():
    X = pd.DataFrame(
        {
            "a": [1.0, None, 3.0, 5.0],
            "a_missing": [1.0, 2.0, 3.0, 5.0],
            "b": pd.Categorical(["missing", None, "c", "c"]),
        }
    )
    names = list(preprocessor().fit(X).get_feature_names_out())
    assert len(set(names)) == len(names) == 6


def test_a_copy_from_a_pickle_does_the_same():
    X, y = mixed_frame()
    scaler = preprocessor().fit(X, y)
    assert_array_equal(pickle.loads(pickle.dumps(scaler)).transform(X), scaler.transform(X))


def test_in_a_pipeline_training_rows_get_the_means_of_other_rows():
    X, y = mixed_frame()
    model = make_pipeline(preprocessor(), Ridge()).fit(X, y)
    alone = Ridge().fit(preprocessor().fit_transform(X, y), y)
    assert_allclose(model[-1].coef_, alone.coef_)
    assert model.predict(X.head(3)).shape == (3,)


def test_in_a_column_transformer():
    X, y = mixed_frame()
    scaler = make_column_transformer((preprocessor(), ["size", "level"]))
    out = scaler.fit_transform(X, y)
    assert_array_equal(out, preprocessor().fit_transform(X[["size", "level"]]))
    assert scaler.get_feature_names_out()[0] == "tabularpreprocessor__size"
