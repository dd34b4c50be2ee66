"""Categories as means of the target, by themselves."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skdeep.preprocessing import TabularPreprocessor, TargetMeanEncoder

pytestmark = pytest.mark.tiny


def cities(n=300, n_levels=25, seed=0):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, n_levels, n)
    worth = rng.normal(10.0, 3.0, n_levels)
    X = pd.DataFrame({"city": pd.Categorical([f"c{k:02}" for k in levels])})
    return X, worth[levels] + rng.normal(size=n), rng


def test_means_are_those_of_a_table_in_the_units_of_the_target():
    X, y, _ = cities()
    z = TabularPreprocessor(max_onehot=0, dtype="float64").fit(X, y).transform(X)
    scaled = z / np.sqrt(1 - (z / 3) ** 2)  # the preprocessor bounds and scales
    means = TargetMeanEncoder().fit(X, y).transform(X)
    assert_allclose(means, scaled * y.std() + y.mean(), rtol=1e-9)


def test_levels_of_many_rows_have_their_own_mean():
    X, y, _ = cities(n=50_000)
    encoder = TargetMeanEncoder().fit(X, y)
    own = pd.Series(y).groupby(X["city"].astype(str)).mean()
    assert encoder.categories_ == [own.index.tolist()]
    assert_allclose(encoder.encodings_[0][:-1, 0], own, rtol=1e-3)
    assert_allclose(encoder.encodings_[0][-1], y.mean())


def test_training_rows_know_nothing_of_their_own_target():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"who": rng.integers(0, 150, 300)})
    y = rng.normal(size=300)  # which no column tells
    encoder = TargetMeanEncoder(random_state=0)
    honest = encoder.fit_transform(X, y)[:, 0]
    assert abs(np.corrcoef(honest, y)[0, 1]) < 0.15
    changed = y.copy()
    changed[7] += 1000.0
    # apart from how much is drawn to the mean of all, and from folds
    assert abs(encoder.fit_transform(X, changed)[7, 0]) < 20


def test_classes_become_their_shares():
    X, y, rng = cities()
    labels = np.array(["a", "b", "c"])[rng.integers(0, 3, len(y))]
    encoder = TargetMeanEncoder().fit(X, labels)
    # each is drawn to the mean of all by itself
    assert_allclose(encoder.transform(X).sum(axis=1), 1.0, atol=0.1)
    names = ["city_mean_a", "city_mean_b", "city_mean_c"]
    assert_array_equal(encoder.get_feature_names_out(), names)
    of_two = TargetMeanEncoder().fit(X, labels == "c")
    assert of_two.transform(X).shape == (300, 1)
    unknown = of_two.transform(pd.DataFrame({"city": ["elsewhere"]}))
    assert_allclose(unknown, [[np.mean(labels == "c")]])


def test_several_columns_and_targets():
    X, y, rng = cities()
    X["hour"] = rng.integers(0, 24, len(y))
    targets = np.column_stack([y, -2 * y])
    encoder = TargetMeanEncoder(target_type="continuous").fit(X, targets)
    out = encoder.transform(X)
    assert out.shape == (300, 4)
    assert_allclose(out[:, 1], -2 * out[:, 0])
    names = ["city_mean_0", "city_mean_1", "hour_mean_0", "hour_mean_1"]
    assert_array_equal(encoder.get_feature_names_out(), names)


def test_missing_is_a_level_where_fit_has_seen_it():
    city = ["a"] * 50 + [None] * 50
    y = np.r_[np.linspace(0, 1, 50), np.linspace(10, 11, 50)]
    for kind in (pd.DataFrame, pl.DataFrame):
        out = (
            TargetMeanEncoder()
            .fit(kind({"city": city}), y)
            .transform(kind({"city": [None, "a"]}))
        )
        assert_allclose(out[:, 0], [10.5, 0.5], atol=0.01)
    known = TargetMeanEncoder().fit(pd.DataFrame({"city": city[:50]}), y[:50])
    assert_allclose(known.transform(pd.DataFrame({"city": [None]})), [[0.5]])


def test_weights_are_rows():
    X, y, rng = cities()
    times = rng.integers(0, 4, len(y))
    rows = np.repeat(np.arange(len(y)), times)
    weighted = TargetMeanEncoder().fit(X, y, sample_weight=times)
    repeated = TargetMeanEncoder().fit(X.iloc[rows], y[rows])
    assert weighted.categories_ == repeated.categories_
    assert_allclose(weighted.transform(X), repeated.transform(X))


def test_a_pipeline_fits_on_the_means_of_other_rows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"who": rng.integers(0, 200, 400), "noise": rng.integers(0, 200, 400)})
    worth = rng.normal(size=200)
    y = worth[X["who"]] + 0.3 * rng.normal(size=400)
    model = make_pipeline(TargetMeanEncoder(random_state=0), Ridge())
    assert cross_val_score(model, X, y, cv=5).mean() > 0.2
    assert abs(model.fit(X, y)[-1].coef_[1]) < 0.3  # the noise tells nothing


def test_output_is_a_frame_where_asked_for():
    X, y, _ = cities()
    out = TargetMeanEncoder().set_output(transform="pandas").fit(X, y).transform(X)
    assert list(out.columns) == ["city_mean"]


def test_bad_input_is_refused():
    X, y, _ = cities()
    with pytest.raises(ValueError, match="requires y to be passed"):
        TargetMeanEncoder().fit(X, None)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        TargetMeanEncoder().fit(X, y[1:])
    with pytest.raises(ValueError, match="contains NaN"):
        TargetMeanEncoder().fit(X, np.where(y > 10, np.nan, y))
    with pytest.raises(NotFittedError):
        TargetMeanEncoder().transform(X)
    with pytest.raises(ValueError, match="feature names should match"):
        TargetMeanEncoder().fit(X, y).transform(X.rename(columns={"city": "town"}))
