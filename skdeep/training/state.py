"""What training must remember to go on later, and copies of the weights to go back to."""

import math
import re
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np

from skdeep.training.series import Runs, Series


def name_of(value):
    """What `repr` says, without addresses: the same in every process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


class Snapshot:
    """A copy of a network's weights and statistics, and of those that are averaged.

    Parameters
    ----------
    network : Network
        What is copied.

    average : AveragedWeights or None, default=None
        What is copied with it, to train on from there.
    """

    def __init__(self, network, average=None):
        self.parameters = np.empty_like(network.parameters)
        self.statistics = np.empty_like(network.statistics)
        self.take(network, average)

    def take(self, network, average=None):
        np.copyto(self.parameters, network.parameters)
        np.copyto(self.statistics, network.statistics)
        self.average = None if average is None else average.copy()

    def copy(self):
        twin = copy(self)
        twin.parameters = self.parameters.copy()
        twin.statistics = self.statistics.copy()
        twin.average = None if self.average is None else self.average.copy()
        return twin

    def restore(self, network, average=None):
        np.copyto(network.parameters, self.parameters)
        np.copyto(network.statistics, self.statistics)
        if average is not None:
            average.take(self.average or network)


@dataclass
class TrainingState:
    """Everything besides the weights that decides how training goes on.

    Random numbers need no more than the key: they are a function of it and of the
    epoch, the step and the layer they are for.

    Parameters
    ----------
    key : tuple of int
        Two integers that decide all random numbers.

    epoch : int, default=0
        The epochs done.

    step : int, default=0
        The steps done.

    first_epoch : int, default=0
        The epochs that were done when this call of `fit` began.

    optimizer_state : dict of str to ndarray
        The optimizer's vectors and numbers.

    steps_before_optimizer : int, default=0
        The steps done by other optimizers, before this one began.

    history : dict of str to Series
        What was recorded, an entry for each epoch.

    rates : Runs
        The learning rate of each step.

    watched : str, default="loss"
        What the monitored values are of.

    best : float, default=inf
        The lowest monitored value.

    best_epoch : int, default=0
        The epoch of the lowest monitored value, from 1.

    best_weights : Snapshot or None, default=None
        The weights and statistics of that epoch.

    waited : int, default=0
        The epochs since the monitored value last fell by the tolerance.

    ending : {"", "no_improvement", "minimum", "max_iter", "callback", "diverged", \
"interrupted"}, default=""
        Why training ended; empty while it goes on.

    average : AveragedWeights or None, default=None
        Where weights are averaged: those in training, while the network has the average.

    initial_flow : dict or None, default=None
        Where gradients are recorded: how they flowed before the first epoch, and the cost.

    told_plan_ended : bool, default=False
        Whether it was said that the schedule is at its end.
    """

    key: tuple
    epoch: int = 0
    step: int = 0
    first_epoch: int = 0
    optimizer_state: dict = field(default_factory=dict)
    steps_before_optimizer: int = 0
    history: dict = field(default_factory=dict)
    rates: Runs = field(default_factory=Runs)
    watched: str = "loss"
    best: float = math.inf
    best_epoch: int = 0
    best_weights: Snapshot | None = None
    waited: int = 0
    ending: str = ""
    average: object = None
    initial_flow: dict | None = None
    told_plan_ended: bool = False

    def copy(self):
        """A copy to train on, which leaves this as it is."""
        return replace(
            self,
            optimizer_state={k: v.copy() for k, v in self.optimizer_state.items()},
            best_weights=None if self.best_weights is None else self.best_weights.copy(),
            average=None if self.average is None else self.average.copy(),
            **self._records(),
        )

    def start(self):
        """Begin another call of `fit`, after those before."""
        self.first_epoch, self.ending = self.epoch, ""

    def begin_optimizer(self):
        """Forget the last optimizer: the next step is the first of another."""
        self.optimizer_state, self.steps_before_optimizer = {}, self.step

    def best_name(self):
        """What the best weights so far are, in words."""
        if self.best_epoch:
            return f"weights of the best epoch, {self.best_epoch},"
        return "initial weights, since no epoch was better,"

    def watch(self, watched):
        """Compare values of another kind from now on, and forget those of the last."""
        if watched != self.watched:
            self.watched, self.waited = watched, 0
            self.best, self.best_epoch, self.best_weights = math.inf, 0, None

    def result(self):
        """A copy that later epochs do not change, without what only they need.

        The optimizer's state is as large as the weights, or twice; so are the best
        weights, and those in training where they are averaged.
        """
        return replace(
            self,
            optimizer_state={},
            best_weights=None,
            average=None,
            **self._records(),
        )

    def _records(self):
        """What was recorded, in copies that later epochs do not change."""
        history = {name: series.copy() for name, series in self.history.items()}
        return {"history": history, "rates": self.rates.copy()}

    def record(self, rates, **values):
        """Append one epoch's learning rates and values to the history."""
        self.rates.extend(rates)
        for name, value in values.items():
            self.history.setdefault(name, Series()).append(value)
