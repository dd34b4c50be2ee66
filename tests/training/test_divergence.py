"""Training that diverges: found at the step, explained by the layer, and undone."""

import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skdeep import ConvNetRegressor, LinearSVM, MLPClassifier, MLPRegressor
from skdeep.initializers import Orthogonal
from skdeep.losses import Loss
from skdeep.optimizers import AdamW
from skdeep.schedules import Schedule
from skdeep.training.divergence import Step, explain_divergence

LAYERS = ("dense_1", "dense_2", "output")


def step(number, norms, loss=1.0, update_failed=False):
    norms = dict(zip(LAYERS, norms, strict=True))
    return Step(1, number, loss, norms, 0.1, update_failed)


def told(model, *data, **options):
    """Fit, and return the warning's text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*data, **options)
    assert [warning.category for warning in caught] == [ConvergenceWarning]
    return str(caught[0].message)


# --- which layer is named ---------------------------------------------------------


def test_nothing_is_explained_where_all_is_finite():
    assert explain_divergence([step(1, (1, 1, 1)), step(2, (9, 9, 9))]) == ""


def test_gradients_are_computed_from_the_output_down():
    text = explain_divergence([step(1, (1, 2, 3)), step(2, (np.nan, np.inf, 4))])
    assert text.startswith(", step 2: the gradient became infinite. The gradient of layer")
    assert "'dense_2' blew up first: its norm was 2 the step before" in text


def test_where_the_loss_fails_the_layer_that_grew_most_is_named():
    nan = np.nan
    steps = [
        step(1, (1, 1, 10)),
        step(2, (10, 1e5, 100)),
        step(3, (nan, nan, nan), loss=np.inf),
    ]
    text = explain_divergence(steps)
    assert text.startswith(", step 3: the loss became inf. ")
    assert "layer 'dense_2'" in text
    assert "its norm was 1e+05 the step before, 1 at the start of epoch 1" in text


def test_a_gradient_of_almost_zero_grows_easily():
    nan = np.nan
    steps = [
        step(1, (1e-30, 1, 1)),
        step(2, (1e-10, 1e3, 10)),
        step(3, (nan, nan, nan), loss=nan),
    ]
    assert "layer 'dense_2'" in explain_divergence(steps)


def test_an_update_that_fails_is_told():
    text = explain_divergence([step(1, (1, 1, 1)), step(2, (1, 1e20, 1), 1.0, True)])
    assert "step 2: the weights became too large" in text
    assert "layer 'dense_2' blew up first: its norm was 1e+20 in that step" in text


def test_a_loss_that_fails_at_once_blames_no_layer():
    text = explain_divergence([step(1, (np.nan,) * 3, loss=np.inf)])
    assert text == ", step 1: the loss became inf."


# --- real training ----------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_divergence_is_told_with_epoch_step_layer_and_cure(digits, optimizer, dtype):
    X, y = digits[0].astype(dtype), digits[1]
    huge = 1e13 if dtype == np.float32 else 1e130
    rate = huge if optimizer == "adam" else 1e5
    model = MLPRegressor((20, 10), optimizer=optimizer, learning_rate=rate, random_state=0)
    text = told(model, 100 * X, y)
    pattern = (
        r"Training diverged in epoch (\d+), step (\d+): .+\. The gradient of layer "
        r"'(dense_1|dense_2|output)' blew up first: its norm was .+ The learning rate was "
        rf"{re.escape(format(rate, '.3g'))}\. .*kept.* Scale the features .* lower "
        r"learning_rate, or set gradient_clip_norm"
    )
    assert re.match(pattern, text), text
    assert np.isfinite(model.network_.parameters).all()
    assert np.isfinite(model.predict(X)).all()


class FailsAtBatch(Loss):
    """A squared error that is infinite for the batch that holds a certain target."""

    def value(self, target, z):
        losses = 0.5 * ((z - target) ** 2).mean(axis=1)
        return np.where(target[:, 0] == 99, np.inf, losses)

    def gradient(self, target, z):
        return (z - target) / z.shape[1]


@pytest.mark.parametrize("row, number", [(0, 1), (250, 6), (459, 10)])
def test_the_step_is_the_very_one(digits, row, number):
    X, y = digits[0][:460], digits[1][:460].astype(float)
    y[row] = 99
    model = MLPRegressor(loss=FailsAtBatch(), batch_size=50, shuffle=False, random_state=0)
    text = told(model, X, y)
    assert f"in epoch 1, step {number}: the loss became inf." in text


class GrowingRate(Schedule):
    """Half as large again each step, and none at all from a step on."""

    def __init__(self, stop=10**9):
        self.stop = stop

    def factors(self, progress):
        growing = 1.5 ** np.minimum(progress.steps, 1000)
        return np.where(progress.steps < self.stop, growing, 0.0)


@pytest.mark.parametrize("batch_size, n_steps", [(64, 5), (150, 2), ("full", 1)])
def test_the_step_of_a_later_epoch_is_the_very_one(digits, batch_size, n_steps):
    X, y = digits[0][:300], digits[1][:300].astype(float)
    options = dict(optimizer="sgd", learning_rate=1e-6, batch_size=batch_size, dropout=0.2)
    options |= dict(random_state=0, n_iter_no_change=1000)

    model = MLPRegressor((20,), learning_rate_schedule=GrowingRate(), **options)
    text = told(model, X, y)
    epoch, number = map(int, re.search(r"epoch (\d+), step (\d+)", text).groups())
    assert epoch > 2 and model.n_iter_ == epoch - 1
    # the update that did it: that of the step, or the one before a loss that failed
    step = (epoch - 1) * n_steps + number - ("the loss became" in text)

    def fails(stop):
        schedule = GrowingRate(stop)
        again = MLPRegressor((20,), max_iter=epoch, learning_rate_schedule=schedule)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            again.set_params(**options).fit(X, y)
        return any("diverged in epoch" in str(warning.message) for warning in caught)

    assert fails(step)
    assert not fails(step - 1)


def test_what_diverged_can_go_on(digits):
    X, y = digits
    model = MLPClassifier(
        optimizer="adam", learning_rate=1e200, warm_start=True, random_state=0
    )
    assert "diverged" in told(model, X, y)
    state = model._training_state
    assert all(np.isfinite(vector).all() for vector in state.optimizer_state.values())
    model.set_params(learning_rate=0.001, max_iter=20)
    before = model.n_iter_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    assert model.n_iter_ == before + 20 and model.score(X, y) > 0.9


def test_lbfgs_that_fails_says_so():
    X = np.full((10, 2), 1e200)
    X[::2] *= -1
    model = MLPRegressor((5,), optimizer="lbfgs", random_state=0)
    text = told(model, X, np.arange(10.0))
    assert "diverged in epoch 1, step 1: the loss became inf" in text
    assert np.isfinite(model.network_.parameters).all()


def test_partial_fit_that_diverges_keeps_the_best(digits):
    X, y = digits
    model = MLPRegressor(optimizer="sgd", learning_rate=1e-3, random_state=0)
    for _ in range(3):
        model.partial_fit(X, y)
    model.set_params(learning_rate=1e20)
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 4, step"):
        model.partial_fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    # the lowest loss, that of the third epoch, was measured on the weights of two
    two = MLPRegressor(optimizer="sgd", learning_rate=1e-3, random_state=0)
    assert_array_equal(
        model.network_.parameters,
        two.partial_fit(X, y).partial_fit(X, y).network_.parameters,
    )


# --- beside validation ------------------------------------------------------------

rng = np.random.default_rng(0)
X_NOISE = rng.normal(size=(200, 5))
Y_NOISE = X_NOISE @ np.ones(5) + rng.normal(size=200)
HOLD_OUT = {"early_stopping": True}
STEEP = dict(optimizer="sgd", learning_rate=1.0, random_state=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [
        HOLD_OUT,
        HOLD_OUT | {"monitor": "r2"},
        HOLD_OUT | {"batch_norm": True, "learning_rate": 1e30},
        HOLD_OUT | {"weight_averaging": "ema"},
        HOLD_OUT | {"weight_averaging": "swa", "learning_rate": 100.0},
        HOLD_OUT | {"optimizer": "momentum", "learning_rate": 1e5},
        HOLD_OUT | {"loss": "huber", "learning_rate": 100.0},
        HOLD_OUT | {"loss": "absolute_error", "learning_rate": 1e30},
        {"X_val": True},
        HOLD_OUT | {"X_val": True},
    ],
    ids=str,
)
def test_divergence_beside_validation_is_one_warning_and_the_best_stays(options, dtype):
    X, y = X_NOISE.astype(dtype), Y_NOISE.astype(dtype)
    options = dict(options)
    given = {"X_val": X[:50], "y_val": y[:50]} if options.pop("X_val", False) else {}
    model = MLPRegressor((20, 20), **STEEP | options)
    assert "Training diverged" in told(model, X, y, **given)
    error = np.mean((model.predict(X) - y) ** 2)
    assert error < 10 * np.mean(y**2)  # the initial weights', or better
    assert not model.stopped_early_


def test_a_cost_that_explodes_without_end_is_a_divergence():
    images = np.random.default_rng(0).uniform(0, 255, size=(60, 8, 8))
    y = images.mean(axis=(1, 2))
    for options in ({}, HOLD_OUT, HOLD_OUT | {"monitor": "r2"}):
        model = ConvNetRegressor(
            optimizer="sgd", learning_rate=1e-3, max_iter=30, random_state=0, **options
        )
        text = told(model, images, y)
        assert "initial weights" in text or "best epoch" in text
        initial = np.mean((np.mean(model.predict(images)) - y) ** 2)
        assert initial < 10 * np.mean(y**2)


@pytest.mark.parametrize("options", [{}, HOLD_OUT])
def test_a_squared_hinge_that_explodes_is_a_divergence(options):
    model = MLPClassifier((20, 20), loss="squared_hinge", **STEEP, **options)
    text = told(model, 30 * X_NOISE, (Y_NOISE > 0).astype(int))
    assert re.search(r"in epoch 2, step 1: the loss became \d", text)
    assert "blew up first" in text
    assert np.abs(model.decision_function(30 * X_NOISE)).max() < 1e3


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_partial_fit_recognises_it_and_keeps_the_best(loss, early_stopping):
    options = STEEP | {"learning_rate": 50.0, "early_stopping": early_stopping}
    model = MLPRegressor((20, 20), loss=loss, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(7):
            if not caught:
                model.partial_fit(X_NOISE, Y_NOISE, X_val=X_NOISE[:50], y_val=Y_NOISE[:50])
    texts = [str(warning.message) for warning in caught]
    assert len(texts) == 1 and "Training diverged in epoch" in texts[0]
    assert np.mean((model.predict(X_NOISE) - Y_NOISE) ** 2) < 10 * np.mean(Y_NOISE**2)


class OneSided(Loss):
    """A hinge, which is finite for outputs that are infinite on the right side."""

    task = "regression"

    def value(self, target, z):
        return np.maximum(0.0, 1.0 - z).sum(axis=1)

    def gradient(self, target, z):
        return np.where(z < 1.0, -1.0, 0.0)


def test_outputs_for_validation_data_that_are_infinite_are_a_divergence():
    X_val = np.full((10, 5), 3e38, dtype=np.float32)
    model = MLPRegressor((), loss=OneSided(), early_stopping=True, random_state=0)
    model.set_params(learning_rate=1.0)  # which makes all weights positive
    X = X_NOISE.astype(np.float32) + 3
    text = told(model, X, Y_NOISE, X_val=X_val, y_val=Y_NOISE[:10])
    assert "outputs for the validation data became too large" in text


def test_a_higher_loss_on_other_data_is_no_divergence(digits):
    X, y = digits
    model = MLPRegressor(warm_start=True, max_iter=5, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X[:200], y[:200])
        model.fit(X[:200], 1000.0 * y[:200])
    assert not any("diverged" in str(warning.message) for warning in caught)


def test_hard_validation_data_are_no_divergence(digits):
    X, y = digits
    model = MLPRegressor(early_stopping=True, max_iter=20, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X[:500], y[:500], X_val=X[500:], y_val=y[500:] + 30)
    assert not any("diverged" in str(warning.message) for warning in caught)
    assert model.best_iter_ > 1


def test_what_diverged_is_not_told_to_start_its_average_earlier():
    model = MLPRegressor(weight_averaging="swa", max_iter=100, **STEEP)
    assert "start=" not in told(model, 10 * X_NOISE, Y_NOISE)


@pytest.mark.parametrize("dtype, gain", [("float32", 1e25), ("float64", 1e300)])
def test_initial_weights_without_finite_squares_are_refused(dtype, gain):
    X = np.eye(4, dtype=dtype)
    model = MLPRegressor((3,), kernel_initializer=Orthogonal(gain=gain))
    with pytest.raises(ValueError, match=r"Orthogonal\(gain=.*draws smaller ones"):
        model.fit(X, X[:, 0])


def test_weights_without_finite_squares_have_diverged():
    X, y = np.eye(4), np.array([0, 1, 0, 1])
    model = LinearSVM(optimizer=AdamW(learning_rate=1e300), max_iter=1)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X, y)
    assert np.isfinite(model.coef_).all() and np.isfinite(model.objective_)
