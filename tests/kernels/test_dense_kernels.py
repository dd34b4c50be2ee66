"""The dense layer's kernels agree with naive sums, for dense and for sparse inputs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import random_array

from skdeep import kernels

pytestmark = pytest.mark.tiny

dtypes = st.sampled_from([np.float32, np.float64])
rows = st.integers(0, 9)
sizes = st.integers(1, 9)
seeds = st.integers(0, 2**32 - 1)
property_test = settings(max_examples=40, deadline=None)


def draw(seed, dtype, *shapes):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape).astype(dtype) for shape in shapes]


def naive_product(a, b):
    return np.array(
        [[math.fsum(x * y for x, y in zip(r, c, strict=True)) for c in b.T] for r in a]
    ).reshape(len(a), b.shape[1])


def assert_close(actual, expected):
    """Equal but for rounding, in units of numbers of size 1."""
    tolerance = 1e-5 if actual.dtype == np.float32 else 1e-13
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def csr_buffers(x, spare=0):
    """The arrays of a CSR matrix as kernels take them, with spare room of garbage."""
    values = np.concatenate((x.data, np.full(spare, np.nan, dtype=x.dtype)))
    columns = np.concatenate((x.indices, np.full(spare, -1, dtype=x.indices.dtype)))
    return values, columns, x.indptr[1:]


@property_test
@given(rows, sizes, sizes, dtypes, seeds)
def test_dense_forward_is_the_product_plus_the_bias(n, n_in, n_out, dtype, seed):
    x, kernel, bias = draw(seed, dtype, (n, n_in), (n_in, n_out), n_out)
    out = np.full((n, n_out), np.nan, dtype)
    kernels.dense_forward(x, kernel, bias, out)
    assert_close(out, naive_product(x, kernel) + bias)


@property_test
@given(rows, sizes, sizes, dtypes, seeds)
def test_dense_forward_without_a_bias_is_the_product(n, n_in, n_out, dtype, seed):
    x, kernel = draw(seed, dtype, (n, n_in), (n_in, n_out))
    out = np.full((n, n_out), np.nan, dtype)
    kernels.dense_forward(x, kernel, None, out)
    assert_close(out, naive_product(x, kernel))


@property_test
@given(rows, sizes, sizes, dtypes, seeds)
def test_gradient_of_the_kernel_sums_inputs_times_gradients(n, n_in, n_out, dtype, seed):
    x, d_out = draw(seed, dtype, (n, n_in), (n, n_out))
    d_kernel = np.full((n_in, n_out), np.nan, dtype)
    kernels.dense_backward_kernel(x, d_out, d_kernel)
    assert_close(d_kernel, naive_product(x.T, d_out))


@property_test
@given(rows, sizes, dtypes, seeds)
def test_gradient_of_the_bias_is_the_sum_of_the_rows(n, n_out, dtype, seed):
    (d_out,) = draw(seed, dtype, (n, n_out))
    d_bias = np.full(n_out, np.nan, dtype)
    kernels.dense_backward_bias(d_out, d_bias)
    assert_close(d_bias, np.array([math.fsum(column) for column in d_out.T]))


@property_test
@given(rows, sizes, sizes, dtypes, seeds)
def test_gradient_of_the_input_goes_back_through_the_kernel(n, n_in, n_out, dtype, seed):
    d_out, kernel = draw(seed, dtype, (n, n_out), (n_in, n_out))
    d_x = np.full((n, n_in), np.nan, dtype)
    kernels.dense_backward_input(d_out, kernel, d_x)
    assert_close(d_x, naive_product(d_out, kernel.T))


@property_test
@given(rows, sizes, sizes, dtypes, seeds, st.floats(0, 1), st.booleans())
def test_sparse_forward_equals_dense_forward(
    n, n_in, n_out, dtype, seed, density, has_bias
):
    generator = np.random.default_rng(seed)
    x = random_array((n, n_in), density=density, rng=generator, format="csr", dtype=dtype)
    kernel, bias = draw(seed, dtype, (n_in, n_out), n_out)
    bias = bias if has_bias else None
    out, expected = np.full((2, n, n_out), np.nan, dtype)
    kernels.sparse_dense_forward(*csr_buffers(x, spare=3), kernel, bias, out)
    kernels.dense_forward(x.toarray(), kernel, bias, expected)
    assert_close(out, expected)


@property_test
@given(rows, sizes, sizes, dtypes, seeds, st.floats(0, 1))
def test_sparse_gradient_of_the_kernel_equals_the_dense_one(
    n, n_in, n_out, dtype, seed, density
):
    generator = np.random.default_rng(seed)
    x = random_array((n, n_in), density=density, rng=generator, format="csr", dtype=dtype)
    (d_out,) = draw(seed, dtype, (n, n_out))
    d_kernel, expected = np.full((2, n_in, n_out), np.nan, dtype)
    kernels.sparse_dense_backward_kernel(*csr_buffers(x, spare=3), d_out, d_kernel)
    kernels.dense_backward_kernel(x.toarray(), d_out, expected)
    assert_close(d_kernel, expected)


def test_sparse_forward_gives_a_row_without_entries_the_bias():
    x = random_array((3, 4), density=0.0, format="csr")
    kernel, bias = draw(0, np.float64, (4, 2), 2)
    out = np.full((3, 2), np.nan)
    kernels.sparse_dense_forward(*csr_buffers(x), kernel, bias, out)
    np.testing.assert_array_equal(out, [bias, bias, bias])


@pytest.mark.parametrize("name", ["x", "kernel", "bias"])
def test_dense_backward_is_the_derivative_of_dense_forward(name):
    x, kernel, bias, d_out = draw(1, np.float64, (5, 4), (4, 3), 3, (5, 3))
    inputs = {"x": x, "kernel": kernel, "bias": bias}
    gradient = np.empty_like(inputs[name])
    if name == "x":
        kernels.dense_backward_input(d_out, kernel, gradient)
    elif name == "kernel":
        kernels.dense_backward_kernel(x, d_out, gradient)
    else:
        kernels.dense_backward_bias(d_out, gradient)

    def objective():
        out = np.empty((5, 3))
        kernels.dense_forward(**inputs, out=out)
        return np.sum(d_out * out)

    differences = np.empty_like(gradient)
    for place in np.ndindex(gradient.shape):
        value = inputs[name][place]
        inputs[name][place] = value + 1e-3
        above = objective()
        inputs[name][place] = value - 1e-3
        differences[place] = (above - objective()) / 2e-3
        inputs[name][place] = value
    np.testing.assert_allclose(gradient, differences, rtol=1e-9, atol=1e-9)


def test_dense_kernels_do_not_change_what_they_read():
    x, kernel, bias, d_out = draw(2, np.float64, (5, 4), (4, 3), 3, (5, 3))
    read = (x, kernel, bias, d_out)
    for array in read:
        array.flags.writeable = False
    before = [array.copy() for array in read]
    kernels.dense_forward(x, kernel, bias, np.empty((5, 3)))
    kernels.dense_backward_kernel(x, d_out, np.empty((4, 3)))
    kernels.dense_backward_input(d_out, kernel, np.empty((5, 4)))
    kernels.dense_backward_bias(d_out, np.empty(3))
    for array, copy in zip(read, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_products_count_two_operations_for_each_multiplication():
    x, kernel, d_out = draw(3, np.float64, (5, 4), (4, 3), (5, 3))
    two_n_in_out = 2 * 5 * 4 * 3
    forward, backward_kernel, backward_input = (
        kernels.dense_forward.flops(x=x, kernel=kernel, bias=None, out=d_out),
        kernels.dense_backward_kernel.flops(x=x, d_out=d_out, d_kernel=kernel),
        kernels.dense_backward_input.flops(d_out=d_out, kernel=kernel, d_x=x),
    )
    assert forward == backward_kernel == backward_input == two_n_in_out
