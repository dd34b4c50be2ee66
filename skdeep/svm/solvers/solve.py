"""The door to the exact solvers: which one fits a problem, and how they work together."""

from dataclasses import replace
from functools import partial

import numpy as np

from skdeep.kernels import native
from skdeep.svm.solvers.certificate import (
    FULL_PRECISION,
    Solution,
    best_intercept,
    certify,
    consistent,
)
from skdeep.svm.solvers.dual_coordinate_descent import minimize_coordinate_descent
from skdeep.svm.solvers.interior_point import minimize_interior_point
from skdeep.svm.solvers.interrupt import Interrupted, keeping
from skdeep.svm.solvers.newton import DIRECT_SIZE, Response, minimize_newton
from skdeep.svm.solvers.polish import EXACT, polish_near_rows

EXACT_SOLVERS = ("interior_point", "newton", "coordinate_descent")

# An interior point needs a Gram matrix an iteration, so it is for few columns.
_NARROW = 256
_GRAM_FLOPS = 2e9
# Where one sign has no larger share of the rows, most of the others matter little.
_FEW = 0.15
# Products with a conjugate gradient's matrix that a Newton step needs, of sparse rows.
_PRODUCTS = 150
# An interior point goes on to here, where full precision is asked for, or to the goal.
_INSIDE = 1e-9
# With a larger gap than this, and a larger share of rows with dual variables inside their
# limits, coordinate descent has not found out which rows matter.
_LOST, _MANY = 0.03, 0.1
# What things take, in seconds: a multiplication and addition of matrices, one of rows with
# vectors, dense and sparse, and of sorting, for each row; and what any Newton step takes.
_MATRIX, _DENSE, _SPARSE, _SORT, _STEP = 5e-11, 4e-10, 1.2e-9, 1e-7, 5e-4
# Looks before a gap tells how fast it falls, where Newton steps would take long.
_LOOKS = 4
# Passes over the rows between two looks at coordinate descent's gap, the look included.
_PASSES = 13
# With errors that cost so much, squared, a step's rounding errors are as large as margins.
_STIFF = 1e12
# Gaps below this differ by rounding errors only.
_ROUNDING = 1e-12


def choose_solver(problem):
    """The solver to begin with, where the user leaves it open.

    - Squared errors are smooth: Newton's method ends in a few steps. Of sparse rows with
      many columns, whose products are small, coordinate descent needs few epochs, too,
      and these cost less.
    - The hinge loss with few columns, or with moderately many and not too many rows:
      an interior point takes about 20 iterations whatever the data and C are.
    - With many columns each of these would cost too much, while coordinate descent
      costs one pass over the rows, and of sparse ones over what is not zero. It finds
      which rows matter; the polish with Newton steps on these does the rest.
    - Of few rows against many others, as of one class of many, coordinate descent soon
      visits those near the margin only. Where it does not, an interior point takes over.
    - Coordinate descent in plain Python is slow: without compiled kernels Newton's
      method does all of it.

    Parameters
    ----------
    problem : Problem
        What is minimized.

    Returns
    -------
    name : {"interior_point", "newton", "coordinate_descent"}
    """
    descends = native.ENABLED
    share = np.count_nonzero(problem.sign > 0) / problem.n_rows
    few = min(share, 1 - share) <= _FEW
    if problem.loss.is_smooth:
        many_columns = problem.sparse and problem.n_columns > DIRECT_SIZE
        return "coordinate_descent" if (many_columns or few) and descends else "newton"
    if _suits_interior_point(problem):
        return "coordinate_descent" if few and descends else "interior_point"
    return "coordinate_descent" if descends else "newton"


def _suits_interior_point(problem):
    n, d = problem.n_rows, problem.n_columns
    few = d <= _NARROW or (not problem.sparse and n * d * d <= _GRAM_FLOPS)
    return few and not problem.loss.is_smooth


def solve(problem, solver="auto", *, tol=1e-6, max_iter=1000):
    """Minimize a problem.

    Parameters
    ----------
    problem : Problem
        What is minimized.

    solver : {"auto", "interior_point", "newton", "coordinate_descent"}, default="auto"
        The method; `choose_solver` says what ``"auto"`` begins with.

    tol : float, default=1e-6
        The relative duality gap that is asked for. Up to `FULL_PRECISION` solvers go on
        to the last digits, where they can; with more, they stop at it.

    max_iter : int, default=1000
        The largest number of iterations, over all stages.

    Returns
    -------
    solution : Solution
        With the gap that was reached, which may be larger than `tol`. Its `w` is what
        its `alpha` combines the rows to, up to rounding.

    Raises
    ------
    Interrupted
        Where the user interrupts the search, with the best solution so far.
    """
    # where a method meets infinities it stops, and the certificate tells
    with np.errstate(all="ignore"):
        zero = _zero(problem)
        if not zero.objective or not problem.n_columns or not np.any(problem.squared_norms):
            return zero
        with keeping(zero):
            found = _solve(problem, zero, solver, max(tol, EXACT), max_iter)
        with keeping(found):
            if not found.gap <= tol:
                found = _with_dear_errors(problem, found, solver, tol, max_iter)
    # nothing that is worse than no coefficients at all, rounding errors aside
    if found.objective <= zero.objective * (1 + 1e-9):
        return found
    return replace(zero, n_iter=found.n_iter)


def _solve(problem, zero, solver, tol, max_iter):
    goal = EXACT if tol <= FULL_PRECISION else tol
    start = _begin(problem, zero, solver, goal, max_iter)
    with keeping(start):
        if goal > EXACT:
            same = consistent(problem, start)
            if same.gap > goal and not problem.loss.is_smooth:
                start = _polished(problem, start, goal, max_iter)
                same = consistent(problem, start)
            if same.gap <= goal:
                return same
        if problem.loss.is_smooth:
            found = _newton(problem, start, max_iter)
        else:
            found = _polished(problem, start, EXACT, max_iter)
    with keeping(found):
        same = consistent(problem, found)
    return same if same.gap <= max(found.gap, _ROUNDING) else found


def _with_dear_errors(problem, found, solver, tol, max_iter):
    """A better solution where errors cost so much that rounding them does.

    Rows that can be told apart have no errors then, up to rounding. A solution for lower
    costs is stretched until there are none at all.
    """
    if not np.all(problem.threshold > 0):  # to stretch a regression is no way to fit it
        return found
    candidates = [found, _stretched(problem, found)]
    stiffness = 2 * np.max(problem.cost) * np.max(problem.squared_norms)
    if problem.loss.is_smooth and stiffness > _STIFF:
        eased = replace(problem, cost=problem.cost * (_STIFF / stiffness))
        try:
            start = _solve(eased, _zero(eased), solver, EXACT, max_iter)
        except Interrupted as interrupt:  # with a certificate of this problem
            raise Interrupted(_stretched(problem, interrupt.solution)) from interrupt
        candidates.append(_stretched(problem, start))
    return min(candidates, key=lambda found: (not found.gap <= tol, found.objective))


def _stretched(problem, found):
    """The solution times the least factor that leaves no errors, if there is one."""
    margins = problem.margins(found.w, found.b)
    if not np.all(margins > 0):
        return certify(problem, found.w, found.b, found.alpha, found.n_iter, best_b=False)
    factor = float(np.max(problem.threshold / margins)) * (1 + 8 * np.finfo(float).eps)
    w, b = factor * found.w, factor * found.b
    return certify(problem, w, b, found.alpha, found.n_iter, best_b=False)


def _begin(problem, zero, solver, goal, max_iter):
    """What the method finds by itself."""
    first, start = choose_solver(problem) if solver == "auto" else solver, zero
    if first == "coordinate_descent":
        start = minimize_coordinate_descent(
            problem,
            tol=goal,
            max_iter=(max_iter + 1) // 2,
            is_slow=partial(_is_slow, problem, goal),
        )
        lost = start.gap > _LOST and _inside(problem, start.alpha) > _MANY * problem.n_rows
        if solver == "auto" and lost and _suits_interior_point(problem):
            first = "interior_point"
    if first == "interior_point":
        left = max_iter - start.n_iter
        inside = 0.1 * goal if goal > EXACT else _INSIDE
        found = minimize_interior_point(problem, tol=inside, max_iter=left)
        start = replace(found, n_iter=start.n_iter + found.n_iter)
    return start


def _is_slow(problem, goal, gaps, alpha):
    """Whether Newton steps bring coordinate descent's solution to the end sooner.

    Parameters
    ----------
    problem : Problem
        What is minimized.

    goal : float
        The gap to reach.

    gaps : list of float
        The gaps at all looks so far.

    alpha : ndarray of shape (n_rows,)
        The dual variables at the last one.
    """
    if len(gaps) < _LOOKS and gaps[-1] > _LOST and not _suits_interior_point(problem):
        return False
    n, d = problem.n_rows, problem.n_columns
    entries = problem.X.nnz / problem.X.shape[0] if problem.sparse else d
    once = entries * (_SPARSE if problem.sparse else _DENSE)
    looks, gap = min(len(gaps), 4), max(gaps[-1], goal)
    before = gaps[-1 - looks] if looks < len(gaps) else 1.0
    rate = max(np.log(max(before, gap) / gap) / looks, 1e-3)
    epochs = np.log(gap / goal) / rate * n * (_PASSES * once + _SORT)

    inside = _inside(problem, alpha)
    small, large = sorted((inside, d))
    step = small * small * (small / 3 + large * (not problem.sparse)) * _MATRIX
    if problem.sparse and small > DIRECT_SIZE:
        step = _PRODUCTS * 2 * inside * once
    steps = 6 + 4 * max(np.log10(gap / 1e-4), 0.0)
    return epochs > steps * (_STEP + step)


def _inside(problem, alpha):
    """How many dual variables are inside their limits."""
    return np.count_nonzero((alpha > 0) & (alpha < problem.limit))


def _polished(problem, start, goal, max_iter):
    """From any start, by Newton steps on the hinge loss, smoothed."""
    # the smaller the gap, the nearer the margins are to what they will be
    sharpness = float(np.clip(0.1 / np.sqrt(start.gap + 1e-16), 1.0, 1e4))
    sharpness = sharpness if start.n_iter else 1.0
    return polish_near_rows(
        problem, start, sharpness=sharpness, max_iter=max_iter, tol=goal
    )


def _newton(problem, start, max_iter):
    """By Newton's method on squared errors, whose last step is exact."""
    response = Response(problem.threshold, 2 * problem.cost)
    w, b, u, n_iter = minimize_newton(
        problem, response, start.w, start.b, max_iter=max_iter - start.n_iter
    )
    return certify(problem, w, b, u, start.n_iter + n_iter)


def _zero(problem):
    """The best solution without coefficients, which is exact for rows of zeros."""
    w, margins = np.zeros(problem.n_columns), np.zeros(problem.n_rows)
    b = best_intercept(problem, margins) if problem.intercept else 0.0
    errors = problem.errors(problem.margins(w, b))
    rounding = 4 * np.finfo(float).eps * float(np.max(np.abs(problem.threshold)))
    if np.max(errors) <= rounding:  # nothing costs less than nothing
        return Solution(w, b, np.zeros(problem.n_rows), 0.0, 0.0)
    rest = problem.threshold - problem.sign * b
    if problem.loss.is_smooth:
        alpha = problem.loss.dual_variables(problem.cost, rest)
    else:
        alpha = _shares_at_the_corner(problem, rest)
    return certify(problem, w, b, alpha, best_b=False)


def _shares_at_the_corner(problem, rest):
    """The dual variables of a loss with a corner, where every row is `rest` from it.

    Rows at the corner may have any share: they make up for what the others leave.
    """
    corner = 1e-9 * float(np.max(np.abs(problem.threshold)))
    alpha = problem.loss.dual_variables(problem.cost, rest - corner)
    missing = -problem.balance(alpha)
    side = np.flatnonzero((np.abs(rest) <= corner) & (problem.sign * missing > 0))
    # one row after the other, so that all but one are at a limit exactly
    before = np.cumsum(problem.cost[side]) - problem.cost[side]
    alpha[side] = np.clip(abs(missing) - before, 0.0, problem.cost[side])
    return alpha
