"""Gradient descent over mini-batches: the loop that fills inputs and runs programs."""

from dataclasses import dataclass, replace

import numpy as np

from skdeep.batch import BatchPlan
from skdeep.executor import Epoch
from skdeep.network import SHUFFLING, StepMemory
from skdeep.schedules import Progress
from skdeep.training.averaging import StatisticsPass


@dataclass(frozen=True)
class DescentOptions:
    """How gradient descent goes through the data.

    Parameters
    ----------
    batch_size : int
        The rows of a full batch.

    shuffle : bool
        Whether each epoch takes the rows in a new random order.

    learning_rate : float
        What the schedule's factors multiply.

    schedule : Schedule
        How the learning rate changes.

    planned_epochs : int
        When the schedule ends, in epochs from the very first.

    renew_statistics : bool, default=True
        Whether batch normalization's statistics are found anew for averaged weights.
        Else, where the data are only a part, those of training stay.
    """

    batch_size: int
    shuffle: bool
    learning_rate: float
    schedule: object
    planned_epochs: int
    renew_statistics: bool = True


class Epochs:
    """The compiled training of a network on some data: `run` does one epoch.

    Rows without weight are never part of a batch, unless the batch is all rows: then
    the data is used where it lies, without a copy and without shuffling.

    Parameters
    ----------
    network : Network
        What is trained.

    data : TrainingData
        The samples, with weights of any sum.

    options : DescentOptions
        How to go through them.

    state : TrainingState
        Where training stands; each epoch moves its step on.
    """

    def __init__(self, network, data, options, state):
        self.network = network
        self.options = options
        self.state = state
        self._rows = np.flatnonzero(data.weight)
        n, batch_size = len(self._rows), options.batch_size
        whole = batch_size >= n
        n_batch = data.x.shape[0] if whole else batch_size
        plan = BatchPlan.of(data, n_batch, whole)
        # of mean 1 for batches, which divide by their rows; of sum 1 for all rows at once
        scale = (1 if whole else n) / data.weight.sum()
        data = replace(data, weight=data.weight * scale)
        self._memory = StepMemory(network, state.key, 0 if whole else batch_size)
        self._memory.optimizer_state |= state.optimizer_state
        state.optimizer_state = self._memory.optimizer_state
        self._memory.step[0] = state.step
        self._statistics = None
        if state.average is not None:
            self._memory.average = state.average.parameters
            if network.state.size and options.renew_statistics:
                self._statistics = StatisticsPass(network, plan, data, self._memory)

        program = network.training_program(plan, data, self._memory)
        memory = program.allocate(n_batch)
        self._batch = program.bind(memory, n_batch)
        rest = 0 if whole else n % batch_size
        self._last_batch = program.bind(memory, rest) if rest else None
        self._n_batches = 1 if whole else n // batch_size
        self._order = None if whole else self._rows.copy()
        self._rest = rest
        self.steps = self._n_batches + (rest > 0)
        network.plan = plan

    def run(self):
        """Do one epoch; return its cost and its last learning rate.

        The cost is the mean loss of its batches, plus the penalty after the last.
        """
        state, memory, options = self.state, self._memory, self.options
        monitored = state.history.get("monitored", ())
        progress = Progress(
            state.epoch, state.step, self.steps, options.planned_epochs, monitored
        )
        rates = options.learning_rate * options.schedule.factors(progress)
        memory.total[0] = 0.0
        self._shuffle()
        average = state.average
        if average is not None:
            average.enter_epoch(self.network)
        epoch = Epoch(
            self._n_batches,
            self._last_batch,
            self._order,
            memory.index,
            memory.step,
            memory.learning_rate,
            rates,
        )
        try:
            # infinities and NaN are found, and told in plain words, at the epoch's end
            with np.errstate(all="ignore"):
                self._batch.run_epoch(epoch)
                n_rows = self._batch.rows if self._order is None else len(self._order)
                cost = memory.total[0] / n_rows + self.network.penalty()
                if average is not None:
                    self._average()
        finally:
            state.step = int(memory.step[0])
            if average is not None:
                average.leave_epoch(self.network)
        if average is not None and average.count[0] and self._statistics is not None:
            self._statistics.run(self._order, self._n_batches, self._rest)
        return cost, rates[-1]

    def _average(self):
        self.network.settings.weight_averaging.add_epoch(
            self.state.average,
            self.network.parameters,
            self.state.epoch + 1,
            self.options.planned_epochs,
        )

    def _shuffle(self):
        if self.options.shuffle and self._order is not None:
            self._order[...] = self._rows
            self._memory.stream.at(SHUFFLING, self.state.epoch).shuffle(self._order)


def descend(network, data, options, state, monitor):
    """Train by gradient descent until the monitor says to stop.

    Parameters
    ----------
    network : Network
        What is trained, in place.

    data : TrainingData
        The samples, with weights of any sum.

    options : DescentOptions
        How to go through them.

    state : TrainingState
        Where training stands, moved on.

    monitor : Monitor
        Ends every epoch.
    """
    epochs = Epochs(network, data, options, state)
    stop = False
    try:
        while not stop:
            monitor.start_epoch()
            stop = monitor.end_epoch(*epochs.run())
    except KeyboardInterrupt:
        monitor.interrupt()
    monitor.finish()
