"""Tables as they are become numbers: of each kind of column, from each kind of table."""

import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from table_examples import MOMENTS, category, preprocessor, robust

from skdeep.preprocessing import TabularPreprocessor

pytestmark = pytest.mark.tiny


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
