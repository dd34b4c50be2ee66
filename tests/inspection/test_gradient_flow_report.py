"""The report names what is wrong with the gradients of a network, and only that."""

import builtins
import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import ConvNetClassifier, MLPClassifier, MLPRegressor
from skdeep.initializers import Initializer, Orthogonal
from skdeep.inspection import GradientFlowReport

pytestmark = pytest.mark.filterwarnings(
    "ignore:Training diverged:sklearn.exceptions.ConvergenceWarning"
)
report_on = GradientFlowReport.from_estimator
each_seed = pytest.mark.parametrize("seed", [0, 1, 2])


class Normal(Initializer):
    """Normal numbers of one size, whatever the layer's: wrong for all but one width."""

    def __init__(self, stddev=1.0):
        self.stddev = stddev

    def sample(self, generator, shape):
        return generator.normal(size=shape) * self.stddev


@pytest.fixture(scope="module")
def data(digits):
    X, y = digits
    return X[:600], y[:600]


def make(depth, width=30, seed=0, **options):
    options = {"max_iter": 5, "record": "gradients", "batch_size": 50} | options
    return MLPClassifier((width,) * depth, random_state=seed, **options)


# --- verdicts ---------------------------------------------------------------------

VANISHING = {
    "sigmoid": {"activation": "logistic"},
    "sigmoid_without_adam": {"activation": "logistic", "optimizer": "momentum"},
    "small_weights": {"kernel_initializer": Normal(0.01), "optimizer": "sgd"},
    "small_weights_tanh": {"kernel_initializer": Normal(0.02), "activation": "tanh"},
}
EXPLODING = {
    "large_weights": {"kernel_initializer": Normal(1.0), "optimizer": "sgd"},
    "large_weights_adam": {"kernel_initializer": Normal(1.0)},
    "large_weights_elu": {"kernel_initializer": Normal(1.0), "activation": "elu"},
    "large_orthogonal": {"kernel_initializer": Orthogonal(gain=5.0)},
}
HEALTHY = {
    "relu": {},
    "relu_sgd": {"optimizer": "sgd"},
    "tanh": {"activation": "tanh"},
    "selu": {"activation": "selu"},
    "batch_norm": {"batch_norm": True},
    "sigmoid_with_batch_norm": {"activation": "logistic", "batch_norm": True},
    "dropout": {"dropout": 0.2},
}


@each_seed
@pytest.mark.parametrize("depth", [8, 20])
@pytest.mark.parametrize("kind", sorted(VANISHING))
def test_vanishing(data, kind, depth, seed):
    model = make(depth, seed=seed, **VANISHING[kind])
    before = report_on(model, *data)
    recorded = report_on(model.fit(*data))
    for report in (before, recorded, report_on(model, *data)):
        assert report.verdict == "vanishing"
        assert report.starving_layers[0] == "dense_1"
        assert report.gains[0] < 1e-3  # a wide margin to the threshold
        assert "output" not in report.starving_layers


@each_seed
@pytest.mark.parametrize("depth", [8, 20])
@pytest.mark.parametrize("kind", sorted(EXPLODING))
def test_exploding(data, kind, depth, seed):
    model = make(depth, seed=seed, **EXPLODING[kind])
    before = report_on(model, *data)
    assert before.verdict == "exploding"
    assert before.exploding_layers[0] == "dense_1"
    assert before.gains[0] > 1e4
    assert report_on(model.fit(*data)).verdict == "exploding"


@each_seed
@pytest.mark.parametrize("depth", [1, 4, 12])
@pytest.mark.parametrize("kind", sorted(HEALTHY))
def test_healthy(data, kind, depth, seed):
    model = make(depth, seed=seed, **HEALTHY[kind])
    before = report_on(model, *data)
    recorded = report_on(model.fit(*data))
    for report in (before, recorded, report_on(model, *data)):
        assert report.verdict == "healthy"
        assert report.reasons == []
        assert (report.gains > 0.1).all() and (report.gains < 100).all()


@pytest.mark.parametrize("width", [8, 100])
def test_the_width_of_layers_does_not_matter(data, width):
    kinds = {"vanishing": VANISHING["sigmoid"], "healthy": {"batch_norm": True}}
    for verdict, options in kinds.items():
        assert report_on(make(10, width, **options).fit(*data)).verdict == verdict


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_learning_rate_that_is_far_too_large_explodes(data, dtype):
    X, y = data
    model = make(3, optimizer="sgd", learning_rate=100.0)
    report = report_on(model.fit(X.astype(dtype), y))
    assert report.verdict == "exploding"
    assert any("loss grew" in r or "diverged" in r for r in report.reasons)


def test_divergence_in_the_first_epoch_is_exploding(data):
    X, y = data
    model = MLPRegressor(
        (20, 20),
        activation="identity",  # relu units would die instead
        optimizer="sgd",
        learning_rate=1.0,
        batch_size=20,
        record="gradients",
        random_state=0,
    ).fit(1000 * X, y)
    assert model.n_iter_ == 0
    report = report_on(model)
    assert report.verdict == "exploding"
    assert "diverged" in report.reasons[0]


def test_regression_is_healthy():
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    model = MLPRegressor((30,) * 6, max_iter=10, record="gradients", random_state=0)
    assert report_on(model.fit(X, y, sample_weight=np.arange(len(y)))).verdict == "healthy"


def test_a_large_penalty_is_no_explosion(data):
    model = make(2, weight_decay=100.0, learning_rate=1e-5)
    assert report_on(model.fit(*data)).verdict == "healthy"


# --- units ------------------------------------------------------------------------


def test_dead_units_are_named(data):
    X, y = data
    model = make(3).fit(X, y)
    model.network_.view("dense_2", "bias")[:20] = -1e3
    report = report_on(model, X, y)
    assert report.dead_layers == ["dense_2"]
    assert "Mostly dead" in str(report) and "leaky_relu" in str(report)


def test_saturated_units_are_named(data):
    X, y = data
    model = make(3, activation="tanh").fit(X, y)
    model.network_.view("dense_1", "kernel")[...] *= 100
    report = report_on(model, X, y)
    assert "dense_1" in report.saturated_layers and "Mostly saturated" in str(report)


# --- words ------------------------------------------------------------------------


def test_a_report_says_what_is_wrong_and_what_to_try(data):
    text = str(report_on(make(10, activation="logistic").fit(*data)))
    assert text.startswith("Gradient flow: vanishing")
    for words in ("dense_1", "Starving", "activation='relu'", "batch_norm=True"):
        assert words in text
    text = str(report_on(make(10, kernel_initializer=Normal(1.0)), *data))
    for words in ("exploding", "gradient_clip_norm", "learning_rate", "kernel_initializer"):
        assert words in text


def test_what_is_on_already_is_not_advised(data):
    model = make(25, batch_norm=True, kernel_initializer=Normal(1e-8))
    assert "batch_norm=True" not in "".join(report_on(model, *data).advice)


def test_a_report_on_many_layers_is_short_of_lines(data):
    report = report_on(make(10).fit(*data))
    assert max(map(len, str(report).splitlines())) <= 100
    assert repr(report) == "<GradientFlowReport: healthy, 11 layers>"


# --- where it comes from ------------------------------------------------------------


def test_the_estimator_stays_as_it_is(data):
    X, y = data
    unfitted, fitted = make(3), make(3, batch_norm=True).fit(X, y)
    before = copy.deepcopy(vars(fitted))
    report_on(unfitted, X, y)
    report_on(fitted, X, y)
    assert not hasattr(unfitted, "network_")
    assert vars(fitted).keys() == before.keys()
    assert_array_equal(fitted.network_.parameters, before["network_"].parameters)
    assert_array_equal(fitted.network_.statistics, before["network_"].statistics)


def test_it_measures_the_weights_that_a_fit_starts_from(data):
    model = make(3)
    before = report_on(model, *data)
    recorded = report_on(model.fit(*data))
    for name, values in before.history.items():
        assert_array_equal(values[0], recorded.history[name][0])


def test_it_measures_networks_on_images(data):
    X, y = data
    images = (X.reshape(-1, 8, 8) * 255).astype(np.uint8)
    options = {"max_iter": 1, "record": "gradients", "random_state": 0}
    model = ConvNetClassifier((4, 4), hidden_layer_sizes=(), **options)
    before = report_on(model, images, y)
    recorded = report_on(model.fit(images, y))
    rows = ConvNetClassifier((4, 4), hidden_layer_sizes=(), input_shape=(8, 8), **options)
    of_rows = report_on(rows, images.reshape(-1, 64), y)
    for name, values in before.history.items():
        assert_array_equal(values[0], recorded.history[name][0])
        assert_array_equal(values, of_rows.history[name])


def test_epochs_without_records_are_left_out(data):
    model = make(2, record=None, warm_start=True).fit(*data)
    report = report_on(model.set_params(record="gradients").fit(*data))
    assert report.history["weight_norm"].shape == (6, 3)
    assert len(report.losses) == 6


def test_without_records_and_data_it_says_what_to_do(data):
    for model in (make(1), make(1, record=None).fit(*data)):
        with pytest.raises(ValueError, match='record="gradients", or pass X and y'):
            report_on(model)
    with pytest.raises(ValueError, match="X was given without y"):
        report_on(make(1), data[0])


def test_a_pipeline_is_told_to_pass_its_last_step(data):
    model = make_pipeline(StandardScaler(), make(1))
    with pytest.raises(ValueError, match=r"pass the last step, pipeline\[-1\]"):
        report_on(model, *data)


def test_the_last_step_of_a_pipeline_is_reported_on(data):
    X, y = data
    model = make_pipeline(StandardScaler(), make(3)).fit(X, y)
    assert report_on(model[-1]).verdict == "healthy"
    with pytest.raises(NotFittedError):
        make_pipeline(StandardScaler(), make(1))[-1].predict(X)


# --- pictures ---------------------------------------------------------------------


def test_a_plot_shows_flow_and_activity(data, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    for report in (report_on(make(4).fit(*data)), report_on(make(4), *data)):
        flow, activity = report.plot()
        assert flow.get_yscale() == "log" and activity.get_ylim() == (0, 1)
        pyplot.close("all")
    _, axes = pyplot.subplots(2, 1)
    assert report.plot(axes)[0] is axes[0]
    pyplot.close("all")


def test_without_matplotlib_the_extra_is_named(data, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "scikit-deep\[plot\]"'):
        report_on(make(1), *data).plot()
