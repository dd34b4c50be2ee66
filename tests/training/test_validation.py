"""Validation data: set aside or given, weighed, routed, watched, and what is restored."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from skdeep import MLPClassifier, MLPRegressor
from skdeep.estimators.validation_data import hold_out


@pytest.fixture(scope="module")
def split(digits):
    """Training data, and validation data of another scale, so that scaling matters."""
    X, y = digits
    return X[:500], y[:500], X[500:700], y[500:700]


# --- what is set aside ------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"X_val": np.full((20, 3), np.nan)}, "^Input X_val contains NaN"),
        ({"X_val": np.ones((20, 2))}, "^X_val has 2 features, but .* is expecting 3"),
        ({"X_val": np.ones(20)}, "Reshape your data"),
        ({"X_val": np.ones((20, 3), complex)}, "Complex data"),
        ({"y_val": np.full(20, np.nan)}, "Input y_val contains NaN"),
        ({"y_val": np.zeros((20, 2))}, "^y_val (has|is of type|must be)"),
        ({"y_val": np.ma.array(np.zeros(20), mask=[1] * 20)}, "^Masked entries of y_val"),
        ({"y_val": np.full(20, "a")}, "y_val has|of dtype='<U1'|not compatible"),
        ({"sample_weight_val": np.full(20, -1.0)}, "sample_weight_val"),
        ({"sample_weight_val": np.full(20, np.nan)}, "sample_weight_val contains NaN"),
        ({"sample_weight_val": np.ones(19)}, "^sample_weight_val.shape == "),
        ({"y_val": np.zeros(19)}, "^In X_val, y_val, sample_weight_val: Found input"),
    ],
    ids=str,
)
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_errors_name_the_validation_data(estimator, changes, match):
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    data = dict(X_val=X, y_val=y) | changes
    with pytest.raises(ValueError) as error:
        estimator((3,), max_iter=1).fit(X, y, **data)
    text = str(error.value)
    assert re.search(match, text), text
    assert not re.search(r"\b(X|y|sample_weight)\b(?!\.reshape|\.astype)", text), text


def test_names_of_classes_stay_what_they_are():
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.array(["X", "y"] * 10)
    y_val = np.where(np.arange(20) < 3, "sample_weight", y)
    with pytest.raises(ValueError, match=r"y_val has classes .*\['sample_weight'\]") as e:
        MLPClassifier((3,), max_iter=1).fit(X, y, X_val=X, y_val=y_val)
    assert "['X' 'y']" in str(e.value)


def test_a_fraction_is_set_aside_class_by_class():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    rows = hold_out(np.ones(100), y, 0.2, (1, 2))
    assert_array_equal(np.bincount(y[rows]), [12, 6, 2])
    assert_array_equal(hold_out(np.ones(100), y, 0.2, (1, 2)), rows)
    assert set(hold_out(np.ones(100), y, 0.2, (3, 2))) != set(rows)


def test_samples_without_weight_are_neither_set_aside_nor_counted():
    y = np.repeat([0, 1], [50, 50])
    weight = np.r_[np.zeros(40), np.ones(60)]
    rows = hold_out(weight, y, 0.5, (1, 2))
    assert len(rows) == 30 and weight[rows].all()
    assert_array_equal(np.bincount(y[rows]), [5, 25])


def test_a_sample_without_weight_changes_nothing(split):
    X, y, _, _ = split
    options = dict(early_stopping=True, max_iter=5, random_state=0)
    weight = np.ones(len(y))
    weight[::5] = 0
    changed = X.copy()
    changed[::5] = 99.0
    one = MLPClassifier(**options).fit(X, y, sample_weight=weight)
    other = MLPClassifier(**options).fit(changed, y, sample_weight=weight)
    assert one.validation_loss_curve_ == other.validation_loss_curve_
    assert_array_equal(one.network_.parameters, other.network_.parameters)


def test_the_weights_of_the_samples_set_aside_count(split):
    X, y, _, _ = split
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    model = MLPClassifier(early_stopping=True, max_iter=1, random_state=0)
    model.fit(X, y, sample_weight=weight)
    rows = hold_out(weight, y, 0.1, model._training_state.key)
    p = model.predict_proba(X[rows])
    expected = log_loss(y[rows], p, sample_weight=weight[rows], labels=model.classes_)
    assert_allclose(model.validation_loss_curve_, [expected], rtol=1e-9)
    score = model.score(X[rows], y[rows], sample_weight=weight[rows])
    assert_allclose(model.validation_scores_, [score])


def test_class_weights_count(split):
    X, y, X_val, y_val = split
    class_weight = {k: 1.0 + k for k in range(10)}
    model = MLPClassifier(class_weight=class_weight, max_iter=2, random_state=0)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    weight = 1.0 + y_val
    expected = log_loss(y_val, model.predict_proba(X_val), sample_weight=weight)
    assert_allclose(model.validation_loss_curve_[-1], expected, rtol=1e-9)


def test_a_regressor_validates_as_well(split):
    X, y, X_val, y_val = split
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y_val))
    model = MLPRegressor(early_stopping=True, n_iter_no_change=3, random_state=0)
    model.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    best = model.best_iter_ - 1
    error = np.average((model.predict(X_val) - y_val) ** 2, weights=weight)
    assert_allclose(model.validation_loss_curve_[best], error / 2, rtol=1e-9)
    score = model.score(X_val, y_val, sample_weight=weight)
    assert_allclose(model.validation_scores_[best], score)


def test_sparse_validation_data(split):
    X, y, X_val, y_val = split
    dense = MLPClassifier(max_iter=3, random_state=0)
    dense.fit(X, y, X_val=X_val, y_val=y_val)
    sparse = MLPClassifier(max_iter=3, random_state=0)
    sparse.fit(csr_array(X), y, X_val=csr_array(X_val), y_val=y_val)
    assert_allclose(sparse.validation_loss_curve_, dense.validation_loss_curve_, rtol=1e-9)


# --- curves, and what is restored -------------------------------------------------


def test_all_curves_have_an_entry_for_each_epoch(split):
    X, y, X_val, y_val = split
    model = MLPClassifier(max_iter=4, random_state=0)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    curves = model.loss_curve_, model.validation_loss_curve_, model.validation_scores_
    assert [len(curve) for curve in curves] == [4, 4, 4]
    assert_array_equal(model.history_["validation_loss"], curves[1])
    assert_array_equal(model.history_["validation_score"], curves[2])
    # 500 samples are 3 batches of 200 at most
    assert model.history_["learning_rate"].shape == (4 * 3,)
    plain = MLPClassifier(max_iter=4, random_state=0).fit(X, y)
    assert plain.validation_loss_curve_ is None and plain.validation_scores_ is None
    assert plain.loss_curve_ == curves[0]


def test_validation_without_early_stopping_only_watches(split):
    X, y, X_val, y_val = split
    options = dict(learning_rate=0.05, n_iter_no_change=3, random_state=0)
    model = MLPClassifier(**options).fit(X, y, X_val=X_val, y_val=y_val)
    plain = MLPClassifier(**options).fit(X, y)
    # far beyond the epochs after which the validation loss has not fallen any more
    assert model.n_iter_ == plain.n_iter_ > 5 + np.argmin(model.validation_loss_curve_)
    assert model.best_iter_ == plain.best_iter_
    assert_array_equal(model.network_.parameters, plain.network_.parameters)


def test_the_best_weights_and_batch_norm_statistics_are_restored(split):
    X, y, X_val, y_val = split
    options = dict(
        batch_norm=True,
        early_stopping=True,
        learning_rate=0.1,
        n_iter_no_change=4,
        random_state=0,
    )
    validation = dict(X_val=X_val, y_val=y_val)
    model = MLPClassifier(**options).fit(X, y, **validation)
    assert 1 < model.best_iter_ < model.n_iter_ and model.stopped_early_
    shorter = MLPClassifier(**options, max_iter=model.best_iter_).fit(X, y, **validation)
    assert not shorter.stopped_early_
    assert_array_equal(model.network_.parameters, shorter.network_.parameters)
    assert_array_equal(model.network_.statistics, shorter.network_.statistics)
    loss = log_loss(y_val, model.predict_proba(X_val))
    assert_allclose(loss, min(model.validation_loss_curve_), rtol=1e-9)


def test_monitoring_a_score_keeps_the_epoch_with_the_best_score(split):
    X, y, X_val, y_val = split
    model = MLPClassifier(
        early_stopping=True, monitor="f1_macro", learning_rate=0.05, random_state=0
    ).fit(X, y, X_val=X_val, y_val=y_val)
    assert model.best_iter_ == 1 + np.argmax(model.validation_scores_)
    predicted = sklearn.metrics.f1_score(y_val, model.predict(X_val), average="macro")
    assert_allclose(max(model.validation_scores_), predicted)


def test_another_thing_to_watch_is_compared_anew(split):
    X, y, X_val, y_val = split
    model = MLPClassifier(max_iter=20, warm_start=True, random_state=0).fit(X, y)
    model.set_params(early_stopping=True, max_iter=5)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    # the training loss was far lower than any validation loss
    assert model.best_iter_ == 21 + np.argmin(model.validation_loss_curve_)


# --- routing ----------------------------------------------------------------------


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def scaled_network(**options):
    model = MLPClassifier(max_iter=6, random_state=0, **options)
    model.set_fit_request(X_val=True, y_val=True)
    return make_pipeline(StandardScaler(), model, transform_input=["X_val"])


@pytest.mark.usefixtures("routing")
def test_a_pipeline_scales_the_validation_data_with_its_own_scaler(split):
    X, y, X_val, y_val = split
    pipeline = scaled_network(early_stopping=True)
    pipeline.fit(X, y, X_val=X_val, y_val=y_val)
    scaler = StandardScaler().fit(X)
    model = MLPClassifier(max_iter=6, random_state=0, early_stopping=True)
    model.fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val)
    assert pipeline[-1].validation_loss_curve_ == model.validation_loss_curve_
    assert_array_equal(pipeline[-1].network_.parameters, model.network_.parameters)
    unscaled = MLPClassifier(max_iter=6, random_state=0, early_stopping=True)
    unscaled.fit(scaler.transform(X), y, X_val=X_val, y_val=y_val)
    assert unscaled.validation_loss_curve_ != model.validation_loss_curve_


@pytest.mark.usefixtures("routing")
def test_data_frames_keep_their_names_on_the_way(split):
    X, y, X_val, y_val = split
    names = [f"pixel{i}" for i in range(64)]
    pipeline = scaled_network().set_output(transform="pandas")
    frames = pd.DataFrame(X, columns=names), pd.DataFrame(X_val, columns=names)
    pipeline.fit(frames[0], y, X_val=frames[1], y_val=y_val)
    plain = scaled_network().fit(X, y, X_val=X_val, y_val=y_val)
    assert list(pipeline[-1].feature_names_in_) == names
    assert pipeline[-1].validation_scores_ == plain[-1].validation_scores_


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_grid_search_gives_every_fit_the_validation_data(split, n_jobs):
    X, y, X_val, y_val = split
    grid = {"mlpclassifier__learning_rate": [0.001, 0.01]}
    search = GridSearchCV(scaled_network(), grid, cv=StratifiedKFold(2), n_jobs=n_jobs)
    search.fit(X, y, X_val=X_val, y_val=y_val)
    best = scaled_network().set_params(**search.best_params_)
    best.fit(X, y, X_val=X_val, y_val=y_val)
    found = search.best_estimator_[-1]
    assert found.validation_loss_curve_ == best[-1].validation_loss_curve_
    # each fit of the search as well: its scaler is that of its part of the data
    train, test = next(StratifiedKFold(2).split(X, y))
    part = scaled_network().set_params(mlpclassifier__learning_rate=0.01)
    part.fit(X[train], y[train], X_val=X_val, y_val=y_val)
    scores = search.cv_results_["split0_test_score"]
    assert scores[1] == part.score(X[test], y[test])


# --- early stopping in partial_fit ------------------------------------------------


def stream(split, calls=60, **options):
    """A model that saw noise after a while: labels that get worse and worse."""
    X, y, X_val, y_val = split
    rng = np.random.default_rng(0)
    options = dict(early_stopping=True, n_iter_no_change=3, random_state=0) | options
    model = MLPClassifier(learning_rate=0.01, **options)
    for call in range(calls):
        noisy = y if call < 10 else rng.permutation(y)
        yield model.partial_fit(X, noisy, np.arange(10), X_val=X_val, y_val=y_val)


def test_partial_fit_restores_the_best_weights_when_patience_is_used_up(split):
    _, _, X_val, y_val = split
    for model in stream(split):
        loss = log_loss(y_val, model.predict_proba(X_val))
        if model.stopped_early_:
            break
        # until then, the weights are the last ones
        assert_allclose(loss, model.validation_loss_curve_[-1], rtol=1e-9)
    curve = model.validation_loss_curve_
    assert model.n_iter_ == len(curve) == model.best_iter_ + 4 < 60
    assert model.best_iter_ == 1 + np.argmin(curve)
    assert_allclose(loss, min(curve), rtol=1e-9)


def test_after_that_partial_fit_changes_nothing_and_says_so(split):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        models = stream(split)
        stopped = next(model for model in models if model.stopped_early_)
        assert not caught
        before = stopped.network_.parameters.copy(), stopped.n_iter_
        after = next(models)
    (warning,) = caught
    assert issubclass(warning.category, ConvergenceWarning)
    assert "Early stopping ended training" in str(warning.message)
    assert f"best epoch, {after.best_iter_}" in str(warning.message)
    assert_array_equal(after.network_.parameters, before[0])
    assert after.n_iter_ == before[1] and after.stopped_early_


def test_calls_without_validation_data_train_but_do_not_count(split):
    X, y, X_val, y_val = split
    model = MLPClassifier(early_stopping=True, n_iter_no_change=2, random_state=0)
    for call in range(30):
        validation = dict(X_val=X_val, y_val=y_val) if call % 5 == 0 else {}
        model.partial_fit(X, y, np.arange(10), **validation)
    assert model.n_iter_ == 30 and not model.stopped_early_
    assert len(model.validation_loss_curve_) == 6
    assert len(model.loss_curve_) == 30


@pytest.mark.parametrize("change", [{"early_stopping": False}, {"n_iter_no_change": 99}])
def test_whoever_wants_to_train_on_can(split, change):
    X, y, X_val, y_val = split
    model = next(model for model in stream(split) if model.stopped_early_)
    before = model.network_.parameters.copy()
    model.set_params(**change).partial_fit(X, y, X_val=X_val, y_val=y_val)
    assert np.any(model.network_.parameters != before) and not model.stopped_early_


def test_partial_fit_goes_on_after_a_fit_that_stopped_early(split):
    X, y, X_val, y_val = split
    validation = dict(X_val=X_val, y_val=y_val)
    options = dict(early_stopping=True, n_iter_no_change=2, learning_rate=0.05)
    model = MLPClassifier(**options, random_state=0).fit(X, y, **validation)
    assert model.stopped_early_
    n_iter = model.n_iter_
    model.partial_fit(X, y, **validation)
    assert model.n_iter_ == n_iter + 1 and not model.stopped_early_


def test_early_stopping_survives_pickles_between_calls(split):
    plain = next(model for model in stream(split) if model.stopped_early_)
    X, y, X_val, y_val = split
    rng = np.random.default_rng(0)
    options = dict(early_stopping=True, n_iter_no_change=3, learning_rate=0.01)
    model = MLPClassifier(**options, random_state=0)
    for call in range(plain.n_iter_):
        noisy = y if call < 10 else rng.permutation(y)
        model.partial_fit(X, noisy, np.arange(10), X_val=X_val, y_val=y_val)
        model = pickle.loads(pickle.dumps(model))
    assert model.stopped_early_
    assert_array_equal(model.network_.parameters, plain.network_.parameters)


def test_fit_starts_anew_after_partial_fit_stopped(split):
    X, y, X_val, y_val = split
    model = next(model for model in stream(split) if model.stopped_early_)
    model.set_params(max_iter=3).fit(X, y, X_val=X_val, y_val=y_val)
    assert model.n_iter_ == 3 and not model.stopped_early_


def test_partial_fit_without_early_stopping_records_validation(split):
    X, y, X_val, y_val = split
    weight = np.random.default_rng(0).uniform(size=len(y_val))
    model = MLPRegressor(random_state=0, n_iter_no_change=1, tol=10.0)
    for _ in range(5):
        model.partial_fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    assert len(model.validation_loss_curve_) == 5 and not model.stopped_early_
    error = np.average((model.predict(X_val) - y_val) ** 2, weights=weight)
    assert_allclose(model.validation_loss_curve_[-1], error / 2, rtol=1e-9)


# --- bad input --------------------------------------------------------------------


@pytest.mark.parametrize(
    "validation, message",
    [
        ({"X_val": 1}, "X_val was given without y_val"),
        ({"y_val": 1}, "y_val or sample_weight_val was given without X_val"),
        ({"X_val": 1, "y_val": 1, "features": 63}, "X_val has 63 features"),
        ({"X_val": 1, "y_val": 1, "label": 11}, "classes that are not in classes_"),
        ({"X_val": 1, "y_val": 1, "weight": -1.0}, "Negative values"),
        ({"X_val": 1, "y_val": 1, "weight": 0.0}, "zero"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_unusable_validation_data_are_refused(split, method, validation, message):
    X, y, X_val, y_val = split
    given = {}
    if "X_val" in validation:
        given["X_val"] = X_val[:, : validation.get("features", 64)]
    if "y_val" in validation:
        given["y_val"] = y_val.copy()
        given["y_val"][0] = validation.get("label", 0)
    if "weight" in validation:
        given["sample_weight_val"] = np.full(len(y_val), validation["weight"])
    if method == "partial_fit":
        given["classes"] = np.arange(10)
    model = MLPClassifier()
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(X, y, **given)
    with pytest.raises(NotFittedError):
        model.predict(X)


# --- early stopping on awkward data -----------------------------------------------

_RNG = np.random.default_rng(0)
FEW = _RNG.normal(size=(60, 4))


def test_the_only_sample_of_a_class_is_kept_to_learn_from():
    y = np.repeat([0, 1, 2, 3], [40, 18, 1, 1])
    rows = hold_out(np.ones(60), y, 0.2, (1, 2))
    assert_array_equal(np.bincount(y[rows], minlength=4), [8, 4, 0, 0])
    weight = np.ones(60)
    weight[40:57] = 0.0  # of the second class one sample is left
    assert set(y[hold_out(weight, y, 0.2, (1, 2))]) == {0}
    model = MLPClassifier(early_stopping=True, n_iter_no_change=2, random_state=0)
    assert_array_equal(model.fit(FEW, y).classes_, [0, 1, 2, 3])


@pytest.mark.parametrize(
    "make, y",
    [
        (MLPClassifier, np.repeat([0, 1], 2)),  # fewer are set aside than classes
        (MLPClassifier, np.arange(30) % 10),
        (MLPClassifier, np.arange(8)),  # each class has one sample
        (MLPClassifier, [[0, 1]]),
        (MLPClassifier, [[1, 0, 1]]),
        (lambda **o: MLPClassifier(loss="kl_divergence", **o), [[0.5, 0.5]]),
        (MLPRegressor, [1.0]),
        (MLPRegressor, [[1.0, 2.0]]),
    ],
)
def test_where_too_few_samples_can_be_set_aside_the_error_says_what_to_do(make, y):
    model = make(early_stopping=True)
    with pytest.raises(ValueError, match="sets samples aside") as caught:
        model.fit(FEW[: len(y)], y)
    for name in ("early_stopping", "validation_fraction", "X_val"):
        assert name in str(caught.value)
    assert "test_size" not in str(caught.value)


def test_one_sample_of_validation_is_enough_to_watch_the_loss():
    model = MLPRegressor(early_stopping=True, n_iter_no_change=2, random_state=0)
    model.fit(FEW[:8], FEW[:8, 0])
    assert np.isfinite(model.validation_loss_curve_).all()
    assert np.isnan(model.validation_scores_).all()


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_monitor_that_is_not_defined_is_an_error(method):
    y = np.repeat([0, 1], 30)
    model = MLPClassifier(early_stopping=True, monitor=lambda *_: np.nan, random_state=0)
    given = {"classes": [0, 1]} if method == "partial_fit" else {}
    with pytest.raises(ValueError, match="which is NaN: it is not defined"):
        getattr(model, method)(FEW, y, X_val=FEW[:5], y_val=y[:5], **given)
    model.set_params(monitor="roc_auc")
    with (
        pytest.warns(UserWarning, match="Only one class"),  # scikit-learn's
        pytest.raises(ValueError, match="watches the validation roc_auc, which is NaN"),
    ):
        getattr(model, method)(FEW, y, X_val=FEW[:5], y_val=y[:5], **given)


def test_a_monitor_that_is_not_defined_later_counts_as_no_improvement():
    scores = iter([0.5, *[np.nan] * 20])
    model = MLPClassifier(early_stopping=True, n_iter_no_change=3, random_state=0)
    model.set_params(monitor=lambda *_: next(scores))
    with pytest.warns(UserWarning, match="counts as no improvement") as caught:
        model.fit(FEW, np.repeat([0, 1], 30))
    assert len(caught) == 1
    assert model.n_iter_ == 5 and model.best_iter_ == 1 and model.stopped_early_


class Rounded(MLPRegressor):
    """A user's regressor, which predicts and scores in a way of its own."""

    def predict(self, X):
        return super().predict(X).round()

    def score(self, X, y, sample_weight=None):
        return -float(np.abs(self.predict(X) - y).max())


def test_a_subclass_is_validated_by_its_own_predictions_and_score():
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 5
    by_score = Rounded((3,), early_stopping=True, max_iter=5, random_state=0).fit(X, y)
    assert all(score == round(score) for score in by_score.validation_scores_)
    by_name = clone(by_score).set_params(monitor="neg_mean_absolute_error")
    scores = np.array(by_name.fit(X, y).validation_scores_)
    assert_allclose(4 * scores, (4 * scores).round(), atol=1e-12)  # of 4 whole numbers


def test_a_scorer_gets_a_fitted_estimator_of_the_users_class():
    seen = []

    def scorer(estimator, X, y):
        check_is_fitted(estimator)
        seen.append((type(estimator), estimator.network_, estimator.coefs_[0].tobytes()))
        assert estimator.get_params() == model.get_params()
        return -float(np.abs(estimator.predict(X) - y).mean())

    X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=list("abc"))
    model = Rounded((3,), early_stopping=True, monitor=scorer, max_iter=3, random_state=0)
    model.fit(X, np.arange(40) % 5)
    assert [kind for kind, *_ in seen] == [Rounded] * 3
    assert all(network is model.network_ for _, network, _ in seen)
    assert len({weights for *_, weights in seen}) == 3  # it learns while it is validated


def test_a_monitor_for_another_kind_of_estimator_is_told():
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20.0)
    model = MLPRegressor((3,), early_stopping=True, monitor="roc_auc", max_iter=2)
    with pytest.raises(ValueError, match="monitor='roc_auc' cannot score a MLPRegressor"):
        model.fit(X, y)
