"""Losses of classifiers.

Two classes have one output, whose sign decides; more classes have one each; so do the
labels of multilabel targets. With several independent outputs, a sample's loss is the
mean over them.
"""

from numbers import Real

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.utils._param_validation import Interval

from skdeep import kernels
from skdeep.formulas import logistic, maximum, softplus, where
from skdeep.losses.base import FormulaLoss, KernelLoss, Loss

__all__ = [
    "CLASSIFICATION_LOSSES",
    "CrossEntropy",
    "Focal",
    "Hinge",
    "KLDivergence",
    "MulticlassHinge",
    "SigmoidCrossEntropy",
    "SigmoidFocal",
    "SoftmaxCrossEntropy",
    "SoftmaxFocal",
    "SquaredHinge",
    "smooth",
]

_GAMMA = [Interval(Real, 0, None, closed="left")]


class _Softmax(KernelLoss):
    task = "classification"
    probabilistic = True
    joint_outputs = True

    def inverse_link(self, z):
        return softmax(z, axis=1)

    def log_inverse_link(self, z):
        return log_softmax(z, axis=1)


class _IndependentOutputs(FormulaLoss):
    task = "classification"


class _Sigmoid(_IndependentOutputs):
    probabilistic = True

    def resolve(self, target_type):
        if target_type == "multiclass":
            raise ValueError(
                f"{self!r} is for two classes and for labels: its probabilities of many "
                "classes would not sum to 1. Use CrossEntropy() or Focal()."
            )
        return self

    def inverse_link(self, z):
        return expit(z)

    def complement(self, z):
        return expit(-z)

    def log_inverse_link(self, z):
        return log_expit(z)

    def log_complement(self, z):
        return log_expit(-z)


class SoftmaxCrossEntropy(_Softmax):
    """-sum_k t_k log p_k with p = softmax(z): what `CrossEntropy` is for many classes."""

    kernel = kernels.softmax_cross_entropy


class SigmoidCrossEntropy(_Sigmoid):
    """log(1 + exp(z)) - t z: what `CrossEntropy` is for two classes, and for labels."""

    def formula(self, z, target):
        return softplus(z) - target * z, logistic(z) - target


class CrossEntropy(Loss):
    """The negative log-likelihood of the true class.

    For many classes -log p_y with p = softmax(z); for two classes, and for each label
    of multilabel targets, -log p or -log(1 - p) with p = 1 / (1 + exp(-z)).

    References
    ----------
    Bishop (2006). "Pattern recognition and machine learning", equations 4.90 and 4.108.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import CrossEntropy
    >>> loss = CrossEntropy().resolve("binary")
    >>> loss.value(np.array([[1.0]]), np.array([[0.0]])).round(4)
    array([0.6931])
    """

    task = "classification"
    probabilistic = True

    def resolve(self, target_type):
        if target_type == "multiclass":
            return SoftmaxCrossEntropy()
        return SigmoidCrossEntropy()


class _Gamma(KernelLoss):
    _parameter_constraints = {"gamma": _GAMMA}

    def __init__(self, gamma=2.0):
        self.gamma = gamma


class SoftmaxFocal(_Gamma, _Softmax):
    """-sum_k t_k (1 - p_k)^gamma log p_k: what `Focal` is for many classes.

    Parameters
    ----------
    gamma : float, default=2.0
        How strongly well-classified samples are discounted.
    """

    kernel = kernels.softmax_focal


class SigmoidFocal(_Gamma, _Sigmoid):
    """The focal loss of two classes: what `Focal` is for them, and for labels.

    Parameters
    ----------
    gamma : float, default=2.0
        How strongly well-classified samples are discounted.
    """

    def formula(self, z, target):
        p, q = logistic(z), logistic(-z)
        surprise_p, surprise_q = softplus(-z), softplus(z)  # -log p and -log q
        right = target * q**self.gamma
        wrong = (1 - target) * p**self.gamma
        loss = right * surprise_p + wrong * surprise_q
        d_wrong = wrong * (self.gamma * q * surprise_q + p)
        return loss, d_wrong - right * (self.gamma * p * surprise_p + q)


class Focal(Loss):
    """Cross entropy times (1 - p)^gamma: samples that are right already count less.

    Parameters
    ----------
    gamma : float, default=2.0
        How strongly well-classified samples are discounted; 0 gives cross entropy.

    References
    ----------
    Lin, Goyal, Girshick, He and Dollár (2017). "Focal loss for dense object
    detection". ICCV. Class weights, its alpha, are the estimator's `class_weight`.

    Examples
    --------
    >>> from skdeep.losses import Focal
    >>> Focal(gamma=1.0).resolve("multiclass")
    SoftmaxFocal(gamma=1.0)
    """

    task = "classification"
    probabilistic = True
    _parameter_constraints = {"gamma": _GAMMA}

    def __init__(self, gamma=2.0):
        self.gamma = gamma

    def resolve(self, target_type):
        kind = SoftmaxFocal if target_type == "multiclass" else SigmoidFocal
        return kind(gamma=self.gamma)


class KLDivergence(_Softmax):
    """The Kullback-Leibler divergence of the predicted distribution from the target's.

    sum_k t_k log(t_k / p_k) with p = softmax(z). Targets may be soft: ``y`` of shape
    (n_samples, n_classes) whose rows are distributions. With classes as targets it
    equals the cross entropy.

    References
    ----------
    Kullback and Leibler (1951). "On information and sufficiency".
    Hinton, Vinyals and Dean (2015). "Distilling the knowledge in a neural network".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import KLDivergence
    >>> even = np.array([[0.5, 0.5]])
    >>> KLDivergence().value(even, np.log(even))
    array([0.])
    """

    kernel = kernels.softmax_kl_divergence
    soft_targets = True


class Hinge(_IndependentOutputs):
    """max(0, 1 - s z) with s = 1 for the class and -1 for all others.

    Two classes give the support vector machine's loss on one output; more classes one
    such machine each, against the rest. There are no probabilities.

    References
    ----------
    Cortes and Vapnik (1995). "Support-vector networks".
    Tang (2013). "Deep learning using linear support vector machines".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import Hinge
    >>> Hinge().value(np.array([[1.0], [0.0]]), np.array([[2.0], [0.5]]))
    array([0. , 1.5])
    """

    def formula(self, z, target):
        side = target * 2 - 1
        loss = maximum(1 - side * z, 0)
        return loss, where(loss > 0, -side, 0)


class SquaredHinge(_IndependentOutputs):
    """max(0, 1 - s z)^2 with s = 1 for the class and -1 for all others.

    References
    ----------
    Tang (2013). "Deep learning using linear support vector machines".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import SquaredHinge
    >>> SquaredHinge().value(np.array([[0.0]]), np.array([[0.5]]))
    array([2.25])
    """

    def formula(self, z, target):
        side = target * 2 - 1
        margin = maximum(1 - side * z, 0)
        return margin * margin, side * margin * -2


class MulticlassHinge(Loss):
    """max_k (1 - t_k + z_k) - z_y: how far the best other class comes within a margin.

    Zero where the output of the sample's class y is above all others by 1. One machine
    for all classes, where `Hinge` is one for each.

    References
    ----------
    Crammer and Singer (2001). "On the algorithmic implementation of multiclass
    kernel-based vector machines". JMLR 2, equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import MulticlassHinge
    >>> MulticlassHinge().value(np.array([[0.0, 1.0, 0.0]]), np.array([[0.5, 1.0, 0.0]]))
    array([0.5])
    """

    task = "classification"
    joint_outputs = True

    def value(self, target, z):
        return (1 - target + z).max(axis=1) - (target * z).sum(axis=1)

    def gradient(self, target, z):
        gradient = -target
        rows = np.arange(len(z))
        gradient[rows, (1 - target + z).argmax(axis=1)] += 1
        return gradient


def smooth(target, label_smoothing, n_classes=None):
    """Move a share of each target's weight to all classes alike (Szegedy et al. 2016).

    Parameters
    ----------
    target : ndarray of shape (n_rows, n_outputs)
        One column for each class, or one for each pair of classes, such as a label.

    label_smoothing : float
        The share, in [0, 1).

    n_classes : int or None, default=None
        How many classes exclude each other: None for as many as there are columns, or
        two for one column; 2 for labels.

    Returns
    -------
    target : ndarray of shape (n_rows, n_outputs)

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.losses import smooth
    >>> smooth(np.array([[1.0, 0.0, 0.0, 0.0]]), 0.2)
    array([[0.85, 0.05, 0.05, 0.05]])
    """
    n_classes = n_classes or max(target.shape[1], 2)
    return (1 - label_smoothing) * target + np.asarray(
        label_smoothing / n_classes, dtype=target.dtype
    )


#: By name.
CLASSIFICATION_LOSSES = {
    "cross_entropy": CrossEntropy(),
    "focal": Focal(),
    "hinge": Hinge(),
    "kl_divergence": KLDivergence(),
    "squared_hinge": SquaredHinge(),
}
