"""Conjugate gradients, and their use where the solution must have a given sum."""

import numpy as np


def conjugate_gradients(apply, start, residual, precondition, *, tol, max_iter=500):
    """Solve a symmetric positive definite system.

    With a projection in the preconditioner the solution stays where that leads (Nocedal
    and Wright 2006, "Numerical optimization", algorithms 5.3 and 16.2).

    Parameters
    ----------
    apply : callable
        Multiplies the matrix with an array.

    start : ndarray
        Where to begin; it becomes the solution.

    residual : ndarray
        What is missing of the right-hand side there; it becomes what is missing at the end.

    precondition : callable
        Multiplies an approximate inverse with an array.

    tol : float
        The residual that is small enough, relative to the first.

    max_iter : int, default=500
        The largest number of products.

    Returns
    -------
    solution, residual : ndarray
    """
    z = precondition(residual)
    p = z.copy()
    rho = first = float(np.vdot(residual, z))
    for _ in range(max_iter):
        if rho <= tol * tol * first or rho <= 0:
            break
        product = apply(p)
        curvature = float(np.vdot(p, product))
        if not curvature > 0:  # nothing is bent along p
            break
        step = rho / curvature
        start += step * p
        residual -= step * product
        z = precondition(residual)
        rho, before = float(np.vdot(residual, z)), rho
        p *= rho / before
        p += z
    return start, residual


def solve_on_hyperplane(apply, right, *, total, diagonal, tol, max_iter=500):
    """Solve A q + 1 c = right with sum(q) = total, for a positive definite A.

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

    def multiplier(z):
        return float(z.sum() / weight) if total is not None else 0.0

    def project(residual):
        """The preconditioned residual, on the hyperplane."""
        z = inverse * residual
        return z - multiplier(z) * inverse

    q = np.zeros(len(right)) if total is None else inverse * (total / weight)
    residual = right - (apply(q) if total else 0.0)
    q, residual = conjugate_gradients(
        apply, q, residual, project, tol=tol, max_iter=max_iter
    )
    return q, multiplier(inverse * residual)
