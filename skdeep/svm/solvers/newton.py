"""Newton's method on the active set, for the squared hinge loss and what resembles it.

The cost is piecewise quadratic, so that a Newton step from the right piece ends at the
minimum exactly (Keerthi and DeCoste 2005, "A modified finite Newton method for fast
solution of large scale linear SVMs"). An exact line search makes it converge from
anywhere.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from skdeep.svm.solvers.certificate import certify
from skdeep.svm.solvers.conjugate_gradient import solve_on_hyperplane
from skdeep.svm.solvers.interrupt import Interrupted
from skdeep.svm.solvers.line_search import zero_of_rising
from skdeep.svm.solvers.problem import weighted_gram

# Systems of sparse rows above this size are solved by conjugate gradients.
DIRECT_SIZE = 400
# A gradient of this size, relative to its parts, is rounding errors.
_FLAT = 4e-15
# Steps without a smaller gradient after which it is as small as it will be.
_PATIENCE = 100


@dataclass(frozen=True)
class Response:
    """The dual variables as a function of the margins.

    u_i = clip(offset_i + slope_i (threshold_i - margin_i), 0, limit_i). The squared
    hinge has offset 0, slope 2 cost and no limit; the hinge loss, smoothed by the
    method of multipliers, the last multipliers as offset and the cost as limit.
    """

    threshold: np.ndarray
    slope: np.ndarray
    offset: np.ndarray | float = 0.0
    limit: np.ndarray | float = np.inf
    # longer steps are guessed: to find their ends costs more than it brings, and at full
    # precision they are rounding errors
    looks_beyond: ClassVar[int] = 1

    def at(self, margins):
        """The dual variables, and which of them are inside their limits."""
        u = self.offset + self.slope * (self.threshold - margins)
        inside = (u > 0) & (u < self.limit)
        return np.clip(u, 0.0, self.limit), inside

    def along(self, margins, change):
        """What the cost's slope and curvature are where margins have changed t times so."""
        bends = self.slope * change * change

        def at(t):
            u, inside = self.at(margins + t * change)
            return -float(u @ change), float(bends[inside].sum())

        return at

    def system(self, problem):
        """The Newton systems of a search."""
        return _NormalEquations(problem, self)


def minimize_newton(problem, response, w, b, *, max_iter):
    """Minimize ||w||^2 / 2 plus a cost whose derivative by the margins is -response.

    Parameters
    ----------
    problem : Problem or MulticlassProblem
        The rows and their signs or classes.

    response : Response or SimplexResponse
        The derivative of the cost.

    w : ndarray of shape (d,) or (n_classes, d)
        Where to begin.

    b : float or ndarray of shape (n_classes,)
        The intercept to begin with.

    max_iter : int
        The largest number of steps.

    Returns
    -------
    w : ndarray
    b : float or ndarray
    u : ndarray
        The dual variables at the end.
    n_iter : int
        The steps done.
    """
    system = response.system(problem)
    margins = problem.margins(w, b)
    u, inside = response.at(margins)
    best, before, care, waited = np.inf, np.inf, 1.0, 0
    n_iter = 0
    try:
        for n_iter in range(max_iter):
            v = problem.combine(u)
            slope_b = -problem.balance(u)
            size, floor = _relative_gradient(problem, w, v, slope_b, u)
            enough = max(_FLAT, floor)
            waited = 0 if size < best else waited + 1
            stuck = waited > _PATIENCE or not np.isfinite(size)
            if size <= enough or (size < 1e-9 and size > 0.5 * best) or stuck:
                break
            # where rough steps get nowhere, more of a step's work is worth it
            care = 0.1 * care if size > 0.3 * before else min(10 * care, 1.0)
            best, before = min(best, size), size
            piece = inside, u > 0
            accuracy, rounding = care * min(0.05, size), 0.1 * enough / size
            dw, db = system.step(w, v, slope_b, inside, accuracy, rounding)
            dm = problem.margins(dw, db)
            length = _length(problem, response, w, dw, db, margins, dm)
            w, b = w + length * dw, b + length * db
            # the product anew from time to time, before rounding errors add up
            margins = margins + length * dm if n_iter % 4 != 3 else problem.margins(w, b)
            u, inside = response.at(margins)
            if system.exact and abs(length - 1.0) < 1e-6:
                same = [
                    np.array_equal(*masks)
                    for masks in zip(piece, (inside, u > 0), strict=True)
                ]
                if all(same):  # the minimum of this piece, up to rounding
                    n_iter += 1
                    break
        else:
            n_iter = max_iter
    except KeyboardInterrupt as interrupt:
        raise Interrupted(certify(problem, w, b, u, n_iter)) from interrupt
    return w, b, u, n_iter


def _relative_gradient(problem, w, v, slope_b, u):
    """The gradient's size, and the size that rounding errors may give it."""
    scale = np.linalg.norm(w) + np.linalg.norm(v) or 1.0
    norms = problem.repeated(np.sqrt(problem.squared_norms))
    floor = np.finfo(float).eps * float(np.sum(u.T @ norms)) / scale
    total = float(u.sum()) or 1.0
    slope = float(np.sum(np.abs(slope_b)))
    return max(np.linalg.norm(w - v) / scale, slope / total), floor


def _length(problem, response, w, dw, db, margins, dm):
    """The length of a step where the cost along it is least."""
    start = float(np.vdot(w - problem.pull[0], dw)) - float(np.sum(problem.pull[1] * db))
    curvature = float(np.vdot(dw, dw))
    along = response.along(margins, dm)

    def derivative(t):
        slope, bend = along(t)
        return start + t * curvature + slope, curvature + bend

    return zero_of_rising(derivative, beyond=response.looks_beyond)


class _NormalEquations:
    """The Newton systems of one search; of dense rows the Gram matrix is kept up to date.

    The step solves, for the rows J inside their limits, the bordered system of w and b,
    in the form that is smaller: one equation for each column, or one for each row of J.
    """

    def __init__(self, problem, response):
        self._problem, self._slope = problem, response.slope
        # an error of a step in the margins is up to so many times larger in the gradient
        self._stiffness = 1.0 + float(np.max(response.slope)) * float(
            problem.squared_norms.max()
        )
        self._inside = None
        self.exact = True

    def step(self, w, v, slope_b, inside, accuracy, rounding):
        """The step to where w = v and the slope of b is zero on this piece of the cost.

        Parameters
        ----------
        w, v : ndarray of shape (d,)
            The coefficients, and those that the dual variables give.

        slope_b : float
            The derivative of the cost by b.

        inside : ndarray of bool of shape (n_rows,)
            The rows that bend the cost.

        accuracy, rounding : float
            The error of the gradient that is small enough, relative to the gradient, and
            what rounding makes it in any case.
        """
        problem = self._problem
        self.exact = True
        rows = np.flatnonzero(inside)
        free = problem.intercept
        if not len(rows):
            # nothing bends the cost: w goes to its minimum, b down its slope
            return v - w, -np.sign(slope_b) * free
        sign, slope = problem.sign[rows], self._slope[rows]
        small = min(len(rows), problem.n_columns)
        if problem.sparse and small > DIRECT_SIZE:
            tol = max(accuracy / np.sqrt(self._stiffness), rounding / self._stiffness)
            return self._iterative_step(w, v, slope_b, rows, sign, slope, tol)
        if len(rows) <= problem.n_columns:
            return self._row_step(w, v, slope_b, rows, sign, slope)
        return self._column_step(w, v, slope_b, inside)

    def _column_step(self, w, v, slope_b, inside):
        """(I + X_J' S X_J) dw + X_J' s db = v - w, and the same for b."""
        self._update(inside)
        gradient = w - v
        d = len(w)
        matrix = self._gram + np.eye(d)
        factor = factorize(matrix)
        first = -factor(gradient)
        if not self._problem.intercept:
            return first, 0.0
        # b by elimination
        second = factor(self._sums)
        pivot = self._total - float(self._sums @ second)
        right = -slope_b - float(self._sums @ first)
        db = right / pivot if pivot > 1e-14 * self._total else 0.0
        return first - db * second, db

    def _update(self, inside):
        problem, slope = self._problem, self._slope
        if self._inside is not None:
            came, left = inside & ~self._inside, self._inside & ~inside
            changed = np.flatnonzero(came | left)
            if 2 * len(changed) < np.count_nonzero(inside):
                if len(changed):
                    for rows, factor in ((came, 1.0), (left, -1.0)):
                        rows = np.flatnonzero(rows)
                        part = problem.take(rows)
                        self._gram += factor * weighted_gram(part, slope[rows])
                        self._sums += factor * (part.T @ slope[rows])
                self._total = float(slope[inside].sum())
                self._inside = inside
                return
        self._gram, self._sums = problem.gram(np.where(inside, slope, 0.0))
        self._total = float(slope[inside].sum())
        self._inside = inside

    def _row_step(self, w, v, slope_b, rows, sign, slope):
        """(1/S + X_J X_J') q + 1 db = X_J (v - w), sum q = -slope_b; dw = v - w - X_J'q.

        It stays accurate for slopes of any size.
        """
        part = self._problem.take(rows)
        kernel = part @ part.T
        kernel = kernel.toarray() if self._problem.sparse else kernel
        kernel[np.diag_indices(len(rows))] += 1.0 / slope
        factor = factorize(kernel)
        rest = v - w
        q = factor(part @ rest)
        if not self._problem.intercept:
            return rest - part.T @ q, 0.0
        ones = factor(np.ones(len(rows)))
        # the change of sign_J u_J is -q: it must undo the slope
        db = (-slope_b - float(q.sum())) / float(ones.sum())
        return rest - part.T @ (q + db * ones), db

    def _iterative_step(self, w, v, slope_b, rows, sign, slope, tol):
        self.exact = False
        part = self._problem.take(rows)
        rest = v - w
        transposed = part.T
        diagonal = (
            1.0 / slope + self._problem.squared_norms[rows % self._problem.X.shape[0]]
        )
        q, c = solve_on_hyperplane(
            lambda q: part @ (transposed @ q) + q / slope,
            part @ rest,
            total=-slope_b if self._problem.intercept else None,
            diagonal=diagonal,
            tol=tol,
        )
        return rest - transposed @ q, -c


def factorize(matrix):
    """A function that solves equations with a positive definite matrix, scaled first.

    Where rounding errors have made it indefinite, its diagonal is raised a little; where
    it is not finite, nor is any solution.
    """
    if not np.all(np.isfinite(matrix)):
        return lambda right: np.full_like(right, np.nan)
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), np.finfo(float).tiny))
    scaled = matrix * scale * scale[:, None]
    ridge = 0.0
    while True:
        try:
            scaled[np.diag_indices(len(scale))] = 1.0 + ridge
            factor = cho_factor(scaled, lower=True, check_finite=False)
            break
        except LinAlgError:
            ridge = max(100 * ridge, 1e-15)

    def solve(right):  # a vector, or columns
        return (scale * cho_solve(factor, (scale * right.T).T, check_finite=False).T).T

    return solve
