"""Class weights of multilabel targets: what the loss of each label is multiplied by."""

import numpy as np

from skdeep.validation.class_weight import class_weight_vector
from skdeep.validation.sample_weight import of_size_one

_CLASSES = np.array([0, 1])


def label_weights(class_weight, y, sample_weight):
    """The weight of both sides of each label.

    Parameters
    ----------
    class_weight : "balanced" or list of dict
        One dict for each label, with the weights of its classes 0 and 1.

    y : ndarray of shape (n_samples, n_labels)
        The labels.

    sample_weight : ndarray of shape (n_samples,)
        The samples' weights.

    Returns
    -------
    weights : ndarray of shape (2, n_labels)
        Of targets of 0 and of 1, with a mean of 1 over samples and labels.

    Raises
    ------
    ValueError
        Where `class_weight` is no such list.
    """
    counts = np.stack([sample_weight @ (1.0 - y), sample_weight @ (0.0 + y)])
    if isinstance(class_weight, str):
        weights = _balanced(counts)
    else:
        weights = of_size_one(_of_dicts(class_weight, y.shape[1]))
    total = counts.sum()
    if not total:
        return weights
    mean = (counts * weights).sum() / total
    if not mean:
        raise ValueError("class_weight gives all labels the weight zero: there is no loss.")
    return weights / mean


def balanced_label_weights(y, sample_weight):
    """What `class_weight="balanced"` means for labels, as a list of dicts."""
    weights = label_weights("balanced", y, sample_weight)
    return [dict(enumerate(of_label.tolist())) for of_label in weights.T]


def _balanced(counts):
    """n / (2 n_class), as scikit-learn has it; a side without samples does not count."""
    present = counts > 0
    shares = present.sum(axis=0) * np.where(present, counts, 1.0)
    return np.where(present, counts.sum(axis=0) / shares, 1.0)


def _of_dicts(class_weight, n_labels):
    dicts = isinstance(class_weight, list) and all(
        isinstance(weights, dict) for weights in class_weight
    )
    if not dicts or len(class_weight) != n_labels:
        raise ValueError(
            "For multilabel targets class_weight must be None, 'balanced' or a list with "
            f"one dict for each of the {n_labels} labels, such as {{0: 1.0, 1: 5.0}}. Got "
            f"{class_weight!r}."
        )
    vectors = [class_weight_vector(w, _CLASSES, None, None) for w in class_weight]
    return np.array(vectors).T
