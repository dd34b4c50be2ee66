"""Validation data: the rows that are set aside, and what is measured on them."""

import math

import numpy as np
from sklearn.base import is_regressor
from sklearn.metrics import check_scoring

from skdeep.validation.messages import naming

# The numbers of targets that are made of numbers of classes at a time.
_BLOCK_NUMBERS = 1 << 20


def hold_out(weight, strata, fraction, key):
    """Choose the samples that are set aside for validation.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,)
        The samples' weights. Those without weight are not there.

    strata : ndarray of shape (n_samples,) or None
        Classes whose proportions are kept.

    fraction : float
        The share of samples to set aside, in (0, 1).

    key : tuple of int
        Decides which.

    Returns
    -------
    rows : ndarray of int

    Raises
    ------
    ValueError
        Where there are too few samples, or too few for all classes.
    """
    rows = np.flatnonzero(weight)
    n_held_out, classes = math.ceil(fraction * len(rows)), None
    movable = np.ones(len(rows), dtype=bool)
    if strata is not None:
        _, classes, counts = np.unique(
            strata[rows], return_inverse=True, return_counts=True
        )
        movable = counts[classes] > 1  # the only sample of a class is one to learn from
        classes = classes[movable]
    n_classes = 1 if strata is None else np.count_nonzero(counts > 1)
    fewest = min(n_held_out, np.count_nonzero(movable) - n_held_out)
    if fewest < max(n_classes, 1):
        _refuse_split(len(rows), n_held_out, None if strata is None else n_classes)
    # here, as it takes a tenth of the time of `import skdeep`
    from sklearn.model_selection import train_test_split

    _, held_out = train_test_split(
        rows[movable], test_size=n_held_out, random_state=key[0] % 2**32, stratify=classes
    )
    return held_out


def _refuse_split(n, n_held_out, n_classes):
    needed = "at least 1 sample"
    if n_classes == 0:
        needed = "a class with more than 1 sample"
    elif n_classes is not None:
        needed = f"a sample of each of the {n_classes} classes that have more than 1"
    raise ValueError(
        f"early_stopping=True sets samples aside for validation: by validation_fraction, "
        f"{n_held_out} of {n}. It needs {needed} there, and as much among the others. "
        "Give validation data as X_val and y_val, change validation_fraction, or set "
        "early_stopping=False."
    )


def validation_on(data, fitted, monitor):
    """Prepare the validation of an estimator whose network is in training.

    Parameters
    ----------
    data : CheckedData
        The validation data.

    fitted : estimator
        What predicts, with the network in training.

    monitor : "loss", str or callable
        What is watched.

    Returns
    -------
    validate : callable
        Gives the values to record, as a dict, and the monitored one, of which less is
        better. Outputs that are not finite have an infinite loss, and are not scored.
    """
    network, X, y = fitted.network_, data.X, data.y
    with naming({"y": "y_val"}):
        samples = data.for_network(network.dtype)
    vars(fitted).pop("feature_names_in_", None)  # which X, an array, has no more
    by_score = monitor != "loss"
    scorer = check_scoring(fitted, scoring=monitor if by_score else None)
    # of the scorers, only scikit-learn's own say whether they take weights
    takes_weights = getattr(scorer, "_accept_sample_weight", lambda: False)()
    weights = {"sample_weight": data.sample_weight} if takes_weights else {}
    # R2 of one sample is not defined, which scikit-learn would say at every epoch
    scored = by_score or len(y) > 1 or not is_regressor(fitted)

    def validate():
        # what overflows is told as a divergence, in plain words
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            outputs = network.raw_outputs(samples.x)
            losses = _losses(network.loss, samples, outputs)
            loss = float(np.average(losses, weights=samples.weight))
            if not (math.isfinite(loss) and np.isfinite(outputs).all()):
                return {
                    "validation_loss": math.inf,
                    "validation_score": -math.inf,
                }, math.inf
            score = _score(scorer, fitted, X, y, weights) if scored else math.nan
        values = {"validation_loss": loss, "validation_score": score}
        return values, -score if by_score else loss

    return validate


def _score(scorer, estimator, X, y, weights):
    """What a scorer gives; where the estimator has not what it asks for, in words."""
    try:
        return float(scorer(estimator, X, y, **weights))
    except AttributeError as error:
        raise ValueError(
            f"monitor={estimator.monitor!r} cannot score a {type(estimator).__name__}: "
            f"{error} Use another scorer, or 'loss'."
        ) from error


def _losses(loss, samples, outputs):
    """The loss of each sample; of many classes a block at a time, for their targets."""
    target, one_hot = samples.target, samples.one_hot
    if one_hot is None:
        return loss.value(target, outputs)
    rows = max(1, _BLOCK_NUMBERS // one_hot.n_classes)
    blocks = (slice(start, start + rows) for start in range(0, len(outputs), rows))
    parts = [
        loss.value(one_hot.targets(target[b], outputs.dtype), outputs[b]) for b in blocks
    ]
    return np.concatenate(parts)
