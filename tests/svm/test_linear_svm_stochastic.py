"""Stochastic optimizers minimize the same objective as the exact ones."""

import pickle
import time

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.preprocessing import StandardScaler

from skdeep import LinearSVM, LinearSVMRegressor
from skdeep.optimizers import SGD
from skdeep.svm.one_layer_network import gradient_descent_rate

each_loss = pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
each_kind = pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])


@pytest.fixture(scope="module")
def binary():
    return make_classification(200, 8, n_informative=4, flip_y=0.1, random_state=0)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@each_loss
@each_kind
def test_stochastic_training_comes_near_the_optimum(loss, kind, binary):
    X, y = binary
    options = {"loss": loss, "weight_decay": 0.01}
    exact = LinearSVM(**options).fit(X, y)
    trained = LinearSVM(
        optimizer="adam", learning_rate=0.01, batch_size=20, random_state=0,
        max_iter=300, **options,
    ).fit(kind(X), y)  # fmt: skip
    assert exact.objective_ <= trained.objective_ <= 1.05 * exact.objective_
    assert not hasattr(trained, "support_")
    # the bound may be loose, but it is one
    optimum = trained.objective_ * (1 - trained.duality_gap_)
    assert optimum <= exact.objective_ * (1 + 1e-9)


@pytest.mark.parametrize("multi_class", ["ovr", "crammer_singer"])
def test_stochastic_training_of_many_classes_has_the_same_objective(multi_class, iris):
    X, y = iris
    X = StandardScaler().fit_transform(X)
    exact = LinearSVM(multi_class=multi_class, weight_decay=0.01).fit(X, y)
    trained = LinearSVM(
        multi_class=multi_class, weight_decay=0.01, optimizer="adam", batch_size="full",
        learning_rate=0.01, max_iter=3000, tol=0, random_state=0,
    ).fit(X, y)  # fmt: skip
    ratio = np.sum(trained.objective_) / np.sum(exact.objective_)
    assert 1 <= ratio <= 1.02


def test_stochastic_regression_comes_near_the_optimum():
    X = np.random.default_rng(0).normal(size=(300, 3))
    y = X @ [1.0, -2.0, 0.5] + 3
    exact = LinearSVMRegressor(C=1, epsilon=0.1).fit(X, y)
    trained = LinearSVMRegressor(
        C=1, epsilon=0.1, optimizer="adam", learning_rate=0.02, max_iter=500, random_state=0
    ).fit(X, y)
    assert exact.objective_ <= trained.objective_ <= 1.1 * exact.objective_


def test_partial_fit_learns_from_batches(binary):
    X, y = binary
    model = LinearSVM(optimizer="sgd", weight_decay=0.01, random_state=0)
    for _ in range(30):
        for start in range(0, 200, 50):
            rows = slice(start, start + 50)
            model.partial_fit(X[rows], y[rows], classes=[0, 1])
    assert model.score(X, y) > LinearSVM(weight_decay=0.01).fit(X, y).score(X, y) - 0.05
    assert not hasattr(model, "duality_gap_")
    assert not hasattr(LinearSVM(), "partial_fit")
    with pytest.raises(ValueError, match="classes must be passed"):
        LinearSVM(optimizer="sgd").partial_fit(X, y)


@pytest.mark.parametrize("cls", [LinearSVM, LinearSVMRegressor])
def test_a_call_of_partial_fit_takes_as_long_however_many_there_were(cls, binary):
    X, y = binary[0][:8], np.arange(8) % 2
    model = cls(optimizer="sgd", random_state=0)
    options = {"classes": [0, 1]} if cls is LinearSVM else {}

    def seconds(calls):
        taken = []
        for _ in range(calls):
            start = time.perf_counter()
            model.partial_fit(X, y, **options)
            taken.append(time.perf_counter() - start)
        return np.median(taken)

    seconds(20)
    early, early_size = seconds(50), len(pickle.dumps(model))
    seconds(1000)
    late, late_size = seconds(50), len(pickle.dumps(model))
    assert late < 2 * early
    assert late_size - early_size <= 20 * 1050  # two numbers a call
    assert len(model.loss_curve_) == model.n_iter_ == 1120


def test_class_weights_count_in_partial_fit_after_fit(binary):
    X, y = binary
    options = {"optimizer": "sgd", "batch_size": "full", "random_state": 0, "max_iter": 3}
    by_class = LinearSVM(class_weight={"0": 20.0}, tol=10, **options).fit(X, y)
    weight = np.where(y == 0, 20.0, 1.0)
    by_sample = LinearSVM(tol=10, **options).fit(X, y, sample_weight=weight)
    by_class.partial_fit(X, y)
    by_sample.partial_fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(
        by_class.decision_function(X), by_sample.decision_function(X)
    )


def test_dropout_changes_stochastic_training_only(binary):
    X, y = binary
    kept = LinearSVM(optimizer="sgd", max_iter=5, random_state=0)
    dropped = LinearSVM(optimizer="sgd", max_iter=5, random_state=0, dropout=0.5)
    assert not np.allclose(kept.fit(X, y).coef_, dropped.fit(X, y).coef_)
    with pytest.raises(ValueError, match=r"dropout=0\.5 has no meaning"):
        LinearSVM(dropout=0.5).fit(X, y)


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov", "lbfgs"])
def test_class_weights_count_in_the_objective(optimizer, binary):
    X, y = binary
    options = {"loss": "squared_hinge", "class_weight": {0: 20.0}, "weight_decay": 0.01}
    exact = LinearSVM(**options).fit(X, y)
    trained = LinearSVM(
        optimizer=optimizer, batch_size="full", tol=1e-9, random_state=0, **options
    ).fit(X, y)
    assert trained.objective_ == pytest.approx(exact.objective_, rel=1e-6)


def test_class_weights_count_in_partial_fit(binary):
    X, y = binary
    options = {"optimizer": "sgd", "batch_size": "full", "random_state": 0}
    by_class = LinearSVM(class_weight={0: 20.0}, **options)
    by_sample = LinearSVM(**options)
    weight = np.where(y == 0, 20.0, 1.0)
    for _ in range(5):
        by_class.partial_fit(X, y, classes=[0, 1])
        by_sample.partial_fit(X, y, classes=[0, 1], sample_weight=weight)
    np.testing.assert_allclose(by_class.coef_, by_sample.coef_, rtol=1e-12)


# --- the learning rate of gradient descent --------------------------------------------


def largest_curvature(X, weight, rows):
    """Of the squared hinge loss, where every sample of these rows has an error."""
    extended = np.hstack([X, np.ones((len(X), 1))])[rows]
    weight = (len(X) * weight / weight.sum())[rows] / len(rows)
    return 2 * np.linalg.eigvalsh((extended.T * weight) @ extended)[-1]


@each_kind
def test_the_rate_is_half_of_one_over_the_curvature(kind):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(50, 4)) * [1, 3, 0.1, 10]
    X -= X.mean(axis=0)
    weight = np.ones(50)
    options = {"dropout": 0.0, "decay": 0.0}
    rate, scale = gradient_descent_rate(kind(X), weight, batch_size="full", **options)
    expected = largest_curvature(X / scale, weight, np.arange(50))
    assert rate == pytest.approx(0.5 / expected, rel=1e-6)
    assert scale == pytest.approx(np.linalg.norm(X, 2) / np.sqrt(50), rel=1e-6)
    rate, _ = gradient_descent_rate(kind(X), weight, batch_size=1, **options)
    costliest = max(largest_curvature(X / scale, weight, [i]) for i in range(50))
    assert rate == pytest.approx(0.5 / costliest, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_rate_allows_for_features_far_from_zero_and_weights(seed):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(50, 4)) * generator.uniform(0, 10, 4) + 5
    weight = generator.exponential(size=50)
    rate, scale = gradient_descent_rate(
        X, weight, batch_size="full", dropout=0.0, decay=0.0
    )
    curvature = largest_curvature(X / scale, weight, np.arange(50))
    assert 0.25 / curvature <= rate <= 0.5 / curvature * (1 + 1e-6)


def test_batch_gradient_descent_goes_downhill_on_unscaled_features():
    X, y = load_breast_cancer(return_X_y=True)
    model = LinearSVM(
        loss="squared_hinge", optimizer="sgd", batch_size="full", max_iter=100, tol=0
    ).fit(X, y)
    assert (np.diff(model.loss_curve_) <= 1e-12).all()


@each_loss
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov"])
def test_the_units_of_features_change_nothing(loss, optimizer, binary):
    X, y = binary
    options = {"loss": loss, "optimizer": optimizer, "random_state": 0, "max_iter": 20}
    model = LinearSVM(C=1.0, **options).fit(X, y)
    other = LinearSVM(C=2.0**-20, **options).fit(1024 * X, y)
    np.testing.assert_allclose(
        other.decision_function(1024 * X), model.decision_function(X), rtol=1e-9
    )


def test_the_units_of_targets_change_nothing(binary):
    X, y = binary[0], binary[0] @ np.arange(8.0) + 3
    options = {"optimizer": "sgd", "random_state": 0, "max_iter": 20, "tol": 0}
    model = LinearSVMRegressor(C=1.0, epsilon=0.5, **options).fit(X, y)
    other = LinearSVMRegressor(C=64.0, epsilon=32.0, **options).fit(X, 64 * y)
    np.testing.assert_allclose(other.predict(X), 64 * model.predict(X), rtol=1e-9)


def test_a_rate_that_is_given_is_that_of_plain_gradient_descent(binary):
    X, y = binary
    sign = 2 * y - 1
    for options in (
        {"optimizer": "sgd", "learning_rate": 0.01},
        {"optimizer": SGD(learning_rate=0.01)},
    ):
        model = LinearSVM(
            batch_size="full", max_iter=3, weight_decay=0.1, tol=0, **options
        ).fit(X, y)
        w, b = np.zeros(8), 0.0
        for _ in range(3):
            wrong = sign * (X @ w + b) < 1
            w = w - 0.01 * (0.1 * w - (wrong * sign) @ X / 200)
            b += 0.01 * np.sum(wrong * sign) / 200
        np.testing.assert_allclose(model.coef_[0], w, rtol=1e-9)
        np.testing.assert_allclose(model.intercept_, b, rtol=1e-9, atol=1e-15)
