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
    """

    key: tuple
    epoch: int = 0
    step: int = 0
    optimizer_state: dict = field(default_factory=dict)
    history: dict = field(default_factory=dict)
    best: float = math.inf
    best_epoch: int = 0
    waited: int = 0

    def record(self, **values):
        """Append one epoch's values to the history."""
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)


class Snapshot:
    """A copy of a network's weights and statistics."""

    def __init__(self, network):
        self._parameters = np.empty_like(network.parameters)
        self._state = np.empty_like(network.state)
        self.take(network)

    def take(self, network):
        np.copyto(self._parameters, network.parameters)
        np.copyto(self._state, network.state)

    def restore(self, network):
        np.copyto(network.parameters, self._parameters)
        np.copyto(network.state, self._state)
