"""Classification losses agree with scikit-learn, SciPy and their published formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, log_expit, log_softmax, rel_entr, softmax
from sklearn.metrics import hinge_loss, log_loss

from skdeep import losses
from skdeep.losses import CrossEntropy, Focal, Hinge, KLDivergence, SquaredHinge

pytestmark = pytest.mark.tiny

dtypes = st.sampled_from([np.float32, np.float64])
rows = st.integers(1, 9)
classes = st.integers(2, 6)
seeds = st.integers(0, 2**32 - 1)
property_test = settings(max_examples=40, deadline=None)


def draw(n, n_outputs, seed, dtype=np.float64):
    """Logits and the number of each row's class."""
    generator = np.random.default_rng(seed)
    z = generator.normal(scale=3, size=(n, n_outputs)).astype(dtype)
    return z, generator.integers(max(n_outputs, 2), size=n)


def one_hot(y, n_classes, dtype=np.float64):
    return np.eye(n_classes, dtype=dtype)[y]


def assert_close(actual, expected):
    tolerance = 1e-4 if np.asarray(actual).dtype == np.float32 else 1e-11
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


# --- cross entropy ----------------------------------------------------------------


@property_test
@given(rows, classes, dtypes, seeds)
def test_cross_entropy_of_many_classes_equals_log_softmax(n, k, dtype, seed):
    z, y = draw(n, k, seed, dtype)
    values = CrossEntropy().resolve("multiclass").value(one_hot(y, k, dtype), z)
    assert_close(values, -log_softmax(z.astype(float), axis=1)[np.arange(n), y])


@property_test
@given(rows, classes, seeds)
def test_mean_cross_entropy_equals_log_loss_of_scikit_learn(n, k, seed):
    z, y = draw(n, k, seed)
    loss = CrossEntropy().resolve("multiclass")
    expected = log_loss(y, loss.inverse_link(z), labels=range(k))
    assert_close(np.mean(loss.value(one_hot(y, k), z)), expected)


@property_test
@given(rows, dtypes, seeds)
def test_cross_entropy_of_two_classes_equals_log_expit(n, dtype, seed):
    z, y = draw(n, 1, seed, dtype)
    target = y[:, np.newaxis].astype(dtype)
    sign = 2 * target - 1
    values = CrossEntropy().resolve("binary").value(target, z)
    assert_close(values, -log_expit((sign * z).astype(float))[:, 0])


def test_one_output_for_two_classes_equals_two_outputs():
    z, y = draw(9, 1, 0)
    one = CrossEntropy().resolve("binary").value(y[:, np.newaxis].astype(float), z)
    both = np.hstack((np.zeros_like(z), z))
    two = CrossEntropy().resolve("multiclass").value(one_hot(y, 2), both)
    np.testing.assert_allclose(one, two, rtol=1e-12)


def test_cross_entropy_of_labels_is_the_mean_over_them():
    generator = np.random.default_rng(0)
    z = generator.normal(size=(7, 3))
    target = generator.integers(2, size=(7, 3)).astype(float)
    together = CrossEntropy().resolve("multilabel-indicator").value(target, z)
    binary = CrossEntropy().resolve("binary")
    each = [binary.value(target[:, [j]], z[:, [j]]) for j in range(3)]
    np.testing.assert_allclose(together, np.mean(each, axis=0), rtol=1e-14)


@property_test
@given(rows, classes, seeds)
def test_cross_entropy_takes_targets_that_are_distributions(n, k, seed):
    z, _ = draw(n, k, seed)
    target = softmax(np.random.default_rng(seed).normal(size=(n, k)), axis=1)
    values = CrossEntropy().resolve("multiclass").value(target, z)
    assert_close(values, -np.sum(target * log_softmax(z, axis=1), axis=1))


def test_cross_entropy_of_large_logits_is_their_difference():
    z = np.array([[1000.0, -1000.0]])
    values = CrossEntropy().resolve("multiclass").value(np.array([[0.0, 1.0]]), z)
    np.testing.assert_array_equal(values, [2000.0])


# --- Kullback-Leibler divergence --------------------------------------------------


@property_test
@given(rows, classes, dtypes, seeds)
def test_divergence_equals_relative_entropy_of_scipy(n, k, dtype, seed):
    z, _ = draw(n, k, seed, dtype)
    target = softmax(np.random.default_rng(seed).normal(size=(n, k)), axis=1).astype(dtype)
    expected = rel_entr(target.astype(float), softmax(z.astype(float), axis=1)).sum(axis=1)
    assert_close(KLDivergence().value(target, z), expected)


def test_divergence_from_classes_equals_the_cross_entropy():
    z, y = draw(9, 4, 0)
    target = one_hot(y, 4)
    expected = CrossEntropy().resolve("multiclass").value(target, z)
    np.testing.assert_allclose(KLDivergence().value(target, z), expected, rtol=1e-14)


# --- focal loss -------------------------------------------------------------------


@property_test
@given(rows, classes, dtypes, seeds, st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]))
def test_focal_loss_of_many_classes_equals_its_formula(n, k, dtype, seed, gamma):
    z, y = draw(n, k, seed, dtype)
    values = Focal(gamma).resolve("multiclass").value(one_hot(y, k, dtype), z)
    p = softmax(z.astype(float), axis=1)[np.arange(n), y]
    assert_close(values, -((1 - p) ** gamma) * np.log(p))


@property_test
@given(rows, dtypes, seeds, st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]))
def test_focal_loss_of_two_classes_equals_its_formula(n, dtype, seed, gamma):
    z, y = draw(n, 1, seed, dtype)
    target = y[:, np.newaxis].astype(dtype)
    values = Focal(gamma).resolve("binary").value(target, z)
    p = expit(z[:, 0].astype(float))
    p = np.where(y == 1, p, 1 - p)
    assert_close(values, -((1 - p) ** gamma) * np.log(p))


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel-indicator"])
def test_focal_loss_with_gamma_zero_is_cross_entropy(kind):
    z, y = draw(9, 1 if kind == "binary" else 4, 0)
    target = y[:, np.newaxis].astype(float) if kind == "binary" else one_hot(y, 4)
    focal, plain = Focal(0.0).resolve(kind), CrossEntropy().resolve(kind)
    np.testing.assert_allclose(focal.value(target, z), plain.value(target, z), rtol=1e-12)
    np.testing.assert_allclose(
        focal.gradient(target, z), plain.gradient(target, z), rtol=1e-12
    )


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("logit", [5.0, 17.0, 40.0, 100.0, 750.0])
def test_focal_gradient_vanishes_for_sure_and_right_rows(kind, dtype, logit):
    """With gamma < 1 the derivative of (1 - p)^gamma alone is infinite at p = 1."""
    z = np.array([[logit]] if kind == "binary" else [[logit, 0.0]], dtype)
    target = np.array([[1.0]] if kind == "binary" else [[1.0, 0.0]], dtype)
    loss = Focal(0.5).resolve(kind)
    assert 0 <= loss.value(target, z)[0] <= np.exp(-logit)
    assert np.abs(loss.gradient(target, z)).max() <= 2 * np.exp(-logit)


# --- hinge losses -----------------------------------------------------------------


@property_test
@given(st.integers(2, 9), dtypes, seeds)
def test_mean_hinge_loss_equals_that_of_scikit_learn(n, dtype, seed):
    z, y = draw(n, 1, seed, dtype)
    y[:2] = 0, 1  # scikit-learn's metric wants both classes
    values = Hinge().value(y[:, np.newaxis].astype(dtype), z)
    expected = hinge_loss(y, z[:, 0])
    assert_close(np.mean(values), expected)


@property_test
@given(rows, st.integers(1, 5), dtypes, seeds)
def test_hinge_losses_are_means_over_one_machine_for_each_output(n, k, dtype, seed):
    z, _ = draw(n, k, seed, dtype)
    target = np.random.default_rng(seed).integers(2, size=(n, k)).astype(dtype)
    margin = np.maximum(0, 1 - np.where(target == 1, z, -z))
    assert_close(Hinge().value(target, z), margin.mean(axis=1))
    assert_close(SquaredHinge().value(target, z), (margin**2).mean(axis=1))


def test_hinge_gradient_is_zero_beyond_the_margin():
    target = np.array([[1.0], [1.0], [0.0], [0.0]])
    z = np.array([[1.5], [0.5], [-1.5], [0.5]])
    np.testing.assert_array_equal(Hinge().gradient(target, z), [[0], [-1], [0], [1]])


# --- predictions and targets ------------------------------------------------------


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "kl_divergence"])
def test_inverse_link_of_many_classes_gives_distributions(name):
    z, _ = draw(9, 4, 0)
    loss = losses.CLASSIFICATION_LOSSES[name].resolve("multiclass")
    np.testing.assert_allclose(loss.inverse_link(z), softmax(z, axis=1), rtol=1e-13)


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
@pytest.mark.parametrize("kind", ["binary", "multilabel-indicator"])
def test_inverse_link_of_two_classes_and_labels_is_logistic(name, kind):
    z, _ = draw(9, 4, 0)
    loss = losses.CLASSIFICATION_LOSSES[name].resolve(kind)
    np.testing.assert_allclose(loss.inverse_link(z), expit(z), rtol=1e-13)


def test_label_smoothing_mixes_the_target_with_the_uniform_distribution():
    target = one_hot(np.array([2, 0]), 4)
    smoothed = losses.smooth(target, 0.1)
    np.testing.assert_allclose(smoothed, 0.9 * target + 0.1 / 4, rtol=1e-15)
    np.testing.assert_allclose(smoothed.sum(axis=1), 1, rtol=1e-15)


def test_label_smoothing_of_two_classes_moves_both_towards_a_half():
    smoothed = losses.smooth(np.array([[0.0], [1.0]]), 0.1)
    np.testing.assert_allclose(smoothed, [[0.05], [0.95]], rtol=1e-15)
