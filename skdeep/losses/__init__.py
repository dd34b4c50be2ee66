"""Loss functions, by name and as objects with parameters; subclass `Loss` for your own."""

from skdeep.losses.base import Loss
from skdeep.losses.classification import (
    CrossEntropy,
    Focal,
    Hinge,
    KLDivergence,
    MulticlassHinge,
    SigmoidCrossEntropy,
    SigmoidFocal,
    SoftmaxCrossEntropy,
    SoftmaxFocal,
    SquaredHinge,
    smooth,
)
from skdeep.losses.regression import (
    AbsoluteError,
    EpsilonInsensitive,
    Huber,
    LogCosh,
    Poisson,
    Quantile,
    SquaredError,
)

CLASSIFICATION_LOSSES = {
    "cross_entropy": CrossEntropy(),
    "focal": Focal(),
    "hinge": Hinge(),
    "kl_divergence": KLDivergence(),
    "squared_hinge": SquaredHinge(),
}

REGRESSION_LOSSES = {
    "absolute_error": AbsoluteError(),
    "huber": Huber(),
    "log_cosh": LogCosh(),
    "poisson": Poisson(),
    "quantile": Quantile(),
    "squared_error": SquaredError(),
}

__all__ = [
    "CLASSIFICATION_LOSSES",
    "REGRESSION_LOSSES",
    "AbsoluteError",
    "CrossEntropy",
    "EpsilonInsensitive",
    "Focal",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "MulticlassHinge",
    "Poisson",
    "Quantile",
    "SigmoidCrossEntropy",
    "SigmoidFocal",
    "SoftmaxCrossEntropy",
    "SoftmaxFocal",
    "SquaredError",
    "SquaredHinge",
    "smooth",
]
