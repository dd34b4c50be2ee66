"""What estimators know of their targets, and how these meet the network."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skdeep import MLPClassifier, MLPRegressor
from skdeep.estimators.class_targets import Classes, balanced_class_weight
from skdeep.estimators.number_targets import Numbers
from skdeep.losses import CrossEntropy, SquaredError

pytestmark = pytest.mark.tiny

labels = st.one_of(
    st.lists(st.integers(-3, 3), min_size=2, max_size=20).map(np.array),
    st.lists(st.sampled_from(["a", "b", "zebra", ""]), min_size=2, max_size=20).map(
        np.array
    ),
    st.lists(st.booleans(), min_size=2, max_size=9).map(np.array),
).filter(lambda y: len(np.unique(y)) > 1)


def as_outputs(target, one_hot):
    """The targets of a network as if they were its outputs."""
    target = target if one_hot is None else one_hot.targets(target, np.float64)
    return 2 * target - 1


@settings(max_examples=50, deadline=None)
@given(labels, st.sampled_from(["cross_entropy", "hinge"]))
def test_the_classes_of_encoded_targets_are_those_of_the_user(y, loss):
    targets = Classes("Classifier", loss)
    y = targets.learn(y)
    outputs = as_outputs(*targets.encode(y, np.float64))
    assert outputs.shape == (len(y), targets.n_outputs)
    assert_array_equal(targets.decode(targets.scores(outputs)), y)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 5), st.integers(0, 9))
def test_encoded_numbers_are_those_of_the_user(n, columns, seed):
    y = np.random.default_rng(seed).normal(size=(n, columns) if columns > 1 else n)
    targets = Numbers("Regressor", "auto")
    y = targets.learn(y)
    target, one_hot = targets.encode(y, np.float64)
    assert one_hot is None and target.shape == (n, max(1, columns))
    assert_array_equal(targets.decode(target), y)


def test_labels_stay_labels():
    y = np.array([[0, 1, 1], [1, 0, 0]])
    targets = Classes("Classifier", "auto")
    targets.learn(y)
    target, one_hot = targets.encode(y, np.float32)
    assert one_hot is None and target.dtype == np.float32
    assert_array_equal(targets.decode(as_outputs(target, None)), y)
    assert targets.strata(y) is None and targets.kind == "multilabel-indicator"


def test_classes_that_may_come_are_known():
    targets = Classes("Classifier", "auto")
    targets.learn(np.array([2, 1]), np.array([1, 2, 3]))
    assert targets.n_outputs == 3
    assert_array_equal(targets.check(np.array([3, 3])), [3, 3])
    with pytest.raises(ValueError, match="classes that are not in classes_: \\[4\\]"):
        targets.check(np.array([4, 1]))


def test_what_goes_on_knows_the_classes_and_not_their_weights():
    first = Classes("Classifier", "auto", class_weight={0: 3.0})
    y = first.learn(np.array([0, 1, 0]))
    first.learn_weights(y, np.ones(3), partial=False)
    later = Classes("Classifier", "auto").going_on_from(first)
    assert_array_equal(later.check(np.array([1, 1])), [1, 1])
    assert later.weights(y) == 1.0
    assert_array_equal(first.weights(y), [1.5, 0.5, 1.5])


def test_the_loss_is_the_one_that_the_parameter_names():
    assert Classes("Classifier", "auto").loss.task == "classification"
    loss = SquaredError()
    assert Numbers("Regressor", loss).loss is loss
    with pytest.raises(ValueError, match="CrossEntropy is a loss for classification"):
        Numbers("Regressor", CrossEntropy())


def test_balanced_weights_are_those_of_a_fit_with_balanced_classes(digits):
    X, y = digits
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    options = dict(max_iter=2, random_state=0)
    balanced = MLPClassifier(class_weight="balanced", **options).fit(X, y, weight)
    given = balanced_class_weight(y, weight)
    same = MLPClassifier(class_weight=given, **options).fit(X, y, weight)
    np.testing.assert_allclose(
        same.predict_proba(X), balanced.predict_proba(X), rtol=1e-6, atol=1e-9
    )


def test_a_fit_that_goes_on_leaves_what_others_know(digits):
    """A shallow copy of an estimator keeps its classes' weights and its loss."""
    X, y = digits
    model = MLPClassifier(max_iter=1, warm_start=True, class_weight={0: 3.0}).fit(X, y)
    known, before = model._targets, pickle.dumps(model._targets)
    model.set_params(class_weight=None).fit(X, y)
    assert model._targets is not known and pickle.dumps(known) == before


@pytest.mark.parametrize("name", ["classes_", "n_features_in_", "network_"])
def test_an_estimator_that_is_not_fitted_knows_nothing(name):
    assert not hasattr(MLPClassifier(), name)


def test_one_column_is_predicted_as_it_was_given():
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = MLPRegressor(max_iter=1)
    assert model.fit(X, X[:, 0]).predict(X).shape == (20,)
    assert model.fit(X, X).predict(X).shape == (20, 2)
