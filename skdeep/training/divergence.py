"""What divergence is, and where it began: the step, and the layer that blew up first.

Training has diverged where an epoch leaves something that is no number any more, or a cost
beyond all bounds (`what_failed`), or where a fit ends far above where it began
(`is_far_above`).

Nothing else is watched while training goes well. A failed epoch is done again, one step
after the other, from a copy of the training state that is taken now and then: random
numbers are a function of the step, so that everything happens as it did before.
"""

import math
from dataclasses import dataclass

import numpy as np

from skdeep.training.state import Snapshot

# No training comes back from so many times the first cost to something useful.
_BEYOND_ALL_BOUNDS = 1e10


def largest_cost(first):
    """The cost that an epoch may have, given the first one."""
    return _BEYOND_ALL_BOUNDS * max(1.0, abs(float(first)))  # of Python: may be inf


def what_failed(cost, largest, network):
    """Say what an epoch of training left that is infinite, NaN or beyond all bounds.

    Parameters
    ----------
    cost : float
        The epoch's cost.

    largest : float
        The largest that it may be.

    network : Network
        The network after the epoch.

    Returns
    -------
    failure : str
        Empty where nothing failed.
    """
    if not cost <= largest or math.isinf(cost):
        return f"the loss became {cost:.3g}"
    return "" if network.is_finite() else "the weights became too large"


def is_far_above(cost, first):
    """Whether a cost is so much higher than the first that training undid itself."""
    return cost > first + max(1.0, abs(first))


class RestartPoint:
    """A copy of all that decides the coming steps, at the start of an epoch.

    Parameters
    ----------
    network : Network
        What is trained.

    state : TrainingState
        Where training stands. The optimizer's vectors and numbers, and the average,
        change in place.
    """

    def __init__(self, network, state):
        self._snapshot = Snapshot(network, state.average)
        self._optimizer_state = {k: v.copy() for k, v in state.optimizer_state.items()}
        self.epoch, self.step = state.epoch, state.step

    def take(self, network, state):
        self._snapshot.take(network, state.average)
        for name, array in state.optimizer_state.items():
            np.copyto(self._optimizer_state[name], array)
        self.epoch, self.step = state.epoch, state.step

    def restore(self, network, state):
        self._snapshot.restore(network, state.average)
        for name, array in self._optimizer_state.items():
            np.copyto(state.optimizer_state[name], array)


@dataclass(frozen=True)
class Step:
    """What was seen of one step.

    Parameters
    ----------
    epoch, number : int
        The epoch, and the step in it, from 1.

    loss : float
        The mean loss of the batch.

    norms : dict of str to float
        The norm of the gradient of each layer, from input to output, before clipping
        and weight decay.

    learning_rate : float
        The learning rate.

    update_failed : bool
        Whether weights, or the penalty on them, are infinite or NaN after the step.
    """

    epoch: int
    number: int
    loss: float
    norms: dict
    learning_rate: float
    update_failed: bool

    @property
    def failed(self):
        finite = np.isfinite([self.loss, *self.norms.values()]).all()
        return self.update_failed or not finite


def explain_divergence(steps, largest=math.inf):
    """Say at which step training diverged, and which layer's gradient did first.

    Parameters
    ----------
    steps : iterable of Step
        The steps up to the end of the epoch that failed.

    largest : float, default=inf
        The largest loss that is none.

    Returns
    -------
    explanation : str
        Goes on from ``"in epoch 3"``; empty where all steps are finite now, as with a
        loss that gives another value every time.
    """
    first = last = None
    for step in steps:
        if step.failed or step.loss > largest:
            return _describe(step, first, last)
        first, last = first or step, step
    return ""


def _describe(failed, first, last):
    if np.isfinite(failed.loss) and failed.update_failed:
        what = "the weights became too large"
    elif np.isfinite(failed.loss) and failed.failed:
        what = "the gradient became infinite"
    else:
        what = f"the loss became {failed.loss:.3g}"
    text = f", step {failed.number}: {what}."
    layer = _first_to_blow_up(failed, first, last)
    if layer is None:
        return text
    norm, when = failed.norms[layer], "in that step"
    if last is not None and not np.isfinite(norm):
        norm, when = last.norms[layer], "the step before"
    text += (
        f" The gradient of layer {layer!r} blew up first: its norm was {norm:.3g} {when}"
    )
    if first is not None and first is not last:
        text += f", {first.norms[layer]:.3g} at the start of epoch {first.epoch}"
    return f"{text}. The learning rate was {failed.learning_rate:.3g}."


def _first_to_blow_up(failed, first, last):
    """The layer to name, or None where no gradient says anything."""
    infinite = [name for name, norm in failed.norms.items() if not np.isfinite(norm)]
    if infinite and (len(infinite) < len(failed.norms) or np.isfinite(failed.loss)):
        return infinite[-1]  # gradients are computed from the output to the input
    # All at once, by a loss that is not finite: before, one grew more than the others.
    late = last if infinite else failed
    if late is None:
        return None
    if first is None or first is late:
        return max(late.norms, key=late.norms.get)
    floor = 1e-3 * max(first.norms.values())  # a gradient of almost zero grows easily
    growth = {k: late.norms[k] / max(first.norms[k], floor, 1e-300) for k in late.norms}
    return max(growth, key=growth.get)
