"""Targets scaled for a regressor, and its predictions scaled back."""

from contextlib import contextmanager
from functools import wraps
from inspect import Signature, signature
from types import MethodType

import numpy as np
from sklearn import config_context
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
    RegressorMixin,
    _fit_context,
    clone,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _is_fitted,
    check_array,
    check_is_fitted,
    has_fit_parameter,
)

from skdeep.preprocessing.standard_scaler import StandardScaler
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.targets import present_numbers

#: Parameters of other libraries' regressors that hold features and targets together.
_MIXED = {"eval_set", "validation_data"}


def _learns_in_batches(model):
    return hasattr(model.regressor, "partial_fit")


class _WithWeightsOfRegressor:
    """A `fit` that has the parameter sample_weight where the regressor takes weights.

    Ensembles look at the parameters of `fit`: those that could hand on weights which the
    regressor does not take would fail, where they can draw rows instead.
    """

    def __init__(self, fit):
        self._fit = fit

    def __get__(self, model, owner=None):
        if model is None:
            return self._fit
        fit = MethodType(self._fit, model)
        if _name_of_weights(model.regressor) is not None:
            return fit

        @wraps(self._fit)
        def without_weights(X, y, **fit_params):
            return fit(X, y, **fit_params)

        parameters = signature(fit).parameters.values()
        kept = [p for p in parameters if p.name != "sample_weight"]
        without_weights.__signature__ = Signature(kept)
        return without_weights


class TargetScaler(CallbackSupportMixin, MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Fit a regressor to scaled targets, and scale its predictions back.

    A network's first outputs are near 0, and its learning rate suits errors of about 1:
    targets in thousands take it many epochs to reach, and of several targets the one with
    the largest numbers is the only one that is learned.

    This is scikit-learn's `TransformedTargetRegressor` with what a network needs: sample
    weights reach the scaler, validation targets (`y_val`) are scaled, and `partial_fit`
    keeps the scale. Targets are scaled, and predictions scaled back, in float64, whatever
    type X has: float32 would round targets in millions.

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

    @_WithWeightsOfRegressor
    @all_or_nothing
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
            The samples' weights, for the scaler (if it takes any) and for the regressor:
            the last step of a pipeline. `fit` has this parameter where the regressor
            takes weights.

        **fit_params : dict
            What else the regressor's `fit` takes. Validation targets are scaled: `y_val`,
            in a pipeline ``<step>__y_val``, and what metadata routing calls them.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            Where validation targets are in a parameter that cannot be scaled, such as
            `eval_set` or `validation_data`, or the regressor has a
            `TransformedTargetRegressor`, which would leave them untransformed.
        """
        y = _checked(y)
        self._start(y, sample_weight)
        return self._pass_on("fit", X, y, sample_weight, fit_params)

    @available_if(_learns_in_batches)
    @all_or_nothing
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
            What else the regressor's `partial_fit` takes. Validation targets are scaled.

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
        y = np.asarray(self.regressor_.predict(X), dtype=np.float64)
        with config_context(transform_output="default"):
            y = self.scaler_.inverse_transform(_columns(y))
        return y[:, 0] if self._y_ndim == 1 else y

    def _keeps_interrupted_fit(self, before):
        regressor = vars(self).get("regressor_")
        return regressor is not None and _is_fitted(regressor)

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
        parameters = {k: v for k, v in parameters.items() if v is not None}
        for name in _validation_targets(self.regressor, parameters):
            parameters[name] = self._scaled(_checked(parameters[name], name))
        if _routing_enabled():
            if sample_weight is not None:
                parameters["sample_weight"] = sample_weight
            parameters = process_routing(self, method, **parameters).regressor[method]
        elif sample_weight is not None:
            name = _name_of_weights(self.regressor) or "sample_weight"
            parameters[name] = sample_weight
        with self._telling_callbacks(method, X, y):
            getattr(self.regressor_, method)(X, self._scaled(y), **parameters)
        if hasattr(self.regressor_, "feature_names_in_"):
            self.feature_names_in_ = self.regressor_.feature_names_in_
        return self

    @contextmanager
    def _telling_callbacks(self, method, X, y):
        """One task of scikit-learn's callbacks: the regressor's, which goes on with it."""
        root = self._init_callback_context(method, max_subtasks=1)
        root.call_on_fit_task_begin(estimator=self, X=X, y=y)
        part = root.subcontext(task_name="fit-regressor")
        with part.propagate_callback_context(self.regressor_):
            part.call_on_fit_task_begin(estimator=self, X=X, y=y)
            yield
            part.call_on_fit_task_end(estimator=self, X=X, y=y)
        root.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})

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
    y = check_array(y, ensure_2d=False, dtype="numeric", input_name=name)
    return y.astype(np.float64, copy=False)


def _columns(y):
    return y.reshape(-1, 1) if y.ndim == 1 else y


def _name_of_weights(model):
    """What `fit` of a regressor calls the weights of samples; None if it takes none."""
    if isinstance(model, Pipeline):
        step, last = model.steps[-1]
        inner = _name_of_weights(last)
        return None if inner is None else f"{step}__{inner}"
    if has_fit_parameter(model, "sample_weight"):
        return "sample_weight"
    inner = _inner(model)
    return None if inner is None else _name_of_weights(inner)


def _validation_targets(regressor, parameters):
    """The names of those parameters that are validation targets."""
    for name in parameters:
        if name.split("__")[-1] in _MIXED:
            raise ValueError(
                f"TargetScaler cannot scale the targets in {name}. Pass y_val to a "
                f"regressor that takes it, or {name} with targets that are scaled to a "
                "regressor without TargetScaler."
            )
    aliases = _aliases_of_y_val(get_routing_for_object(regressor))
    names = [n for n in parameters if n.split("__")[-1] == "y_val" or n in aliases]
    if names and _transforms_targets(regressor):
        raise ValueError(
            f"The regressor has a TransformedTargetRegressor, which transforms y but not "
            f"{names[0]}: its losses would be of other units. Use a TargetScaler with that "
            "transformer in its place, TargetScaler(TargetScaler(model, scaler=...)), or "
            f"leave {names[0]} out."
        )
    return names


def _transforms_targets(model):
    """Whether scikit-learn transforms targets on their way to the last regressor."""
    # here, as it takes time of `import skdeep`
    from sklearn.compose import TransformedTargetRegressor

    while model is not None:
        if isinstance(model, TransformedTargetRegressor) and not (
            model.transformer is None and model.func is None
        ):
            return True
        model = _inner(model)
    return False


def _inner(model):
    """The estimator that a wrapper or a pipeline hands on to, or None."""
    if isinstance(model, Pipeline):
        return model.steps[-1][1]
    # a search, or another wrapper, hands on to its estimator what `fit` is given
    return getattr(model, "estimator", getattr(model, "regressor", None))


def _aliases_of_y_val(routing):
    """What metadata routing calls the y_val of an estimator and of those within it."""
    if isinstance(routing, MetadataRouter):
        mappings = routing._route_mappings.values()
        inner = [mapping.router for mapping in mappings] + [routing._self_request]
        return set().union(*(_aliases_of_y_val(r) for r in inner if r is not None))
    requests = (getattr(routing, m, None) for m in ("fit", "partial_fit"))
    aliases = (r.requests.get("y_val") for r in requests if r is not None)
    return {alias for alias in aliases if isinstance(alias, str)}
