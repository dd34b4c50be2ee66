"""Sparse rows of many more columns than rows, as of counted words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone

from skdeep import LinearSVM, LinearSVMRegressor
from skdeep.svm.solvers.preparation import prepare


@st.composite
def wide_counts(draw):
    """Counts of words, many of them in one row; empty and equal rows, stored zeros."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(4, 30))
    d = draw(st.integers(n + 1, 400))
    entries = draw(st.integers(1, 20))
    share = np.arange(1.0, d + 1) ** -draw(st.sampled_from([0.0, 1.0, 2.0]))
    columns = generator.choice(d, n * entries, p=share / share.sum())
    rows = np.repeat(np.arange(n), entries)
    X = csr_array((np.ones(n * entries), (rows, columns)), shape=(n, d)).toarray()
    if draw(st.booleans()):
        X *= generator.normal(size=d)
    X[draw(st.lists(st.integers(0, n - 1), max_size=3))] = 0.0
    X[0] = X[-1]
    sparse = csr_array(X)
    zeros = generator.random(sparse.nnz) < draw(st.sampled_from([0.0, 0.3]))
    sparse.data[zeros] = 0.0
    return sparse


@settings(deadline=None)
@given(wide_counts())
def test_columns_that_one_row_has_are_turned_into_one_for_each_row(X):
    dense = X.toarray()
    prepared = prepare(X, np.ones(len(dense)), intercept=True)
    turned = prepared.X.toarray()

    uses = np.bincount(X.indices, minlength=X.shape[1])
    row = np.repeat(np.arange(len(dense)), np.diff(X.indptr))
    rows_with_own = np.unique(row[uses[X.indices] == 1])
    assert turned.shape[1] == np.count_nonzero(uses > 1) + len(rows_with_own)
    np.testing.assert_allclose(turned @ turned.T, dense @ dense.T, rtol=1e-12, atol=1e-12)

    # any coefficients of the turned columns predict the same from the original ones
    w = np.random.default_rng(0).normal(size=turned.shape[1])
    restored, b = prepared.restore(w, 0.5)
    assert b == 0.5
    np.testing.assert_allclose(dense @ restored, turned @ w, rtol=1e-10, atol=1e-10)


def assert_same_optimum(estimator, X, y, weight):
    """Sparse and dense rows, which are prepared in other ways, give the same solution."""
    estimator.set_params(tol=1e-10)
    sparse, dense = (clone(estimator).fit(x, y, weight) for x in (X, X.toarray()))
    np.testing.assert_allclose(sparse.objective_, dense.objective_, rtol=1e-9, atol=1e-12)
    assert np.max(sparse.duality_gap_) <= 1e-10
    # ||w||^2 / 2 curves the objective: a gap bounds how far w is from the optimum
    far = np.sqrt(2 * 1e-10 * np.max(dense.objective_))
    np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=0, atol=2 * far + 1e-12)
    # words that no row has say nothing
    absent = X.toarray().any(axis=0) == 0
    assert not np.any(np.atleast_2d(sparse.coef_)[:, absent])


losses = pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
tubes = pytest.mark.parametrize(
    "loss", ["epsilon_insensitive", "squared_epsilon_insensitive"]
)


@losses
@settings(max_examples=15, deadline=None)
@given(
    X=wide_counts(),
    n_classes=st.integers(2, 4),
    cost=st.sampled_from([0.01, 1.0, 30.0]),
    class_weight=st.sampled_from([None, "balanced"]),
    free=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_classes_of_wide_counts(loss, X, n_classes, cost, class_weight, free, seed):
    generator = np.random.default_rng(seed)
    y = np.arange(X.shape[0]) % n_classes
    weight = generator.uniform(0.1, 2.0, len(y))
    model = LinearSVM(loss=loss, C=cost, class_weight=class_weight, fit_intercept=free)
    assert_same_optimum(model, X, y, weight)


@tubes
@settings(max_examples=15, deadline=None)
@given(
    X=wide_counts(),
    cost=st.sampled_from([0.01, 1.0, 30.0]),
    epsilon=st.sampled_from([0.0, 0.1]),
    free=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_regressions_on_wide_counts(loss, X, cost, epsilon, free, seed):
    generator = np.random.default_rng(seed)
    y = generator.normal(size=X.shape[0])
    weight = generator.uniform(0.1, 2.0, len(y))
    model = LinearSVMRegressor(loss=loss, C=cost, epsilon=epsilon, fit_intercept=free)
    assert_same_optimum(model, X, y, weight)


def test_a_regression_without_features_ends_at_the_median_with_its_proof():
    X, y = csr_array((4, 5)), np.array([0.13, -0.13, 0.64, 0.1])
    model = LinearSVMRegressor(epsilon=0, C=0.01).fit(X, y, [1.65, 1.83, 1.25, 1.49])
    assert model.intercept_ == pytest.approx(0.1)
    assert model.duality_gap_ <= 1e-12
