"""The models that predict a table together, one at a time."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skdeep import TabularClassifier, TabularRegressor
from skdeep.estimators.tabular_members import Member, network

_OPTIONS = {
    "hidden_layer_sizes": [7, 5],
    "dropout": 0.0,
    "learning_rate": 0.02,
    "weight_decay": 0.3,
    "batch_size": 64,
    "n_epochs": 10,
}


def _network(kind, **options):
    return network(kind, _OPTIONS | options, 3, 500, 0, classifies=True)


@pytest.mark.parametrize(
    ("kind", "activation"), [("periodic", "silu"), ("piecewise", "silu"), ("plain", "relu")]
)
def test_plain_networks_rectify_and_the_others_are_smooth(kind, activation):
    layers = dict(_network(kind).layers)
    assert [name for name in layers if name.startswith("dropout")] == []
    assert ("embedding" in layers) == (kind == "periodic")
    for number, units in enumerate(_OPTIONS["hidden_layer_sizes"], start=1):
        assert layers[f"dense_{number}"].units == units
        assert layers[f"activation_{number}"].function == activation


def test_each_hidden_layer_drops_out():
    layers = dict(_network("plain", dropout=0.25).layers)
    assert [layers[f"dropout_{number}"].rate for number in (1, 2)] == [0.25, 0.25]


def test_what_was_asked_for_reaches_the_networks():
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(80, 3)), generator.integers(0, 2, 80)
    options = {"learning_rate": 0.01, "weight_decay": 0.5, "batch_size": 16, "n_epochs": 2}
    model = TabularClassifier(hidden_layer_sizes=4, dropout=0.3, blend=None, **options)
    for member in model.fit(X, y).members_:
        asked = member.estimator.get_params()
        assert [asked[name] for name in list(options)[:3]] == [0.01, 0.5, 16]
        assert member.estimator.n_iter_ == asked["max_iter"] == 2
        assert dict(member.estimator.layers)["dropout_1"].rate == 0.3


def test_a_class_that_a_fold_lacks_has_the_probability_zero():
    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    member = Member("linear", 0, LogisticRegression().fit(X, [0, 0, 2, 2]))
    p = member.outputs({"linear": X}, 4)
    np.testing.assert_array_equal(p[:, [1, 3]], 0)
    np.testing.assert_array_equal(p[:, [0, 2]], member.estimator.predict_proba(X))


def test_classes_of_one_group_are_predicted_where_their_fold_does_not_know_them():
    generator = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 40)
    y = np.where(groups == 0, generator.integers(0, 3, 120), generator.integers(0, 2, 120))
    y = np.array(["b", "c", "a"])[y]  # "a" is in one group, and first
    X = generator.normal(size=(120, 2)) + 3.0 * (y == "c")[:, np.newaxis]
    options = {"n_cv": 3, "n_epochs": 10, "hidden_layer_sizes": 8, "random_state": 0}
    model = TabularClassifier(**options).fit(X, y, groups=groups)
    np.testing.assert_array_equal(model.oof_prediction_[groups == 0, 0] < 1e-6, True)
    assert model.oof_score_ > 0.7
    lacking = [m for m in model.members_ if len(m.estimator.classes_) == 2]
    assert len({m.fold for m in lacking}) == 1


def test_folds_of_one_class_are_left_out():
    generator = np.random.default_rng(0)
    X, groups = generator.normal(size=(80, 2)), np.repeat([0, 1], 40)
    model = TabularClassifier(n_epochs=2, hidden_layer_sizes=4, random_state=0)
    model.fit(X, groups, groups=groups)  # without one group one class is left
    assert model.oof_prediction_ is None
    assert {member.fold for member in model.members_} == {None}


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_without_unseen_rows_all_networks_count_the_same(kind):
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(80, 3)), generator.integers(0, 2, 80)
    model = kind(n_cv=0, n_epochs=2, hidden_layer_sizes=4, random_state=0).fit(X, y)
    assert model.weights_ == dict.fromkeys(("periodic", "piecewise", "plain"), 1 / 3)
