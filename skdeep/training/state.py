"""What training must remember to go on later, and copies of the weights to go back to."""

import math
from dataclasses import dataclass, field

import numpy as np


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

    optimizer_state : dict of str to ndarray
        The optimizer's vectors and numbers.

    history : dict of str to list
        What was recorded, an entry for each epoch.

    best : float, default=inf
        The lowest monitored value.

    best_epoch : int, default=0
        The epoch of the lowest monitored value, from 1.

    waited : int, default=0
        The epochs since the monitored value last fell by the tolerance.

    average : AveragedWeights or None, default=None
        Where weights are averaged: those in training, while the network has the average.
    """

    key: tuple
    epoch: int = 0
    step: int = 0
    optimizer_state: dict = field(default_factory=dict)
    history: dict = field(default_factory=dict)
    best: float = math.inf
    best_epoch: int = 0
    waited: int = 0
    average: object = None

    def make_writeable(self):
        """Copy what was loaded from read-only memory, so that training can go on."""
        kept = [self.optimizer_state]
        if self.average is not None:
            kept.append(vars(self.average))
        for arrays in kept:
            for name, value in arrays.items():
                if isinstance(value, np.ndarray) and not value.flags.writeable:
                    arrays[name] = value.copy()

    def record(self, **values):
        """Append one epoch's values to the history."""
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)


class Snapshot:
    """A copy of a network's weights and statistics, and of those that are averaged.

    Parameters
    ----------
    network : Network
        What is copied.

    average : AveragedWeights or None, default=None
        What is copied with it.
    """

    def __init__(self, network, average=None):
        self._average = average
        self._copies = [np.empty_like(array) for array in self._arrays(network)]
        self.take(network)

    def take(self, network):
        for copy, array in zip(self._copies, self._arrays(network), strict=True):
            np.copyto(copy, array)

    def restore(self, network):
        for copy, array in zip(self._copies, self._arrays(network), strict=True):
            np.copyto(array, copy)

    def _arrays(self, network):
        own = [network.parameters, network.state]
        return own if self._average is None else own + self._average.arrays()
