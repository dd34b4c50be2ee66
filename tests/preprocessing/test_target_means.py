"""Categories of many levels become means of the target: of other rows in training."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import TargetEncoder
from table_examples import bounded, category, preprocessor

from skdeep.preprocessing import TabularPreprocessor
from skdeep.preprocessing.target_means import even_folds, out_of_fold_means

pytestmark = pytest.mark.tiny


def wide_table(n_rows=300, n_levels=40, seed=0):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, n_levels, n_rows)
    return levels, pd.DataFrame({"a": pd.Categorical([f"l{k:02}" for k in levels])}), rng


TARGETS = {
    "continuous": lambda levels, rng: levels + rng.normal(size=len(levels)),
    "binary": lambda levels, rng: np.where(levels + rng.normal(0, 9, 300) > 20, "y", "n"),
    "multiclass": lambda levels, rng: np.array(list("qpr"))[rng.integers(0, 3, 300)],
}


def smoothing(levels, target):
    """s^2 / t^2 by analysis of variance, with a row more of the variance of all."""
    groups = [target[levels == k] for k in np.unique(levels)]
    sizes = np.array([len(g) for g in groups])
    n, c = sizes.sum(), len(groups)
    within = (sum(np.sum((g - g.mean()) ** 2) for g in groups) + target.var()) / (n - c + 1)
    between = sum(len(g) * (g.mean() - target.mean()) ** 2 for g in groups) / (c - 1)
    signal = (between - within) / ((n - np.sum(sizes**2) / n) / (c - 1))
    return within / signal if signal > 0 else 1e12


def numbers_of(y):
    """Targets as columns: of two classes the second one, of more each."""
    if y.dtype.kind == "f":
        return y[:, None]
    numbers = (y[:, None] == np.unique(y)).astype(float)
    return numbers[:, 1:] if numbers.shape[1] == 2 else numbers


def means_by_scikit_learn(X, levels, train, y, rows):
    """Each column of y encoded by itself, and scaled."""
    columns = []
    for target in numbers_of(y).T:
        smooth = smoothing(levels[train], target[train])
        encoder = TargetEncoder(smooth=smooth, target_type="continuous")
        encoded = encoder.fit(X.iloc[train], target[train]).transform(X.iloc[rows])
        columns.append((encoded - target.mean()) / target.std())
    return bounded(np.concatenate(columns, axis=1))


@pytest.mark.parametrize("kind", TARGETS)
def test_many_levels_become_the_means_of_scikit_learns_target_encoder(kind):
    levels, X, rng = wide_table()
    y = TARGETS[kind](levels, rng)
    scaler = preprocessor().fit(X, y)
    everything = np.arange(300)
    expected = means_by_scikit_learn(X, levels, everything, y, everything)
    assert_allclose(scaler.transform(X), expected, atol=1e-9)
    unknown = scaler.transform(category(["never", None]))
    assert_allclose(unknown, np.zeros_like(unknown), atol=1e-12)
    endings = {"continuous": [""], "binary": [""], "multiclass": ["_p", "_q", "_r"]}[kind]
    assert list(scaler.get_feature_names_out()) == [f"a_mean{e}" for e in endings]
    assert scaler.n_numeric_ == 0


@pytest.mark.parametrize("kind", TARGETS)
def test_training_rows_get_the_means_of_other_rows(kind):
    levels, X, rng = wide_table()
    y = TARGETS[kind](levels, rng)
    folds = even_folds(numbers_of(y), np.random.RandomState(0))
    out = preprocessor().fit_transform(X, y)
    for fold in range(5):
        train, rows = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        expected = means_by_scikit_learn(X, levels, train, y, rows)
        assert_allclose(out[rows], expected, atol=1e-9)


def test_means_of_levels_that_say_nothing_are_the_mean_of_all():
    levels, X, rng = wide_table()
    y = rng.normal(size=300)
    y -= np.bincount(levels, y)[levels] / np.bincount(levels)[levels]
    assert_allclose(preprocessor().fit(X, y).transform(X), np.zeros((300, 1)), atol=1e-12)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_the_size_of_targets_does_not_matter(size):
    levels, X, rng = wide_table()
    y = TARGETS["continuous"](levels, rng)
    expected = preprocessor().fit_transform(X, y)
    assert_allclose(preprocessor().fit_transform(X, size * y), expected, atol=1e-9)


def test_a_row_a_level_tells_nothing():
    levels = np.arange(100)
    X = pd.DataFrame({"a": pd.Categorical(levels)})
    y = np.random.default_rng(0).normal(size=100)
    assert np.abs(preprocessor().fit(X, y).transform(X)).max() < 0.1


def test_a_constant_target_has_one_mean():
    _, X, _ = wide_table()
    out = preprocessor(target_type="continuous").fit_transform(X, np.full(300, 0.1))
    assert_allclose(out, np.zeros((300, 1)), atol=1e-12)


def test_means_of_noise_tell_training_rows_nothing():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": pd.Categorical(rng.integers(0, 10_000, 20_000))})
    y = rng.normal(size=20_000)
    out = preprocessor().fit_transform(X, y)[:, 0]
    assert abs(np.corrcoef(out, y)[0, 1]) < 0.05


def test_several_targets_have_a_column_each():
    levels, X, rng = wide_table()
    Y = levels[:, None] * [1.0, -2.0] + rng.normal(size=(300, 2))
    out = preprocessor().fit(X, Y).transform(X)
    for k in range(2):
        assert_allclose(out[:, [k]], preprocessor().fit(X, Y[:, k]).transform(X))
    assert list(preprocessor().fit(X, Y).get_feature_names_out()) == [
        "a_mean_0",
        "a_mean_1",
    ]


def test_whole_numbers_are_classes_unless_said_otherwise():
    levels, X, _ = wide_table()
    y = levels % 4
    assert preprocessor().fit_transform(X, y).shape == (300, 4)
    assert preprocessor(target_type="continuous").fit_transform(X, y).shape == (300, 1)
    assert preprocessor(target_type="classes").fit_transform(X, y / 2.5).shape == (300, 4)


def test_many_levels_without_targets_are_an_error_that_says_what_to_do():
    _, X, _ = wide_table()
    with pytest.raises(ValueError, match=r"'a' has 40 levels.*pass y.*max_onehot=40"):
        preprocessor().fit(X)
    assert preprocessor(max_onehot=40).fit_transform(X).shape == (300, 40)


def test_ten_thousand_levels_are_one_column():
    levels = np.arange(10_000)
    X = pd.DataFrame({"a": pd.Categorical(levels.astype(str))})
    assert preprocessor().fit_transform(X, levels * 0.5).shape == (10_000, 1)


def test_one_row_of_many_levels_at_a_time():
    levels, X, rng = wide_table()
    scaler = preprocessor().fit(X, TARGETS["continuous"](levels, rng))
    out = np.concatenate([scaler.transform(X.iloc[[i]]) for i in range(20)])
    assert_array_equal(out, scaler.transform(X)[:20])


def test_a_seed_gives_one_result():
    levels, X, rng = wide_table()
    y = TARGETS["continuous"](levels, rng)
    first = TabularPreprocessor(random_state=1).fit_transform(X, y)
    assert_array_equal(first, TabularPreprocessor(random_state=1).fit_transform(X, y))
    assert (first != TabularPreprocessor(random_state=2).fit_transform(X, y)).any()


@pytest.mark.parametrize("n_rows", [1, 2, 4, 7, 23])
def test_folds_are_of_equal_size_and_hold_all_classes(n_rows):
    y = np.arange(n_rows) % 3
    folds = even_folds(np.eye(3)[y], np.random.RandomState(0))
    sizes = np.bincount(folds)
    assert len(sizes) == min(5, n_rows)
    assert np.ptp(sizes) <= 1
    for k in range(3):
        assert np.ptp(np.bincount(folds[y == k], minlength=len(sizes))) <= 2


def test_a_fold_without_others_has_the_mean_of_nothing():
    codes, targets = np.zeros(1, dtype=np.intp), np.ones((1, 1))
    means = out_of_fold_means(codes, 1, targets, np.ones(1), np.zeros(1, dtype=np.intp))
    assert_array_equal(means, [[0.0]])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1.0, np.nan, 2.0], "NaN"),
        ([1.0, 2.0], "inconsistent numbers of samples"),
        ([{}, [], 1], "[Uu]nknown label type"),
    ],
)
def test_targets_that_are_none_are_an_error(y, message):
    y = np.fromiter(y, dtype=object) if isinstance(y[0], dict) else y
    with pytest.raises(ValueError, match=message):
        preprocessor(max_onehot=2).fit(category(["u", "v", "w"]), y)
