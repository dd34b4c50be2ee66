"""The rows as solvers want them: float64, in range, centred, with few columns."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr
from scipy.sparse import csc_array, csr_array, issparse

# Numbers within these bounds are left as they are: what is made of them is in range, too.
_ORDINARY = 1e-60, 1e60
# The sum of all costs where rows are at most 1: up to the largest, their squares are in
# range, and from the least, one over them.
_LEAST_COST, _LARGEST_COST = 2.0**-600, 1e150


@dataclass(frozen=True)
class Units:
    """What rows and targets are divided by, so that nothing over- or underflows.

    Powers of two, which change no digit. Coefficients come out in targets per row.

    Parameters
    ----------
    rows, targets : float
        The units.

    degree : int
        The power of an error that it costs.
    """

    rows: float = 1.0
    targets: float = 1.0
    degree: int = 1

    def cost(self, cost):
        """Costs of errors, where the squared norm of w counts once, as before."""
        return cost / self.targets ** (2 - self.degree) * self.rows * self.rows

    def project(self, w, b):
        """Coefficients and intercept of the data's units in these."""
        return w * self.rows / self.targets, b / self.targets

    def restore(self, w, b, objective, alpha):
        """A solution in the data's units."""
        slope = self.targets / self.rows
        return (
            w * slope,
            b * self.targets,
            objective * slope * slope,
            alpha * slope / self.rows,
        )


def choose_units(X, cost, loss, *, targets=None):
    """The units of rows and targets that a problem can be solved in.

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n, n_features)
        The rows.

    cost : ndarray of shape (n,)
        What an error costs.

    loss : Hinge
        The loss of an error.

    targets : ndarray of shape (n,) or None, default=None
        The targets of a regression.

    Returns
    -------
    units : Units

    Raises
    ------
    ValueError
        Where there are none: errors cost so much that the squared norm of w is lost.
    """
    if not np.all(cost):  # rows that cost nothing have no part in it
        rows = np.flatnonzero(cost)
        X, cost = X[rows], cost[rows]
        targets = None if targets is None else targets[rows]
    largest = _largest(X.data if issparse(X) else X)
    height = 1.0 if targets is None else _largest(targets)
    target_unit = 1.0 if _is_ordinary(height) else _power_of_two(height)
    with np.errstate(over="ignore"):
        dearest = float(np.sum(cost)) * height ** (loss.degree - 1) * height
        scaled = Units(1.0, target_unit, loss.degree).cost(cost)
        total = float(np.sum(scaled))
    if total == 0:
        raise ValueError(
            "The errors of all samples cost nothing: C times the weights is zero. Give at "
            "least one sample a weight above zero."
        )
    unit = 1.0
    if not (_is_ordinary(largest) and _is_ordinary(total)):
        # at least so large that costs do not vanish
        unit = max(
            _power_of_two(largest), _power_of_two(np.sqrt(_LEAST_COST) / np.sqrt(total))
        )
    size = min(max(largest, unit), np.finfo(float).max)
    if not dearest < np.inf or not total * size * size <= _LARGEST_COST:
        what = "features" if targets is None else "features and targets"
        height = "" if targets is None else f", targets up to {height:.2g}"
        raise ValueError(
            "Errors cost too much for double precision: C times the weights is up to "
            f"{np.max(cost):.2g}, with features up to {largest:.2g}{height} and "
            f"{X.shape[0]} samples. Scale the {what} to sizes near 1, or lower C."
        )
    return Units(unit, target_unit, loss.degree)


def _largest(values):
    return max(float(np.max(values)), -float(np.min(values))) if values.size else 0.0


def _is_ordinary(size):
    return size == 0 or _ORDINARY[0] <= size <= _ORDINARY[1]


def _power_of_two(size):
    """The next one above, as far as there is one."""
    return float(np.ldexp(1.0, min(max(int(np.frexp(size)[1]), -900), 1000)))


@dataclass(frozen=True)
class PreparedRows:
    """Rows for the solvers, and the way back to the coefficients of the original rows.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n, d)
        The rows.

    mean : ndarray of shape (n_features,) or None
        What was subtracted from every row.

    rotation : {ndarray, csc_array} of shape (n_features, d) or None
        The orthonormal directions that span the rows, whose coordinates they are in.
    """

    X: object
    mean: np.ndarray | None = None
    rotation: np.ndarray | None = None

    def restore(self, w, b):
        """Coefficients and intercept for the original rows."""
        if self.rotation is not None:
            w = self.rotation @ w
        if self.mean is not None:
            b = b - float(self.mean @ w)
        return w, b

    def project(self, w, b):
        """Coefficients and intercept for the prepared rows."""
        if self.mean is not None:
            b = b + float(self.mean @ w)
        if self.rotation is not None:
            w = self.rotation.T @ w
        return w, b


def prepare(X, weight, *, unit=1.0, intercept, rotate=True):
    """Prepare rows for the solvers.

    Dense rows are centred where an intercept takes up the shift: otherwise its digits
    would be lost in the sums. More columns than rows are turned until only as many are
    left as there are rows, or, of sparse rows, until those that one row alone has are
    one for each row. That changes neither norms nor products.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n, n_features)
        The rows.

    weight : ndarray of shape (n,)
        Their weights, for the mean.

    unit : float, default=1.0
        What the rows are divided by.

    intercept : bool
        Whether there is an intercept.

    rotate : bool, default=True
        Whether more columns than rows are turned.

    Returns
    -------
    rows : PreparedRows
    """
    if issparse(X):
        X = csr_array(X, dtype=np.float64)
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        if unit != 1.0:
            X = X / unit
        if max(*X.shape, X.nnz) < np.iinfo(np.int32).max:  # half the memory to read
            parts = X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)
            X = csr_array(parts, shape=X.shape)
        wide = rotate and X.shape[1] > X.shape[0]
        return _merge_columns(X) if wide else PreparedRows(X)
    X = np.asarray(X, dtype=np.float64)
    if unit != 1.0:
        X = X / unit
    mean = rotation = None
    if intercept:
        mean = weight @ X / weight.sum()
        X = X - mean
    n, d = X.shape
    if rotate and d > n:
        rotation, triangle = qr(X.T, mode="economic", check_finite=False)
        X = np.ascontiguousarray(triangle.T)
    return PreparedRows(np.ascontiguousarray(X), mean, rotation)


def _merge_columns(X):
    """Turn what no other row has, of each row, into one column; leave out empty ones.

    Of counts of many words that is most columns, and a large part of the entries.
    """
    n, d = X.shape
    uses = np.bincount(X.indices, minlength=d)
    shared = np.flatnonzero(uses > 1)
    alone = uses[X.indices] == 1
    entries = np.flatnonzero(alone)
    row = np.repeat(np.arange(n), np.diff(X.indptr))[entries]
    counts = np.bincount(row, minlength=n)
    rows = np.flatnonzero(counts)
    ends = np.cumsum(counts[rows])
    values = X.data[entries]
    length = np.sqrt(np.bincount(row, values * values, minlength=n))
    divisor = np.where(length > 0, length, 1.0)  # zeros may be stored

    # each row's new column takes the place of its last entry of the old ones
    place = np.zeros(d, dtype=X.indices.dtype)
    place[shared] = np.arange(len(shared))
    columns, data = place[X.indices], X.data.copy()
    last = entries[ends - 1]
    columns[last] = len(shared) + np.arange(len(rows))
    data[last] = length[rows]
    alone[last] = False
    keep = np.flatnonzero(~alone)
    starts = np.append(0, np.cumsum(np.diff(X.indptr) - counts + (counts > 0)))
    parts = data[keep], columns[keep], starts.astype(X.indptr.dtype)
    merged = csr_array(parts, shape=(n, len(shared) + len(rows)))

    parts = (
        np.concatenate([np.ones(len(shared)), values / divisor[row]]),
        np.concatenate([shared, X.indices[entries]]),
        np.concatenate([np.arange(len(shared) + 1), len(shared) + ends]),
    )
    return PreparedRows(merged, rotation=csc_array(parts, shape=(d, merged.shape[1])))
