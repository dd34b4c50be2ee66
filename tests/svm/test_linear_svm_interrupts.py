"""Ctrl-C and errors while a linear support vector machine is fitted.

An interrupt goes on up, so that a search or a loop of fits ends, and leaves the best
solution so far, with its certificate. Any other error leaves what was there before.
"""

import copy
import pickle
import signal

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from skdeep import LinearSVM, LinearSVMRegressor
from skdeep.svm.solvers.crammer_singer import MulticlassProblem
from skdeep.svm.solvers.problem import Problem
from skdeep.training.monitor import Monitor

CLASSIFIERS = [
    {"optimizer": "interior_point"},
    {"optimizer": "newton"},
    {"optimizer": "coordinate_descent"},
    {"loss": "squared_hinge"},
    {"multi_class": "crammer_singer"},
]
REGRESSORS = [{}, {"loss": "squared_epsilon_insensitive", "epsilon": 0.3}]
EXACT = [LinearSVM(**options) for options in CLASSIFIERS]
EXACT += [LinearSVMRegressor(**options) for options in REGRESSORS]
each_exact = pytest.mark.parametrize("model", EXACT, ids=repr)
STOCHASTIC = [
    model(optimizer=optimizer, random_state=0, max_iter=30, **options)
    for model, options in (
        (LinearSVM, {"loss": "squared_hinge"}),
        (LinearSVMRegressor, {"loss": "squared_epsilon_insensitive"}),
    )
    for optimizer in ("adam", "lbfgs")
]
each_stochastic = pytest.mark.parametrize("model", STOCHASTIC, ids=repr)


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(
        150, 6, n_informative=4, n_classes=3, flip_y=0.2, random_state=0
    )
    return X, y


@pytest.fixture
def interrupt(monkeypatch):
    """Count products of all rows; interrupt the one of a number, as Ctrl-C would."""
    calls = {"done": 0, "stop": None}

    def counted(original):
        def product(*arguments):
            calls["done"] += 1
            if calls["done"] == calls["stop"]:
                signal.raise_signal(signal.SIGINT)
            return original(*arguments)

        return product

    for owner, name in ((Problem, "margins"), (MulticlassProblem, "margins")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))

    def at(number):
        calls["done"], calls["stop"] = 0, number
        return calls

    return at


def is_as_before(model, before):
    return pickle.dumps(vars(model)) == before


# --- exact ----------------------------------------------------------------------------


def objectives(model, X, y):
    """Of the outputs, machine by machine."""
    w, b = np.atleast_2d(model.coef_), model.intercept_
    z = X @ w.T + b
    power = 2 if model.loss.startswith("squared") else 1
    if isinstance(model, LinearSVMRegressor):
        errors = np.abs(y - z[:, 0])[:, None] - model.epsilon
    elif getattr(model, "multi_class", None) == "crammer_singer":
        own = z[np.arange(len(y)), y]
        z = z + 1.0
        z[np.arange(len(y)), y] -= 1.0
        errors = (z.max(axis=1) - own)[:, None]
        w = w.reshape(1, -1)
    else:
        errors = 1 - z * np.where(y[:, None] == np.arange(3), 1, -1)
    return np.sum(w**2, axis=1) / 2 + np.sum(np.maximum(errors, 0) ** power, axis=0)


@each_exact
def test_an_interrupted_fit_keeps_a_certified_solution_or_what_was_there(
    model, interrupt, data
):
    X, y = data
    calls = interrupt(None)
    best = copy.deepcopy(model).fit(X, y)
    n_calls, gaps = calls["done"], []
    for number in np.unique(np.linspace(1, n_calls - 1, 12).astype(int)):
        stopped = copy.deepcopy(model)
        before = pickle.dumps(vars(stopped))
        interrupt(number)
        with pytest.raises(KeyboardInterrupt) as raised:
            stopped.fit(X, y)
        if not hasattr(stopped, "coef_"):
            assert is_as_before(stopped, before)
            continue
        gaps.append(np.max(stopped.duality_gap_))
        assert "best solution so far was kept" in raised.value.__notes__[0]
        np.testing.assert_allclose(
            np.ravel(stopped.objective_), objectives(stopped, X, y), rtol=1e-9
        )
        bound = stopped.objective_ * (1 - np.asarray(stopped.duality_gap_))
        assert (bound <= best.objective_ * (1 + 1e-9)).all()
        assert stopped.predict(X).shape == y.shape
    assert len(gaps) >= 2
    assert min(gaps) < 1.0


def test_an_interrupt_among_threads_keeps_the_machines_that_were_done(interrupt, data):
    X, y = data
    calls = interrupt(None)
    model = LinearSVM(n_jobs=1, optimizer="newton").fit(X, y)
    interrupt(calls["done"] // 2)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    gaps = model.duality_gap_
    assert gaps.min() < 1e-9 < gaps.max()


def test_sparse_rows_are_interrupted_alike(interrupt, data):
    X, y = data
    calls = interrupt(None)
    model = LinearSVM(optimizer="coordinate_descent").fit(sparse.csr_array(X), y == 0)
    interrupt(calls["done"] - 1)
    model = LinearSVM(optimizer="coordinate_descent")
    with pytest.raises(KeyboardInterrupt):
        model.fit(sparse.csr_array(X), y == 0)
    assert 0 < model.duality_gap_ < 1


def fits_done(monkeypatch, cls):
    """How many fits end; the second is interrupted."""
    fits = []
    original = cls._validate

    def validate(self, *arguments, **options):
        fits.append(self)
        if len(fits) == 2:
            signal.raise_signal(signal.SIGINT)
        return original(self, *arguments, **options)

    monkeypatch.setattr(cls, "_validate", validate)
    return fits


@pytest.mark.parametrize("cls", [LinearSVM, LinearSVMRegressor])
def test_an_interrupt_ends_a_search_and_a_cross_validation(monkeypatch, cls, data):
    for search in (
        lambda X, y: GridSearchCV(cls(), {"C": [0.1, 1.0, 10.0]}, cv=2).fit(X, y),
        lambda X, y: cross_val_score(cls(), X, y, cv=3),
    ):
        fits = fits_done(monkeypatch, cls)
        with pytest.raises(KeyboardInterrupt):
            search(*data)
        assert len(fits) == 2
        monkeypatch.undo()


# --- stochastic -----------------------------------------------------------------------


def interrupt_epoch(monkeypatch, number):
    original = Monitor.end_epoch

    def end_epoch(self, *arguments, **options):
        original(self, *arguments, **options)
        if self.state.epoch == number:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Monitor, "end_epoch", end_epoch)


@each_stochastic
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_interrupted_training_keeps_the_best_coefficients(monkeypatch, model, data):
    X, y = data
    model = copy.deepcopy(model)
    interrupt_epoch(monkeypatch, 5)
    with pytest.raises(KeyboardInterrupt) as raised:
        model.fit(X, y)
    assert "duality gap of" in raised.value.__notes__[0]
    assert model.n_iter_ == 5
    assert 0 < np.max(model.duality_gap_) <= 1
    np.testing.assert_allclose(
        np.ravel(model.objective_), objectives(model, X, y), rtol=1e-9
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_partial_fit_goes_on_after_an_interrupt(monkeypatch, data):
    X, y = data
    model = LinearSVM(optimizer="sgd", random_state=0)
    model.partial_fit(X, y, classes=[0, 1, 2])
    interrupt_epoch(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, y)
    monkeypatch.undo()
    model.partial_fit(X, y)
    assert model.n_iter_ == 3
    assert model.score(X, y) > 0.4


@pytest.mark.parametrize("cls", [LinearSVM, LinearSVMRegressor])
@pytest.mark.parametrize("optimizer", ["auto", "adam"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_interrupt_of_the_certificate_loses_no_solution(
    monkeypatch, cls, optimizer, data
):
    X, y = data
    model = cls(optimizer=optimizer, max_iter=30, random_state=0)
    expected = copy.deepcopy(model).fit(X, y).predict(X)
    break_certificates(monkeypatch, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected)


# --- errors ---------------------------------------------------------------------------


def bad_fits(model, X, y):
    """Calls that fail at different depths."""
    nan = X.copy()
    nan[0, 0] = np.nan
    wide = np.hstack([X, X])
    yield lambda: model.fit(nan, y)
    yield lambda: model.fit(wide, np.zeros(len(y) - 1))
    yield lambda: model.fit(wide, y, sample_weight=-np.ones(len(y)))
    yield lambda: model.fit(wide, y, sample_weight=np.zeros(len(y)))


class BrokenError(Exception):
    pass


def break_certificates(monkeypatch, error=BrokenError):
    """Let fits fail at their very end."""

    def broken(*arguments, **options):
        raise error

    for name in ("linear_svm.certify_classes", "linear_svm_regressor.certify_regression"):
        monkeypatch.setattr(f"skdeep.svm.{name}", broken)


@pytest.mark.parametrize("cls", [LinearSVM, LinearSVMRegressor])
@pytest.mark.parametrize("optimizer", ["auto", "adam"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_first_fit_that_fails_leaves_nothing(monkeypatch, cls, optimizer, data):
    X, y = data
    model = cls(optimizer=optimizer, max_iter=3)
    before = pickle.dumps(vars(model))
    for call in bad_fits(model, X, y):
        with pytest.raises(ValueError):
            call()
        assert is_as_before(model, before)
    break_certificates(monkeypatch)
    with pytest.raises(BrokenError):
        model.fit(X, y)
    assert is_as_before(model, before)
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.parametrize("cls", [LinearSVM, LinearSVMRegressor])
@pytest.mark.parametrize("optimizer", ["auto", "adam"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_later_fit_that_fails_leaves_the_one_before(monkeypatch, cls, optimizer, data):
    X, y = data
    model = cls(optimizer=optimizer, max_iter=3).fit(X, y)
    before, expected = dict(vars(model)), model.predict(X)
    for call in bad_fits(model, X, y):
        with pytest.raises(ValueError):
            call()
        assert vars(model) == before
    break_certificates(monkeypatch)
    with pytest.raises(BrokenError):
        model.fit(np.hstack([X, X]), y)
    assert vars(model) == before
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("cls", [LinearSVM, LinearSVMRegressor])
def test_a_partial_fit_that_fails_changes_nothing(monkeypatch, cls, first, data):
    X, y = data
    options = {"classes": [0, 1, 2]} if cls is LinearSVM else {}
    model = cls(optimizer="adam", random_state=0)
    twin = copy.deepcopy(model)
    if not first:
        model.partial_fit(X, y, **options)
        twin.partial_fit(X, y, **options)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full_like(X, np.nan), y, **options)
    with pytest.raises(ValueError, match="egative"):
        model.partial_fit(X, y, sample_weight=-np.ones(len(y)), **options)
    if cls is LinearSVM:
        with pytest.raises(ValueError, match="not in classes_"):
            model.partial_fit(X, y + 1, **options)

    def broken(*arguments, **options):
        raise BrokenError

    with monkeypatch.context() as patch:
        patch.setattr(Monitor, "end_epoch", broken)
        with pytest.raises(BrokenError):
            model.partial_fit(X, y, **options)
    assert vars(model) == before
    model.partial_fit(X, y, **options)
    twin.partial_fit(X, y, **options)
    np.testing.assert_array_equal(model.coef_, twin.coef_)
