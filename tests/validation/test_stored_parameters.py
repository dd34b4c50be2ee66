"""Constructors that are one line: whatever scikit-learn and users ask of constructors."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_iris

from skdeep import (
    ConvNetClassifier,
    ConvNetRegressor,
    LinearSVM,
    LinearSVMRegressor,
    MLPClassifier,
    MLPRegressor,
    SequentialClassifier,
    SequentialRegressor,
)
from skdeep.validation.stored_parameters import stores_parameters

pytestmark = pytest.mark.tiny

ESTIMATORS = [
    ConvNetClassifier,
    ConvNetRegressor,
    LinearSVM,
    LinearSVMRegressor,
    MLPClassifier,
    MLPRegressor,
    SequentialClassifier,
    SequentialRegressor,
]


class Ridge(BaseEstimator):
    @stores_parameters
    def __init__(self, alpha=1.0, solver="auto", *, tol=1e-4, seed): ...


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_parameter_of_the_signature_is_stored_as_it_is(estimator):
    names = list(inspect.signature(estimator).parameters)
    values = {name: object() for name in names}
    stored = vars(estimator(**values))
    assert stored.keys() == values.keys()
    assert all(stored[name] is values[name] for name in names)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_defaults_are_those_that_the_signature_shows(estimator):
    parameters = inspect.signature(estimator).parameters.values()
    model = estimator()
    assert all(getattr(model, p.name) is p.default for p in parameters)
    first, *others = parameters
    assert first.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert {p.kind for p in others} == {inspect.Parameter.KEYWORD_ONLY}


def test_arguments_may_come_by_position_and_by_name():
    model = Ridge(2.0, "cg", seed=1)
    assert vars(model) == {"alpha": 2.0, "solver": "cg", "tol": 1e-4, "seed": 1}
    assert vars(Ridge(seed=None, solver="cg"))["solver"] == "cg"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1.0, "cg", 0.1), {"seed": 1}), "positional argument"),
        (((), {}), "seed"),
        (((1.0,), {"alpha": 1.0, "seed": 1}), "multiple values for argument 'alpha'"),
        (((), {"seed": 1, "alfa": 1.0}), "unexpected keyword argument 'alfa'"),
    ],
)
def test_wrong_arguments_are_told_of_as_python_does(arguments, message):
    args, kwargs = arguments
    with pytest.raises(TypeError, match=rf"Ridge\.__init__\(\).*{message}"):
        Ridge(*args, **kwargs)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_clone_repr_and_pickle_keep_the_parameters(estimator):
    model = estimator(max_iter=7, random_state=3)
    for twin in (clone(model), pickle.loads(pickle.dumps(model))):
        assert twin.get_params() == model.get_params()
    assert repr(model) == f"{estimator.__name__}(max_iter=7, random_state=3)"


class Calibrated(MLPClassifier):
    """A user's subclass with a parameter more, and another default."""

    def __init__(self, hidden_layer_sizes=(5,), *, temperature=1.0, max_iter=4):
        super().__init__(hidden_layer_sizes, max_iter=max_iter, random_state=0)
        self.temperature = temperature

    def predict_proba(self, X):
        p = super().predict_proba(X) ** (1 / self.temperature)
        return p / p.sum(axis=1, keepdims=True)


def test_a_subclass_may_have_a_constructor_of_its_own():
    X, y = load_iris(return_X_y=True)
    model = clone(Calibrated(temperature=2.0)).fit(X, y)
    assert model.get_params() == {
        "hidden_layer_sizes": (5,),
        "max_iter": 4,
        "temperature": 2.0,
    }
    assert model.n_iter_ == 4 and model.coefs_[0].shape == (4, 5)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_editors_and_help_see_the_constructor_that_was_written(estimator):
    init = estimator.__init__
    assert init.__qualname__ == f"{estimator.__name__}.__init__"
    assert init.__module__ == estimator.__module__
    assert "args" not in inspect.signature(estimator).parameters
