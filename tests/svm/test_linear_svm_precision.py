"""What a linear support vector machine predicts has the digits that were solved for.

Solutions and outputs are float64, whatever X is; certificates are of the outputs; and no
number of threads changes a bit.
"""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_classification
from threadpoolctl import threadpool_info, threadpool_limits

from skdeep import LinearSVM, LinearSVMRegressor
from skdeep.svm.linear_outputs import linear_outputs

each_kind = pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def far():
    """float32 features, and targets whose size is far above their spread."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    slope = X.astype(np.float64) @ [1.0, -2.0, 0.5, 3.0]
    return X, slope + 0.1 * rng.normal(size=300)


# --- float32 features -----------------------------------------------------------------


@pytest.mark.parametrize("centre", [2e7, 1.6e9, -1.6e9])
@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
@each_kind
def test_targets_far_from_zero_keep_their_digits(kind, loss, centre, far):
    X, y = far
    here = LinearSVMRegressor(C=10, loss=loss).fit(X.astype(np.float64), y)
    there = LinearSVMRegressor(C=10, loss=loss).fit(kind(X), centre + y)
    predicted = there.predict(kind(X)) - centre
    np.testing.assert_allclose(predicted, here.predict(X), atol=1e-5)
    assert there.score(kind(X), centre + y) > 0.99


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lbfgs"])
@quiet
def test_stochastic_training_keeps_them_too(optimizer, far):
    X, y = far
    model = LinearSVMRegressor(
        C=10, loss="squared_epsilon_insensitive", optimizer=optimizer, random_state=0,
        learning_rate=0.05 if optimizer == "adam" else "auto",
    ).fit(X, 1.6e9 + y)  # fmt: skip
    assert model.score(X, 1.6e9 + y) > 0.99
    assert model.coef_.dtype == model.intercept_.dtype == np.float64


@quiet
def test_batches_keep_them_too(far):
    X, y = far
    model = LinearSVMRegressor(C=10, optimizer="sgd", random_state=0)
    for _ in range(100):
        model.partial_fit(X, 2e7 + y)
    assert model.score(X, 2e7 + y) > 0.9


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("multi_class", ["ovr", "crammer_singer"])
@pytest.mark.parametrize("classes", [2, 3])
@each_kind
def test_features_far_from_zero_decide_as_in_float64(kind, loss, multi_class, classes):
    if (multi_class, loss) == ("crammer_singer", "squared_hinge"):
        pytest.skip("not defined")
    X, y = make_classification(
        150, 4, n_informative=3, n_redundant=0, n_classes=classes,
        n_clusters_per_class=1, flip_y=0.1, random_state=0,
    )  # fmt: skip
    X = (X + 1e6 * (kind is np.asarray)).astype(np.float32)
    options = {"loss": loss, "multi_class": multi_class}
    narrow = LinearSVM(**options).fit(kind(X), y)
    wide = LinearSVM(**options).fit(kind(X.astype(np.float64)), y)
    scores = narrow.decision_function(kind(X)), wide.decision_function(X.astype(float))
    np.testing.assert_allclose(*scores, atol=1e-8)


# --- certificates ---------------------------------------------------------------------


def test_a_certificate_is_of_the_outputs(far):
    """Targets so far away that double precision rounds what is left of them, too."""
    X, y = far
    y = 1e14 + y  # to the next 1/64
    model = LinearSVMRegressor(C=1.0, tol=1e-2).fit(X, y)
    reached = model.coef_ @ model.coef_ / 2 + np.abs(y - model.predict(X)).sum()
    assert model.objective_ == pytest.approx(reached, rel=1e-12)


def test_the_certificate_of_a_classifier_is_of_its_outputs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = (X[:, 0] + 0.5 * rng.normal(size=200) > 0).astype(int)
    X += 1e14  # to the next 1/64
    for loss, power in (("hinge", 1), ("squared_hinge", 2)):
        with pytest.warns(match="duality gap"):
            model = LinearSVM(loss=loss).fit(X, y)
        errors = np.maximum(1 - (2 * y - 1) * model.decision_function(X), 0)
        reached = float(model.coef_[0] @ model.coef_[0]) / 2 + np.sum(errors**power)
        assert model.objective_ == pytest.approx(reached, rel=1e-12)
        assert model.duality_gap_ > 1e-6


@pytest.mark.parametrize("optimizer", ["auto", "adam"])
@quiet
def test_two_classes_of_crammer_and_singer_have_their_own_penalty(optimizer):
    X, y = make_classification(100, 4, random_state=0)
    model = LinearSVM(multi_class="crammer_singer", optimizer=optimizer, random_state=0)
    model.fit(X, y)
    errors = np.maximum(1 - (2 * y - 1) * model.decision_function(X), 0)
    expected = float(model.coef_[0] @ model.coef_[0]) / 4 + errors.sum()
    assert model.objective_ == pytest.approx(expected, rel=1e-9)


# --- threads --------------------------------------------------------------------------


def blas_has_threads():
    with threadpool_limits(2):
        return any(
            library["num_threads"] > 1
            for library in threadpool_info()
            if library["user_api"] == "blas"
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_outputs", [1, 5])
@pytest.mark.parametrize("shape", [(1, 30_000), (20_000, 37), (300, 2_000), (3, 5)])
@each_kind
def test_no_number_of_threads_changes_a_bit(kind, shape, n_outputs, dtype):
    if not blas_has_threads():
        pytest.skip("the BLAS has one thread")
    rng = np.random.default_rng(0)
    X = kind(rng.normal(size=shape).astype(dtype))
    coef, intercept = rng.normal(size=(n_outputs, shape[1])), rng.normal(size=n_outputs)
    outputs = []
    for n_threads in (1, 2, 3, 4):
        with threadpool_limits(n_threads):
            outputs.append(linear_outputs(X, coef, intercept))
    for other in outputs[1:]:
        np.testing.assert_array_equal(other, outputs[0])
    expected = X.astype(np.float64) @ coef.T + intercept
    np.testing.assert_allclose(outputs[0], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("cls", [LinearSVM, LinearSVMRegressor])
@quiet
def test_predictions_are_the_same_on_any_number_of_threads(cls):
    if not blas_has_threads():
        pytest.skip("the BLAS has one thread")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2_000, 300))
    model = cls(max_iter=2).fit(X, rng.integers(0, 3, len(X)))
    method = getattr(model, "decision_function", model.predict)
    outputs = []
    for n_threads in (1, 2, 4):
        with threadpool_limits(n_threads):
            outputs.append(method(X))
    np.testing.assert_array_equal(outputs[1], outputs[0])
    np.testing.assert_array_equal(outputs[2], outputs[0])
