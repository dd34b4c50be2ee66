"""Learning-rate schedules: the learning rate of every step of an epoch.

A schedule is a pure function of the step's number, the number of steps in an epoch and
in the whole training, and of the monitored losses so far. So training that stops and
goes on later sees the same rates.
"""

import math
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

_COUNT = [Interval(Integral, 1, None, closed="left")]
_FACTOR = [Interval(Real, 0, 1, closed="right")]
_SHARE = [Interval(Real, 0, 1, closed="both")]


@dataclass(frozen=True)
class Progress:
    """Where training stands at the start of an epoch.

    Parameters
    ----------
    epoch : int
        The number of epochs done before.

    step : int
        The number of steps done before.

    steps_per_epoch : int
        The number of steps in this epoch.

    max_epochs : int
        The number of epochs when training will end.

    monitored : sequence of float
        The monitored loss of each epoch so far: lower is better.
    """

    epoch: int
    step: int
    steps_per_epoch: int
    max_epochs: int
    monitored: tuple = ()

    @property
    def steps(self):
        """The numbers of this epoch's steps, from 0 for the first of all."""
        return self.step + np.arange(self.steps_per_epoch)

    @property
    def last_step(self):
        """The number of the last step of all training."""
        left = (self.max_epochs - self.epoch) * self.steps_per_epoch
        return max(self.step + left - 1, 1)


class Schedule(BaseEstimator):
    """Base of all schedules.

    Attributes
    ----------
    planned : bool
        Whether the schedule is laid out for `max_iter` epochs, and ends with them. Then
        training that ends there is what was wanted.
    """

    planned = False
    _parameter_constraints = {}

    def factors(self, progress):
        """What the learning rate is multiplied by, for each step of the coming epoch.

        Parameters
        ----------
        progress : Progress
            Where training stands.

        Returns
        -------
        factors : ndarray of shape (progress.steps_per_epoch,)
        """
        raise NotImplementedError(f"{type(self).__name__} must define factors.")


class ConstantRate(Schedule):
    """The same learning rate always.

    Examples
    --------
    >>> from skdeep.schedules import ConstantRate, Progress
    >>> ConstantRate().factors(Progress(0, 0, 3, 10))
    array([1., 1., 1.])
    """

    def factors(self, progress):
        return np.ones(progress.steps_per_epoch)


class StepDecay(Schedule):
    """factor^floor(epoch / epochs): a drop every so many epochs.

    Parameters
    ----------
    factor : float, default=0.5
        What each drop multiplies by, in (0, 1].

    epochs : int, default=30
        The epochs between drops.

    Examples
    --------
    >>> from skdeep.schedules import Progress, StepDecay
    >>> StepDecay(factor=0.1, epochs=5).factors(Progress(5, 10, 2, 10))
    array([0.1, 0.1])
    """

    _parameter_constraints = {"factor": _FACTOR, "epochs": _COUNT}

    def __init__(self, factor=0.5, epochs=30):
        self.factor = factor
        self.epochs = epochs

    def factors(self, progress):
        drops = progress.epoch // self.epochs
        return np.full(progress.steps_per_epoch, float(self.factor) ** drops)


class ExponentialDecay(Schedule):
    """factor^epoch.

    Parameters
    ----------
    factor : float, default=0.98
        What each epoch multiplies by, in (0, 1].

    Examples
    --------
    >>> from skdeep.schedules import ExponentialDecay, Progress
    >>> ExponentialDecay(factor=0.5).factors(Progress(2, 4, 2, 10))
    array([0.25, 0.25])
    """

    _parameter_constraints = {"factor": _FACTOR}

    def __init__(self, factor=0.98):
        self.factor = factor

    def factors(self, progress):
        return np.full(progress.steps_per_epoch, float(self.factor) ** progress.epoch)


class InverseScaling(Schedule):
    """1 / (t + 1)^power, with t the number of steps before.

    Parameters
    ----------
    power : float, default=0.5
        The exponent. Above 0.5 and up to 1 it satisfies the conditions of Robbins and
        Monro (1951): an infinite sum of the rates, and a finite one of their squares.
        At 0.5 that of the squares is infinite, too, though it grows as slowly as log(t).

    Examples
    --------
    >>> from skdeep.schedules import InverseScaling, Progress
    >>> InverseScaling(power=1.0).factors(Progress(0, 0, 2, 10))
    array([1. , 0.5])
    """

    _parameter_constraints = {"power": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, power=0.5):
        self.power = power

    def factors(self, progress):
        return (progress.steps + 1.0) ** -self.power


def _cosine(start, end, share):
    """From start at share 0 to end at share 1, along half a cosine."""
    return end + (start - end) * (1 + np.cos(np.pi * share)) / 2


class CosineDecay(Schedule):
    """Half a cosine from 1 at the first step to `final_factor` at the last.

    Parameters
    ----------
    final_factor : float, default=0.0
        What the last step's rate is multiplied by.

    References
    ----------
    Loshchilov and Hutter (2017). "SGDR: stochastic gradient descent with warm
    restarts". ICLR. Equation 5, without restarts.

    Examples
    --------
    >>> from skdeep.schedules import CosineDecay, Progress
    >>> CosineDecay().factors(Progress(0, 0, 3, 1)).round(2)
    array([1. , 0.5, 0. ])
    """

    planned = True
    _parameter_constraints = {"final_factor": _SHARE}

    def __init__(self, final_factor=0.0):
        self.final_factor = final_factor

    def factors(self, progress):
        share = np.minimum(progress.steps / progress.last_step, 1.0)
        return _cosine(1.0, self.final_factor, share)


class WarmupCosine(Schedule):
    """A straight rise to 1 over the first steps, then half a cosine down.

    Parameters
    ----------
    warmup_fraction : float, default=0.1
        The share of all steps in which the rate rises.

    final_factor : float, default=0.0
        What the last step's rate is multiplied by.

    References
    ----------
    Goyal et al. (2017). "Accurate, large minibatch SGD". Loshchilov and Hutter (2017).

    Examples
    --------
    >>> from skdeep.schedules import Progress, WarmupCosine
    >>> WarmupCosine(warmup_fraction=0.5).factors(Progress(0, 0, 5, 1)).round(2)
    array([0.33, 0.67, 1.  , 0.5 , 0.  ])
    """

    planned = True
    _parameter_constraints = {"warmup_fraction": _SHARE, "final_factor": _SHARE}

    def __init__(self, warmup_fraction=0.1, final_factor=0.0):
        self.warmup_fraction = warmup_fraction
        self.final_factor = final_factor

    def factors(self, progress):
        last = progress.last_step
        warmup = math.floor(self.warmup_fraction * last)
        rise = (progress.steps + 1.0) / (warmup + 1)
        share = np.clip((progress.steps - warmup) / max(last - warmup, 1), 0.0, 1.0)
        fall = _cosine(1.0, self.final_factor, share)
        return np.where(progress.steps < warmup, rise, fall)


class OneCycle(Schedule):
    """Up from 1 / `div_factor` to 1, then down to 1 / (`div_factor` `final_div_factor`).

    Both ways along half a cosine. The learning rate given to the estimator is the peak.

    Parameters
    ----------
    peak_fraction : float, default=0.3
        The share of all steps before the peak.

    div_factor : float, default=25.0
        The peak rate over the first.

    final_div_factor : float, default=10000.0
        The first rate over the last.

    References
    ----------
    Smith and Topin (2019). "Super-convergence: very fast training of neural networks
    using large learning rates".

    Examples
    --------
    >>> from skdeep.schedules import OneCycle, Progress
    >>> OneCycle(peak_fraction=0.5).factors(Progress(0, 0, 5, 1)).round(2)
    array([0.04, 0.52, 1.  , 0.5 , 0.  ])
    """

    planned = True
    _parameter_constraints = {
        "peak_fraction": _SHARE,
        "div_factor": [Interval(Real, 1, None, closed="left")],
        "final_div_factor": [Interval(Real, 1, None, closed="left")],
    }

    def __init__(self, peak_fraction=0.3, div_factor=25.0, final_div_factor=1e4):
        self.peak_fraction = peak_fraction
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor

    def factors(self, progress):
        last = progress.last_step
        peak = self.peak_fraction * last
        first = 1 / self.div_factor
        rise = np.clip(progress.steps / max(peak, 1e-12), 0.0, 1.0)
        fall = np.clip((progress.steps - peak) / max(last - peak, 1e-12), 0.0, 1.0)
        return np.where(
            progress.steps < peak,
            _cosine(first, 1.0, rise),
            _cosine(1.0, first / self.final_div_factor, fall),
        )


class ReduceOnPlateau(Schedule):
    """Multiply by `factor` whenever the monitored loss has stopped to fall.

    Parameters
    ----------
    factor : float, default=0.2
        What each reduction multiplies by, in (0, 1].

    patience : int, default=5
        The number of epochs without improvement before a reduction.

    min_delta : float, default=1e-4
        The smallest fall that counts as an improvement.

    min_factor : float, default=1e-4
        What the rate is never reduced below, times the first.

    Examples
    --------
    >>> from skdeep.schedules import Progress, ReduceOnPlateau
    >>> losses = (1.0, 0.5, 0.5, 0.5)
    >>> ReduceOnPlateau(patience=2).factors(Progress(4, 4, 1, 10, losses))
    array([0.2])
    """

    _parameter_constraints = {
        "factor": _FACTOR,
        "patience": _COUNT,
        "min_delta": [Interval(Real, 0, None, closed="left")],
        "min_factor": _SHARE,
    }

    def __init__(self, factor=0.2, patience=5, min_delta=1e-4, min_factor=1e-4):
        self.factor = factor
        self.patience = patience
        self.min_delta = min_delta
        self.min_factor = min_factor

    def factors(self, progress):
        losses = np.asarray(progress.monitored, dtype=np.float64)
        waits = np.diff(_improvements(losses, self.min_delta), append=len(losses)) - 1
        reductions = int(np.sum(waits // self.patience))
        factor = max(float(self.factor) ** reductions, float(self.min_factor))
        return np.full(progress.steps_per_epoch, factor)


def _improvements(losses, min_delta):
    """The epochs whose loss fell by more than `min_delta`, and -1 before the first.

    From one to the next by bisection in the lowest loss so far: that of all epochs is
    asked for at every epoch.
    """
    lowest = np.minimum.accumulate(np.where(np.isnan(losses), np.inf, losses))
    found, best = [-1], math.inf
    while True:
        epoch = int(np.searchsorted(-lowest, min_delta - best, side="right"))
        if epoch == len(losses):
            return found
        found.append(epoch)
        best = losses[epoch]


SCHEDULES = {
    "constant": ConstantRate(),
    "cosine": CosineDecay(),
    "exponential": ExponentialDecay(),
    "inverse_scaling": InverseScaling(),
    "one_cycle": OneCycle(),
    "plateau": ReduceOnPlateau(),
    "step": StepDecay(),
    "warmup_cosine": WarmupCosine(),
}


def get_schedule(schedule):
    """The schedule of a name; an instance is checked and returned.

    Parameters
    ----------
    schedule : str or Schedule
        A key of `SCHEDULES` or an instance.

    Returns
    -------
    schedule : Schedule

    Examples
    --------
    >>> from skdeep.schedules import get_schedule
    >>> get_schedule("step")
    StepDecay()
    """
    if isinstance(schedule, Schedule):
        schedule._validate_params()
        return schedule
    return SCHEDULES[schedule]
