"""The last digits of a hinge loss solution, so that its support vectors can be read off.

The method of multipliers (Rockafellar 1976, "Augmented Lagrangians and applications of
the proximal point algorithm in convex programming"): the hinge loss is replaced by a
smooth one around the current dual variables, which Newton's method minimizes to the
last bit; its dual variables are the next ones. Rows whose dual variables stay inside
their bounds are guessed to lie on the margin, and what is solved is the bordered system
of these, with proximal refinement; the bounds correct a wrong guess. From any start it
converges, from a good one in two or three rounds, and dual variables at their bounds
are there exactly.
"""

from dataclasses import replace

import numpy as np

from skdeep.svm.solvers.certificate import certify
from skdeep.svm.solvers.interrupt import Interrupted, keeping
from skdeep.svm.solvers.newton import Response, minimize_newton

# Double precision gives gaps down to about here.
EXACT = 1e-13
_GOOD = 1e-10
_ENOUGH = 1e-12
_ROUNDING = 1e-7

# Rounding errors of a margin, times this, are still small beside 1.
_SHARPEST = 1e8
# Newton steps in a round: where they go round in circles, the next round ends it.
_STEPS = 60
# Rounds without a smaller gap, from a rough start. Where a row may move its own margin so
# many times its threshold, rounding errors of alpha alone exceed every gap.
_PATIENCE, _HOPELESS = 12, 1e14
# Rows that take part in any polish, besides those whose dual variables are inside.
_FEW_ROWS = 200


def smoothed_hinge(problem, alpha, sharpness):
    """The hinge loss, smoothed around dual variables."""
    slope = sharpness * problem.cost
    return Response(problem.threshold, slope, alpha, problem.cost)


def polish(
    problem, start, *, sharpness, max_iter, tol=EXACT, smooth=smoothed_hinge, steady=0.0
):
    """Bring a solution of the hinge loss to full precision.

    Parameters
    ----------
    problem : Problem or MulticlassProblem
        What is minimized; its loss is a hinge.

    start : Solution
        Where to begin.

    sharpness : float
        How narrow the smoothed corner of the loss is at the beginning: 1 over its
        width. The better the start, the larger.

    max_iter : int
        The largest number of Newton steps.

    tol : float, default=1e-13
        The relative duality gap to stop at.

    smooth : callable, default=smoothed_hinge
        Makes the response of the smoothed loss from the problem, dual variables and the
        sharpness.

    steady : float, default=0.0
        A round that leaves less than this share of the gap is sharp enough for the next.

    Returns
    -------
    solution : Solution
        The best one that was seen.
    """
    # rounding errors of margins that are exactly at their threshold make such a gap
    rounding = np.finfo(float).eps * float(problem.cost.sum())
    rounding = min(rounding / (start.objective or 1.0), _ROUNDING)
    best, least = None, np.inf
    w, b, alpha = start.w, start.b, start.alpha
    size = float(problem.squared_norms.mean()) * float(problem.cost.mean())
    patience = _PATIENCE if sharpness <= 1.0 and size < _HOPELESS else 3
    # from here on the proximal term is small beside the rows' products
    enough = min(100.0 / size, 0.1 * _SHARPEST) if size else 0.0
    # and from here on rounding errors are all that could become larger
    sharpness = min(sharpness, 1e3 * enough)
    steps, waited = 0, 0
    while steps < max_iter and waited < patience:
        response = smooth(problem, alpha, sharpness)
        with keeping(best or start):
            w, b, alpha, n = minimize_newton(
                problem, response, w, b, max_iter=min(max_iter - steps, _STEPS)
            )
        steps += max(n, 1)
        found = certify(problem, w, b, alpha, start.n_iter + steps)
        improved = found.gap < 0.5 * least or sharpness <= enough
        waited = 0 if improved else waited + 1
        fast = found.gap < steady * least < np.inf
        least = min(least, found.gap)
        if least < _GOOD:
            patience = 3
        if best is None or found.gap <= max(best.gap, EXACT):
            best = found
            # full precision is that of dual variables, too
            if found.gap <= tol and (sharpness > enough or tol > EXACT):
                break
        sharpness = sharpness if fast else min(20 * sharpness, _SHARPEST)
    # of two good ones the polished one has dual variables exactly at their bounds
    if best is None or best.gap > max(start.gap, _GOOD, rounding):
        best = start
    return replace(best, n_iter=start.n_iter + steps)


def polish_near_rows(problem, start, *, sharpness, max_iter, tol=EXACT):
    """Polish with the rows near the margin, and check the others afterwards.

    Rows far from the margin keep their dual variables at the bound they are at. Where
    the duality gap of all rows shows that this was wrong of one, more rows take part.

    Parameters
    ----------
    problem, start, sharpness, max_iter, tol
        As in `polish`.

    Returns
    -------
    solution : Solution
    """
    part = start.alpha / problem.cost
    inside = (part > 0) & (part < 1)
    count = _FEW_ROWS + 2 * np.count_nonzero(inside) + problem.n_rows // 50
    while 2 * count < problem.n_rows:
        rest = problem.margins(start.w, start.b) - problem.threshold
        distance = np.where(inside, 0.0, np.abs(rest))
        near = distance <= np.partition(distance, count)[count]
        beyond = ~near & (rest < 0)
        part = problem.restricted(near, beyond)
        begin = replace(start, alpha=start.alpha[near], gap=np.inf)
        left = max_iter - start.n_iter
        try:
            found = polish(part, begin, sharpness=sharpness, max_iter=left, tol=tol)
        except KeyboardInterrupt as interrupt:  # with a solution of the part only
            raise Interrupted(start) from interrupt
        alpha = np.where(beyond, problem.cost, 0.0)
        alpha[near] = found.alpha
        whole = certify(problem, found.w, found.b, alpha, found.n_iter)
        if whole.gap <= max(tol, _ENOUGH):
            return whole
        start = whole if whole.gap < start.gap else replace(start, n_iter=whole.n_iter)
        inside |= near
        count *= 4
    left = max_iter - start.n_iter
    return polish(problem, start, sharpness=sharpness, max_iter=left, tol=tol)
