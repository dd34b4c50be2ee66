"""Averages of the weights along training, which predict better than the last ones.

Such an average is a description, like an optimizer: a scikit-learn style object whose
parameters a grid search reaches (``weight_averaging__decay``).
"""

import math
from numbers import Integral, Real

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skdeep import kernels


class WeightAveraging(BaseEstimator):
    """Base of all averages of weights."""

    _parameter_constraints = {}

    def step(self, scope, parameters, average):
        """Write the calls that take the weights after a step into the average.

        ``scope.training`` has ``step``, 1 for the first.
        """

    def add_epoch(self, average, parameters, epoch, planned_epochs):
        """Take the weights after an epoch into the average.

        Parameters
        ----------
        average : AveragedWeights
            The average's ``parameters``, and in ``count[0]`` how many weights they are
            the mean of; 0 means that they are the weights themselves.

        parameters : ndarray of shape (n_parameters,)
            The weights.

        epoch : int
            The number of the epoch, from 1.

        planned_epochs : int
            The number of epochs when training will end.
        """
        raise NotImplementedError(f"{type(self).__name__} must define add_epoch.")


class ExponentialMovingAverage(WeightAveraging):
    """A running mean over the steps: a = d a + (1 - d) w, d = min(decay, (1+t)/(10+t)).

    After step t it reaches back over the last ninth of the steps, and never over more
    than about 1 / (1 - `decay`) of them. So a short training is averaged, too, and the
    initial weights are soon forgotten.

    Parameters
    ----------
    decay : float, default=0.999
        How much of the average each step keeps at most, in [0, 1).

    References
    ----------
    Polyak and Juditsky (1992). "Acceleration of stochastic approximation by averaging".
    SIAM J. Control Optim. 30. The decay that rises with the steps is that of
    ``num_updates`` in TensorFlow's ``tf.train.ExponentialMovingAverage``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep import MLPClassifier
    >>> from skdeep.averaging import ExponentialMovingAverage
    >>> average = ExponentialMovingAverage(decay=0.99)
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(weight_averaging=average, random_state=0).fit(X / 16, y)
    >>> bool(model.score(X / 16, y) > 0.95)
    True
    """

    _parameter_constraints = {"decay": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, decay=0.999):
        self.decay = decay

    def step(self, scope, parameters, average):
        scope.call(
            kernels.update_moving_average,
            parameters=parameters,
            step=scope.training.step,
            decay=float(self.decay),
            average=average,
        )

    def add_epoch(self, average, parameters, epoch, planned_epochs):
        average.count[0] = epoch


class StochasticWeightAveraging(WeightAveraging):
    """The mean of the weights after each of the last epochs.

    It is at its best with a learning rate that stays large: the weights then wander
    around a wide minimum, and their mean lies in the middle of it.

    Parameters
    ----------
    start : float or int, default=0.75
        The epochs before the first that counts: a share of `max_iter` in [0, 1), or
        their number. Training that stops earlier is not averaged.

    References
    ----------
    Izmailov, Podoprikhin, Garipov, Vetrov and Wilson (2018). "Averaging weights leads
    to wider optima and better generalization". UAI.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep import MLPClassifier
    >>> from skdeep.averaging import StochasticWeightAveraging
    >>> average = StochasticWeightAveraging(start=20)
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(weight_averaging=average, learning_rate=0.01, max_iter=25)
    >>> bool(model.fit(X / 16, y).score(X / 16, y) > 0.95)
    True
    """

    _parameter_constraints = {
        "start": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="left"),
        ]
    }

    def __init__(self, start=0.75):
        self.start = start

    def epochs_before(self, planned_epochs):
        """The number of epochs before the first that counts."""
        if isinstance(self.start, Integral):
            return int(self.start)
        return math.floor(self.start * planned_epochs)

    def add_epoch(self, average, parameters, epoch, planned_epochs):
        if epoch <= self.epochs_before(planned_epochs):
            average.count[0] = 0
            average.parameters[...] = parameters
            return
        average.count[0] += 1
        average.parameters += (parameters - average.parameters) / int(average.count[0])


AVERAGES = {"ema": ExponentialMovingAverage(), "swa": StochasticWeightAveraging()}


def get_averaging(averaging):
    """The average of a name; an instance is checked and returned, and None is None.

    Parameters
    ----------
    averaging : str, WeightAveraging or None
        A key of `AVERAGES`, an instance, or None for no average.

    Returns
    -------
    averaging : WeightAveraging or None

    Examples
    --------
    >>> from skdeep.averaging import get_averaging
    >>> get_averaging("ema")
    ExponentialMovingAverage()
    """
    if isinstance(averaging, WeightAveraging):
        averaging._validate_params()
        return averaging
    return None if averaging is None else AVERAGES[averaging]
