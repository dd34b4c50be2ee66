"""Models that predict together, trained beside each other: one on each core."""

import threading
import warnings
from collections import Counter
from contextlib import contextmanager
from time import perf_counter

import numpy as np
from sklearn import config_context, get_config

from skdeep.engine.threads import side_by_side
from skdeep.estimators.base_network_estimator import BaseNetworkEstimator
from skdeep.validation.notices import hold_notices, warn_user

# What is done after the networks takes part of a time limit, too.
SHARE_OF_NETWORKS = 0.9


class Clock:
    """The seconds that are left of a limit, from its making on."""

    def __init__(self, limit):
        self._end = np.inf if limit is None else perf_counter() + limit

    def left(self):
        """The seconds that are left; infinite without a limit."""
        return self._end - perf_counter()

    @property
    def runs(self):
        """Whether there is a limit."""
        return np.isfinite(self._end)


class EndAt:
    """A callback that ends a fit after the epoch in which an event was set."""

    def __init__(self, event):
        self.event = event

    def setup(self, estimator, context):
        """Nothing to set up."""

    def on_fit_task_begin(self, estimator, context):
        """Nothing to begin."""

    def on_fit_task_end(self, estimator, context):
        """Say whether to end."""
        return self.event.is_set()

    def teardown(self, estimator, context):
        """Nothing to tear down."""


@contextmanager
def as_task(task, owner, member, end_at):
    """Tell an estimator's callbacks that a member is trained, and let one end that.

    Parameters
    ----------
    task : CallbackContext
        That of the member's training.

    owner : estimator
        Whose member it is.

    member : estimator
        Gets the callbacks that are for members, too, for the while.

    end_at : EndAt
        Ends the training of a network, or of a pipeline's last step.
    """
    with _also_told(member, end_at), task.propagate_callback_context(member):
        task.call_on_fit_task_begin(estimator=owner)
        yield
        task.call_on_fit_task_end(estimator=owner)


@contextmanager
def _also_told(member, callback):
    while hasattr(member, "steps"):
        member = member.steps[-1][1]
    if not isinstance(member, BaseNetworkEstimator):
        yield
        return
    own = getattr(member, "_skl_callbacks", [])
    member.set_callbacks(*own, callback)
    try:
        yield
    finally:
        member.set_callbacks(*own)


def train(fits, clock):
    """Train members beside each other, while there is time.

    The first is trained, however long it takes; another one only while there is time
    for one that takes as long as the slowest so far. What they warn of is said once, with
    the number of members that it is about.

    Parameters
    ----------
    fits : list of callable
        Each takes an `EndAt`, trains a member and returns it.

    clock : Clock
        The time that is left.

    Returns
    -------
    results : list
        What they return, or None where there was no time.

    interrupted : KeyboardInterrupt or None
        Where the user ended it; the results are then those that are complete.
    """
    stop, slowest = threading.Event(), [0.0]
    results, told = [None] * len(fits), [()] * len(fits)
    config = get_config()  # each thread has one of its own

    def run(number):
        if stop.is_set() or (number and clock.left() * SHARE_OF_NETWORKS < slowest[0]):
            return
        start = perf_counter()
        with config_context(**config), hold_notices() as told[number]:
            result = fits[number](EndAt(stop))
        if not stop.is_set():
            results[number] = result
        slowest[0] = max(slowest[0], perf_counter() - start)

    try:
        # threads that change the filters of warnings for a while may leave another's
        with warnings.catch_warnings():
            side_by_side(run, range(len(fits)), stop)
    except KeyboardInterrupt as interrupt:
        return results, interrupt
    _warn_of(told, sum(result is not None for result in results))
    return results, None


def _warn_of(told, n_members):
    counts = Counter(notice for notices in told for notice in dict.fromkeys(notices))
    for (message, category), count in counts.items():
        warn_user(f"{message} ({count} of {n_members} members)", category)


def say_what_is_kept(interrupt, n_members):
    """Let an interrupt say with how many members an estimator is fitted."""
    # not what the member says that was cut short, which is not kept
    interrupt.__notes__ = [
        f"Training was interrupted after {n_members} members, with which the estimator is "
        "fitted."
    ]
