"""Penalties and limits act on kernels alone; clipping bounds the gradient before them."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Lasso
from sklearn.utils._param_validation import InvalidParameterError

from skdeep import MLPClassifier, MLPRegressor, kernels
from skdeep.engine.batch import BatchPlan, TrainingData
from skdeep.engine.network import Network, Settings, StepMemory
from skdeep.layers import Activation, BatchNorm, Dense
from skdeep.losses import SquaredError
from skdeep.optimizers import OPTIMIZERS, SGD, Adam, AdamW

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


# --- the L1 penalty ---------------------------------------------------------------


def test_l1_adds_its_rate_times_the_signs_of_the_kernels_to_the_gradient():
    network, gradient, before, after = train(SGD(), l1_penalty=RATE)
    penalized = gradient + RATE * np.sign(before) * is_kernel(network)
    np.testing.assert_allclose(after, before - LEARNING_RATE * penalized, rtol=1e-12)


def test_l1_adds_nothing_where_a_weight_is_zero():
    gradient = np.array([1.0, 1.0, 1.0, 1.0])
    weights = np.array([0.0, -0.0, 2.0, -1e-300])
    kernels.add_l1_penalty(
        parameters=weights,
        gradient=gradient,
        rate=0.5,
        mask=np.empty(4, bool),
        mask_2=np.empty(4, bool),
        work=np.empty(4),
    )
    np.testing.assert_array_equal(gradient, [1.0, 1.0, 1.5, 0.5])


@pytest.mark.parametrize("optimizer", [SGD(), AdamW()], ids=repr)
def test_l1_is_part_of_the_cost(optimizer):
    network = make_network(optimizer, Settings(l1_penalty=RATE))
    kernel_entries = network.parameters[is_kernel(network)]
    assert network.penalty() == pytest.approx(RATE * np.sum(np.abs(kernel_entries)))


def test_the_gradient_of_both_penalties_is_that_of_the_cost():
    network = make_network(SGD(), Settings(weight_decay=RATE, l1_penalty=0.3))
    objective = network.objective(draw_data())
    w, h = network.parameters.copy(), 1e-6
    gradient = objective(w)[1]
    differences = [
        (objective(w + h * e)[0] - objective(w - h * e)[0]) / (2 * h)
        for e in np.eye(len(w))
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-8)


def test_l1_draws_weights_of_inputs_that_say_nothing_to_zero():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(400, 20))
    y = X[:, 0] - 2 * X[:, 1]
    options = dict(
        weight_decay=0.0,
        max_iter=300,
        n_iter_no_change=300,
        batch_size="full",
        learning_rate=0.03,
        learning_rate_schedule="cosine",
        random_state=0,
    )
    plain, sparse = (
        np.abs(MLPRegressor((), l1_penalty=p, **options).fit(X, y).coefs_[0].ravel())
        for p in (0.0, 0.1)
    )
    assert sparse[2:].max() < 0.02 < 0.5 < sparse[:2].min()
    # of a squared error of half the size, the lasso shrinks what is left by the penalty
    lasso = Lasso(alpha=0.1).fit(X, y).coef_
    np.testing.assert_allclose(sparse, np.abs(lasso), atol=0.02)
    np.testing.assert_allclose(plain[:2], [1, 2], atol=0.05)


# --- the limit of norms -----------------------------------------------------------


def unit_norms(network):
    names = [a for a in network.parameter_names() if a[1] == "kernel"]
    return [np.linalg.norm(network.view(*a), axis=0) for a in names]


def test_max_norm_scales_the_weights_into_each_unit_that_are_too_long():
    limited, *_ = train(SGD(), max_norm=1.5)
    plain, *_ = train(SGD())
    for owner, name in plain.parameter_names():
        expected = plain.view(owner, name).copy()
        if name == "kernel":
            norms = np.linalg.norm(expected, axis=0)
            assert norms.max() > 1.5
            expected *= np.minimum(1, 1.5 / norms)
        np.testing.assert_allclose(limited.view(owner, name), expected, rtol=1e-12)


def test_max_norm_leaves_shorter_weights_as_they_are():
    _, _, _, limited = train(SGD(), max_norm=1e3)
    _, _, _, plain = train(SGD())
    np.testing.assert_array_equal(limited, plain)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "nadam"])
def test_no_unit_exceeds_max_norm_after_training(digits, dtype, optimizer):
    X, y = digits
    model = MLPClassifier(
        (30,),
        optimizer=optimizer,
        learning_rate=0.1,
        max_norm=0.8,
        max_iter=5,
        random_state=0,
    ).fit(X.astype(dtype), y)
    norms = np.concatenate(unit_norms(model.network_))
    assert norms.max() <= 0.8 * (1 + 4 * np.finfo(dtype).eps)
    assert (norms > 0.79).mean() > 0.5  # it did limit them


@pytest.mark.parametrize(
    "parameter", [{"l1_penalty": 0.1}, {"max_norm": 2.0}, {"weight_averaging": "ema"}]
)
def test_lbfgs_says_that_it_cannot(digits, parameter):
    X, y = digits
    (name,) = parameter
    with pytest.raises(ValueError, match=f"{name} must be .* Use another optimizer"):
        MLPClassifier(optimizer="lbfgs", **parameter).fit(X, y)


@pytest.mark.parametrize("parameter", [{"l1_penalty": -0.1}, {"max_norm": 0.0}])
def test_penalties_and_limits_must_make_sense(digits, parameter):
    with pytest.raises(InvalidParameterError):
        MLPClassifier(**parameter).fit(*digits)


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
    kernels.add_weight_decay(parameters, gradient, 0.25, np.empty_like(gradient))
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)
    shrunk = parameters * dtype(1 - 0.5 * 0.25)
    kernels.decay_parameters(parameters, np.array([0.5]), 0.25)
    np.testing.assert_allclose(parameters, shrunk, rtol=1e-6)


# --- the default ------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
@pytest.mark.parametrize("as_object", [False, True])
def test_the_default_is_the_optimizers_own(digits, name, as_object):
    X, y = digits[0][:100], digits[1][:100]
    optimizer = clone(OPTIMIZERS[name]) if as_object else name
    options = dict(optimizer=optimizer, max_iter=3, random_state=0)
    usual = 0.01 if name in ("adamw", "lion") else 1e-4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = MLPClassifier(**options).fit(X, y)
        given = MLPClassifier(weight_decay=usual, **options).fit(X, y)
    assert own.weight_decay == "auto"
    assert_array_equal(own.network_.parameters, given.network_.parameters)
    assert own.network_.settings.weight_decay == usual


def test_adamw_decays_visibly_by_default(digits):
    X, y = digits
    options = dict(optimizer="adamw", learning_rate=0.01, max_iter=100, random_state=0)
    options |= dict(n_iter_no_change=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        norms = [
            np.linalg.norm(MLPClassifier(weight_decay=d, **options).fit(X, y).coefs_[0])
            for d in ("auto", 1e-4)
        ]
    assert norms[0] < 0.97 * norms[1]
