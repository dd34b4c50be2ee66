"""Convolution and pooling agree with SciPy's correlation and with naive loops."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from skdeep import kernels

dtypes = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 2**32 - 1)
property_test = settings(max_examples=60, deadline=None)


def pair(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


def assert_close(actual, expected):
    tolerance = 2e-5 if actual.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


# --- convolution ------------------------------------------------------------------


@st.composite
def convolutions(draw):
    """Arrays and numbers of a convolution: any that makes sense, sizes of 1 included."""
    groups, in_group, out_group = (draw(st.integers(1, 3)) for _ in range(3))
    in_group += draw(st.sampled_from([0, 7]))  # few channels are arranged otherwise
    dtype = draw(dtypes)
    generator = np.random.default_rng(draw(seeds))
    n, size, out_size = draw(st.integers(0, 3)), draw(pair(1, 7)), draw(pair(1, 6))
    window = draw(pair(1, 4))
    shapes = {
        "x": (n, *size, groups * in_group),
        "kernel": (*window, in_group, groups * out_group),
        "bias": (groups * out_group,),
        "d_out": (n, *out_size, groups * out_group),
    }
    arrays = {k: generator.normal(size=s).astype(dtype) for k, s in shapes.items()}
    geometry = {
        "strides": draw(pair(1, 3)),
        "dilation": draw(pair(1, 2)),
        "padding": draw(pair(0, 3)),
    }
    # room for all windows, or for one row of one sample
    length = kernels.convolution_scratch(shapes["kernel"], shapes["x"][-1], out_size[1])
    if draw(st.booleans()):
        line = out_size[1] * window[0] * window[1] * shapes["x"][-1]
        length = arrays["kernel"].size + line * draw(st.integers(1, 3))
    geometry["work"] = np.full(length, np.nan, dtype)
    return arrays, geometry


def naive(x, kernel, strides, dilation, padding, out_size):
    """The sum over the window, place by place, in float64."""
    n, height, width, channels = x.shape
    filters = kernel.shape[3]
    groups = channels // kernel.shape[2]
    out = np.zeros((n, *out_size, filters))
    for r, c in np.ndindex(*out_size):
        for i, j in np.ndindex(*kernel.shape[:2]):
            row = r * strides[0] - padding[0] + i * dilation[0]
            column = c * strides[1] - padding[1] + j * dilation[1]
            if not (0 <= row < height and 0 <= column < width):
                continue
            for f in range(filters):
                first = f // (filters // groups) * kernel.shape[2]
                seen = x[:, row, column, first : first + kernel.shape[2]]
                out[:, r, c, f] += seen.astype(float) @ kernel[i, j, :, f].astype(float)
    return out


def naive_of(arrays, geometry, **replaced):
    arrays = arrays | replaced
    return naive(
        arrays["x"],
        arrays["kernel"],
        geometry["strides"],
        geometry["dilation"],
        geometry["padding"],
        arrays["d_out"].shape[1:3],
    )


@property_test
@given(convolutions(), st.booleans())
def test_forward_equals_a_naive_sum(case, has_bias):
    arrays, geometry = case
    bias = arrays["bias"] if has_bias else None
    out = np.full_like(arrays["d_out"], np.nan)
    kernels.convolution_forward(arrays["x"], arrays["kernel"], bias, **geometry, out=out)
    assert_close(out, naive_of(arrays, geometry) + (arrays["bias"] if has_bias else 0))


@property_test
@given(convolutions(), seeds)
def test_gradients_are_the_adjoints_of_the_naive_sum(case, seed):
    """The sum is linear in x and in the kernel: <d_out, out(v)> must be <d_v, v>."""
    arrays, geometry = case
    generator = np.random.default_rng(seed)
    d_out = arrays["d_out"]
    d_kernel, d_x = (np.full_like(arrays[k], np.nan) for k in ("kernel", "x"))
    kernels.convolution_backward_kernel(arrays["x"], d_out, **geometry, d_kernel=d_kernel)
    geometry["work"].fill(np.nan)
    kernels.convolution_backward_input(d_out, arrays["kernel"], **geometry, d_x=d_x)
    for name, gradient in (("kernel", d_kernel), ("x", d_x)):
        v = generator.normal(size=gradient.shape)
        expected = np.sum(d_out * naive_of(arrays, geometry, **{name: v}))
        scale = np.sqrt(max(gradient.size, 1)) * max(d_out.size, 1)
        tolerance = 1e-6 if d_out.dtype == np.float32 else 1e-13
        assert abs(np.sum(gradient * v) - expected) <= tolerance * scale


@property_test
@given(dtypes, seeds, pair(1, 9), pair(1, 9), st.integers(1, 3), st.integers(1, 9))
def test_valid_convolution_equals_scipys_correlation(
    dtype, seed, size, window, filters, channels
):
    generator = np.random.default_rng(seed)
    window = tuple(map(min, size, window))
    x = generator.normal(size=(2, *size, channels)).astype(dtype)
    kernel = generator.normal(size=(*window, channels, filters)).astype(dtype)
    out_size = tuple(s - w + 1 for s, w in zip(size, window, strict=True))
    out = np.empty((2, *out_size, filters), dtype)
    work = np.empty(kernels.convolution_scratch(kernel.shape, channels, out_size[1]), dtype)
    kernels.convolution_forward(x, kernel, None, (1, 1), (1, 1), (0, 0), work, out)
    for n, f in np.ndindex(2, filters):
        expected = correlate(
            x[n].astype(float), kernel[..., f].astype(float), "valid", "direct"
        )
        assert_close(out[n, ..., f], expected[..., 0])


@property_test
@given(convolutions())
def test_gradient_of_the_bias_sums_over_samples_and_places(case):
    arrays, _ = case
    d_bias = np.full_like(arrays["bias"], np.nan)
    kernels.convolution_backward_bias(arrays["d_out"], d_bias)
    assert_close(d_bias, arrays["d_out"].astype(float).sum(axis=(0, 1, 2)))


def test_a_convolution_counts_two_operations_for_each_weight_and_output():
    x, out = np.empty((5, 8, 8, 6)), np.empty((5, 4, 4, 10))
    kernel = np.empty((3, 3, 2, 10))
    count = 2 * 5 * 4 * 4 * 10 * 3 * 3 * 2
    assert kernels.convolution_forward.flops(x=x, kernel=kernel, out=out) == count
    assert (
        kernels.convolution_backward_kernel.flops(x=x, d_out=out, d_kernel=kernel) == count
    )
    assert (
        kernels.convolution_backward_input.flops(d_out=out, kernel=kernel, d_x=x) == count
    )


# --- pooling ----------------------------------------------------------------------


@st.composite
def pools(draw):
    """Images and windows that all have an input inside."""
    generator = np.random.default_rng(draw(seeds))
    window, strides = draw(pair(1, 4)), draw(pair(1, 4))
    padding = tuple(draw(st.integers(0, w - 1)) for w in window)
    out_size = draw(pair(1, 4))
    size = tuple(
        max((out_size[i] - 1) * strides[i] - padding[i] + draw(st.integers(1, 6)), 1)
        for i in (0, 1)
    )
    n, channels = draw(st.integers(0, 3)), draw(st.integers(1, 4))
    # a few values only, so that there are equal ones
    x = generator.integers(-5, 5, (n, *size, channels)).astype(draw(dtypes))
    d_out = generator.normal(size=(n, *out_size, channels)).astype(x.dtype)
    return x, d_out, {"pool_size": window, "strides": strides, "padding": padding}


def windows(x, out, pool_size, strides, padding):
    """For each output its window: the (row, column) of the inputs inside."""
    for r, c in np.ndindex(*out.shape[1:3]):
        rows = [r * strides[0] - padding[0] + i for i in range(pool_size[0])]
        columns = [c * strides[1] - padding[1] + j for j in range(pool_size[1])]
        yield (
            (r, c),
            [
                (row, column)
                for row, column in itertools.product(rows, columns)
                if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
            ],
        )


@property_test
@given(pools(), st.sampled_from([np.uint8, np.int32]))
def test_max_pooling_takes_the_first_largest_of_every_window(case, index_type):
    x, d_out, geometry = case
    out, work = np.full((2, *d_out.shape), np.nan, x.dtype)
    largest, mask = np.full(d_out.shape, 99, index_type), np.empty(d_out.shape, bool)
    d_x = np.full_like(x, np.nan)
    kernels.max_pool_forward(x, **geometry, mask=mask, largest=largest, out=out)
    kernels.max_pool_backward(d_out, largest, **geometry, mask=mask, work=work, d_x=d_x)
    expected = np.zeros_like(d_x)
    for (r, c), inside in windows(x, out, **geometry):
        values = np.stack([x[:, row, column] for row, column in inside])
        np.testing.assert_array_equal(out[:, r, c], values.max(axis=0, initial=-np.inf))
        first = values.argmax(axis=0)
        for n, channel in np.ndindex(*first.shape):
            row, column = inside[first[n, channel]]
            expected[n, row, column, channel] += d_out[n, r, c, channel]
    assert_close(d_x, expected)
    alone = np.full_like(out, np.nan)
    kernels.max_pool_forward(x, **geometry, mask=None, largest=None, out=alone)
    np.testing.assert_array_equal(alone, out)


@property_test
@given(pools())
def test_average_pooling_takes_the_mean_of_the_inputs_inside(case):
    x, d_out, geometry = case
    out, work = np.full((2, *d_out.shape), np.nan, x.dtype)
    d_x, expected = np.full_like(x, np.nan), np.zeros_like(x)
    kernels.average_pool_forward(x, **geometry, out=out)
    kernels.average_pool_backward(d_out, **geometry, work=work, d_x=d_x)
    for (r, c), inside in windows(x, out, **geometry):
        values = np.stack([x[:, row, column] for row, column in inside])
        assert_close(out[:, r, c], values.mean(axis=0))
        for row, column in inside:
            expected[:, row, column] += d_out[:, r, c] / len(inside)
    assert_close(d_x, expected)


@pytest.mark.parametrize("places", [1, 7])
def test_global_pooling_leaves_one_number_of_each_channel(places):
    generator = np.random.default_rng(0)
    x, out, d_out = generator.normal(size=(3, places, 4)), np.empty((3, 4)), np.ones((3, 4))
    d_x, mask, work = np.empty_like(x), np.empty(x.shape, bool), np.empty_like(out)
    kernels.global_average_pool_forward(x, out)
    kernels.global_average_pool_backward(d_out, d_x)
    assert_close(out, x.mean(axis=1))
    assert_close(d_x, np.full_like(x, 1 / places))
    x[0, :, 1] = 2.0  # all are the largest, and share
    kernels.global_max_pool_forward(x, out)
    kernels.global_max_pool_backward(x, out, d_out, mask, work, d_x)
    assert_close(out, x.max(axis=1))
    expected = (x == x.max(axis=1, keepdims=True)).astype(float)
    assert_close(d_x, expected / expected.sum(axis=1, keepdims=True))
