"""What happens at the end of every epoch: recording, comparing, deciding to stop."""

import math
import time
from dataclasses import dataclass

from sklearn.exceptions import ConvergenceWarning

from skdeep.training.divergence import is_far_above, largest_cost, what_failed
from skdeep.training.state import Snapshot
from skdeep.validation.notices import warn_user


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

    planned : bool, default=False
        Whether `max_epochs` is the length that training is laid out for.
    """

    max_epochs: int
    tol: float
    n_iter_no_change: int
    restore_best: bool
    pauses: bool = False
    planned: bool = False


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
        Gives the validation values to record, as a dict, and the one that may be
        monitored, of which less is better.

    watched : str, default="loss"
        What is monitored: the training ``"loss"``, or else what `validate` gives. Where
        the state watches something else, epochs are recorded without being compared.

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
        self._on_validation = watched != "loss"
        self._compares = watched == state.watched
        self._in_epoch = self._told_undefined = False
        self._before = None
        self._started = time.perf_counter()
        if state.best_weights is None:
            state.best_weights = Snapshot(network, state.average)

    # --- an epoch -----------------------------------------------------------------

    def start_epoch(self):
        """Keep the weights that the coming epoch's loss is measured on."""
        self.keep_weights()
        self.tasks.begin_epoch(self)

    def keep_weights(self):
        if self._before is None:
            self._before = Snapshot(self.network, self.state.average)
        else:
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
            Says in words where the epoch's cost or weights stopped to be finite, or the
            cost rose above a given one, where they did.

        flow : dict of str to ndarray or None, default=None
            What was measured of the gradients.
        """
        values, monitored = {"loss": cost}, cost
        largest = largest_cost(self._first_cost())
        failure = what_failed(cost, largest, self.network)
        if not failure and self.validate is not None:
            validation, value = self.validate()
            values |= validation
            monitored = value if self._on_validation else cost
            if math.isinf(values["validation_loss"]):
                failure = "the outputs for the validation data became too large"
        if failure:
            self._end_diverged(failure, explain(largest))
            return
        self._in_epoch = False
        self.state.epoch += 1
        self.state.record(rates, monitored=monitored, **values, **(flow or {}))
        if self.verbose:
            self._print(values, rates[-1])
        if self._compares:
            self._compare(monitored, values)
        if self.state.epoch - self.state.first_epoch >= self.rule.max_epochs:
            self.state.ending = self.state.ending or "max_iter"
        if self.tasks.end_epoch(self):
            self.state.ending = self.state.ending or "callback"

    def _first_cost(self):
        """That of this call; of calls whose data differ, that of the very first."""
        costs = self.state.history.get("loss", ())
        number = 0 if self.rule.pauses else self.state.first_epoch
        return costs[number] if number < len(costs) else math.inf

    def _compare(self, monitored, values):
        state = self.state
        if math.isnan(monitored):
            self._tell_undefined()
            monitored = math.inf
        if self._on_validation and math.isinf(state.best):
            self._compare_with_start(monitored, values)
        fell = monitored < math.inf and monitored <= state.best - self.rule.tol
        state.waited = 0 if fell else state.waited + 1
        if monitored < state.best:
            if self._on_validation:
                # else the loss was that of the weights before the epoch's steps
                self._before.take(self.network, self.state.average)
            self._before, state.best_weights = state.best_weights, self._before
            state.best, state.best_epoch = monitored, state.epoch
        if state.waited > self.rule.n_iter_no_change:
            state.ending = "no_improvement"

    def _compare_with_start(self, monitored, values):
        """Keep the weights that training began with where its first epoch blew up."""
        if not is_far_above(values["validation_loss"], values["loss"]):
            return
        state = self.state
        now = Snapshot(self.network, state.average)
        state.best_weights.restore(self.network, state.average)
        _, value = self.validate()
        if value < monitored:
            state.best = value
        now.restore(self.network, state.average)

    def _tell_undefined(self):
        """A monitored score that is NaN: an error at first, a warning later."""
        text = (
            f"Early stopping watches the {self.state.watched}, which is NaN: it is not "
            "defined for these validation data{}. Some scores need samples of every class, "
            "or two samples: give other validation data (X_val and y_val), a larger "
            "validation_fraction, or another monitor, such as 'loss'."
        )
        if math.isinf(self.state.best):
            raise ValueError(text.format(""))
        if not self._told_undefined:
            self._told_undefined = True
            warn_user(text.format(", and counts as no improvement"))

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
        return self.rule.restore_best and ended and self.state.best < math.inf

    def interrupt(self):
        """End training at the user's wish, with the best weights so far.

        Where an earlier call of `fit` was to go on, and no epoch was done, its weights
        are the best so far: then training has not ended, but is to be undone.
        """
        state = self.state
        if self._in_epoch and 0 < state.epoch == state.first_epoch:
            return
        best = self._on_validation or state.best_epoch < state.epoch
        if not self.network.is_finite():
            state.best_weights.restore(self.network, state.average)
        elif self.rule.pauses:
            pass  # the latest weights are those to go on from
        elif best and state.best < math.inf:
            state.best_weights.restore(self.network, state.average)
        elif state.epoch and self._in_epoch:
            # the loss of the last epoch was the lowest: its end is still better
            self._before.restore(self.network, state.average)
        state.ending = "interrupted"

    def check_outcome(self):
        """Warn where training ended too soon, or higher than it began.

        In the second case the best weights are restored.
        """
        state = self.state
        if state.ending == "diverged":
            return  # and said so
        first, last = self._first_cost(), state.history["loss"][-1]
        if is_far_above(last, first):
            state.best_weights.restore(self.network, state.average)
            self._warn_diverged(f"from a loss of {first:.6g} to {last:.6g}.")
        elif self.rule.restore_best and state.best < math.inf and not state.best_epoch:
            self._warn_diverged("on the validation data, where no epoch was better.")
        elif state.ending == "max_iter" and not self.rule.planned:
            warn_user(
                f"Maximum iterations (max_iter={self.rule.max_epochs}) reached and the "
                "optimization hasn't converged yet. Raise max_iter; with features that are "
                "scaled (StandardScaler) fewer suffice.",
                ConvergenceWarning,
            )

    def _end_diverged(self, failure, where):
        self.state.best_weights.restore(self.network, self.state.average)
        epoch = self.state.epoch + 1
        self._warn_diverged(f"in epoch {epoch}{where or f': {failure}.'}")
        self.tasks.abandon_epoch()

    def _warn_diverged(self, what):
        self.state.ending = "diverged"
        warn_user(
            f"Training diverged {what} The {self.state.best_name()} were kept. Scale "
            "the features (StandardScaler), lower learning_rate, or set "
            "gradient_clip_norm=1.0.",
            ConvergenceWarning,
        )
