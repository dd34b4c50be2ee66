"""How far a solution is from the optimum, at most: a proof that needs no other solver.

Dual variables that are feasible give a lower bound of the objective; the duality gap is
the distance from it to what was reached (Boyd and Vandenberghe 2004, "Convex
optimization", section 5.5).
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
    w : ndarray of shape (d,) or (n_classes, d)
        The coefficients.

    b : float or ndarray of shape (n_classes,)
        The intercept.

    alpha : ndarray of shape (n_rows,) or (n_rows, n_classes)
        The dual variables, feasible.

    objective : float
        The primal objective at w and b.

    gap : float
        The relative duality gap: primal minus dual, over the primal.

    n_iter : int, default=0
        The iterations that were done.
    """

    w: np.ndarray
    b: float | np.ndarray
    alpha: np.ndarray
    objective: float
    gap: float
    n_iter: int = 0


def certify(problem, w, b, alpha, n_iter=0, *, best_b=True):
    """Make the best of w and alpha, and measure the gap between them.

    The intercept is replaced by the best one, where that is easily found; and alpha by
    the nearest that is feasible.

    Parameters
    ----------
    problem : Problem or MulticlassProblem
        What is minimized.

    w : ndarray of shape (d,) or (n_classes, d)
        The coefficients.

    b : float or ndarray of shape (n_classes,)
        The intercept.

    alpha : ndarray of shape (n_rows,) or (n_rows, n_classes)
        The dual variables.

    n_iter : int, default=0
        The iterations done, passed on.

    best_b : bool, default=True
        Whether the intercept may be replaced.

    Returns
    -------
    solution : Solution
    """
    alpha = problem.feasible(alpha)
    v = problem.combine(alpha)
    return _measure(problem, w, b, alpha, v, n_iter, best_b)


def _measure(problem, w, b, alpha, v, n_iter, best_b=True):
    """The certificate with a feasible alpha that combines the rows to v."""
    margins = problem.margins(w, 0.0)
    if best_b and problem.finds_intercept:
        b = best_intercept(problem, margins)
    dual = problem.dual(alpha, v)
    if dual < 0 and problem.constant == 0:
        alpha = _best_multiple(problem, alpha)
        dual = problem.dual(alpha, problem.combine(alpha))
    margins = problem.shifted(margins, b)
    objective = problem.primal(w, b, margins)
    gap = max(objective - dual, 0.0)
    return Solution(w, b, alpha, objective, gap / objective if gap else 0.0, n_iter)


def consistent(problem, found):
    """The solution with the coefficients that its dual variables, made feasible, give."""
    alpha = problem.feasible(found.alpha)
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
    return float(problem.loss.best_corner(corners, cost, above, problem.pull[1]))


def dual_guess(problem, w, b):
    """Dual variables for coefficients that came without: of the rows with an error.

    Scaled so that the bound they give is the best of all multiples.

    Parameters
    ----------
    problem : Problem or MulticlassProblem
        What is minimized.

    w : ndarray of shape (d,) or (n_classes, d)
        The coefficients.

    b : float or ndarray of shape (n_classes,)
        The intercept.

    Returns
    -------
    alpha : ndarray of shape (n_rows,) or (n_rows, n_classes)
    """
    alpha = problem.dual_variables(problem.threshold - problem.margins(w, b))
    return _best_multiple(problem, problem.feasible(alpha))


def _best_multiple(problem, alpha):
    """The multiple of feasible dual variables whose bound is the best."""
    linear = float(np.vdot(problem.threshold, alpha))
    quadratic = linear - problem.dual(alpha, problem.combine(alpha))
    if quadratic <= 0:
        return alpha
    best = max(linear / (2 * quadratic), 0.0)
    return problem.multiple(alpha, min(best, problem.loss.steepest))
