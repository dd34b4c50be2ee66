"""Targets scaled for a regressor, and its predictions scaled back."""

import numpy as np
from sklearn import config_context
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
    RegressorMixin,
    _fit_context,
    clone,
)
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_is_fitted, has_fit_parameter

from skdeep.preprocessing.standard_scaler import StandardScaler
from skdeep.targets import present_numbers


def _learns_in_batches(model):
    return hasattr(model.regressor, "partial_fit")


class TargetScaler(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Fit a regressor to scaled targets, and scale its predictions back.

    A network's first outputs are near 0, and its learning rate suits errors of about 1:
    targets in thousands take it many epochs to reach, and of several targets the one with
    the largest numbers is the only one that is learned.

    This is scikit-learn's `TransformedTargetRegressor` with what a network needs: sample
    weights reach the scaler, validation targets (`y_val`) are scaled, `partial_fit` keeps
    the scale, and float32 stays float32.

    Parameters
    ----------
    regressor : object
        A regressor, or a pipeline that ends in one; it is cloned.

    scaler : object, default=None
        A transformer with `inverse_transform`; it is cloned. None is a
        `skdeep.preprocessing.StandardScaler`.

    Attributes
    ----------
    regressor_ : object
        The fitted regressor.

    scaler_ : object
        The fitted scaler.

    n_features_in_ : int
        The number of features, where the regressor tells it.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of the features, where X had names.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdeep import MLPRegressor
    >>> from skdeep.preprocessing import TargetScaler
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = TargetScaler(MLPRegressor(learning_rate=0.01, random_state=0))
    >>> model.fit(X, y).score(X, y) > 0.5
    True
    """

    _parameter_constraints = {
        "regressor": [HasMethods(["fit", "predict"])],
        "scaler": [HasMethods(["fit", "transform", "inverse_transform"]), None],
    }

    def __init__(self, regressor, *, scaler=None):
        self.regressor = regressor
        self.scaler = scaler

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, **fit_params):
        """Fit the scaler to y, and the regressor to scaled y.

        Parameters
        ----------
        X : array-like or sparse matrix
            The data, as the regressor takes them.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights, for the scaler (if it takes any) and for the regressor.

        **fit_params : dict
            What else the regressor's `fit` takes. A `y_val` is scaled.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        y = _checked(y)
        self._start(y, sample_weight)
        return self._pass_on("fit", X, y, sample_weight, fit_params)

    @available_if(_learns_in_batches)
    @_fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y, sample_weight=None, **fit_params):
        """Train on more samples; targets are scaled as those of the first call were.

        A scale that followed the data would change what the outputs of the network mean.
        If the first samples do not stand for all, fit a scaler to more of them before,
        and pass it as ``scaler=sklearn.frozen.FrozenEstimator(fitted_scaler)``.

        Parameters
        ----------
        X : array-like or sparse matrix
            The data.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights.

        **fit_params : dict
            What else the regressor's `partial_fit` takes. A `y_val` is scaled.

        Returns
        -------
        self : object
            The estimator after one more call.
        """
        y = _checked(y)
        if not hasattr(self, "regressor_"):
            self._start(y, sample_weight)
        return self._pass_on("partial_fit", X, y, sample_weight, fit_params)

    def predict(self, X):
        """The targets of each sample, in the units of y.

        Parameters
        ----------
        X : array-like or sparse matrix
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        check_is_fitted(self)
        y = np.asarray(self.regressor_.predict(X))
        with config_context(transform_output="default"):
            y = self.scaler_.inverse_transform(_columns(y))
        return y[:, 0] if self._y_ndim == 1 else y

    def _start(self, y, sample_weight):
        """Fit the scaler, and make a new regressor."""
        self._y_ndim = y.ndim
        scaler = StandardScaler() if self.scaler is None else clone(self.scaler)
        weights = {}
        if sample_weight is not None and has_fit_parameter(scaler, "sample_weight"):
            weights["sample_weight"] = sample_weight
        self.scaler_ = scaler.fit(_columns(y), None, **weights)
        self.regressor_ = clone(self.regressor)

    def _pass_on(self, method, X, y, sample_weight, parameters):
        parameters = {
            name: self._scaled(_checked(value, name)) if name == "y_val" else value
            for name, value in parameters.items()
            if value is not None
        }
        if sample_weight is not None:
            parameters["sample_weight"] = sample_weight
        if _routing_enabled():
            parameters = process_routing(self, method, **parameters).regressor[method]
        getattr(self.regressor_, method)(X, self._scaled(y), **parameters)
        if hasattr(self.regressor_, "feature_names_in_"):
            self.feature_names_in_ = self.regressor_.feature_names_in_
        return self

    def _scaled(self, y):
        with config_context(transform_output="default"):
            return self.scaler_.transform(_columns(y)).reshape(y.shape)

    @property
    def n_features_in_(self):
        """The number of features that the regressor has seen."""
        if not hasattr(self, "regressor_"):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return self.regressor_.n_features_in_

    def get_metadata_routing(self):
        """What is passed on to the regressor; see scikit-learn's user guide.

        Returns
        -------
        routing : MetadataRouter
            The routes.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        mapping.add(caller="partial_fit", callee="partial_fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(regressor=self.regressor, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.regressor)
        tags.input_tags = inner.input_tags
        tags.target_tags.multi_output = inner.target_tags.multi_output
        tags.target_tags.single_output = inner.target_tags.single_output
        tags.regressor_tags.poor_score = True
        return tags


def _checked(y, name="y"):
    if y is None:
        raise ValueError("TargetScaler requires y to be passed, but the target y is None.")
    y = present_numbers(y, name)
    return check_array(y, ensure_2d=False, dtype="numeric", input_name=name)


def _columns(y):
    return y.reshape(-1, 1) if y.ndim == 1 else y
