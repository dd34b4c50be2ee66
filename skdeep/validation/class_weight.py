"""The weights of classes: what a user gives as `class_weight`, checked, as a vector."""

import math
import reprlib
from numbers import Real

import numpy as np


def class_weight_vector(class_weight, classes, y, sample_weight):
    """The weight of each class.

    ``"balanced"`` weighs class k by ``W / (K W_k)``, where W_k is the sum of its samples'
    weights, W that of all, and K counts the classes that have any (King and Zeng 2001,
    "Logistic regression in rare events data"); a class that has none keeps 1.

    A dict's key is for the class that it equals, or else for the class that reads the
    same: 0 and "0" both are keys for labels "0", as OpenML delivers them, and for labels
    0. Classes without a key have the weight 1. As in scikit-learn, keys that no class
    has are ignored where every class has its own, as in a fold without a rare class.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        What the user gave.

    classes : ndarray of shape (n_classes,)
        The sorted classes.

    y : ndarray of shape (n_samples,)
        The class of each sample, all of them in `classes`. For ``"balanced"`` only.

    sample_weight : ndarray of shape (n_samples,)
        The samples' weights. For ``"balanced"`` only.

    Returns
    -------
    weights : ndarray of shape (n_classes,)
        In float64.

    Raises
    ------
    ValueError
        Where a weight is not a finite number of at least zero, two keys are for one
        class, or a key is for no class while some class has none.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.validation.class_weight import class_weight_vector
    >>> y = np.array(["0", "1", "1", "1"])
    >>> class_weight_vector({"0": 1, "1": 3}, np.array(["0", "1"]), y, np.ones(4))
    array([1., 3.])
    >>> class_weight_vector("balanced", np.array(["0", "1"]), y, np.ones(4)).round(2)
    array([2.  , 0.67])
    """
    weights = np.ones(len(classes))
    if class_weight is None:
        return weights
    if isinstance(class_weight, str):  # "balanced"
        codes = np.searchsorted(classes, y)
        totals = np.bincount(codes, weights=sample_weight, minlength=len(classes))
        present = totals > 0
        weights[present] = totals.sum() / (np.count_nonzero(present) * totals[present])
        return weights
    _check_weights(class_weight)
    for number, weight in _matched(class_weight, classes).items():
        weights[number] = weight
    return weights


def _check_weights(class_weight):
    for key, weight in class_weight.items():
        if not _is_weight(weight):
            raise ValueError(
                f"class_weight[{key!r}] is {weight!r}, but the weight of a class must be "
                "a finite number, zero or above."
            )


def _is_weight(weight):
    try:
        return isinstance(weight, Real) and 0 <= float(weight) < math.inf
    except OverflowError:  # an integer beyond any float
        return False


def _matched(class_weight, classes):
    """The weight of each class that has one, by the number of the class."""
    by_value = {label: number for number, label in enumerate(classes.tolist())}
    by_text = {str(label): number for number, label in enumerate(classes)}
    keys, unknown = {}, []
    for key in class_weight:
        number = by_value.get(key, by_text.get(str(key)))
        if number is None:
            unknown.append(key)
        elif number in keys:
            raise ValueError(
                f"class_weight has two keys for the class {classes.tolist()[number]!r}: "
                f"{keys[number]!r} and {key!r}. Leave one of them out."
            )
        else:
            keys[number] = key
    if unknown and len(keys) < len(classes):
        without = [label for i, label in enumerate(classes.tolist()) if i not in keys]
        raise ValueError(
            f"The classes, {reprlib.repr(without)}, are not in class_weight, and its "
            f"keys {reprlib.repr(unknown)} are no classes. The classes are "
            f"{reprlib.repr(classes.tolist())}: use these as keys, and leave out those "
            "whose weight is 1."
        )
    return {number: class_weight[key] for number, key in keys.items()}
