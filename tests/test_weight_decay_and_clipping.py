"""Weight decay acts on kernels alone; clipping bounds the gradient before the optimizer."""

import numpy as np
import pytest

from skdeep import kernels
from skdeep.batch import BatchPlan, TrainingData
from skdeep.layers import Activation, BatchNorm, Dense
from skdeep.losses import SquaredError
from skdeep.network import Network, Settings, StepMemory
from skdeep.optimizers import SGD, Adam, AdamW

N = 12
KEY = (5, 6)
RATE = 0.5
LEARNING_RATE = 0.125


def make_network(optimizer, settings):
    layers = [
        ("hidden", Dense(4)),
        ("norm", BatchNorm()),
        ("tanh", Activation("tanh")),
        ("output", Dense(2)),
    ]
    network = Network(
        layers,
        SquaredError(),
        optimizer,
        input_shape=(3,),
        dtype=np.float64,
        settings=settings,
    )
    network.initialize(KEY)
    network.parameters += np.random.default_rng(0).normal(size=network.parameters.size)
    return network


def draw_data():
    generator = np.random.default_rng(1)
    x, target = generator.normal(size=(N, 3)), generator.normal(size=(N, 2))
    return TrainingData(x, target, np.full(N, 1 / N))


def train(optimizer, **settings):
    """The gradient before a training step, and the parameters before and after it."""
    network, data = make_network(optimizer, Settings(**settings)), draw_data()
    plan = BatchPlan.of(data, N, whole=True)
    before = network.parameters.copy()
    memory = StepMemory(network, KEY, 0)
    memory.step[0], memory.learning_rate[0] = 1, LEARNING_RATE
    for make in (network.gradient_program, network.training_program):
        program = make(plan, data, memory)
        bound = program.bind(program.allocate(N), N)
        if make == network.gradient_program:
            bound.run()
            gradient = memory.gradient.copy()
    bound.run()
    return network, gradient, before, network.parameters


def is_kernel(network):
    """Which entries of the vector of parameters belong to kernels."""
    flags = np.zeros(network.parameters.size, bool)
    for owner, name in network.parameter_names():
        view = network.view(owner, name)
        start = (view.ctypes.data - network.parameters.ctypes.data) // view.itemsize
        flags[start : start + view.size] = name == "kernel"
    return flags


def test_coupled_decay_adds_the_rate_times_the_kernels_to_the_gradient():
    network, gradient, before, after = train(SGD(), weight_decay=RATE)
    decayed = gradient + RATE * before * is_kernel(network)
    np.testing.assert_allclose(after, before - LEARNING_RATE * decayed, rtol=1e-12)


@pytest.mark.parametrize("optimizer", [SGD(), AdamW()], ids=repr)
@pytest.mark.parametrize("name", ["bias", "scale", "shift"])
def test_decay_does_not_act_on(name, optimizer):
    decayed, *_ = train(optimizer, weight_decay=RATE)
    plain, *_ = train(optimizer)
    for owner in [owner for owner, key in plain.parameter_names() if key == name]:
        np.testing.assert_array_equal(decayed.view(owner, name), plain.view(owner, name))


def test_decoupled_decay_shrinks_kernels_by_learning_rate_times_rate():
    network, _, before, after = train(AdamW(), weight_decay=RATE)
    _, _, _, plain = train(AdamW())
    shrunk = before * (1 - LEARNING_RATE * RATE * is_kernel(network))
    np.testing.assert_allclose(after, shrunk + (plain - before), rtol=1e-12)


def test_coupled_decay_passes_through_adams_division_and_decoupled_does_not():
    _, _, _, coupled = train(Adam(), weight_decay=RATE)
    _, _, _, decoupled = train(AdamW(), weight_decay=RATE)
    assert np.abs(coupled - decoupled).max() > 1e-3


def test_the_penalty_is_half_the_rate_times_the_squared_kernels():
    network = make_network(SGD(), Settings(weight_decay=RATE))
    kernel_entries = network.parameters[is_kernel(network)]
    assert network.penalty() == pytest.approx(RATE / 2 * np.sum(kernel_entries**2))


def test_decoupled_decay_is_no_part_of_the_cost():
    assert make_network(AdamW(), Settings(weight_decay=RATE)).penalty() == 0.0


# --- clipping ---------------------------------------------------------------------


def test_clipping_by_norm_scales_a_long_gradient_to_the_norm():
    _, gradient, before, after = train(SGD(), gradient_clip_norm=0.01)
    norm = np.linalg.norm(gradient)
    assert norm > 0.01
    expected = before - LEARNING_RATE * gradient * 0.01 / norm
    np.testing.assert_allclose(after, expected, rtol=1e-12)


def test_clipping_by_norm_leaves_a_short_gradient():
    _, gradient, before, after = train(SGD(), gradient_clip_norm=1e6)
    np.testing.assert_allclose(after, before - LEARNING_RATE * gradient, rtol=1e-12)


def test_clipping_by_value_cuts_each_entry():
    _, gradient, before, after = train(SGD(), gradient_clip_value=0.05)
    cut = np.clip(gradient, -0.05, 0.05)
    assert (cut > -0.05).any() and (cut == 0.05).any() and (cut == -0.05).any()
    np.testing.assert_allclose(after, before - LEARNING_RATE * cut, rtol=1e-12)


def test_clipping_acts_before_weight_decay():
    settings = {"gradient_clip_norm": 0.01, "gradient_clip_value": 0.05}
    network, gradient, before, after = train(SGD(), weight_decay=RATE, **settings)
    cut = np.clip(gradient, -0.05, 0.05)
    cut *= 0.01 / np.linalg.norm(cut)
    decayed = cut + RATE * before * is_kernel(network)
    np.testing.assert_allclose(after, before - LEARNING_RATE * decayed, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping_by_norm_leaves_a_gradient_of_zero(dtype):
    gradient = np.zeros(5, dtype)
    kernels.clip_by_norm(gradient, 1.0)
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e25), (np.float64, 1e200)])
def test_clipping_by_norm_keeps_the_direction_of_a_gradient_whose_square_overflows(
    dtype, size
):
    gradient = np.array([3 * size, 0, -4 * size], dtype)
    with np.errstate(all="ignore"):
        kernels.clip_by_norm(gradient, 1.0)
    np.testing.assert_allclose(gradient, [0.6, 0, -0.8], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 100, 3 * 32768 + 1])
def test_decay_of_a_long_vector_equals_numpy(dtype, n):
    generator = np.random.default_rng(0)
    parameters, gradient = generator.normal(size=(2, n)).astype(dtype)
    expected = gradient + dtype(0.25) * parameters
    kernels.add_weight_decay(parameters, gradient, 0.25)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)
    shrunk = parameters * dtype(1 - 0.5 * 0.25)
    kernels.decay_parameters(parameters, np.array([0.5]), 0.25)
    np.testing.assert_allclose(parameters, shrunk, rtol=1e-6)
