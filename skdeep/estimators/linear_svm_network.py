"""The networks of one layer that linear support vector machines train stochastically."""

import numpy as np

from skdeep.estimators.mlp import MLPClassifier, MLPRegressor
from skdeep.layers import Dense, Dropout
from skdeep.losses import EpsilonInsensitive, MulticlassHinge


def check_known_classes(estimator, classes):
    """The sorted classes of a first call to `partial_fit`.

    Raises
    ------
    ValueError
        Where they were not given, or are fewer than two.
    """
    if classes is None:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    classes = np.unique(classes)
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least 2 classes, but `classes` names 1 "
            f"class: {classes[0]!r}."
        )
    return classes


def _one_layer(dropout, units, use_bias):
    # the objective is convex: zeros are as good a start as any, and always alike
    layer = ("output", Dense(units, use_bias=use_bias, kernel_initializer="zeros"))
    return [("input_dropout", Dropout(dropout)), layer] if dropout else [layer]


class HingeNetwork(MLPClassifier):
    """A dense layer on the inputs, with a hinge loss."""

    def __init__(self, *, loss, fit_intercept, **options):
        joint = loss == "multiclass_hinge"
        super().__init__((), loss=MulticlassHinge() if joint else loss, **options)
        self.fit_intercept = fit_intercept

    def _layers(self, n_outputs):
        return _one_layer(self.input_dropout, n_outputs, self.fit_intercept)


class TubeNetwork(MLPRegressor):
    """A dense layer on the inputs, with the epsilon-insensitive loss."""

    def __init__(self, *, epsilon, squared, fit_intercept, **options):
        loss = EpsilonInsensitive(epsilon=epsilon, squared=squared)
        super().__init__((), loss=loss, **options)
        self.fit_intercept = fit_intercept

    def _layers(self, n_outputs):
        return _one_layer(self.input_dropout, n_outputs, self.fit_intercept)
