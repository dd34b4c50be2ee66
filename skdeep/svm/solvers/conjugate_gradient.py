"""Conjugate gradients for equations whose solution must have a given sum."""

import numpy as np


def solve_on_hyperplane(apply, right, *, total, diagonal, tol, max_iter=500):
    """Solve A q + 1 c = right with sum(q) = total, for a positive definite A.

    Projected conjugate gradients with the diagonal as preconditioner (Nocedal and
    Wright 2006, "Numerical optimization", algorithm 16.2).

    Parameters
    ----------
    apply : callable
        Multiplies A with a vector.

    right : ndarray of shape (n,)
        The right-hand side.

    total : float or None
        The sum of the solution; None for no such condition, and c = 0.

    diagonal : ndarray of shape (n,)
        The diagonal of A.

    tol : float
        The residual that is small enough, relative to the first.

    max_iter : int, default=500
        The largest number of products.

    Returns
    -------
    q : ndarray of shape (n,)
    c : float
    """
    inverse = 1.0 / diagonal
    weight = inverse.sum()

    def project(residual):
        """The preconditioned residual, on the hyperplane, and the multiplier."""
        z = inverse * residual
        c = z.sum() / weight if total is not None else 0.0
        return z - c * inverse, c

    q = np.zeros(len(right)) if total is None else inverse * (total / weight)
    residual = right - (apply(q) if total else 0.0)
    z, c = project(residual)
    p = z.copy()
    rho = first = float(residual @ z)
    for _ in range(max_iter):
        if rho <= tol * tol * first or rho <= 0:
            break
        product = apply(p)
        step = rho / float(p @ product)
        q += step * p
        residual -= step * product
        z, c = project(residual)
        rho, before = float(residual @ z), rho
        p *= rho / before
        p += z
    return q, float(c)
