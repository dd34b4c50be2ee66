"""How training proceeds: curves, early stopping, going on, and ends that come too soon."""

import copy
import os
import pickle
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import balanced_accuracy_score, log_loss, make_scorer
from sklearn.model_selection import cross_validate

from skdeep import MLPClassifier, MLPRegressor
from skdeep.engine.network import Network
from skdeep.estimators.validation_data import hold_out
from skdeep.losses import Loss
from skdeep.optimizers import OPTIMIZERS, SGD, RMSProp

pytestmark = pytest.mark.tiny


def weights(model):
    return model.network_.parameters.copy()


def test_training_loss_falls(digits):
    curve = MLPClassifier(max_iter=20, random_state=0).fit(*digits).loss_curve_
    assert curve[-1] < 0.3 * curve[0]


def test_training_stops_when_the_loss_stops_falling(digits):
    X, y = digits
    model = MLPClassifier(tol=0.5, n_iter_no_change=3, random_state=0).fit(X, y)
    assert model.n_iter_ < 20
    best = np.inf
    waited = 0
    for loss in model.loss_curve_:
        waited = waited + 1 if loss > best - 0.5 else 0
        best = min(best, loss)
    assert waited == 4  # as in scikit-learn, the count must exceed n_iter_no_change


def test_too_few_epochs_are_told(digits):
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3\) reached"):
        MLPClassifier(max_iter=3, random_state=0).fit(*digits)


def test_patience_may_be_infinite(digits):
    model = MLPClassifier(n_iter_no_change=np.inf, tol=1e9, max_iter=15)
    with pytest.warns(ConvergenceWarning, match="Raise max_iter"):
        assert model.fit(*digits).n_iter_ == 15


@pytest.mark.parametrize("meta", [False, True])
def test_warnings_point_at_the_line_that_called(digits, meta):
    model = MLPClassifier(max_iter=1, batch_size=10**6)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cross_validate(model, *digits, cv=2) if meta else model.fit(*digits)
    assert len(caught) == (4 if meta else 2)
    assert {warning.filename for warning in caught} == {__file__}


def test_early_stopping_restores_the_best_epoch(digits):
    X, y = digits
    options = dict(early_stopping=True, learning_rate=0.05, n_iter_no_change=5)
    model = MLPClassifier(**options, random_state=0).fit(X[:500], y[:500])
    curve = model.validation_loss_curve_
    assert model.best_iter_ == 1 + np.argmin(curve) < model.n_iter_
    assert model.best_loss_ == min(curve)
    shorter = MLPClassifier(**options, random_state=0, max_iter=model.best_iter_)
    shorter.fit(X[:500], y[:500])
    assert_array_equal(weights(model), weights(shorter))


def test_early_stopping_keeps_the_held_out_rows_out(digits):
    X, y = digits
    X, y = X[:200].copy(), y[:200]
    options = dict(early_stopping=True, max_iter=3, n_iter_no_change=10, random_state=0)
    one = MLPClassifier(**options).fit(X, y)
    rows = np.arange(200)
    # find the rows whose values do not matter to training by changing each
    held_out = hold_out(np.ones(200), y, 0.1, one._training_state.key)
    X[held_out] += 5
    other = MLPClassifier(**options).fit(X, y)
    assert len(held_out) == 20 and set(held_out) < set(rows)
    assert_array_equal(one.loss_curve_, other.loss_curve_)
    assert one.validation_loss_curve_ != other.validation_loss_curve_


def test_held_out_rows_keep_the_proportions_of_classes():
    y = np.repeat([0, 1], [90, 10])
    X = np.random.default_rng(0).normal(size=(100, 3))
    model = MLPClassifier(early_stopping=True, max_iter=1, random_state=0).fit(X, y)
    held_out = hold_out(np.ones(100), y, 0.1, model._training_state.key)
    assert_array_equal(np.bincount(y[held_out]), [9, 1])


def test_given_validation_data_are_watched(digits):
    X, y = digits
    model = MLPClassifier(max_iter=4, random_state=0)
    model.fit(X[:500], y[:500], X_val=X[500:700], y_val=y[500:700])
    expected = log_loss(y[500:700], model.predict_proba(X[500:700]))
    assert_allclose(model.validation_loss_curve_[-1], expected, rtol=1e-9)
    assert_allclose(model.validation_scores_[-1], model.score(X[500:700], y[500:700]))
    assert model.n_iter_ == 4


def test_validation_weights_count(digits):
    X, y = digits
    weight = np.random.default_rng(0).uniform(size=200)
    model = MLPClassifier(max_iter=2, random_state=0)
    model.fit(
        X[:500],
        y[:500],
        X_val=X[500:700],
        y_val=y[500:700],
        sample_weight_val=weight,
    )
    p = model.predict_proba(X[500:700])
    expected = log_loss(y[500:700], p, sample_weight=weight)
    assert_allclose(model.validation_loss_curve_[-1], expected, rtol=1e-9)


@pytest.mark.parametrize(
    "monitor", ["balanced_accuracy", make_scorer(balanced_accuracy_score)]
)
def test_any_scorer_can_be_monitored(digits, monitor):
    X, y = digits
    options = dict(early_stopping=True, monitor=monitor, n_iter_no_change=3)
    model = MLPClassifier(**options, max_iter=30, random_state=0).fit(X[:600], y[:600])
    assert model.best_iter_ == 1 + np.argmax(model.validation_scores_)
    assert 0.5 < max(model.validation_scores_) <= 1


def test_a_plain_function_can_be_monitored(digits):
    X, y = digits
    calls = []

    def scorer(estimator, X, y):
        calls.append(len(y))
        return -float(len(calls))  # worse each time

    model = MLPClassifier(
        early_stopping=True, monitor=scorer, n_iter_no_change=2, random_state=0
    ).fit(X[:300], y[:300])
    assert model.best_iter_ == 1 and model.n_iter_ == 4
    assert calls == [30] * 4


def test_learning_rate_schedule_is_followed_and_recorded(digits):
    X, y = digits
    model = MLPClassifier(
        learning_rate=0.1, learning_rate_schedule="exponential", max_iter=4, random_state=0
    ).fit(X, y)
    # 1,797 samples make 9 steps an epoch, and each has its own entry
    assert_allclose(model.history_["learning_rate"], 0.1 * 0.98 ** np.repeat(range(4), 9))


def test_learning_rate_auto_is_the_optimizers_own(digits):
    X, y = digits
    options = dict(max_iter=2, random_state=0)
    own = MLPClassifier(optimizer=SGD(learning_rate=0.3), **options).fit(X, y)
    given = MLPClassifier(optimizer="sgd", learning_rate=0.3, **options).fit(X, y)
    assert_array_equal(weights(own), weights(given))


def test_plateau_schedule_lowers_the_rate_when_nothing_improves(digits):
    X, y = digits
    model = MLPClassifier(
        learning_rate=1e-300,
        learning_rate_schedule="plateau",
        max_iter=10,
        n_iter_no_change=50,
        random_state=0,
    ).fit(X, y)
    rates = model.history_["learning_rate"] / 1e-300
    assert_allclose(rates, [1] * 54 + [0.2] * 36)


@pytest.mark.parametrize(
    "options",
    [
        *({"optimizer": name} for name in sorted(OPTIMIZERS.keys() - {"lbfgs"})),
        {"optimizer": RMSProp(momentum=0.9, centered=True)},
        {"optimizer": "nadam", "dropout": 0.2, "batch_norm": True, "batch_size": 64},
        {"batch_size": "full", "input_dropout": 0.1},
        *(
            {"learning_rate_schedule": name, "optimizer": "nesterov"}
            for name in ["step", "exponential", "inverse_scaling", "plateau"]
        ),
    ],
    ids=str,
)
def test_warm_start_goes_on_bit_for_bit(digits, options):
    X, y = digits[0][:500], digits[1][:500]
    at_once = MLPClassifier(max_iter=10, random_state=0, **options).fit(X, y)
    in_parts = MLPClassifier(max_iter=5, warm_start=True, random_state=0, **options)
    in_parts.fit(X, y)
    in_parts = pickle.loads(pickle.dumps(in_parts)).fit(X, y)
    assert_array_equal(weights(in_parts), weights(at_once))
    assert_array_equal(in_parts.network_.statistics, at_once.network_.statistics)
    assert in_parts.loss_curve_ == at_once.loss_curve_
    assert_array_equal(
        in_parts.history_["learning_rate"], at_once.history_["learning_rate"]
    )


def test_a_planned_schedule_goes_on_when_the_plan_is_the_same(digits):
    X, y = digits[0][:500], digits[1][:500]
    options = dict(learning_rate_schedule="cosine", max_iter=6, random_state=0)
    at_once = MLPClassifier(**options).fit(X, y)
    in_parts = MLPClassifier(**options)
    for _ in range(6):  # each call is an epoch of the plan
        in_parts.partial_fit(X, y, classes=np.arange(10))
    assert_array_equal(weights(in_parts), weights(at_once))


def test_warm_start_with_early_stopping_goes_on_from_the_best_epoch(digits):
    X, y = digits[0][:500], digits[1][:500]
    options = dict(early_stopping=True, learning_rate=0.05, n_iter_no_change=3)
    model = MLPClassifier(**options, warm_start=True, random_state=0).fit(X, y)
    best, n_iter = min(model.validation_loss_curve_), model.n_iter_
    model.fit(X, y)
    assert model.n_iter_ >= n_iter + 3
    assert min(model.validation_loss_curve_) == model.best_loss_ <= best


def test_warm_start_refuses_other_layers(digits):
    X, y = digits
    model = MLPClassifier((10,), warm_start=True, max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match="The layers changed since the last fit"):
        model.set_params(hidden_layer_sizes=(20,)).fit(X, y)


def test_warm_start_takes_another_optimizer(digits):
    X, y = digits
    model = MLPClassifier(warm_start=True, max_iter=3, random_state=0).fit(X, y)
    before = model.loss_
    model.set_params(optimizer="momentum", learning_rate=0.05).fit(X, y)
    assert model.n_iter_ == 6 and model.loss_ < before


@pytest.mark.parametrize("optimizer", ["adam", "nadam", "amsgrad", "momentum", "rmsprop"])
def test_another_optimizer_begins_as_one_from_those_weights(digits, optimizer, monkeypatch):
    X, y = digits
    options = dict(hidden_layer_sizes=(8,), max_iter=2, shuffle=False, weight_decay=0.0)
    warm = MLPClassifier(optimizer="sgd", warm_start=True, **options).fit(X, y)
    trained = warm.network_.parameters.copy()
    monkeypatch.setattr(
        Network, "initialize", lambda network, key: np.copyto(network.parameters, trained)
    )
    fresh = MLPClassifier(optimizer=optimizer, **options).fit(X, y)
    warm.set_params(optimizer=optimizer).fit(X, y)
    assert_array_equal(warm.network_.parameters, fresh.network_.parameters)
    warm.fit(X, y)  # and goes on
    fresh.set_params(max_iter=4).fit(X, y)
    assert_array_equal(warm.network_.parameters, fresh.network_.parameters)


def test_a_schedule_goes_on_where_the_optimizer_changes(digits):
    X, y = digits
    options = dict(max_iter=2, warm_start=True, learning_rate_schedule="inverse_scaling")
    options |= dict(learning_rate=0.01, batch_size=500)
    same, changed = (MLPClassifier(**options).fit(X, y) for _ in range(2))
    same.fit(X, y)
    changed.set_params(optimizer="rmsprop").fit(X, y)
    assert_array_equal(*(m.history_["learning_rate"] for m in (changed, same)))


def test_without_warm_start_fit_starts_anew(digits):
    X, y = digits
    model = MLPClassifier(max_iter=2, random_state=0)
    first = weights(model.fit(X, y))
    assert_array_equal(weights(model.fit(X, y)), first)
    assert model.n_iter_ == 2


def test_partial_fit_in_turns_equals_warm_started_epochs(digits):
    X, y = digits
    in_parts = MLPClassifier(random_state=0)
    for _ in range(3):
        in_parts.partial_fit(X, y, classes=np.arange(10))
    at_once = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    assert_array_equal(weights(in_parts), weights(at_once))


def test_partial_fit_goes_on_after_fit(digits):
    X, y = digits
    model = MLPClassifier(max_iter=5, random_state=0).fit(X, y)
    before = model.loss_
    assert model.partial_fit(X, y).loss_ < before
    assert model.n_iter_ == 6


def test_partial_fit_of_unseen_labels_one_class_at_a_time(digits):
    X, y = digits
    model = MLPClassifier(random_state=0)
    order = np.random.default_rng(0).permutation(len(y))
    for rows in np.array_split(order, 30):
        model.partial_fit(X[rows], y[rows], classes=np.arange(10))
    model.partial_fit(X[y == 3], y[y == 3])
    assert model.predict_proba(X).shape == (len(y), 10)


def test_lbfgs_has_no_partial_fit():
    assert not hasattr(MLPClassifier(optimizer="lbfgs"), "partial_fit")
    assert hasattr(MLPClassifier(optimizer="adam"), "partial_fit")


class ExplodesAfter(Loss):
    """A squared error whose value turns NaN at some evaluation."""

    def __init__(self, calls=10):
        self.calls = calls

    def value(self, target, z):
        _COUNT.append(1)
        losses = 0.5 * ((z - target) ** 2).mean(axis=1)
        return losses * np.nan if len(_COUNT) > self.calls else losses

    def gradient(self, target, z):
        return z - target


_COUNT = []


def test_divergence_keeps_the_best_weights_and_says_so(digits):
    X, y = digits
    _COUNT.clear()
    model = MLPRegressor(loss=ExplodesAfter(35), random_state=0)
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 4.*best epoch, 3"):
        model.fit(X, y)
    assert model.n_iter_ == 3
    assert np.isfinite(weights(model)).all()
    assert np.isfinite(model.predict(X)).all()
    # the weights that the third epoch's loss was measured on
    _COUNT.clear()
    shorter = MLPRegressor(loss=ExplodesAfter(10**6), max_iter=2, random_state=0).fit(X, y)
    assert_array_equal(weights(model), weights(shorter))


def test_an_absurd_learning_rate_leaves_a_usable_model(digits):
    X, y = digits
    model = MLPRegressor(optimizer="sgd", learning_rate=1e6, random_state=0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(100 * X, y)
    assert np.isfinite(model.predict(X)).all()


def test_an_interrupt_ends_training_with_the_best_weights(digits):
    X, y = digits
    model = MLPClassifier(
        (300, 300), max_iter=100_000, tol=0, n_iter_no_change=10**6, random_state=0
    )

    def interrupt():
        time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert 1 <= model.n_iter_ < 100_000
    assert model.score(X, y) > 0.8


class Interrupts(Loss):
    """A squared error; Ctrl-C is pressed at some evaluation."""

    def value(self, target, z):
        _COUNT.append(1)
        if len(_COUNT) == INTERRUPTED_AT:
            raise KeyboardInterrupt
        return 0.5 * ((z - target) ** 2).mean(axis=1)

    def gradient(self, target, z):
        return (z - target) / z.shape[1]


INTERRUPTED_AT = 35  # in the fourth epoch of 9 steps


def test_an_interrupt_keeps_the_epochs_that_were_done(digits):
    X, y = digits
    _COUNT.clear()
    model = MLPRegressor(loss=Interrupts(), random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    whole = MLPRegressor(loss=Interrupts(), max_iter=3, random_state=0).fit(X, y)
    assert model.n_iter_ == 3
    assert_array_equal(weights(model), weights(whole))


def test_an_interrupt_restores_the_best_on_validation_data(digits):
    X, y = digits
    _COUNT.clear()
    scores = iter([0.0, 2.0, 1.0])
    model = MLPRegressor(
        loss=Interrupts(),
        early_stopping=True,
        monitor=lambda *_: next(scores),
        random_state=0,
    )
    with pytest.raises(KeyboardInterrupt):
        # with one evaluation more for each epoch, still in the fourth
        model.fit(X, y, X_val=X[:9], y_val=y[:9])
    assert model.best_iter_ == 2
    two = MLPRegressor(loss=Interrupts(), max_iter=2, random_state=0).fit(X, y)
    assert_array_equal(weights(model), weights(two))


def test_verbose_prints_a_line_each_epoch(digits, capsys):
    MLPClassifier(max_iter=3, verbose=1, random_state=0).fit(*digits)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["Epoch 1", "Epoch 2", "Epoch 3"]
    assert "loss" in lines[0]


def test_the_state_of_the_optimizer_is_kept_only_where_it_can_be_used(digits):
    X, y = digits
    plain = MLPClassifier(max_iter=2, random_state=0).fit(X, y)
    warm = MLPClassifier(max_iter=2, warm_start=True, random_state=0).fit(X, y)
    assert not plain._training_state.optimizer_state
    assert set(warm._training_state.optimizer_state) == {"gradient_sum", "square_sum"}


def test_a_copy_does_not_share_weights(digits):
    X, y = digits
    model = MLPClassifier(max_iter=2, random_state=0).fit(X, y)
    twin = copy.deepcopy(model)
    before = twin.predict_proba(X)
    model.partial_fit(X, y)
    assert_array_equal(twin.predict_proba(X), before)


def test_dropout_acts_in_training_only(digits):
    X, y = digits
    options = dict(max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = MLPClassifier(**options).fit(X, y)
        dropped = MLPClassifier(dropout=0.5, input_dropout=0.1, **options).fit(X, y)
    assert plain.loss_ < dropped.loss_
    assert_array_equal(dropped.predict_proba(X), dropped.predict_proba(X))


def test_weight_decay_shrinks_weights(digits):
    X, y = digits
    norms = [
        np.linalg.norm(
            MLPClassifier(weight_decay=d, max_iter=30, random_state=0).fit(X, y).coefs_[0]
        )
        for d in (0.0, 0.01, 0.1)
    ]
    assert norms[0] > norms[1] > norms[2]


def test_clipping_bounds_a_step_of_gradient_descent(digits):
    X, y = digits
    start = MLPClassifier(max_iter=1, learning_rate=1e-300, random_state=0).fit(X, y)
    options = dict(optimizer="sgd", learning_rate=1.0, batch_size="full", weight_decay=0.0)
    by_norm = MLPClassifier(gradient_clip_norm=0.01, max_iter=1, random_state=0, **options)
    by_norm.fit(X, y)
    assert_allclose(np.linalg.norm(weights(by_norm) - weights(start)), 0.01, rtol=1e-9)
    by_value = MLPClassifier(
        gradient_clip_value=1e-4, max_iter=1, random_state=0, **options
    )
    by_value.fit(X, y)
    assert_allclose(np.abs(weights(by_value) - weights(start)).max(), 1e-4, rtol=1e-9)


def test_a_loss_that_ends_higher_than_it_began_is_told_and_undone(digits):
    X, y = digits
    model = MLPClassifier(
        optimizer="sgd", learning_rate=30.0, batch_size="full", random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="diverged from a loss of"):
        model.fit(10 * X, y)
    assert model.loss_ > 2 * model.loss_curve_[0]
    assert log_loss(y, model.predict_proba(10 * X)) <= 1.01 * model.loss_curve_[0]


def test_divergence_in_the_first_epoch_leaves_the_initial_weights(digits):
    X, y = digits
    _COUNT.clear()
    model = MLPRegressor(loss=ExplodesAfter(3), random_state=0)
    with pytest.warns(ConvergenceWarning, match="epoch 1.*initial weights, .* were kept"):
        model.fit(X, y)
    assert model.loss_curve_ == [] and model.n_iter_ == 0
    assert np.isfinite(model.predict(X)).all()
