"""scikit-learn's callbacks on a network: alone, in a pipeline and in a grid search."""

import pickle
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import MLPClassifier, MLPRegressor


@pytest.fixture(scope="module")
def small(digits):
    return digits[0][:400], digits[1][:400]


class Recorder:
    """Remembers the hooks that are called, and what they are given."""

    def __init__(self):
        self.calls = []

    def setup(self, estimator, context):
        self.calls.append(("setup", context.task_name, None))

    def on_fit_task_begin(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        given = {"X": X, "y": y, "metadata": metadata, "fitted": fitted_estimator}
        self.calls.append(("begin", context.task_name, given))

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        given = {"X": X, "y": y, "metadata": metadata, "fitted": fitted_estimator}
        self.calls.append(("end", context.task_name, given))

    def teardown(self, estimator, context):
        self.calls.append(("teardown", context.task_name, None))

    def names(self):
        return [(hook, task) for hook, task, _ in self.calls]

    def epochs(self, hook="end"):
        """The fitted estimator at the end of each epoch."""
        each = (g for h, task, g in self.calls if (h, task) == (hook, "epoch"))
        return [given["fitted"] for given in each]


class Propagated(Recorder):
    """The same, told of the inner tasks of a meta-estimator as well."""

    max_propagation_depth = None


class StopsAfter:
    """Stops training at the end of an epoch."""

    def __init__(self, epochs):
        self.epochs = epochs

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch" and context.task_id + 1 >= self.epochs

    def teardown(self, estimator, context):
        pass


class Interrupts(StopsAfter):
    """Presses Ctrl-C there."""

    def on_fit_task_end(self, estimator, context):
        if super().on_fit_task_end(estimator, context):
            raise KeyboardInterrupt


# --- the hooks --------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_each_epoch_is_a_task(small, optimizer):
    recorder = Recorder()
    model = MLPClassifier(optimizer=optimizer, max_iter=3, random_state=0)
    model.set_callbacks(recorder).fit(*small)
    epoch = [("begin", "epoch"), ("end", "epoch")]
    fit = [("begin", "fit"), *epoch * 3, ("end", "fit")]
    assert recorder.names() == [("setup", "fit"), *fit, ("teardown", "fit")]


def test_partial_fit_is_a_task_of_one_epoch(small):
    recorder = Recorder()
    model = MLPClassifier(random_state=0).set_callbacks(recorder)
    model.partial_fit(*small, classes=np.arange(10))
    hooks = ["setup", "begin", "begin", "end", "end", "teardown"]
    names = ["partial_fit"] * 2 + ["epoch"] * 2 + ["partial_fit"] * 2
    assert recorder.names() == list(zip(hooks, names, strict=True))


def test_a_minimum_found_early_leaves_no_task_open():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    recorder = Recorder()
    model = MLPRegressor((), optimizer="lbfgs", weight_decay=0.1)
    model.set_callbacks(recorder).fit(X, X @ [1, 2, 3])
    names = recorder.names()
    assert names.count(("begin", "epoch")) == names.count(("end", "epoch")) == model.n_iter_


def test_callbacks_are_torn_down_after_an_error(small):
    recorder = Recorder()
    model = MLPClassifier(max_iter=2, early_stopping=True)
    with pytest.raises(ValueError, match="early_stopping=True sets samples aside"):
        model.set_callbacks(recorder).fit(small[0][:20], np.arange(20))
    assert recorder.names()[-1] == ("teardown", "fit")
    assert not hasattr(model, "_callback_fit_ctx")


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_callback_that_returns_true_stops_training(small, epochs):
    model = MLPClassifier(max_iter=10, random_state=0)
    model.set_callbacks(StopsAfter(epochs)).fit(*small)  # and nothing warns
    shorter = MLPClassifier(max_iter=epochs, random_state=0).fit(*small)
    assert model.n_iter_ == epochs
    assert_array_equal(model.network_.parameters, shorter.network_.parameters)


def test_a_callback_can_stop_lbfgs(small):
    model = MLPClassifier(optimizer="lbfgs", random_state=0).set_callbacks(StopsAfter(4))
    assert model.fit(*small).n_iter_ == 4


def test_an_interrupt_in_a_callback_ends_fit_cleanly(small):
    recorder = Recorder()
    model = MLPClassifier(max_iter=10, random_state=0)
    model.set_callbacks(recorder, Interrupts(3))
    with pytest.raises(KeyboardInterrupt):
        model.fit(*small)
    shorter = MLPClassifier(max_iter=3, random_state=0).fit(*small)
    assert_array_equal(model.network_.parameters, shorter.network_.parameters)
    assert recorder.names()[-1] == ("teardown", "fit")
    assert ("end", "fit") not in recorder.names()


def test_callbacks_of_a_clone_are_those_of_the_original(small):
    recorder = Recorder()
    clone(MLPClassifier(max_iter=2).set_callbacks(recorder)).fit(*small)
    assert len(recorder.epochs()) == 2


# --- the fitted estimator ---------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_norm": True, "dropout": 0.3},
        {"early_stopping": True, "learning_rate": 0.1},
        {"weight_averaging": "ema", "batch_norm": True, "record": "gradients"},
        {"optimizer": "lbfgs"},
    ],
    ids=str,
)
def test_the_fitted_estimator_is_that_of_a_shorter_fit(small, options):
    recorder = Recorder()
    model = MLPClassifier(max_iter=5, random_state=0, **options)
    model.set_callbacks(recorder).fit(*small)
    # looked at after training: later epochs have not changed them
    for epoch, fitted in enumerate(recorder.epochs(), 1):
        shorter = clone(model).set_callbacks().set_params(max_iter=epoch).fit(*small)
        assert_array_equal(fitted.predict_proba(small[0]), shorter.predict_proba(small[0]))
        assert fitted.n_iter_ == shorter.n_iter_ == epoch
        assert fitted.loss_curve_ == shorter.loss_curve_
        assert fitted.best_iter_ == shorter.best_iter_
        assert_array_equal(
            fitted.history_["learning_rate"], shorter.history_["learning_rate"]
        )


def test_an_epoch_begins_where_the_last_ended(small):
    recorder = Recorder()
    MLPClassifier(max_iter=3, random_state=0).set_callbacks(recorder).fit(*small)
    ends, begins = recorder.epochs(), recorder.epochs("begin")
    for end, begin in zip(ends, begins[1:], strict=False):
        assert_array_equal(begin.network_.parameters, end.network_.parameters)


def test_the_fitted_estimator_lives_its_own_life(small):
    class Trains(StopsAfter):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.task_name == "epoch":
                twin = pickle.loads(pickle.dumps(fitted_estimator))
                before = fitted_estimator.predict(small[0])
                assert_array_equal(twin.predict(small[0]), before)
                fitted_estimator.partial_fit(*small)
                fitted_estimator.fit(*small)

    recorder = Recorder()
    model = MLPClassifier(max_iter=3, random_state=0).set_callbacks(Trains(3), recorder)
    plain = MLPClassifier(max_iter=3, random_state=0).fit(*small)
    assert_array_equal(model.fit(*small).network_.parameters, plain.network_.parameters)
    assert recorder.names()[-2:] == [("end", "fit"), ("teardown", "fit")]


def test_nothing_is_copied_for_callbacks_that_do_not_ask(digits):
    X, y = digits[0][:200], digits[1][:200]
    model = MLPClassifier((1000, 500), max_iter=4, random_state=0)
    model.set_callbacks(StopsAfter(100)).fit(X, y)

    def peak(model):
        tracemalloc.start()
        try:
            model.fit(X, y)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    with_callback, without = peak(model), peak(clone(model).set_callbacks())
    assert with_callback < without + 0.1 * model.network_.parameters.nbytes


def test_callbacks_see_the_samples_that_train(small):
    X, y = small
    weight = np.random.default_rng(0).uniform(size=len(y))
    recorder = Recorder()
    model = MLPClassifier(max_iter=1, early_stopping=True, random_state=0)
    model.set_callbacks(recorder).fit(X.tolist(), y, sample_weight=weight)
    (given,) = [g for hook, task, g in recorder.calls if (hook, task) == ("end", "epoch")]
    n_train = 400 - 40
    assert np.shape(given["X"]) == (n_train, 64) and given["y"].shape == (n_train,)
    assert given["metadata"]["sample_weight"].shape == (n_train,)
    rows = {tuple(row) for row in X.tolist()}
    assert all(tuple(row) in rows for row in given["X"])


# --- scikit-learn's own callbacks -------------------------------------------------


def test_scoring_monitor_alone(small):
    monitor = ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(max_iter=4, random_state=0).set_callbacks(monitor).fit(*small)
    rows = monitor.get_logs().data
    epochs = [row["accuracy"] for row in rows if row["task_name"] == "epoch"]
    expected = [
        MLPClassifier(max_iter=n, random_state=0).fit(*small).score(*small)
        for n in range(1, 5)
    ]
    assert epochs == expected
    (whole,) = [row["accuracy"] for row in rows if row["task_name"] == "fit"]
    assert whole == model.score(*small)


def test_scoring_monitor_uses_the_weights(small):
    X, y = small
    weight = np.random.default_rng(0).uniform(size=len(y))
    monitor = ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(max_iter=2, random_state=0).set_callbacks(monitor)
    model.fit(X, y, sample_weight=weight)
    rows = [r["accuracy"] for r in monitor.get_logs().data if r["task_name"] == "epoch"]
    assert rows[-1] == model.score(X, y, sample_weight=weight)


def test_scoring_monitor_of_a_data_frame_warns_of_nothing(small):
    X, y = small
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(64)])
    monitor = ScoringMonitor(scoring="accuracy")
    for early_stopping in (False, True):
        model = MLPClassifier(max_iter=2, early_stopping=early_stopping, random_state=0)
        model.set_callbacks(monitor).fit(frame, y)
    assert len(monitor.get_logs(select="all")) == 2


def _pipeline(max_iter=3):
    return make_pipeline(StandardScaler(), MLPClassifier(max_iter=max_iter, random_state=0))


def test_scoring_monitor_in_a_pipeline(small):
    monitor = ScoringMonitor(scoring="accuracy")
    pipeline = _pipeline()
    pipeline[-1].set_callbacks(monitor)
    pipeline.fit(*small)
    rows = monitor.get_logs().data
    epochs = [row["accuracy"] for row in rows if row["task_name"] == "epoch"]
    assert len(epochs) == 3 and epochs[-1] == pipeline.score(*small)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scoring_monitor_in_a_grid_search(small, n_jobs):
    monitor = ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(max_iter=3, random_state=0).set_callbacks(monitor)
    search = GridSearchCV(model, {"hidden_layer_sizes": [(10,), (20,)]}, cv=2)
    search.set_params(n_jobs=n_jobs).fit(*small)
    rows = [r for r in monitor.get_logs().data if r["task_name"] == "epoch"]
    assert len(rows) == 3 * (2 * 2 + 1)  # and one fit more with the best parameters
    assert len({row["task_id_path"] for row in rows}) == len(rows)
    last = max(rows, key=lambda row: row["task_id_path"])
    assert last["accuracy"] == search.score(*small)


def test_hooks_reach_a_network_inside_a_pipeline_inside_a_grid_search(small):
    recorder = Propagated()
    search = GridSearchCV(_pipeline(), {"mlpclassifier__batch_size": [50, 100]}, cv=2)
    search.set_callbacks(recorder).fit(*small)
    assert recorder.names().count(("end", "epoch")) == 3 * 5
    assert all(fitted is not None for fitted in recorder.epochs())


def bars(output):
    """The last state of each progress bar that was printed, by its name."""
    lines = [line for line in output.splitlines() if "%" in line]
    return {line.split("━")[0].strip(): line for line in lines}


@pytest.mark.parametrize("meta", [None, "pipeline", "grid search", "grid search, 2 jobs"])
def test_progress_bar(small, capfd, meta):
    pytest.importorskip("rich")
    model = MLPClassifier(max_iter=3, random_state=0)
    if meta == "pipeline":
        model = _pipeline()
    elif meta:
        jobs = 2 if "2" in meta else 1
        grid = {"mlpclassifier__batch_size": [50, 100]}
        model = GridSearchCV(_pipeline(), grid, cv=2, n_jobs=jobs)
    plain = clone(model).fit(*small)
    depth = None if meta else 1
    model.set_callbacks(ProgressBar(max_propagation_depth=depth)).fit(*small)
    shown = bars(capfd.readouterr().out)
    assert all("100%" in line for line in shown.values())
    fits = [name for name in shown if "MLPClassifier - fit" in name]
    assert len(fits) == 1 if meta in (None, "pipeline") else len(fits) >= 1
    assert_array_equal(model.predict(small[0]), plain.predict(small[0]))


def test_progress_bar_without_rich_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(ImportError, match="rich"):
        ProgressBar()


def test_a_line_each_epoch_needs_no_extra_package(tmp_path):
    code = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("rich", "pandas", "matplotlib"):
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
from sklearn.datasets import load_iris
from skdeep import MLPClassifier
MLPClassifier(max_iter=2, early_stopping=True, verbose=1, random_state=0).fit(
    *load_iris(return_X_y=True))
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,  # not where the sources hide what is installed
    )
    lines = run.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["Epoch 1", "Epoch 2"], run.stderr
    for word in ("loss", "learning_rate", "validation_loss", "validation_score", "s)"):
        assert word in lines[0]


def test_callbacks_work_with_metadata_routing(small):
    X, y = small
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        monitor = ScoringMonitor(scoring=scorer)
        model = MLPClassifier(max_iter=2, random_state=0).set_callbacks(monitor)
        model.fit(X, y, sample_weight=np.ones(len(y)))
    assert len(monitor.get_logs().data) == 3
