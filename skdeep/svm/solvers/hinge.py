"""What the errors of rows cost: the hinge loss, its square, and the same of a tube.

A row's error is max(0, threshold - margin). All that solvers ask of a loss is here: the
loss itself, what its dual is, and where the intercept of least cost lies.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

# Slopes of the cost smaller than this share of all costs are rounding errors.
_FLAT = 1e-13


@dataclass(frozen=True)
class Hinge:
    """An error costs what it is.

    Attributes
    ----------
    degree : int
        The power of an error that it costs.

    is_smooth : bool
        Whether the cost has a derivative where errors begin, so that Newton's method
        finds its minimum as it is.

    steepest : float
        The largest slope: times the cost, the limit of the dual variables.
    """

    degree: ClassVar[int] = 1
    is_smooth: ClassVar[bool] = False
    steepest: ClassVar[float] = 1.0

    def of(self, errors):
        """The loss of errors, none of them below zero."""
        return errors

    def dual_variables(self, cost, distances):
        """The derivative of the costs: distances above zero are errors."""
        return cost * (distances > 0)

    def conjugate(self, alpha, cost):
        """What dual variables within their limits take from the dual objective."""
        return 0.0

    def ridge(self, cost):
        """What the loss adds to the curvature of the dual in each variable."""
        return np.zeros(len(cost))

    def best_corner(self, corners, cost, above, pull):
        """Where errors that end (`above`) or begin at sorted corners cost least.

        Between corners the slope is constant, so that the minimum is a weighted quantile.

        Parameters
        ----------
        corners : ndarray of shape (n,)
            Where a row's error begins or ends, in rising order.

        cost : ndarray of shape (n,)
            What an error costs.

        above : ndarray of bool of shape (n,)
            Whether the error ends there.

        pull : float
            A slope that is there besides.

        Returns
        -------
        minimum : float
            The middle, where it is an interval.
        """
        slopes = np.cumsum(cost)
        flat = _FLAT * slopes[-1]
        # the slope after each corner
        slopes -= cost[above].sum() + pull
        i = min(int(np.searchsorted(slopes, -flat)), len(corners) - 1)
        if slopes[i] <= flat and i + 1 < len(corners):
            # corners that weigh next to nothing do not end a flat stretch
            j = min(int(np.searchsorted(slopes, flat, side="right")), len(corners) - 1)
            return 0.5 * float(corners[i]) + 0.5 * float(corners[j])
        return float(corners[i])


class SquaredHinge(Hinge):
    """An error costs its square; see `Hinge`."""

    degree = 2
    is_smooth = True
    steepest = np.inf

    def of(self, errors):
        return errors * errors

    def dual_variables(self, cost, distances):
        return 2 * cost * np.maximum(distances, 0.0)

    def conjugate(self, alpha, cost):
        return float(alpha @ (alpha / (4.0 * cost)))

    def ridge(self, cost):
        return 0.5 / cost

    def best_corner(self, corners, cost, above, pull):
        """Between corners the slope is linear."""
        # half the slope at a corner: its rows' costs times the distances from their corners
        up, down = np.where(above, cost, 0.0), np.where(above, 0.0, cost)
        weight = np.cumsum(down) + (up.sum() - np.cumsum(up))
        origin = corners[0]
        moment = up * (corners - origin), down * (corners - origin)
        moment = np.cumsum(moment[1]) + (moment[0].sum() - np.cumsum(moment[0]))
        slopes = weight * (corners - origin) - moment - 0.5 * pull
        flat = _FLAT * float(cost.sum()) * float(corners[-1] - origin)
        i = int(np.searchsorted(slopes, -flat))  # the first that is not below zero
        j = int(np.searchsorted(slopes, flat, side="right")) - 1  # the last not above
        if i <= j:
            return 0.5 * float(corners[i]) + 0.5 * float(corners[j])
        # on the line from corner i - 1 to corner i, or before the first or after the last
        k = max(i - 1, 0) if i < len(corners) else len(corners) - 1
        line = (weight[k], moment[k]) if i else (up.sum(), float(up @ (corners - origin)))
        return origin + (line[1] + 0.5 * pull) / line[0]


@dataclass(frozen=True)
class EpsilonInsensitive(Hinge):
    """Of regression: a sample is a row on each side of a tube, which costs like a hinge.

    Parameters
    ----------
    epsilon : float
        Half the height of the tube, in which nothing costs.
    """

    epsilon: float

    def errors(self, residuals):
        """How far residuals are outside of the tube; below zero inside."""
        return np.abs(residuals) - self.epsilon


class SquaredEpsilonInsensitive(EpsilonInsensitive, SquaredHinge):
    """The same, of squared errors."""
