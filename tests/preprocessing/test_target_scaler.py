"""Targets are scaled for the regressor, and predictions come back in the units of y."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_regression
from sklearn.ensemble import AdaBoostRegressor, BaggingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler
from sklearn.utils.validation import has_fit_parameter

from skdeep import MLPRegressor
from skdeep.preprocessing import MinMaxScaler, QuantileScaler, StandardScaler, TargetScaler

pytestmark = pytest.mark.tiny


def data(n_targets=1):
    X, y = make_regression(200, 5, n_targets=n_targets, noise=5.0, random_state=0)
    return X, 1e4 + 300 * y


def network(**options):
    return MLPRegressor((20,), learning_rate=0.01, random_state=0, max_iter=60, **options)


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("scaler", [None, MinMaxScaler(), QuantileScaler()])
def test_does_what_transformed_target_regressor_does(n_targets, scaler):
    X, y = data(n_targets)
    peer = TransformedTargetRegressor(
        Ridge(alpha=9.0), transformer=scaler or StandardScaler(), check_inverse=False
    )
    own = TargetScaler(Ridge(alpha=9.0), scaler=scaler).fit(X, y)
    assert own.predict(X).shape == y.shape
    np.testing.assert_allclose(own.predict(X), peer.fit(X, y).predict(X), rtol=1e-10)


def test_a_network_learns_large_targets_which_it_else_does_not():
    X, y = data(2)
    assert TargetScaler(network()).fit(X, y).score(X, y) > 0.9
    assert network().fit(X, y).score(X, y) < 0


def test_weights_reach_scaler_and_regressor():
    X, y = data()
    w = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = TargetScaler(Ridge()).fit(X, y, sample_weight=w)
    repeated = TargetScaler(Ridge()).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    np.testing.assert_allclose(weighted.scaler_.mean_, repeated.scaler_.mean_)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X))


def test_validation_targets_are_scaled():
    X, y = data()
    model = TargetScaler(network(early_stopping=True))
    model.fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    z = model.scaler_.transform(y[150:, None])[:, 0]
    regressor = model.regressor_
    error = np.mean((regressor.predict(X[150:]) - z) ** 2) / 2
    np.testing.assert_allclose(regressor.best_loss_, error, rtol=0.05)


@pytest.mark.parametrize("search", [False, True])
def test_validation_targets_of_a_step_are_scaled(search):
    X, y = data()
    step = network(early_stopping=True)
    direct = TargetScaler(step).fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    pipeline = Pipeline([("same", "passthrough"), ("net", step)])
    model = pipeline
    if search:
        model = GridSearchCV(pipeline, {"net__learning_rate": [0.01]}, cv=2)
    model = TargetScaler(model)
    model.fit(X[:150], y[:150], net__X_val=X[150:], net__y_val=y[150:])
    inner = model.regressor_.best_estimator_ if search else model.regressor_
    assert inner[-1].best_loss_ == direct.regressor_.best_loss_


def test_validation_targets_that_routing_calls_otherwise_are_scaled():
    X, y = data()
    step = network(early_stopping=True)
    direct = TargetScaler(step).fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    with config_context(enable_metadata_routing=True):
        step.set_fit_request(X_val=True, y_val="later_prices")
        model = TargetScaler(Pipeline([("net", step)]))
        model.fit(X[:150], y[:150], X_val=X[150:], later_prices=y[150:])
    assert model.regressor_[-1].best_loss_ == direct.regressor_.best_loss_


@pytest.mark.parametrize("name", ["eval_set", "net__validation_data"])
def test_validation_targets_that_cannot_be_scaled_are_refused(name):
    X, y = data()
    with pytest.raises(ValueError, match=f"cannot scale the targets in {name}"):
        TargetScaler(Ridge()).fit(X, y, **{name: [(X, y)]})


@pytest.mark.parametrize(
    "regressor",
    [Ridge(), make_pipeline(MaxAbsScaler(), Ridge()), KNeighborsRegressor()],
    ids=["takes weights", "last step takes them", "takes none"],
)
@pytest.mark.parametrize("ensemble", [BaggingRegressor, AdaBoostRegressor])
def test_ensembles_take_any_regressor_with_scaled_targets(ensemble, regressor):
    X, y = data()
    own = ensemble(TargetScaler(regressor), n_estimators=5, random_state=0).fit(X, y)
    assert own.score(X, y) > 0.6


def test_weights_reach_the_last_step_of_a_pipeline():
    X, y = data()
    w = np.random.default_rng(0).integers(0, 4, len(X))
    weighted = TargetScaler(make_pipeline(FunctionTransformer(), Ridge()))
    weighted.fit(X, y, sample_weight=w)
    direct = TargetScaler(Ridge()).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(weighted.predict(X), direct.predict(X), rtol=1e-12)


def test_weights_that_no_one_takes_are_refused():
    X, y = data()
    assert not has_fit_parameter(TargetScaler(KNeighborsRegressor()), "sample_weight")
    with pytest.raises(TypeError, match="sample_weight"):
        TargetScaler(KNeighborsRegressor()).fit(X, y, sample_weight=np.ones(len(X)))


class Epochs:
    """Counts the epochs of networks; scikit-learn hands it on to what is within."""

    max_propagation_depth = None
    seen = 0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.seen += context.task_name == "epoch"


def test_callbacks_go_through_to_the_network():
    X, y = data()
    epochs = Epochs()
    model = make_pipeline(StandardScaler(), TargetScaler(network()))
    model.set_callbacks(epochs).fit(X, y)
    assert epochs.seen == model[-1].regressor_.n_iter_


def test_partial_fit_keeps_the_first_scale():
    X, y = data()
    model = TargetScaler(network()).partial_fit(X[:100], y[:100])
    mean = model.scaler_.mean_.copy()
    for _ in range(60):
        model.partial_fit(X[100:], y[100:])
    assert model.scaler_.mean_ == mean
    assert model.score(X[100:], y[100:]) > 0.9
    assert not hasattr(TargetScaler(LinearRegression()), "partial_fit")


def test_a_scaler_fitted_before_is_kept():
    X, y = data()
    fitted = StandardScaler().fit(np.array([[0.0], [10.0]]))
    own = TargetScaler(Ridge(), scaler=FrozenEstimator(fitted)).fit(X, y)
    assert own.scaler_.mean_ == 5.0


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_targets_stay_float64_where_features_are_float32(dtype):
    X, y = data()
    y = 1e9 + y / y.std()  # float32 has steps of 64 there
    model = TargetScaler(network()).fit(X.astype(dtype), y)
    assert model.predict(X.astype(dtype)).dtype == np.float64
    assert model.score(X.astype(dtype), y) > 0.95  # 0.6 if predictions are rounded


def test_pandas_output_is_for_features_only():
    X, y = data(2)
    with config_context(transform_output="pandas"):
        assert isinstance(TargetScaler(Ridge()).fit(X, y).predict(X), np.ndarray)


def test_routing_passes_what_is_requested():
    X, y = data()
    w = np.random.default_rng(0).random(len(X))
    with config_context(enable_metadata_routing=True):
        inner = Ridge().set_fit_request(sample_weight=True)
        own = TargetScaler(inner).set_fit_request(sample_weight=True)
        model = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), own)
        model.fit(X, y, sample_weight=w)
        routed = model.predict(X)
    Z = StandardScaler().fit_transform(X)
    direct = TargetScaler(Ridge()).fit(Z, y, sample_weight=w)
    np.testing.assert_allclose(routed, direct.predict(Z))


def test_missing_targets_are_refused():
    X, y = data()
    y[3] = np.nan
    with pytest.raises(ValueError, match="y contains NaN"):
        TargetScaler(Ridge()).fit(X, y)
    with pytest.raises(ValueError, match="requires y"):
        TargetScaler(Ridge()).fit(X, None)


@pytest.mark.parametrize(
    "wrap, name",
    [
        (lambda model: model, "y_val"),
        (lambda model: make_pipeline(StandardScaler(), model), "inner__y_val"),
        (lambda model: GridSearchCV(model, {}, cv=2), "y_val"),
    ],
    ids=["itself", "pipeline", "search"],
)
def test_validation_targets_that_the_regressor_would_leave_are_refused(wrap, name):
    X, y = data()
    inner = TransformedTargetRegressor(network(), transformer=MaxAbsScaler())
    with pytest.raises(ValueError, match=rf"which transforms y but not {name}"):
        TargetScaler(wrap(inner)).fit(X, y, **{name.replace("y_", "X_"): X, name: y})


def test_a_target_scaler_inside_scales_validation_targets_too():
    X, y = data()
    nested = TargetScaler(TargetScaler(network(), scaler=MaxAbsScaler()))
    outer = StandardScaler().fit(y[:, None])
    scaled = outer.transform(y[:, None])
    scaled /= abs(scaled).max()
    plain = network().fit(X, scaled[:, 0], X_val=X, y_val=scaled[:, 0])
    nested.fit(X, y, X_val=X, y_val=y)
    np.testing.assert_allclose(
        nested.regressor_.regressor_.validation_loss_curve_, plain.validation_loss_curve_
    )


def test_a_transformer_that_does_nothing_leaves_validation_targets_right():
    X, y = data()
    inner = TransformedTargetRegressor(network(), check_inverse=False)
    TargetScaler(inner).fit(X, y, X_val=X, y_val=y)
