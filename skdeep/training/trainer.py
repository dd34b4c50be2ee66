"""Gradient descent over mini-batches: the loop that fills inputs and runs programs."""

from dataclasses import dataclass, replace

import numpy as np

from skdeep.engine.batch import BatchPlan
from skdeep.engine.executor import Epoch
from skdeep.engine.network import SHUFFLING, StepMemory
from skdeep.schedules import Progress
from skdeep.training.averaged_weights import StatisticsPass
from skdeep.training.divergence import RestartPoint, Step, explain_divergence
from skdeep.training.gradient_recording import begin_recording, update_ratios
from skdeep.training.series import Series

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

    renew_statistics : bool, default=True
        Whether batch normalization's statistics are found anew for averaged weights.
        Else, where the data are only a part, those of training stay.

    record : {"gradients"} or None, default=None
        What is recorded of each epoch besides the loss.
    """

    batch_size: int
    shuffle: bool
    learning_rate: float
    schedule: object
    planned_epochs: int
    augmentation: tuple = ()
    renew_statistics: bool = True
    record: str | None = None


def batch_rows(batch_size, n):
    """The rows of a full batch.

    Parameters
    ----------
    batch_size : "auto", "full" or int
        What the user wants.

    n : int
        The samples that there are.

    Returns
    -------
    rows : int
    """
    if batch_size == "full":
        return n
    return min(200 if batch_size == "auto" else batch_size, n)


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
        # too few rows for batch normalization join the batch before
        too_few = 0 < n % batch_size < network.least_rows
        whole = batch_size >= n or (too_few and n < 2 * batch_size)
        self._n_batches = 1 if whole else n // batch_size - too_few
        rest = 0 if whole else n - self._n_batches * batch_size
        n_batch = data.x.shape[0] if whole else batch_size
        plan = BatchPlan.of(data, n_batch, whole, options.augmentation)
        # of mean 1 for batches, which divide by their rows; of sum 1 for all rows at once
        scale = (1 if whole else n) / data.weight.sum()
        self._data = replace(data, weight=data.weight * scale)
        self._sizes = (n_batch, rest) if rest else (n_batch,)
        most = 0 if whole else max(self._sizes)
        self._memory = StepMemory(network, state.key, most)
        self._memory.optimizer_state |= state.optimizer_state
        state.optimizer_state = self._memory.optimizer_state
        self._memory.step[0] = state.step
        self._memory.steps_before_optimizer = state.steps_before_optimizer

        self._statistics = None
        if state.average is not None:
            self._memory.average = state.average.parameters
            if network.statistics.size and options.renew_statistics:
                self._statistics = StatisticsPass(network, plan, self._data, self._memory)
        program = network.training_program(plan, self._data, self._memory)
        self._batch, self._last_batch = self._bind(program)
        self._order = None if whole else self._rows.copy()
        self.steps = self._n_batches + (rest > 0)
        network.plan = plan
        self._restart = RestartPoint(network, state)
        self._probe = None
        if options.record == "gradients":
            self._probe = begin_recording(network, data, state)

    def _bind(self, program):
        """A program for full batches, and for the last one if it has other rows."""
        memory = program.allocate(max(self._sizes))
        bound = [program.bind(memory, rows) for rows in self._sizes]
        return bound[0], bound[1] if len(bound) > 1 else None

    def run(self):
        """Do one epoch.

        Returns
        -------
        cost : float
            The mean loss of its batches, plus the penalty after the last.

        rates : ndarray of float
            The learning rates of its steps.

        flow : dict of str to ndarray
            What was measured of the gradients, where that is asked for.
        """
        state, memory, average = self.state, self._memory, self.state.average
        if state.step - self._restart.step >= _RESTART_STEPS:
            self._restart.take(self.network, state)
        rates = self._rates(state.epoch, state.step)
        self._shuffle(state.epoch)
        memory.total[0] = 0.0
        if average is not None:
            average.enter_epoch(self.network)
        try:
            # infinities and NaN are found, and told in plain words, at the epoch's end
            with np.errstate(all="ignore"):
                flow = self._run_steps(rates)
                if average is not None:
                    self._add_to_average()
            n_rows = self._batch.rows if self._order is None else len(self._order)
            cost = memory.total[0] / n_rows + self.network.penalty()
        finally:
            state.step = int(memory.step[0])
            if average is not None:
                average.leave_epoch(self.network)
        if self._statistics is not None and average.count[0]:
            self._statistics.run(self._order, self._sizes, self._n_batches)
        return cost, rates, flow

    def _run_steps(self, rates):
        """Do all steps; the last by itself where its update is to be measured."""
        order, n_batches = self._order, self._n_batches
        if self._probe is None:
            self._batch.run_epoch(self._epoch(n_batches, self._last_batch, order, rates))
            return {}
        n_before = len(rates) - 1
        if n_before:
            self._batch.run_epoch(self._epoch(n_before, None, order, rates[:-1]))
        if order is not None:
            order = order[n_before * self._sizes[0] :]
        before = self.network.parameters.copy()
        last = self._last_batch or self._batch
        last.run_epoch(self._epoch(1, None, order, rates[-1:]))
        flow = self._probe.measure()
        return flow | {"update_ratio": update_ratios(self.network, before)}

    def _add_to_average(self):
        self.network.settings.weight_averaging.add_epoch(
            self.state.average,
            self.network.parameters,
            self.state.epoch + 1,
            self.options.planned_epochs,
        )

    def _epoch(self, n_full, last, order, rates):
        memory = self._memory
        return Epoch(
            n_full, last, order, memory.index, memory.step, memory.learning_rate, rates
        )

    def _rates(self, epoch, step):
        options = self.options
        monitored = self.state.history.get("monitored", Series()).first(epoch)
        progress = Progress(epoch, step, self.steps, options.planned_epochs, monitored)
        return options.learning_rate * options.schedule.factors(progress)

    def _shuffle(self, epoch):
        if self.options.shuffle and self._order is not None:
            self._order[...] = self._rows
            self._memory.stream.at(SHUFFLING, epoch).shuffle(self._order)

    # --- an epoch that failed -----------------------------------------------------

    def explain_divergence(self, largest):
        """Do the last epochs again to find where they failed, and say so.

        Losses fail above the largest.

        The optimizer's state is left as it was at the start; the weights are not.
        """
        state, memory = self.state, self._memory
        with np.errstate(all="ignore"):
            explanation = explain_divergence(self._replay(state.epoch + 1), largest)
        self._restart.restore(self.network, state)
        memory.step[0] = state.step = self._restart.step
        return explanation

    def _replay(self, n_epochs):
        """Do the steps since the restart point once more, up to so many epochs in all."""
        network, memory = self.network, self._memory
        program = network.gradient_program(network.plan, self._data, memory)
        gradients = [bound for bound in self._bind(program) if bound is not None]
        updates = [self._batch, self._last_batch]
        self._restart.restore(network, self.state)
        if self.state.average is not None:
            self.state.average.enter_epoch(network)
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

    Raises
    ------
    KeyboardInterrupt
        Where the user ended training; the network has the best weights so far.
    """
    epochs = Epochs(network, data, options, state)
    try:
        while not state.ending:
            monitor.start_epoch()
            cost, rates, flow = epochs.run()
            monitor.end_epoch(cost, rates, epochs.explain_divergence, flow)
        monitor.finish()
    except KeyboardInterrupt:
        monitor.interrupt()
        raise
