"""Pipelines, grid searches, cloning, pickling, threads and processes."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skdeep import MLPClassifier, MLPRegressor
from skdeep.losses import Focal
from skdeep.optimizers import SGD
from skdeep.schedules import StepDecay


@pytest.fixture(scope="module")
def small(digits):
    return digits[0][:400], digits[1][:400]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search_gives_the_same_in_processes_and_threads(small, backend):
    grid = {"optimizer__momentum": [0.0, 0.9], "learning_rate": [0.01, 0.1]}
    model = MLPClassifier(optimizer=SGD(), max_iter=10, random_state=0)
    alone = GridSearchCV(model, grid, cv=3).fit(*small)
    with joblib.parallel_backend(backend, n_jobs=2):
        together = GridSearchCV(model, grid, cv=3, n_jobs=2).fit(*small)
    assert_array_equal(
        alone.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"]
    )
    assert len(set(alone.cv_results_["mean_test_score"])) > 1


def test_parameters_of_nested_objects_are_reached():
    model = MLPClassifier(optimizer=SGD(), loss=Focal(), learning_rate_schedule=StepDecay())
    model.set_params(
        optimizer__nesterov=True, loss__gamma=1.0, learning_rate_schedule__epochs=3
    )
    assert model.optimizer.nesterov and model.loss.gamma == 1.0
    assert clone(model).learning_rate_schedule.epochs == 3


def test_a_fitted_model_shares_nothing_with_its_hyperparameters(small):
    model = MLPClassifier(optimizer=SGD(), max_iter=1, random_state=0).fit(*small)
    assert model.optimizer.get_params() == SGD().get_params()


def test_pipeline_of_a_data_frame_keeps_feature_names(small):
    X, y = small
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(64)])
    model = make_pipeline(
        StandardScaler().set_output(transform="pandas"),
        MLPClassifier(max_iter=3, early_stopping=True, monitor="accuracy", random_state=0),
    ).fit(frame, y)
    assert list(model[-1].feature_names_in_) == list(frame.columns)
    assert model.predict(frame).shape == y.shape
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model[-1].predict(X)


def test_metadata_routing_passes_weights(small):
    X, y = small
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(max_iter=2, random_state=0).set_fit_request(
            sample_weight=True
        )
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model)
        weight = np.random.default_rng(0).uniform(size=len(y))
        routed = pipeline.fit(X, y, sample_weight=weight)
    direct = MLPClassifier(max_iter=2, random_state=0)
    direct.fit(StandardScaler().fit_transform(X), y, sample_weight=weight)
    assert_array_equal(routed[-1].network_.parameters, direct.network_.parameters)


def test_scikit_learns_meta_estimators_take_it(small):
    X, y = small
    model = MLPClassifier(max_iter=50, random_state=0)
    assert (
        BaggingClassifier(model, n_estimators=2, random_state=0).fit(X, y).score(X, y) > 0.8
    )
    assert CalibratedClassifierCV(model, cv=2).fit(X, y).predict_proba(X).shape == (400, 10)
    regressor = TransformedTargetRegressor(
        MLPRegressor(max_iter=5, random_state=0), transformer=StandardScaler()
    )
    assert np.isfinite(cross_val_score(regressor, X, y, cv=3)).all()


@pytest.mark.parametrize("method", [pickle.loads, None])
def test_a_copy_predicts_the_same(small, method):
    X, y = small
    model = MLPClassifier(batch_norm=True, max_iter=3, random_state=0).fit(X, y)
    twin = method(pickle.dumps(model)) if method else copy.deepcopy(model)
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert twin.loss_curve_ == model.loss_curve_
    assert twin.network_.describe() == model.network_.describe()


def test_a_pickle_is_little_more_than_the_weights(digits):
    X, y = digits
    model = MLPClassifier((300, 200), max_iter=3, random_state=0).fit(X, y)
    model.predict(X)
    weights = model.n_parameters_ * 8
    assert weights <= len(pickle.dumps(model)) <= 1.1 * weights + 20_000


def test_a_model_from_read_only_memory_predicts_and_learns(small, tmp_path):
    X, y = small
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert_array_equal(
        loaded.partial_fit(X, y).predict_proba(X), model.partial_fit(X, y).predict_proba(X)
    )


def test_many_threads_predict_at_once(digits):
    X, y = digits
    model = MLPClassifier((200, 100), batch_norm=True, max_iter=3, random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    single = model.predict_proba(X[:1])
    with ThreadPoolExecutor(8) as pool:
        for p in pool.map(model.predict_proba, [X] * 50):
            assert_array_equal(p, expected)
        for p in pool.map(model.predict_proba, [X[:1]] * 200):
            assert_array_equal(p, single)


def test_many_threads_fit_at_once(digits):
    X, y = digits
    models = [MLPClassifier((300,), max_iter=3, random_state=i % 2) for i in range(6)]
    with ThreadPoolExecutor(4) as pool:
        fitted = list(pool.map(lambda model: model.fit(X, y), models))
    alone = [clone(model).fit(X, y) for model in models[:2]]
    for i, model in enumerate(fitted):
        assert_array_equal(model.network_.parameters, alone[i % 2].network_.parameters)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_can_predict_and_fit(small):
    X, y = small
    model = MLPClassifier((300, 300), batch_size=400, max_iter=2, random_state=0).fit(X, y)
    with get_context("fork").Pool(1) as pool:
        assert_array_equal(pool.apply(model.predict_proba, (X,)), model.predict_proba(X))
        again = pool.apply(clone(model).fit, (X, y))
    assert_array_equal(again.network_.parameters, model.network_.parameters)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden_layer_sizes": (400, 300), "max_iter": 2},
        {"hidden_layer_sizes": (300,), "batch_size": "full", "batch_norm": True},
        {"hidden_layer_sizes": (300,), "dropout": 0.4, "input_dropout": 0.1},
        {"hidden_layer_sizes": (100,), "optimizer": "lbfgs", "max_iter": 10},
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_number_of_threads_never_changes_a_bit(digits, options, dtype):
    X, y = digits[0].astype(dtype), digits[1]
    results = []
    for threads in (1, 2, 2):
        with threadpool_limits(threads):
            model = MLPClassifier(**({"max_iter": 4} | options), random_state=0).fit(X, y)
            results.append((model.network_.parameters, model.predict_proba(X)))
    for parameters, probabilities in results[1:]:
        assert_array_equal(parameters, results[0][0])
        assert_array_equal(probabilities, results[0][1])


def test_a_random_state_instance_moves_on_and_an_int_repeats(small):
    def parameters(random_state):
        model = MLPClassifier(max_iter=1, random_state=random_state).fit(*small)
        return model.network_.parameters

    assert_array_equal(parameters(3), parameters(3))
    assert (parameters(3) != parameters(4)).any()
    state = np.random.RandomState(3)
    assert (parameters(state) != parameters(state)).any()


def test_fitting_does_not_touch_the_global_random_state(small):
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - it is what is tested
    MLPClassifier(max_iter=1, random_state=0, dropout=0.1).fit(*small)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
