"""Validation data: the rows that are set aside, and what is measured on them."""

import copy

import numpy as np
from sklearn.metrics import check_scoring

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
    """
    rows = np.flatnonzero(weight)
    # here, as it takes a tenth of the time of `import skdeep`
    from sklearn.model_selection import train_test_split

    _, held_out = train_test_split(
        rows,
        test_size=fraction,
        random_state=key[0] % 2**32,
        stratify=None if strata is None else strata[rows],
    )
    return held_out


def validation_on(estimator, X, y, sample_weight):
    """Prepare the validation of an estimator whose network is in training.

    Parameters
    ----------
    estimator : estimator
        What is trained; its `monitor` says what is watched.

    X, y, sample_weight : ndarray
        The validation data, checked.

    Returns
    -------
    validate : callable
        Gives the values to record, as a dict, and the monitored one, of which less is
        better.
    """
    network = estimator.network_
    target, one_hot = estimator._encode_target(y, network.dtype)
    samples = estimator._as_samples(X)
    weight = sample_weight * estimator._class_weights(y, sample_weight)
    # It predicts with the network in training, without the names of features that X
    # has no more.
    view = copy.copy(estimator)
    view.n_iter_ = 0  # fitted
    vars(view).pop("feature_names_in_", None)
    by_score = estimator.monitor != "loss"
    scorer = check_scoring(view, scoring=estimator.monitor if by_score else None)
    # of the scorers, only scikit-learn's own say whether they take weights
    takes_weights = getattr(scorer, "_accept_sample_weight", lambda: False)()
    weights = {"sample_weight": sample_weight} if takes_weights else {}

    def validate():
        losses = _losses(network, samples, target, one_hot)
        loss = float(np.average(losses, weights=weight))
        score = float(scorer(view, X, y, **weights))
        values = {"validation_loss": loss, "validation_score": score}
        return values, -score if by_score else loss

    return validate


def _losses(network, samples, target, one_hot):
    """The loss of each sample; of many classes a block at a time, for their targets."""
    z, value = network.raw_outputs(samples), network.loss.value
    if one_hot is None:
        return value(target, z)
    rows = max(1, _BLOCK_NUMBERS // one_hot.n_classes)
    blocks = (slice(start, start + rows) for start in range(0, len(z), rows))
    parts = [value(one_hot.targets(target[b], z.dtype), z[b]) for b in blocks]
    return np.concatenate(parts)
