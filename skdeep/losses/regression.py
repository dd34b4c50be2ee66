"""Losses of regressors. With several targets, a sample's loss is the mean over them."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval

from skdeep import kernels
from skdeep.losses.base import KernelLoss, Loss


class _RegressionLoss(KernelLoss):
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

    kernel = kernels.squared_error


class AbsoluteError(_RegressionLoss):
    """|e| with e = z - y; its minimum is the median.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import AbsoluteError
    >>> AbsoluteError().value(np.array([[1.0]]), np.array([[4.0]]))
    array([3.])
    """

    kernel = kernels.absolute_error


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

    kernel = kernels.huber
    _parameter_constraints = {"delta": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, delta=1.0):
        self.delta = delta


class LogCosh(_RegressionLoss):
    """log(cosh(e)): like squared error near zero and like absolute error far away.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import LogCosh
    >>> LogCosh().value(np.array([[1.0]]), np.array([[4.0]])).round(4)
    array([2.3093])
    """

    kernel = kernels.log_cosh


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

    kernel = kernels.quantile
    _parameter_constraints = {"quantile": [Interval(Real, 0, 1, closed="neither")]}

    def __init__(self, quantile=0.5):
        self.quantile = quantile


class EpsilonInsensitive(Loss):
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

    task = "regression"
    _parameter_constraints = {
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "squared": ["boolean"],
    }

    def __init__(self, epsilon=0.1, squared=False):
        self.epsilon = epsilon
        self.squared = squared

    def value(self, target, z):
        rest = np.maximum(np.abs(z - target) - self.epsilon, 0)
        return np.mean(rest * rest if self.squared else rest, axis=1)

    def gradient(self, target, z):
        error = z - target
        rest = np.maximum(np.abs(error) - self.epsilon, 0)
        slope = 2 * rest if self.squared else (rest > 0)
        return np.sign(error) * slope / z.shape[1]


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

    kernel = kernels.poisson

    def inverse_link(self, z):
        return np.exp(z)

    def check_target(self, target):
        if target.size and target.min() < 0:
            raise ValueError(
                "The loss 'poisson' needs targets y >= 0, such as counts; the smallest "
                f"is {target.min():.6g}. Use 'squared_error' or another loss for "
                "targets that may be negative."
            )
