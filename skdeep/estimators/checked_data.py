"""Samples as a fit takes them: checked, weighed, and ready for the network."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skdeep.engine.batch import TrainingData
from skdeep.estimators.network_inputs import Inputs
from skdeep.estimators.network_targets import Targets
from skdeep.losses import Loss
from skdeep.validation.inputs import convert_input, sum_duplicates
from skdeep.validation.messages import naming
from skdeep.validation.sample_weight import check_sample_weight, of_size_one

#: What errors about validation data call its parts.
NAMES_OF_VALIDATION = {"X": "X_val", "y": "y_val", "sample_weight": "sample_weight_val"}


@dataclass(frozen=True)
class CheckedData:
    """Checked samples, and what is known of them.

    Parameters
    ----------
    inputs : Inputs
        What is known of X.

    targets : Targets
        What is known of y.

    X : {ndarray, csr matrix} of shape (n_samples, ...)
        The samples.

    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Their targets.

    sample_weight : ndarray of shape (n_samples,)
        Their weights.

    weight : ndarray of shape (n_samples,)
        Their weights, times those of their classes.

    loss : Loss or None, default=None
        What training minimizes, where it is with these samples.
    """

    inputs: Inputs
    targets: Targets
    X: Any
    y: np.ndarray
    sample_weight: np.ndarray
    weight: np.ndarray
    loss: Loss | None = None

    def for_network(self, dtype: Any) -> TrainingData:
        """The samples as a network of some type of numbers takes them."""
        target, one_hot = self.targets.encode(self.y, dtype)
        return TrainingData(self.inputs.samples(self.X), target, self.weight, one_hot)

    def rows(self, rows: np.ndarray) -> "CheckedData":
        """Some of the samples, to validate on."""
        y, weight = self.y[rows], self.sample_weight[rows]
        return validation_data(self.inputs, self.targets, self.X[rows], y, weight)

    def without(self, rows: np.ndarray) -> "CheckedData":
        """The samples, of which some have no weight."""
        weight = self.weight.copy()
        weight[rows] = 0.0
        return replace(self, weight=weight)


def check_training_data(
    estimator, inputs, targets, X, y, sample_weight, *, first, classes=None, partial=False
):
    """Check what a user gave to a fit.

    Parameters
    ----------
    estimator : estimator
        Gets the number and the names of the features, where it is the first fit.

    inputs, targets : Inputs and Targets
        Learn from X and y in the first fit; the targets learn weights in every one.

    X, y, sample_weight : array-like
        What the user gave.

    first : bool
        Whether training starts anew.

    classes : ndarray or None, default=None
        All classes, where y may lack some.

    partial : bool, default=False
        Whether these are some of the training data only.

    Returns
    -------
    data : CheckedData
    """
    X, y = (inputs.learn if first else inputs.check)(
        estimator,
        sum_duplicates(convert_input(X)),
        targets.present(y),
        order="C",
        multi_output=True,
        y_numeric=targets.numeric,
    )
    y = targets.learn(y, classes) if first else targets.check(y)
    sample_weight = check_sample_weight(sample_weight, X, allow_all_zero=partial)
    sample_weight = of_size_one(sample_weight)
    if first:
        inputs.learn_weighted(X, sample_weight)
    targets.learn_weights(y, sample_weight, partial=partial)
    weight = of_size_one(sample_weight * targets.weights(y)).astype(inputs.dtype)
    if not partial:
        targets.check_weighted(y, weight)
    loss = targets.training_loss(y, sample_weight, inputs.dtype)
    return CheckedData(inputs, targets, X, y, sample_weight, weight, loss)


def has_validation_data(X_val, y_val, sample_weight_val):
    """Whether a user gave validation data; a ValueError where parts are missing."""
    if X_val is None:
        if y_val is None and sample_weight_val is None:
            return False
        raise ValueError("y_val or sample_weight_val was given without X_val.")
    if y_val is None:
        raise ValueError("X_val was given without y_val: pass both, or neither.")
    return True


def check_validation_data(estimator, inputs, targets, X_val, y_val, sample_weight_val):
    """Check the validation data that a user gave to a fit; None where there are none."""
    if not has_validation_data(X_val, y_val, sample_weight_val):
        return None
    with naming(NAMES_OF_VALIDATION):
        X, y = inputs.check(
            estimator,
            X_val,
            targets.present(y_val),
            multi_output=True,
            y_numeric=targets.numeric,
        )
        y = targets.check(y)
        weight = check_sample_weight(sample_weight_val, X)
    return validation_data(inputs, targets, X, y, of_size_one(weight))


def validation_data(inputs, targets, X, y, sample_weight):
    """Checked samples that are validated on."""
    weight = sample_weight * targets.weights(y)
    return CheckedData(inputs, targets, X, y, sample_weight, weight)
