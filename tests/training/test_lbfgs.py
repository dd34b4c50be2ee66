"""L-BFGS finds the minimum that algebra gives, the same however the data are presented."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from skdeep.engine.batch import TrainingData
from skdeep.engine.network import Network, Settings
from skdeep.layers import Activation, Dense
from skdeep.losses import Loss, SquaredError
from skdeep.optimizers import LBFGS
from skdeep.training.lbfgs import minimize_lbfgs
from skdeep.training.monitor import Monitor, StoppingRule
from skdeep.training.state import TrainingState

pytestmark = pytest.mark.tiny


class NoTasks:
    """Nobody to tell of epochs."""

    def begin_epoch(self, monitor):
        pass

    def end_epoch(self, monitor):
        return False

    def abandon_epoch(self):
        pass


def fit(data, *layers, loss=None, weight_decay=0.0, max_epochs=500, **options):
    """A network trained by L-BFGS, and where its training stands."""
    network = Network(
        [(f"layer_{i}", layer) for i, layer in enumerate(layers)],
        loss or SquaredError(),
        LBFGS(**options),
        input_shape=data.x.shape[1:],
        dtype=np.float64,
        settings=Settings(weight_decay=weight_decay),
    )
    network.initialize((1, 2))
    state = TrainingState((1, 2))
    rule = StoppingRule(max_epochs, 1e-10, max_epochs, False)
    monitor = Monitor(network, state, rule, NoTasks())
    minimize_lbfgs(network, data, state, monitor)
    return network, state


def draw_data(n=60, n_features=4, seed=0):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, n_features))
    target = np.sin(2 * x[:, :1]) + 0.1 * generator.normal(size=(n, 1))
    return TrainingData(x, target, generator.uniform(0.5, 2, n))


def test_a_linear_network_finds_the_ridge_solution():
    data = draw_data()
    network, _ = fit(data, Dense(1), weight_decay=0.3)
    # both divide by the sum of the weights
    ridge = Ridge(alpha=0.3 * data.weight.sum(), tol=1e-12)
    ridge.fit(data.x, data.target[:, 0], sample_weight=data.weight)
    kernel, bias = network.view("layer_0", "kernel"), network.view("layer_0", "bias")
    np.testing.assert_allclose(kernel[:, 0], ridge.coef_, rtol=1e-5)
    np.testing.assert_allclose(bias[0], ridge.intercept_, rtol=1e-5)


def test_sparse_and_dense_data_have_the_same_minimum():
    data = draw_data()
    data.x[np.abs(data.x) < 0.5] = 0
    sparse = TrainingData(csr_array(data.x), data.target, data.weight)
    dense_fit, _ = fit(data, Dense(1), weight_decay=0.3)
    sparse_fit, _ = fit(sparse, Dense(1), weight_decay=0.3)
    np.testing.assert_allclose(sparse_fit.parameters, dense_fit.parameters, rtol=1e-6)


def test_the_order_of_the_rows_does_not_change_a_bit():
    data = draw_data()
    order = np.random.default_rng(1).permutation(len(data.x))
    shuffled = TrainingData(data.x[order], data.target[order], data.weight[order])
    hidden = Dense(5), Activation("tanh"), Dense(1)
    first, _ = fit(data, *hidden, max_epochs=30)
    second, _ = fit(shuffled, *hidden, max_epochs=30)
    np.testing.assert_array_equal(first.parameters, second.parameters)


def test_repeated_rows_equal_weighted_ones_to_the_last_bit():
    data = draw_data(n=20)
    counts = np.random.default_rng(1).integers(0, 4, 20)
    owner = np.repeat(np.arange(20), counts)
    weighted = TrainingData(data.x, data.target, counts.astype(float))
    repeated = TrainingData(data.x[owner], data.target[owner], np.ones(len(owner)))
    hidden = Dense(5), Activation("tanh"), Dense(1)
    first, _ = fit(weighted, *hidden, max_epochs=30)
    second, _ = fit(repeated, *hidden, max_epochs=30)
    np.testing.assert_array_equal(first.parameters, second.parameters)


def test_the_number_of_threads_does_not_change_a_bit():
    """More parameters than a BLAS gives to one thread."""
    data = draw_data(n=100, n_features=100)
    results = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            network, _ = fit(data, Dense(150), Activation("tanh"), Dense(1), max_epochs=8)
        results.append(network.parameters)
    assert results[0].size > 10_000
    np.testing.assert_array_equal(*results)


def test_every_iteration_is_recorded_and_lowers_the_cost():
    data = draw_data()
    _, state = fit(data, Dense(5), Activation("tanh"), Dense(1), max_epochs=15)
    losses = state.history["loss"]
    assert len(losses) == state.epoch == 15
    assert (np.diff(losses) < 0).all()


def test_the_last_recorded_cost_is_that_of_the_weights():
    data = draw_data()
    network, state = fit(
        data, Dense(5), Activation("tanh"), Dense(1), weight_decay=0.1, max_epochs=7
    )
    weight = data.weight / data.weight.sum()
    losses = network.loss.value(data.target, network.raw_outputs(data.x))
    cost = weight @ losses + network.penalty()
    assert state.history["loss"][-1] == pytest.approx(cost, rel=1e-12)


class CliffLoss(Loss):
    """A squared error whose gradient is wrong near the minimum: no step helps there."""

    def value(self, target, z):
        return np.mean((z - target) ** 2, axis=1)

    def gradient(self, target, z):
        error = z - target
        sign = -1 if np.mean(error**2) < 20 else 1
        return sign * 2 * error / z.shape[1]


def test_weights_are_those_of_the_last_iteration_when_no_further_step_is_found(
    monkeypatch,
):
    weights = []
    end_epoch = Monitor.end_epoch

    def remember(monitor, *arguments):
        weights.append(monitor.network.parameters.copy())
        end_epoch(monitor, *arguments)

    monkeypatch.setattr(Monitor, "end_epoch", remember)
    data = draw_data()
    data.target[...] *= 10
    network, state = fit(data, Dense(5), Activation("tanh"), Dense(1), loss=CliffLoss())
    assert 1 < state.epoch < 500
    np.testing.assert_array_equal(network.parameters, weights[-1])


class CountingLoss(Loss):
    """A squared error that counts how often it is evaluated."""

    evaluations = 0

    def value(self, target, z):
        type(self).evaluations += 1
        return np.mean((z - target) ** 2, axis=1)

    def gradient(self, target, z):
        return 2 * (z - target) / z.shape[1]


def test_the_number_of_evaluations_is_limited():
    hidden = Dense(5), Activation("tanh"), Dense(1)
    network, _ = fit(draw_data(), *hidden, loss=CountingLoss(), max_evaluations=12)
    # SciPy finishes the search along a line, which takes at most 20
    assert 12 < type(network.loss).evaluations <= 12 + 20
