"""Compiled kernels of images against their reference, and networks made of them."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from instruction_sets import compiled_only, every_set, every_type, using
from threadpoolctl import threadpool_limits

from skdeep import ConvNetClassifier, SequentialClassifier, kernels
from skdeep.augmentation import Cutout, RandomCrop, RandomFlip, RandomShift
from skdeep.engine import executor
from skdeep.kernels import native
from skdeep.layers import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    GlobalAveragePool,
    LayerNorm,
    MaxPool,
    Residual,
    SpatialDropout,
)

pytestmark = compiled_only
drawn = settings(max_examples=25, deadline=None)


def run_native(kernel, arguments, dtype, threads=1):
    """What the compiled kernel writes: arrays by name."""
    copies = {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }
    for name in kernel.writes:
        if copies[name] is not None and copies[name].dtype.kind == "f":
            copies[name].fill(np.nan)  # it must not read what it writes
    call = kernel, executor._checked(kernel, copies, np.dtype(dtype))
    program = executor.NativeProgram([call], 0, dtype)._program
    assert not program.uses_python, f"{kernel.__name__} has no compiled version"
    program.run(threads)
    return {name: copies[name] for name in kernel.writes}


def run_reference(kernel, arguments):
    copies = {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }
    with np.errstate(all="ignore"):
        kernel(**copies)
    return {name: copies[name] for name in kernel.writes}


def on_one_and_two_threads(kernel, arguments, dtype):
    """What the compiled kernel writes, after both were found to be equal bit by bit."""
    one = run_native(kernel, arguments, dtype, threads=1)
    two = run_native(kernel, arguments, dtype, threads=2)
    for name, value in one.items():
        np.testing.assert_array_equal(value, two[name])
    return one


def assert_near(actual, expected, scale, ulps=8):
    """Within so many units in the last place of numbers as large as `scale`."""
    info = np.finfo(actual.dtype)
    error = np.abs(actual.astype(float) - expected.astype(float))
    bound = ulps * info.eps * np.maximum(scale.astype(float), info.tiny)
    assert (error <= bound).all(), (np.max(error / bound), ulps)


# --- convolution ----------------------------------------------------------------------


@st.composite
def convolutions(draw):
    """Images, a kernel and the gradient of its outputs, with how the window moves."""
    kind = draw(st.sampled_from(["any", "any", "groups", "depthwise", "dense"]))
    groups = 1
    channels = draw(st.one_of(st.integers(1, 20), st.sampled_from([32, 33, 96])))
    filters = draw(st.one_of(st.integers(1, 20), st.sampled_from([32, 40, 64])))
    if kind == "groups":
        groups = draw(st.integers(2, 4))
    if kind == "depthwise":
        groups, channels, filters = channels, 1, draw(st.integers(1, 2))
    pair = lambda low, high: draw(st.tuples(*2 * [st.integers(low, high)]))  # noqa: E731
    window, strides, dilation = pair(1, 5), pair(1, 3), pair(1, 2)
    if kind == "dense":
        window, strides = (1, 1), (1, 1)
    # the reach of a window, its padding on both sides, and sizes that fit, or nearly
    reach = [(k - 1) * d for k, d in zip(window, dilation, strict=True)]
    before = tuple(draw(st.integers(0, r + 1)) for r in reach)
    after = [draw(st.integers(0, r + 1)) for r in reach]
    if kind == "dense":
        before = after = (0, 0)
    size = [draw(st.sampled_from([1, 2, 5, 7, 8, 14, 17, 30])) for _ in window]
    if draw(st.booleans()):  # a signal
        size, window = [1, draw(st.sampled_from([1, 9, 50, 700]))], (1, window[1])
        before, after = (0, before[1]), (0, after[1])
        strides, dilation = (1, strides[1]), (1, dilation[1])
        reach = [0, reach[1]]
    out_size = [
        max(0, size[i] + before[i] + after[i] - reach[i] - 1) // strides[i] + 1
        for i in (0, 1)
    ]
    n = draw(st.integers(0, 5))
    shapes = {
        "x": (n, *size, groups * channels),
        "kernel": (*window, channels, groups * filters),
        "out": (n, *out_size, groups * filters),
    }
    geometry = {"strides": strides, "dilation": dilation, "padding": before}
    return shapes, geometry, draw(st.booleans()), draw(st.integers(0, 2**32 - 1))


def large(n, size, channels, filters, window=3, strides=1, groups=1):
    """A convolution with padding "same", of a size that is worked on in parts."""
    out_size = -(-size // strides)
    shapes = {
        "x": (n, size, size, channels),
        "kernel": (window, window, channels // groups, filters),
        "out": (n, out_size, out_size, filters),
    }
    padding = ((window - 1) // 2,) * 2
    geometry = {"strides": 2 * (strides,), "dilation": (1, 1), "padding": padding}
    return shapes, geometry, True, 0


@every_set
@every_type
@given(case=convolutions())
@example(case=large(3, 28, 1, 32))
@example(case=large(3, 14, 32, 64))
@example(case=large(2, 7, 200, 64))  # channels in slices
@example(case=large(1, 40, 64, 33, strides=2))  # rows of images in parts
@example(case=large(2, 40, 96, 96, groups=96))
@drawn
def test_convolutions(instruction_set, dtype, case):
    shapes, geometry, has_bias, seed = case
    rng = np.random.default_rng(seed)
    x, kernel, d_out = (
        rng.normal(size=shapes[name]).astype(dtype) for name in ("x", "kernel", "out")
    )
    bias = rng.normal(size=kernel.shape[-1]).astype(dtype) if has_bias else None
    scratch = kernels.convolution_scratch(kernel.shape, x.shape[-1], d_out.shape[2])
    geometry = geometry | {"work": np.zeros(scratch, dtype)}
    passes = [
        (
            kernels.convolution_forward,
            {"x": x, "kernel": kernel, "bias": bias, **geometry, "out": d_out},
        ),
        (
            kernels.convolution_backward_kernel,
            {"x": x, "d_out": d_out, **geometry, "d_kernel": kernel},
        ),
        (
            kernels.convolution_backward_input,
            {"d_out": d_out, "kernel": kernel, **geometry, "d_x": x},
        ),
        (
            kernels.convolution_backward_bias,
            {"d_out": d_out, "d_bias": np.zeros(kernel.shape[-1], dtype)},
        ),
    ]
    for function, arguments in passes:
        (name,) = function.writes
        wide = {
            key: value.astype(float) if isinstance(value, np.ndarray) else value
            for key, value in arguments.items()
        }
        sizes = {
            key: abs(value) if isinstance(value, np.ndarray) else value
            for key, value in wide.items()
        }
        expected = run_reference(function, wide)[name]
        scale = run_reference(function, sizes)[name]
        with using(instruction_set):
            actual = on_one_and_two_threads(function, arguments, dtype)[name]
        # double precision is compared with sums in another order of its own
        assert_near(actual, expected, scale, ulps=8 if dtype == "float32" else 32)


# --- pooling --------------------------------------------------------------------------


@st.composite
def poolings(draw):
    pair = lambda low, high: draw(st.tuples(*2 * [st.integers(low, high)]))  # noqa: E731
    pool_size, strides = pair(1, 4), pair(1, 4)
    if draw(st.booleans()):
        pool_size = strides = (2, 2)
    if draw(st.integers(0, 9)) == 0:
        pool_size = (17, 16)  # too many places for bytes
    size = pair(1, 20)
    pool_size = tuple(map(min, pool_size, size))
    padding = tuple(draw(st.integers(0, p - 1)) for p in pool_size)
    channels = draw(st.one_of(st.integers(1, 20), st.sampled_from([32, 33, 64])))
    # every window has an input inside of the image
    out = [
        draw(st.integers(1, (size[i] - 1 + padding[i]) // strides[i] + 1)) for i in (0, 1)
    ]
    n, seed = draw(st.integers(0, 4)), draw(st.integers(0, 2**32 - 1))
    return (n, *size, channels), tuple(out), pool_size, strides, padding, seed


def pooled_images(shape, dtype, seed):
    """Whole numbers, so that many are equal, with some that are no number."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, shape).astype(dtype)
    special = rng.choice([np.nan, np.inf, -np.inf, -0.0], shape)
    return np.where(rng.random(shape) < 0.05, special, x).astype(dtype)


@every_set
@every_type
@given(case=poolings())
@drawn
def test_max_pooling_is_that_of_the_reference(instruction_set, dtype, case):
    shape, out_size, pool_size, strides, padding, seed = case
    x = pooled_images(shape, dtype, seed)
    out = np.empty((shape[0], *out_size, shape[3]), dtype)
    small = pool_size[0] * pool_size[1] <= 256
    geometry = {"pool_size": pool_size, "strides": strides, "padding": padding}
    arguments = {
        "x": x,
        **geometry,
        "mask": np.empty(out.shape, bool),
        "largest": np.full(out.shape, 99, "uint8" if small else "int32"),
        "out": out,
    }
    forward = kernels.max_pool_forward
    expected = run_reference(forward, arguments)
    with using(instruction_set):
        actual = on_one_and_two_threads(forward, arguments, dtype)
        predicted = arguments | {"largest": None}
        np.testing.assert_array_equal(
            run_native(forward, predicted, dtype)["out"], expected["out"]
        )
    for name in ("out", "largest"):
        np.testing.assert_array_equal(actual[name], expected[name])

    d_out = pooled_images(out.shape, dtype, seed + 1)
    backward = kernels.max_pool_backward
    arguments = {
        "d_out": d_out,
        "largest": expected["largest"],
        **geometry,
        "mask": np.empty(out.shape, bool),
        "work": np.empty_like(out),
        "d_x": np.empty_like(x),
    }
    with using(instruction_set):
        actual = on_one_and_two_threads(backward, arguments, dtype)
    np.testing.assert_array_equal(actual["d_x"], run_reference(backward, arguments)["d_x"])


@every_set
@every_type
@given(case=poolings())
@drawn
def test_average_pooling(instruction_set, dtype, case):
    shape, out_size, pool_size, strides, padding, seed = case
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape).astype(dtype)
    d_out = rng.normal(size=(shape[0], *out_size, shape[3])).astype(dtype)
    geometry = {"pool_size": pool_size, "strides": strides, "padding": padding}
    work = np.empty_like(d_out)
    passes = [
        (kernels.average_pool_forward, {"x": x, **geometry, "out": d_out}),
        (
            kernels.average_pool_backward,
            {"d_out": d_out, **geometry, "work": work, "d_x": x},
        ),
    ]
    for kernel, arguments in passes:
        (name,) = kernel.writes
        expected = run_reference(kernel, arguments)[name]
        scale = run_reference(
            kernel, {k: abs(v) if k in ("x", "d_out") else v for k, v in arguments.items()}
        )[name]
        with using(instruction_set):
            actual = on_one_and_two_threads(kernel, arguments, dtype)[name]
        assert_near(actual, expected, scale)


places = st.sampled_from([1, 2, 7, 49, 200])
signals = st.tuples(st.integers(0, 5), places, st.integers(1, 40))


@every_set
@every_type
@given(shape=signals, seed=st.integers(0, 2**32 - 1))
@drawn
def test_global_pooling(instruction_set, dtype, shape, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-9, 9, shape).astype(dtype)  # equal ones share the gradient
    d_out = rng.normal(size=shape[::2]).astype(dtype)
    largest = x.max(axis=1)
    passes = [
        (kernels.global_average_pool_forward, {"x": x, "out": d_out}),
        (kernels.global_average_pool_backward, {"d_out": d_out, "d_x": x}),
        (kernels.global_max_pool_forward, {"x": x, "out": d_out}),
        (
            kernels.global_max_pool_backward,
            {
                "x": x,
                "out": largest,
                "d_out": d_out,
                "mask": np.empty(shape, bool),
                "work": np.empty_like(d_out),
                "d_x": x,
            },
        ),
    ]
    for kernel, arguments in passes:
        (name,) = kernel.writes
        arguments = arguments | {name: np.empty_like(arguments[name])}
        expected = run_reference(kernel, arguments)[name]
        with using(instruction_set):
            actual = on_one_and_two_threads(kernel, arguments, dtype)[name]
        assert_near(actual, expected, np.maximum(abs(expected), 9))


@every_set
@every_type
def test_global_max_pooling_keeps_nan(instruction_set, dtype):
    x = np.arange(24, dtype=dtype).reshape(2, 4, 3)
    x[0, 1, 2] = x[1, 3, 0] = np.nan
    arguments = {"x": x, "out": np.empty((2, 3), dtype)}
    with using(instruction_set):
        actual = run_native(kernels.global_max_pool_forward, arguments, dtype)
    np.testing.assert_array_equal(actual["out"], x.max(axis=1))


# --- what goes with them --------------------------------------------------------------


@every_set
@every_type
@given(shape=signals, seed=st.integers(0, 2**32 - 1), images=st.booleans())
@drawn
def test_layer_norm(instruction_set, dtype, shape, seed, images):
    rng = np.random.default_rng(seed)
    shape = shape if images else shape[::2]
    m = shape[-1]
    x, d_out = (rng.normal(size=shape).astype(dtype) for _ in range(2))
    scale, shift = (rng.normal(size=m).astype(dtype) for _ in range(2))
    forward = kernels.layer_norm_forward
    arguments = {
        "x": x,
        "scale": scale,
        "shift": shift,
        "epsilon": 0.1,
        "normalized": np.empty_like(x),
        "inverse_deviation": np.empty(shape[:-1], dtype),
        "out": np.empty_like(x),
    }
    expected = run_reference(forward, arguments)
    with using(instruction_set):
        actual = on_one_and_two_threads(forward, arguments, dtype)
        for name in expected:
            assert_near(actual[name], expected[name], np.full(1, 1000.0))
        backward = {"d_out": d_out, "normalized": expected["normalized"]}
        gradients = backward | {"d_scale": scale, "d_shift": shift}
        sums = on_one_and_two_threads(
            kernels.layer_norm_backward_parameters, gradients, dtype
        )
        rows = tuple(range(d_out.ndim - 1))
        products = d_out * expected["normalized"]
        for name, terms in (("d_scale", products), ("d_shift", d_out)):
            wide = terms.astype(float)
            assert_near(sums[name], wide.sum(axis=rows), 2 * abs(wide).sum(axis=rows))
        arguments = backward | {
            "scale": scale,
            "inverse_deviation": expected["inverse_deviation"],
            "work": np.empty_like(x),
            "norm": np.empty(shape[:-1], dtype),
            "d_x": x,
        }
        kernel = kernels.layer_norm_backward_input
        actual = on_one_and_two_threads(kernel, arguments, dtype)["d_x"]
        assert_near(actual, run_reference(kernel, arguments)["d_x"], np.full(1, 1000.0))


@every_set
@every_type
@given(shape=signals, seed=st.integers(0, 2**32 - 1))
@drawn
def test_batch_norm_of_images(instruction_set, dtype, shape, seed):
    """As that of a matrix in which every place is a row."""
    rng = np.random.default_rng(seed)
    n, places, m = shape
    x = (rng.normal(size=shape) + 3).astype(dtype)
    vector = lambda: rng.uniform(0.5, 1, m).astype(dtype)  # noqa: E731
    arguments = {
        "x": x,
        "weight": rng.integers(0, 3, n).astype(dtype),
        "scale": vector(),
        "shift": vector(),
        "step": np.array([4]),
        "batch_size": n + 3,
        "momentum": 0.9,
        "epsilon": 0.1,
        "shift_gain": 3.0,
        "share": np.empty((n, places), dtype),
        "work": np.empty(m, dtype),
        "normalized": np.empty_like(x),
        "inverse_deviation": np.empty(m, dtype),
        "running_mean": vector(),
        "running_variance": vector(),
        "out": np.empty_like(x),
    }
    forward, inputs = kernels.batch_norm_forward, kernels.batch_norm_backward_input
    expected = run_reference(forward, arguments)
    record = dict(arguments)
    with using(instruction_set):
        call = forward, executor._checked(forward, record, np.dtype(dtype))
        executor.NativeProgram([call], 0, dtype)._program.run(2)
        for name in expected:
            assert_near(record[name], expected[name], np.full(1, 1000.0))
        backward = {
            "d_out": rng.normal(size=shape).astype(dtype),
            "normalized": expected["normalized"],
            "share": expected["share"],
            "scale": arguments["scale"],
            "inverse_deviation": expected["inverse_deviation"],
            "d_scale": vector(),
            "d_shift": vector(),
            "shift_gain": 3.0,
            "work": np.empty(m, dtype),
            "d_x": x,
        }
        actual = on_one_and_two_threads(inputs, backward, dtype)["d_x"]
        assert_near(actual, run_reference(inputs, backward)["d_x"], np.full(1, 1000.0))
        kernel = kernels.batch_norm_inference
        available = arguments | {"running_mean": vector(), "running_variance": vector()}
        inference = {key: available[key] for key in kernel.arguments}
        actual = on_one_and_two_threads(kernel, inference, dtype)["out"]
        assert_near(actual, run_reference(kernel, inference)["out"], np.full(1, 100.0))


@every_set
@every_type
@given(shape=signals, rate=st.sampled_from([0.0, 0.3, 0.9]), seed=st.integers(0, 2**32 - 1))
@drawn
def test_spatial_dropout_has_the_same_mask(instruction_set, dtype, shape, rate, seed):
    n, _, channels = shape
    x = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    arguments = {
        "x": x,
        "stream": kernels.PhiloxStream((seed, 7)),
        "layer": 3,
        "step": np.array([1 + seed % 1000]),
        "rate": rate,
        "uniform": np.empty((n, channels), "float32"),
        "mask": np.empty((n, channels), bool),
        "keep": np.empty((n, channels), dtype),
        "out": np.empty_like(x),
    }
    forward, backward = kernels.spatial_dropout_forward, kernels.spatial_dropout_backward
    expected = run_reference(forward, arguments)
    with using(instruction_set):
        actual = on_one_and_two_threads(forward, arguments, dtype)
        for name in expected:
            np.testing.assert_array_equal(actual[name], expected[name])
        arguments = {"d_out": x, "keep": expected["keep"], "d_x": np.empty_like(x)}
        actual = on_one_and_two_threads(backward, arguments, dtype)
    np.testing.assert_array_equal(actual["d_x"], run_reference(backward, arguments)["d_x"])


@every_set
@every_type
@given(n=st.integers(0, 50), m=st.integers(1, 50), seed=st.integers(0, 2**32 - 1))
@drawn
def test_sums_and_scalings(instruction_set, dtype, n, m, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=(n, m)).astype(dtype) for _ in range(2))
    with using(instruction_set):
        arguments = {"a": a, "b": b, "out": np.empty_like(a)}
        out = on_one_and_two_threads(kernels.add, arguments, dtype)["out"]
        np.testing.assert_array_equal(out, a + b)
        for x in (a, rng.integers(0, 256, (n, m), dtype="uint8")):
            arguments = {"x": x, "scale": 0.3, "offset": -1.0, "out": np.empty_like(a)}
            out = on_one_and_two_threads(kernels.rescale, arguments, dtype)["out"]
            expected = run_reference(kernels.rescale, arguments)["out"]
            assert_near(out, expected, abs(x * 0.3) + 1, ulps=2)


@every_set
@every_type
@given(
    n=st.integers(1, 20),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    channels=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
@drawn
def test_augmentation_draws_the_same(instruction_set, dtype, n, size, channels, seed):
    shape = (n, *size, channels)
    x = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    rows, columns = (n, size[0]), (n, size[1])
    available = {
        "x": x,
        "stream": kernels.PhiloxStream((seed, 9)),
        "purpose": 5,
        "step": np.array([1 + seed % 100]),
        "probability": 0.5,
        "axis": 1 + seed % 2,
        "reach": (seed % 3, seed % 5),
        "repeats": seed % 7 < 3,
        "size": (1 + seed % 4, 1 + seed % 3),
        "uniform": np.empty((n, 2), "float32"),
        "out": np.empty_like(x),
    }
    scratch = {
        "flip_images": {"uniform": np.empty(n, "float32"), "mask": np.empty(n, bool)},
        "shift_images": {
            "work_1": np.empty(rows, "int64"),
            "work_2": np.empty(columns, "int64"),
            "work_3": np.empty(shape[:3], "int64"),
            "mask_1": np.empty(rows, bool),
            "mask_2": np.empty(columns, bool),
        },
        "cut_out": {
            "mask_1": np.empty(rows, bool),
            "mask_2": np.empty(columns, bool),
            "mask_3": np.empty(shape[:3], bool),
        },
    }
    for name, more in scratch.items():
        kernel = getattr(kernels, name)
        arguments = {key: (available | more)[key] for key in kernel.arguments}
        with using(instruction_set):
            actual = on_one_and_two_threads(kernel, arguments, dtype)["out"]
        np.testing.assert_array_equal(actual, run_reference(kernel, arguments)["out"])


# --- whole fits -----------------------------------------------------------------------

ARCHITECTURES = {
    "recipe": ConvNetClassifier((6, 17), hidden_layer_sizes=(20,)),
    "fast recipe": ConvNetClassifier((16, 20), hidden_layer_sizes=(20,)),
    "recipe with all": ConvNetClassifier(
        (16, 8),
        batch_norm=True,
        dropout=0.2,
        global_pool="average",
        pool="average",
        augmentation=(
            RandomFlip(),
            RandomCrop(2),
            RandomShift(fill="nearest"),
            Cutout(3),
        ),
    ),
    "stack": SequentialClassifier(
        [
            Conv(8, kernel_size=5, strides=2),
            LayerNorm(),
            Residual([Conv(8), BatchNorm(), Activation("relu"), SpatialDropout(0.2)]),
            Conv(16, groups=8, dilation=2),
            Conv(12, kernel_size=1),
            MaxPool(3, strides=2, padding="same"),
            AveragePool(2, strides=1),
            GlobalAveragePool(),
        ]
    ),
}
architectures = pytest.mark.parametrize("name", ARCHITECTURES)
fits = pytest.mark.skipif(not native.ENABLED, reason="compiled kernels are not in use")
without_warnings = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


def fitted(name, dtype):
    """The parameters, statistics and losses after some epochs, the last batch not full."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(110, 13, 12, 2)).astype(dtype), rng.integers(0, 3, 110)
    X[..., 0] += y[:, np.newaxis, np.newaxis]
    model = ARCHITECTURES[name].set_params(batch_size=48, max_iter=3, random_state=0)
    network = model.fit(X, y).network_
    return np.concatenate([network.parameters, network.statistics, model.loss_curve_])


@fits
@without_warnings
@architectures
def test_the_number_of_threads_changes_no_bit_of_a_fit(name, monkeypatch):
    # so many threads as asked for, however small the network
    monkeypatch.setattr(executor, "_SERIAL_COST", 0)
    results = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads, user_api="skdeep"):
            results.append(fitted(name, "float32"))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@fits
@without_warnings
@architectures
def test_fits_are_those_of_the_reference(name, monkeypatch):
    ours = fitted(name, "float64")
    monkeypatch.setattr(native, "ENABLED", False)
    np.testing.assert_allclose(ours, fitted(name, "float64"), rtol=1e-7, atol=1e-9)
