"""Weights: k times the weight is k times the row, and zero is as good as absent."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array

from skdeep import LinearSVM, MLPClassifier, MLPRegressor
from skdeep.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from skdeep.optimizers import OPTIMIZERS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 6))
CLASSES = RNG.integers(0, 3, 30)
COUNTS = RNG.poisson(2.0, 30)
WEIGHT = RNG.integers(0, 4, 30)


def repeated(values):
    return values.repeat(WEIGHT, axis=0)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("batch_norm", [False, True])
def test_weight_equals_repetition_for_every_optimizer(optimizer, batch_norm):
    options = dict(
        optimizer=optimizer, batch_norm=batch_norm, batch_size="full", random_state=0
    )
    weighted = MLPClassifier((10, 5), max_iter=50, tol=0, **options)
    weighted.fit(X, CLASSES, sample_weight=WEIGHT)
    plain = MLPClassifier((10, 5), max_iter=50, tol=0, **options)
    plain.fit(repeated(X), repeated(CLASSES))
    assert_allclose(weighted.predict_proba(X), plain.predict_proba(X), rtol=1e-7)
    assert_allclose(weighted.loss_, plain.loss_, rtol=1e-7)


@pytest.mark.parametrize("loss", sorted(CLASSIFICATION_LOSSES))
@pytest.mark.parametrize("n_classes", [2, 3])
def test_weight_equals_repetition_for_every_classification_loss(loss, n_classes):
    y = np.minimum(CLASSES, n_classes - 1)
    options = dict(loss=loss, batch_size="full", max_iter=30, tol=0, random_state=0)
    weighted = MLPClassifier(**options).fit(X, y, sample_weight=WEIGHT)
    plain = MLPClassifier(**options).fit(repeated(X), repeated(y))
    assert_allclose(
        weighted.decision_function(X), plain.decision_function(X), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("loss", sorted(REGRESSION_LOSSES))
def test_weight_equals_repetition_for_every_regression_loss(loss):
    options = dict(loss=loss, batch_size="full", max_iter=30, tol=0, random_state=0)
    weighted = MLPRegressor(**options).fit(X, COUNTS, sample_weight=WEIGHT)
    plain = MLPRegressor(**options).fit(repeated(X), repeated(COUNTS))
    assert_allclose(weighted.predict(X), plain.predict(X), rtol=1e-7, atol=1e-9)


def test_weight_equals_repetition_for_sparse_data():
    options = dict(batch_size="full", max_iter=30, tol=0, random_state=0)
    weighted = MLPClassifier(**options)
    weighted.fit(csr_array(X), CLASSES, sample_weight=WEIGHT)
    plain = MLPClassifier(**options).fit(csr_array(repeated(X)), repeated(CLASSES))
    assert_allclose(weighted.predict_proba(X), plain.predict_proba(X), rtol=1e-7)


def test_class_weight_is_a_factor_of_the_sample_weight():
    factors = {0: 1.0, 1: 2.5, 2: 0.5}
    options = dict(max_iter=20, random_state=0)
    by_class = MLPClassifier(class_weight=factors, **options).fit(X, CLASSES)
    by_sample = MLPClassifier(**options).fit(
        X, CLASSES, sample_weight=np.array([factors[c] for c in CLASSES])
    )
    assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), rtol=1e-12)


def test_balanced_class_weight_counts_weighted_samples():
    options = dict(
        class_weight="balanced", batch_size="full", max_iter=30, tol=0, random_state=0
    )
    weighted = MLPClassifier(**options).fit(X, CLASSES, sample_weight=WEIGHT)
    plain = MLPClassifier(**options).fit(repeated(X), repeated(CLASSES))
    assert_allclose(weighted.predict_proba(X), plain.predict_proba(X), rtol=1e-7)


def test_only_proportions_of_weights_matter():
    options = dict(batch_size=7, max_iter=10, random_state=0)
    weight = RNG.uniform(0.1, 1.0, 30)
    once = MLPClassifier(**options).fit(X, CLASSES, sample_weight=weight)
    scaled = MLPClassifier(**options).fit(X, CLASSES, sample_weight=1024 * weight)
    assert_array_equal(once.predict_proba(X), scaled.predict_proba(X))


def test_mini_batches_leave_out_rows_of_weight_zero():
    present = WEIGHT > 0
    options = dict(batch_size=4, max_iter=5, shuffle=False, random_state=0)
    weighted = MLPClassifier(**options).fit(X, CLASSES, sample_weight=WEIGHT)
    removed = MLPClassifier(**options)
    removed.fit(X[present], CLASSES[present], sample_weight=WEIGHT[present])
    assert_array_equal(weighted.predict_proba(X), removed.predict_proba(X))


def test_partial_fit_on_weights_that_are_all_zero_changes_nothing():
    model = MLPClassifier(random_state=0).partial_fit(X, CLASSES, classes=[0, 1, 2])
    before = model.predict_proba(X)
    model.partial_fit(X, CLASSES, sample_weight=np.zeros(30))
    assert_array_equal(model.predict_proba(X), before)


def test_the_last_batch_counts_by_its_rows_in_the_epochs_loss():
    # a rate of almost nothing: every batch sees the initial weights
    options = dict(learning_rate=1e-300, max_iter=1, weight_decay=0.0, random_state=0)
    in_batches = MLPClassifier(batch_size=16, **options).fit(X, CLASSES)
    at_once = MLPClassifier(batch_size="full", **options).fit(X, CLASSES)
    assert_allclose(in_batches.loss_, at_once.loss_, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-50, 2.0**-1070, 1e300])
def test_weights_may_be_smaller_and_larger_than_the_numbers_of_x_can_be(dtype, scale):
    x, weight = X.astype(dtype), RNG.integers(1, 4, len(X))
    options = dict(max_iter=3, batch_size=7, random_state=0)
    for model, y in (
        (MLPClassifier(**options), CLASSES),
        (MLPRegressor(**options), COUNTS),
    ):
        expected = model.fit(x, y, sample_weight=weight).predict(x)
        scaled = model.fit(x, y, sample_weight=weight * scale)
        assert_allclose(scaled.predict(x), expected, rtol=1e-5)
        validated = model.fit(
            x, y, weight * scale, X_val=x, y_val=y, sample_weight_val=weight * scale
        )
        assert np.isfinite(validated.validation_loss_curve_).all()


@pytest.mark.parametrize("scale", [1e-50, 1e300])
def test_a_machine_trained_by_descent_takes_weights_of_any_size(scale):
    x, y = X.astype(np.float32), CLASSES > 0
    weight = RNG.integers(1, 4, len(X)) * scale
    options = dict(optimizer="sgd", weight_decay=0.01, max_iter=3, random_state=0)
    expected = LinearSVM(**options).fit(x, y, sample_weight=weight / scale).coef_
    coef = LinearSVM(**options).fit(x, y, sample_weight=weight).coef_
    assert_allclose(coef, expected, rtol=1e-4)
