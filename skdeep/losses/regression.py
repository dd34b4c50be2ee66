"""Losses of regressors. With several targets, a sample's loss is the mean over them."""

import math
from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from skdeep.formulas import (
    exp,
    log1p_of_share,
    maximum,
    minimum,
    sign,
    tanh,
    where,
    xlogy,
)
from skdeep.losses.base import FormulaLoss

__all__ = [
    "REGRESSION_LOSSES",
    "AbsoluteError",
    "EpsilonInsensitive",
    "Huber",
    "LogCosh",
    "Poisson",
    "Quantile",
    "SquaredError",
    "Tweedie",
]


class _RegressionLoss(FormulaLoss):
    task = "regression"


class SquaredError(_RegressionLoss):
    """e^2 / 2 with e = z - y; its minimum is the mean.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import SquaredError
    >>> SquaredError().value(np.array([[1.0]]), np.array([[4.0]]))
    array([4.5])
    """

    def formula(self, z, target):
        error = z - target
        return error * error * 0.5, error


class AbsoluteError(_RegressionLoss):
    """|e| with e = z - y; its minimum is the median.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import AbsoluteError
    >>> AbsoluteError().value(np.array([[1.0]]), np.array([[4.0]]))
    array([3.])
    """

    def formula(self, z, target):
        error = z - target
        return abs(error), sign(error)


class Huber(_RegressionLoss):
    """Squared error for small errors, absolute error for large ones.

    e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2).

    Parameters
    ----------
    delta : float, default=1.0
        Where the two meet, in units of the target.

    References
    ----------
    Huber (1964). "Robust estimation of a location parameter".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import Huber
    >>> Huber(delta=1.0).value(np.array([[1.0]]), np.array([[4.0]]))
    array([2.5])
    """

    _parameter_constraints = {"delta": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, delta=1.0):
        self.delta = delta

    def formula(self, z, target):
        # with c the error cut to [-delta, delta], both cases are c (e - c / 2)
        error = z - target
        cut = maximum(minimum(error, self.delta), -self.delta)
        return (error - cut * 0.5) * cut, cut


class LogCosh(_RegressionLoss):
    """log(cosh(e)): like squared error near zero and like absolute error far away.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import LogCosh
    >>> LogCosh().value(np.array([[1.0]]), np.array([[4.0]])).round(4)
    array([2.3093])
    """

    def formula(self, z, target):
        # log(cosh(e)) = |e| + log(1 + exp(-2 |e|)) - log 2
        error = z - target
        distance = abs(error)
        loss = distance + log1p_of_share(exp(distance * -2)) - math.log(2)
        return loss, tanh(error)


class Quantile(_RegressionLoss):
    """quantile (y - z) where z < y, else (1 - quantile) (z - y): the pinball loss.

    Parameters
    ----------
    quantile : float, default=0.5
        The quantile that is predicted, in (0, 1).

    References
    ----------
    Koenker and Bassett (1978). "Regression quantiles". Econometrica 46.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import Quantile
    >>> Quantile(0.9).value(np.array([[1.0], [1.0]]), np.array([[0.0], [2.0]]))
    array([0.9, 0.1])
    """

    _parameter_constraints = {"quantile": [Interval(Real, 0, 1, closed="neither")]}

    def __init__(self, quantile=0.5):
        self.quantile = quantile

    def formula(self, z, target):
        error = z - target
        slope = sign(error) * 0.5 + (0.5 - self.quantile)
        return error * slope, slope


class EpsilonInsensitive(_RegressionLoss):
    """max(0, |e| - epsilon) with e = z - y, or its square: small errors cost nothing.

    Parameters
    ----------
    epsilon : float, default=0.1
        The largest error that costs nothing, in units of the target.

    squared : bool, default=False
        Whether the rest is squared.

    References
    ----------
    Vapnik (1995). "The nature of statistical learning theory".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import EpsilonInsensitive
    >>> EpsilonInsensitive(0.5).value(np.array([[1.0], [1.0]]), np.array([[1.25], [3.0]]))
    array([0. , 1.5])
    """

    _parameter_constraints = {
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "squared": ["boolean"],
    }

    def __init__(self, epsilon=0.1, squared=False):
        self.epsilon = epsilon
        self.squared = squared

    @property
    def formula(self):
        return self._squared_tube if self.squared else self._tube

    def _tube(self, z, target):
        error = z - target
        rest = maximum(abs(error) - self.epsilon, 0)
        return rest, where(rest > 0, sign(error), 0)

    def _squared_tube(self, z, target):
        error = z - target
        rest = maximum(abs(error) - self.epsilon, 0)
        return rest * rest, sign(error) * (2 * rest)


class Poisson(_RegressionLoss):
    """Half the Poisson deviance, for counts; predictions are exp(z).

    exp(z) - y z + y log y - y, which is zero where exp(z) = y.

    References
    ----------
    McCullagh and Nelder (1989). "Generalized linear models", section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import Poisson
    >>> Poisson().value(np.array([[2.0]]), np.log([[2.0]])).round(12)
    array([0.])
    """

    def formula(self, z, target):
        mean = exp(z)
        return mean - target * z + xlogy(target, target) - target, mean - target

    def inverse_link(self, z):
        return _finite_exponential(z)

    def check_target(self, target):
        _check_not_negative(target, "poisson", "counts")


class Tweedie(_RegressionLoss):
    """Half the Tweedie deviance, for amounts, many of them zero; predictions are exp(z).

    For 1 < power < 2 targets are sums of a random number of positive amounts, such as the
    claims of a year or a day's rain. With m = exp(z),
    y^(2 - power) / ((1 - power) (2 - power)) - y m^(1 - power) / (1 - power)
    + m^(2 - power) / (2 - power), which is zero where m = y.

    Parameters
    ----------
    power : float, default=1.5
        The variance grows like mean^power, in (1, 2): 1 would be Poisson's, 2 the gamma
        distribution's.

    References
    ----------
    Jørgensen (1987). "Exponential dispersion models". J. R. Statist. Soc. B 49.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import Tweedie
    >>> Tweedie(power=1.5).value(np.array([[4.0], [0.0]]), np.log([[4.0], [1.0]])).round(12)
    array([0., 2.])
    """

    _parameter_constraints = {"power": [Interval(Real, 1, 2, closed="neither")]}

    def __init__(self, power=1.5):
        self.power = power

    def formula(self, z, target):
        first, second = 1 - self.power, 2 - self.power
        loss = (
            target**second * (1 / (first * second))
            - target * exp(z * first) * (1 / first)
            + exp(z * second) * (1 / second)
        )
        return loss, exp(z * second) - target * exp(z * first)

    def inverse_link(self, z):
        return _finite_exponential(z)

    def check_target(self, target):
        _check_not_negative(target, "tweedie", "amounts")


def _finite_exponential(z):
    """exp(z), or about the largest number where that is larger still."""
    largest = np.log(np.finfo(z.dtype).max, dtype=z.dtype)
    return np.exp(np.minimum(z, np.nextafter(largest, z.dtype.type(0))))


def _check_not_negative(target, name, kind):
    if target.size and target.min() < 0:
        raise ValueError(
            f"The loss {name!r} needs targets y >= 0, such as {kind}; the smallest "
            f"is {target.min():.6g}. Use 'squared_error' or another loss for "
            "targets that may be negative."
        )


#: By name.
REGRESSION_LOSSES = {
    "absolute_error": AbsoluteError(),
    "huber": Huber(),
    "log_cosh": LogCosh(),
    "poisson": Poisson(),
    "quantile": Quantile(),
    "squared_error": SquaredError(),
    "tweedie": Tweedie(),
}
