"""Backpropagation through whole networks equals differences of their cost."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skdeep.engine.batch import BatchPlan, OneHot, TrainingData
from skdeep.engine.network import Network, Settings, StepMemory
from skdeep.layers import Activation, BatchNorm, Dense, Dropout, PReLU
from skdeep.layers.activation import ACTIVATIONS
from skdeep.losses import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    Focal,
    Loss,
    SquaredError,
)
from skdeep.optimizers import SGD, AdamW

pytestmark = pytest.mark.tiny

KEY = (2, 7)
N, N_FEATURES, N_OUTPUTS = 11, 4, 3


def make_network(*layers, loss=None, optimizer=None, n_features=N_FEATURES, **settings):
    network = Network(
        [(f"layer_{i}", layer) for i, layer in enumerate(layers)],
        loss or SquaredError(),
        optimizer or SGD(),
        input_shape=(n_features,),
        dtype=np.float64,
        settings=Settings(**settings),
    )
    network.initialize(KEY)
    # biases, scales and shifts away from where they start
    network.parameters += 0.3 * np.random.default_rng(0).normal(
        size=network.parameters.size
    )
    return network


def draw_data(kind="regression", n=N, seed=1):
    """Samples with unequal weights of sum 1."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, N_FEATURES))
    if kind == "multiclass":
        target = np.eye(N_OUTPUTS)[generator.integers(N_OUTPUTS, size=n)]
    elif kind == "regression":
        target = generator.poisson(2, size=(n, N_OUTPUTS)) + 0.37
    else:
        width = 1 if kind == "binary" else N_OUTPUTS
        target = generator.integers(2, size=(n, width)).astype(float)
    weight = generator.uniform(0.2, 2, n)
    return TrainingData(x, target, weight / weight.sum())


def assert_gradient_is_right(network, data, rows=None):
    objective = network.objective(data, rows)
    start = network.parameters.copy()
    _, gradient = objective(start)
    differences, h = np.empty_like(gradient), 1e-6
    for i, value in enumerate(start):
        moved = start.copy()
        moved[i] = value + h
        above = objective(moved)[0]
        moved[i] = value - h
        differences[i] = (above - objective(moved)[0]) / (2 * h)
    error = np.linalg.norm(gradient - differences) / np.linalg.norm(differences)
    assert error <= 1e-6


# --- every activation, loss and layer ---------------------------------------------


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_gradient_through_every_activation(activation, batch_norm):
    norm = [BatchNorm()] if batch_norm else []
    hidden = [Dense(6), *norm, Activation(activation)]
    network = make_network(*hidden, *hidden, Dense(N_OUTPUTS))
    assert_gradient_is_right(network, draw_data())


@pytest.mark.parametrize("batch_norm", [False, True])
def test_gradient_through_trained_slopes(batch_norm):
    norm = [BatchNorm()] if batch_norm else []
    hidden = [Dense(6), *norm, PReLU(initial_slope=-0.3)]
    network = make_network(*hidden, *hidden, Dense(N_OUTPUTS))
    assert_gradient_is_right(network, draw_data())


LOSSES = {
    f"{name}-{kind}": (loss.resolve(kind), kind)
    for name, loss in (CLASSIFICATION_LOSSES | {"focal_half": Focal(0.5)}).items()
    for kind in ("binary", "multiclass", "multilabel-indicator")
    if not (name == "kl_divergence" and kind != "multiclass")
} | {name: (loss, "regression") for name, loss in REGRESSION_LOSSES.items()}


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_gradient_of_every_loss(name):
    loss, kind = LOSSES[name]
    data = draw_data(kind)
    network = make_network(
        Dense(5), Activation("tanh"), Dense(data.target.shape[1]), loss=loss
    )
    assert_gradient_is_right(network, data)


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [Dense(5, use_bias=False)],
        [BatchNorm()],
        [Dense(5), BatchNorm()],
        [Dropout(0.3)],
        [Dense(8), Dropout(0.3), Dense(8), Dropout(0.5)],
        [Activation("gelu"), Dense(5), Activation("identity")],
        [Dense(5), Activation("relu"), Activation("tanh"), Activation("softplus")],
        [Dense(5), Activation("gelu"), Activation("relu"), Activation("silu")],
        [Dense(5), BatchNorm(), BatchNorm()],
        [Dense(6), Dropout(0.3), Activation("relu"), BatchNorm()],
        [Dense(5), Dense(4), Dense(5)],
    ],
    ids=repr,
)
def test_gradient_through_layers_one_after_another(layers):
    """Dropout's mask is the same at every evaluation of an objective."""
    assert_gradient_is_right(make_network(*layers, Dense(N_OUTPUTS)), draw_data())


class FourthPower(Loss):
    def value(self, target, z):
        return np.mean((z - target) ** 4, axis=1)

    def gradient(self, target, z):
        return 4 * (z - target) ** 3 / z.shape[1]


def test_gradient_of_a_users_loss():
    network = make_network(
        Dense(5), Activation("tanh"), Dense(N_OUTPUTS), loss=FourthPower()
    )
    assert_gradient_is_right(network, draw_data())


def test_gradient_with_batch_normalization_and_rows_without_weight():
    data = draw_data()
    data.weight[[0, 4]] = 0
    data.weight[...] /= data.weight.sum()
    network = make_network(Dense(5), BatchNorm(), Activation("tanh"), Dense(N_OUTPUTS))
    assert_gradient_is_right(network, data)


def test_gradient_with_a_penalty():
    network = make_network(
        Dense(5),
        BatchNorm(),
        Activation("tanh"),
        Dense(N_OUTPUTS),
        weight_decay=0.7,
    )
    assert_gradient_is_right(network, draw_data())


def test_gradient_of_some_of_the_rows():
    data, rows = draw_data(), np.array([7, 2, 3])
    data.weight[rows] /= data.weight[rows].sum()
    network = make_network(Dense(5), Activation("tanh"), Dense(N_OUTPUTS))
    assert_gradient_is_right(network, data, rows)


# --- what the cost is -------------------------------------------------------------


def evaluate(network, data, rows=None):
    return network.objective(data, rows)(network.parameters.copy())


def assert_same_objective(first, second, tolerance=1e-12):
    assert first[0] == pytest.approx(second[0], rel=tolerance)
    np.testing.assert_allclose(first[1], second[1], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("n", [1, 1023, 1024, 1025, 2048, 2500])
def test_objective_of_a_linear_network_equals_least_squares(n):
    """Whatever the number of rows: they are gone through in blocks."""
    data = draw_data(n=n)
    network = make_network(Dense(N_OUTPUTS), weight_decay=0.7)
    kernel, bias = network.view("layer_0", "kernel"), network.view("layer_0", "bias")
    error = data.x @ kernel + bias - data.target
    cost = data.weight @ np.mean(error**2, axis=1) / 2 + 0.35 * np.sum(kernel**2)
    d_z = data.weight[:, np.newaxis] * error / N_OUTPUTS
    gradient = np.concatenate(((data.x.T @ d_z + 0.7 * kernel).ravel(), d_z.sum(axis=0)))
    assert_same_objective(evaluate(network, data), (cost, gradient))


def test_objective_of_some_rows_equals_that_of_their_data():
    data, rows = draw_data(), np.array([7, 2, 3])
    network = make_network(Dense(5), Activation("tanh"), Dense(N_OUTPUTS))
    part = TrainingData(data.x[rows], data.target[rows], data.weight[rows])
    assert_same_objective(evaluate(network, data, rows), evaluate(network, part))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_weight_of_k_equals_k_copies_of_the_row(batch_norm):
    counts = np.random.default_rng(0).integers(0, 4, N)
    data = draw_data()
    norm = [BatchNorm()] if batch_norm else []
    network = make_network(Dense(5), *norm, Activation("tanh"), Dense(N_OUTPUTS))
    total = counts.sum()
    owner = np.repeat(np.arange(N), counts)
    weighted = TrainingData(data.x, data.target, counts / total)
    repeated = TrainingData(data.x[owner], data.target[owner], np.full(total, 1 / total))
    assert_same_objective(evaluate(network, weighted), evaluate(network, repeated))


def test_sparse_inputs_have_the_objective_of_dense_ones():
    data = draw_data(n=1500)
    data.x[np.abs(data.x) < 0.7] = 0
    network = make_network(Dense(5), Activation("tanh"), Dense(N_OUTPUTS))
    sparse = TrainingData(csr_array(data.x), data.target, data.weight)
    assert_same_objective(evaluate(network, sparse), evaluate(network, data))


def test_numbers_of_classes_have_the_objective_of_the_targets_they_stand_for():
    data = draw_data("multiclass")
    loss = CLASSIFICATION_LOSSES["cross_entropy"].resolve("multiclass")
    network = make_network(Dense(N_OUTPUTS), loss=loss)
    code = data.target.argmax(axis=1)
    by_number = TrainingData(data.x, code, data.weight, one_hot=OneHot(N_OUTPUTS))
    assert_same_objective(evaluate(network, by_number), evaluate(network, data))


def test_decoupled_decay_is_no_part_of_the_objective():
    layers = Dense(5), Activation("tanh"), Dense(N_OUTPUTS)
    decayed = make_network(*layers, optimizer=AdamW(), weight_decay=0.7)
    plain = make_network(*layers)
    data = draw_data()
    assert_same_objective(evaluate(decayed, data), evaluate(plain, data), 1e-15)


# --- mini-batches -----------------------------------------------------------------


def run_batch(network, data, index, *, whole=False):
    """The sum of losses and the gradient that one step of training computes."""
    n = data.x.shape[0] if whole else len(index)
    memory = StepMemory(network, KEY, 0 if whole else n)
    memory.step[0] = 1
    memory.index[...] = () if whole else index
    plan = BatchPlan.of(data, n, whole)
    program = network.gradient_program(plan, data, memory)
    program.bind(program.allocate(n), n).run()
    return memory.total[0], memory.gradient


@pytest.mark.parametrize("sparse", [False, True])
def test_a_batch_has_the_mean_gradient_of_its_rows(sparse):
    data, index = draw_data(), np.array([3, 9, 3, 0])
    network = make_network(Dense(5), Activation("tanh"), Dense(N_OUTPUTS))
    shares = data.weight[index] / 4
    part = TrainingData(data.x[index], data.target[index], shares)
    cost, gradient = evaluate(network, part)
    if sparse:
        data = TrainingData(csr_array(data.x), data.target, data.weight)
    total, actual = run_batch(network, data, index)
    # the epoch's sum counts every row once
    assert_same_objective((total / 4, actual), (cost, gradient))


@pytest.mark.parametrize("sparse", [False, True])
def test_a_batch_of_all_rows_is_taken_without_gathering(sparse):
    data = draw_data()
    network = make_network(Dense(5), Activation("tanh"), Dense(N_OUTPUTS))
    cost, gradient = evaluate(network, data)
    if sparse:
        data = TrainingData(csr_array(data.x), data.target, data.weight)
    total, actual = run_batch(network, data, None, whole=True)
    assert_same_objective((total / N, actual), (cost, gradient))


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("whole", [False, True])
def test_training_does_not_change_its_data(activation, whole):
    data = draw_data()
    copies = data.x.copy(), data.target.copy(), data.weight.copy()
    network = make_network(Activation(activation), Dropout(0.2), Dense(N_OUTPUTS))
    run_batch(network, data, np.arange(N), whole=whole)
    for array, copy in zip((data.x, data.target, data.weight), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
