"""Weights of models, temperatures and intervals, against plain loops and statistics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skdeep.estimators.blending import (
    cross_entropies,
    select,
    squared_errors,
    temperature,
    with_temperature,
)
from skdeep.estimators.prediction_interval import cross_validation_plus


def _problem(seed, n=60, n_models=4):
    generator = np.random.default_rng(seed)
    y = generator.normal(size=(n, 1))
    spread = generator.uniform(0.1, 1.5, n_models)
    models = [y + s * generator.normal(size=(n, 1)) for s in spread]
    return y, models, generator.uniform(0.5, 2.0, n)


def _cost(y, models, weight, weights):
    blended = sum(w * m for w, m in zip(weights, models, strict=True))
    return weight @ squared_errors(y, blended)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_selected_weights_are_shares_and_no_worse_than_the_first_ensemble(seed):
    y, models, weight = _problem(seed)
    first = [1, 1, 0, 0]
    weights = select(lambda p: squared_errors(y, p), models, weight, first)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(), 1.0)
    before = _cost(y, models, weight, np.array(first) / 2)
    assert _cost(y, models, weight, weights) <= before + 1e-9


def test_selection_follows_a_loop_over_all_choices():
    y, models, weight = _problem(3)
    chosen, best = [0], (np.inf, None)
    for _ in range(11):
        mean = np.mean([models[k] for k in chosen], axis=0)
        cost = weight @ squared_errors(y, mean)
        if cost < best[0]:
            best = cost, np.bincount(chosen, minlength=4) / len(chosen)
        costs = [
            weight @ squared_errors(y, np.mean([models[j] for j in [*chosen, k]], axis=0))
            for k in range(4)
        ]
        chosen.append(int(np.argmin(costs)))
    found = select(lambda p: squared_errors(y, p), models, weight, [1, 0, 0, 0])
    np.testing.assert_allclose(found, best[1])


def test_a_model_of_the_first_ensemble_keeps_a_share():
    y, _, weight = _problem(0)
    models = [y + 100.0, y]
    weights = select(lambda p: squared_errors(y, p), models, weight, [1, 0])
    np.testing.assert_allclose(weights, [1 / 11, 10 / 11])


def test_cross_entropy_of_a_row_is_minus_the_logarithm_of_its_class():
    p = np.array([[0.2, 0.8], [1.0, 0.0]])
    np.testing.assert_allclose(cross_entropies(np.array([1, 0]), p), [-np.log(0.8), 0.0])
    assert np.isfinite(cross_entropies(np.array([1, 1]), p)).all()


@pytest.mark.parametrize("true_temperature", [0.7, 1.6, 3.0])
def test_temperature_is_found_again(true_temperature):
    generator = np.random.default_rng(0)
    logits = 2 * generator.normal(size=(40_000, 3))
    right = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    codes = (right.cumsum(axis=1) < generator.random((len(right), 1))).sum(axis=1)
    told = with_temperature(right, 1 / true_temperature)  # too sure where above 1
    found = temperature(codes, told, np.ones(len(codes)))
    np.testing.assert_allclose(found, true_temperature, rtol=0.05)
    np.testing.assert_allclose(with_temperature(told, true_temperature), right, rtol=1e-6)


def test_temperature_stays_within_limits_where_all_rows_are_right():
    codes = np.array([0, 1] * 20)
    p = np.where(codes[:, None] == np.arange(2), 0.9, 0.1)
    assert temperature(codes, p, np.ones(40)) >= 0.5 - 1e-4
    assert temperature(1 - codes, p, np.ones(40)) <= 5 + 1e-4


@given(
    n=st.integers(1, 30),
    n_folds=st.integers(1, 4),
    n_new=st.integers(0, 5),
    level=st.sampled_from([0.5, 0.8, 0.9, 0.99]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_intervals_are_those_of_the_definition(n, n_folds, n_new, level, seed):
    generator = np.random.default_rng(seed)
    predictions = generator.normal(size=(n_folds, n_new))
    fold = generator.integers(n_folds, size=n)
    residuals = np.abs(generator.normal(size=n))
    found = cross_validation_plus(predictions, fold, residuals, level)
    assert found.shape == (n_new, 2)
    k_low = int(np.floor(round((1 - level) * (n + 1), 9)))
    k_high = int(np.ceil(round(level * (n + 1), 9)))
    for j in range(n_new):
        low = sorted(predictions[fold[i], j] - residuals[i] for i in range(n))
        high = sorted(predictions[fold[i], j] + residuals[i] for i in range(n))
        expected = (
            low[k_low - 1] if k_low >= 1 else -np.inf,
            high[k_high - 1] if k_high <= n else np.inf,
        )
        np.testing.assert_allclose(found[j], expected)
