"""What MLPClassifier learns and predicts."""

import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, make_multilabel_classification
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from skdeep import MLPClassifier
from skdeep.losses import CLASSIFICATION_LOSSES, Focal, Loss
from skdeep.optimizers import SGD

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def labels():
    return make_multilabel_classification(400, n_classes=4, random_state=0)


def manual_logits(model, X):
    """A forward pass written out from coefs_ and intercepts_."""
    for coef, intercept in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        X = np.maximum(X @ coef + intercept, 0)
    return X @ model.coefs_[-1] + model.intercepts_[-1]


def test_probabilities_of_many_classes_are_the_softmax_of_the_logits(digits):
    X, y = digits
    model = MLPClassifier((20, 10), max_iter=5, random_state=0).fit(X, y)
    assert_allclose(model.decision_function(X), manual_logits(model, X), rtol=1e-10)
    assert_allclose(model.predict_proba(X), softmax(manual_logits(model, X), axis=1))
    assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)))
    assert_array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))


def test_two_classes_share_one_logit(cancer):
    X, y = cancer
    names = np.array(["malignant", "benign"])[y]
    model = MLPClassifier(max_iter=20, random_state=0).fit(X, names)
    assert model.coefs_[-1].shape == (100, 1)
    assert_allclose(model.predict_proba(X)[:, 1], expit(model.decision_function(X)))
    assert_array_equal(
        model.predict(X), model.classes_[(model.decision_function(X) > 0) * 1]
    )
    assert model.score(X, names) > 0.95


def test_labels_are_predicted_independently(labels):
    X, y = labels
    X = StandardScaler().fit_transform(X)
    model = MLPClassifier(max_iter=100, random_state=0).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    majority = np.mean((y.mean(axis=0) > 0.5) == y)
    assert np.mean(model.predict(X) == y) > majority + 0.15
    assert_array_equal(model.classes_, np.arange(4))


def test_sparse_label_matrices_are_taken(labels):
    X, y = labels
    dense = MLPClassifier(max_iter=5, random_state=0).fit(X, y)
    sparse = MLPClassifier(max_iter=5, random_state=0).fit(X, csr_array(y))
    assert_array_equal(dense.predict_proba(X), sparse.predict_proba(X))


@pytest.mark.parametrize("loss", sorted(CLASSIFICATION_LOSSES))
def test_every_loss_learns_many_classes(digits, loss):
    X, y = digits
    model = MLPClassifier(loss=loss, learning_rate=0.005, max_iter=30, random_state=0)
    assert model.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.9


@pytest.mark.parametrize("loss", sorted(CLASSIFICATION_LOSSES))
def test_every_loss_learns_two_classes(cancer, loss):
    X, y = cancer
    model = MLPClassifier(loss=loss, max_iter=50, random_state=0).fit(X[:400], y[:400])
    assert model.score(X[400:], y[400:]) > 0.93
    assert_array_equal(model.predict(X), model.decision_function(X) > 0)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_losses_without_probabilities_have_no_predict_proba(loss):
    model = MLPClassifier(loss=loss)
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "predict_log_proba")
    with pytest.raises(AttributeError, match="predict_proba"):
        _ = model.predict_proba


def test_soft_targets_are_matched_by_the_probabilities():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 3))
    y = softmax(X @ rng.normal(size=(3, 4)), axis=1)
    model = MLPClassifier(
        (), loss="kl_divergence", optimizer="lbfgs", weight_decay=0, tol=1e-8
    ).fit(X, y)
    assert_allclose(model.predict_proba(X), y, atol=1e-4)
    assert model.loss_ < 1e-6
    assert model.score(X, y) > 0.99


def test_kl_divergence_of_classes_is_the_cross_entropy(digits):
    X, y = digits
    options = dict(max_iter=3, random_state=0)
    one = MLPClassifier(loss="kl_divergence", **options).fit(X, y)
    other = MLPClassifier(loss="cross_entropy", **options).fit(X, y)
    assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-9)


def test_focal_loss_with_gamma_zero_is_the_cross_entropy(digits):
    X, y = digits
    options = dict(max_iter=3, random_state=0)
    one = MLPClassifier(loss=Focal(gamma=0.0), **options).fit(X, y)
    other = MLPClassifier(**options).fit(X, y)
    assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-8)


class PlainCrossEntropy(Loss):
    """What a user would write for many classes."""

    probabilistic = True

    def value(self, target, z):
        return -np.sum(target * np.log(softmax(z, axis=1)), axis=1)

    def gradient(self, target, z):
        return softmax(z, axis=1) - target

    def inverse_link(self, z):
        return softmax(z, axis=1)


def test_a_users_loss_works_as_a_built_in_one_does(digits):
    X, y = digits
    options = dict(
        batch_size=64, max_iter=3, dropout=0.2, early_stopping=True, random_state=0
    )
    own = MLPClassifier(loss=PlainCrossEntropy(), **options).fit(X, y)
    built_in = MLPClassifier(loss="cross_entropy", **options).fit(X, y)
    assert_allclose(own.predict_proba(X), built_in.predict_proba(X), rtol=1e-9)
    assert_allclose(own.validation_loss_curve_, built_in.validation_loss_curve_)
    assert clone(own).fit(X, y).score(X, y) == own.score(X, y)


def test_label_smoothing_bounds_the_best_probability():
    X, y = np.eye(4), np.arange(4)
    model = MLPClassifier(
        (), label_smoothing=0.2, optimizer="lbfgs", weight_decay=0, tol=1e-9
    ).fit(X, y)
    expected = 0.8 * np.eye(4) + 0.05
    assert_allclose(model.predict_proba(X), expected, atol=1e-4)


def test_linear_model_without_hidden_layers_is_logistic_regression(cancer):
    from sklearn.linear_model import LogisticRegression

    X, y = cancer
    weight_decay = 0.01
    model = MLPClassifier(
        (), optimizer="lbfgs", weight_decay=weight_decay, tol=1e-9, max_iter=2000
    ).fit(X, y)
    oracle = LogisticRegression(C=1 / (weight_decay * len(X)), tol=1e-10, max_iter=5000)
    oracle.fit(X, y)
    assert_allclose(model.coefs_[0].ravel(), oracle.coef_.ravel(), atol=1e-5)
    assert_allclose(model.intercepts_[0], oracle.intercept_, atol=1e-5)


def test_loss_is_the_mean_loss_plus_the_penalty(digits):
    X, y = digits
    model = MLPClassifier(
        optimizer="lbfgs", max_iter=10, weight_decay=0.1, random_state=0
    ).fit(X, y)
    penalty = 0.05 * sum((coef**2).sum() for coef in model.coefs_)
    assert_allclose(model.loss_, log_loss(y, model.predict_proba(X)) + penalty, rtol=1e-9)


def test_fitted_attributes_describe_the_network(digits):
    X, y = digits
    model = MLPClassifier((30, 20), max_iter=4, random_state=0).fit(X, y)
    assert [coef.shape for coef in model.coefs_] == [(64, 30), (30, 20), (20, 10)]
    assert [bias.shape for bias in model.intercepts_] == [(30,), (20,), (10,)]
    assert model.n_parameters_ == 64 * 30 + 30 + 30 * 20 + 20 + 20 * 10 + 10
    assert model.n_features_in_ == 64
    assert model.n_iter_ == 4 and len(model.loss_curve_) == 4
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.best_iter_ == 1 + np.argmin(model.loss_curve_)
    assert model.validation_scores_ is None
    assert set(model.history_) == {"loss", "learning_rate"}


def test_another_array_in_the_place_of_weights_is_refused(digits):
    X, y = digits[0], digits[1]
    model = MLPClassifier((5,), max_iter=1, random_state=0).fit(X, y)
    for arrays in (model.coefs_, model.intercepts_):
        with pytest.raises(TypeError, match="does not support item assignment"):
            arrays[0] = np.zeros_like(arrays[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_are_set_by_writing_into_them(digits, dtype):
    X, y = digits[0].astype(dtype), digits[1]
    options = dict(max_iter=2, warm_start=True, random_state=0)
    model, other = (MLPClassifier((8,), **options).fit(X, y) for _ in range(2))
    model.predict(X), model.predict(X[:1])  # compiled forward passes are kept
    rng = np.random.default_rng(0)
    for array in (*model.coefs_, *model.intercepts_):
        array[...] = rng.normal(0, 0.1, size=array.shape)
    logits = manual_logits(model, X)
    for n in (1, 20, len(X)):
        expected = softmax(logits[:n], axis=1)
        assert_allclose(model.predict_proba(X[:n]), expected, atol=1e-4)
        assert_allclose(model.predict_proba(csr_array(X[:n])), expected, atol=1e-4)
    # copies have them, and training goes on from them
    assert_array_equal(pickle.loads(pickle.dumps(model)).coefs_[0], model.coefs_[0])
    before = model.coefs_[0].copy()
    model.set_params(learning_rate=1e-9).fit(X, y)
    assert_allclose(model.coefs_[0], before, atol=1e-6)
    assert not np.allclose(other.coefs_[0], before, atol=1e-2)


def test_weights_in_read_only_memory_say_so_and_can_be_made_writeable(digits, tmp_path):
    X, y = digits[0], digits[1]
    joblib.dump(MLPClassifier((8,), max_iter=2, random_state=0).fit(X, y), tmp_path / "m")
    model = joblib.load(tmp_path / "m", mmap_mode="r")
    with pytest.raises(ValueError, match="read-only"):
        model.coefs_[0][...] = 0.0
    model.network_ = model.network_.copy()
    model.coefs_[0][...] = 0.0
    assert_allclose(model.predict_proba(X), model.predict_proba(0 * X))


def test_what_was_recorded_is_a_copy(digits):
    X, y = digits[0], digits[1]
    model = MLPClassifier((8,), max_iter=2, random_state=0).fit(X, y)
    curve = list(model.loss_curve_)
    model.loss_curve_.append(0.0)
    model.history_["loss"][:] = 0.0
    model.history_["learning_rate"][:] = 0.0
    assert model.loss_curve_ == curve
    assert model.history_["learning_rate"].all()


def test_batch_norm_replaces_the_bias_by_a_shift(digits):
    X, y = digits
    model = MLPClassifier((30, 20), batch_norm=True, max_iter=20, random_state=0).fit(X, y)
    assert [bias.shape for bias in model.intercepts_] == [(30,), (20,), (10,)]
    assert model.n_parameters_ == 64 * 30 + 60 + 30 * 20 + 40 + 20 * 10 + 10
    assert model.score(X, y) > 0.9


def test_summary_counts_parameters_and_memory(digits):
    X, y = digits
    model = MLPClassifier((30,), max_iter=1, random_state=0).fit(X, y)
    summary = model.network_.summary()
    for text in ("dense_1", "Dense", "(30,)", "1,950", "2,260 parameters (float64)"):
        assert text in summary


def test_describe_lists_the_calls_of_a_step_with_shapes(digits):
    X, y = digits
    model = MLPClassifier((30,), max_iter=1, batch_size=64, random_state=0).fit(X, y)
    lines = model.network_.describe().splitlines()
    calls = [line.split(". ")[1].split("(")[0] for line in lines]
    order = ["gather_rows", "dense_forward", "relu_forward", "softmax_cross_entropy"]
    order += ["dense_backward_kernel", "relu_backward", "adam_step"]
    positions = [calls.index(name) for name in order]
    assert positions == sorted(positions)
    assert "dense_1.kernel[64x30]" in model.network_.describe()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_type_of_the_training_data(digits, dtype):
    X, y = digits
    model = MLPClassifier(max_iter=3, batch_norm=True, dropout=0.1, random_state=0)
    model.fit(X.astype(dtype), y)
    assert all(array.dtype == dtype for array in model.coefs_ + model.intercepts_)
    assert model.predict_proba(X.astype(dtype)).dtype == dtype
    assert model.decision_function(X.astype(dtype)).dtype == dtype


def test_float32_and_float64_learn_the_same(digits):
    X, y = digits
    options = dict(max_iter=5, dropout=0.2, random_state=0)
    single = MLPClassifier(**options).fit(X.astype(np.float32), y)
    double = MLPClassifier(**options).fit(X, y)
    assert_allclose(single.predict_proba(X), double.predict_proba(X), atol=1e-3)


def test_sparse_and_dense_rows_learn_the_same(digits):
    X, y = digits
    for batch_size in (50, "full"):
        options = dict(max_iter=4, batch_size=batch_size, random_state=0)
        dense = MLPClassifier(**options).fit(X, y)
        sparse = MLPClassifier(**options).fit(csr_array(X), y)
        assert_allclose(
            sparse.predict_proba(csr_array(X)), dense.predict_proba(X), rtol=1e-8
        )


def test_sparse_rows_take_input_dropout(digits):
    X, y = digits
    model = MLPClassifier(input_dropout=0.3, max_iter=30, random_state=0)
    assert model.fit(csr_array(X), y).score(csr_array(X), y) > 0.9


def test_stochastic_mini_batch_and_batch_descent_take_their_number_of_steps(digits):
    X, y = digits
    steps = {}
    for batch_size in (1, 100, "full"):
        model = MLPClassifier((), batch_size=batch_size, max_iter=2, random_state=0)
        model.fit(X[:250], y[:250])
        steps[batch_size] = model._training_state.step
    assert steps == {1: 500, 100: 6, "full": 2}


def test_one_batch_step_is_one_step_of_gradient_descent():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.integers(0, 3, 20)
    options = dict(optimizer=SGD(0.5), batch_size="full", weight_decay=0.1)
    model = MLPClassifier((), max_iter=1, random_state=0, **options).fit(X, y)
    start = MLPClassifier((), max_iter=1, learning_rate=1e-300, random_state=0).fit(X, y)
    w, b = start.coefs_[0], start.intercepts_[0]
    error = (softmax(X @ w + b, axis=1) - np.eye(3)[y]) / 20
    assert_allclose(model.coefs_[0], w - 0.5 * (X.T @ error + 0.1 * w), rtol=1e-12)
    assert_allclose(model.intercepts_[0], b - 0.5 * error.sum(axis=0), rtol=1e-12)


def test_mnist_is_learned(mnist):
    X, y = mnist
    model = MLPClassifier(max_iter=15, random_state=0).fit(X[:4000], y[:4000])
    assert model.score(X[4000:], y[4000:]) > 0.92
