"""Classification with a network: classes in, logits and probabilities out."""

from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
)
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skdeep.estimators.all_or_nothing import all_or_nothing
from skdeep.estimators.base import BaseNetworkEstimator, learns_in_batches
from skdeep.losses import CLASSIFICATION_LOSSES, Loss, smooth

SOFT = "distribution"


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
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }
    _y_numeric = False
    _task = "classification"

    # --- targets ------------------------------------------------------------------

    def _learn_target(self, y, classes, first):
        loss = self._named_loss(CLASSIFICATION_LOSSES, "cross_entropy")
        y = y.toarray() if issparse(y) else np.asarray(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if loss.soft_targets and y.ndim == 2:
            target_type = SOFT
            y = _check_distribution(y)
        else:
            check_classification_targets(y)
            target_type = type_of_target(y, input_name="y")
        if first:
            self._learn_classes(y, classes, target_type)
        else:
            self._check_classes(y, target_type)
        self._loss = loss.resolve(self._target_type)
        if self.label_smoothing and not self._loss.probabilistic:
            raise ValueError(
                f"label_smoothing needs a loss with probabilities, such as "
                f"'cross_entropy'; the loss is {self.loss!r}. Set label_smoothing=0."
            )
        return y

    def _learn_classes(self, y, classes, target_type):
        if target_type in (SOFT, "multilabel-indicator"):
            self._target_type = target_type
            self.classes_ = np.arange(y.shape[1])
            self._n_outputs = y.shape[1]
            return
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
        # two classes need one output; a loss on a softmax needs one for each class
        sigmoid = (
            n_classes == 2
            and not self._named_loss(CLASSIFICATION_LOSSES, "cross_entropy").soft_targets
        )
        self._n_outputs = 1 if sigmoid else n_classes

    def _check_classes(self, y, target_type):
        wide = target_type in (SOFT, "multilabel-indicator")
        if wide != (self._target_type in (SOFT, "multilabel-indicator")):
            raise ValueError(
                f"y is of type {target_type!r}, but the earlier fit saw "
                f"{self._target_type!r} targets."
            )
        if not wide:
            self._check_known(y)
        elif y.shape[1] != self._n_outputs:
            raise ValueError(
                f"y has {y.shape[1]} columns, but the earlier fit saw {self._n_outputs}."
            )

    def _check_known(self, y):
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(
                f"y has classes that are not in classes_: {unknown}. Known are "
                f"{self.classes_}."
            )

    def _encode_target(self, y, dtype):
        if y.ndim == 2:
            return smooth(np.ascontiguousarray(y, dtype), self.label_smoothing), None
        n_classes = len(self.classes_)
        table = np.eye(n_classes, dtype=dtype)
        if self._n_outputs == 1:
            table = table[:, 1:]
        table = np.ascontiguousarray(smooth(table, self.label_smoothing))
        return self._codes(y), table

    def _codes(self, y):
        return np.searchsorted(self.classes_, y)

    def _class_weights(self, y, sample_weight, partial=False):
        if self.class_weight is None:
            return 1.0
        if partial and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all samples at once, which partial_fit "
                "does not have. Pass a dict, such as compute_class_weight from "
                "sklearn.utils.class_weight gives for a part of the data."
            )
        if y.ndim == 2:
            if self.class_weight != "balanced" or self._target_type == SOFT:
                raise ValueError(
                    "For multilabel targets class_weight must be None or 'balanced', "
                    "for distributions None; weigh samples with sample_weight instead."
                )
            return compute_sample_weight("balanced", y).astype(sample_weight.dtype)
        present = np.unique(y[sample_weight > 0])
        weights = compute_class_weight(
            self.class_weight,
            classes=present if self.class_weight == "balanced" else self.classes_,
            y=y[sample_weight > 0],
            sample_weight=sample_weight[sample_weight > 0],
        )
        if self.class_weight == "balanced":
            every = np.ones(len(self.classes_))
            every[self._codes(present)] = weights
            weights = every
        return weights[self._codes(y)].astype(sample_weight.dtype)

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
        """
        goes_on = hasattr(self, "n_iter_")
        if goes_on:
            if classes is not None and not np.array_equal(
                self.classes_, np.unique(classes)
            ):
                raise ValueError(
                    f"classes={classes!r} is not the same as in the first call to "
                    f"partial_fit or fit: {self.classes_!r}."
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
        p = self._loss_of_fit().inverse_link(self._raw_outputs(X))
        if self._target_type == "binary" and p.shape[1] == 1:
            return np.hstack([1 - p, p])
        return p

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
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

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

    def _loss_of_fit(self):
        check_is_fitted(self)
        return self.network_.loss

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _check_distribution(y):
    y = np.asarray(y, dtype=np.float64)
    sums = y.sum(axis=1)
    # tables of float32 numbers sum to one only so far
    if y.min(initial=0.0) < 0 or not np.allclose(sums, 1.0, rtol=0, atol=1e-4):
        raise ValueError(
            "The loss 'kl_divergence' takes classes, or a row of probabilities for each "
            "sample: y must be non-negative and its rows must sum to 1. The smallest "
            f"entry is {y.min():.6g}; sums go from {sums.min():.6g} to {sums.max():.6g}."
        )
    return y
