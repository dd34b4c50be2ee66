"""Regression with a network: one target or many."""

from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if

from skdeep.estimators.base_network_estimator import BaseNetworkEstimator, learns_in_batches
from skdeep.estimators.number_targets import Numbers
from skdeep.losses import REGRESSION_LOSSES, Loss
from skdeep.validation.all_or_nothing import all_or_nothing


class NetworkRegressor(RegressorMixin, BaseNetworkEstimator):
    """Base of the regressors."""

    _parameter_constraints = {
        **BaseNetworkEstimator._parameter_constraints,
        "loss": [StrOptions({"auto", *REGRESSION_LOSSES}), Loss],
    }
    _named_objects = {**BaseNetworkEstimator._named_objects, "loss": REGRESSION_LOSSES}

    def _new_targets(self):
        return Numbers(type(self).__name__, self.loss)

    @available_if(learns_in_batches)
    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X,
        y,
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

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.

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
        return self._fit(
            X,
            y,
            sample_weight,
            (X_val, y_val, sample_weight_val),
            goes_on=hasattr(self, "n_iter_"),
            partial=True,
        )

    def predict(self, X):
        """The targets of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        z = self._raw_outputs(X)
        return self._targets.decode(self.network_.loss.inverse_link(z))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
