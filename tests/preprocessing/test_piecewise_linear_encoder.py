"""Each number becomes several, by how far it is through bins between quantiles."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression

from skdeep.preprocessing import PiecewiseLinearEncoder

pytestmark = pytest.mark.tiny


def as_in_the_paper(x, edges):
    """Equation 1 of Gorishniy et al. (2022), number by number."""
    count = len(edges) - 1
    out = []
    for t in range(1, count + 1):
        if x < edges[t - 1] and t > 1:
            out.append(0.0)
        elif x >= edges[t] and t < count:
            out.append(1.0)
        else:
            out.append((x - edges[t - 1]) / (edges[t] - edges[t - 1]))
    return out


COLUMN = arrays(float, st.integers(2, 40), elements=st.floats(-100, 100, width=16))


@given(COLUMN, st.integers(1, 20), st.lists(st.floats(-200, 200, width=16), min_size=1))
@settings(deadline=None)
def test_numbers_are_encoded_as_in_the_paper(column, n_bins, later):
    encoder = PiecewiseLinearEncoder(n_bins).fit(column[:, None])
    (edges,) = encoder.bin_edges_
    if np.ptp(column) == 0:
        assert_array_equal(
            encoder.transform(np.array(later)[:, None]), np.zeros((len(later), 1))
        )
        return
    distinct = np.unique(column)
    if len(distinct) <= n_bins + 1:
        assert_array_equal(edges, distinct)
    else:
        quantiles = np.quantile(column, np.linspace(0, 1, n_bins + 1))
        distances = np.abs(quantiles - edges[:, None])
        assert max(distances.min(axis=0).max(), distances.min(axis=1).max()) < 1e-9
        assert 1 <= encoder.n_bins_[0] <= n_bins
    expected = [as_in_the_paper(x, edges) for x in later]
    assert_allclose(encoder.transform(np.array(later)[:, None]), expected)
    seen = encoder.transform(column[:, None])
    assert seen.min() == 0 and seen.max() == 1


def test_edges_are_the_quantiles():
    x = np.random.default_rng(0).normal(size=(1000, 2))
    encoder = PiecewiseLinearEncoder(n_bins=8).fit(x)
    for column, edges in zip(x.T, encoder.bin_edges_, strict=True):
        assert_allclose(edges, np.quantile(column, np.linspace(0, 1, 9)))
    assert_array_equal(encoder.n_bins_, [8, 8])
    assert encoder.transform(x).shape == (1000, 16)


def test_a_linear_model_of_it_is_any_piecewise_linear_function():
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(size=(200, 1)), axis=0)
    encoder = PiecewiseLinearEncoder(n_bins=10).fit(x)
    y = np.interp(x[:, 0], encoder.bin_edges_[0], rng.normal(size=11))
    model = LinearRegression().fit(encoder.transform(x), y)
    assert_allclose(model.predict(encoder.transform(x)), y, atol=1e-9)


def test_the_ends_are_open_unless_clipped():
    x = np.arange(5.0)[:, None]
    outside = [[-4.0], [8.0]]
    encoder = PiecewiseLinearEncoder(n_bins=2).fit(x)
    assert_array_equal(encoder.transform(outside), [[-2, 0], [1, 3]])
    encoder = PiecewiseLinearEncoder(n_bins=2, clip=True).fit(x)
    assert_array_equal(encoder.transform(outside), [[0, 0], [1, 1]])
    encoder = PiecewiseLinearEncoder(n_bins=1).fit(x)
    assert_array_equal(encoder.transform(outside), [[-1], [2]])


def test_few_distinct_values_are_the_edges():
    x = np.repeat([0.0, 1.0, 5.0], [500, 1, 499])[:, None]
    encoder = PiecewiseLinearEncoder(n_bins=4).fit(x)
    assert_array_equal(encoder.bin_edges_[0], [0, 1, 5])
    assert_array_equal(encoder.transform([[1.0], [3.0]]), [[1, 0], [1, 0.5]])


def test_quantiles_that_are_the_same_make_one_bin():
    x = np.concatenate([np.zeros(900), np.arange(1, 101)])[:, None]
    encoder = PiecewiseLinearEncoder(n_bins=4).fit(x)
    assert_array_equal(encoder.bin_edges_[0], [0, 100])


def test_constant_and_empty_features_are_a_column_of_zeros():
    X = np.array([[1.0, 7.0, np.nan], [2.0, 7.0, np.nan], [3.0, 7.0, np.nan]])
    encoder = PiecewiseLinearEncoder(n_bins=2).fit(X)
    assert_array_equal(encoder.n_bins_, [2, 1, 1])
    out = encoder.transform([[2.0, 9.0, 1.0]])
    assert_array_equal(out, [[1, 0, 0, 0]])


def test_missing_values_stay_and_have_no_say():
    x = np.array([0.0, np.nan, 1.0, 2.0, np.nan, 4.0])[:, None]
    encoder = PiecewiseLinearEncoder(n_bins=2).fit(x)
    assert_array_equal(encoder.bin_edges_[0], [0, 1.5, 4])
    assert np.isnan(encoder.transform(x)[[1, 4]]).all()
    assert_array_equal(encoder.transform([[None]]), [[np.nan, np.nan]])


@given(
    st.lists(st.integers(0, 3), min_size=20, max_size=20),
    arrays(float, 20, elements=st.floats(-9, 9, width=16)),
)
@settings(deadline=None)
def test_a_weight_is_a_number_of_repetitions(weights, x):
    weights = np.array([1, *weights[1:]])
    weighted = PiecewiseLinearEncoder(4).fit(x[:, None], sample_weight=weights)
    repeated = PiecewiseLinearEncoder(4).fit(np.repeat(x, weights)[:, None])
    assert_allclose(weighted.bin_edges_[0], repeated.bin_edges_[0], atol=1e-12)


def test_float32_stays_and_is_rounded_once():
    x = (1e4 + np.random.default_rng(0).normal(size=(300, 2))).astype(np.float32)
    encoder = PiecewiseLinearEncoder().fit(x)
    out = encoder.transform(x)
    assert out.dtype == np.float32
    assert_array_equal(out, encoder.transform(x.astype(float)).astype(np.float32))


def test_columns_are_named_by_feature_and_bin():
    X = pd.DataFrame({"a": [1.0, 2, 3], "b": [4.0, 4, 4], "c": [0.0, 1, 1]})
    encoder = PiecewiseLinearEncoder().fit(X)
    names = ["a_bin1", "a_bin2", "b_bin1", "c_bin1"]
    assert list(encoder.get_feature_names_out()) == names
    frame = encoder.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == names
    part = make_column_transformer(
        (PiecewiseLinearEncoder(), ["a"]), remainder="passthrough"
    )
    assert part.fit_transform(X).shape == (3, 4)


@pytest.mark.parametrize("x", [[1.0, np.inf], [-1.7e308, 1.7e308]])
def test_values_that_cannot_be_told_are_an_error(x):
    with pytest.raises(ValueError, match=r"infinity|range that float64 cannot hold"):
        PiecewiseLinearEncoder().fit(np.array(x)[:, None])
