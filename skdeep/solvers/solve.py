"""The door to the exact solvers: which one fits a problem, and how they work together."""

import numpy as np

from skdeep.kernels import native
from skdeep.solvers.certificate import certify
from skdeep.solvers.coordinate_descent import minimize_coordinate_descent
from skdeep.solvers.interior_point import minimize_interior_point
from skdeep.solvers.newton import Response, minimize_newton
from skdeep.solvers.polish import polish_near_rows

EXACT_SOLVERS = ("interior_point", "newton", "coordinate_descent")

# An interior point needs a Gram matrix an iteration, so it is for few columns.
_NARROW = 256
_GRAM_FLOPS = 2e9
# Solvers go on to here, whatever the user's tolerance; what follows is polish.
_INSIDE = 1e-9
# Gaps below this differ by rounding errors only.
_ROUNDING = 1e-12
# The epochs of coordinate descent before Newton's method takes over.
_EPOCHS = 200


def choose_solver(problem):
    """The solver for a problem, where the user leaves it open.

    - Squared errors are smooth: Newton's method ends in a few steps, dense or sparse.
    - The hinge loss with few columns, or with moderately many and not too many rows:
      an interior point takes about 20 iterations whatever the data and C are.
    - With many columns each of these would cost too much, while coordinate descent
      costs one pass over the rows, and of sparse ones over what is not zero. It finds
      which rows matter; the polish with Newton steps on these does the rest.
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
    if problem.squared:
        return "newton"
    n, d = problem.n_rows, problem.n_columns
    if d <= _NARROW or (not problem.sparse and n * d * d <= _GRAM_FLOPS):
        return "interior_point"
    return "coordinate_descent" if native.ENABLED else "newton"


def solve(problem, solver="auto", *, tol=1e-6, max_iter=1000):
    """Minimize a problem to full precision.

    Parameters
    ----------
    problem : Problem
        What is minimized.

    solver : {"auto", "interior_point", "newton", "coordinate_descent"}, default="auto"
        The method; `choose_solver` says what ``"auto"`` is.

    tol : float, default=1e-6
        The relative duality gap that is asked for. Solvers go further where they can.

    max_iter : int, default=1000
        The largest number of iterations, over all stages.

    Returns
    -------
    solution : Solution
        With the gap that was reached, which may be larger than `tol`.
    """
    if solver == "auto":
        solver = choose_solver(problem)
    # where a method meets infinities it stops, and the certificate tells
    with np.errstate(all="ignore"):
        return _solve(problem, solver, tol, max_iter)


def _solve(problem, solver, tol, max_iter):
    inside = min(tol, _INSIDE)
    start = _zero(problem)
    if not problem.n_columns or not np.any(problem.squared_norms):
        return start
    if solver == "interior_point":
        start = minimize_interior_point(problem, tol=inside, max_iter=max_iter)
    elif solver == "coordinate_descent":
        epochs = min(_EPOCHS, max_iter)
        start = minimize_coordinate_descent(problem, tol=inside, max_iter=epochs)
    if problem.squared:
        return _consistent(problem, _newton(problem, start, max_iter))
    if solver == "newton":
        sharpness = 1.0
    else:  # the smaller the gap, the nearer the margins are to what they will be
        sharpness = float(np.clip(0.1 / np.sqrt(start.gap + 1e-16), 1.0, 1e4))
    found = polish_near_rows(problem, start, sharpness=sharpness, max_iter=max_iter)
    return _consistent(problem, found)


def _consistent(problem, found):
    """The solution with the coefficients that its dual variables give, if as good."""
    w = problem.combine(found.alpha)
    same = certify(problem, w, found.b, found.alpha, found.n_iter)
    return same if same.gap <= max(found.gap, _ROUNDING) else found


def _newton(problem, start, max_iter):
    response = Response(problem.threshold, 2 * problem.cost)
    w, b, u, n_iter = minimize_newton(
        problem, response, start.w, start.b, max_iter=max_iter - start.n_iter
    )
    return certify(problem, w, b, u, start.n_iter + n_iter)


def _zero(problem):
    """The best solution without coefficients, which is exact for rows of zeros."""
    w = np.zeros(problem.n_columns)
    if problem.squared:
        b = float(problem.cost @ (problem.sign * problem.threshold)) / problem.cost.sum()
        b *= problem.intercept
        alpha = 2 * problem.cost * problem.errors(problem.margins(w, b))
    else:
        first = certify(problem, w, 0.0, np.zeros(problem.n_rows))
        b = first.b
        errors = problem.errors(problem.margins(w, b))
        # rows at the corner may have any share; the balance decides
        near = problem.threshold - problem.sign * b > -1e-9
        alpha = problem.cost * ((errors > 0) | near)
    return certify(problem, w, b, alpha)
