"""What record="gradients" measures is true, changes nothing, and has an entry an epoch."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.utils._param_validation import InvalidParameterError

from skdeep import ConvNetClassifier, MLPClassifier, MLPRegressor
from skdeep.engine.batch import TrainingData
from skdeep.engine.network import Network
from skdeep.initializers import Constant, Initializer
from skdeep.layers import Activation, BatchNorm, Dense, Dropout
from skdeep.losses import SquaredError
from skdeep.optimizers import SGD
from skdeep.training.gradient_recording import FLOW_NAMES, PROBE_ROWS, GradientProbe

OPTIONS = dict(hidden_layer_sizes=(12, 8), max_iter=3, random_state=0)


@pytest.fixture(scope="module")
def data(digits):
    X, y = digits
    return X[:300], y[:300]


def flow_of(model):
    return {name: model.history_[name] for name in FLOW_NAMES}


# --- what is measured -------------------------------------------------------------


def make_network(activation="tanh", batch_norm=False):
    layers = [("first", Dense(6)), ("bend", Activation(activation)), ("output", Dense(2))]
    if batch_norm:
        layers.insert(1, ("norm", BatchNorm()))
    network = Network(
        layers, SquaredError(), SGD(), input_shape=(4,), dtype=np.dtype("float64")
    )
    network.initialize((1, 2))
    return network


def draw(n=50):
    generator = np.random.default_rng(0)
    x, target = generator.normal(size=(n, 4)), generator.normal(size=(n, 2))
    return TrainingData(x, target, generator.uniform(0.5, 2, size=n))


def test_norms_are_those_of_a_gradient_worked_out_by_hand():
    network, data = make_network(), draw()
    flow = GradientProbe(network, data, (1, 2)).measure()
    w1, w2 = network.view("first", "kernel"), network.view("output", "kernel")
    hidden = np.tanh(data.x @ w1)  # the biases are zero
    share = data.weight / data.weight.sum()
    # half the squared error, the mean over outputs
    d_out = (hidden @ w2 - data.target) * share[:, np.newaxis]
    d_out *= SquaredError().gradient(np.zeros((1, 2)), np.ones((1, 2)))[0, 0]
    d_hidden = d_out @ w2.T * (1 - hidden**2)
    expected = {
        "gradient_norm": [data.x.T @ d_hidden, hidden.T @ d_out],
        "output_gradient_norm": [d_hidden, d_out],
        "weight_norm": [w1, w2],
    }
    for name, arrays in expected.items():
        assert_allclose(flow[name], [np.linalg.norm(a) for a in arrays], rtol=1e-9)


def test_the_update_ratio_is_that_of_the_last_step(data):
    """One batch an epoch: the change between two epochs is the step."""
    X, y = data
    options = OPTIONS | {"batch_size": "full", "weight_decay": 0.1, "learning_rate": 0.1}
    kernels = [
        MLPClassifier(**(options | {"max_iter": n})).fit(X, y).coefs_ for n in (2, 3)
    ]
    expected = [
        np.linalg.norm(after - before) / np.linalg.norm(before)
        for before, after in zip(*kernels, strict=True)
    ]
    model = MLPClassifier(record="gradients", **options).fit(X, y)
    assert_allclose(model.history_["update_ratio"][-1], expected, rtol=1e-9)


@pytest.mark.parametrize("batch_size", [64, 100, 299, 300])
def test_an_epoch_whose_last_step_is_measured_is_the_same_epoch(data, batch_size):
    options = OPTIONS | {"batch_size": batch_size, "dropout": 0.2, "batch_norm": True}
    plain = MLPClassifier(**options).fit(*data)
    recorded = MLPClassifier(record="gradients", **options).fit(*data)
    assert recorded.loss_curve_ == plain.loss_curve_
    assert_array_equal(recorded.network_.parameters, plain.network_.parameters)
    assert_array_equal(recorded.network_.statistics, plain.network_.statistics)


def test_units_that_are_zero_for_every_sample_are_dead():
    network, data = make_network("relu"), draw()
    network.view("first", "bias")[:3] = -100
    flow = GradientProbe(network, data, (1, 2)).measure()
    assert_allclose(flow["dead_fraction"], [0.5, np.nan])
    assert_array_equal(flow["saturated_fraction"], [np.nan, np.nan])


@pytest.mark.parametrize(("activation", "edge"), [("logistic", 4.357), ("tanh", 2.178)])
def test_outputs_where_the_slope_is_below_a_twentieth_of_the_steepest_are_saturated(
    activation, edge
):
    network, data = make_network(activation), draw()
    network.view("first", "kernel")[...] = 0
    network.view("first", "bias")[...] = [
        -40,
        -edge - 0.01,
        -edge + 0.01,
        0,
        1,
        edge + 0.01,
    ]
    flow = GradientProbe(network, data, (1, 2)).measure()
    assert_allclose(flow["saturated_fraction"], [0.5, np.nan])
    assert_allclose(flow["dead_fraction"], [1 / 6, np.nan])


def test_a_leaky_unit_is_not_dead():
    network, data = make_network("leaky_relu"), draw()
    network.view("first", "bias")[...] = -100
    assert GradientProbe(network, data, (1, 2)).measure()["dead_fraction"][0] == 0


def test_a_measurement_changes_nothing_and_is_the_same_again():
    network, data = make_network(batch_norm=True), draw(n=2000)
    parameters, state = network.parameters.copy(), network.statistics.copy()
    first, second = (GradientProbe(network, data, (1, 2)) for _ in range(2))
    flows = [first.measure(), first.measure(), second.measure()]
    assert_array_equal(network.parameters, parameters)
    assert_array_equal(network.statistics, state)
    for name in flows[0]:
        assert_array_equal(flows[0][name], flows[1][name])
        assert_array_equal(flows[0][name], flows[2][name])


def test_the_probe_is_a_sample_of_the_rows_that_have_weight():
    network, data = make_network(), draw(n=3000)
    data.x[:2000], data.weight[:2000] = np.nan, 0
    flow = GradientProbe(network, data, (1, 2)).measure()
    assert np.isfinite(flow["gradient_norm"]).all()
    rows = np.flatnonzero(data.weight)
    every = TrainingData(data.x[rows], data.target[rows], data.weight[rows])
    assert len(rows) > PROBE_ROWS
    whole = GradientProbe(
        network,
        TrainingData(*(a[:512] for a in vars(every).values() if a is not None)),
        (1, 2),
    )
    assert_allclose(flow["gradient_norm"], whole.measure()["gradient_norm"], rtol=0.5)


# --- what the history holds ---------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_norm": True, "dropout": 0.2, "input_dropout": 0.1},
        {"optimizer": "lbfgs"},
        {"batch_size": "full"},
        {"batch_size": 1, "max_iter": 1},
        {"weight_averaging": "ema"},
        {"loss": "hinge"},
        {"activation": "logistic"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_is_an_entry_for_each_epoch_and_layer(data, options, dtype):
    model = MLPClassifier(record="gradients", **(OPTIONS | options))
    model.fit(data[0].astype(dtype), data[1])
    for name, values in flow_of(model).items():
        assert values.shape == (model.n_iter_, 3), name
    for name in ("gradient_norm", "output_gradient_norm", "weight_norm", "update_ratio"):
        assert (model.history_[name] > 0).all()
    assert (model.history_["dead_fraction"][:, :2] >= 0).all()
    assert np.isnan(model.history_["dead_fraction"][:, 2]).all()
    saturates = options.get("activation") == "logistic"
    assert (np.isnan(model.history_["saturated_fraction"][:, :2]) != saturates).all()


def test_weights_of_training_are_measured_where_they_are_averaged(data):
    plain = MLPClassifier(record="gradients", **OPTIONS).fit(*data)
    averaged = MLPClassifier(record="gradients", weight_averaging="ema", **OPTIONS)
    for name, values in flow_of(averaged.fit(*data)).items():
        assert_array_equal(values, flow_of(plain)[name])


def test_regression_on_sparse_data_is_recorded():
    X = csr_array(np.random.default_rng(0).poisson(0.3, (200, 30)).astype(float))
    model = MLPRegressor(record="gradients", **OPTIONS).fit(X, X.sum(axis=1))
    assert (model.history_["output_gradient_norm"] > 0).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_gradients_of_outputs_are_the_same_whatever_sums_up_those_of_kernels(monkeypatch):
    """By Winograd's filtering, and where parts of the rows are summed first, too."""
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(140, 16, 16)), np.arange(140) % 3
    model = ConvNetClassifier((16, 16), batch_size=140, max_iter=1, record="gradients")
    model.set_params(hidden_layer_sizes=20, random_state=0)
    flow = flow_of(model.fit(X, y))["output_gradient_norm"]
    monkeypatch.setattr("skdeep.kernels.winograd.CONVOLUTION", "direct")
    monkeypatch.setattr("skdeep.kernels.dense._MOST_NUMBERS", 0)
    direct = flow_of(model.fit(X, y))["output_gradient_norm"]
    assert np.isfinite(direct).all()
    assert_allclose(flow, direct, rtol=1e-9)


def test_nothing_is_recorded_unless_asked_for(data):
    assert not set(FLOW_NAMES) & set(MLPClassifier(**OPTIONS).fit(*data).history_)


def test_warm_start_goes_on_recording(data):
    at_once = MLPClassifier(record="gradients", **(OPTIONS | {"max_iter": 6})).fit(*data)
    in_parts = MLPClassifier(record="gradients", warm_start=True, **OPTIONS)
    in_parts.fit(*data).fit(*data)
    for name, values in flow_of(in_parts).items():
        assert_array_equal(values, flow_of(at_once)[name])


def test_partial_fit_goes_on_recording(data):
    model = MLPClassifier(record="gradients", **OPTIONS).fit(*data)
    assert flow_of(model.partial_fit(*data))["gradient_norm"].shape == (4, 3)


def test_epochs_without_recording_leave_gaps(data):
    model = MLPClassifier(warm_start=True, **OPTIONS).fit(*data)
    model.set_params(record="gradients").fit(*data)
    model.set_params(record=None).fit(*data)
    missing = np.isnan(model.history_["gradient_norm"]).all(axis=1)
    assert_array_equal(missing, [True] * 3 + [False] * 3 + [True] * 3)


def test_a_kernel_that_was_zero_moved_infinitely_far(data):
    X, y = data
    model = MLPRegressor(
        (),
        kernel_initializer=Constant(0.0),
        batch_size="full",
        max_iter=1,
        record="gradients",
    )
    assert_array_equal(model.fit(X, y).history_["update_ratio"], [[np.inf]])


class Huge(Initializer):
    def sample(self, generator, shape):
        return generator.normal(size=shape) * 1e150


def test_infinite_gradients_are_recorded_without_warnings():
    layers = [("a", Dense(3, kernel_initializer=Huge())), ("drop", Dropout(0.5))]
    network = Network(
        [*layers, ("b", Dense(2, kernel_initializer=Huge()))],
        SquaredError(),
        SGD(),
        input_shape=(4,),
        dtype=np.dtype("float64"),
    )
    network.initialize((1, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        flow = GradientProbe(network, draw(), (1, 2)).measure()
    assert not np.isfinite(flow["gradient_norm"]).all()


def test_other_things_to_record_are_refused(data):
    with pytest.raises(InvalidParameterError):
        MLPClassifier(record="weights").fit(*data)
