"""Members of any estimator that has some: trained beside each other, and told of."""

import threading
import warnings

import numpy as np
import pytest
import sklearn
from sklearn import get_config
from threadpoolctl import threadpool_limits

from skdeep import EnsembleClassifier, MLPClassifier, TabularClassifier
from skdeep.estimators.members import Clock, say_what_is_kept, train
from skdeep.kernels import native
from skdeep.validation.notices import hold_notices, warn_user

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(60, 3)), np.arange(60) % 2


def test_what_was_cut_off_is_no_result():
    done = threading.Event()

    def whole(end_at):
        assert not end_at.on_fit_task_end(None, None)
        done.set()
        return "whole"

    def cut(end_at):
        done.wait(10)
        end_at.event.set()  # as an interrupt of another one does
        assert end_at.on_fit_task_end(None, None)
        return "half"

    results, interrupt = train([whole, cut, cut], Clock(None))
    assert results == ["whole", None, None]
    assert interrupt is None


def test_an_interrupt_is_handed_on_with_what_is_complete():
    done = threading.Event()

    def whole(end_at):
        done.set()
        return "whole"

    def interrupted(end_at):
        done.wait(10)
        raise KeyboardInterrupt

    results, interrupt = train([whole, interrupted], Clock(None))
    assert results == ["whole", None]
    assert isinstance(interrupt, KeyboardInterrupt)


def test_an_interrupt_says_what_is_kept_and_nothing_else():
    interrupt = KeyboardInterrupt()
    interrupt.add_note("Training was interrupted after epoch 3.")
    say_what_is_kept(interrupt, 5)
    (note,) = interrupt.__notes__
    assert note.startswith("Training was interrupted after 5 members")


@pytest.mark.parametrize("n_threads", [1, 2])
def test_members_are_trained_with_the_users_configuration(n_threads):
    with threadpool_limits(n_threads), sklearn.config_context(assume_finite=True):
        configurations, _ = train([lambda _: get_config()] * 4, Clock(None))
    assert [found["assume_finite"] for found in configurations] == [True] * 4
    assert not get_config()["assume_finite"]


# --- what they warn of ----------------------------------------------------------------


def warns(message):
    def fit(end_at):
        warn_user(message, RuntimeWarning)
        warn_user(message, RuntimeWarning)
        return message

    return fit


@pytest.mark.parametrize("n_threads", [1, 2])
def test_what_members_warn_of_is_said_once(n_threads):
    with threadpool_limits(n_threads), pytest.warns(RuntimeWarning) as told:
        train(
            [warns("It is dark."), warns("It is cold."), warns("It is dark.")], Clock(None)
        )
    assert [str(warning.message) for warning in told] == [
        "It is dark. (2 of 3 members)",
        "It is cold. (1 of 3 members)",
    ]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_warning_points_at_the_line_of_fit(n_threads):
    model = EnsembleClassifier(MLPClassifier((3,), max_iter=2), n_members=3)
    with threadpool_limits(n_threads), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(X, Y)
    (warning,) = told
    assert warning.filename == __file__
    assert str(warning.message).endswith("(3 of 3 members)")


def test_held_notices_are_those_of_the_innermost_holder():
    with hold_notices() as outer:
        with hold_notices() as inner:
            warn_user("one")
        warn_user("two")
    assert inner == [("one", UserWarning)]
    assert outer == [("two", UserWarning)]
    with pytest.warns(UserWarning, match="three"):
        warn_user("three")


@pytest.mark.skipif(not native.ENABLED, reason="NumPy's kernels train one after another")
def test_filters_of_warnings_are_left_as_they_were():
    """Members change them for a while, and end in another order than they began."""
    first_in, second_in, first_left = (threading.Event() for _ in range(3))

    def first(end_at):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            first_in.set()
            second_in.wait(10)
        first_left.set()

    def second(end_at):
        first_in.wait(10)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            second_in.set()
            first_left.wait(10)

    before = list(warnings.filters)
    with threadpool_limits(2):
        train([first, second], Clock(None))
    assert list(warnings.filters) == before


# --- what callbacks are told ----------------------------------------------------------


class Counts:
    """Counts how often each task of each estimator begins and ends."""

    max_propagation_depth = None

    def __init__(self):
        self.begins, self.ends = [], []

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context):
        self.begins.append((type(estimator).__name__, context.task_name))

    def on_fit_task_end(self, estimator, context):
        self.ends.append((type(estimator).__name__, context.task_name))


@pytest.mark.parametrize(
    ("model", "network", "n_members"),
    [
        (EnsembleClassifier(MLPClassifier((3,), max_iter=2), n_members=3), "MLP", 3),
        (TabularClassifier(preset="fast", n_epochs=2), "Sequential", 3),
    ],
    ids=["ensemble", "table"],
)
def test_a_callback_that_is_propagated_sees_each_task_once(model, network, n_members):
    counts = Counts()
    sklearn.clone(model).set_callbacks(counts).fit(X, Y)
    tasks = [(f"{network}Classifier", "fit")] * n_members
    tasks += [(f"{network}Classifier", "epoch")] * 2 * n_members
    tasks += [(type(model).__name__, "fit")]
    assert sorted(counts.begins) == sorted(counts.ends) == sorted(tasks)
