"""Gradient descent over mini-batches: the loop that fills inputs and runs programs."""

from dataclasses import dataclass, replace

import numpy as np

from skdeep.batch import BatchPlan
from skdeep.executor import Epoch
from skdeep.network import SHUFFLING, StepMemory
from skdeep.schedules import Progress
from skdeep.training.divergence import RestartPoint, Step, explain_divergence

# A copy of the training state costs little beside so many steps.
_RESTART_STEPS = 256


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

    augmentation : tuple of Augmentation, default=()
        What changes the inputs of every batch at random.
    """

    batch_size: int
    shuffle: bool
    learning_rate: float
    schedule: object
    planned_epochs: int
    augmentation: tuple = ()


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
        plan = BatchPlan.of(data, n_batch, whole, options.augmentation)
        # of mean 1 for batches, which divide by their rows; of sum 1 for all rows at once
        scale = (1 if whole else n) / data.weight.sum()
        self._data = replace(data, weight=data.weight * scale)
        self._memory = StepMemory(network, state.key, 0 if whole else batch_size)
        self._memory.optimizer_state |= state.optimizer_state
        state.optimizer_state = self._memory.optimizer_state
        self._memory.step[0] = state.step

        rest = 0 if whole else n % batch_size
        self._sizes = (n_batch, rest) if rest else (n_batch,)
        program = network.training_program(plan, self._data, self._memory)
        self._batch, self._last_batch = self._bind(program)
        self._n_batches = 1 if whole else n // batch_size
        self._order = None if whole else self._rows.copy()
        self.steps = self._n_batches + (rest > 0)
        network.plan = plan
        self._restart = RestartPoint(
            network, state.optimizer_state, state.epoch, state.step
        )

    def _bind(self, program):
        """A program for full batches, and for the last one if it is smaller."""
        memory = program.allocate(self._sizes[0])
        bound = [program.bind(memory, rows) for rows in self._sizes]
        return bound[0], bound[1] if len(bound) > 1 else None

    def run(self):
        """Do one epoch; return its mean loss and the learning rates of its steps."""
        state, memory = self.state, self._memory
        if state.step - self._restart.step >= _RESTART_STEPS:
            self._restart.take(self.network, state.optimizer_state, state.epoch, state.step)
        rates = self._rates(state.epoch, state.step)
        self._shuffle(state.epoch)
        memory.total[0] = 0.0
        epoch = self._epoch(self._n_batches, self._last_batch, self._order, rates)
        try:
            # infinities and NaN are found, and told in plain words, at the epoch's end
            with np.errstate(all="ignore"):
                self._batch.run_epoch(epoch)
        finally:
            state.step = int(memory.step[0])
        n_rows = self._batch.rows if self._order is None else len(self._order)
        return memory.total[0] / n_rows, rates

    def _epoch(self, n_full, last, order, rates):
        memory = self._memory
        return Epoch(
            n_full, last, order, memory.index, memory.step, memory.learning_rate, rates
        )

    def _rates(self, epoch, step):
        options = self.options
        monitored = self.state.history.get("monitored", ())[:epoch]
        progress = Progress(epoch, step, self.steps, options.planned_epochs, monitored)
        return options.learning_rate * options.schedule.factors(progress)

    def _shuffle(self, epoch):
        if self.options.shuffle and self._order is not None:
            self._order[...] = self._rows
            self._memory.stream.at(SHUFFLING, epoch).shuffle(self._order)

    # --- an epoch that failed -----------------------------------------------------

    def explain_divergence(self):
        """Do the last epochs again to find where they failed, and say so.

        The optimizer's state is left as it was at the start; the weights are not.
        """
        state, memory = self.state, self._memory
        with np.errstate(all="ignore"):
            explanation = explain_divergence(self._replay(state.epoch + 1))
        self._restart.restore(self.network, state.optimizer_state)
        memory.step[0] = state.step = self._restart.step
        return explanation

    def _replay(self, n_epochs):
        """Do the steps since the restart point once more, up to so many epochs in all."""
        network, memory = self.network, self._memory
        program = network.gradient_program(network.plan, self._data, memory)
        gradients = [bound for bound in self._bind(program) if bound is not None]
        updates = [self._batch, self._last_batch]
        self._restart.restore(network, memory.optimizer_state)
        memory.step[0] = self._restart.step
        for epoch in range(self._restart.epoch, n_epochs):
            rates = self._rates(epoch, int(memory.step[0]))
            self._shuffle(epoch)
            for number in range(self.steps):
                kind = int(number >= self._n_batches)
                gradient, update = gradients[kind], updates[kind]
                order, rate = self._order, rates[number : number + 1]
                if order is not None:
                    start = number * self._batch.rows
                    order = order[start : start + gradient.rows]
                step = self._epoch(1, None, order, rate)
                memory.total[0] = 0.0
                gradient.run_epoch(step)
                loss = memory.total[0] / gradient.rows
                norms = network.layer_norms(memory.gradient)
                memory.step[0] -= 1
                update.run_epoch(step)
                failed = not network.is_finite()
                yield Step(epoch + 1, number + 1, loss, norms, rate[0], failed)


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
    try:
        while not state.ending:
            monitor.start_epoch()
            loss, rates = epochs.run()
            cost = loss + network.penalty()
            monitor.end_epoch(cost, rates, epochs.explain_divergence)
    except KeyboardInterrupt:
        monitor.interrupt()
    monitor.finish()
