"""The same columns in every kind of table, and those that no network takes."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from table_examples import MOMENTS, preprocessor, robust

pytestmark = pytest.mark.tiny


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
