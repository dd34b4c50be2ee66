"""Every estimator fits and predicts inside any of joblib's backends.

A user's `joblib.parallel_config` reaches whatever is fitted within: alone, in a search
whose candidates are spread over the backend's workers, and in the search's last fit.
"""

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import is_classifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skdeep
from skdeep import preprocessing
from skdeep.layers import Activation, Dense

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # processes that are forked where threads run, which is what is tested
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),
]
SMALL = {"max_iter": 2, "random_state": 0}
LAYERS = [("hidden", Dense(3)), ("relu", Activation("relu"))]
ESTIMATORS = [
    skdeep.EnsembleClassifier(skdeep.MLPClassifier((3,), max_iter=2), random_state=0),
    skdeep.EnsembleRegressor(skdeep.MLPRegressor((3,), max_iter=2), random_state=0),
    skdeep.LinearSVM(),
    skdeep.LinearSVM(optimizer="adam", **SMALL),
    skdeep.LinearSVM(multi_class="crammer_singer"),
    skdeep.LinearSVMRegressor(),
    skdeep.LinearSVMRegressor(optimizer="adam", **SMALL),
    skdeep.MLPClassifier((3,), **SMALL),
    skdeep.MLPRegressor((3,), **SMALL),
    skdeep.SequentialClassifier(LAYERS, **SMALL),
    skdeep.SequentialRegressor(LAYERS, **SMALL),
]
IMAGES = [
    skdeep.ConvNetClassifier((2,), **SMALL),
    skdeep.ConvNetRegressor((2,), **SMALL),
]
SCALERS = [
    getattr(preprocessing, name)()
    for name in preprocessing.__all__
    if name != "TargetScaler"
]
each_backend = pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
rng = np.random.default_rng(0)
X = rng.uniform(0.5, 2.0, size=(60, 16))
Y = np.arange(60) % 3
GRID = {"random_state": [0, 1]}


def predictions(estimator, X):
    return estimator.fit(X, Y).predict(X)


def candidates(estimator):
    return {"fit_intercept": [True, False]} if hasattr(estimator, "C") else GRID


@each_backend
@pytest.mark.parametrize("estimator", ESTIMATORS + IMAGES, ids=repr)
def test_an_estimator_fits_inside_a_backend(estimator, backend):
    data = X.reshape(-1, 4, 4, 1) if estimator in IMAGES else X
    expected = predictions(estimator, data)
    with joblib.parallel_config(backend, n_jobs=2):
        assert_allclose(predictions(estimator, data), expected)


@each_backend
@pytest.mark.parametrize("estimator", ESTIMATORS + IMAGES, ids=repr)
def test_a_search_fits_it_in_the_workers_and_at_the_end(estimator, backend):
    data = X.reshape(-1, 4, 4, 1) if estimator in IMAGES else X
    search = GridSearchCV(estimator, candidates(estimator), cv=2, error_score="raise")
    expected = search.fit(data, Y).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend, n_jobs=2):
        scores = search.fit(data, Y).cv_results_["mean_test_score"]
    assert_allclose(scores, expected)
    assert search.predict(data).shape == Y.shape
    assert is_classifier(estimator) == hasattr(search, "classes_")


@each_backend
@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
def test_a_scaler_fits_in_the_workers_of_a_search(scaler, backend):
    pipeline = make_pipeline(scaler, skdeep.LinearSVM())
    search = GridSearchCV(pipeline, {"linearsvm__C": [0.1, 1.0]}, cv=2, error_score="raise")
    expected = search.fit(X, Y).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend, n_jobs=2):
        scores = search.fit(X, Y).cv_results_["mean_test_score"]
    assert_allclose(scores, expected)


@each_backend
def test_a_target_scaler_fits_in_the_workers_of_a_search(backend):
    scaled = preprocessing.TargetScaler(skdeep.LinearSVMRegressor())
    search = GridSearchCV(scaled, {"regressor__C": [0.1, 1.0]}, cv=2, error_score="raise")
    expected = search.fit(X, Y).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend, n_jobs=2):
        scores = search.fit(X, Y).cv_results_["mean_test_score"]
    assert_allclose(scores, expected)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_classes_may_be_spread_over_threads_inside_any_backend(backend):
    expected = skdeep.LinearSVM().fit(X, Y).coef_
    with joblib.parallel_config(backend, n_jobs=2):
        model = skdeep.LinearSVM(n_jobs=2).fit(X, Y)
    np.testing.assert_array_equal(model.coef_, expected)
