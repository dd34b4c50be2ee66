"""The exact solvers reach the optimum of an independent convex solver, and prove it."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris

from skdeep import LinearSVM, LinearSVMRegressor

clarabel = pytest.importorskip("clarabel")


def solve_cone_program(quadratic, linear, matrix, bound):
    """min x' diag(quadratic) x / 2 + linear . x with matrix x >= bound."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    for name in ("tol_gap_rel", "tol_feas", "tol_gap_abs"):
        setattr(settings, name, 1e-11)
    scale = np.abs(linear).max() + quadratic.max()  # of the objective
    solver = clarabel.DefaultSolver(
        sparse.csc_array(sparse.diags_array(quadratic / scale)),
        linear / scale,
        sparse.csc_array(-matrix),
        -bound,
        [clarabel.NonnegativeConeT(len(bound))],
        settings,
    )
    x = np.array(solver.solve().x)
    return x


def machine(X, sign, threshold, cost, squared, intercept=True):
    """The w and b of rows with errors max(0, threshold - sign (x . w + b))."""
    n, d = X.shape
    signed = sign[:, None] * np.hstack([X, np.full((n, 1), float(intercept))])
    matrix = np.block([[signed, np.eye(n)], [np.zeros((n, d + 1)), np.eye(n)]])
    quadratic = np.concatenate([np.ones(d), [0.0], 2 * cost * squared])
    linear = np.concatenate([np.zeros(d + 1), cost * (not squared)])
    bound = np.concatenate([threshold, np.zeros(n)])
    x = solve_cone_program(quadratic, linear, matrix, bound)
    return x[:d], x[d]


def classifier_objective(X, y, cost, squared, w, b):
    errors = np.maximum(0, 1 - y * (X @ w + b))
    return 0.5 * w @ w + cost @ (errors**2 if squared else errors)


def make(seed, n=60, d=5, scale=1.0, noise=1.0):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, d)) * scale
    y = np.where(X @ generator.normal(size=d) + noise * generator.normal(size=n) > 0, 1, -1)
    return X, y, np.ones(n)


def weighted(seed):
    X, y, _ = make(seed)
    return X, y, 10 ** np.random.default_rng(seed).uniform(-8, 4, len(y))


def with_copied_columns(seed):
    X, y, weight = make(seed)
    return np.hstack([X, X[:, :2], np.ones((len(y), 2))]), y, weight


def one_positive(seed):
    X, y, weight = make(seed)
    y[:] = -1
    y[7] = 1
    return X, y, weight


def breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X, 2 * y - 1, np.ones(len(y))


PROBLEMS = {
    "small": (lambda: make(0), 1.0),
    "noisy": (lambda: make(1, noise=5.0), 1.0),
    "large": (lambda: make(2, n=300, d=20, noise=3.0), 1.0),
    "one column": (lambda: make(3, d=1), 1.0),
    "more columns than rows": (lambda: make(4, n=20, d=50), 1.0),
    "many more columns than rows": (lambda: make(5, n=15, d=300), 0.1),
    "unscaled breast cancer": (breast_cancer, 1.0),
    "unscaled breast cancer, small C": (breast_cancer, 1e-4),
    "copied and constant columns": (lambda: with_copied_columns(6), 1.0),
    "one positive sample": (lambda: one_positive(7), 1.0),
    "C of 1e-6": (lambda: make(8), 1e-6),
    "C of 1e-3": (lambda: make(9), 1e-3),
    "C of 1e3": (lambda: make(10), 1e3),
    "C of 1e6": (lambda: make(11), 1e6),
    "weights from 1e-8 to 1e4": (lambda: weighted(12), 1.0),
    "separable": (lambda: make(13, noise=0.0), 1.0),
    "separable, C of 1e6": (lambda: make(14, noise=0.0), 1e6),
    "large features": (lambda: make(15, scale=1e4), 1.0),
    "tiny features": (lambda: make(16, scale=1e-4), 1.0),
    "all zero": (lambda: (np.zeros((30, 3)), make(17, n=30)[1], np.ones(30)), 1.0),
    "columns of many scales": (lambda: make(18, scale=10.0 ** np.arange(-2, 3)), 1.0),
}
each_problem = pytest.mark.parametrize("name", sorted(PROBLEMS))
each_loss = pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])


@each_problem
@each_loss
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_objective_is_that_of_a_convex_solver(name, loss, kind):
    draw, C = PROBLEMS[name]
    X, y, weight = draw()
    squared = loss == "squared_hinge"
    # the solver wants columns of one scale, and an intercept that is not far away
    w, b = machine(X - X.mean(axis=0), y, np.ones(len(y)), C * weight, squared)
    theirs = classifier_objective(X - X.mean(axis=0), y, C * weight, squared, w, b)
    model = LinearSVM(C=C, loss=loss).fit(kind(X), y, sample_weight=weight)
    ours = classifier_objective(
        X, y, C * weight, squared, model.coef_[0], model.intercept_[0]
    )
    assert model.duality_gap_ <= 1e-6
    assert ours == pytest.approx(model.objective_, rel=1e-8, abs=1e-14)
    assert ours <= theirs * (1 + 1e-6) + 1e-14
    # the certificate says how far below the optimum may be: theirs is not below that
    assert theirs >= ours * (1 - model.duality_gap_) * (1 - 1e-6) - 1e-14


@each_loss
@pytest.mark.parametrize("optimizer", ["interior_point", "newton", "coordinate_descent"])
@pytest.mark.parametrize("C", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_all_solvers_agree(loss, optimizer, C, fit_intercept):
    if loss == "squared_hinge" and optimizer == "interior_point":
        pytest.skip("the interior point is for the hinge loss")
    X, y, weight = make(20, n=150, noise=2.0)
    w, b = machine(X, y, np.ones(150), C * weight, loss == "squared_hinge", fit_intercept)
    theirs = classifier_objective(X, y, C * weight, loss == "squared_hinge", w, b)
    model = LinearSVM(C, loss=loss, optimizer=optimizer, fit_intercept=fit_intercept)
    model.fit(X, y)
    assert model.duality_gap_ <= 1e-9
    assert model.objective_ == pytest.approx(theirs, rel=1e-7)
    if not fit_intercept:
        assert model.intercept_[0] == 0


@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("noise", [0.0, 2.0])
@pytest.mark.parametrize("C", [1e-3, 1.0, 100.0])
def test_rows_that_are_set_aside_on_the_way_are_checked_at_the_end(scale, noise, C):
    X, y, _ = make(21, n=3000, d=4, scale=scale, noise=noise)
    model = LinearSVM(C, optimizer="interior_point").fit(X, y)
    other = LinearSVM(C, optimizer="newton").fit(X, y)
    assert max(model.duality_gap_, other.duality_gap_) <= 1e-6
    assert model.objective_ == pytest.approx(other.objective_, rel=2e-6)
    np.testing.assert_array_equal(model.predict(X), other.predict(X))


@pytest.mark.parametrize("C", [1e14, 1e15, 1e16, 1e25, 1e100])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_squared_errors_that_cost_any_amount_leave_the_widest_margin(C, wide, kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 200 if wide else 3))
    X[:, 0] += 0.5 * np.sign(X[:, 0])
    y = X[:, 0] > 0
    model = LinearSVM(C, loss="squared_hinge").fit(kind(X), y)
    widest = LinearSVM(1e6).fit(X, y)  # the hinge loss ends there at ordinary costs
    assert model.duality_gap_ <= 1e-6
    assert model.objective_ == pytest.approx(widest.objective_, rel=1e-6)
    np.testing.assert_allclose(model.coef_, widest.coef_, rtol=1e-4, atol=1e-5)


@each_loss
def test_a_sparse_column_of_ones_is_no_obstacle(loss):
    X = sparse.random_array((3000, 3000), density=0.003, rng=0, format="csr")
    y = np.where(X @ np.random.default_rng(0).normal(size=3000) > 0.1, 1, -1)
    X = sparse.hstack([X, np.full((3000, 1), 10.0)], format="csr")
    model = LinearSVM(loss=loss, optimizer="newton", fit_intercept=False).fit(X, y)
    assert model.duality_gap_ <= 1e-9
    assert model.n_iter_ < 200


@each_problem
@each_loss
def test_the_optimality_conditions_hold(name, loss):
    draw, C = PROBLEMS[name]
    X, y, weight = draw()
    model = LinearSVM(C=C, loss=loss).fit(X, y, sample_weight=weight)
    alpha = np.zeros(len(y))
    alpha[model.support_] = model.dual_coef_[0] * y[model.support_]
    size = np.abs(alpha) @ np.linalg.norm(X, axis=1) + 1e-300
    cost = C * weight
    np.testing.assert_allclose(
        model.dual_coef_ @ X[model.support_], model.coef_, atol=1e-9 * size
    )
    assert abs(alpha @ y) <= 1e-9 * alpha.sum()
    m = y * model.decision_function(X)
    if loss == "squared_hinge":
        np.testing.assert_allclose(
            alpha / cost, 2 * np.maximum(0, 1 - m), rtol=1e-6, atol=1e-6
        )
        return
    assert (alpha >= 0).all()
    assert (alpha <= cost * (1 + 1e-9)).all()
    rows_of_little_weight = cost < 1e-9 * cost.max()
    m[rows_of_little_weight] = 1  # they cannot move the margins to where they should be
    assert (m[alpha == 0] >= 1 - 1e-6).all()
    assert (m[alpha >= cost * (1 - 1e-12)] <= 1 + 1e-6).all()
    inside = (alpha > 0) & (alpha < cost * (1 - 1e-12))
    np.testing.assert_allclose(m[inside], 1, atol=1e-6)


@pytest.mark.parametrize("loss", ["epsilon_insensitive", "squared_epsilon_insensitive"])
@pytest.mark.parametrize("epsilon", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", ["auto", "newton", "coordinate_descent"])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_regression_is_that_of_a_convex_solver(loss, epsilon, optimizer, C):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(80, 4))
    y = X @ [1.0, -2.0, 0.0, 0.5] + 5 + generator.normal(size=80)
    weight = generator.uniform(0.1, 2, 80)
    squared = loss.startswith("squared")
    w, b = machine(
        np.vstack([X, X]),
        np.repeat([1.0, -1.0], 80),
        np.concatenate([y - epsilon, -y - epsilon]),
        np.tile(C * weight, 2),
        squared,
    )

    def objective(w, b):
        errors = np.maximum(0, np.abs(X @ w + b - y) - epsilon)
        return 0.5 * w @ w + C * weight @ (errors**2 if squared else errors)

    model = LinearSVMRegressor(C, epsilon=epsilon, loss=loss, optimizer=optimizer)
    model.fit(X, y, sample_weight=weight)
    assert model.duality_gap_ <= 1e-9
    assert objective(model.coef_, model.intercept_[0]) == pytest.approx(
        objective(w, b), rel=1e-7
    )
    np.testing.assert_allclose(
        model.dual_coef_[0] @ model.support_vectors_, model.coef_, atol=1e-9
    )


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_crammer_singer_is_that_of_a_convex_solver(C, kind, fit_intercept):
    X, y = load_iris(return_X_y=True)
    X, y = X[::2], y[::2]
    n, d = X.shape
    k = 3
    extended = np.hstack([X, np.full((n, 1), float(fit_intercept))])
    rows, bound = [], []
    for i in range(n):
        for other in set(range(k)) - {y[i]}:
            row = np.zeros((k, d + 1))
            row[y[i]], row[other] = extended[i], -extended[i]
            rows.append(np.concatenate([row.ravel(), np.eye(n)[i]]))
            bound.append(1.0)
    rows += list(np.hstack([np.zeros((n, k * (d + 1))), np.eye(n)]))
    bound += [0.0] * n
    penalty = np.hstack([np.ones((k, d)), np.zeros((k, 1))]).ravel()
    quadratic = np.concatenate([penalty, np.zeros(n)])
    linear = np.concatenate([np.zeros(k * (d + 1)), np.full(n, C)])
    x = solve_cone_program(quadratic, linear, np.array(rows), np.array(bound))
    w = x[: k * (d + 1)].reshape(k, d + 1)

    def objective(w, b):
        z = X @ w.T + b
        own = z[np.arange(n), y]
        errors = (z + 1 - np.eye(k)[y]).max(axis=1) - own
        return 0.5 * np.sum(w * w) + C * errors.sum()

    model = LinearSVM(C, multi_class="crammer_singer", fit_intercept=fit_intercept)
    model.fit(kind(X), y)
    assert model.duality_gap_ <= 1e-8
    assert objective(model.coef_, model.intercept_) == pytest.approx(
        objective(w[:, :d], w[:, d] * fit_intercept), rel=1e-6
    )
    np.testing.assert_allclose(model.dual_coef_ @ X[model.support_], model.coef_, atol=1e-7)
