"""Classification with a network: classes in, logits and probabilities out."""

from numbers import Real

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.validation import check_is_fitted

from skdeep.engine.batch import OneHot
from skdeep.estimators.base_network_estimator import (
    BaseNetworkEstimator,
    learns_in_batches,
    of_size_one,
)
from skdeep.estimators.label_weight import balanced_label_weights, label_weights
from skdeep.losses import CLASSIFICATION_LOSSES, Loss, smooth
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.class_weight import class_weight_vector
from skdeep.validation.messages import plain
from skdeep.validation.targets import MULTILABEL, SOFT, check_classes, present_classes


def _gives_probabilities(estimator):
    loss = estimator.loss
    loss = CLASSIFICATION_LOSSES.get(loss, loss) if isinstance(loss, str) else loss
    if loss != "auto" and not loss.probabilistic:
        raise AttributeError(
            f"The loss {estimator.loss!r} gives no probabilities: use decision_function, "
            "or a loss such as 'cross_entropy'."
        )
    return True


class NetworkClassifier(ClassifierMixin, BaseNetworkEstimator):
    """Base of the classifiers: binary, multiclass and multilabel."""

    _parameter_constraints = {
        **BaseNetworkEstimator._parameter_constraints,
        "loss": [StrOptions({"auto", *CLASSIFICATION_LOSSES}), Loss],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }
    _named_objects = {**BaseNetworkEstimator._named_objects, "loss": CLASSIFICATION_LOSSES}
    _y_numeric = False
    _task = "classification"

    # --- targets ------------------------------------------------------------------

    def _present_target(self, y):
        return present_classes(y)

    def _learn_target(self, y, classes, first):
        loss = self._chosen_loss()
        y, target_type = check_classes(y, loss.soft_targets)
        if first:
            self._learn_classes(y, classes, target_type)
        else:
            self._check_classes(y, target_type)
        if self.label_smoothing and not loss.probabilistic:
            raise ValueError(
                f"label_smoothing needs a loss with probabilities, such as "
                f"'cross_entropy'; the loss is {self.loss!r}. Set label_smoothing=0."
            )
        return y

    def _learn_classes(self, y, classes, target_type):
        if y.ndim == 2:
            self._target_type = target_type
            self.classes_ = np.arange(y.shape[1])
        else:
            if classes is None:
                self.classes_ = np.unique(y)
            n_classes = len(self.classes_)
            if n_classes < 2:
                raise ValueError(
                    f"{type(self).__name__} needs samples of at least 2 classes, but y has "
                    f"{n_classes} class: {self.classes_[0]}."
                )
            self._check_known(y)
            self._target_type = "binary" if n_classes == 2 else "multiclass"
        self._n_outputs = self._count_outputs()

    def _check_classes(self, y, target_type):
        both = {target_type, self._target_type}
        if len(both) == 2 and both & {SOFT, MULTILABEL}:
            raise ValueError(
                f"y is of type {target_type!r}, but the earlier fit saw "
                f"{self._target_type!r} targets."
            )
        if y.ndim == 1:
            self._check_known(y)
        elif y.shape[1] != self._n_outputs:
            raise ValueError(
                f"y has {y.shape[1]} columns, but the earlier fit saw {self._n_outputs}."
            )
        if (n_outputs := self._count_outputs()) != self._n_outputs:
            raise ValueError(
                f"loss={self.loss!r} takes {n_outputs} outputs for {len(self.classes_)} "
                f"classes, but the network has {self._n_outputs}, from the earlier fit. "
                "Set warm_start=False to start anew."
            )

    def _count_outputs(self):
        joint = self._chosen_loss().joint_outputs
        if joint and self._target_type == MULTILABEL:
            raise ValueError(
                f"loss={self.loss!r} compares classes that exclude each other, but y has "
                "labels. Use a loss such as 'cross_entropy' or 'hinge'."
            )
        # two classes need one output; a loss that compares outputs needs both
        alone = self._target_type == "binary" and not joint
        return 1 if alone else len(self.classes_)

    def _check_known(self, y):
        text = (np.array(labels).dtype.kind in "OUS" for labels in (y, self.classes_))
        if len(set(text)) == 2:
            raise ValueError(
                "Mix of label input types (string and number): y has "
                f"{y.dtype.type.__name__}, but the classes are {self.classes_}."
            )
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(
                f"y has classes that are not in classes_: {unknown}. Known are "
                f"{self.classes_}."
            )

    def _encode_target(self, y, dtype):
        smoothing, n_classes = self.label_smoothing, len(self.classes_)
        if y.ndim == 2:
            n_classes = n_classes if self._target_type == SOFT else 2
            return smooth(np.ascontiguousarray(y, dtype), smoothing, n_classes), None
        if self._n_outputs == 1:
            target = self._codes(y).astype(dtype).reshape(-1, 1)
            return smooth(target, smoothing, 2), None
        low, high = smooth(np.array([0, 1], dtype), smoothing, n_classes).tolist()
        return self._codes(y), OneHot(n_classes, low, high)

    def _codes(self, y):
        return np.searchsorted(self.classes_, y)

    # --- the loss, and what weighs in it ------------------------------------------

    def _chosen_loss(self):
        return self._named_loss(CLASSIFICATION_LOSSES, "cross_entropy")

    def _training_loss(self, y, sample_weight, dtype):
        loss = self._chosen_loss().resolve(self._target_type)
        if self.class_weight is None or self._target_type != MULTILABEL:
            return loss
        of_zeros, of_ones = label_weights(self.class_weight, y, sample_weight)
        # a loss takes a line: the one through both, where smoothed targets are
        low, high = smooth(np.array([0.0, 1.0]), self.label_smoothing, 2)
        slope = (of_ones - of_zeros) / (high - low)
        return loss.with_label_weight(np.array([of_zeros - slope * low, slope], dtype))

    def _learn_class_weights(self, y, sample_weight, partial):
        self._weight_of_classes = None
        if self.class_weight is None:
            return
        if partial and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all samples at once, which partial_fit "
                "does not have. Pass a dict, such as compute_class_weight from "
                "sklearn.utils.class_weight gives for a part of the data."
            )
        if self._target_type == SOFT:
            raise ValueError(
                "For targets that are distributions class_weight must be None; weigh "
                "samples with sample_weight instead."
            )
        if self._target_type == MULTILABEL:
            return  # each label's loss is weighed, not the samples
        if isinstance(self.class_weight, list):
            raise ValueError(
                "A list is the class_weight of multilabel targets, a dict for each label, "
                f"but y is {self._target_type}. Pass one dict, such as "
                f"{dict.fromkeys(self.classes_.tolist(), 1.0)}."
            )
        weights = class_weight_vector(self.class_weight, self.classes_, y, sample_weight)
        self._weight_of_classes = of_size_one(weights)

    def _class_weights(self, y):
        weights = self._weight_of_classes
        return 1.0 if weights is None else weights[self._codes(y)]

    def _balanced_class_weight(self, y, sample_weight):
        """What "balanced" means for some samples, as `partial_fit` takes it."""
        y, target_type = check_classes(y, soft_targets=False)
        if target_type == MULTILABEL:
            return balanced_label_weights(y, sample_weight)
        classes = np.unique(y)
        weights = class_weight_vector("balanced", classes, y, sample_weight)
        return dict(zip(classes.tolist(), weights.tolist(), strict=True))

    def _check_weighted_target(self, y, weight):
        if y.ndim == 1 and np.unique(y[weight > 0]).size < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes with "
                "weights above zero, but sample_weight and class_weight leave "
                f"{np.unique(y[weight > 0]).size} class: {np.unique(y[weight > 0])}."
            )
        if not weight.any():
            raise ValueError("All samples have the weight zero: there is no class left.")

    def _strata(self, y):
        return y if y.ndim == 1 else None

    # --- fitting ------------------------------------------------------------------

    @available_if(learns_in_batches)
    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X,
        y,
        classes=None,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train for one more epoch, on these samples only.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Their classes.

        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come: needed in the first call, unless the
            targets are multilabel, and not later.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights.

        X_val : {array-like, sparse matrix} of shape (n_validation, n_features), \
                default=None
            Validation data. With `early_stopping`, the best weights on them are
            remembered from call to call. After more than `n_iter_no_change` calls with
            validation data that brought no improvement they are restored,
            `stopped_early_` is True, and further calls change nothing but warn.

        y_val : array-like, default=None
            The targets of the validation data.

        sample_weight_val : array-like of shape (n_validation,), default=None
            The weights of the validation data.

        Returns
        -------
        self : object
            The estimator after another epoch.

        Raises
        ------
        KeyboardInterrupt
            Where the user interrupts training (Ctrl-C). This call is then undone, as
            after any other error; of a first call the weights so far are kept.
        """
        goes_on = hasattr(self, "n_iter_")
        if goes_on:
            if classes is not None and not np.array_equal(
                self.classes_, np.unique(classes)
            ):
                raise ValueError(
                    f"classes={plain(classes)!r} is not the same as in the first call to "
                    f"partial_fit or fit: {plain(self.classes_)!r}."
                )
        elif np.ndim(y) == 2 and np.shape(y)[1] > 1:
            classes = None
        else:
            _check_partial_fit_first_call(self, classes)
        return self._fit(
            X,
            y,
            sample_weight,
            (X_val, y_val, sample_weight_val),
            goes_on=goes_on,
            partial=True,
            classes=classes,
        )

    # --- predicting ---------------------------------------------------------------

    def decision_function(self, X):
        """The raw outputs of the network: the logits, or distances to a margin.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes one number a sample, above zero for the second class.
        """
        z = self._raw_outputs(X)
        if self._target_type == "binary":
            return z[:, 0] if z.shape[1] == 1 else z[:, 1] - z[:, 0]
        return z

    def predict(self, X):
        """The most likely class of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The classes; for multilabel targets 1 where a label applies.
        """
        scores = self.decision_function(X)
        if self._target_type == "multilabel-indicator":
            return (scores > 0).astype(np.int64)
        if self._target_type == "binary":
            return self.classes_[(scores > 0).astype(np.intp)]
        return self.classes_[scores.argmax(axis=1)]

    @available_if(_gives_probabilities)
    def predict_proba(self, X):
        """The probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            For multilabel targets the probability of each label.
        """
        loss = self._loss_of_fit()
        z = self._raw_outputs(X)
        p = loss.inverse_link(z)
        return np.hstack([loss.complement(z), p]) if self._has_one_output(z) else p

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X):
        """The logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        loss = self._loss_of_fit()
        z = self._raw_outputs(X)
        log_p = loss.log_inverse_link(z)
        if self._has_one_output(z):
            return np.hstack([loss.log_complement(z), log_p])
        return log_p

    def score(self, X, y, sample_weight=None):
        """The accuracy: the share of samples whose class is predicted.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Their classes. For multilabel targets all labels must be right; of
            distributions the most likely class counts.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        if self._target_type == SOFT and np.ndim(y) == 2:
            y = np.argmax(y, axis=1)
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight)

    def _has_one_output(self, z):
        return self._target_type == "binary" and z.shape[1] == 1

    def _loss_of_fit(self):
        check_is_fitted(self)
        return self.network_.loss

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
