"""What happens at the end of every epoch: recording, comparing, deciding to stop."""

import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skdeep.training.state import Snapshot


@dataclass(frozen=True)
class StoppingRule:
    """When training ends.

    Parameters
    ----------
    max_epochs : int
        The epochs to do at most.

    tol : float
        The smallest fall of the monitored value that counts.

    n_iter_no_change : int
        The epochs without such a fall before training stops.

    restore_best : bool
        Whether the best epoch's weights are restored at the end.

    pauses : bool, default=False
        Whether training only pauses after `max_epochs`, to go on with other data: it
        ends where nothing improves.
    """

    max_epochs: int
    tol: float
    n_iter_no_change: int
    restore_best: bool
    pauses: bool = False


class Monitor:
    """Watches one call of `fit`: it records, keeps the best weights and says when to stop.

    It says so by the state's ``ending``.

    Parameters
    ----------
    network : Network
        What is trained.

    state : TrainingState
        Where the history goes.

    rule : StoppingRule
        When to stop.

    tasks : FitTasks
        Tells callbacks of every epoch.

    validate : callable or None, default=None
        Gives the validation values to record, as a dict, and the monitored one, of
        which less is better. Without it the training loss is monitored.

    watched : str, default="loss"
        What the monitored value is of. Where the state watches something else, epochs
        are recorded without being compared.

    verbose : bool, default=False
        Whether to print a line each epoch.
    """

    def __init__(
        self, network, state, rule, tasks, validate=None, watched="loss", verbose=False
    ):
        self.network = network
        self.state = state
        self.rule = rule
        self.tasks = tasks
        self.validate = validate
        self.verbose = verbose
        self._compares = watched == state.watched
        self._in_epoch = False
        self._before = Snapshot(network, state.average)
        self._started = time.perf_counter()
        if state.best_weights is None:
            state.best_weights = Snapshot(network, state.average)

    # --- an epoch -----------------------------------------------------------------

    def start_epoch(self):
        """Keep the weights that the coming epoch's loss is measured on."""
        self.keep_weights()
        self.tasks.begin_epoch(self)

    def keep_weights(self):
        self._before.take(self.network, self.state.average)
        self._in_epoch = True

    def end_epoch(self, cost, rates, explain, flow=None):
        """Record an epoch, compare it with the best, and stop where it is time to.

        Parameters
        ----------
        cost : float
            The mean loss of the epoch's batches, plus the penalty.

        rates : ndarray of float
            The learning rate of each of its steps.

        explain : callable
            Says in words where the epoch's cost or weights stopped to be finite, where
            they did.

        flow : dict of str to ndarray or None, default=None
            What was measured of the gradients.
        """
        if not np.isfinite(cost) or not np.isfinite(self.network.parameters).all():
            self._end_diverged(cost, explain)
            return
        self._in_epoch = False
        self.state.epoch += 1
        values, monitored = {"loss": cost}, cost
        if self.validate is not None:
            validation, monitored = self.validate()
            values |= validation
        self.state.record(rates, monitored=monitored, **values, **(flow or {}))
        if self.verbose:
            self._print(values, rates[-1])
        if self._compares:
            self._compare(monitored)
        if self.state.epoch - self.state.first_epoch >= self.rule.max_epochs:
            self.state.ending = self.state.ending or "max_iter"
        if self.tasks.end_epoch(self):
            self.state.ending = self.state.ending or "callback"

    def _compare(self, monitored):
        state = self.state
        if monitored > state.best - self.rule.tol:
            state.waited += 1
        else:
            state.waited = 0
        if monitored < state.best:
            if self.validate is not None:
                # else the loss was that of the weights before the epoch's steps
                self._before.take(self.network, self.state.average)
            self._before, state.best_weights = state.best_weights, self._before
            state.best, state.best_epoch = monitored, state.epoch
        if state.waited > self.rule.n_iter_no_change:
            state.ending = "no_improvement"

    def _print(self, values, rate):
        texts = [f"{name} {value:.6g}" for name, value in values.items()]
        texts.insert(1, f"learning_rate {rate:.6g}")
        seconds = time.perf_counter() - self._started
        print(f"Epoch {self.state.epoch}: {', '.join(texts)} ({seconds:.1f} s)")

    # --- the end ------------------------------------------------------------------

    def finish(self):
        """Leave the network with the weights that training was for."""
        if self._restores_best():
            self.state.best_weights.restore(self.network, self.state.average)

    def finished_network(self):
        """A copy of the network, as `finish` would leave it."""
        network = self.network.copy()
        if self._restores_best():
            self.state.best_weights.restore(network)
        return network

    def _restores_best(self):
        ended = not self.rule.pauses or self.state.ending == "no_improvement"
        return self.rule.restore_best and ended and self.state.best_epoch > 0

    def interrupt(self):
        """End training at the user's wish, with the best weights so far."""
        state = self.state
        state.ending = "interrupted"
        falling = self.validate is None and state.best_epoch == state.epoch
        if not self.network.is_finite() or (state.epoch and not falling):
            state.best_weights.restore(self.network, self.state.average)
        elif state.epoch and self._in_epoch:
            # the loss of the last epoch was the lowest: its end is still better
            self._before.restore(self.network, state.average)
        warnings.warn(
            f"Training interrupted by user in epoch {state.epoch + 1}; the best "
            "weights so far were kept.",
            UserWarning,
            stacklevel=2,
        )

    def check_outcome(self):
        """Warn where training ended too soon, or higher than it began.

        In the second case the best weights are restored.
        """
        if self.state.ending in ("diverged", "interrupted"):
            return  # and said so
        costs = self.state.history.get("loss", [0.0])
        higher = costs[-1] > costs[0] + max(1.0, abs(costs[0]))
        if higher and not self.rule.restore_best:
            self.state.best_weights.restore(self.network, self.state.average)
            self._warn_diverged(f"from a loss of {costs[0]:.6g} to {costs[-1]:.6g}.")
        elif self.state.ending == "max_iter":
            warnings.warn(
                f"Maximum iterations (max_iter={self.rule.max_epochs}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _end_diverged(self, cost, explain):
        self.state.ending = "diverged"
        where = explain()
        self.state.best_weights.restore(self.network, self.state.average)
        epoch = self.state.epoch + 1
        self._warn_diverged(f"in epoch {epoch}{where or f': the loss became {cost}.'}")
        self.tasks.abandon_epoch()

    def _warn_diverged(self, what):
        if self.state.best_epoch:
            kept = f"The weights of the best epoch, {self.state.best_epoch}, were kept."
        else:
            kept = "The initial weights were kept, since no epoch ended before."
        warnings.warn(
            f"Training diverged {what} {kept} Scale the features (StandardScaler), lower "
            "learning_rate, or set gradient_clip_norm=1.0.",
            ConvergenceWarning,
            stacklevel=2,
        )
