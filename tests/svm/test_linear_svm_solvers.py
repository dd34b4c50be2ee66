"""What the exact solvers choose, when they stop, and numbers at the edge of their range."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_blobs, make_classification

from skdeep import LinearSVM, LinearSVMRegressor
from skdeep.kernels import native
from skdeep.svm.solvers import newton
from skdeep.svm.solvers.certificate import best_intercept
from skdeep.svm.solvers.crammer_singer import MulticlassProblem
from skdeep.svm.solvers.hinge import Hinge, SquaredHinge
from skdeep.svm.solvers.line_search import zero_of_rising
from skdeep.svm.solvers.problem import Problem
from skdeep.svm.solvers.solve import choose_solver

compiled = pytest.mark.skipif(
    not native.ENABLED, reason="coordinate descent is for compiled kernels"
)
each_loss = pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
each_tube = pytest.mark.parametrize(
    "loss", ["epsilon_insensitive", "squared_epsilon_insensitive"]
)
each_kind = pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])


def counts(n, d, ones, seed=0):
    """Rows of a few ones, in columns drawn at random, and two classes."""
    generator = np.random.default_rng(seed)
    columns = generator.integers(0, d, n * ones)
    starts = np.arange(0, n * ones + 1, ones)
    X = sparse.csr_array((np.ones(n * ones), columns, starts), shape=(n, d))
    X.sum_duplicates()
    return X, X @ generator.normal(size=d) > 0


@pytest.fixture(scope="module")
def many_classes():
    return make_blobs(1500, 10, centers=30, cluster_std=2.0, random_state=0)


# --- choosing -------------------------------------------------------------------------


HINGE = Hinge()


def problem_of(n, d, positive, *, loss=HINGE, density=None):
    X = np.ones((n, d)) if density is None else sparse.random_array((n, d), density=density)
    sign = np.where(np.arange(n) < positive, 1.0, -1.0)
    return Problem(sparse.csr_array(X) if density else X, sign, np.ones(n), sign**2, loss)


@compiled
def test_the_solver_is_chosen_by_shape_and_balance():
    few, half = problem_of(1000, 20, 50), problem_of(1000, 20, 500)
    assert choose_solver(few) == "coordinate_descent"
    assert choose_solver(half) == "interior_point"
    wide = problem_of(200, 5000, 100, loss=SquaredHinge(), density=0.01)
    assert choose_solver(wide) == "coordinate_descent"
    assert choose_solver(problem_of(1000, 20, 500, loss=SquaredHinge())) == "newton"


@compiled
def test_wide_sparse_rows_need_few_products_after_coordinate_descent(monkeypatch):
    solve, products = newton.solve_on_hyperplane, []

    def counted(apply, *arguments, **options):
        return solve(lambda q: products.append(1) or apply(q), *arguments, **options)

    monkeypatch.setattr(newton, "solve_on_hyperplane", counted)
    X, y = counts(2500, 60_000, 40)
    model = LinearSVM().fit(X, y)
    assert model.duality_gap_ < 1e-10
    assert len(products) < 100


@compiled
def test_one_class_of_many_that_overlap_is_left_to_the_interior_point():
    X, y = make_blobs(3000, 5, centers=20, cluster_std=20.0, random_state=0)
    model = LinearSVM().fit(X, y == 0)
    assert model.duality_gap_ <= 1e-9
    assert model.n_iter_ < 120


# --- stopping -------------------------------------------------------------------------


@each_loss
@each_kind
@pytest.mark.parametrize("optimizer", ["auto", "newton", "coordinate_descent"])
def test_a_looser_tol_takes_fewer_iterations_and_keeps_its_promise(loss, kind, optimizer):
    X, y = counts(300, 2000, 20)
    y = y ^ (np.arange(300) % 10 == 0)
    X = kind(X.toarray())
    exact = LinearSVM(loss=loss, optimizer=optimizer).fit(X, y)
    rough = LinearSVM(loss=loss, optimizer=optimizer, tol=0.05).fit(X, y)
    assert exact.duality_gap_ < 1e-9
    assert rough.duality_gap_ <= 0.05
    if loss == "hinge":  # with squares the last step of Newton's method may be exact
        assert rough.duality_gap_ > exact.duality_gap_
        assert rough.n_iter_ < exact.n_iter_
    assert rough.n_iter_ <= exact.n_iter_
    assert rough.objective_ <= exact.objective_ / (1 - 0.05)
    vectors = rough.support_vectors_
    vectors = vectors.toarray() if sparse.issparse(vectors) else vectors
    np.testing.assert_allclose(rough.dual_coef_ @ vectors, rough.coef_, atol=1e-9)


@each_tube
def test_a_looser_tol_of_a_regression_takes_fewer_iterations(loss):
    if loss.startswith("squared") and not native.ENABLED:
        pytest.skip("the last step of Newton's method is exact")
    X, y = counts(300, 2000, 20)
    y = X @ np.arange(2000.0) / 1000 + y
    exact = LinearSVMRegressor(loss=loss).fit(X, y)
    rough = LinearSVMRegressor(loss=loss, tol=0.01).fit(X, y)
    assert exact.duality_gap_ < 1e-9 < rough.duality_gap_ <= 0.01
    assert rough.n_iter_ < exact.n_iter_


def test_a_looser_tol_takes_fewer_iterations_for_all_classes_at_once(many_classes):
    X, y = many_classes
    X, y = X[y < 5], y[y < 5]
    exact = LinearSVM(multi_class="crammer_singer").fit(X, y)
    rough = LinearSVM(multi_class="crammer_singer", tol=0.05).fit(X, y)
    assert exact.duality_gap_ < 1e-9 < rough.duality_gap_ <= 0.05
    assert rough.n_iter_ < exact.n_iter_
    np.testing.assert_allclose(
        rough.dual_coef_ @ rough.support_vectors_, rough.coef_, atol=1e-9
    )


# --- line searches --------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_a_line_search_ends_at_the_zero_however_far_it_is(seed):
    generator = np.random.default_rng(seed)
    corners = np.sort(generator.uniform(0, 100, 12))
    rises = generator.uniform(0.01, 2, 13)

    def value(t):  # a line from corner to corner
        ends = np.concatenate([[0.0], corners, [np.inf]])
        return float(rises @ np.clip(t - ends[:-1], 0, np.diff(ends)))

    zero = float(generator.choice([0.01, 0.5, 1.0, 3.0, 40.0, 90.0, 1000.0]))

    def derivative(t):
        return value(t) - value(zero), rises[np.searchsorted(corners, t, side="right")]

    assert zero_of_rising(derivative, beyond=60) == pytest.approx(zero, rel=1e-12)


# --- many classes ---------------------------------------------------------------------


@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-6])
@pytest.mark.parametrize("C", [10.0, 100.0, 1000.0])
def test_dear_errors_of_sparse_weighted_rows_of_three_classes_are_solved(C, tol):
    X, y = make_classification(
        109, 52, n_informative=4, n_classes=3, n_clusters_per_class=1, flip_y=0.1,
        random_state=13,
    )  # fmt: skip
    weight = np.random.default_rng(13).uniform(0, 3, 109)
    model = LinearSVM(C, multi_class="crammer_singer", optimizer="newton", tol=tol)
    model.fit(sparse.csr_array(X), y, sample_weight=weight)
    assert model.duality_gap_ <= tol


@pytest.mark.parametrize(("seed", "C"), [(32, 100.0), (53, 10.0), (55, 100.0)])
def test_rows_of_very_unequal_sizes_and_weights_are_solved_roughly(seed, C):
    generator = np.random.default_rng(seed)
    n, d = int(generator.integers(6, 60)), int(generator.integers(1, 40))
    density, draw = generator.uniform(0.05, 0.6), generator.normal
    X = sparse.random_array(
        (n, d), density=density, rng=generator, format="csr", data_sampler=draw
    )
    X = X * 10.0 ** generator.integers(-2, 3)
    y = generator.integers(0, 3, n)
    weight = generator.uniform(0, 3, n) ** generator.integers(1, 6)
    model = LinearSVM(C, multi_class="crammer_singer", tol=1e-2)
    assert model.fit(X, y, sample_weight=weight).duality_gap_ <= 1e-2


def test_what_classes_give_round_a_circle_is_balanced_without_losing_it():
    """No two classes exchange anything, and the gifts are of very different sizes."""
    codes, gifts = np.repeat(np.arange(3), 5), np.repeat([0.9, 0.1, 0.4], 5)
    problem = MulticlassProblem(np.zeros((15, 1)), codes, np.ones(15), 3, True)
    alpha = np.zeros((15, 3))
    alpha[np.arange(15), codes] = 1 - gifts
    alpha[np.arange(15), (codes + 1) % 3] = gifts
    balanced = problem.feasible(alpha)
    np.testing.assert_allclose(problem.balance(balanced), 0, atol=1e-8)
    np.testing.assert_allclose(balanced.sum(axis=1), 1)
    assert np.all(balanced >= 0)
    assert balanced[np.arange(15), (codes + 1) % 3].sum() > 1


@pytest.mark.parametrize("seed", range(10))
def test_dual_variables_of_many_classes_are_balanced_and_zeros_stay(seed):
    generator = np.random.default_rng(seed)
    n, k = 60, 4
    codes, cost = generator.integers(0, k, n), generator.uniform(0.1, 3, n)
    problem = MulticlassProblem(np.zeros((n, 1)), codes, cost, k, True)
    alpha = cost[:, None] * generator.dirichlet(np.full(k, 0.3), n)
    balanced = problem.feasible(alpha)
    assert np.all(balanced >= 0)
    np.testing.assert_allclose(balanced.sum(axis=1), cost)
    np.testing.assert_allclose(problem.balance(balanced), 0, atol=1e-8)
    assert np.all(balanced[alpha == 0] == 0)
    again = problem.feasible(balanced)
    np.testing.assert_allclose(again, balanced, atol=1e-8)


@pytest.mark.parametrize("multi_class", ["ovr", "crammer_singer"])
def test_dual_coefficients_of_many_classes_are_sparse(multi_class, many_classes):
    X, y = many_classes
    X, y = X[y < 6], y[y < 6]
    model = LinearSVM(multi_class=multi_class).fit(X, y)
    dual = model.dual_coef_
    assert sparse.issparse(dual)
    assert dual.shape == (6, len(model.support_))
    assert dual.nnz == np.count_nonzero(dual.toarray()) < dual.shape[0] * dual.shape[1]
    np.testing.assert_allclose(dual @ model.support_vectors_, model.coef_, atol=1e-7)


# --- a tube around all targets --------------------------------------------------------


@each_tube
@each_kind
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "optimizer", ["auto", "newton", "coordinate_descent", "interior_point"]
)
def test_a_tube_around_all_targets_has_no_slope(loss, kind, fit_intercept, optimizer):
    if optimizer == "interior_point" and loss.startswith("squared"):
        pytest.skip("the interior point is for losses that are not squared")
    X = np.random.default_rng(0).normal(size=(40, 3))
    y = X @ [1.0, 0.5, 0.0] + 1
    weight = np.random.default_rng(1).uniform(0.1, 2, 40)
    for epsilon in (10.0, 1e300):
        model = LinearSVMRegressor(
            epsilon=epsilon, loss=loss, fit_intercept=fit_intercept, optimizer=optimizer
        ).fit(kind(X), y, sample_weight=weight)
        np.testing.assert_array_equal(model.coef_, 0.0)
        assert model.objective_ == model.duality_gap_ == 0.0
        assert len(model.support_) == 0
        middle = 0.5 * (y.min() + y.max()) if fit_intercept else 0.0
        assert model.intercept_[0] == pytest.approx(middle, abs=1e-12)


@each_tube
def test_a_tube_that_just_reaches_has_no_slope_either(loss):
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([0.1, 0.2, 0.3])
    model = LinearSVMRegressor(epsilon=0.1, loss=loss).fit(X, y)
    np.testing.assert_array_equal(model.coef_, 0.0)
    assert model.intercept_[0] == pytest.approx(0.2)


@each_tube
def test_features_of_zeros_leave_the_best_constant(loss):
    y = np.array([0.0, 1.0, 2.0, 10.0])
    model = LinearSVMRegressor(epsilon=1.0, loss=loss).fit(np.zeros((4, 2)), y)
    grid = np.linspace(-1, 11, 120_001)
    errors = np.maximum(np.abs(y[:, None] - grid) - 1, 0)
    cost = (errors**2 if loss.startswith("squared") else errors).sum(axis=0)
    assert model.objective_ == pytest.approx(cost.min(), rel=1e-7)
    assert model.duality_gap_ <= 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_the_best_intercept_of_squared_errors_is_where_their_slope_is_zero(seed):
    generator = np.random.default_rng(seed)
    n = 30
    sign = np.where(generator.random(n) > 0.5, 1.0, -1.0)
    margins, cost = generator.normal(size=n), generator.uniform(0.1, 2, n)
    problem = Problem(
        np.zeros((n, 1)), sign, generator.normal(size=n), cost, SquaredHinge()
    )
    b = best_intercept(problem, margins)
    errors = problem.errors(margins + sign * b)
    assert abs(np.sum(sign * cost * errors)) <= 1e-10


# --- numbers at the edge --------------------------------------------------------------


def drawn(kind=np.asarray):
    X, y = make_classification(80, 5, flip_y=0.2, random_state=0)
    return kind(X), y


@each_loss
@each_kind
@pytest.mark.parametrize("optimizer", ["auto", "newton", "coordinate_descent", "sgd"])
def test_what_double_precision_cannot_hold_is_refused_at_once(loss, kind, optimizer):
    X, y = drawn(kind)
    model = LinearSVM(loss=loss, optimizer=optimizer)
    with pytest.raises(ValueError, match=r"features up to .*e\+300.*Scale the features"):
        model.fit(X * 1e300, y)
    with pytest.raises(ValueError, match=r"C times the weights is up to 1e\+308.*lower C"):
        model.set_params(C=1e308).fit(X, y)
    model.set_params(C=1e200)
    with pytest.raises(ValueError, match="C times the weights is up to inf"):
        model.fit(X, y, sample_weight=np.full(len(y), 1e200))


@each_tube
@each_kind
@pytest.mark.parametrize("optimizer", ["auto", "newton", "coordinate_descent", "sgd"])
def test_a_regression_that_double_precision_cannot_hold_is_refused(loss, kind, optimizer):
    X, y = drawn(kind)
    y = X @ np.arange(5.0) + y
    model = LinearSVMRegressor(loss=loss, optimizer=optimizer)
    with pytest.raises(ValueError, match="Scale the features and targets"):
        model.fit(X * 1e300, y)
    with pytest.raises(ValueError, match="lower C"):
        model.set_params(C=1e308).fit(X, y)
    with pytest.raises(ValueError, match=r"targets up to .*e\+30"):
        model.set_params(loss="squared_epsilon_insensitive", C=1.0).fit(X, y * 1e300)


def test_all_classes_at_once_refuse_it_too(many_classes):
    X, y = many_classes
    with pytest.raises(ValueError, match="Scale the features"):
        LinearSVM(multi_class="crammer_singer").fit(X[:200] * 1e300, y[:200])


@each_loss
@pytest.mark.parametrize("power", [-400, 400])
def test_a_power_of_two_that_c_makes_up_for_changes_nothing(loss, power):
    X, y = drawn()
    scale = 2.0**power
    here = LinearSVM(loss=loss).fit(X, y)
    there = LinearSVM(loss=loss, C=scale**-1 * scale**-1).fit(X * scale, y)
    np.testing.assert_allclose(there.coef_ * scale, here.coef_, rtol=1e-7)
    np.testing.assert_allclose(there.intercept_, here.intercept_, rtol=1e-7)
    np.testing.assert_array_equal(there.support_, here.support_)
    assert there.duality_gap_ <= 1e-9


def test_targets_and_features_of_any_size_are_solved_alike():
    X, y = drawn()
    y = X @ np.arange(5.0) + y
    here = LinearSVMRegressor(epsilon=0.1).fit(X, y)
    there = LinearSVMRegressor(epsilon=0.1 * 2.0**500, C=2.0**-500)
    there.fit(X * 2.0**500, y * 2.0**500)
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-7, atol=1e-9)


@each_loss
def test_errors_that_cost_too_much_end_soon_with_a_warning(loss):
    X, y = drawn()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = LinearSVM(loss=loss).fit(X * 1e30, y)
    assert [str(w.message)[:24] for w in caught] == ["The relative duality gap"]
    assert model.n_iter_ < 300
    # and no worse than no coefficients
    zero = 2.0 * min(y.sum(), len(y) - y.sum()) if loss == "hinge" else float(len(y))
    assert model.objective_ <= zero * (1 + 1e-9)


def test_costs_that_vanish_are_refused():
    X, y = drawn()
    model = LinearSVMRegressor(C=1e-200)
    with pytest.raises(ValueError, match="at least one sample a weight above zero"):
        model.fit(X, y, sample_weight=np.full(len(y), 1e-200))


def test_a_weight_decay_out_of_range_is_explained():
    X, y = drawn()
    with pytest.raises(ValueError, match=r"weight_decay=1e-320 .* stands for C=inf"):
        LinearSVM(weight_decay=1e-320).fit(X, y)


def test_samples_of_no_weight_may_hold_what_would_be_refused():
    X, y = drawn()
    weight = np.ones(len(y))
    weight[3] = 0.0
    model = LinearSVM().fit(X, y, sample_weight=weight)
    X[3] = 1e200
    again = LinearSVM().fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(again.coef_, model.coef_)


def test_an_interior_point_that_goes_round_in_circles_hands_on_to_the_polish():
    X = np.zeros((5, 5))
    X[:, 0] = [1.0, 0.28, 0.12, 0.0, 0.87]
    X[1:3, 1] = [1.03, -0.03]
    X[2, 2], X[3, 3], X[4, 4] = 2.42, 2.18, 0.43
    weight = [1.1, 1.9, 0.4, 1.9, 0.7]
    for kind in (np.asarray, sparse.csr_array):
        model = LinearSVM(C=30).fit(kind(X), [0, 0, 0, 1, 0], weight)
        assert model.duality_gap_ <= 1e-10
        assert model.n_iter_ < 200
