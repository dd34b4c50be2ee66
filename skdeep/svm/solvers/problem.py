"""What the solvers minimize: a linear model's squared norm and the errors of its rows."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.extmath import row_norms

from skdeep.svm.solvers.hinge import Hinge

# Rows of a weighted Gram matrix at a time, so that what is multiplied stays in the cache.
_BLOCK_ENTRIES = 1 << 17
# Dense rows of more entries than this are worth looking for those that count nothing.
_LARGE = 1 << 19


class Objective:
    """What machines of two classes, of many, and of a regression have in common.

    Half the squared norm of w, and a loss of the rows' errors, as far as margins are
    below their thresholds.
    """

    pull = (0.0, 0.0)
    constant = 0.0

    @property
    def n_columns(self):
        return self.X.shape[1]

    @property
    def sparse(self):
        return issparse(self.X)

    @cached_property
    def squared_norms(self):
        """|x_i|^2 of the rows of X."""
        return row_norms(self.X, squared=True)

    def repeated(self, z):
        """A number of each row of X for all rows that it stands for."""
        return z

    def primal(self, w, b, margins):
        """The objective at w and b with these margins."""
        errors = self.errors(margins)
        linear = self.constant - float(np.sum(self.pull[0] * w))
        linear -= float(np.sum(self.pull[1] * b))
        cost = float(self.cost @ self.loss.of(errors))
        return 0.5 * float(np.vdot(w, w)) + linear + cost

    def dual(self, alpha, v):
        """The dual objective at an alpha that is feasible and combines the rows to v."""
        value = self.constant + float(np.vdot(self.threshold, alpha))
        return value - 0.5 * float(np.vdot(v, v)) - self.loss.conjugate(alpha, self.cost)


@dataclass(frozen=True)
class Problem(Objective):
    """Minimize ||w||^2 / 2 + sum_i cost_i * error_i over w and b.

    The error of row i is what a loss makes of max(0, threshold_i - sign_i (x_i . w + b)).
    With sign = y in {-1, 1} and threshold = 1 this is a support vector classifier. The
    rows of `X` may stand for several rows each: the numbers of rows i, i + n, i + 2 n
    all belong to row i of X. That makes a support vector regression of every row with
    both signs.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n, d)
        The rows, in float64.

    sign : ndarray of shape (copies * n,)
        1 or -1.

    threshold : ndarray of shape (copies * n,)
        Where the error begins.

    cost : ndarray of shape (copies * n,)
        What an error costs; above zero.

    loss : Hinge
        The loss of an error.

    intercept : bool, default=True
        Whether b is free; else it is zero.

    pull : tuple of (ndarray of shape (d,), float), default=(0.0, 0.0)
        What rows that are not there add to `combine` and `balance`, since their errors
        are taken to be linear in w and b; see `restricted`.

    constant : float, default=0.0
        What they add to the objective at w = 0 and b = 0.
    """

    X: object
    sign: np.ndarray
    threshold: np.ndarray
    cost: np.ndarray
    loss: Hinge
    intercept: bool = True
    pull: tuple = (0.0, 0.0)
    constant: float = 0.0

    @property
    def n_rows(self):
        return len(self.sign)

    @property
    def finds_intercept(self):
        """Whether the intercept is to be found; solvers of smooth losses have, with w."""
        return self.intercept and not self.loss.is_smooth

    @property
    def limit(self):
        """The largest dual variables."""
        return self.cost * self.loss.steepest

    def margins(self, w, b):
        """sign_i (x_i . w + b)."""
        z = self.X @ w
        if b:
            z += b
        return self.sign * self.repeated(z)

    def shifted(self, margins, b):
        """The margins with an intercept, from those without."""
        return margins + self.sign * b if b else margins

    def combine(self, alpha):
        """sum_i sign_i alpha_i x_i: the w that belongs to these dual variables."""
        values = self._folded(self.sign * alpha)
        if not self.sparse and self.X.size > _LARGE:
            rows = np.flatnonzero(values)
            if 4 * len(rows) < len(values):  # most rows need not be read
                return values[rows] @ self.X[rows] + self.pull[0]
        return self.X.T @ values + self.pull[0]

    def balance(self, alpha):
        """sum_i sign_i alpha_i, which a free intercept makes zero."""
        return float(self.sign @ alpha) + self.pull[1] if self.intercept else 0.0

    def feasible(self, alpha):
        """The dual variables within their limits and, with an intercept, balanced.

        The heavier sign's are shrunk, or the other's raised, until both signs have the
        same sum.
        """
        limit = self.limit
        alpha = np.clip(alpha, 0.0, limit)
        if not self.intercept:
            return alpha
        above = self.sign > 0
        excess = self.balance(alpha)
        heavier = above if excess > 0 else ~above
        excess = abs(excess)
        # those at their bounds stay there exactly, where the others can give enough
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

    def multiple(self, alpha, factor):
        """Feasible dual variables, times a factor from 0 to the loss's steepest slope."""
        return alpha * factor

    def dual_variables(self, distances):
        """The derivative of the costs: distances above zero are errors."""
        return self.loss.dual_variables(self.cost, distances)

    def take(self, rows):
        """The rows of X that belong to these numbers."""
        return (
            self.X[rows % self.X.shape[0]]
            if self.n_rows > self.X.shape[0]
            else self.X[rows]
        )

    def gram(self, weight):
        """sum_i weight_i x_i x_i', of shape (d, d), and sum_i weight_i x_i."""
        weight = self._folded(weight)
        return weighted_gram(self.X, weight), self.X.T @ weight

    def errors(self, margins):
        """max(0, threshold - margin)."""
        return np.maximum(self.threshold - margins, 0.0)

    def restricted(self, near, beyond):
        """The problem of the rows `near`, where those `beyond` have an error for sure.

        Parameters
        ----------
        near : ndarray of bool of shape (n_rows,)
            The rows to keep.

        beyond : ndarray of bool of shape (n_rows,)
            Rows whose errors are above zero, of a hinge loss; all others have none.

        Returns
        -------
        problem : Problem
        """
        fixed = np.where(beyond, self.cost, 0.0)
        rows = np.flatnonzero(near)
        return replace(
            self,
            X=self.take(rows),
            sign=self.sign[rows],
            threshold=self.threshold[rows],
            cost=self.cost[rows],
            pull=(self.combine(fixed), float(self.sign @ fixed) + self.pull[1]),
            constant=self.constant + float(self.threshold @ fixed),
        )

    def repeated(self, z):
        """A number of each row of X for all rows that it stands for."""
        copies = self.n_rows // len(z) if len(z) else 1
        return z if copies == 1 else np.tile(z, copies)

    def _folded(self, values):
        n = self.X.shape[0]
        return values if len(values) == n else values.reshape(-1, n).sum(axis=0)


def weighted_gram(X, weight):
    """X' diag(weight) X for weights that are not negative.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n, d)
        The rows.

    weight : ndarray of shape (n,)
        Their weights.

    Returns
    -------
    gram : ndarray of shape (d, d)
    """
    root = np.sqrt(weight)
    n, d = X.shape
    if issparse(X):
        scaled = X.multiply(root[:, None]).tocsr()
        return (scaled.T @ scaled).toarray()
    block = max(_BLOCK_ENTRIES // max(d, 1), 256)
    gram = np.zeros((d, d))
    for start in range(0, n, block):
        part = X[start : start + block] * root[start : start + block, None]
        gram += part.T @ part
    return gram
