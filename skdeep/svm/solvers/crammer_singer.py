"""Crammer and Singer's machine: all classes at once, solved like the polish of two.

Minimize sum_k ||w_k||^2 / 2 + sum_i cost_i max_k (delta_ik + z_ik - z_iy) over W and b,
where z_ik = x_i . w_k + b_k, y is row i's class and delta_ik is 0 for it and 1 for the
others (Crammer and Singer 2001, equation 5). The dual variables of a row are a
distribution over the classes, times its cost. The method of multipliers makes them the
projection of a point to the simplex, whose derivative is known, and Newton's method with
conjugate gradients minimizes what results.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse

from skdeep.svm.solvers.certificate import FULL_PRECISION, Solution
from skdeep.svm.solvers.interrupt import Interrupted, keeping
from skdeep.svm.solvers.newton import factorize

_STEPS = 60
_SHARPEST = 1e5
# Newton systems up to this size are solved directly, where they are made fast enough.
_DIRECT_SIZE = 800
_DIRECT_ENTRIES = 1 << 23
_EXACT = 1e-13


@dataclass(frozen=True)
class MulticlassProblem:
    """Rows with one of several classes each.

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

    @property
    def own(self):
        """1 in the column of each row's class, else 0."""
        return np.eye(self.n_classes)[self.codes]

    def outputs(self, w, b):
        """z, of shape (n, n_classes)."""
        return self.X @ w.T + b

    def coefficients(self, beta):
        """What each row adds to each w_k, as a factor of x: of shape (n, n_classes)."""
        return self.cost[:, None] * self.own - beta

    def combine(self, coefficients):
        """The W and the sums that belong to coefficients of the rows."""
        sums = coefficients.sum(axis=0) * self.intercept
        return (self.X.T @ coefficients).T, sums


def certify_multiclass(problem, w, b, beta=None, n_iter=0):
    """The objective and the duality gap of a solution.

    Parameters
    ----------
    problem : MulticlassProblem
        What is minimized.

    w : ndarray of shape (n_classes, d)
        The coefficients.

    b : ndarray of shape (n_classes,)
        The intercepts.

    beta : ndarray of shape (n, n_classes) or None, default=None
        The dual variables; None for those of the largest errors.

    n_iter : int, default=0
        The iterations done, passed on.

    Returns
    -------
    solution : Solution
    """
    delta = 1.0 - problem.own
    reached = delta + problem.outputs(w, b)
    own = np.take_along_axis(reached, problem.codes[:, None], axis=1)[:, 0]
    errors = reached.max(axis=1) - own
    objective = 0.5 * float(np.sum(w * w)) + float(problem.cost @ errors)
    if beta is None:
        worst = np.eye(problem.n_classes)[reached.argmax(axis=1)]
        beta = problem.cost[:, None] * worst
    beta = _balanced(problem, beta)
    v, _ = problem.combine(problem.coefficients(beta))
    dual = float(np.sum(delta * beta)) - 0.5 * float(np.sum(v * v))
    if dual < 0:  # all variables at the own class give the bound zero
        beta, dual = problem.cost[:, None] * problem.own, 0.0
    gap = max(objective - dual, 0.0)
    return Solution(w, b, beta, objective, gap / objective if gap else 0.0, n_iter)


def _balanced(problem, beta):
    """The dual variables nearly as they are, with sums over rows as intercepts want.

    Each class must get from other classes' rows as much as its own rows give away.
    Where no small change makes it so, what class k's rows give to class l, and class
    l's to class k, are both made the smaller of the two.
    """
    if not problem.intercept:
        return beta
    # class k lacks sums[k]
    _, sums = problem.combine(problem.coefficients(beta))
    # multiply by factors near 1 that keep the rows' sums and mend those of the classes
    cost = problem.cost[:, None]
    matrix = np.diag(beta.sum(axis=0)) - beta.T @ (beta / cost)
    change = np.linalg.lstsq(matrix, sums, rcond=None)[0]
    factor = 1.0 + change - (beta @ change)[:, None] / cost
    mended = beta * factor
    left = np.abs(problem.combine(problem.coefficients(mended))[1]).max()
    if factor.min() >= 0 and left <= 1e-9 * np.abs(sums).max() + 1e-14 * cost.sum():
        return mended
    own = problem.own
    given = beta * (1.0 - own)
    flow = own.T @ given  # from the rows of class k to class l
    scale = np.minimum(flow, flow.T) / np.where(flow > 0, flow, 1.0)
    given *= scale[problem.codes]
    return given + own * (problem.cost - given.sum(axis=1))[:, None]


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
    exact = tol <= FULL_PRECISION
    k, d = problem.n_classes, problem.X.shape[1]
    w, b = np.zeros((k, d)), np.zeros(k)
    beta = np.repeat(problem.cost[:, None] / k, k, axis=1)
    best = certify_multiclass(problem, w, b, problem.cost[:, None] * problem.own)
    sharpness, steps, waited, last = 1.0, 0, 0, np.inf
    while steps < max_iter and waited < 4:
        smoothed = _Smoothed(problem, beta, sharpness)
        limit = min(_STEPS, max_iter - steps)
        with keeping(best):
            w, b, beta, n = smoothed.minimize(w, b, limit)
        steps += max(n, 1)
        if not exact:  # what stops here must be what its dual variables give
            beta = _balanced(problem, beta)
            w, _ = problem.combine(problem.coefficients(beta))
        found = certify_multiclass(problem, w, b, beta, steps)
        waited = 0 if found.gap < 0.5 * last or sharpness < _SHARPEST else waited + 1
        last = found.gap
        if found.gap <= best.gap:
            best = found
        if found.gap <= (_EXACT if exact else tol):
            break
        sharpness = min(10 * sharpness, _SHARPEST)
    return Solution(best.w, best.b, best.alpha, best.objective, best.gap, steps)


class _Smoothed:
    """One round: the cost whose derivative is a projection to the simplex."""

    def __init__(self, problem, beta, sharpness):
        self.problem = problem
        self.slope = sharpness * problem.cost
        self.offset = beta + self.slope[:, None] * (1.0 - problem.own)

    def respond(self, z):
        """The dual variables at outputs z, and which of them are above zero."""
        return project_to_simplex(self.offset + self.slope[:, None] * z, self.problem.cost)

    def minimize(self, w, b, max_iter):
        problem = self.problem
        z = problem.outputs(w, b)
        beta, inside = self.respond(z)
        best, n_iter = np.inf, 0
        try:
            while n_iter < max_iter:
                v, sums = problem.combine(problem.coefficients(beta))
                size = np.linalg.norm(w - v) / (
                    np.linalg.norm(w) + np.linalg.norm(v) or 1.0
                )
                size = max(size, np.abs(sums).sum() / problem.cost.sum())
                if size <= 1e-14 or (size < 1e-10 and size > 0.5 * best):
                    break
                best = min(best, size)
                dw, db = self._step(v - w, sums, inside, max(min(0.05, size), 1e-15 / size))
                dz = problem.outputs(dw, db)
                length = self._line_search(w, dw, z, dz)
                w, b = w + length * dw, b + length * db
                z = problem.outputs(w, b)
                before = inside
                beta, inside = self.respond(z)
                n_iter += 1
                if (
                    abs(length - 1) < 1e-6
                    and self.direct
                    and np.array_equal(inside, before)
                ):
                    break  # the minimum of this piece, up to rounding
        except KeyboardInterrupt as interrupt:
            found = certify_multiclass(problem, w, b, beta, n_iter)
            raise Interrupted(found) from interrupt
        return w, b, beta, n_iter

    def _step(self, right_w, right_b, inside, accuracy):
        """Solve the Newton system; rows with one class do not bend the cost."""
        rows = np.flatnonzero(inside.sum(axis=1) > 1)
        part, mask = self.problem.X[rows], inside[rows].astype(np.float64)
        size = right_w.size + right_b.size
        self.direct = size <= _DIRECT_SIZE and size * mask.size <= _DIRECT_ENTRIES
        if self.direct:
            return self._direct_step(right_w, right_b, rows, part, mask)
        return self._iterative_step(right_w, right_b, rows, part, mask, accuracy)

    def _direct_step(self, right_w, right_b, rows, part, mask):
        """By Cholesky's method.

        What row i adds is the product of x_i x_i' with the projection to the sum zero
        among the classes inside, which is its own square: a sum of squares in all.
        """
        k, d = right_w.shape
        extended = np.ones((len(rows), d + 1))
        extended[:, :d] = part.toarray() if issparse(part) else part
        extended *= np.sqrt(self.slope[rows])[:, None]
        counts = mask.sum(axis=1)[:, None, None]
        projections = (
            mask[:, :, None] * np.eye(k) - mask[:, :, None] * mask[:, None] / counts
        )
        root = projections[:, :, :, None] * extended[:, None, None, :]
        root = root.reshape(-1, k * (d + 1))
        matrix = root.T @ root
        ridge = np.ones((k, d + 1))
        # intercepts may all move together, and do not move where nothing bends
        ridge[:, d] = 1e-12 * float(self.slope.mean()) if self.problem.intercept else np.inf
        ridge = np.where(np.isinf(ridge), 1e300, ridge).ravel()
        matrix[np.diag_indices(len(matrix))] += ridge
        right = np.hstack([right_w, right_b[:, None]]).ravel()
        step = factorize(matrix)(right).reshape(k, d + 1)
        return step[:, :d], (step[:, d] - step[:, d].mean()) * self.problem.intercept

    def _iterative_step(self, right_w, right_b, rows, part, mask, accuracy):
        """By conjugate gradients."""
        problem = self.problem
        slope = self.slope[rows, None]
        counts = mask.sum(axis=1, keepdims=True)
        free = float(problem.intercept)

        def apply(dw, db):
            dz = mask * (part @ dw.T + db)
            dz = slope * (dz - mask * (dz.sum(axis=1, keepdims=True) / counts))
            return dw + (part.T @ dz).T, dz.sum(axis=0) * free

        # the diagonal; the intercepts' mean is not determined, and stays
        share = slope * mask * (1.0 - 1.0 / counts)
        squares = part.multiply(part).tocsr() if issparse(part) else part * part
        inverse_w = 1.0 / (1.0 + np.asarray(squares.T @ share).T)
        diagonal_b = share.sum(axis=0)
        usual = float(self.slope.mean())
        inverse_b = free / np.where(diagonal_b > 0, diagonal_b, usual)
        dw, db = np.zeros_like(right_w), np.zeros_like(right_b)
        residual_w, residual_b = right_w.copy(), right_b * free
        zw, zb = inverse_w * residual_w, inverse_b * residual_b
        pw, pb = zw.copy(), zb.copy()
        rho = first = float(np.sum(residual_w * zw) + residual_b @ zb)
        for _ in range(500):
            if rho <= accuracy**2 * first or rho <= 0:
                break
            qw, qb = apply(pw, pb)
            curvature = float(np.sum(pw * qw) + pb @ qb)
            if curvature <= 1e-300:
                break
            step = rho / curvature
            dw += step * pw
            db += step * pb
            residual_w -= step * qw
            residual_b -= step * qb
            zw, zb = inverse_w * residual_w, inverse_b * residual_b
            rho, before = float(np.sum(residual_w * zw) + residual_b @ zb), rho
            pw, pb = zw + (rho / before) * pw, zb + (rho / before) * pb
        return dw, db - db.mean()

    def _line_search(self, w, dw, z, dz):
        """The length where the derivative, which rises, changes its sign."""
        problem = self.problem
        along, curvature = float(np.sum(w * dw)), float(np.sum(dw * dw))
        pull = float(problem.cost @ np.take_along_axis(dz, problem.codes[:, None], 1)[:, 0])

        def derivative(t):
            beta, inside = self.respond(z + t * dz)
            count = np.maximum(inside.sum(axis=1), 1)
            bent = np.where(inside, dz, 0.0)
            bend = np.sum(bent * bent, axis=1) - bent.sum(axis=1) ** 2 / count
            rate = curvature + float(self.slope @ bend)
            return along + t * curvature - pull + float(np.sum(beta * dz)), rate

        low, high, t = 0.0, np.inf, 1.0
        start = abs(derivative(0.0)[0])
        for _ in range(40):
            value, rate = derivative(t)
            if abs(value) <= 1e-12 * start:
                break
            low, high = (t, high) if value < 0 else (low, t)
            if rate > 0 and low < (guess := t - value / rate) < high:
                t = guess
            else:
                t = 2 * t if np.isinf(high) else 0.5 * (low + high)
        return t


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
