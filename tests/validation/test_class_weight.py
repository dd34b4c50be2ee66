"""Class weights: what a user may give, and what becomes of it."""

import json
from decimal import Decimal

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from skdeep import LinearSVM, MLPClassifier
from skdeep.validation.class_weight import class_weight_vector

pytestmark = pytest.mark.tiny

BAD_WEIGHTS = [-1, -1e-300, np.nan, np.inf, -np.inf, 10**400, "2", None, 1j, [1.0]]
BAD_WEIGHTS += [Decimal(2), np.array([2.0])]
each_bad_weight = pytest.mark.parametrize("weight", BAD_WEIGHTS, ids=repr)


def vector(class_weight, classes):
    return class_weight_vector(class_weight, np.asarray(classes), None, None)


# --- the vector -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "classes", [["0", "1"], np.array(["0", "1"], object), [0, 1], [0.0, 1.0], [False, True]]
)
def test_a_key_is_for_the_class_that_it_equals(classes):
    keys = np.asarray(classes).tolist()
    np.testing.assert_array_equal(vector({keys[0]: 2, keys[1]: 3}, classes), [2.0, 3.0])
    np.testing.assert_array_equal(vector({keys[1]: 3}, classes), [1.0, 3.0])


def test_a_key_is_for_the_class_that_reads_the_same():
    weights = {0: 2, 1: 3}
    from_json = json.loads(json.dumps(weights))
    np.testing.assert_array_equal(vector(weights, ["0", "1"]), [2.0, 3.0])
    np.testing.assert_array_equal(vector(from_json, [0, 1]), [2.0, 3.0])


def test_a_key_for_another_fold_is_ignored_only_where_every_class_has_its_own():
    np.testing.assert_array_equal(vector({0: 2, 1: 3, 7: 9}, [0, 1]), [2.0, 3.0])
    with pytest.raises(ValueError, match=r"The classes, \[1\], are not in class_weight"):
        vector({0: 2, 7: 9}, [0, 1])
    with pytest.raises(ValueError, match=r"keys \['spam '\] are no classes"):
        vector({"spam ": 3}, ["ham", "spam"])


def test_two_keys_for_one_class_are_refused():
    with pytest.raises(ValueError, match="two keys for the class '0': 0 and '0'"):
        vector({0: 1, "0": 2}, ["0", "1"])


@each_bad_weight
def test_a_weight_that_is_no_weight_is_refused(weight):
    with pytest.raises(ValueError, match=r"class_weight\[1\] is .* finite number"):
        vector({0: 1.0, 1: weight}, [0, 1])


def test_balanced_is_that_of_scikit_learn_for_the_classes_that_are_there():
    rng = np.random.default_rng(0)
    y, weight = rng.integers(0, 4, 50), rng.uniform(size=50)
    expected = compute_class_weight(
        "balanced", classes=np.arange(4), y=y, sample_weight=weight
    )
    weights = class_weight_vector("balanced", np.arange(5), y, weight)
    np.testing.assert_array_equal(weights, [*expected, 1.0])


# --- estimators -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled_by_text():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return X, np.where(X[:, 0] + 0.3 * rng.normal(size=60) > 0, "1", "0")


def machine(optimizer, **options):
    return LinearSVM(optimizer=optimizer, random_state=0, **options)


@pytest.mark.parametrize("optimizer", ["auto", "lbfgs"])
def test_digit_strings_are_keys(optimizer, labelled_by_text):
    X, y = labelled_by_text
    options = {"loss": "squared_hinge", "optimizer": optimizer}
    by_class = machine(**options, class_weight={"0": 1, "1": 3}).fit(X, y)
    by_sample = machine(**options).fit(X, y, sample_weight=np.where(y == "1", 3.0, 1.0))
    np.testing.assert_array_equal(by_class.coef_, by_sample.coef_)


@each_bad_weight
@pytest.mark.parametrize("optimizer", ["auto", "newton", "adam"])
def test_bad_class_weights_reach_no_solver(optimizer, weight, labelled_by_text):
    model = machine(optimizer, class_weight={"0": weight})
    calls = [model.fit]
    if optimizer == "adam":
        calls.append(lambda X, y: model.partial_fit(X, y, classes=["0", "1"]))
    for call in calls:
        with pytest.raises(ValueError, match=r"class_weight\['0'\] is"):
            call(*labelled_by_text)
    assert not hasattr(model, "coef_")


# --- networks -------------------------------------------------------------------------


def network(**options):
    return MLPClassifier((3,), max_iter=2, tol=0, random_state=0, **options)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_digit_strings_are_keys_for_networks(labelled_by_text):
    X, y = labelled_by_text
    expected = network(class_weight={"0": 1, "1": 3}).fit(X, y).predict_proba(X)
    by_sample = network().fit(X, y, sample_weight=np.where(y == "1", 3.0, 1.0))
    np.testing.assert_array_equal(by_sample.predict_proba(X), expected)
    by_number = network(class_weight={0: 1, 1: 3}).fit(X, y)
    np.testing.assert_array_equal(by_number.predict_proba(X), expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_validation_data_are_weighed_by_what_balances_the_training_data():
    rng = np.random.default_rng(0)
    X, X_val = rng.normal(size=(60, 3)), rng.normal(size=(40, 3))
    y, y_val = np.arange(60) % 10 == 0, np.arange(40) % 2 == 0
    by_name = network(class_weight="balanced").fit(X, y, X_val=X_val, y_val=y_val)
    weights = compute_class_weight("balanced", classes=np.array([False, True]), y=y)
    by_dict = network(class_weight={False: weights[0], True: weights[1]})
    by_dict.fit(X, y, X_val=X_val, y_val=y_val)
    np.testing.assert_allclose(
        by_name.validation_loss_curve_, by_dict.validation_loss_curve_, rtol=1e-12
    )


@each_bad_weight
def test_bad_class_weights_reach_no_network(weight, labelled_by_text):
    X, y = labelled_by_text
    model = network(class_weight={"0": 1.0, "1": weight})
    for call in (model.fit, lambda X, y: model.partial_fit(X, y, classes=["0", "1"])):
        with pytest.raises(ValueError, match=r"class_weight\['1'\] is"):
            call(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_only_the_proportions_of_class_weights_matter(scale, labelled_by_text):
    X, y = labelled_by_text
    model = network(class_weight={"0": scale, "1": 3 * scale}).fit(X, y)
    expected = network(class_weight={"0": 1.0, "1": 3.0}).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X))
