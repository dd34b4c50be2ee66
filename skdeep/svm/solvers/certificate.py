"""How far a solution is from the optimum, at most: a proof that needs no other solver.

Every alpha with 0 <= alpha_i <= cost_i and sum_i sign_i alpha_i = 0 gives a lower bound
of the objective; the duality gap is the distance from it to what was reached (Boyd and
Vandenberghe 2004, "Convex optimization", section 5.5).
"""

from dataclasses import dataclass

import numpy as np

# A tolerance up to this asks for full precision; at a larger one solvers stop.
FULL_PRECISION = 1e-6


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

    The intercept is replaced by the best one, but of a smooth loss, whose solvers have
    found it with w; and alpha by the nearest that is feasible.

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
    if best_b and problem.intercept and not problem.loss.is_smooth:
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

    Row i's error begins at a corner; the loss says where between these the minimum is.

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
    return problem.loss.best_corner(corners, cost, above, problem.pull[1])


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
    limit = problem.limit
    alpha = np.clip(alpha, 0.0, limit)
    if not problem.intercept:
        return alpha
    above = problem.sign > 0
    excess = problem.balance(alpha)
    heavier = above if excess > 0 else ~above
    excess = abs(excess)
    # dual variables at their bounds stay there exactly, where the others can give enough
    room = np.where(heavier, alpha, limit - alpha)
    inside = (alpha > 0) & (alpha < limit)
    for chosen, direction in (
        (inside & heavier, -1.0),
        (inside & ~heavier & np.isfinite(limit), 1.0),
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
    distances = problem.threshold - problem.margins(w, b)
    alpha = problem.loss.dual_variables(problem.cost, distances)
    return _best_multiple(problem, feasible(problem, alpha))


def _best_multiple(problem, alpha):
    """The multiple of feasible dual variables whose bound is the best."""
    linear = float(problem.threshold @ alpha)
    quadratic = linear - problem.dual(alpha, problem.combine(alpha))
    if quadratic <= 0:
        return alpha
    best = max(linear / (2 * quadratic), 0.0)
    return alpha * min(best, problem.loss.steepest)
