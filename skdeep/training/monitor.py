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
    """

    max_epochs: int
    tol: float
    n_iter_no_change: int
    restore_best: bool


class Monitor:
    """Watches one call of `fit`: it records, keeps the best weights and says when to stop.

    Parameters
    ----------
    network : Network
        What is trained.

    state : TrainingState
        Where the history goes.

    rule : StoppingRule
        When to stop.

    validate : callable or None
        Gives the validation values to record, as a dict, and the monitored one, of
        which less is better. Without it the training loss is monitored.

    verbose : bool
        Whether to print a line each epoch.
    """

    def __init__(self, network, state, rule, validate, verbose):
        self.network = network
        self.state = state
        self.rule = rule
        self.validate = validate
        self.verbose = verbose
        self.converged = False
        self._epochs = 0
        self._best = Snapshot(network, state.average)
        self._before = Snapshot(network, state.average)
        self._started = time.perf_counter()

    def start_epoch(self):
        self._before.take(self.network)

    def end_epoch(self, cost, learning_rate):
        """Record an epoch; return whether training is to stop.

        Parameters
        ----------
        cost : float
            The mean loss of the epoch's batches plus the penalty.

        learning_rate : float
            The learning rate of its last step.
        """
        state = self.state
        if not np.isfinite(cost) or not np.isfinite(self.network.parameters).all():
            self._stop_diverged(cost)
            return True
        state.epoch += 1
        self._epochs += 1
        values = {"loss": cost, "learning_rate": learning_rate}
        monitored = cost
        if self.validate is not None:
            validation, monitored = self.validate()
            values |= validation
        state.record(**values, monitored=monitored)
        if self.verbose:
            self._print(values)
        return self._compare(monitored)

    def _compare(self, monitored):
        state = self.state
        if monitored > state.best - self.rule.tol:
            state.waited += 1
        else:
            state.waited = 0
        if monitored < state.best:
            state.best, state.best_epoch = monitored, state.epoch
            if self.validate is None:
                # The training loss was that of the weights before the epoch's steps.
                self._best, self._before = self._before, self._best
            else:
                self._best.take(self.network)
        self.converged = state.waited > self.rule.n_iter_no_change
        return self.converged or self._epochs >= self.rule.max_epochs

    def _stop_diverged(self, cost):
        self.converged = True  # nothing is gained by a warning about max_iter as well
        self._best.restore(self.network)
        epoch = self.state.epoch + 1
        self._warn_diverged(f"in epoch {epoch}: the loss became {cost}.")

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

    def interrupt(self):
        """End training at the user's wish, with the best weights so far."""
        self.converged = True
        if self._epochs or not np.isfinite(self.network.parameters).all():
            self._best.restore(self.network)
        warnings.warn(
            f"Training interrupted by user in epoch {self.state.epoch + 1}; the best "
            "weights so far were kept.",
            UserWarning,
            stacklevel=2,
        )

    def finish(self):
        """Restore the best weights where that was asked for."""
        if self.rule.restore_best and self.state.best_epoch:
            self._best.restore(self.network)

    def check_outcome(self):
        """Warn where training ended too soon, or higher than it began.

        In the second case the best weights are restored.
        """
        costs = self.state.history.get("loss", [0.0])
        higher = costs[-1] > costs[0] + max(1.0, abs(costs[0]))
        if higher and not self.rule.restore_best:
            self._best.restore(self.network)
            self._warn_diverged(f"from a loss of {costs[0]:.6g} to {costs[-1]:.6g}.")
        elif not self.converged:
            warnings.warn(
                f"Maximum iterations (max_iter={self.rule.max_epochs}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _print(self, values):
        texts = [f"{name} {value:.6g}" for name, value in values.items()]
        seconds = time.perf_counter() - self._started
        print(f"Epoch {self.state.epoch}: {', '.join(texts)} ({seconds:.1f} s)")
