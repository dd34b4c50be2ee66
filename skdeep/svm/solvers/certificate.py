"""How far a solution is from the optimum, at most: a proof that needs no other solver.

Every alpha with 0 <= alpha_i <= cost_i and sum_i sign_i alpha_i = 0 gives a lower bound
of the objective; the duality gap is the distance from it to what was reached (Boyd and
Vandenberghe 2004, "Convex optimization", section 5.5).
"""

from dataclasses import dataclass

import numpy as np

# A tolerance up to this asks for full precision; at a larger one solvers stop.
FULL_PRECISION = 1e-6
# Slopes of the cost smaller than this share of all costs are rounding errors.
_FLAT = 1e-13


@dataclass(frozen=True)
class Solution:
    """What a solver found, with its certificate.

    Parameters
    ----------
    w : ndarray of shape (d,)
        The coefficients.

    b : float
        The intercept.

    alpha : ndarray of shape (n_rows,)
        The dual variables, feasible.

    objective : float
        The primal objective at w and b.

    gap : float
        The relative duality gap: primal minus dual, over the primal.

    n_iter : int, default=0
        The iterations that were done.
    """

    w: np.ndarray
    b: float
    alpha: np.ndarray
    objective: float
    gap: float
    n_iter: int = 0


def certify(problem, w, b, alpha, n_iter=0, *, best_b=True):
    """Make the best of w and alpha, and measure the gap between them.

    The intercept is replaced by the best one where errors are not squared, and alpha
    by the nearest that is feasible.

    Parameters
    ----------
    problem : Problem
        What is minimized.

    w : ndarray of shape (d,)
        The coefficients.

    b : float
        The intercept.

    alpha : ndarray of shape (n_rows,)
        The dual variables.

    n_iter : int, default=0
        The iterations done, passed on.

    best_b : bool, default=True
        Whether the intercept may be replaced.

    Returns
    -------
    solution : Solution
    """
    alpha = feasible(problem, alpha)
    v = problem.combine(alpha)
    return _measure(problem, w, b, alpha, v, n_iter, best_b)


def _measure(problem, w, b, alpha, v, n_iter, best_b=True):
    """The certificate with a feasible alpha that combines the rows to v."""
    margins = problem.margins(w, 0.0)
    if best_b and problem.intercept and not problem.squared:
        b = best_intercept(problem, margins)
    dual = problem.dual(alpha, v)
    if dual < 0 and problem.constant == 0:
        alpha = _best_multiple(problem, alpha)
        dual = problem.dual(alpha, problem.combine(alpha))
    if b:
        margins = margins + problem.sign * b
    objective = problem.primal(w, b, margins)
    gap = max(objective - dual, 0.0)
    return Solution(w, float(b), alpha, objective, gap / objective if gap else 0.0, n_iter)


def consistent(problem, found):
    """The solution with the coefficients that its dual variables, made feasible, give."""
    alpha = feasible(problem, found.alpha)
    w = problem.combine(alpha)
    return _measure(problem, w, found.b, alpha, w, found.n_iter)


def best_intercept(problem, margins):
    """The b of least cost for fixed coefficients.

    Row i's error begins at a corner. Between corners the slope of the cost is constant,
    so that the minimum is a weighted quantile of the corners, or is linear, where errors
    are squared. Where the minimum is an interval, its middle is taken.

    Parameters
    ----------
    problem : Problem
        What is minimized.

    margins : ndarray of shape (n_rows,)
        The margins with b = 0.

    Returns
    -------
    b : float
    """
    corners = problem.sign * (problem.threshold - margins)
    order = np.argsort(corners, kind="stable")
    corners, cost = corners[order], problem.cost[order]
    above = problem.sign[order] > 0
    if problem.squared:
        return _squared_minimum(corners, cost, above, problem.pull[1])
    slopes = np.cumsum(cost)
    flat = _FLAT * slopes[-1]
    # the slope after each corner
    slopes -= cost[above].sum() + problem.pull[1]
    i = min(int(np.searchsorted(slopes, -flat)), len(order) - 1)
    if slopes[i] <= flat and i + 1 < len(order):
        # corners that weigh next to nothing do not end a flat stretch
        j = min(int(np.searchsorted(slopes, flat, side="right")), len(order) - 1)
        return 0.5 * float(corners[i]) + 0.5 * float(corners[j])
    return float(corners[i])


def _squared_minimum(corners, cost, above, pull):
    """Where the slope is zero of squared errors below (`above`) or above sorted corners."""
    # half the slope at a corner: its rows' costs times the distances from their corners
    up, down = np.where(above, cost, 0.0), np.where(above, 0.0, cost)
    weight = np.cumsum(down) + (up.sum() - np.cumsum(up))
    origin = corners[0]
    moment = up * (corners - origin), down * (corners - origin)
    moment = np.cumsum(moment[1]) + (moment[0].sum() - np.cumsum(moment[0]))
    slopes = weight * (corners - origin) - moment - 0.5 * pull
    flat = _FLAT * float(cost.sum()) * float(corners[-1] - origin)
    i = int(np.searchsorted(slopes, -flat))  # the first that is not below zero
    j = int(np.searchsorted(slopes, flat, side="right")) - 1  # the last not above
    if i <= j:
        return 0.5 * float(corners[i]) + 0.5 * float(corners[j])
    # on the line from corner i - 1 to corner i, or before the first or after the last
    k = max(i - 1, 0) if i < len(corners) else len(corners) - 1
    line = (weight[k], moment[k]) if i else (up.sum(), float(up @ (corners - origin)))
    return origin + (line[1] + 0.5 * pull) / line[0]


def feasible(problem, alpha):
    """The dual variables within their bounds and, with an intercept, balanced.

    The heavier sign's are shrunk, or the other's raised, until both signs have the same
    sum.

    Parameters
    ----------
    problem : Problem
        What is minimized.

    alpha : ndarray of shape (n_rows,)
        Dual variables, nearly feasible.

    Returns
    -------
    alpha : ndarray of shape (n_rows,)
    """
    alpha = np.maximum(alpha, 0.0)
    if not problem.squared:
        np.minimum(alpha, problem.cost, out=alpha)
    if not problem.intercept:
        return alpha
    above = problem.sign > 0
    excess = problem.balance(alpha)
    heavier = above if excess > 0 else ~above
    excess = abs(excess)
    # dual variables at their bounds stay there exactly, where the others can give enough
    limit = np.inf if problem.squared else problem.cost
    room = np.where(heavier, alpha, limit - alpha)
    inside = (alpha > 0) & (alpha < limit)
    for chosen, direction in (
        (inside & heavier, -1.0),
        (inside & ~heavier & (not problem.squared), 1.0),
        (heavier, -1.0),
    ):
        total = room[chosen].sum()
        if total > excess:
            alpha[chosen] += direction * (excess / total) * room[chosen]
            return alpha
    alpha[heavier] = 0.0
    return alpha


def dual_guess(problem, w, b):
    """Dual variables for coefficients that came without: of the rows with an error.

    Scaled so that the bound they give is the best of all multiples.

    Parameters
    ----------
    problem : Problem
        What is minimized.

    w : ndarray of shape (d,)
        The coefficients.

    b : float
        The intercept.

    Returns
    -------
    alpha : ndarray of shape (n_rows,)
    """
    errors = problem.errors(problem.margins(w, b))
    alpha = 2 * problem.cost * errors if problem.squared else problem.cost * (errors > 0)
    return _best_multiple(problem, feasible(problem, alpha))


def _best_multiple(problem, alpha):
    """The multiple of feasible dual variables whose bound is the best."""
    linear = float(problem.threshold @ alpha)
    quadratic = linear - problem.dual(alpha, problem.combine(alpha))
    if quadratic <= 0:
        return alpha
    best = max(linear / (2 * quadratic), 0.0)
    return alpha * (best if problem.squared else min(best, 1.0))
