"""What is recorded: usable at any time, and as cheap late as early."""

import copy
import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skdeep import MLPClassifier
from skdeep.training.series import Runs, Series

rng = np.random.default_rng(0)
X = rng.normal(size=(5, 3))
Y = np.array([0, 1, 2, 1, 0])
numbers = st.lists(st.sampled_from([0.5, 1.0, 2.0, np.inf]), max_size=12)


def online(calls, **options):
    model = MLPClassifier((4,), random_state=0, **options)
    for _ in range(calls):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    return model


# --- partial_fit ------------------------------------------------------------------


@pytest.mark.parametrize("schedule", ["constant", "step"])
def test_pickles_grow_by_two_numbers_a_call(schedule):
    options = dict(learning_rate_schedule=schedule)
    early, late = (len(pickle.dumps(online(n, **options))) for n in (200, 400))
    assert late - early <= 17 * 200


def test_a_call_takes_as_long_late_as_early():
    early = online(20)
    late = copy.deepcopy(early)
    for values in late._training_state.history.values():
        values.extend(rng.uniform(size=300_000))
    late._training_state.epoch += 300_000
    times = {"early": [], "late": []}
    for _ in range(30):  # side by side, so that a busy machine slows both
        for name, model in (("early", early), ("late", late)):
            start = time.perf_counter()
            model.partial_fit(X, Y)
            times[name].append(time.perf_counter() - start)
    # looking through all of them once would take ten times as long as the call
    assert np.median(times["late"]) < 2 * np.median(times["early"])


def test_the_history_stays_usable():
    model = online(50)
    fitted = MLPClassifier((4,), max_iter=50, n_iter_no_change=50, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        fitted.fit(X, Y)
    assert model.loss_curve_ == fitted.loss_curve_ and len(model.loss_curve_) == 50
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert_array_equal(model.history_["learning_rate"], np.full(50, 0.001))
    model.history_["loss"][:] = 0.0  # what one gets is one's own
    assert model.loss_curve_ == fitted.loss_curve_


def test_a_copy_and_a_pickle_record_for_themselves():
    model = online(5)
    others = copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    curve = model.loss_curve_
    for _ in range(3):
        for other in (model, *others):
            other.partial_fit(X, Y)
    for other in others:
        assert other.loss_curve_ == model.loss_curve_
    assert model.loss_curve_[:5] == curve and len(model.loss_curve_) == 8


# --- series and runs --------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(numbers, numbers, numbers)
def test_series_that_share_memory_are_lists_that_do_not(first, mine, others):
    series, expected = Series(), list(first)
    series.extend(first)
    twin = series.copy()
    for a, b in zip(mine, others, strict=False):
        series.append(a)
        twin.append(b)
    n = min(len(mine), len(others))
    assert list(series) == expected + mine[:n]
    assert list(twin) == expected + others[:n]
    assert list(pickle.loads(pickle.dumps(twin))) == list(twin)
    assert list(series.first(3)) == (expected + mine[:n])[:3]


def test_series_of_arrays():
    series = Series()
    series.append([1.0, 2.0])
    series.extend(np.ones((20, 2)))
    assert series.values.shape == (21, 2)
    assert_array_equal(np.array(series)[0], [1.0, 2.0])
    with pytest.raises(ValueError, match="read-only"):
        series.values[0] = 0.0


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers.filter(len), max_size=5))
def test_runs_give_back_what_they_were_given(pieces):
    runs, halfway = Runs(), Runs()
    for piece in pieces:
        halfway = runs.copy()
        runs.extend(piece)
    whole = [number for piece in pieces for number in piece]
    assert runs.expanded().tolist() == whole
    assert (
        halfway.expanded().tolist() == whole[: len(whole) - len(pieces[-1:] and pieces[-1])]
    )
    assert Runs(runs.values, runs.counts).expanded().tolist() == whole
    assert np.all(runs.values[1:] != runs.values[:-1])
