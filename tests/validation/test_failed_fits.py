"""A fit succeeds, or leaves the estimator as it was, bit for bit."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal, assert_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skdeep import ConvNetClassifier, MLPClassifier, MLPRegressor, preprocessing
from skdeep.losses import Loss

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 8))
Y = X[:, :2] @ [[1.0, 0.5], [-1.0, 2.0]]
CLASSES = np.digitize(Y[:, 0], [-0.5, 0.5])
OPTIONS = dict(hidden_layer_sizes=(10,), batch_size=20, max_iter=4, random_state=0)
pytestmark = pytest.mark.filterwarnings("ignore:Maximum iterations")


class Failing(Loss):
    """A squared error that raises an error at some evaluation, counted from `arm`."""

    error, left = RuntimeError, 0

    @classmethod
    def arm(cls, evaluations, error=RuntimeError):
        cls.left, cls.error = evaluations, error

    def value(self, target, z):
        Failing.left -= 1
        if Failing.left == 0:
            raise Failing.error("the loss failed")
        return 0.5 * ((z - target) ** 2).mean(axis=1)

    def gradient(self, target, z):
        return (z - target) / z.shape[1]


class Raises:
    """A callback that raises an error at the end of some task."""

    def __init__(self, task_name, epoch=2):
        self.task_name, self.epoch = task_name, epoch

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == self.task_name != "epoch":
            raise RuntimeError("the callback failed")
        if context.task_name == "epoch" == self.task_name and context.task_id == self.epoch:
            raise RuntimeError("the callback failed")

    def teardown(self, estimator, context):
        pass


def attributes(model):
    """All that an estimator has, in a copy of its own."""
    kept = copy.deepcopy({k: v for k, v in vars(model).items() if k != "_skl_callbacks"})
    network, state = kept.pop("network_", None), kept.pop("_training_state", None)
    for what_is_known in (kept.pop("_inputs", None), kept.pop("_targets", None)):
        kept |= vars(what_is_known) if what_is_known is not None else {}
    if network is not None:
        kept |= {"parameters": network.parameters, "statistics": network.statistics}
        kept |= {"optimizer": state.optimizer_state, "ending": state.ending}
        kept |= {"history": model.history_, "step": state.step, "best": state.best}
    return {k: repr(v) if hasattr(v, "get_params") else v for k, v in kept.items()}


def failing_scorer(estimator, X, y):
    raise RuntimeError("the scorer failed")


# Each: what is set, what is passed to fit, and the error.
FAILURES = {
    "a callback at the end of an epoch": ({"callback": "epoch"}, {}, RuntimeError),
    "a callback at the end of the fit": ({"callback": "fit"}, {}, RuntimeError),
    "a loss": ({"arm": (9,)}, {}, RuntimeError),
    "no memory": ({"arm": (9, MemoryError)}, {}, MemoryError),
    "the program's end": ({"arm": (9, SystemExit)}, {}, SystemExit),
    "a scorer": ({"monitor": failing_scorer, "early_stopping": True}, {}, RuntimeError),
    "a parameter": ({"max_iter": -1}, {}, ValueError),
    "another parameter": ({"dropout": [0.1, 0.1]}, {}, ValueError),
    "features": ({}, {"X": np.full((120, 8), np.nan)}, ValueError),
    "validation features": ({}, {"X_val": X[:, :3], "y_val": Y}, ValueError),
    "validation targets": ({}, {"X_val": X, "y_val": Y[:, [0, 0, 1]]}, ValueError),
    "validation weights": (
        {},
        {"X_val": X, "y_val": Y, "sample_weight_val": -np.ones(120)},
        ValueError,
    ),
    "weights": ({}, {"sample_weight": np.ones(3)}, ValueError),
}
failures = pytest.mark.parametrize("failure", FAILURES)


def fail(model, failure, method="fit"):
    """Let a fit fail; the estimator's parameters are then what they were."""
    options, given, error = FAILURES[failure]
    parameters = {k: v for k, v in options.items() if k not in ("callback", "arm")}
    before = {name: getattr(model, name) for name in parameters}
    model.set_params(**parameters)
    if "callback" in options:
        name = options["callback"]
        name = "partial_fit" if (name, method) == ("fit", "partial_fit") else name
        model.set_callbacks(Raises(name, 0 if method == "partial_fit" else 2))
    Failing.arm(*options.get("arm", (0,)))
    if method == "partial_fit" or model.optimizer == "lbfgs":
        Failing.left = min(Failing.left, 4)
    with pytest.raises(error):
        getattr(model, method)(**{"X": X, "y": Y} | given)
    Failing.arm(0)
    if "callback" in options:
        model.set_callbacks()
    model.set_params(**before)


@failures
def test_a_first_fit_that_fails_leaves_an_estimator_that_is_not_fitted(failure):
    model = MLPRegressor(loss=Failing(), **OPTIONS)
    before = dict(vars(model))
    fail(model, failure)
    assert vars(model) == before
    with pytest.raises(NotFittedError):
        model.predict(X)


@failures
@pytest.mark.parametrize("warm_start", [False, True])
def test_another_fit_that_fails_leaves_the_first(failure, warm_start):
    model = MLPRegressor(loss=Failing(), warm_start=warm_start, **OPTIONS).fit(X, Y)
    before, predicted = attributes(model), model.predict(X)
    fail(model, failure)
    assert_equal(attributes(model), before)
    assert_array_equal(model.predict(X), predicted)


WAYS = [
    {},
    {"optimizer": "momentum"},
    {"weight_averaging": "ema", "dropout": 0.2},
    {"batch_norm": True, "record": "gradients"},
    {"early_stopping": True, "n_iter_no_change": 2},
    {"learning_rate_schedule": "one_cycle"},
]


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_a_warm_start_that_failed_goes_on_as_if_it_had_not_been(options):
    options = OPTIONS | dict(loss=Failing(), warm_start=True) | options
    plain = MLPRegressor(**options).fit(X, Y)
    model = MLPRegressor(**options).fit(X, Y)
    fail(model, "a loss")
    fail(model, "a callback at the end of the fit")
    assert_equal(attributes(model.fit(X, Y)), attributes(plain.fit(X, Y)))


@pytest.mark.parametrize("options", WAYS, ids=str)
@pytest.mark.parametrize(
    "failure", ["a loss", "a callback at the end of an epoch", "validation targets"]
)
def test_partial_fit_that_failed_goes_on_as_if_it_had_not_been(options, failure):
    options = OPTIONS | dict(loss=Failing()) | options
    plain, model = MLPRegressor(**options), MLPRegressor(**options)
    for part in np.array_split(np.arange(120), 3):
        fail(model, failure, "partial_fit")
        validation = {"X_val": X[:30], "y_val": Y[:30]}
        model.partial_fit(X[part], Y[part], **validation)
        plain.partial_fit(X[part], Y[part], **validation)
    assert_equal(attributes(model), attributes(plain))


def test_a_first_partial_fit_that_fails_leaves_no_classes():
    model = MLPClassifier(**OPTIONS)
    before = dict(vars(model))
    for bad in ({"sample_weight": np.ones(3)}, {"X": np.full_like(X, np.inf)}):
        with pytest.raises(ValueError):
            model.partial_fit(**{"X": X, "y": CLASSES, "classes": [0, 1, 2]} | bad)
        assert vars(model) == before


def test_lbfgs_that_fails_leaves_the_first_fit():
    model = MLPRegressor(loss=Failing(), optimizer="lbfgs", **OPTIONS).fit(X, Y)
    before = attributes(model)
    fail(model, "a loss")
    fail(model, "a callback at the end of an epoch")
    assert_equal(attributes(model), before)


def test_other_classes_and_features_are_forgotten():
    model = MLPClassifier(**OPTIONS).fit(X, CLASSES)
    before = attributes(model)
    with pytest.raises(ValueError, match="X_val was given without y_val"):
        model.fit(X[:, :5], CLASSES + 7, X_val=X[:, :5])
    assert_equal(attributes(model), before)


def test_other_images_are_forgotten():
    images = np.random.default_rng(0).uniform(size=(40, 8, 8, 1))
    labels = np.arange(40) % 2
    model = ConvNetClassifier(max_iter=1, random_state=0).fit(images, labels)
    predicted, shape = model.predict_proba(images), model.n_features_in_
    with pytest.raises(ValueError, match="y_val"):
        model.fit(images[:, :6, :6], labels, X_val=images)
    assert model.n_features_in_ == shape
    assert_array_equal(model.predict_proba(images), predicted)


def test_fitting_again_leaves_what_was_copied_before():
    model = MLPRegressor(warm_start=True, **OPTIONS).fit(X, Y)
    shallow = copy.copy(model)
    before, predicted = attributes(shallow), model.predict(X)
    model.fit(X, Y).partial_fit(X, Y)
    assert_equal(attributes(shallow), before)
    assert_array_equal(shallow.predict(X), predicted)


@pytest.mark.parametrize("name", [n for n in preprocessing.__all__ if n != "TargetScaler"])
def test_a_scaler_whose_fit_fails_is_what_it_was(name):
    scaler = getattr(preprocessing, name)()
    wrong = np.full((5, 2), np.inf), np.full(5, np.nan)
    with pytest.raises(ValueError):
        scaler.fit(*wrong)
    assert vars(scaler) == vars(clone(scaler))
    rng = np.random.default_rng(0)
    fitted = scaler.fit(rng.normal(size=(20, 3)) + 5, rng.normal(size=20))
    before = pickle.dumps(fitted)
    with pytest.raises(ValueError):
        fitted.fit(*wrong)
    assert pickle.dumps(fitted) == before


def test_a_target_scaler_whose_fit_fails_is_what_it_was():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), 1e3 * rng.normal(size=30)
    model = preprocessing.TargetScaler(MLPRegressor((4,), max_iter=3, random_state=0))
    before = model.fit(X, y).predict(X)
    with pytest.raises(ValueError):
        model.fit(np.full((30, 2), np.nan), -y)
    assert_array_equal(model.predict(X), before)
