"""Winograd's minimal filtering is the direct convolution, up to rounding."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from instruction_sets import compiled_only, every_set, every_type, using

from skdeep import ConvNetClassifier, kernels
from skdeep.engine import executor
from skdeep.engine.batch import BatchPlan, TrainingData
from skdeep.engine.network import Network, StepMemory
from skdeep.engine.program import ROWS, Buffer
from skdeep.kernels import native, winograd
from skdeep.layers import Activation, Conv, Flatten
from skdeep.losses import SquaredError
from skdeep.optimizers import SGD

chosen_only = pytest.mark.skipif(
    not native.ENABLED or winograd.CONVOLUTION == "direct",
    reason="convolutions are direct here",
)
#: The largest error, relative to the result's norm.
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def in_numpy(kernel, arguments):
    kernel(**arguments)


def compiled(threads):
    def run(kernel, arguments):
        dtype = next(a.dtype for a in arguments.values() if isinstance(a, np.ndarray))
        call = kernel, executor._checked(kernel, arguments, dtype)
        program = executor.NativeProgram([call], 0, dtype)._program
        assert not program.uses_python
        program.run(threads)

    return run


def arrays_of(shape, out_size, filters, dtype, seed):
    """Images, a kernel, a bias and the gradient of the outputs."""
    rng = np.random.default_rng(seed)
    shapes = (
        shape,
        (3, 3, shape[-1], filters),
        (filters,),
        (shape[0], *out_size, filters),
    )
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def direct(x, kernel, bias, d_out, padding):
    """The outputs and both gradients, by NumPy's direct kernels in double precision."""
    x, kernel, bias, d_out = (a.astype(float) for a in (x, kernel, bias, d_out))
    size = kernels.convolution_scratch(kernel.shape, x.shape[-1], d_out.shape[2])
    moves = {"strides": (1, 1), "dilation": (1, 1), "padding": padding}
    moves["work"] = np.empty(size)
    out, d_x, d_kernel = map(np.empty_like, (d_out, x, kernel))
    kernels.convolution_forward(x, kernel, bias, **moves, out=out)
    kernels.convolution_backward_input(d_out, kernel, **moves, d_x=d_x)
    kernels.convolution_backward_kernel(x, d_out, **moves, d_kernel=d_kernel)
    return {"out": out, "d_x": d_x, "d_kernel": d_kernel}


def fast(run, x, kernel, bias, d_out, padding):
    """The same by Winograd's minimal filtering."""
    channels, filters = kernel.shape[2:]

    def scratch(inputs, outputs):
        shapes = kernels.scratch_shapes(
            kernels.winograd_sums, {"x": inputs.shape, "d_out": outputs.shape}
        )
        return np.full(shapes["work"], np.nan, x.dtype)

    def nothing(shape):  # what is read before it is written shows
        return np.full(shape, np.nan, x.dtype)

    def convolution(inputs, weights, bias, padding, shape):
        arguments = {"x": inputs, "weights": weights, "bias": bias, "padding": padding}
        arguments |= {"work": scratch(inputs, np.empty(shape)), "out": nothing(shape)}
        run(kernels.winograd_convolution, arguments)
        return arguments["out"]

    weights = nothing(kernels.winograd_weights_shape(channels, filters))
    turned = nothing(kernels.winograd_weights_shape(filters, channels))
    run(kernels.winograd_weights, {"kernel": kernel, "weights": weights})
    run(kernels.winograd_weights_backward, {"kernel": kernel, "weights": turned})
    out = convolution(x, weights, bias, padding, d_out.shape)
    d_x = convolution(d_out, turned, None, tuple(2 - p for p in padding), x.shape)
    sums = nothing(kernels.winograd_sums_shape(channels, filters))
    arguments = {"x": x, "d_out": d_out, "padding": padding}
    run(kernels.winograd_sums, arguments | {"work": scratch(x, d_out), "sums": sums})
    d_kernel = nothing(kernel.shape)
    run(kernels.winograd_backward_kernel, {"sums": sums, "d_kernel": d_kernel})
    return {"out": out, "d_x": d_x, "d_kernel": d_kernel}


def assert_near(actual, expected, dtype):
    for name, value in expected.items():
        assert actual[name].dtype == dtype
        error = np.linalg.norm(actual[name] - value)
        assert error <= TOLERANCE[dtype] * np.linalg.norm(value), name


@st.composite
def convolutions(draw):
    """Shapes and paddings: one row, one tile, odd sizes, sides without padding."""
    n = draw(st.integers(0, 9))
    padding = tuple(draw(st.integers(0, 2)) for _ in range(2))
    after = [draw(st.integers(0, 2)) for _ in range(2)]
    size = [draw(st.sampled_from([1, 2, 3, 4, 5, 7, 8, 11, 14, 17])) for _ in range(2)]
    size = [max(s, 3 - p - a) for s, p, a in zip(size, padding, after, strict=True)]
    out_size = [s + p + a - 2 for s, p, a in zip(size, padding, after, strict=True)]
    count = st.one_of(st.integers(16, 40), st.sampled_from([16, 32, 64, 100]))
    channels, filters = draw(count), draw(count)
    return (n, *size, channels), out_size, filters, padding, draw(st.integers(0, 2**32 - 1))


@compiled_only
@every_set
@every_type
@given(case=convolutions())
@example(case=((3, 32, 32, 64), [32, 32], 128, (1, 1), 0))  # several blocks an image
@example(case=((60, 8, 8, 48), [8, 8], 32, (1, 1), 0))  # several images a block
@example(case=((2, 1, 9, 16), [1, 9], 16, (1, 1), 0))  # one row
@example(case=((2, 4, 4, 16), [4, 4], 16, (1, 1), 0))  # one tile
@settings(max_examples=20, deadline=None)
def test_it_is_the_direct_convolution(instruction_set, dtype, case):
    shape, out_size, filters, padding, seed = case
    arrays = arrays_of(shape, out_size, filters, dtype, seed)
    with using(instruction_set):
        one, two = (fast(compiled(threads), *arrays, padding) for threads in (1, 2))
    for name, value in one.items():
        np.testing.assert_array_equal(value, two[name])
    assert_near(one, direct(*arrays, padding), dtype)


@every_type
@given(case=convolutions())
@settings(max_examples=20, deadline=None)
def test_numpys_half_is_the_direct_convolution(dtype, case):
    shape, out_size, filters, padding, seed = case
    arrays = arrays_of(shape, out_size, filters, dtype, seed)
    assert_near(fast(in_numpy, *arrays, padding), direct(*arrays, padding), dtype)


@compiled_only
@every_set
@every_type
@pytest.mark.parametrize("size", [5, 8, 14])
def test_a_sample_has_the_same_outputs_in_every_batch(instruction_set, dtype, size):
    arrays = arrays_of((23, size, size, 33), (size, size), 48, dtype, 0)
    with using(instruction_set):
        together = fast(compiled(1), *arrays, (1, 1))
        for rows in (slice(0, 1), slice(3, 5), slice(7, 23)):
            x, kernel, bias, d_out = arrays
            alone = fast(compiled(1), x[rows], kernel, bias, d_out[rows], (1, 1))
            for name in ("out", "d_x"):
                np.testing.assert_array_equal(alone[name], together[name][rows])


@compiled_only
@every_type
def test_what_is_not_a_number_stays_in_its_image(dtype):
    x, kernel, bias, d_out = arrays_of((3, 9, 9, 16), (9, 9), 16, dtype, 0)
    x[1, 4, 4, 3] = np.nan
    out = fast(compiled(1), x, kernel, bias, d_out, (1, 1))["out"]
    assert np.isnan(out[1, 3:6, 3:6]).all()
    assert np.isfinite(out[[0, 2]]).all()


@pytest.mark.parametrize("run", [in_numpy, pytest.param(compiled(1), marks=compiled_only)])
def test_weights_are_those_of_lavin_and_grays_second_equation(run):
    """G g G' at the points 0, 5/8, -5/8, 3/2, -3/2 and infinity, from its definition."""
    kernel = np.random.default_rng(0).normal(size=(3, 3, 16, 16))
    points = [0, 5 / 8, -5 / 8, 3 / 2, -3 / 2]
    rows = [
        [p**k / np.prod([p - q for q in points if q != p]) for k in range(3)]
        for p in points
    ]
    g = np.array([*rows, [0, 0, 1]])
    weights = np.empty(kernels.winograd_weights_shape(16, 16))
    run(kernels.winograd_weights, {"kernel": kernel, "weights": weights})
    expected = np.einsum("ia,abcf,jb->ijcf", g, kernel, g).reshape(36, -1)
    np.testing.assert_allclose(weights[:, :256], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "change",
    [
        {"x": (2, 8, 8, 15), "weights": kernels.winograd_weights_shape(15, 16)},
        {"weights": (36, 16 * 16)},
        {"out": (2, 8, 8, 17), "bias": (17,)},
    ],
)
def test_other_shapes_are_an_error(change):
    shapes = {
        "x": (2, 8, 8, 16),
        "weights": kernels.winograd_weights_shape(16, 16),
        "bias": (16,),
        "out": (2, 8, 8, 16),
    } | change
    arguments = {name: np.empty(shape) for name, shape in shapes.items()}
    arguments |= {"padding": (1, 1), "work": np.empty(5 * 36 * 4 * 16 * 16)}
    with pytest.raises(ValueError, match="channels"):
        executor.bind([(kernels.winograd_convolution, arguments)], 2, np.dtype("f8"))


# --- which convolutions -----------------------------------------------------------------

USUAL = {
    "kernel_shape": (3, 3, 32, 64),
    "channels": 32,
    "out_size": (14, 14),
    "strides": (1, 1),
    "dilation": (1, 1),
    "padding": (1, 1),
    "batch_size": 32,
}


@chosen_only
def test_usual_convolutions_are_fast():
    assert kernels.suits_winograd(**USUAL)
    assert kernels.suits_winograd(**USUAL | {"batch_size": None})


@chosen_only
@pytest.mark.parametrize(
    "change",
    [
        {"kernel_shape": (5, 5, 32, 64)},
        {"kernel_shape": (3, 1, 32, 64)},
        {"kernel_shape": (3, 3, 16, 64)},  # two groups
        {"kernel_shape": (3, 3, 32, 3)},
        {"kernel_shape": (3, 3, 3, 64), "channels": 3},
        {"out_size": (1, 100)},
        {"out_size": (2, 2)},
        {"strides": (1, 2)},
        {"dilation": (2, 1)},
        {"padding": (3, 1)},
        {"batch_size": 1},
        {"batch_size": None, "out_size": (12, 12)},
    ],
)
def test_others_are_direct(change):
    assert not kernels.suits_winograd(**USUAL | change)


def test_they_are_direct_in_numpy(monkeypatch):
    monkeypatch.setattr(native, "ENABLED", False)
    assert not kernels.suits_winograd(**USUAL)


def test_they_are_direct_where_the_user_says_so(monkeypatch):
    monkeypatch.setattr(winograd, "CONVOLUTION", "direct")
    assert not kernels.suits_winograd(**USUAL)


def show_versions(**environment):
    return subprocess.run(
        [sys.executable, "-c", "import skdeep; skdeep.show_versions()"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_the_users_choice_is_shown():
    shown = show_versions(SKDEEP_CONVOLUTION="direct", SKDEEP_KERNELS="")
    assert "convolution: direct" in shown.stdout


def test_another_choice_is_an_error():
    shown = show_versions(SKDEEP_CONVOLUTION="slow")
    assert "SKDEEP_CONVOLUTION is 'slow'; it must be 'direct'" in shown.stderr


# --- networks ---------------------------------------------------------------------------


def network_of_two():
    """A network whose convolutions are both fast, on images of odd size."""
    return Network(
        [
            ("first", Conv(17, padding=(2, 0))),
            ("tanh", Activation("tanh")),
            ("second", Conv(16)),
            ("flatten", Flatten()),
        ],
        SquaredError(),
        SGD(),
        input_shape=(5, 7, 16),
        dtype="float64",
    )


@pytest.fixture
def few_tiles(monkeypatch):
    """Fast convolutions also where there is little to do."""
    monkeypatch.setattr(winograd, "FEWEST_TILES", 1)
    monkeypatch.setattr(winograd, "FEWEST_TRAINED_TILES", 1)


@chosen_only
@pytest.mark.usefixtures("few_tiles")
def test_gradients_are_differences_of_the_cost():
    network = network_of_two()
    network.initialize((0, 0))
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(3, 5, 7, 16)), rng.normal(size=(3, 7 * 5 * 16))
    data = TrainingData(x, target, np.full(3, 1 / 3))
    plan, memory = BatchPlan.of(data, 3, whole=False), StepMemory(network, (0, 0), 3)
    calls = network.gradient_program(plan, data, memory).calls
    names = [call.kernel.__name__ for call in calls]
    assert names.count("winograd_convolution") == 3
    assert names.count("winograd_backward_kernel") == 2
    objective = network.objective(data)
    start = network.parameters.copy()
    _, gradient = objective(start)
    h = 1e-5
    for seed in range(8):  # along directions: there are thousands of parameters
        direction = np.random.default_rng(seed).normal(size=start.size)
        above, below = (objective(start + s * h * direction)[0] for s in (1, -1))
        slope = gradient @ direction
        assert abs((above - below) / (2 * h) - slope) <= 1e-7 * np.linalg.norm(gradient)
    for i in np.random.default_rng(9).choice(start.size, 40, replace=False):
        moved = np.zeros_like(start)
        moved[i] = h
        above, below = (objective(start + s * moved)[0] for s in (1, -1))
        assert abs((above - below) / (2 * h) - gradient[i]) <= 1e-7 * abs(gradient).max()


@chosen_only
@pytest.mark.usefixtures("few_tiles")
def test_weights_are_transformed_before_the_rows():
    """So that a thread carries its rows through all layers without a meeting."""
    network = network_of_two()
    images = Buffer("x", (ROWS, *network.input_shape))
    program, _ = network._inference_program(images)
    names = [call.kernel.__name__ for call in program.calls]
    assert names.count("winograd_weights") == names.count("winograd_convolution") == 2
    bound = program.bind(program.allocate(4), 4)
    assert bound._program.n_stages == 2


def loss_curve(X, y, seed):
    model = ConvNetClassifier(
        (16, 32),
        hidden_layer_sizes=64,
        batch_size=100,
        max_iter=4,
        learning_rate=2e-3,
        random_state=seed,
    )
    return np.array(model.fit(X, y).loss_curve_)


@chosen_only
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_training_curves_of_both_algorithms_are_alike(mnist, monkeypatch):
    """Their distance is within that of two seeds."""
    X, y = mnist[0][:3000].reshape(-1, 28, 28, 1), mnist[1][:3000]
    fast_curves = np.array([loss_curve(X, y, seed) for seed in range(3)])
    monkeypatch.setattr(winograd, "CONVOLUTION", "direct")
    direct_curves = np.array([loss_curve(X, y, seed) for seed in range(3)])
    noise = direct_curves.std(axis=0, ddof=1)
    assert (abs(fast_curves - direct_curves).mean(axis=0) <= noise).all()
