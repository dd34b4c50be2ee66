"""What is trained on a table, and which rows are set aside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from skdeep.estimators.tabular_folds import make_folds
from skdeep.estimators.tabular_plan import PRESETS, batch_rows, make_plan, operations

_AUTO = dict.fromkeys(("n_members", "n_cv", "n_epochs", "batch_size"), "auto")
_KINDS = ("periodic", "piecewise", "plain")


def _plan(n, preset="default", n_numeric=10, asked=_AUTO):
    costs = [operations(n, n_numeric, 5, 3, kind, [128, 128]) for kind in _KINDS]
    budget = PRESETS[preset]
    return make_plan(budget, _KINDS, costs, n, dropout=0.1, asked=asked), costs


@given(n=st.integers(2, 2_000_000), n_numeric=st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_a_plan_keeps_to_its_budget_or_trains_the_least(n, n_numeric):
    plan, costs = _plan(n, n_numeric=n_numeric)
    of_folds = max(0, plan.n_cv - 1) * plan.n_fold_members * sum(costs)
    spent = plan.n_members * np.mean(costs) + of_folds
    (n_epochs,) = plan.n_epochs
    spent *= n_epochs
    least = n_epochs <= 24 and plan.n_members == 1 and plan.n_cv == 2
    assert spent <= PRESETS["default"].operations * 1.001 or least
    assert plan.n_members >= 1
    assert 1 <= n_epochs <= 56


def test_more_rows_never_get_more_epochs():
    epochs = [_plan(n)[0].n_epochs[0] for n in (100, 1_000, 10_000, 100_000, 1_000_000)]
    assert epochs == sorted(epochs, reverse=True)


def test_small_tables_are_learned_whole_without_dropout_or_folds():
    plan, _ = _plan(40)
    assert (plan.batch_size, plan.dropout, plan.n_cv) == (40, 0.0, 0)


def test_what_the_user_asks_for_comes_first():
    asked = {"n_members": 3, "n_cv": 4, "n_epochs": (7,), "batch_size": 11}
    plan, _ = _plan(5_000, asked=asked)
    assert asked == {name: getattr(plan, name) for name in asked}


def test_the_first_network_sees_all_rows_and_each_fold_has_each_kind():
    plan = _plan(300)[0]
    tasks = plan.tasks(("linear",))
    (n_epochs,) = plan.n_epochs
    assert tasks[0] == ("periodic", None, n_epochs)
    assert tasks.count(("linear", None, None)) == 1
    assert sum(task.fold is None for task in tasks) == plan.n_members + 1
    assert plan.n_fold_members == 2
    assert sorted(task[:2] for task in tasks if task.fold is not None) == sorted(
        (kind, fold) for kind in (*_KINDS, *_KINDS, "linear") for fold in range(5)
    )


def test_each_schedule_trains_the_same_networks_and_other_models_once():
    asked = _AUTO | {"n_epochs": (3, 9)}
    tasks = _plan(300, asked=asked)[0].tasks(("linear",))
    short, long = ([t[:2] for t in tasks if t.n_epochs == n] for n in (3, 9))
    assert short == long and len(short) == 33
    assert len(tasks) == 2 * len(short) + 6


@pytest.mark.parametrize(
    ("n", "rows"), [(10, 10), (50, 32), (640, 32), (1_280, 64), (5_120, 256), (10**6, 256)]
)
def test_batches_are_powers_of_two_near_a_twentieth(n, rows):
    assert batch_rows(n) == rows


def _classes(counts, seed=0):
    target = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(target)


@given(
    counts=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_folds_keep_classes_and_cover_each_row_once_but_single_ones(counts, n_folds, seed):
    target = _classes(counts, seed)
    folds = make_folds(n_folds, target, None, seed, classifies=True)
    seen = np.concatenate([held_out for _, held_out in folds] or [[]]).astype(int)
    assert len(np.unique(seen)) == len(seen)
    for train, held_out in folds:
        assert not np.intersect1d(train, held_out).size
        assert len(train) + len(held_out) == len(target)
        # no class is only in what is set aside
        assert set(target) == set(target[train])
    single = np.flatnonzero(np.bincount(target)[target] == 1)
    assert not np.intersect1d(seen, single).size
    if folds:
        for k in set(target):
            of_class = [np.sum(target[held_out] == k) for _, held_out in folds]
            assert max(of_class) - min(of_class) <= 1


def test_groups_are_not_cut():
    groups = np.repeat(np.arange(12), 5)
    target = np.tile([0, 1], 30)
    for classifies in (True, False):
        folds = make_folds(4, target, groups, 0, classifies=classifies)
        assert len(folds) == 4
        for train, held_out in folds:
            assert not np.intersect1d(groups[train], groups[held_out]).size


def test_a_splitter_of_scikit_learn_cuts_the_folds():
    groups, target = np.repeat([0, 1, 2], 4), np.arange(12.0)
    folds = make_folds(GroupKFold(3), target, groups, 0, classifies=False)
    assert [len(held_out) for _, held_out in folds] == [4, 4, 4]


def test_folds_are_a_function_of_the_seed():
    target = np.arange(50.0)
    same = [make_folds(5, target, None, seed, classifies=False) for seed in (1, 1, 2)]
    held_out = [[tuple(part[1]) for part in folds] for folds in same]
    assert held_out[0] == held_out[1] != held_out[2]
