"""scikit-learn's callbacks on a linear support vector machine."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdeep import LinearSVM, LinearSVMRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
MODELS = [
    cls(optimizer=optimizer, random_state=0, max_iter=5)
    for cls in (LinearSVM, LinearSVMRegressor)
    for optimizer in ("auto", "adam")
]
each_model = pytest.mark.parametrize("model", MODELS, ids=repr)
X, Y = make_classification(90, 6, n_informative=4, n_classes=3, random_state=0)


class Recorder:
    """Remembers the hooks that are called, and what they are given."""

    def __init__(self, stop_after=None):
        self.calls, self.stop_after = [], stop_after

    def setup(self, estimator, context):
        self.calls.append(("setup", context.task_name, None))

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        self.calls.append(("begin", context.task_name, (X, y, metadata)))

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.calls.append(("end", context.task_name, fitted_estimator))
        return context.task_name == "epoch" and context.task_id == self.stop_after

    def teardown(self, estimator, context):
        self.calls.append(("teardown", context.task_name, None))

    def names(self):
        return [(hook, task) for hook, task, _ in self.calls]

    def fitted(self, task):
        return [given for hook, name, given in self.calls if (hook, name) == ("end", task)]


@each_model
def test_a_fit_is_a_task_and_so_is_each_epoch(model):
    recorder = Recorder()
    weight = np.ones(len(X))
    model.set_callbacks(recorder).fit(X, Y, sample_weight=weight)
    model.set_callbacks()
    epochs = 0 if model.optimizer == "auto" else 5
    assert recorder.names() == [
        ("setup", "fit"),
        ("begin", "fit"),
        *[("begin", "epoch"), ("end", "epoch")] * epochs,
        ("end", "fit"),
        ("teardown", "fit"),
    ]
    given = recorder.calls[1][2]
    assert given[0] is X and given[1] is Y and given[2]["sample_weight"] is weight
    last = recorder.fitted("fit")[0]
    np.testing.assert_array_equal(last.predict(X), model.predict(X))
    assert last.duality_gap_ is model.duality_gap_


@pytest.mark.parametrize("cls", [LinearSVM, LinearSVMRegressor])
def test_an_epoch_gives_the_estimator_as_if_training_had_ended_there(cls):
    recorder = Recorder()
    model = cls(optimizer="sgd", random_state=0, max_iter=6)
    model.set_callbacks(recorder).fit(X, Y)
    third = pickle.loads(pickle.dumps(recorder.fitted("epoch")[2]))
    short = cls(optimizer="sgd", random_state=0, max_iter=3).fit(X, Y)
    np.testing.assert_array_equal(third.coef_, short.coef_)
    np.testing.assert_array_equal(third.predict(X), short.predict(X))
    assert third.n_iter_ == 3 and not hasattr(third, "duality_gap_")


def test_a_callback_ends_training():
    model = LinearSVM(optimizer="adam", random_state=0, max_iter=50)
    model.set_callbacks(Recorder(stop_after=3)).fit(X, Y)
    assert model.n_iter_ == 4


def test_partial_fit_is_a_task_of_one_epoch():
    recorder = Recorder()
    model = LinearSVM(optimizer="adam", random_state=0).set_callbacks(recorder)
    model.partial_fit(X, Y, classes=[0, 1, 2])
    assert [name for hook, name in recorder.names() if hook == "end"] == [
        "epoch",
        "partial_fit",
    ]


def test_a_monitor_scores_every_epoch():
    monitor = ScoringMonitor(scoring="accuracy")
    model = LinearSVM(optimizer="adam", random_state=0, max_iter=5)
    model.set_callbacks(monitor).fit(X, Y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 5
    assert rows[-1]["accuracy"] == model.score(X, Y)


@each_model
def test_callbacks_are_passed_on_without_a_warning(model):
    pytest.importorskip("rich")
    bar = ProgressBar(max_propagation_depth=None)
    search = GridSearchCV(make_pipeline(model), {}, cv=2).set_callbacks(bar)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X, Y)


@each_model
def test_a_fitted_model_keeps_no_trace_of_its_tasks(model):
    model.set_callbacks(Recorder()).fit(X, Y)
    model.set_callbacks()
    assert "tasks" not in vars(vars(model).get("_network", model))
    assert b"Recorder" not in pickle.dumps(model)
