"""The average of the weights, and how it changes places with the weights in training."""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from skdeep.engine.executor import Epoch
from skdeep.validation.notices import warn_user


@dataclass
class AveragedWeights:
    """What a network whose weights are averaged needs a second time.

    While a network trains, its vector holds the weights in training, and this holds
    their average; between epochs it is the other way round, so that whatever looks at
    the network sees the average: validation, predictions, the best weights.

    Parameters
    ----------
    parameters : ndarray of shape (n_parameters,)
        The average during an epoch, else the weights in training.

    statistics : ndarray of shape (n_statistics,)
        Between epochs, batch normalization's statistics of the weights in training.

    count : ndarray of shape (1,)
        How many weights the average is of. While it is 0, it is the weights themselves.

    in_epoch : bool, default=False
        Whether an epoch is being done.
    """

    parameters: np.ndarray
    statistics: np.ndarray
    count: np.ndarray
    in_epoch: bool = False

    @classmethod
    def of(cls, network):
        """The average before the first step: the weights themselves."""
        return cls(
            network.parameters.copy(), network.statistics.copy(), np.zeros(1, np.int64)
        )

    def enter_epoch(self, network):
        """Give the network the weights in training."""
        if not self.in_epoch:
            self._exchange_parameters(network)
            np.copyto(network.statistics, self.statistics)
            self.in_epoch = True

    def leave_epoch(self, network):
        """Give the network the average, with the statistics of training for now."""
        if self.in_epoch:
            self._exchange_parameters(network)
            np.copyto(self.statistics, network.statistics)
            self.in_epoch = False

    def copy(self):
        return replace(
            self,
            parameters=self.parameters.copy(),
            statistics=self.statistics.copy(),
            count=self.count.copy(),
        )

    def take(self, source):
        """Take the weights in training from a copy of this, or from a network."""
        np.copyto(self.parameters, source.parameters)
        np.copyto(self.statistics, source.statistics)
        self.count[...] = getattr(source, "count", 0)
        self.in_epoch = False

    def _exchange_parameters(self, network):
        average = self.parameters.copy()
        np.copyto(self.parameters, network.parameters)
        np.copyto(network.parameters, average)


def keep_average(network, state, settings):
    """Go on with the average that a fit found; start one, or end it, where that is new.

    Parameters
    ----------
    network : Network
        What is trained, with the settings of the last fit.

    state : TrainingState
        Where the average is.

    settings : Settings
        Those of the coming fit.
    """
    if repr(settings.weight_averaging) != repr(network.settings.weight_averaging):
        if state.average is not None:
            state.average.enter_epoch(network)
        state.average = None
    if settings.weight_averaging is not None and state.average is None:
        state.average = AveragedWeights.of(network)


def warn_without_average(network, state):
    """Warn where training ended before the average began."""
    if state.ending == "diverged" or state.average is None or not state.epoch:
        return
    if not state.average.count[0]:
        warn_user(
            f"Training ended after epoch {state.epoch}, before the first that "
            f"{network.settings.weight_averaging} counts: no weights were averaged. Let "
            "it begin earlier, such as StochasticWeightAveraging(start=10)."
        )


class StatisticsPass:
    """A pass over the training data that finds batch normalization's statistics anew.

    They are the means, over all batches, of each batch's mean and variance, as in
    section 3.2 of Izmailov et al. (2018) and in `torch.optim.swa_utils.update_bn`.

    Parameters
    ----------
    network : Network
        Whose statistics are set.

    plan : BatchPlan
        How batches are gathered.

    data : TrainingData
        The samples.

    memory : StepMemory
        The row numbers and random numbers of training.
    """

    def __init__(self, network, plan, data, memory):
        self._network = network
        # the steps of the pass are not those of training
        self._memory = copy(memory)
        self._memory.step = np.zeros(1, dtype=np.int64)
        self._memory.learning_rate = np.zeros(1)
        self._program = network.statistics_program(plan, data, self._memory)
        most = max(plan.batch_size, len(memory.index))  # the last batch may be larger
        self._arrays = self._program.allocate(most)

    def run(self, order, sizes, n_full):
        """Go over the batches in this order.

        Parameters
        ----------
        order : ndarray of int or None
            The numbers of the rows; None where a batch is all rows.

        sizes : tuple of int
            The rows of a full batch and, where it has others, of the last.

        n_full : int
            How many full batches there are.
        """
        memory = self._memory
        memory.step[0] = 0
        self._network.reset_statistics()
        bound = [self._program.bind(self._arrays, rows) for rows in sizes]
        last = bound[1] if len(bound) > 1 else None
        rates = np.zeros(n_full + len(bound) - 1)
        epoch = Epoch(
            n_full,
            last,
            order,
            memory.index,
            memory.step,
            memory.learning_rate,
            rates,
        )
        with np.errstate(all="ignore"):
            bound[0].run_epoch(epoch)
