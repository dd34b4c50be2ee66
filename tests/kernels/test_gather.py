"""Gathering a mini-batch copies exactly the rows, weights and entries asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_array, random_array

from skdeep import kernels

pytestmark = pytest.mark.tiny

dtypes = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 2**32 - 1)
property_test = settings(max_examples=60, deadline=None)


@st.composite
def indices(draw, n):
    """Any row numbers below n: none, some, in any order, repeated."""
    return np.array(draw(st.lists(st.integers(0, n - 1), max_size=12)), dtype=np.intp)


@property_test
@given(
    st.data(),
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=7),
    st.sampled_from([np.float32, np.float64, np.int64]),
)
def test_gather_rows_equals_fancy_indexing(data, shape, dtype):
    source = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    index = data.draw(indices(shape[0]))
    out = np.full((len(index), *shape[1:]), -1, dtype)
    kernels.gather_rows(source, index, out)
    np.testing.assert_array_equal(out, source[index])


@property_test
@given(st.data(), st.integers(1, 9), dtypes, seeds)
def test_gathered_weights_are_divided_by_the_number_of_rows(data, n, dtype, seed):
    weight = np.random.default_rng(seed).random(n).astype(dtype)
    index = data.draw(indices(n))
    out = np.full(len(index), np.nan, dtype)
    kernels.gather_weights(weight, index, out)
    np.testing.assert_array_equal(out, weight[index] / dtype(max(len(index), 1)))


@pytest.mark.parametrize("n_rows", [1, 3, 8])
def test_gathered_weights_of_mean_one_sum_to_one(n_rows):
    out = np.empty(n_rows)
    kernels.gather_weights(np.ones(10), np.arange(n_rows), out)
    assert out.sum() == pytest.approx(1.0, rel=1e-15)


def gather_sparse(x, index, spare):
    lengths = np.diff(x.indptr)[index]
    capacity = int(lengths.sum()) + spare
    values = np.full(capacity, np.nan, x.dtype)
    columns = np.full(capacity, -1, x.indices.dtype)
    row_end = np.full(len(index), -1, x.indptr.dtype)
    kernels.gather_sparse_rows(
        x.data, x.indices, x.indptr[1:], index, values, columns, row_end
    )
    return values, columns, row_end


@property_test
@given(st.data(), st.integers(1, 8), st.integers(1, 8), st.floats(0, 1), dtypes, seeds)
def test_gather_sparse_rows_equals_fancy_indexing(data, n, width, density, dtype, seed):
    generator = np.random.default_rng(seed)
    x = random_array((n, width), density=density, rng=generator, format="csr", dtype=dtype)
    index = data.draw(indices(n))
    values, columns, row_end = gather_sparse(x, index, spare=2)
    indptr = np.concatenate(([0], row_end))
    n_values = indptr[-1]
    batch = csr_array(
        (values[:n_values], columns[:n_values], indptr), shape=(len(index), width)
    )
    np.testing.assert_array_equal(batch.toarray(), x.toarray()[index])


def test_gather_sparse_rows_leaves_spare_room_as_it_is():
    x = csr_array(np.array([[0.0, 1.0], [2.0, 3.0]]))
    values, columns, row_end = gather_sparse(x, np.array([1, 0]), spare=2)
    np.testing.assert_array_equal(values, [2, 3, 1, np.nan, np.nan])
    np.testing.assert_array_equal(columns, [0, 1, 1, -1, -1])
    np.testing.assert_array_equal(row_end, [2, 3])


def test_gather_sparse_rows_takes_rows_without_entries():
    x = csr_array(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]]))
    values, _, row_end = gather_sparse(x, np.array([0, 1, 2, 0]), spare=0)
    np.testing.assert_array_equal(values, [2])
    np.testing.assert_array_equal(row_end, [0, 1, 1, 1])


def test_gather_sparse_rows_of_no_rows_writes_nothing():
    x = csr_array(np.eye(3))
    values, _, row_end = gather_sparse(x, np.empty(0, np.intp), spare=2)
    assert np.isnan(values).all()
    assert row_end.size == 0
