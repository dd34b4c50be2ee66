"""Ensembles: members that differ by their seeds, and what becomes of their predictions."""

import pickle
import signal
import threading

import numpy as np
import pandas as pd
import pytest
import sklearn
import sklearn.kernel_approximation
from numpy.testing import assert_allclose, assert_array_equal, assert_equal
from scipy.sparse import csr_array
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

from skdeep import (
    ConvNetClassifier,
    EnsembleClassifier,
    EnsembleRegressor,
    MLPClassifier,
    MLPRegressor,
    SequentialClassifier,
    SequentialRegressor,
    TabularClassifier,
)
from skdeep.estimators.members import EndAt
from skdeep.layers import Conv, Dense, GlobalAveragePool

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 6))
CLASSES = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [-0.5, 0.5])
NUMBERS = X[:, 0] + X[:, 1] * X[:, 2]
IMAGES = X[:, :, np.newaxis, np.newaxis] * rng.normal(size=(1, 1, 5, 2))
FEW = {"max_iter": 3, "random_state": 5}
MLP = MLPClassifier((7,), **FEW)


def classifier(estimator=MLP, **options):
    return EnsembleClassifier(estimator, **{"n_members": 3, "random_state": 0} | options)


def regressor(estimator=None, **options):
    estimator = MLPRegressor((7,), **FEW) if estimator is None else estimator
    return EnsembleRegressor(estimator, **{"n_members": 3, "random_state": 0} | options)


def weights_of(model):
    """The weights of the network that a fitted member is, or ends with."""
    return (model[-1] if hasattr(model, "steps") else model).network_.parameters


# --- members --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "samples"),
    [
        (MLP, X),
        (MLP, X.astype(np.float32)),
        (MLPClassifier((7,), dropout=0.3, early_stopping=True, **FEW), csr_array(X)),
        (make_pipeline(StandardScaler(), MLP), X),
        (ConvNetClassifier((2,), hidden_layer_sizes=(3,), **FEW), IMAGES),
        (SequentialClassifier([Conv(3), GlobalAveragePool()], **FEW), IMAGES[:, :, :, 0]),
        (SequentialClassifier([Dense(4)], **FEW), X),
    ],
    ids=["float64", "float32", "sparse", "pipeline", "images", "signals", "stack"],
)
def test_each_member_is_what_its_clone_learns_alone(estimator, samples):
    with threadpool_limits(2):
        model = classifier(estimator).fit(samples, CLASSES)
    assert len(model.estimators_) == 3
    for member in model.estimators_:
        alone = clone(member).fit(samples, CLASSES)
        assert_array_equal(weights_of(member), weights_of(alone))


def test_members_differ_by_their_seeds_alone():
    model = classifier().fit(X, CLASSES)
    seeds = [member.random_state for member in model.estimators_]
    assert len(set(seeds)) == 3 and {type(seed) for seed in seeds} == {int}
    (parameters,) = {
        repr(clone(member).set_params(random_state=5)) for member in model.estimators_
    }
    assert parameters == repr(MLP)
    first, *others = (weights_of(member) for member in model.estimators_)
    assert all((first != other).any() for other in others)


def test_each_part_of_a_pipeline_gets_a_seed_of_its_own():
    bumps = sklearn.kernel_approximation.RBFSampler(random_state=0)
    model = classifier(make_pipeline(bumps, MLP)).fit(X, CLASSES)
    seeds = [
        value
        for member in model.estimators_
        for name, value in member.get_params().items()
        if name.endswith("__random_state")
    ]
    assert len(set(seeds)) == 6
    assert bumps.random_state == 0 and MLP.random_state == 5


@pytest.mark.parametrize("make", [classifier, regressor])
def test_the_number_of_threads_never_changes_a_bit(make):
    found = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(n_threads):
            model = make(n_members=4).fit(X, CLASSES)
            outputs = model.predict(X)
        found.append((outputs, *(weights_of(member) for member in model.estimators_)))
    assert_equal(found[1], found[0])
    assert_equal(found[2], found[0])


def test_the_first_members_of_a_larger_ensemble_are_those_of_a_smaller_one():
    small, large = (classifier(n_members=n).fit(X, CLASSES) for n in (2, 5))
    for one, other in zip(small.estimators_, large.estimators_, strict=False):
        assert_array_equal(weights_of(one), weights_of(other))


def test_a_random_state_instance_moves_on_and_none_never_repeats():
    def seed(random_state):
        model = classifier(random_state=random_state, n_members=1).fit(X, CLASSES)
        return model.estimators_[0].random_state

    state = np.random.RandomState(0)
    assert seed(state) != seed(state)
    assert seed(None) != seed(None)
    assert seed(3) == seed(3)


class Remembers(ClassifierMixin, BaseEstimator):
    """A classifier that keeps what it is given; it knows no random state."""

    def fit(self, X, y, **given):
        self.given_ = X, y, given
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def test_members_share_the_data_that_were_given():
    extra = {"a": object(), "sample_weight": np.ones(90)}
    model = classifier(Remembers()).fit(X, CLASSES, **extra)
    for member in model.estimators_:
        samples, targets, given = member.given_
        assert samples is X and targets is CLASSES
        assert given.keys() == extra.keys()
        assert all(given[name] is extra[name] for name in extra)


def test_without_an_estimator_members_are_perceptrons():
    options = {"n_members": 1, "random_state": 0}
    of_classes = EnsembleClassifier(**options).fit(X[:20], CLASSES[:20])
    of_numbers = EnsembleRegressor(**options).fit(X[:20], NUMBERS[:20])
    assert type(of_classes.estimators_[0]) is MLPClassifier
    assert type(of_numbers.estimators_[0]) is MLPRegressor
    assert len(EnsembleClassifier().fit(X[:20], CLASSES[:20]).estimators_) == 8


def test_tables_and_ensembles_can_be_members():
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"])
    table = TabularClassifier(preset="fast", n_epochs=2)
    model = classifier(classifier(table, n_members=2), n_members=2).fit(frame, CLASSES)
    assert list(model.feature_names_in_) == ["a", "b"]
    assert model.predict_proba(frame).shape == (90, 3)
    assert get_tags(model).input_tags.categorical


# --- averages -------------------------------------------------------------------------


def test_probabilities_are_the_mean_of_the_members():
    model = classifier().fit(X, CLASSES)
    expected = np.mean([m.predict_proba(X) for m in model.estimators_], axis=0)
    assert_allclose(model.predict_proba(X), expected, rtol=1e-14)
    assert_array_equal(model.predict(X), model.classes_[expected.argmax(axis=1)])
    assert_array_equal(model.classes_, [0, 1, 2])


def test_predictions_of_numbers_are_the_mean_of_the_members():
    model = regressor().fit(X, NUMBERS)
    expected = np.mean([m.predict(X) for m in model.estimators_], axis=0)
    assert_allclose(model.predict(X), expected, rtol=1e-13)


@pytest.mark.parametrize("targets", [NUMBERS, np.c_[NUMBERS, CLASSES]], ids=["one", "two"])
def test_the_spread_of_numbers_is_that_between_members(targets):
    model = regressor().fit(X, targets)
    mean, std = model.predict(X, return_std=True)
    assert_array_equal(mean, model.predict(X))
    predicted = [member.predict(X) for member in model.estimators_]
    assert_allclose(std, np.std(predicted, axis=0), rtol=1e-10)
    assert mean.shape == std.shape == targets.shape


def test_one_member_does_not_disagree_with_itself():
    _, std = regressor(n_members=1).fit(X, NUMBERS).predict(X, return_std=True)
    assert_array_equal(std, np.zeros(90))


def test_members_disagree_more_away_from_the_training_data():
    options = {"optimizer": "lbfgs", "max_iter": 200}
    model = regressor(MLPRegressor((20,), **options), n_members=5).fit(X, NUMBERS)
    _, near = model.predict(X, return_std=True)
    _, far = model.predict(10 * X, return_std=True)
    assert np.median(far) > 5 * np.median(near)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_have_the_type_of_the_data(dtype):
    samples = X.astype(dtype)
    of_classes = classifier().fit(samples, CLASSES)
    of_numbers = regressor().fit(samples, NUMBERS.astype(dtype))
    outputs = [
        of_classes.predict_proba(samples),
        of_classes.predict_log_proba(samples),
        of_numbers.predict(samples),
        *of_numbers.predict(samples, return_std=True),
    ]
    assert {output.dtype for output in outputs} == {np.dtype(dtype)}


def test_whole_numbers_have_a_mean_that_is_none():
    class Whole(LinearRegression):
        random_state = None

        def predict(self, X):
            return np.arange(len(X))

    model = regressor(Whole()).fit(X, NUMBERS)
    assert model.predict(X).dtype == np.float64


def test_a_row_is_predicted_as_among_many():
    model = regressor(KNeighborsRegressor(), n_members=20).fit(X, NUMBERS)
    alone = [model.predict(X[i : i + 1])[0] for i in range(20)]
    assert_array_equal(alone, model.predict(X[:20]))


def test_logarithms_keep_the_digits_of_small_probabilities():
    options = {"optimizer": "lbfgs", "max_iter": 100, "weight_decay": 0.0}
    samples = X.astype(np.float32)
    model = classifier(MLPClassifier((7,), **options)).fit(samples, samples[:, 0] > 0)
    far = 1000 * samples
    members = [m.predict_log_proba(far).astype(float) for m in model.estimators_]
    log_p = model.predict_log_proba(far)
    assert_allclose(log_p, logsumexp(members, axis=0) - np.log(3), rtol=1e-5, atol=1e-6)
    assert (model.predict_proba(far) == 0).any()
    assert np.isfinite(log_p).all()
    assert log_p.max() <= 0


def test_the_logarithm_of_certainty_is_no_more_than_zero():
    model = classifier(DecisionTreeClassifier(), n_members=25).fit(X, CLASSES)
    with np.errstate(divide="ignore"):
        log_p = model.predict_log_proba(X)
    assert_array_equal(np.unique(log_p), [-np.inf, 0.0])


def test_members_without_logarithms_have_those_of_their_mean():
    model = classifier(Remembers()).fit(X, CLASSES)
    assert_allclose(model.predict_log_proba(X), np.log(1 / 3), rtol=1e-14)


# --- targets --------------------------------------------------------------------------


def test_classes_may_be_words():
    words = np.array(["low", "mid", "high"])[CLASSES]
    model = classifier(MLPClassifier((20,), optimizer="lbfgs")).fit(X, words)
    assert list(model.classes_) == ["high", "low", "mid"]
    assert model.score(X, words) > 0.9


def test_labels_apply_where_the_mean_says_so():
    labels = np.c_[X[:, 0] > 0, X[:, 1] > 0, X[:, 0] > X[:, 1]].astype(int)
    model = classifier(MLPClassifier((20,), max_iter=100)).fit(X, labels)
    expected = np.mean([m.predict_proba(X) for m in model.estimators_], axis=0) > 0.5
    assert_array_equal(model.predict(X), expected.astype(int))
    assert model.score(X, labels) > 0.8


@pytest.mark.parametrize("hard", [True, False])
def test_distributions_are_no_labels(hard):
    targets = np.eye(3)[CLASSES] if hard else rng.dirichlet([1, 1, 1], size=90)
    network = MLPClassifier((7,), loss="kl_divergence", **FEW)
    model = classifier(network).fit(X, targets)
    assert_array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))


def test_members_may_have_several_outputs():
    targets = np.c_[CLASSES, X[:, 3] > 0]
    model = classifier(DecisionTreeClassifier(max_depth=3, max_features=2))
    model.fit(X, targets)
    with np.errstate(divide="ignore"):
        log_probabilities = model.predict_log_proba(X)
    for number, p in enumerate(model.predict_proba(X)):
        members = [member.predict_proba(X)[number] for member in model.estimators_]
        assert_allclose(p, np.mean(members, axis=0), rtol=1e-14)
        assert_allclose(np.exp(log_probabilities[number]), p, atol=1e-14)
        assert_array_equal(model.predict(X)[:, number], p.argmax(axis=1))


# --- what fit takes -------------------------------------------------------------------


def test_weights_and_validation_data_reach_the_members():
    weight = rng.uniform(size=90)
    validation = {"X_val": X[60:], "y_val": CLASSES[60:], "sample_weight_val": weight[60:]}
    given = {"sample_weight": weight[:60], **validation}
    model = classifier().fit(X[:60], CLASSES[:60], **given)
    for member in model.estimators_:
        alone = clone(member).fit(X[:60], CLASSES[:60], **given)
        assert member.validation_loss_curve_ == alone.validation_loss_curve_
        assert_array_equal(weights_of(member), weights_of(alone))


def test_parameters_of_a_pipelines_step_reach_it():
    weight = rng.uniform(size=90)
    model = classifier(make_pipeline(StandardScaler(), MLP))
    weighted = clone(model).fit(X, CLASSES, mlpclassifier__sample_weight=weight)
    plain = model.fit(X, CLASSES)
    for one, other in zip(weighted.estimators_, plain.estimators_, strict=True):
        assert (weights_of(one) != weights_of(other)).any()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_routing_scales_the_validation_data_of_each_member(n_threads):
    """scikit-learn's configuration is one of each thread."""
    given = {"X_val": X[60:], "y_val": CLASSES[60:]}
    with sklearn.config_context(enable_metadata_routing=True):
        network = clone(MLP).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), network, transform_input=["X_val"])
        with threadpool_limits(n_threads):
            model = classifier(pipeline).fit(X[:60], CLASSES[:60], **given)
        search = GridSearchCV(classifier(pipeline), {"n_members": [1, 2]}, cv=2)
        search.fit(X[:60], CLASSES[:60], **given)
    scaler = StandardScaler().fit(X[:60])
    for member in [*model.estimators_, *search.best_estimator_.estimators_]:
        alone = clone(member[-1])
        alone.fit(scaler.transform(X[:60]), CLASSES[:60], X_val=scaler.transform(X[60:]),
                  y_val=CLASSES[60:])  # fmt: skip
        assert_allclose(member[-1].validation_loss_curve_, alone.validation_loss_curve_)


def test_routing_asks_the_members_what_they_take():
    weight = np.arange(90.0)
    with sklearn.config_context(enable_metadata_routing=True):
        asks = classifier(clone(MLP).set_fit_request(sample_weight=True))
        routed = asks.fit(X, CLASSES, sample_weight=weight)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            classifier().fit(X, CLASSES, sample_weight=weight)
    plain = classifier().fit(X, CLASSES, sample_weight=weight)
    for one, other in zip(routed.estimators_, plain.estimators_, strict=True):
        assert_array_equal(weights_of(one), weights_of(other))


def test_names_of_features_are_those_of_the_last_fit():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = classifier()
    assert not hasattr(model, "feature_names_in_") and not hasattr(model, "n_features_in_")
    model.fit(frame, CLASSES)
    assert list(model.feature_names_in_) == list("abcdef")
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    model.fit(X[:, :4], CLASSES)
    assert not hasattr(model, "feature_names_in_") and model.n_features_in_ == 4


# --- scikit-learn's tools -------------------------------------------------------------


def test_a_search_reaches_members_and_their_number():
    grid = {"estimator__mlpclassifier__hidden_layer_sizes": [(3,), (9,)]}
    grid |= {"n_members": [1, 2]}
    search = GridSearchCV(classifier(make_pipeline(StandardScaler(), MLP)), grid, cv=2)
    search.fit(X, CLASSES)
    best = search.best_estimator_
    assert len(best.estimators_) == search.best_params_["n_members"]
    sizes = {member[-1].hidden_layer_sizes for member in best.estimators_}
    assert sizes == {search.best_params_["estimator__mlpclassifier__hidden_layer_sizes"]}


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_pickle_predicts_the_same_and_a_clone_learns_the_same(make):
    model = make().fit(X, CLASSES)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict(X), model.predict(X))
    again = clone(model)
    assert not hasattr(again, "estimators_")
    assert_array_equal(again.fit(X, CLASSES).predict(X), model.predict(X))


def test_probabilities_can_be_calibrated():
    calibrated = CalibratedClassifierCV(classifier(), cv=2).fit(X, CLASSES)
    assert calibrated.predict_proba(X).shape == (90, 3)


def test_what_members_take_the_ensemble_takes():
    of_network, of_bayes = get_tags(classifier()), get_tags(classifier(BernoulliNB()))
    assert of_network.classifier_tags.multi_label and of_network.input_tags.sparse
    assert not of_bayes.classifier_tags.multi_label
    of_table = get_tags(classifier(TabularClassifier())).input_tags
    assert of_table.allow_nan and of_table.categorical and not of_table.sparse
    assert get_tags(regressor(SequentialRegressor())).target_tags.multi_output
    assert sklearn.base.is_classifier(classifier())
    assert sklearn.base.is_regressor(regressor())


# --- callbacks ------------------------------------------------------------------------


class Recorder:
    """Remembers which tasks of which estimators end."""

    def __init__(self):
        self.ends = []

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        self.ends.append((type(estimator).__name__, context.task_name))


class Propagated(Recorder):
    """The same, told of the inner tasks of an ensemble as well."""

    max_propagation_depth = None


@pytest.mark.parametrize("n_threads", [1, 2])
def test_callbacks_see_each_member(n_threads):
    recorder = Recorder()
    with threadpool_limits(n_threads):
        classifier().set_callbacks(recorder).fit(X, CLASSES)
    member, fit = (("EnsembleClassifier", name) for name in ("member", "fit"))
    assert recorder.ends == [member, member, member, fit]


def test_callbacks_for_members_see_their_epochs():
    recorder = Propagated()
    model = classifier(make_pipeline(StandardScaler(), MLP), n_members=2)
    model.set_callbacks(recorder).fit(X, CLASSES)
    assert recorder.ends.count(("MLPClassifier", "epoch")) == 2 * 3
    assert recorder.ends[-1] == ("EnsembleClassifier", "fit")


def test_callbacks_of_the_members_are_called_and_kept():
    recorder = Recorder()
    model = classifier(clone(MLP).set_callbacks(recorder), n_members=2).fit(X, CLASSES)
    assert recorder.ends.count(("MLPClassifier", "epoch")) == 2 * 3
    for member in model.estimators_:
        assert member._skl_callbacks == [recorder]


def test_members_keep_nothing_of_their_training():
    model = classifier(make_pipeline(StandardScaler(), MLP), n_members=2)
    model.set_callbacks(Propagated()).fit(X, CLASSES)
    plain = make_pipeline(StandardScaler(), MLP).fit(X, CLASSES)
    for member in model.estimators_:
        assert vars(member).keys() == vars(plain).keys()
        assert vars(member[-1]).keys() == vars(plain[-1]).keys()


def test_progress_bars_show_members(capsys):
    pytest.importorskip("rich")
    classifier().set_callbacks(ProgressBar()).fit(X, CLASSES)
    shown = capsys.readouterr().out
    assert "EnsembleClassifier - fit" in shown
    assert shown.count("EnsembleClassifier - member | MLPClassifier - fit") >= 3


def test_a_monitor_scores_the_whole():
    monitor = ScoringMonitor(scoring="accuracy")
    model = classifier().set_callbacks(monitor).fit(X, CLASSES)
    (score,) = monitor.get_logs().data
    assert score["accuracy"] == accuracy_score(CLASSES, model.predict(X))


# --- interrupts and errors ------------------------------------------------------------


interrupts = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="no thread can be sent a signal"
)


class InterruptAfter(Recorder):
    """Does what Ctrl-C does, once some tasks of a name have ended."""

    max_propagation_depth = None

    def __init__(self, task_name, n_tasks):
        super().__init__()
        self.task_name, self.left = task_name, n_tasks

    def on_fit_task_end(self, estimator, context):
        super().on_fit_task_end(estimator, context)
        if context.task_name == self.task_name:
            self.left -= 1
            if self.left == 0:
                # a signal, for which the main thread wakes up where it waits for others
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                (heard,) = (c for c in estimator._skl_callbacks if isinstance(c, EndAt))
                assert heard.event.wait(30)


@interrupts
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("pipeline", [False, True])
def test_an_interrupt_keeps_the_members_that_are_complete(n_threads, pipeline):
    network = MLPClassifier((7,), max_iter=20, n_iter_no_change=np.inf)
    estimator = make_pipeline(StandardScaler(), network) if pipeline else network
    model = classifier(estimator, n_members=8)
    model.set_callbacks(InterruptAfter("epoch", 50))  # one at least has ended
    with threadpool_limits(n_threads), pytest.raises(KeyboardInterrupt) as caught:
        model.fit(X, CLASSES)
    (note,) = caught.value.__notes__
    assert f"after {len(model.estimators_)} members" in note
    assert 1 <= len(model.estimators_) < 8
    for member in model.estimators_:
        assert_array_equal(weights_of(member), weights_of(clone(member).fit(X, CLASSES)))
    assert model.predict_proba(X).shape == (90, 3)


@interrupts
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("pipeline", [False, True])
def test_an_interrupt_ends_the_networks_in_training(n_threads, pipeline):
    network = MLPClassifier((7,), max_iter=20_000, n_iter_no_change=np.inf, tol=0)
    estimator = make_pipeline(StandardScaler(), network) if pipeline else network
    interrupt = InterruptAfter("epoch", 5)
    model = classifier(estimator).set_callbacks(interrupt)
    with threadpool_limits(n_threads), pytest.raises(KeyboardInterrupt):
        model.fit(X, CLASSES)
    assert len(interrupt.ends) < 20_000
    assert not hasattr(model, "estimators_")


@interrupts
def test_an_interrupt_without_a_complete_member_keeps_the_fit_before():
    model = classifier().fit(X, CLASSES)
    before = model.predict_proba(X)
    model.set_callbacks(InterruptAfter("epoch", 1))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, CLASSES)
    assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_fit_that_fails_leaves_what_was_there(n_threads):
    model = classifier().fit(X, CLASSES)
    before = vars(model).copy()
    damaged = X.copy()
    damaged[3, 2] = np.nan
    with threadpool_limits(n_threads), pytest.raises(ValueError, match="contains NaN"):
        model.fit(damaged, CLASSES)
    assert vars(model) == before


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (classifier(MLPRegressor()), "is a MLPRegressor. For regressors there is Ensemble"),
        (regressor(MLPClassifier()), "is a MLPClassifier. For classifiers there is Ensem"),
        (classifier(MLPClassifier(loss="hinge")), "no predict_proba. Take a classifier"),
        (classifier(make_pipeline(MLPClassifier(loss="hinge"))), "this Pipeline has no"),
        (classifier(n_members=0), "'n_members' parameter of EnsembleClassifier must be"),
        (regressor(n_members=2.5), "'n_members' parameter of EnsembleRegressor must be"),
        (classifier(StandardScaler()), "must be an object implementing 'fit' and 'pred"),
        (regressor("mlp"), "must be an object implementing 'fit' and 'predict'"),
        (classifier(MLPClassifier((-1,))), "hidden_layer_sizes must be whole numbers"),
    ],
)
def test_bad_parameters_are_refused_in_words(model, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        model.fit(X, CLASSES)
    assert not hasattr(model, "estimators_")


def test_a_class_is_no_estimator():
    with pytest.raises(TypeError, match="instance"):
        classifier(MLPClassifier).fit(X, CLASSES)


def test_what_members_do_not_take_is_named():
    with pytest.raises(TypeError, match="'X_val'"):
        classifier(LogisticRegression()).fit(X, CLASSES, X_val=X)


@pytest.mark.parametrize(
    ("model", "method"),
    [
        (classifier(), "predict"),
        (classifier(), "predict_proba"),
        (classifier(), "predict_log_proba"),
        (regressor(), "predict"),
    ],
)
def test_predicting_needs_a_fit(model, method):
    with pytest.raises(NotFittedError, match=type(model).__name__):
        getattr(model, method)(X)
