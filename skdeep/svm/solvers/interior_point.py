"""An interior-point method for the hinge loss: few iterations, whatever the data.

Mehrotra's predictor-corrector (Mehrotra 1992, "On the implementation of a primal-dual
interior point method"; Nocedal and Wright 2006, algorithm 16.4) in w and b, so that
each iteration is one weighted Gram matrix and its Cholesky factor.
"""

from dataclasses import replace

import numpy as np

from skdeep.svm.solvers.certificate import best_intercept, certify
from skdeep.svm.solvers.interrupt import Interrupted, keeping
from skdeep.svm.solvers.newton import factorize

# The largest share of the way to the boundary that a step goes.
_TO_BOUNDARY = 0.9995
# Shares nearer than this to 0 or 1 will end there: the row is 50 mu from its threshold or
# more. That holds while mu is large; at the end all rows are checked.
_SETTLED, _SETTLED_MU = 0.02, 1e-3
# Rows are set aside where there are so many, and so large a share or less is left.
_MANY_ROWS, _WORTHWHILE = 1000, 0.7
# Iterations without a smaller gap: predictors and correctors may go round in circles.
_PATIENCE = 20


def minimize_interior_point(problem, *, tol, max_iter):
    """Minimize the hinge loss of a problem with more rows than columns.

    Every row i has a share u_i = alpha_i / cost_i in (0, 1), and slacks above and below
    its threshold: margin_i - threshold_i = above_i - below_i. On the central path
    u_i above_i = (1 - u_i) below_i = mu for all rows, whatever they weigh, so that a
    row of weight k moves like k rows.

    Parameters
    ----------
    problem : Problem
        What is minimized; its loss is a hinge.

    tol : float
        The relative duality gap to reach.

    max_iter : int
        The largest number of iterations.

    Returns
    -------
    solution : Solution
        With the gap that was reached.
    """
    many = problem.n_rows >= _MANY_ROWS
    found, complete = _minimize(problem, tol, max_iter, set_aside=many)
    if complete:
        return found
    left = max_iter - found.n_iter
    with keeping(found):
        again, _ = _minimize(problem, tol, left, set_aside=False)
    return replace(again, n_iter=found.n_iter + again.n_iter)


def _minimize(problem, tol, max_iter, set_aside):
    """A solution, and whether all rows set aside on the way were so rightly."""
    state, interrupt, n_iter = _State(problem), None, 0
    least, waited = np.inf, 0
    try:
        while n_iter < max_iter and waited < _PATIENCE:
            gap = state.gap()
            waited = 0 if gap < least else waited + 1
            least = min(least, gap)
            if gap <= tol or not state.advance():
                break
            n_iter += 1
            if set_aside:
                state.set_aside()
    except KeyboardInterrupt as error:
        interrupt = error
    u = state.settled.copy()
    u[state.rows] = state.u
    margins = problem.margins(state.w, state.b)
    aside = np.ones(problem.n_rows, dtype=bool)
    aside[state.rows] = False
    beyond = margins < problem.threshold
    found = certify(problem, state.w, state.b, problem.cost * u, n_iter)
    if interrupt is not None:
        raise Interrupted(found) from interrupt
    return found, np.array_equal(beyond[aside], u[aside] == 1.0)


class _State:
    """Where the path was left: w, b, the shares and the slacks.

    `rows` are the numbers of the rows that take part still, `settled` the shares of
    those that do not.
    """

    def __init__(self, problem):
        self.problem = problem
        self.rows, self.settled = np.arange(problem.n_rows), np.zeros(problem.n_rows)
        cost = problem.cost
        self.w = np.zeros(problem.n_columns)
        self.b = best_intercept(problem, np.zeros(len(cost))) * problem.intercept
        self.u = np.full(len(cost), 0.5)
        self.margins = problem.margins(self.w, self.b)
        rest = self.margins - problem.threshold
        self.above = np.maximum(rest, 0.0) + 1.0
        self.below = np.maximum(-rest, 0.0) + 1.0
        self._total = 2 * float(cost.sum())
        self._mu = self._mean_product(self.u, self.above, self.below)
        self._short_steps = 0

    def gap(self):
        """The gap that is left, relative to the objective, residuals included."""
        self.v = self.problem.combine(self.problem.cost * self.u)
        primal = self.problem.primal(self.w, self.b, self.margins)
        error = np.linalg.norm(self.w - self.v) * np.linalg.norm(self.v)
        gap = self._total * self._mu + error
        return gap / primal if primal else 0.0

    def _mean_product(self, u, above, below):
        """What mu is on the central path."""
        return float(self.problem.cost @ (u * (above - below) + below)) / self._total

    def advance(self):
        """Do one iteration; return whether it got anywhere."""
        problem, u, above, below = self.problem, self.u, self.above, self.below
        of_u, of_rest = 1.0 / u, 1.0 / (1.0 - u)
        share = 1.0 / (above * of_u + below * of_rest)
        weight = problem.cost * share
        solve = self._factorize(weight)
        residual = above - below - (self.margins - problem.threshold)

        # the prediction: as if mu were zero; slacks then change in proportion to shares
        *_, du = self._direction(solve, weight, share, residual - above + below)
        up, down = du * of_u, du * of_rest
        t = _longest(1.0, -up, 1.0 + up, down, 1.0 - down)
        da, dx = -above * (1.0 + up), below * (down - 1.0)
        ahead = self._mean_product(u + t * du, above + t * da, below + t * dx)
        centre = self._mu * (ahead / self._mu) ** 3

        # the correction: to the point `centre` of the path, with the terms left out
        from_above = (centre - du * da) * of_u - above
        from_below = (centre + du * dx) * of_rest - below
        k = residual + from_above - from_below
        dw, db, dm, du = self._direction(solve, weight, share, k)
        up, down = du * of_u, du * of_rest
        da, dx = from_above - above * up, from_below + below * down
        t = _longest(_TO_BOUNDARY, -up, -da / above, down, -dx / below)
        if not np.isfinite(t):
            return False
        self.w = self.w + t * dw
        self.b += t * db
        self.margins = self.margins + t * dm
        self.u, self.above, self.below = u + t * du, above + t * da, below + t * dx
        self._mu = self._mean_product(self.u, self.above, self.below)
        self._short_steps = self._short_steps + 1 if t < 1e-3 else 0
        return self._short_steps < 3 and self._mu > 0

    def set_aside(self):
        """Go on without the rows that are far from their threshold, where it pays."""
        if self._mu < _SETTLED_MU:
            return
        beyond = self.u > 1.0 - _SETTLED
        near = ~beyond & (self.u >= _SETTLED)
        if not 0 < np.count_nonzero(near) <= _WORTHWHILE * self.problem.X.shape[0]:
            return
        self.settled[self.rows[beyond]] = 1.0
        self.rows = self.rows[near]
        self.problem = self.problem.restricted(near, beyond)
        for name in ("u", "above", "below", "margins"):
            setattr(self, name, getattr(self, name)[near])
        self._total = 2 * float(self.problem.cost.sum())
        self._mu = self._mean_product(self.u, self.above, self.below)

    def _direction(self, solve, weight, share, k):
        dw, db = solve(weight * k)
        dm = self.problem.margins(dw, db)
        return dw, db, dm, share * (k - dm)

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


def _longest(share, *ratios):
    """The longest step that keeps what must stay above zero there, times `share`.

    `ratios` are the steps towards zero, over what is left until there.
    """
    limit = 1.0
    for ratio in ratios:
        largest = float(np.max(ratio))
        if not largest <= share:  # also NaN
            limit = min(limit, share / largest) if np.isfinite(largest) else np.nan
    return limit
