"""Dual coordinate descent with shrinking, for sparse rows and for many columns.

Each step minimizes the dual in one alpha_i (Hsieh et al. 2008, "A dual coordinate descent
method for large-scale linear SVM"), at the price of one row's product. The condition that
a free intercept adds, sum_i sign_i alpha_i = 0, is kept by the method of multipliers; the
multiplier is the intercept.
"""

from dataclasses import replace

import numpy as np

from skdeep import kernels
from skdeep.executor import bind
from skdeep.kernels.reference.coordinate_descent import DONE, EPOCHS
from skdeep.solvers.certificate import certify

# The weight of the intercept's feature, as a share of the rows' mean squared norm.
_INTERCEPT_WEIGHT = 0.03
# Epochs between two looks at the gap.
_EPOCHS = 10
# Below this gap, ten epochs that do not make it three times as small are too slow.
_SLOW_BELOW = 1e-3
_SEED = 20081


def minimize_coordinate_descent(problem, *, tol, max_iter):
    """Minimize by epochs of dual coordinate descent.

    The order of the rows is drawn, but always alike: two runs give the same bits.

    Parameters
    ----------
    problem : Problem
        What is minimized, with either loss.

    tol : float
        The relative duality gap to reach.

    max_iter : int
        The largest number of epochs.

    Returns
    -------
    solution : Solution
        The one with the smallest gap that was seen.
    """
    descent = _Descent(problem)
    best, before, epochs = None, np.inf, 0
    while best is None or (best.gap > tol and epochs < max_iter):
        epochs = descent.run(min(_EPOCHS, max_iter - epochs), accuracy=tol)
        found = certify(problem, descent.w.copy(), descent.b, descent.alpha, epochs)
        if best is None or found.gap < best.gap:
            best = found
        if best.gap < _SLOW_BELOW and found.gap > before / 3:
            break  # what is left is done faster by other means
        before = found.gap
    return replace(best, n_iter=epochs)


class _Descent:
    """The kernel's arrays, and the multiplier of the intercept."""

    def __init__(self, problem):
        self._problem = problem
        n, norms = problem.n_rows, problem.squared_norms
        self._rho = _INTERCEPT_WEIGHT * float(norms.mean()) * problem.intercept
        if problem.intercept and not self._rho:
            self._rho = 1.0
        ridge = 0.5 / problem.cost if problem.squared else np.zeros(n)
        curvature = problem.repeated(norms) + self._rho + ridge
        self._weights = np.zeros(problem.n_columns + 1)
        self.alpha = np.zeros(n)
        self._progress = np.array([0, n, _SEED, 0])
        self._bounds = np.array([np.inf, -np.inf])
        self._arguments = {
            **_rows(problem.X),
            "sign": np.ascontiguousarray(problem.sign, dtype=np.float64),
            "threshold": problem.threshold,
            "limit": np.full(n, np.inf) if problem.squared else problem.cost,
            "ridge": ridge,
            # a row of zeros moves its alpha to a bound at once
            "curvature": np.maximum(curvature, np.finfo(float).tiny ** 0.5),
            "rho": self._rho,
            "tol": 0.0,
            "epochs": 0,
            "w": self._weights,
            "alpha": self.alpha,
            "order": np.arange(n),
            "progress": self._progress,
            "bounds": self._bounds,
        }
        kernel = kernels.coordinate_descent
        self._kernel = kernels.sparse_coordinate_descent if problem.sparse else kernel

    @property
    def w(self):
        return self._weights[:-1]

    @property
    def b(self):
        return float(self._weights[-1])

    def run(self, epochs, accuracy):
        """Do so many epochs, then move the multiplier; return the epochs done so far."""
        arguments = self._arguments | {"epochs": epochs, "tol": accuracy}
        bind([(self._kernel, arguments)], self._problem.X.shape[0], np.dtype("f8")).run()
        if self._rho:
            self._weights[-1] += self._rho * self._problem.balance(self.alpha)
        self._progress[DONE] = 0
        return int(self._progress[EPOCHS])


def _rows(X):
    if isinstance(X, np.ndarray):
        return {"x": np.ascontiguousarray(X)}
    return {"values": X.data, "columns": X.indices, "row_end": X.indptr[1:]}
