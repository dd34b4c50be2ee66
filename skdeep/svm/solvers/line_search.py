"""Where a convex function along a line is least."""

import numpy as np


def zero_of_rising(derivative, *, beyond, tol=1e-14, max_iter=60):
    """The place beyond 0 where a derivative that rises is zero.

    That of a piecewise quadratic function is piecewise linear, so Newton's method finds
    the zero in a few steps; a bracket keeps it from going round in circles.

    Parameters
    ----------
    derivative : callable
        The derivative's value and its own derivative at a place. The value is below zero
        at 0.

    beyond : int
        The largest number of looks, from 1 on, that end without a place where the value
        is above zero: then the next guess is the result.

    tol : float, default=1e-14
        The value that is small enough, relative to that at 0.

    max_iter : int, default=60
        The largest number of looks.

    Returns
    -------
    t : float
    """
    low, high, t = 0.0, np.inf, 1.0
    enough = tol * abs(derivative(0.0)[0])
    for looks in range(1, max_iter + 1):
        value, rate = derivative(t)
        if abs(value) <= enough:
            break
        low, high = (t, high) if value < 0 else (low, t)
        if rate > 0 and low < (guess := t - value / rate) < high:
            t = guess
        else:
            t = 2 * t if np.isinf(high) else 0.5 * (low + high)
        if looks >= beyond if np.isinf(high) else high - low <= 1e-15 * high:
            break
    return t
