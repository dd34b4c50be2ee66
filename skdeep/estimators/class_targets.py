"""Classes, labels and distributions over classes as targets."""

from typing import Any

import numpy as np

from skdeep.engine.batch import OneHot
from skdeep.estimators.network_targets import Targets
from skdeep.losses import CLASSIFICATION_LOSSES, Loss, smooth
from skdeep.validation.class_weight import class_weight_vector
from skdeep.validation.label_weight import balanced_label_weights, label_weights
from skdeep.validation.sample_weight import of_size_one
from skdeep.validation.targets import MULTILABEL, SOFT, check_classes, present_classes


class Classes(Targets):
    """The targets of a classifier.

    Parameters
    ----------
    owner : str
        The name of the estimator's class, for errors.

    loss : str or Loss
        The estimator's parameter, like the next two.

    label_smoothing : float, default=0.0
        The share of each target's weight that goes to all classes alike.

    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes, which multiply those of the samples.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The sorted classes, or the numbers of the labels.

    kind : {"binary", "multiclass", "multilabel-indicator", "distribution"}
        What targets are.
    """

    numeric = False
    losses = CLASSIFICATION_LOSSES
    default_loss = "cross_entropy"
    task = "classification"
    learned = "n_outputs", "classes", "kind"

    classes: np.ndarray
    kind: str

    def __init__(
        self,
        owner: str,
        loss: str | Loss,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
    ) -> None:
        super().__init__(owner, loss)
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self._weight_of_classes: np.ndarray | None = None
        if label_smoothing and not self.loss.probabilistic:
            raise ValueError(
                f"label_smoothing needs a loss with probabilities, such as "
                f"'cross_entropy'; the loss is {loss!r}. Set label_smoothing=0."
            )

    # --- the user's targets -------------------------------------------------------

    def present(self, y: Any) -> Any:
        return present_classes(y)

    def learn(self, y: Any, classes: np.ndarray | None = None) -> np.ndarray:
        y, kind = check_classes(y, self.loss.soft_targets)
        if y.ndim == 2:
            self.kind, self.classes = kind, np.arange(y.shape[1])
        else:
            self.classes = np.unique(y) if classes is None else classes
            n_classes = len(self.classes)
            if n_classes < 2:
                raise ValueError(
                    f"{self.owner} needs samples of at least 2 classes, but y has "
                    f"{n_classes} class: {self.classes[0]}."
                )
            self._check_known(y)
            self.kind = "binary" if n_classes == 2 else "multiclass"
        self.n_outputs = self._count_outputs()
        return y

    def check(self, y: Any) -> np.ndarray:
        y, kind = check_classes(y, self.loss.soft_targets)
        both = {kind, self.kind}
        if len(both) == 2 and both & {SOFT, MULTILABEL}:
            raise ValueError(
                f"y is of type {kind!r}, but the earlier fit saw {self.kind!r} targets."
            )
        if y.ndim == 1:
            self._check_known(y)
        elif y.shape[1] != self.n_outputs:
            raise ValueError(
                f"y has {y.shape[1]} columns, but the earlier fit saw {self.n_outputs}."
            )
        if (n_outputs := self._count_outputs()) != self.n_outputs:
            raise ValueError(
                f"loss={self.given_loss!r} takes {n_outputs} outputs for "
                f"{len(self.classes)} classes, but the network has {self.n_outputs}, from "
                "the earlier fit. Set warm_start=False to start anew."
            )
        return y

    def _count_outputs(self) -> int:
        joint = self.loss.joint_outputs
        if joint and self.kind == MULTILABEL:
            raise ValueError(
                f"loss={self.given_loss!r} compares classes that exclude each other, but y "
                "has labels. Use a loss such as 'cross_entropy' or 'hinge'."
            )
        # two classes need one output; a loss that compares outputs needs both
        alone = self.kind == "binary" and not joint
        return 1 if alone else len(self.classes)

    def _check_known(self, y: np.ndarray) -> None:
        text = (np.array(labels).dtype.kind in "OUS" for labels in (y, self.classes))
        if len(set(text)) == 2:
            raise ValueError(
                "Mix of label input types (string and number): y has "
                f"{y.dtype.type.__name__}, but the classes are {self.classes}."
            )
        unknown = np.setdiff1d(y, self.classes)
        if unknown.size:
            raise ValueError(
                f"y has classes that are not in classes_: {unknown}. Known are "
                f"{self.classes}."
            )

    def strata(self, y: np.ndarray) -> np.ndarray | None:
        return y if y.ndim == 1 else None

    # --- what weighs in the loss --------------------------------------------------

    def learn_weights(
        self, y: np.ndarray, sample_weight: np.ndarray, *, partial: bool
    ) -> None:
        self._weight_of_classes = None
        if self.class_weight is None:
            return
        if partial and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all samples at once, which partial_fit "
                "does not have. Pass a dict, such as compute_class_weight from "
                "sklearn.utils.class_weight gives for a part of the data."
            )
        if self.kind == SOFT:
            raise ValueError(
                "For targets that are distributions class_weight must be None; weigh "
                "samples with sample_weight instead."
            )
        if self.kind == MULTILABEL:
            return  # each label's loss is weighed, not the samples
        if isinstance(self.class_weight, list):
            raise ValueError(
                "A list is the class_weight of multilabel targets, a dict for each label, "
                f"but y is {self.kind}. Pass one dict, such as "
                f"{dict.fromkeys(self.classes.tolist(), 1.0)}."
            )
        weights = class_weight_vector(self.class_weight, self.classes, y, sample_weight)
        self._weight_of_classes = of_size_one(weights)

    def weights(self, y: np.ndarray) -> Any:
        weights = self._weight_of_classes
        return 1.0 if weights is None else weights[self._codes(y)]

    def check_weighted(self, y: np.ndarray, weight: np.ndarray) -> None:
        if y.ndim == 1 and np.unique(y[weight > 0]).size < 2:
            raise ValueError(
                f"{self.owner} needs samples of at least 2 classes with "
                "weights above zero, but sample_weight and class_weight leave "
                f"{np.unique(y[weight > 0]).size} class: {np.unique(y[weight > 0])}."
            )
        if not weight.any():
            raise ValueError("All samples have the weight zero: there is no class left.")

    def training_loss(self, y: np.ndarray, sample_weight: np.ndarray, dtype: Any) -> Loss:
        loss = self.loss.resolve(self.kind)
        if self.class_weight is None or self.kind != MULTILABEL:
            return loss
        of_zeros, of_ones = label_weights(self.class_weight, y, sample_weight)
        # a loss takes a line: the one through both, where smoothed targets are
        low, high = smooth(np.array([0.0, 1.0]), self.label_smoothing, 2)
        slope = (of_ones - of_zeros) / (high - low)
        return loss.with_label_weight(np.array([of_zeros - slope * low, slope], dtype))

    # --- the network's targets, and its outputs -----------------------------------

    def encode(self, y: np.ndarray, dtype: Any) -> tuple[np.ndarray, OneHot | None]:
        smoothing, n_classes = self.label_smoothing, len(self.classes)
        if y.ndim == 2:
            n_classes = n_classes if self.kind == SOFT else 2
            return smooth(np.ascontiguousarray(y, dtype), smoothing, n_classes), None
        if self.n_outputs == 1:
            target = self._codes(y).astype(dtype).reshape(-1, 1)
            return smooth(target, smoothing, 2), None
        low, high = smooth(np.array([0, 1], dtype), smoothing, n_classes).tolist()
        return self._codes(y), OneHot(n_classes, low, high)

    def _codes(self, y: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.classes, y)

    def scores(self, z: np.ndarray) -> np.ndarray:
        """Raw outputs with one number a sample for two classes, as `decode` takes them."""
        if self.kind == "binary":
            return z[:, 0] if z.shape[1] == 1 else z[:, 1] - z[:, 0]
        return z

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """The most likely classes, given scores; of labels 1 where one applies."""
        if self.kind == MULTILABEL:
            return (outputs > 0).astype(np.int64)
        if self.kind == "binary":
            return self.classes[(outputs > 0).astype(np.intp)]
        return self.classes[outputs.argmax(axis=1)]

    def probabilities(self, loss: Any, z: np.ndarray) -> np.ndarray:
        """The probability of each class, or label, by a network's loss and raw outputs."""
        p = loss.inverse_link(z)
        return np.hstack([loss.complement(z), p]) if self._has_one_output(z) else p

    def log_probabilities(self, loss: Any, z: np.ndarray) -> np.ndarray:
        """The logarithms of `probabilities`, which keep the digits of small ones."""
        log_p = loss.log_inverse_link(z)
        if self._has_one_output(z):
            return np.hstack([loss.log_complement(z), log_p])
        return log_p

    def _has_one_output(self, z: np.ndarray) -> bool:
        return self.kind == "binary" and z.shape[1] == 1


def balanced_class_weight(y: Any, sample_weight: np.ndarray) -> Any:
    """What ``class_weight="balanced"`` means for some samples, as `partial_fit` takes it.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        The targets of all samples.

    sample_weight : ndarray of shape (n_samples,)
        Their weights.

    Returns
    -------
    class_weight : dict or list of dict
    """
    y, kind = check_classes(y, soft_targets=False)
    if kind == MULTILABEL:
        return balanced_label_weights(y, sample_weight)
    classes = np.unique(y)
    weights = class_weight_vector("balanced", classes, y, sample_weight)
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))
