"""Crammer and Singer's machine: all classes at once, solved like the polish of two.

Minimize sum_k ||w_k||^2 / 2 + sum_i cost_i max_k (delta_ik + z_ik - z_iy) over W and b,
where z_ik = x_i . w_k + b_k, y is row i's class and delta_ik is 0 for it and 1 for the
others (Crammer and Singer 2001, equation 5). A row has a margin z_iy - z_ik to each class,
with delta_ik as its threshold. The dual variables of a row are a distribution over the
classes, times its cost. The method of multipliers makes them the projection of a point to
the simplex, whose derivative is known.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.sparse import issparse

from skdeep.svm.solvers.certificate import FULL_PRECISION, certify, consistent
from skdeep.svm.solvers.conjugate_gradient import conjugate_gradients
from skdeep.svm.solvers.hinge import Hinge
from skdeep.svm.solvers.interrupt import keeping
from skdeep.svm.solvers.newton import factorize
from skdeep.svm.solvers.polish import EXACT, polish
from skdeep.svm.solvers.problem import Objective

# Newton systems up to this size are solved directly, where they are made fast enough.
_DIRECT_SIZE = 800
_DIRECT_ENTRIES = 1 << 23
# Rounding errors of margins, times the cost and this, are still small. A round that
# leaves so little of the gap is sharp enough.
_SHARPEST, _STEADY = 1e5, 1e-2
# Steps that mend the balance of dual variables, before something rougher does.
_MENDINGS = 30
# Gaps below this differ by rounding errors only.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class MulticlassProblem(Objective):
    """Rows with one of several classes each; see `Problem`.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n, d)
        The rows, in float64.

    codes : ndarray of int of shape (n,)
        The number of each row's class.

    cost : ndarray of shape (n,)
        What an error costs; above zero.

    n_classes : int
        How many classes there are.

    intercept : bool
        Whether there are intercepts.
    """

    X: object
    codes: np.ndarray
    cost: np.ndarray
    n_classes: int
    intercept: bool
    loss: ClassVar[Hinge] = Hinge()
    finds_intercept: ClassVar[bool] = False

    @cached_property
    def own(self):
        """1 in the column of each row's class, else 0."""
        return np.eye(self.n_classes)[self.codes]

    @cached_property
    def threshold(self):
        """Where the error to each class begins."""
        return 1.0 - self.own

    def margins(self, w, b):
        """How far the output of a row's own class is above those of all classes."""
        return self._above(self.X @ w.T + b)

    def shifted(self, margins, b):
        """The margins with intercepts, from those without."""
        return margins + self._above(np.broadcast_to(b, margins.shape))

    def _above(self, z):
        return np.take_along_axis(z, self.codes[:, None], axis=1) - z

    def errors(self, margins):
        """The largest of a row's errors; that to its own class is zero."""
        return (self.threshold - margins).max(axis=1)

    def coefficients(self, alpha):
        """What each row adds to each w_k, as a factor of x: of shape (n, n_classes)."""
        return self.cost[:, None] * self.own - alpha

    def combine(self, alpha):
        """The W that belongs to these dual variables."""
        return (self.X.T @ self.coefficients(alpha)).T

    def balance(self, alpha):
        """What each class's rows give away less than it gets: with intercepts, zero."""
        return self.coefficients(alpha).sum(axis=0) * self.intercept

    def dual_variables(self, distances):
        """The derivative of the costs: all of a row's with its largest error."""
        return self.cost[:, None] * np.eye(self.n_classes)[distances.argmax(axis=1)]

    def multiple(self, alpha, factor):
        """Feasible dual variables of the other classes, times a factor from 0 to 1."""
        own = self.cost[:, None] * self.own
        return own + factor * (alpha - own)

    def feasible(self, alpha):
        """The dual variables nearly as they are, with sums over rows as intercepts want.

        Each class must get from other classes' rows as much as its own rows give away.
        Where no change of what is there makes it so, what class k's rows give to class l,
        and class l's to class k, are both made the smaller of the two.
        """
        if not self.intercept:
            return alpha
        mended = self._mended(alpha)
        return self._exchanged(alpha) if mended is None else mended

    def _mended(self, alpha):
        """By factors for each class, which keep the rows' sums; None where none do it."""
        cost = self.cost[:, None]
        first = np.abs(self.balance(alpha)).max()
        for _ in range(_MENDINGS):
            sums = self.balance(alpha)  # class k lacks sums[k]
            if np.abs(sums).max() <= 1e-9 * first + 1e-14 * cost.sum():
                return alpha
            if not np.all(np.isfinite(alpha)):
                break
            matrix = np.diag(alpha.sum(axis=0)) - alpha.T @ (alpha / cost)
            change = np.linalg.lstsq(matrix, sums, rcond=None)[0]
            change = change - (alpha @ change)[:, None] / cost
            # a whole step mends it all; the largest that leaves nothing below zero
            lowest = -float(np.min(change))
            alpha = alpha * (1.0 + change * min(1.0, 0.9 / lowest if lowest > 0 else 1.0))
        return None

    def _exchanged(self, alpha):
        given = alpha * (1.0 - self.own)
        flow = self.own.T @ given  # from the rows of class k to class l
        scale = np.minimum(flow, flow.T) / np.where(flow > 0, flow, 1.0)
        given *= scale[self.codes]
        return given + self.own * (self.cost - given.sum(axis=1))[:, None]


def minimize_crammer_singer(problem, *, tol, max_iter):
    """Minimize by the method of multipliers, each round by Newton's method.

    Parameters
    ----------
    problem : MulticlassProblem
        What is minimized.

    tol : float
        The relative duality gap to reach; up to `FULL_PRECISION` it goes on to the last
        digits, where it can.

    max_iter : int
        The largest number of Newton steps.

    Returns
    -------
    solution : Solution
        Its `w` is of shape (n_classes, d), its `b` of (n_classes,) and its `alpha`, the
        dual variables, of (n, n_classes).
    """
    k, own = problem.n_classes, problem.cost[:, None] * problem.own
    with np.errstate(all="ignore"):
        zero = certify(problem, np.zeros((k, problem.n_columns)), np.zeros(k), own)
        found, goals = zero, {EXACT if tol <= FULL_PRECISION else tol, EXACT}
        for goal in sorted(goals, reverse=True):
            left = max_iter - found.n_iter
            options = {"smooth": SimplexResponse, "steady": _STEADY}
            with keeping(found):
                found = polish(
                    problem, found, sharpness=1.0, max_iter=left, tol=goal, **options
                )
            with keeping(found):
                same = consistent(problem, found)
            if same.gap <= goal:
                return same
    return same if same.gap <= max(found.gap, _ROUNDING) else found


class SimplexResponse:
    """The dual variables as a function of the margins, with the loss smoothed.

    The method of multipliers makes those of a row the nearest to
    alpha + slope (threshold - margins) that are a distribution, times the cost.
    """

    looks_beyond = 40

    def __init__(self, problem, alpha, sharpness):
        self.cost = problem.cost
        self.slope = min(sharpness, _SHARPEST) * problem.cost
        self._offset = alpha + self.slope[:, None] * problem.threshold

    def at(self, margins):
        """The dual variables, and which of them are above zero."""
        return project_to_simplex(self._offset - self.slope[:, None] * margins, self.cost)

    def along(self, margins, change):
        """What the cost's slope and curvature are where margins have changed t times so."""

        def at(t):
            alpha, inside = self.at(margins + t * change)
            count = np.maximum(inside.sum(axis=1), 1)
            bent = np.where(inside, change, 0.0)
            bend = np.sum(bent * bent, axis=1) - bent.sum(axis=1) ** 2 / count
            return -float(np.vdot(alpha, change)), float(self.slope @ bend)

        return at

    def system(self, problem):
        """The Newton systems of a search."""
        return _NewtonSystems(problem, self.slope)


class _NewtonSystems:
    """The steps of one search; rows with one class above zero do not bend the cost.

    What row i adds is the product of x_i x_i' with the projection to the sum zero among
    the classes above zero, which is its own square: a sum of squares in all.
    """

    def __init__(self, problem, slope):
        self._problem, self._slope = problem, slope
        self.exact = True

    def step(self, w, v, slope_b, inside, accuracy, rounding):
        """The step to where w = v and the slopes of b are zero on this piece."""
        rows = np.flatnonzero(inside.sum(axis=1) > 1)
        right = np.hstack([v - w, -slope_b[:, None]])
        count = np.count_nonzero(inside[rows]) - len(rows)
        part, mask = self._problem.X[rows], inside[rows].astype(np.float64)
        self.exact = True
        if 0 < count <= min(right.size, _DIRECT_SIZE):
            step = self._row_step(right, rows, part, inside[rows])
        elif right.size <= _DIRECT_SIZE and right.size * mask.size <= _DIRECT_ENTRIES:
            step = self._column_step(right, rows, part, mask)
        else:
            self.exact = False
            step = self._iterative_step(right, rows, part, mask, max(accuracy, rounding))
        # intercepts may all move together: they do not
        db = (step[:, -1] - step[:, -1].mean()) * self._problem.intercept
        return step[:, :-1], db

    def _row_step(self, right, rows, part, inside):
        """One equation for each class above zero of a row, but the first of these.

        With the differences D of these classes to the first and r the right-hand side of
        W: (D D' * (1/S + X X')) q - D db = (D * X r) 1, D' q as b wants it, and
        dW = r - (D q)' X. It stays accurate for slopes of any size.
        """
        first = inside.argmax(axis=1)
        others = inside.copy()
        others[np.arange(len(rows)), first] = False
        place, number = np.nonzero(others)
        identity = np.eye(len(right))
        difference = identity[number] - identity[first[place]]
        gram = part @ part.T
        gram = gram.toarray() if issparse(part) else gram
        gram[np.diag_indices(len(rows))] += 1.0 / self._slope[rows]
        kernel = (difference @ difference.T) * gram[np.ix_(place, place)]
        factor = factorize(kernel)
        rest = right[:, :-1]
        q = factor(np.sum(difference * (part @ rest.T)[place], axis=1))
        step = right.copy()
        if self._problem.intercept:
            ones = factor(difference)
            missing = right[:, -1] - difference.T @ q
            step[:, -1] = _along_bends(difference.T @ ones, missing, self._slope.mean())
            q += ones @ (step[:, -1] - step[:, -1].mean())
        weights = np.zeros(inside.shape)
        np.add.at(weights, place, q[:, None] * difference)
        step[:, :-1] -= (part.T @ weights).T
        return step

    def _column_step(self, right, rows, part, mask):
        """One equation for each column and class."""
        k, columns = right.shape
        extended = np.ones((len(rows), columns))
        extended[:, :-1] = part.toarray() if issparse(part) else part
        extended *= np.sqrt(self._slope[rows])[:, None]
        counts = mask.sum(axis=1)[:, None, None]
        projections = (
            mask[:, :, None] * np.eye(k) - mask[:, :, None] * mask[:, None] / counts
        )
        root = projections[:, :, :, None] * extended[:, None, None, :]
        root = root.reshape(-1, k * columns)
        matrix = root.T @ root
        ridge = np.ones((k, columns))
        # intercepts do not move where nothing bends
        free = self._problem.intercept
        ridge[:, -1] = 1e-12 * float(self._slope.mean()) if free else 1e300
        matrix[np.diag_indices(len(matrix))] += ridge.ravel()
        return factorize(matrix)(right.ravel()).reshape(k, columns)

    def _iterative_step(self, right, rows, part, mask, tol):
        """By conjugate gradients, with the diagonal as preconditioner."""
        slope = self._slope[rows, None]
        counts = mask.sum(axis=1, keepdims=True)
        free = float(self._problem.intercept)

        def apply(step):
            dz = mask * (part @ step[:, :-1].T + step[:, -1])
            dz = slope * (dz - mask * (dz.sum(axis=1, keepdims=True) / counts))
            product = np.empty_like(step)
            product[:, :-1] = step[:, :-1] + (part.T @ dz).T
            product[:, -1] = dz.sum(axis=0) * free
            return product

        share = slope * mask * (1.0 - 1.0 / counts)
        squares = part.multiply(part).tocsr() if issparse(part) else part * part
        inverse = np.empty_like(right)
        inverse[:, :-1] = 1.0 / (1.0 + (squares.T @ share).T)
        # the intercepts' mean is not determined, and stays
        bends = share.sum(axis=0)
        inverse[:, -1] = free / np.where(bends > 0, bends, float(self._slope.mean()))
        step, _ = conjugate_gradients(
            apply, np.zeros_like(right), right, lambda r: inverse * r, tol=tol
        )
        return step


def _along_bends(matrix, right, usual):
    """Solve for a step; where nothing bends, as for groups of classes that no row
    compares, it is the slope over a usual number."""
    if not np.all(np.isfinite(matrix)):
        return np.full(len(right), np.nan)
    values, directions = np.linalg.eigh(matrix)
    values = np.where(values > 1e-12 * values[-1], values, usual)
    return directions @ ((directions.T @ right) / values)


def project_to_simplex(points, size):
    """The nearest points with entries >= 0 that have given sums, row by row.

    Held, Wolfe and Crowder (1974), "Validation of subgradient optimization".

    Parameters
    ----------
    points : ndarray of shape (n, k)
        The points.

    size : ndarray of shape (n,)
        The sums; above zero.

    Returns
    -------
    projected : ndarray of shape (n, k)

    inside : ndarray of bool of shape (n, k)
        Which entries are above zero.
    """
    falling = -np.sort(-points, axis=1)
    sums = np.cumsum(falling, axis=1) - size[:, None]
    numbers = np.arange(1, points.shape[1] + 1)
    count = np.count_nonzero(falling * numbers > sums, axis=1)
    shift = np.take_along_axis(sums, count[:, None] - 1, axis=1) / count[:, None]
    moved = points - shift
    return np.maximum(moved, 0.0), moved > 0
