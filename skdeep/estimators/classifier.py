"""Classification with a network: classes in, logits and probabilities out."""

from numbers import Real

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted

from skdeep.estimators.base_network_estimator import BaseNetworkEstimator, learns_in_batches
from skdeep.estimators.class_targets import Classes
from skdeep.losses import CLASSIFICATION_LOSSES, Loss
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.messages import plain
from skdeep.validation.targets import SOFT


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

    @property
    def classes_(self):
        if not hasattr(self, "_targets"):
            raise self._not_fitted()
        return self._targets.classes

    def _new_targets(self):
        return Classes(
            type(self).__name__, self.loss, self.label_smoothing, self.class_weight
        )

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
        elif classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        else:
            classes = unique_labels(classes)
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
        return self._targets.scores(z)

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
        return self._targets.decode(scores)

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
        z = self._raw_outputs(X)
        return self._targets.probabilities(self.network_.loss, z)

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
        z = self._raw_outputs(X)
        return self._targets.log_probabilities(self.network_.loss, z)

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
        if self._targets.kind == SOFT and np.ndim(y) == 2:
            y = np.argmax(y, axis=1)
        return accuracy_score(y, self.predict(X), sample_weight=sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
