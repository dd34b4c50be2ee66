"""From data to the solvers' problems, and from their solutions to what users see."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from skdeep.engine.threads import single_threaded_blas
from skdeep.svm.solvers.certificate import certify, dual_guess
from skdeep.svm.solvers.crammer_singer import (
    MulticlassProblem,
    minimize_crammer_singer,
)
from skdeep.svm.solvers.hinge import Hinge
from skdeep.svm.solvers.preparation import choose_units, prepare
from skdeep.svm.solvers.problem import Problem
from skdeep.svm.solvers.solve import solve
from skdeep.validation.messages import plain
from skdeep.validation.notices import warn_user

# No certificate in double precision is better than this.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Machine:
    """One decision line (or, for all classes at once, several) and its certificate."""

    w: np.ndarray
    b: float | np.ndarray
    objective: float
    duality_gap: float
    n_iter: int

    @property
    def margin(self):
        return margin(self.w, joint=True)


def margin(coef, joint):
    """The distance of the margins from the decision line: one number, or one a machine."""
    norms = [float(np.sqrt(np.sum(w * w))) for w in ([coef] if joint else coef)]
    values = np.array([1.0 / norm if norm else np.inf for norm in norms])
    return values if len(values) > 1 else float(values[0])


def reported(machines):
    """The attributes that machines report: numbers for one, arrays for many."""
    names = ("margin", "objective", "duality_gap")
    values = {n: [getattr(machine, n) for machine in machines] for n in names}
    single = len(machines) == 1
    return {f"{n}_": float(x[0]) if single else np.array(x) for n, x in values.items()}


def solve_classes(
    X, codes, cost, positive, solves, *, loss, solver, intercept, tol, max_iter, n_jobs,
    crammer_singer,
):  # fmt: skip
    """Solve a machine for each positive class against all others.

    For two classes Crammer and Singer's machine is this one too: its two rows of
    coefficients are opposite, and their difference w pays ||w||^2 / 4.

    Parameters
    ----------
    solves : Solves
        Runs the solver; an interrupt of it leaves what was found by then.

    Returns
    -------
    machines : list of Machine
    dual : csr_array of shape (n_machines, n_samples)
        sign times dual variable of each sample.
    """
    rows = np.flatnonzero(cost)
    codes, c = codes[rows], cost[rows]
    factor = 2.0 if crammer_singer else 1.0
    with single_threaded_blas():
        X = _take(X, rows)
        units = choose_units(X, c, loss)
        prepared = prepare(X, c, unit=units.rows, intercept=intercept)
        c = factor * units.cost(c)

    def one(number):
        sign = np.where(codes == number, 1.0, -1.0)
        problem = Problem(prepared.X, sign, np.ones(len(c)), c, loss, intercept)
        with single_threaded_blas():
            found = solves.run(solve, problem, solver, tol=tol, max_iter=max_iter)
            w, b = prepared.restore(found.w, found.b)
        inside = np.flatnonzero(found.alpha)
        objective, alpha = found.objective / factor, sign[inside] * found.alpha[inside]
        w, b, objective, alpha = units.restore(w, b, objective, alpha)
        return Machine(w, b, objective, found.gap, found.n_iter), rows[inside], alpha

    machines, *dual = zip(*solves.map(one, positive, n_jobs), strict=True)
    return list(machines), _sparse_rows(*dual, len(cost))


def _sparse_rows(columns, values, n_columns):
    """A sparse matrix of a few entries in each row."""
    ends = np.cumsum([0, *map(len, columns)])
    parts = np.concatenate(values), np.concatenate(columns), ends
    return csr_array(parts, shape=(len(columns), n_columns))


def solve_crammer_singer(X, codes, cost, solves, *, intercept, tol, max_iter):
    """Solve the machine of all classes at once.

    Returns
    -------
    machine : Machine
    dual : csr_array of shape (n_classes, n_samples)
        The coefficient of each sample in each class's w.
    """
    rows = np.flatnonzero(cost)
    n_classes = int(codes.max()) + 1
    with single_threaded_blas():
        X, c = _take(X, rows), cost[rows]
        units = choose_units(X, c, Hinge())
        prepared = prepare(X, c, unit=units.rows, intercept=intercept)
        problem = MulticlassProblem(
            prepared.X, codes[rows], units.cost(c), n_classes, intercept
        )
        found = solves.run(minimize_crammer_singer, problem, tol=tol, max_iter=max_iter)
        pairs = zip(found.w, found.b, strict=True)
        w, b = map(np.array, zip(*(prepared.restore(*pair) for pair in pairs), strict=True))
    coefficients = problem.coefficients(found.alpha)
    # a row whose dual variables are all with its own class, up to rounding
    coefficients[np.abs(coefficients) <= 1e-12 * problem.cost[:, None]] = 0.0
    w, b, objective, coefficients = units.restore(w, b, found.objective, coefficients)
    inside = [np.flatnonzero(column) for column in coefficients.T]
    values = [column[i] for column, i in zip(coefficients.T, inside, strict=True)]
    dual = _sparse_rows([rows[i] for i in inside], values, len(cost))
    return Machine(w, b, objective, found.gap, found.n_iter), dual


def solve_regression(X, y, cost, solves, *, loss, solver, intercept, tol, max_iter):
    """Solve a support vector regression: every sample is a row with each sign.

    Returns
    -------
    machine : Machine
    dual : csr_array of shape (1, n_samples)
        The coefficient of each sample in w.
    """
    rows = np.flatnonzero(cost)
    with single_threaded_blas():
        units, prepared, problem, centre = _tube(
            _take(X, rows), y[rows], cost[rows], loss, intercept
        )
        found = solves.run(solve, problem, solver, tol=tol, max_iter=max_iter)
        w, b = prepared.restore(found.w, found.b + centre)
    above, below = found.alpha.reshape(2, -1)
    inside = np.flatnonzero(above - below)
    alpha = (above - below)[inside]
    w, b, objective, alpha = units.restore(w, b, found.objective, alpha)
    dual = _sparse_rows([rows[inside]], [alpha], len(cost))
    return Machine(w, b, objective, found.gap, found.n_iter), dual


def _tube(X, y, cost, loss, intercept, **options):
    """The problem of a regression; targets far from zero are centred."""
    units = choose_units(X, cost, loss, targets=y)
    prepared = prepare(X, cost, unit=units.rows, intercept=intercept, **options)
    cost, y = units.cost(cost), y / units.targets
    centre = float(cost @ y / cost.sum()) if intercept else 0.0
    y = y - centre
    # a tube that is much higher than the targets would cost them their digits
    epsilon = min(loss.epsilon / units.targets, 2 * float(np.max(np.abs(y))))
    n = len(y)
    problem = Problem(
        prepared.X,
        np.repeat([1.0, -1.0], n),
        np.concatenate([y - epsilon, -y - epsilon]),
        np.tile(cost, 2),
        loss,
        intercept,
    )
    return units, prepared, problem, centre


def measure_classes(X, codes, cost, coef, intercept, *, loss, free, joint, n_iter):
    """The machines of coefficients that came without dual variables.

    The gap is measured to the best of the simple bounds, and may be loose.

    Returns
    -------
    machines : list of Machine
    """
    rows = np.flatnonzero(cost)
    X, codes, cost = _take(X, rows), codes[rows], cost[rows]
    w, b = coef, intercept
    with single_threaded_blas():
        units = choose_units(X, cost, loss)
        prepared = prepare(X, cost, unit=units.rows, intercept=free, rotate=False)
        pairs = [prepared.project(*units.project(*pair)) for pair in zip(w, b, strict=True)]
        cost = units.cost(cost)
        if joint:
            problem = MulticlassProblem(prepared.X, codes, cost, len(w), free)
            pair = map(np.array, zip(*pairs, strict=True))
            return [_measure(problem, units, tuple(pair), w, b, n_iter)]
        machines = []
        for k, pair in enumerate(pairs):
            sign = np.where(codes == (k if len(w) > 1 else 1), 1.0, -1.0)
            problem = Problem(prepared.X, sign, np.ones(len(cost)), cost, loss, free)
            machines.append(_measure(problem, units, pair, w[k], b[k], n_iter))
    return machines


def measure_regression(X, y, cost, coef, intercept, *, loss, free, n_iter):
    """The same of a regression: one machine."""
    rows = np.flatnonzero(cost)
    w, b = coef, float(intercept[0])
    with single_threaded_blas():
        units, prepared, problem, centre = _tube(
            _take(X, rows), y[rows], cost[rows], loss, free, rotate=False
        )
        in_units = units.project(w, b)
        pair = prepared.project(in_units[0], in_units[1] - centre)
        return _measure(problem, units, pair, w, b, n_iter)


def _measure(problem, units, pair, w, b, n_iter):
    found = certify(problem, *pair, dual_guess(problem, *pair), best_b=False)
    *_, objective, _ = units.restore(0.0, 0.0, found.objective, 0.0)
    return Machine(w, b, objective, found.gap, n_iter)


def _take(X, rows):
    return X if len(rows) == X.shape[0] else X[rows]


def warn_of_gap(machines, names, tol, max_iter):
    """Warn where a certificate does not reach what was asked for."""
    gaps = np.array([machine.duality_gap for machine in machines])
    late = np.flatnonzero(~(gaps <= max(tol, _ROUNDING)))
    if not len(late):
        return
    which = ""
    if len(machines) > 1:
        which = f" for class {', '.join(repr(plain(names[k])) for k in late)}"
    warn_user(
        f"The relative duality gap is {gaps.max():.2g}{which}, above tol={tol:g}: the "
        "objective may be so much higher than the optimum. The best solution found was "
        f"kept. Raise max_iter (it is {max_iter}), scale the features "
        "(StandardScaler), or lower C.",
        ConvergenceWarning,
    )
