"""Averaged weights: their formula, that training does not see them, that all else does."""

import copy
import pickle
import signal

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import InvalidParameterError

from skdeep import MLPClassifier, MLPRegressor, SequentialClassifier
from skdeep.averaging import (
    AVERAGES,
    ExponentialMovingAverage,
    StochasticWeightAveraging,
    get_averaging,
)
from skdeep.layers import BatchNorm, Conv, Residual

SWA = StochasticWeightAveraging(start=2)
OPTIONS = dict(hidden_layer_sizes=(20,), learning_rate=0.01, random_state=0)


@pytest.fixture(scope="module")
def data(digits):
    X, y = digits
    return X[:450], y[:450]


def weights_after(data, n_epochs, **options):
    """The weights of a network without an average."""
    model = MLPClassifier(max_iter=n_epochs, **(OPTIONS | options)).fit(*data)
    return model.network_.parameters.copy()


def averaged(data, average, **options):
    model = MLPClassifier(weight_averaging=average, **(OPTIONS | options))
    return model.fit(*data)


# --- the formulas -----------------------------------------------------------------


def test_the_moving_average_follows_its_formula_step_by_step(data):
    """One batch an epoch, so that the weights after every step can be had."""
    options = {"batch_size": "full"}
    start = MLPClassifier(max_iter=1, **(OPTIONS | options | {"learning_rate": 1e-300}))
    average = start.fit(*data).network_.parameters.copy()
    for t in range(1, 13):
        decay = min(0.5, (1 + t) / (10 + t))
        average = decay * average + (1 - decay) * weights_after(data, t, **options)
    model = averaged(data, ExponentialMovingAverage(decay=0.5), max_iter=12, **options)
    assert_allclose(model.network_.parameters, average, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("start", [3, 0.5])
def test_stochastic_weight_averaging_is_the_mean_over_the_last_epochs(data, start):
    expected = np.mean([weights_after(data, n) for n in (4, 5, 6)], axis=0)
    average = StochasticWeightAveraging(start=start)
    model = averaged(data, average, max_iter=6)
    assert_allclose(model.network_.parameters, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Training ended after epoch 4")
def test_before_its_start_the_average_is_the_weights_themselves(data):
    model = averaged(data, StochasticWeightAveraging(start=5), max_iter=4)
    assert_array_equal(model.network_.parameters, weights_after(data, 4))


def test_an_average_that_never_began_is_told(data):
    with pytest.warns(UserWarning, match="no weights were averaged"):
        averaged(data, StochasticWeightAveraging(start=5), max_iter=4)


@pytest.mark.parametrize("average", ["ema", "swa", SWA], ids=str)
def test_the_average_is_a_compromise_of_what_training_visits(data, average):
    """Noise of large steps averages out: the training loss is lower than the curve's."""
    X, y = data
    options = {"learning_rate": 0.1, "optimizer": "sgd", "batch_size": 4, "max_iter": 8}
    rough = MLPClassifier(**(OPTIONS | options)).fit(X, y)
    smooth = averaged(data, average, **options)
    losses = [log_loss(y, model.predict_proba(X)) for model in (smooth, rough)]
    assert losses[0] < losses[1]


# --- training does not see them -----------------------------------------------------


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("average", ["ema", SWA], ids=str)
def test_training_is_the_same_with_and_without_an_average(data, average, batch_norm):
    options = {"batch_norm": batch_norm, "max_iter": 6, "dropout": 0.1}
    plain = MLPClassifier(**(OPTIONS | options)).fit(*data)
    model = averaged(data, average, **options)
    assert model.loss_curve_ == plain.loss_curve_
    assert not np.array_equal(model.network_.parameters, plain.network_.parameters)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [
        {"weight_averaging": "ema", "batch_norm": True, "dropout": 0.1},
        {"weight_averaging": SWA, "batch_norm": True, "optimizer": "nadam"},
        {"weight_averaging": "ema", "batch_size": "full", "batch_norm": True},
        {"weight_averaging": StochasticWeightAveraging(start=0.7), "max_norm": 1.0},
    ],
    ids=str,
)
def test_five_epochs_and_five_more_are_ten_bit_for_bit(data, options, dtype):
    X, y = data[0].astype(dtype), data[1]
    options = OPTIONS | options
    at_once = MLPClassifier(max_iter=10, **options).fit(X, y)
    in_parts = MLPClassifier(max_iter=5, warm_start=True, **options).fit(X, y)
    in_parts = pickle.loads(pickle.dumps(copy.deepcopy(in_parts))).fit(X, y)
    assert at_once.network_.parameters.dtype == dtype
    assert_array_equal(in_parts.network_.parameters, at_once.network_.parameters)
    assert_array_equal(in_parts.network_.statistics, at_once.network_.statistics)
    assert in_parts.loss_curve_ == at_once.loss_curve_


@pytest.mark.parametrize("average", ["ema", SWA], ids=str)
def test_partial_fit_in_turns_equals_epochs(data, average):
    X, y = data
    in_turns = MLPClassifier(weight_averaging=average, **OPTIONS)
    for _ in range(4):
        in_turns.partial_fit(X, y, classes=np.arange(10))
    at_once = averaged(data, average, max_iter=4)
    assert_array_equal(in_turns.network_.parameters, at_once.network_.parameters)


def test_an_average_can_be_ended_and_begun_between_fits(data):
    X, y = data
    model = MLPClassifier(max_iter=3, warm_start=True, weight_averaging="ema", **OPTIONS)
    model.fit(X, y)
    model.set_params(weight_averaging=None).fit(X, y)  # the weights of training go on
    assert_array_equal(model.network_.parameters, weights_after(data, 6))
    model.set_params(weight_averaging="swa").fit(X, y)
    assert not np.array_equal(model.network_.parameters, weights_after(data, 9))
    model.set_params(weight_averaging=None).fit(X, y)
    assert_array_equal(model.network_.parameters, weights_after(data, 12))


def test_training_goes_on_from_read_only_memory(data):
    X, y = data
    options = OPTIONS | {"weight_averaging": "ema", "batch_norm": True}
    model = MLPClassifier(max_iter=2, warm_start=True, **options).fit(X, y)
    state = model._training_state
    holders = (state.average, state.best_weights)
    arrays = [
        *state.optimizer_state.values(),
        *(a for h in holders for a in vars(h).values()),
    ]
    for array in [*arrays, model.network_.parameters, model.network_.statistics]:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    at_once = MLPClassifier(max_iter=4, **options).fit(X, y)
    model.fit(X, y)
    assert_array_equal(model.network_.parameters, at_once.network_.parameters)


def test_the_weights_of_training_are_kept_only_where_they_can_be_used(data):
    assert averaged(data, "ema", max_iter=2)._training_state.average is None
    warm = averaged(data, "ema", max_iter=2, warm_start=True)
    assert warm._training_state.average is not None


# --- all else sees the average ------------------------------------------------------


@pytest.mark.parametrize("batch_norm", [False, True])
def test_validation_is_of_the_average(data, batch_norm):
    X, y = data
    model = MLPClassifier(
        weight_averaging="ema", max_iter=4, batch_norm=batch_norm, **OPTIONS
    )
    model.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    expected = log_loss(y[300:], model.predict_proba(X[300:]))
    assert_allclose(model.validation_loss_curve_[-1], expected, rtol=1e-9)
    assert_allclose(model.validation_scores_[-1], model.score(X[300:], y[300:]))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_early_stopping_restores_the_best_average(data, batch_norm):
    options = {
        "early_stopping": True,
        "n_iter_no_change": 3,
        "learning_rate": 0.1,
        "batch_norm": batch_norm,
    }
    model = averaged(data, "ema", **options)
    assert model.best_iter_ < model.n_iter_
    shorter = averaged(data, "ema", max_iter=model.best_iter_, **options)
    assert_array_equal(model.network_.parameters, shorter.network_.parameters)
    assert_array_equal(model.network_.statistics, shorter.network_.statistics)


@pytest.mark.parametrize("batch_size", [150, "full"])
@pytest.mark.parametrize("average", ["ema", SWA], ids=str)
def test_statistics_are_those_of_the_averaged_network_on_the_training_data(
    data, average, batch_size
):
    """Equal batches: the mean of their means is the mean, computed here layer by layer."""
    X = data[0]
    model = averaged(data, average, batch_norm=True, batch_size=batch_size, max_iter=4)
    network = model.network_
    z = X @ network.view("dense_1", "kernel")
    assert_allclose(network.view("batch_norm_1", "running_mean"), z.mean(axis=0))
    variance = network.view("batch_norm_1", "running_variance")
    if batch_size == "full":
        assert_allclose(variance, z.var(axis=0))
    else:  # the batches' own variances, of the order they were in
        assert_allclose(variance, z.var(axis=0), rtol=0.1)


def test_the_statistics_inside_of_other_layers_are_of_the_average_too(data):
    X = data[0].reshape(-1, 8, 8, 1)
    inner = Residual([("conv", Conv(1)), ("norm", BatchNorm())])
    layers = [("block", Residual([("inner", inner)]))]
    options = {"batch_size": "full", "max_iter": 4, "random_state": 0}
    model = SequentialClassifier(layers, weight_averaging="swa", **options)
    network = model.fit(X, data[1]).network_
    z = network.activations(X, "block.inner.conv")
    state = {
        n: network.view("block", f"inner.norm.running_{n}") for n in ("mean", "variance")
    }
    assert_allclose(state["mean"], z.mean(axis=(0, 1, 2)))
    assert_allclose(state["variance"], z.var(axis=(0, 1, 2)))


def test_partial_fit_keeps_the_statistics_of_training(data):
    X, y = data
    plain = MLPClassifier(batch_norm=True, **OPTIONS)
    model = MLPClassifier(batch_norm=True, weight_averaging="ema", **OPTIONS)
    for rows in np.array_split(np.arange(450), 45):
        plain.partial_fit(X[rows], y[rows], classes=np.arange(10))
        model.partial_fit(X[rows], y[rows], classes=np.arange(10))
    assert_array_equal(model.network_.statistics, plain.network_.statistics)
    assert model.score(X, y) > 0.5


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("average", ["ema", StochasticWeightAveraging(start=1)], ids=str)
def test_divergence_leaves_finite_weights_to_predict_and_to_go_on_with(
    data, average, batch_norm
):
    X, y = data
    model = MLPRegressor(
        optimizer="sgd",
        learning_rate=0.001,
        weight_averaging=average,
        batch_norm=batch_norm,
        max_iter=3,
        warm_start=True,
        random_state=0,
    ).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.set_params(learning_rate=1e30).fit(100 * X, y)
    assert np.isfinite(model.predict(X)).all()
    model.set_params(learning_rate=0.001).fit(X, y)
    assert np.isfinite(model.loss_) and np.isfinite(model.predict(X)).all()


def test_an_interrupt_leaves_an_average_that_training_can_go_on_with(data):
    X, y = data
    calls = []

    def interrupting(estimator, X, y):
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return 0.0

    options = OPTIONS | {"weight_averaging": "ema", "monitor": interrupting}
    model = MLPClassifier(max_iter=9, warm_start=True, **options)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert_array_equal(  # those after the last whole epoch
        model.network_.parameters,
        averaged((X[:300], y[:300]), "ema", max_iter=2).network_.parameters,
    )
    model.set_params(monitor="loss").fit(X, y)
    assert model.score(X, y) > 0.8


# --- names and parameters ---------------------------------------------------------


@pytest.mark.parametrize("name", sorted(AVERAGES))
def test_an_average_by_name_is_a_valid_scikit_learn_object(data, name):
    average = get_averaging(name)
    average._validate_params()
    assert clone(average).get_params() == average.get_params()
    by_name = averaged(data, name, max_iter=4)
    by_object = averaged(data, clone(average), max_iter=4)
    assert_array_equal(by_name.network_.parameters, by_object.network_.parameters)


def test_its_parameters_are_reached_in_a_grid(data):
    model = MLPClassifier(
        weight_averaging=ExponentialMovingAverage(), max_iter=3, **OPTIONS
    )
    grid = {"weight_averaging__decay": [0.0, 0.9]}
    search = GridSearchCV(model, grid, cv=2).fit(*data)
    assert set(search.best_params_) == {"weight_averaging__decay"}


@pytest.mark.parametrize(
    "average",
    [
        "mean",
        ExponentialMovingAverage(decay=1.0),
        StochasticWeightAveraging(start=1.0),
        StochasticWeightAveraging(start=-1),
    ],
    ids=repr,
)
def test_averages_outside_their_domain_are_refused(data, average):
    with pytest.raises(InvalidParameterError):
        averaged(data, average)
