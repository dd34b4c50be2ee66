"""Regression losses agree with scikit-learn's metrics, SciPy and their formulas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import huber, kl_div
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
)

from skdeep.losses import (
    AbsoluteError,
    Huber,
    LogCosh,
    Poisson,
    Quantile,
    SquaredError,
    Tweedie,
)

pytestmark = pytest.mark.tiny

dtypes = st.sampled_from([np.float32, np.float64])
rows = st.integers(1, 9)
outputs = st.integers(1, 4)
seeds = st.integers(0, 2**32 - 1)
property_test = settings(max_examples=40, deadline=None)


def draw(n, n_outputs, seed, dtype=np.float64):
    """Targets and outputs."""
    target, z = np.random.default_rng(seed).normal(scale=2, size=(2, n, n_outputs))
    return target.astype(dtype), z.astype(dtype)


def assert_close(actual, expected):
    tolerance = 1e-4 if np.asarray(actual).dtype == np.float32 else 1e-12
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


@property_test
@given(rows, outputs, dtypes, seeds)
def test_squared_error_is_half_of_scikit_learns(n, n_outputs, dtype, seed):
    target, z = draw(n, n_outputs, seed, dtype)
    expected = mean_squared_error(target, z) / 2
    assert_close(np.mean(SquaredError().value(target, z)), expected)


@property_test
@given(rows, outputs, dtypes, seeds)
def test_absolute_error_equals_scikit_learns(n, n_outputs, dtype, seed):
    target, z = draw(n, n_outputs, seed, dtype)
    expected = mean_absolute_error(target, z)
    assert_close(np.mean(AbsoluteError().value(target, z)), expected)


@property_test
@given(rows, outputs, dtypes, seeds, st.sampled_from([0.05, 0.5, 0.9]))
def test_quantile_loss_equals_scikit_learns_pinball_loss(
    n, n_outputs, dtype, seed, quantile
):
    target, z = draw(n, n_outputs, seed, dtype)
    expected = mean_pinball_loss(target, z, alpha=quantile)
    assert_close(np.mean(Quantile(quantile).value(target, z)), expected)


@property_test
@given(rows, outputs, dtypes, seeds)
def test_poisson_loss_is_half_of_scikit_learns_deviance(n, n_outputs, dtype, seed):
    _, z = draw(n, n_outputs, seed, dtype)
    target = np.random.default_rng(seed).poisson(2, size=z.shape).astype(dtype)
    mean = np.exp(z.astype(float))
    expected = mean_poisson_deviance(target.ravel(), mean.ravel()) / 2
    actual = np.mean(Poisson().value(target, z))
    # kl_div(y, m) = y log(y / m) - y + m is the same for each entry
    assert_close(actual, expected)
    assert_close(Poisson().value(target, z), kl_div(target, mean).mean(axis=1))


@property_test
@given(rows, outputs, dtypes, seeds, st.sampled_from([0.1, 1.0, 1.5]))
def test_huber_loss_equals_scipys(n, n_outputs, dtype, seed, delta):
    target, z = draw(n, n_outputs, seed, dtype)
    expected = huber(delta, (z - target).astype(float)).mean(axis=1)
    assert_close(Huber(delta).value(target, z), expected)


@property_test
@given(rows, outputs, dtypes, seeds)
def test_log_cosh_equals_its_formula(n, n_outputs, dtype, seed):
    target, z = draw(n, n_outputs, seed, dtype)
    expected = [[math.log(math.cosh(e)) for e in row] for row in (z - target).astype(float)]
    assert_close(LogCosh().value(target, z), np.mean(expected, axis=1))


def test_log_cosh_of_a_large_error_is_its_size_less_log_two():
    values = LogCosh().value(np.array([[0.0]]), np.array([[-1000.0]]))
    np.testing.assert_allclose(values, [1000 - math.log(2)], rtol=1e-15)


def test_huber_gradient_is_cut_at_delta():
    target, z = np.zeros((4, 1)), np.array([[-5.0], [-0.5], [0.5], [5.0]])
    np.testing.assert_allclose(
        Huber(2.0).gradient(target, z), [[-2], [-0.5], [0.5], [2]], rtol=1e-15
    )


def test_quantile_gradient_depends_on_the_side_alone():
    target, z = np.zeros((2, 1)), np.array([[-3.0], [7.0]])
    np.testing.assert_allclose(
        Quantile(0.9).gradient(target, z), [[-0.9], [0.1]], rtol=1e-14
    )


@pytest.mark.parametrize(
    "loss", [AbsoluteError(), Huber(), LogCosh(), SquaredError()], ids=repr
)
def test_errors_of_both_signs_cost_alike(loss):
    target, z = draw(7, 2, 0)
    above, below = loss.value(target, target + z), loss.value(target, target - z)
    np.testing.assert_allclose(above, below, rtol=1e-12)


@pytest.mark.parametrize(
    "loss",
    [AbsoluteError(), Huber(), LogCosh(), Quantile(0.3), SquaredError()],
    ids=repr,
)
def test_a_perfect_prediction_costs_nothing(loss):
    target, _ = draw(7, 2, 0)
    np.testing.assert_allclose(loss.value(target, target), 0, atol=1e-15)


def test_poisson_predicts_the_exponential_of_the_output():
    z = np.array([[0.0], [1.5]])
    np.testing.assert_allclose(Poisson().inverse_link(z), np.exp(z), rtol=1e-15)
    np.testing.assert_allclose(Poisson().value(np.exp(z), z), 0, atol=1e-14)


def test_poisson_takes_a_target_of_zero():
    values = Poisson().value(np.array([[0.0]]), np.array([[0.7]]))
    np.testing.assert_allclose(values, np.exp(0.7), rtol=1e-14)


def test_poisson_refuses_negative_targets():
    with pytest.raises(ValueError, match=r"poisson.*needs targets y >= 0"):
        Poisson().check_target(np.array([[1.0], [-0.5]]))


@pytest.mark.parametrize("loss", [Poisson(), Tweedie()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_of_a_logarithmic_link_are_finite(loss, dtype):
    z = np.array([-1e30, 0.5, 80.0, 1e6, np.finfo(dtype).max], dtype)
    y = loss.inverse_link(z)
    assert y.dtype == dtype and np.isfinite(y).all()
    np.testing.assert_allclose(y[:3], np.exp(z[:3]), rtol=1e-6)
