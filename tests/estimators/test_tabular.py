"""Tables as they are: what goes in, what is learned, and what can go wrong."""

import _thread
import copy
import pickle
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_friedman1
from sklearn.exceptions import NotFittedError
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from skdeep import TabularClassifier, TabularRegressor

QUICK = {"n_epochs": 4, "hidden_layer_sizes": 8, "random_state": 0}
CONFIGURATIONS = [
    {"n_epochs": 4},
    {"n_epochs": 40, "numeric_embedding": None, "blend": None},
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        kind(hidden_layer_sizes=8, **configuration)
        for kind in (TabularClassifier, TabularRegressor)
        for configuration in CONFIGURATIONS
    ]
)
def test_estimator_passes_every_check(estimator, check):
    check(estimator)


def frame(n=120, seed=0):
    """Numbers, categories, booleans, dates and gaps, and two targets of them."""
    generator = np.random.default_rng(seed)
    size = generator.normal(size=n)
    color = generator.choice(["red", "green", "blue"], n)
    weekday = generator.integers(0, 7, n)
    X = pd.DataFrame(
        {
            "size": np.where(generator.random(n) < 0.1, np.nan, size),
            "weight": generator.normal(size=n) * 1e6,
            "color": pd.Categorical(color),
            "new": generator.random(n) < 0.5,
            "sold": pd.Timestamp("2024-01-01") + pd.to_timedelta(weekday, unit="D"),
        }
    )
    z = size + (color == "red") + 0.5 * (weekday > 4)
    return X, np.where(z > 0.5, "yes", "no"), z


def test_a_frame_is_learned_as_it_is():
    X, y, z = frame(400)
    train, test = train_test_split(np.arange(400), random_state=0)
    model = TabularClassifier(preset="fast", random_state=0)
    model.fit(X.iloc[train], y[train])
    assert model.score(X.iloc[test], y[test]) > 0.8
    assert list(model.feature_names_in_) == list(X.columns)
    model = TabularRegressor(preset="fast", random_state=0).fit(X.iloc[train], z[train])
    assert model.score(X.iloc[test], z[test]) > 0.75


def test_pandas_and_polars_are_the_same():
    X, y, _ = frame()
    columns = {"color": pl.Series(X["color"].tolist(), dtype=pl.Categorical)}
    columns |= {name: X[name].tolist() for name in ("size", "weight", "new", "sold")}
    other = pl.DataFrame({name: columns[name] for name in X})
    results = [TabularClassifier(**QUICK).fit(D, y).predict_proba(D) for D in (X, other)]
    np.testing.assert_array_equal(*results)


def test_unknown_levels_and_new_gaps_are_predicted():
    X, y, _ = frame()
    model = TabularClassifier(**QUICK).fit(X, y)
    new = X.head(4).copy()
    new["color"] = pd.Categorical(["violet", None, "red", "green"])
    new.loc[new.index[0], "weight"] = np.nan
    p = model.predict_proba(new)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    assert np.isfinite(p).all()


# --- what a prediction is made of -------------------------------------------------------


def test_the_user_says_what_is_a_category_and_how_many_levels_get_columns():
    generator = np.random.default_rng(0)
    X = np.column_stack([generator.integers(0, 5, 200), generator.normal(size=200)])
    y = generator.normal(size=200)
    options = {"categorical_features": [0], "max_onehot": 4}
    for given, n_columns in ((options, 2), (options | {"max_onehot": 5}, 6), ({}, 2)):
        model = TabularRegressor(**QUICK, **given).fit(X, y)
        assert model.preprocessor_.transform(X).shape[1] == n_columns
        assert model.preprocessor_.get_params() | given == model.preprocessor_.get_params()


def test_predictions_are_the_weighted_mean_of_the_members():
    X, y = load_diabetes(return_X_y=True)
    model = TabularRegressor(**QUICK).fit(X, y)
    Z = model.preprocessor_.transform(X)
    x = model._inputs.of(Z)
    z = np.zeros(len(X))
    for kind, weight in model.weights_.items():
        members = [m for m in model.members_ if m.kind == kind]
        if weight:
            z += weight * np.mean([m.estimator.predict(x[kind]) for m in members], axis=0)
    expected = np.clip(z * y.std() + y.mean(), y.min(), y.max())
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5)
    np.testing.assert_allclose(sum(model.weights_.values()), 1.0)


def test_out_of_fold_predictions_know_nothing_of_their_rows():
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(300, 4)), generator.integers(0, 2, 300)
    model = TabularClassifier(n_epochs=40, random_state=0, blend=None).fit(X, y)
    assert model.score(X, y) > 0.7  # it has learned the rows by heart
    assert abs(model.oof_score_ - 0.5) < 0.1
    assert model.oof_prediction_.shape == (300, 2)


def test_out_of_fold_predictions_come_from_the_members_of_their_fold():
    X, y = load_diabetes(return_X_y=True)
    folds = list(GroupKFold(3).split(X, groups=np.arange(len(X)) % 3))
    options = QUICK | {"numeric_embedding": "periodic", "blend": None}
    model = TabularRegressor(n_cv=GroupKFold(3), **options)
    model.fit(X, y, groups=np.arange(len(X)) % 3)
    Z = model.preprocessor_.transform(X)
    for number, (_, held_out) in enumerate(folds):
        of_fold = [m.estimator for m in model.members_ if m.fold == number]
        assert len(of_fold) == 2
        z = np.mean([network.predict(Z[held_out]) for network in of_fold], axis=0)
        expected = np.clip(z * y.std() + y.mean(), y.min(), y.max())
        np.testing.assert_allclose(model.oof_prediction_[held_out], expected, rtol=1e-5)


def test_the_linear_model_takes_over_where_all_is_linear():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(200, 8))
    y = X @ generator.normal(size=8)
    model = TabularRegressor(**QUICK).fit(X, y)
    assert model.weights_["linear"] > 0.7
    alone = TabularRegressor(blend=None, **QUICK).fit(X, y)
    assert "linear" not in alone.weights_
    assert model.score(X, y) > alone.score(X, y)
    linear = [m for m in model.members_ if m.kind == "linear"]
    assert len(linear) == 6  # of all rows, and of each fold
    assert isinstance(linear[0].estimator, RidgeCV)


def test_predictions_stay_within_the_targets_of_training():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(200, 3))
    y = X @ np.array([3.0, 2.0, 1.0])
    model = TabularRegressor(**QUICK).fit(X, y)
    far = model.predict(10 * X)
    assert far.min() == pytest.approx(y.min()) and far.max() == pytest.approx(y.max())


def test_trees_take_over_where_all_is_steps():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(600, 3))
    y = np.floor(3 * X[:, 0]) % 2 + (X[:, 1] > 0.3)
    model = TabularRegressor(blend="trees", n_cv=2, **QUICK).fit(X, y)
    assert model.weights_["trees"] > 0.7
    assert model.score(X, y) > 0.8


def test_each_class_has_its_column_where_a_fold_lacks_one():
    X, y = load_iris(return_X_y=True)
    X, y = np.concatenate([X, [[9.0, 9, 9, 9]]]), np.append(y, 7)  # a class of one row
    model = TabularClassifier(**QUICK).fit(X, y)
    assert model.predict_proba(X).shape == (151, 4)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2, 7])
    assert np.isnan(model.oof_prediction_[-1]).all()  # always in training
    assert np.isfinite(model.oof_prediction_[:-1]).all()


def test_temperature_makes_out_of_fold_probabilities_fit():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(400, 10))
    y = (X[:, 0] + 2 * generator.normal(size=400) > 0).astype(int)
    # networks that learn noise are too sure of it
    model = TabularClassifier(n_epochs=60, random_state=0, blend=None, n_cv=3).fit(X, y)
    assert model.temperature_ > 1.2
    p = np.maximum(model.oof_prediction_, 1e-12) ** model.temperature_
    uncorrected = p / p.sum(axis=1, keepdims=True)
    assert log_loss(y, model.oof_prediction_) < log_loss(y, uncorrected) - 0.01


def test_intervals_cover_as_often_as_they_say():
    X, y = make_friedman1(900, noise=1.0, random_state=0)
    model = TabularRegressor(n_epochs=15, random_state=0).fit(X[:300], y[:300])
    widths = []
    for level in (0.5, 0.8, 0.95):
        low, high = model.predict_interval(X[300:], level).T
        covered = np.mean((low <= y[300:]) & (y[300:] <= high))
        assert level - 0.06 < covered < level + 0.12
        widths.append(np.mean(high - low))
    assert widths == sorted(widths)


def test_many_targets_are_predicted_with_their_intervals():
    X, _y, z = frame(200)
    targets = np.column_stack([z, 100 * z + 5])
    model = TabularRegressor(**QUICK).fit(X, targets)
    assert model.predict(X).shape == model.oof_prediction_.shape == (200, 2)
    intervals = model.predict_interval(X.head(7))
    assert intervals.shape == (7, 2, 2)
    assert (intervals[:, 0] <= intervals[:, 1]).all()
    model = TabularRegressor(blend="trees", n_cv=2, **QUICK).fit(X, targets)
    assert model.predict(X).shape == (200, 2)


# --- weights and validation data --------------------------------------------------------


def test_rows_without_weight_are_not_there():
    X, y, _ = frame()
    weight = np.random.default_rng(0).integers(0, 2, len(y)).astype(float)
    kept = weight > 0
    weighted = TabularClassifier(**QUICK).fit(X, y, sample_weight=weight)
    left_out = TabularClassifier(**QUICK).fit(X[kept], y[kept])
    np.testing.assert_array_equal(weighted.predict_proba(X), left_out.predict_proba(X))
    np.testing.assert_array_equal(weighted.oof_prediction_[kept], left_out.oof_prediction_)
    assert np.isnan(weighted.oof_prediction_[~kept]).all()


def test_groups_of_rows_without_weight_are_left_out_with_them():
    X, y, _ = frame()
    weight = np.random.default_rng(0).integers(0, 2, len(y)).astype(float)
    kept, groups = weight > 0, np.arange(len(y)) % 7
    model = TabularClassifier(**QUICK)
    weighted = model.fit(X, y, weight, groups=groups).predict_proba(X)
    left_out = model.fit(X[kept], y[kept], groups=groups[kept]).predict_proba(X)
    np.testing.assert_array_equal(weighted, left_out)


def test_the_score_of_unseen_rows_counts_their_weights():
    X, y, z = frame()
    weight = np.random.default_rng(0).choice([0.1, 10.0], len(y))
    model = TabularClassifier(**QUICK).fit(X, y, weight)
    predicted = model.classes_[model.oof_prediction_.argmax(axis=1)]
    assert model.oof_score_ == accuracy_score(y, predicted, sample_weight=weight)
    assert model.oof_score_ != accuracy_score(y, predicted)
    model = TabularRegressor(**QUICK).fit(X, z, weight)
    assert model.oof_score_ == r2_score(z, model.oof_prediction_, sample_weight=weight)
    assert model.oof_score_ != r2_score(z, model.oof_prediction_)


def test_class_weights_move_the_border():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(400, 2))
    y = (X[:, 0] + generator.normal(size=400) > 1.5).astype(int)
    plain, balanced, by_dict = (
        TabularClassifier(class_weight=w, **QUICK | {"n_epochs": 20}).fit(X, y)
        for w in (None, "balanced", {0: 1.0, 1: 6.0})
    )
    assert plain.predict(X).mean() < y.mean() < balanced.predict(X).mean()
    assert plain.predict(X).mean() < by_dict.predict(X).mean()


def test_equal_class_weights_change_nothing():
    X, y, _ = frame()
    plain = TabularClassifier(**QUICK).fit(X, y)
    equal = TabularClassifier(class_weight={"no": 4, "yes": 4}, **QUICK).fit(X, y)
    np.testing.assert_array_equal(equal.predict_proba(X), plain.predict_proba(X))


def test_class_weights_are_weights_of_samples_in_validation_data_too():
    X, y, _ = frame(200)
    weight = np.where(y == "yes", 5.0, 1.0)
    known, new = slice(0, 120), slice(120, 200)
    by_class = TabularClassifier(class_weight={"no": 1, "yes": 5}, **QUICK)
    by_class.fit(X[known], y[known], X_val=X[new], y_val=y[new])
    by_sample = TabularClassifier(**QUICK)
    by_sample.fit(X[known], y[known], weight[known] / weight[known].mean(),
                  X_val=X[new], y_val=y[new], sample_weight_val=weight[new])  # fmt: skip
    assert by_class.temperature_ == pytest.approx(by_sample.temperature_, rel=1e-6)
    assert by_class.weights_ == pytest.approx(by_sample.weights_, rel=1e-6)


def test_class_weights_that_leave_one_class_are_refused():
    X, y, _ = frame()
    model = TabularClassifier(class_weight={"no": 0, "yes": 1}, **QUICK)
    with pytest.raises(ValueError, match="weights above zero"):
        model.fit(X, y)


def test_validation_targets_are_of_the_same_kind():
    X, y, z = frame()
    with pytest.raises(ValueError, match="Mix of label input types"):
        TabularClassifier(**QUICK).fit(X, y, X_val=X, y_val=np.arange(len(y)) % 2)
    with pytest.raises(ValueError, match="y_val has 2 targets"):
        TabularRegressor(**QUICK).fit(X, z, X_val=X, y_val=np.column_stack([z, z]))


def test_validation_data_give_the_weights_and_curves():
    X, y, _ = frame(200)
    model = TabularClassifier(**QUICK)
    model.fit(X[:120], y[:120], X_val=X[120:], y_val=y[120:])
    assert model.oof_prediction_ is None and model.oof_score_ is None
    assert all(m.fold is None for m in model.members_)
    network = model.members_[0].estimator
    assert len(network.validation_loss_curve_) == len(network.loss_curve_) == 4
    only_one = TabularRegressor(**QUICK)
    with pytest.raises(ValueError, match="X_val was given without y_val"):
        only_one.fit(X, np.arange(200.0), X_val=X)
    with pytest.raises(ValueError, match=r"not in classes_: \['maybe'\]"):
        model.fit(X, y, X_val=X[:2], y_val=["yes", "maybe"])


def test_groups_are_never_in_two_folds():
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 5)
    # rows of a group are alike and share a target that nothing else tells
    X = generator.normal(size=(40, 6))[groups] + 0.01 * generator.normal(size=(200, 6))
    y = generator.integers(0, 2, 40)[groups]
    options = {"n_epochs": 30, "blend": None, "random_state": 0}
    fitted = TabularClassifier(**options).fit(X, y, groups=groups)
    blind = TabularClassifier(**options).fit(X, y)
    assert blind.oof_score_ > 0.9  # leaks
    assert fitted.oof_score_ < 0.7


# --- the contract of scikit-learn -------------------------------------------------------


@pytest.mark.parametrize("blend", ["linear", "trees"])
@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_the_number_of_threads_changes_no_bit(kind, blend):
    X, y = load_breast_cancer(return_X_y=True)
    results = []
    for limit in (1, 2):
        with threadpool_limits(limit):
            results.append(kind(blend=blend, n_cv=2, **QUICK).fit(X, y))
    np.testing.assert_array_equal(results[0].predict(X), results[1].predict(X))
    np.testing.assert_array_equal(*(m.oof_prediction_ for m in results))


def test_copies_and_pickles_predict_the_same():
    X, y, _ = frame()
    model = TabularClassifier(**QUICK).fit(X, y)
    p = model.predict_proba(X)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin.predict_proba(X), p)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), p)


def test_many_threads_may_predict():
    X, y, _ = frame()
    model = TabularClassifier(**QUICK).fit(X, y)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: model.predict_proba(X), range(8)))
    for p in found:
        np.testing.assert_array_equal(p, found[0])


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_grid_search_tunes_it(backend):
    import joblib

    X, y, _ = frame()
    grid = {"numeric_embedding": ["periodic", None], "dropout": [0.0, 0.2]}
    model = TabularClassifier(preset="fast", **QUICK)
    with joblib.parallel_config(backend, n_jobs=2):
        search = GridSearchCV(model, grid, cv=2).fit(X, y)
    alone = GridSearchCV(model, grid, cv=2).fit(X, y)
    scores = [s.cv_results_["mean_test_score"] for s in (search, alone)]
    np.testing.assert_array_equal(*scores)


def test_it_ends_a_pipeline():
    X, y, _ = frame()
    drop = FunctionTransformer(lambda X: X.drop(columns="weight"))
    model = make_pipeline(drop, TabularClassifier(**QUICK)).fit(X, y)
    assert list(model[-1].feature_names_in_) == ["size", "color", "new", "sold"]


def test_float32_in_float32_out():
    X, y = load_diabetes(return_X_y=True)
    for dtype in (np.float32, np.float64):
        D = X.astype(dtype)
        assert TabularRegressor(**QUICK).fit(D, y).predict(D).dtype == dtype
        model = TabularClassifier(**QUICK).fit(D, y > 140)
        assert model.predict_proba(D).dtype == model.predict_log_proba(D).dtype == dtype


def test_log_probabilities_are_logarithms():
    X, y, _ = frame()
    model = TabularClassifier(**QUICK).fit(X, y)
    np.testing.assert_allclose(
        np.exp(model.predict_log_proba(X)), model.predict_proba(X), rtol=1e-6
    )


def test_inspection_of_scikit_learn_works_on_frames():
    X, _y, z = frame(300)
    model = TabularRegressor(preset="fast", random_state=0).fit(X, z)
    importances = permutation_importance(model, X, z, n_repeats=2, random_state=0)
    assert X.columns[importances.importances_mean.argmax()] == "size"
    curve = partial_dependence(model, X.dropna(), ["size"], grid_resolution=5)
    assert curve["average"][0, -1] > curve["average"][0, 0]


def test_callbacks_see_the_fit_its_members_and_their_epochs():
    seen = []

    class Recorder:
        max_propagation_depth = None

        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context):
            seen.append((type(estimator).__name__, context.task_name))

        def on_fit_task_end(self, estimator, context): ...

    X, y, _ = frame()
    model = TabularClassifier(preset="fast", numeric_embedding=None, **QUICK)
    model.set_callbacks(Recorder()).fit(X, y)
    assert seen[0] == ("TabularClassifier", "fit")
    assert seen.count(("SequentialClassifier", "epoch")) == 4
    pickle.dumps(model.members_)


def test_progress_bars_show_it():
    pytest.importorskip("rich")
    X, y, _ = frame()
    TabularClassifier(preset="fast", **QUICK).set_callbacks(ProgressBar()).fit(X, y)


# --- schedules --------------------------------------------------------------------------


def test_unseen_rows_choose_a_schedule_and_its_members_alone_are_kept():
    X, y = make_friedman1(400, random_state=0)
    options = QUICK | {"n_epochs": [60, 1, 60]}
    model = TabularRegressor(**options).fit(X, y)
    assert model.n_epochs_ == 60  # one epoch learns nothing here
    networks = [m for m in model.members_ if m.kind != "linear"]
    assert {m.n_epochs for m in networks} == {m.estimator.n_iter_ for m in networks} == {60}
    noise = np.random.default_rng(0).normal(size=len(y))
    assert TabularRegressor(**options).fit(X, noise).n_epochs_ == 1


@pytest.mark.parametrize("signal", [0.0, 1.0])  # the fewest and the most are best
@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_the_schedule_chosen_has_the_least_loss_of_what_is_predicted(
    kind, signal, monkeypatch
):
    generator = np.random.default_rng(1)
    X = generator.normal(size=(300, 3))
    z = signal * X[:, 0] * X[:, 1] + generator.normal(size=300)
    y = (z > 0).astype(int) if kind is TabularClassifier else z
    blends, blend = [], kind._blend
    monkeypatch.setattr(
        kind, "_blend", lambda *given: blends.append(blend(*given)) or blends[-1]
    )
    model = kind(**QUICK | {"n_epochs": (40, 3, 15), "blend": None}).fit(X, y)

    def loss(unseen):
        if kind is TabularRegressor:
            outputs = np.clip(unseen.outputs[:, 0], *model._target_range)
            return np.mean((unseen.target - outputs) ** 2)
        logits = np.log(unseen.outputs) / np.linspace(0.5, 5, 500)[:, None, None]
        return min(log_loss(unseen.target, softmax(z, axis=1)) for z in logits)

    losses = {blend.n_epochs: loss(blend.unseen) for blend in blends}
    assert sorted(losses) == [3, 15, 40]
    assert model.n_epochs_ == min(losses, key=losses.get) == (40 if signal else 3)
    for blend in blends:
        assert blend.loss == pytest.approx(losses[blend.n_epochs], rel=1e-3)


def test_validation_data_choose_a_schedule():
    X, y = make_friedman1(400, random_state=0)
    model = TabularRegressor(**QUICK | {"n_epochs": (1, 60)})
    model.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert model.n_epochs_ == 60 and model.oof_prediction_ is None


def test_schedules_need_rows_to_be_compared_on():
    X, y, _ = frame()
    with pytest.raises(ValueError, match="set n_cv to 5"):
        TabularClassifier(n_cv=0, **QUICK | {"n_epochs": (2, 4)}).fit(X, y)


@pytest.mark.parametrize("n_epochs", [0, [], [4, 0], [2.5], ["many"], [[]]])
def test_schedules_are_checked(n_epochs):
    X, y, _ = frame()
    with pytest.raises(ValueError, match="n_epochs"):
        TabularClassifier(**QUICK | {"n_epochs": n_epochs}).fit(X, y)


def test_a_time_limit_shortens_all_schedules_alike():
    X, y = make_friedman1(3000, random_state=0)
    model = TabularRegressor(time_limit=1e-3, n_epochs=(4000, 9000), random_state=0)
    with pytest.warns(UserWarning) as told:
        model.fit(X, y)
    assert "too short for 4000, 9000 epochs" in str(told[0].message)
    assert model.n_epochs_ < 4000


# --- limits and interrupts --------------------------------------------------------------


def test_a_time_limit_ends_training_and_says_what_was_left_out():
    X, y = make_friedman1(3000, random_state=0)
    model = TabularRegressor(preset="best", time_limit=0.5, random_state=0)
    start = time.perf_counter()
    with pytest.warns(UserWarning, match="time_limit=0.5"):
        model.fit(X, y)
    assert time.perf_counter() - start < 30  # without it, minutes
    assert 1 <= len(model.members_) < 30
    assert model.score(X, y) > 0.3


def test_a_limit_too_short_for_one_network_gives_a_model_all_the_same():
    X, y = make_friedman1(3000, random_state=0)
    model = TabularRegressor(time_limit=1e-3, random_state=0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert "is too short for" in str(told[0].message)
    assert "Left out: " in str(told[1].message)
    assert model.n_epochs_ == 1
    assert np.isfinite(model.predict(X)).all()


def test_a_long_limit_changes_nothing():
    X, y, _ = frame()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        limited = TabularClassifier(time_limit=600, **QUICK).fit(X, y)
    plain = TabularClassifier(**QUICK).fit(X, y)
    np.testing.assert_array_equal(limited.predict_proba(X), plain.predict_proba(X))


class InterruptAfter:
    """Does what Ctrl-C does, once some members are trained."""

    def __init__(self, n_members):
        self.left = n_members

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "member":
            self.left -= 1
            if self.left == 0:
                _thread.interrupt_main()
                time.sleep(0.3)


def test_an_interrupt_keeps_the_members_that_are_complete():
    X, y = make_friedman1(2000, random_state=0)
    model = TabularRegressor(random_state=0).set_callbacks(InterruptAfter(4))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert 1 <= len(model.members_) < 10
    assert model.score(X, y) > 0.5


def test_an_interrupt_of_a_second_fit_without_members_keeps_the_first(monkeypatch):
    X, y, _ = frame()
    model = TabularClassifier(**QUICK).fit(X, y)
    before = model.predict_proba(X)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(TabularClassifier, "_network", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:60], y[:60])
    np.testing.assert_array_equal(model.predict_proba(X), before)


# --- bad input --------------------------------------------------------------------------


def test_a_failed_fit_leaves_what_was_there():
    X, y, _ = frame()
    model = TabularClassifier(**QUICK).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="at least 2 classes"):
        model.fit(X, np.full(len(y), "yes"))
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.assign(note=[f"text {i}" for i in range(len(X))]), "categor"),
        (lambda X: X.assign(mixed=["a", 1] * (len(X) // 2)), "mixed"),
        (lambda X: X.assign(size=np.inf), "infinity"),
    ],
)
def test_columns_that_no_network_takes_are_refused_by_name(change, message):
    X, y, _ = frame()
    with pytest.raises(ValueError, match=message):
        TabularClassifier(**QUICK).fit(change(X), y)


def test_other_columns_at_predict_are_refused():
    X, y, _ = frame()
    model = TabularClassifier(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X.rename(columns={"size": "length"}))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X.drop(columns="new"))


def test_a_table_without_rows_is_refused():
    X, y, _ = frame()
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        TabularClassifier().fit(X[:0], y[:0])


def test_targets_with_gaps_are_refused():
    X, y, z = frame()
    with pytest.raises(ValueError, match="NaN"):
        TabularRegressor(**QUICK).fit(X, np.where(z > 1, np.nan, z))
    with pytest.raises(ValueError, match="missing"):
        TabularClassifier(**QUICK).fit(X, np.where(z > 1, None, y))


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame({"only": np.arange(60.0)}),
        pd.DataFrame({"gone": [None] * 60, "x": np.arange(60.0)}),
        pd.DataFrame({"gone": [np.nan] * 60}),
        pd.DataFrame({"same": [1.0] * 60}),
        pd.DataFrame({"level": pd.Categorical([f"l{i}" for i in range(60)])}),
    ],
    ids=["one column", "all missing", "nothing else", "constant", "a level a row"],
)
@pytest.mark.filterwarnings("ignore:Skipping features without any observed")
def test_tables_with_little_in_them_are_learned(X):
    y = np.arange(60) % 3
    assert TabularClassifier(**QUICK).fit(X, y).predict(X).shape == (60,)
    assert np.isfinite(TabularRegressor(**QUICK).fit(X, y + 0.5).predict(X)).all()


def test_ten_thousand_levels_are_learned():
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 10_000, 12_000)
    X = pd.DataFrame({"id": pd.Categorical(codes.astype(str)), "x": codes % 7.0})
    model = TabularRegressor(preset="fast", **QUICK | {"n_epochs": 1})
    assert np.isfinite(model.fit(X, codes * 1.0).predict(X.head())).all()


@pytest.mark.parametrize("n", [2, 3, 5, 49, 50, 51])
def test_few_rows_are_enough(n):
    X = np.random.default_rng(0).normal(size=(n, 3))
    y = np.arange(n) % 2
    p = TabularClassifier(**QUICK).fit(X, y).predict_proba(X)
    assert p.shape == (n, 2) and np.isfinite(p).all()
    assert np.isfinite(TabularRegressor(**QUICK).fit(X, X[:, 0]).predict(X)).all()


def test_one_row_of_each_class_is_enough():
    X, y = np.eye(60), np.arange(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # more classes than is usual
        model = TabularClassifier(**QUICK).fit(X, y)
    assert model.predict_proba(X).shape == (60, 60)
    assert model.oof_prediction_ is None


def test_intervals_need_folds():
    X, _, z = frame()
    model = TabularRegressor(n_cv=0, **QUICK).fit(X, z)
    with pytest.raises(ValueError, match="no folds"):
        model.predict_interval(X)
    with pytest.raises(ValueError, match="confidence_level"):
        TabularRegressor(**QUICK).fit(X, z).predict_interval(X, 1.5)
    with pytest.raises(NotFittedError):
        TabularRegressor().predict_interval(X)


@pytest.mark.parametrize("sizes", [0, (8, 0), (8, 2.5), ("a",)])
def test_hidden_layers_are_checked(sizes):
    X, y, _ = frame()
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        TabularClassifier(**QUICK | {"hidden_layer_sizes": sizes}).fit(X, y)


def test_it_beats_a_linear_model_on_what_is_not_linear():
    X, y = make_friedman1(500, noise=0.5, random_state=0)
    model = TabularRegressor(n_epochs=30, random_state=0).fit(X[:300], y[:300])
    linear = make_pipeline(StandardScaler(), RidgeCV()).fit(X[:300], y[:300])
    assert 1 - model.score(X[300:], y[300:]) < 0.5 * (1 - linear.score(X[300:], y[300:]))
    labels = y > np.median(y)
    model = TabularClassifier(n_epochs=30, random_state=0).fit(X[:300], labels[:300])
    logistic = LogisticRegression(max_iter=500).fit(X[:300], labels[:300])
    assert model.score(X[300:], labels[300:]) > logistic.score(X[300:], labels[300:])
