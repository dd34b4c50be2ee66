"""Dual coordinate descent with shrinking, for sparse rows and for many columns.

Each step minimizes the dual in one alpha_i (Hsieh et al. 2008, "A dual coordinate descent
method for large-scale linear SVM"), at the price of one row's product. The condition that
a free intercept adds, sum_i sign_i alpha_i = 0, is kept by the method of multipliers; the
multiplier is the intercept.
"""

from dataclasses import replace

import numpy as np

from skdeep import kernels
from skdeep.engine.executor import bind
from skdeep.kernels.coordinate_descent import DONE, EPOCHS
from skdeep.svm.solvers.certificate import FULL_PRECISION, certify, consistent
from skdeep.svm.solvers.interrupt import keeping

# The weight of the intercept's feature, as a share of the rows' mean squared norm.
_INTERCEPT_WEIGHT = 0.1
# Visits of each row between two looks at the gap, which costs about half as many.
_VISITS = 10
# How alike the gradients must be for the first look, and how much more so for the next.
_ALIKE, _SHARPER = 0.1, 0.03
_SEED = 20081


def minimize_coordinate_descent(problem, *, tol, max_iter, is_slow):
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

    is_slow : callable
        Tells from the gaps so far and the dual variables whether what is left is done
        faster by other means.

    Returns
    -------
    solution : Solution
        The one with the smallest gap that was seen.
    """
    descent = _Descent(problem)
    best, gaps = None, []
    while best is None or (best.gap > tol and descent.epochs < max_iter):
        with keeping(best):
            descent.run(max_iter)
        w, b, alpha = descent.w.copy(), descent.b, descent.alpha.copy()
        found = certify(problem, w, b, alpha, descent.epochs)
        gaps.append(found.gap)
        if tol > FULL_PRECISION and found.gap <= tol:
            # so must be what the dual variables, made feasible, give
            found = consistent(problem, found)
        if best is None or found.gap < best.gap:
            best = found
        if gaps[-1] > tol and is_slow(gaps, alpha):
            break
    return replace(best, n_iter=descent.epochs)


class _Descent:
    """The kernel's arrays."""

    def __init__(self, problem):
        self._problem = problem
        n, norms = problem.n_rows, problem.squared_norms
        rho = _INTERCEPT_WEIGHT * float(norms.mean()) * problem.intercept
        if problem.intercept and not rho:
            rho = 1.0
        ridge = problem.loss.ridge(problem.cost)
        curvature = problem.repeated(norms) + rho + ridge
        self.alpha = np.zeros(n)
        self._progress = np.array([0, n, _SEED, 0])
        self._alike = _ALIKE
        self._arguments = {
            **_rows(problem.X),
            "sign": np.ascontiguousarray(problem.sign, dtype=np.float64),
            "threshold": problem.threshold,
            "limit": problem.limit,
            "ridge": ridge,
            # a row of zeros moves its alpha to a bound at once
            "curvature": np.maximum(curvature, np.finfo(float).tiny ** 0.5),
            "rho": rho,
            "tol": 0.0,
            "budget": None,
            "w": np.zeros(problem.n_columns + 1),
            "alpha": self.alpha,
            "order": np.arange(n),
            "progress": self._progress,
            "state": np.array([np.inf, -np.inf, 0.0]),
        }
        kernel = kernels.coordinate_descent
        self._kernel = kernels.sparse_coordinate_descent if problem.sparse else kernel

    @property
    def w(self):
        return self._arguments["w"][:-1]

    @property
    def b(self):
        return float(self._arguments["w"][-1])

    @property
    def epochs(self):
        """The epochs done so far."""
        return int(self._progress[EPOCHS])

    def run(self, max_iter):
        """Do epochs until the gradients are alike, or all rows were visited often."""
        arguments = self._arguments | {
            "tol": self._alike,
            "budget": np.array([max_iter - self.epochs, _VISITS * self._problem.n_rows]),
        }
        bind([(self._kernel, arguments)], self._problem.X.shape[0], np.dtype("f8")).run()
        if self._progress[DONE]:
            self._alike *= _SHARPER
        self._progress[DONE] = 0


def _rows(X):
    if isinstance(X, np.ndarray):
        return {"x": np.ascontiguousarray(X)}
    return {"values": X.data, "columns": X.indices, "row_end": X.indptr[1:]}
