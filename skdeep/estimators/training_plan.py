"""What an estimator's parameters say of training: its rules, options, and what they refuse.

The functions take the parameters from an estimator, and nothing else.
"""

import math
from numbers import Integral

from sklearn.exceptions import ConvergenceWarning

from skdeep.engine.network import Settings
from skdeep.optimizers import LBFGS, get_optimizer
from skdeep.training.monitor import StoppingRule
from skdeep.training.state import name_of
from skdeep.training.trainer import DescentOptions, batch_rows
from skdeep.validation.messages import plain
from skdeep.validation.notices import warn_user


def network_settings(estimator, averaging):
    """What acts on the parameters of a network besides its loss and optimizer."""
    decay = estimator.weight_decay
    if decay == "auto":
        decay = get_optimizer(estimator.optimizer).default_weight_decay
    return Settings(
        weight_decay=float(decay),
        l1_penalty=float(estimator.l1_penalty),
        max_norm=estimator.max_norm,
        gradient_clip_norm=estimator.gradient_clip_norm,
        gradient_clip_value=estimator.gradient_clip_value,
        weight_averaging=averaging,
    )


def watched_value(estimator, watches):
    """What is monitored, in words: something of the validation data, or the loss."""
    if not watches:
        return "loss"
    monitor = estimator.monitor
    return f"validation {monitor if isinstance(monitor, str) else name_of(monitor)}"


def stopping_rule(estimator, optimizer, schedule, *, watches, partial):
    """When training ends."""
    lbfgs = isinstance(optimizer, LBFGS)
    # L-BFGS knows a minimum when it sees one, and whoever calls partial_fit knows
    # when to stop: they need no rule for the training loss.
    patient = (lbfgs or partial) and not watches
    return StoppingRule(
        max_epochs=1 if partial else estimator.max_iter,
        tol=estimator.tol,
        n_iter_no_change=math.inf if patient else estimator.n_iter_no_change,
        restore_best=watches,
        pauses=partial,
        planned=schedule.planned and not lbfgs,
    )


def descent_options(estimator, network, schedule, state, n_rows, augmentation, *, partial):
    """How gradient descent goes through the data."""
    rate = estimator.learning_rate
    size = batch_rows(estimator.batch_size, n_rows)
    if isinstance(estimator.batch_size, Integral) and size < estimator.batch_size:
        warn_user(
            f"Got batch_size={estimator.batch_size} larger than the number of training "
            f"samples, {n_rows}. It is going to be clipped to {n_rows}."
        )
    check_batch(estimator, network, size)
    coming = 1 if partial else estimator.max_iter
    return DescentOptions(
        batch_size=size,
        shuffle=estimator.shuffle,
        learning_rate=network.optimizer.learning_rate if rate == "auto" else rate,
        schedule=schedule,
        planned_epochs=max(state.first_epoch + coming, estimator.max_iter),
        augmentation=augmentation,
        renew_statistics=not partial,
        record=estimator.record,
    )


def check_batch(estimator, network, rows):
    """Raise a ValueError where batches are too small for batch normalization."""
    if rows >= network.least_rows:
        return
    small = "batch_size is 1: set it to 2 or more"
    if estimator.batch_size != 1:
        small = "there is only 1 sample to train on: give more at a time"
    raise ValueError(
        "Batch normalization learns nothing from batches of one sample, whose mean is "
        f"the sample itself. Here {small}, or set batch_norm=False "
        "(or leave BatchNorm out: LayerNorm looks at no other samples)."
    )


def check_smooth(estimator, network, augmentation):
    """Raise a ValueError where L-BFGS meets a cost that has kinks, or is random."""
    if any(layer.is_random for _, layer in network.layers):
        raise ValueError(
            "optimizer='lbfgs' needs a loss that is the same at every evaluation, "
            "so dropout and input_dropout must be 0. Use another optimizer, such "
            "as 'adam', to train with dropout."
        )
    refused = {
        "l1_penalty": (0, "a cost without kinks"),
        "max_norm": (None, "weights without limits"),
        "weight_averaging": (None, "no average, as it has no steps that wander"),
    }
    for name, (off, wanted) in refused.items():
        value = getattr(estimator, name)
        if value not in (off, "auto"):
            raise ValueError(
                f"optimizer='lbfgs' needs {wanted}: {name} must be {off}, but it is "
                f"{plain(value)!r}. Use another optimizer, such as 'adam', with {name}."
            )
    if len(augmentation):
        raise ValueError(
            "optimizer='lbfgs' needs a loss that is the same at every evaluation, so "
            "augmentation must be (). Use another optimizer, such as 'adam'."
        )


# --- calls of partial_fit ---------------------------------------------------------


def has_stopped_early(estimator, state):
    """Whether the patience of earlier calls of partial_fit is used up."""
    watches = estimator.early_stopping and state.watched != "loss"
    return watches and state.waited > estimator.n_iter_no_change


def warn_stopped_early(state):
    """Say that early stopping ended training, and what to do."""
    warn_user(
        f"Early stopping ended training: the {state.watched} had not improved for "
        f"{state.waited} calls. The {state.best_name()} "
        "are kept, and partial_fit changes nothing any more. To train on from them, "
        "set early_stopping=False or a larger n_iter_no_change; to start anew, call "
        "fit.",
        ConvergenceWarning,
    )


def warn_of_ended_plan(estimator, state):
    """Warn, once, where partial_fit goes on after the schedule's end."""
    ended = state.epoch >= estimator.max_iter
    if ended and not state.told_plan_ended:
        warn_user(
            f"learning_rate_schedule={estimator.learning_rate_schedule!r} is planned for "
            f"max_iter={estimator.max_iter} epochs, which are done: from now on the "
            "learning rate stays at its last value, which is near zero. Set max_iter "
            "to the number of calls that are to come in all, or use a schedule that "
            "has no end, such as 'constant' or 'inverse_scaling'."
        )
    state.told_plan_ended = ended
