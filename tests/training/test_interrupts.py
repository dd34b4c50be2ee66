"""Ctrl-C: it ends whatever fits, and the network keeps the best weights so far."""

import signal

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import ConvNetClassifier, MLPClassifier, MLPRegressor
from skdeep.inspection import learning_rate_range_test
from skdeep.losses import Loss

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 8))
Y = X[:, :2] @ [[1.0, 0.5], [-1.0, 2.0]]
OPTIONS = dict(hidden_layer_sizes=(10,), batch_size=20, max_iter=10, random_state=0)
OPTIONS |= dict(n_iter_no_change=100)
pytestmark = pytest.mark.filterwarnings("ignore:Maximum iterations")


class Interrupted(Loss):
    """A squared error; Ctrl-C is pressed at the evaluation before which `left` is 1."""

    left = evaluations = 0

    def value(self, target, z):
        Interrupted.left -= 1
        Interrupted.evaluations += 1
        if Interrupted.left == 0:
            signal.raise_signal(signal.SIGINT)
        return 0.5 * ((z - target) ** 2).mean(axis=1)

    def gradient(self, target, z):
        return (z - target) / z.shape[1]


def interrupt_at(evaluation):
    Interrupted.left, Interrupted.evaluations = evaluation, 0


def weights(model):
    return model.network_.parameters.copy()


def network(**options):
    return MLPRegressor(loss=Interrupted(), **OPTIONS | options)


# --- what it ends -----------------------------------------------------------------


def test_a_grid_search_ends():
    grid = {"learning_rate": [0.001, 0.01, 0.1]}
    search = GridSearchCV(network(), grid, cv=2, n_jobs=1, error_score=np.nan)
    interrupt_at(20)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert Interrupted.evaluations == 20
    assert not hasattr(search, "best_estimator_")


def test_a_cross_validation_of_a_pipeline_ends():
    interrupt_at(20)
    with pytest.raises(KeyboardInterrupt):
        cross_val_score(make_pipeline(StandardScaler(), network()), X, Y)
    assert Interrupted.evaluations == 20


def test_a_loop_of_partial_fit_ends():
    model = network()
    interrupt_at(23)
    with pytest.raises(KeyboardInterrupt):
        for _ in range(10):
            model.partial_fit(X, Y)
    assert model.n_iter_ == 4  # and what was done of the fifth call is undone
    done = network()
    for _ in range(4):
        done.partial_fit(X, Y)
    assert_array_equal(weights(model.partial_fit(X, Y)), weights(done.partial_fit(X, Y)))


def test_a_learning_rate_range_test_ends():
    interrupt_at(20)
    with pytest.raises(KeyboardInterrupt):
        learning_rate_range_test(network(), X, Y)
    assert Interrupted.evaluations == 20


def test_a_strict_program_sees_the_interrupt_and_no_warning():
    # the suite turns warnings into errors: none took the interrupt's place above
    interrupt_at(20)
    with pytest.raises(KeyboardInterrupt) as caught:
        network().fit(X, Y)
    assert type(caught.value) is KeyboardInterrupt  # what a shell's loop stops at
    assert "interrupted after epoch 3" in caught.value.__notes__[0]


# --- what is kept -----------------------------------------------------------------


def interrupted(model, evaluation=20):
    interrupt_at(evaluation)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    return model


@pytest.mark.parametrize("options", [{}, {"weight_averaging": "ema"}], ids=str)
def test_the_weights_after_the_last_whole_epoch_are_kept(options):
    model = interrupted(network(**options))
    three = network(max_iter=3, **options).fit(X, Y)
    assert_array_equal(weights(model), weights(three))
    assert model.n_iter_ == 3 and model.loss_curve_ == three.loss_curve_
    assert model.loss_ == three.loss_ and not model.stopped_early_


def test_those_of_the_best_epoch_are_kept_on_validation_data():
    scores = iter([0.0, 2.0, 1.0, 1.0])
    options = dict(early_stopping=True, monitor=lambda *_: next(scores))
    model = interrupted(network(**options), 24)  # six evaluations an epoch
    assert model.best_iter_ == 2 and model.n_iter_ == 3
    scores = iter([0.0, 2.0])
    assert_array_equal(weights(model), weights(network(max_iter=2, **options).fit(X, Y)))


def test_the_first_epoch_is_kept_as_far_as_it_was():
    model = interrupted(network(), 4)
    assert model.n_iter_ == 0 and model.loss_curve_ == []
    assert np.isfinite(model.predict(X)).all()


def test_a_first_partial_fit_is_kept_as_far_as_it_was():
    model = network()
    interrupt_at(4)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, Y)
    assert model.n_iter_ == 0 and np.isfinite(model.predict(X)).all()
    assert model.partial_fit(X, Y).n_iter_ == 1


def test_lbfgs_keeps_the_last_iteration():
    model = interrupted(network(optimizer="lbfgs"), 8)
    assert 0 < model.n_iter_ < 10
    shorter = network(optimizer="lbfgs", max_iter=model.n_iter_).fit(X, Y)
    assert_array_equal(weights(model), weights(shorter))


def test_a_warm_start_goes_on_from_there():
    model = interrupted(network())
    assert set(model._training_state.optimizer_state) == {"gradient_sum", "square_sum"}
    before = model.loss_
    model.set_params(warm_start=True).fit(X, Y)
    assert model.n_iter_ == 13 and model.loss_ < before


def test_a_warm_start_interrupted_in_its_first_epoch_is_undone():
    model = network(warm_start=True).fit(X, Y)
    plain = network(warm_start=True).fit(X, Y)
    interrupted(model, 3)
    assert_array_equal(weights(model), weights(plain))
    assert_array_equal(weights(model.fit(X, Y)), weights(plain.fit(X, Y)))


def test_an_interrupt_before_training_leaves_what_was_there():
    class Interrupts:
        def __array__(self, dtype=None, copy=None):
            raise KeyboardInterrupt

    model = MLPClassifier(max_iter=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, np.arange(100) % 2, X_val=Interrupts(), y_val=[0])
    with pytest.raises(NotFittedError):
        model.predict(X)


class InterruptsAtEnd:
    """A callback that is interrupted at the end of the fit."""

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "fit":
            raise KeyboardInterrupt

    def teardown(self, estimator, context):
        pass


def test_an_interrupt_after_the_last_epoch_keeps_all():
    interrupt_at(0)
    model = network().set_callbacks(InterruptsAtEnd())
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert_array_equal(weights(model), weights(network().fit(X, Y)))


def test_convolutional_networks_keep_theirs():
    images = np.random.default_rng(0).uniform(size=(40, 8, 8))
    scores = []

    def scorer(estimator, X, y):
        scores.append(1)
        if len(scores) == 3:
            signal.raise_signal(signal.SIGINT)
        return 0.0

    labels = np.arange(40) % 2
    model = ConvNetClassifier(monitor=scorer, early_stopping=True, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(images, labels)
    assert model.n_iter_ == 2
    assert model.predict(images).shape == (40,)
