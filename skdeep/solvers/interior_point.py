"""An interior-point method for the hinge loss: few iterations, whatever the data.

Mehrotra's predictor-corrector (Mehrotra 1992, "On the implementation of a primal-dual
interior point method"; Nocedal and Wright 2006, algorithm 16.4) in w and b, so that
each iteration is one weighted Gram matrix and its Cholesky factor.
"""

import numpy as np

from skdeep.solvers.certificate import best_intercept, certify
from skdeep.solvers.newton import factorize

# The largest share of the way to the boundary that a step goes.
_TO_BOUNDARY = 0.9995


def minimize_interior_point(problem, *, tol, max_iter):
    """Minimize the hinge loss of a problem with more rows than columns.

    Every row i has a share u_i = alpha_i / cost_i in (0, 1), and slacks above and below
    its threshold: margin_i - threshold_i = above_i - below_i. On the central path
    u_i above_i = (1 - u_i) below_i = mu for all rows, whatever they weigh, so that a
    row of weight k moves like k rows.

    Parameters
    ----------
    problem : Problem
        What is minimized; its errors are not squared.

    tol : float
        The relative duality gap to reach.

    max_iter : int
        The largest number of iterations.

    Returns
    -------
    solution : Solution
        With the gap that was reached.
    """
    state = _State(problem)
    for n_iter in range(max_iter):  # noqa: B007 - it is what is returned
        if state.gap() <= tol or not state.advance():
            break
    else:
        n_iter = max_iter
    return certify(problem, state.w, state.b, problem.cost * state.u, n_iter)


class _State:
    """Where the path was left: w, b, the shares and the slacks."""

    def __init__(self, problem):
        self.problem = problem
        cost = problem.cost
        self.w = np.zeros(problem.n_columns)
        self.b = best_intercept(problem, np.zeros(len(cost))) * problem.intercept
        self.u = np.full(len(cost), 0.5)
        self.margins = problem.margins(self.w, self.b)
        rest = self.margins - problem.threshold
        self.above = np.maximum(rest, 0.0) + 1.0
        self.below = np.maximum(-rest, 0.0) + 1.0
        self._total = 2 * float(cost.sum())
        self._short_steps = 0

    def gap(self):
        """The gap that is left, relative to the objective, residuals included."""
        self.v = self.problem.combine(self.problem.cost * self.u)
        primal = self.problem.primal(self.w, self.b, self.margins)
        error = np.linalg.norm(self.w - self.v) * np.linalg.norm(self.v)
        gap = self._total * self._mu() + error
        return gap / primal if primal else 0.0

    def _mu(self, t=0.0, du=0.0, da=0.0, db=0.0):
        u, above, below = self.u + t * du, self.above + t * da, self.below + t * db
        return float(self.problem.cost @ (u * above + (1 - u) * below)) / self._total

    def advance(self):
        """Do one iteration; return whether it got anywhere."""
        problem, u, above, below = self.problem, self.u, self.above, self.below
        rest = 1.0 - u
        share = 1.0 / (above / u + below / rest)
        solve = self._factorize(problem.cost * share)
        residual = above - below - (self.margins - problem.threshold)

        def direction(r_above, r_below):
            k = r_above / u - r_below / rest + residual
            dw, db = solve(problem.cost * share * k)
            dm = problem.margins(dw, db)
            du = share * (k - dm)
            return dw, db, dm, du, (r_above - above * du) / u, (r_below + below * du) / rest

        mu = self._mu()
        *_, du, da, dx = direction(-u * above, -rest * below)
        t = self._length(du, da, dx, 1.0)
        centre = mu * (self._mu(t, du, da, dx) / mu) ** 3
        dw, db, dm, du, da, dx = direction(
            centre - u * above - du * da, centre - rest * below + du * dx
        )
        t = self._length(du, da, dx, _TO_BOUNDARY)
        if not np.isfinite(t):
            return False
        self.w = self.w + t * dw
        self.b += t * db
        self.margins = self.margins + t * dm
        self.u, self.above, self.below = u + t * du, above + t * da, below + t * dx
        self._short_steps = self._short_steps + 1 if t < 1e-3 else 0
        return self._short_steps < 3 and self._mu() > 0

    def _factorize(self, weight):
        """A function that gives the step in w and b for a right-hand side."""
        problem = self.problem
        matrix, sums = problem.gram(weight)
        matrix[np.diag_indices(len(matrix))] += 1.0
        slope_b = -problem.balance(problem.cost * self.u)
        total = float(weight.sum())
        solve_w = factorize(matrix)
        if problem.intercept:
            second = solve_w(sums)
            pivot = max(total - float(sums @ second), 1e-14 * total)

        def solve(k):
            first = solve_w(self.v - self.w + problem.combine(k) - problem.pull[0])
            if not problem.intercept:
                return first, 0.0
            db = (float(problem.sign @ k) - slope_b - float(sums @ first)) / pivot
            return first - db * second, db

        return solve

    def _length(self, du, da, dx, share):
        """The longest step that keeps shares and slacks inside, times `share`."""
        limit = 1.0
        for value, step in (
            (self.u, du),
            (1.0 - self.u, -du),
            (self.above, da),
            (self.below, dx),
        ):
            ratio = float(np.max(-step / value))
            if not ratio <= share:  # also NaN
                limit = min(limit, share / ratio) if np.isfinite(ratio) else np.nan
        return limit
