"""The plot shows the line, the margins, and rings around the support vectors."""

import builtins

import matplotlib
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_iris

from skdeep import LinearSVM
from skdeep.inspection import MarginDisplay

matplotlib.use("agg")
from matplotlib import pyplot

pytestmark = pytest.mark.tiny


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True, as_frame=True)


def test_lines_are_where_the_decision_function_is_0_and_1(iris):
    X, y = iris
    X, y = X.iloc[:, 2:], (y == 2).to_numpy()
    model = LinearSVM().fit(X, y)
    display = MarginDisplay.from_estimator(model, X, y)
    for line, level in zip(display.lines_, (0, -1, 1), strict=True):
        points = np.column_stack(line.get_data())
        scores = points @ model.coef_[0] + model.intercept_[0]
        np.testing.assert_allclose(scores, level, atol=1e-9)
    assert display.ax_.get_xlabel() == "petal length (cm)"


def test_support_vectors_are_ringed_and_points_coloured_by_their_loss(iris):
    X, y = iris
    X, y = X.iloc[:, 2:], (y == 2).to_numpy()
    model = LinearSVM().fit(X, y)
    display = MarginDisplay.from_estimator(model, X, y)
    ringed = display.support_.get_offsets()
    np.testing.assert_array_equal(ringed, X.to_numpy()[model.support_])
    shown = np.concatenate([points.get_array() for points in display.points_])
    margins = np.where(y, 1, -1) * model.decision_function(X)
    np.testing.assert_allclose(np.sort(shown), np.sort(np.maximum(0, 1 - margins)))


def test_two_features_of_many_are_shown_at_the_means_of_the_others(iris):
    X, y = iris
    y = (y == 2).to_numpy()
    model = LinearSVM().fit(X, y)
    names = ("petal width (cm)", "sepal length (cm)")
    display = MarginDisplay.from_estimator(model, X, y, features=names)
    by_number = MarginDisplay.from_estimator(model, X, y, features=(3, 0))
    x, other = display.lines_[0].get_data()
    np.testing.assert_array_equal(by_number.lines_[0].get_data(), (x, other))
    point = X.mean().to_numpy(copy=True)
    point[[3, 0]] = x[0], other[0]
    assert point @ model.coef_[0] + model.intercept_[0] == pytest.approx(0, abs=1e-9)


def test_one_machine_of_many_classes_is_chosen(iris):
    X, y = iris
    model = LinearSVM().fit(X, y)
    display = MarginDisplay.from_estimator(model, X, y, features=(0, 1), target=1)
    assert len(display.support) == model.dual_coef_[[1]].nnz
    assert display.class_names == ("not 1", "1")
    with pytest.raises(ValueError, match="choose one with"):
        MarginDisplay.from_estimator(model, X, y, features=(0, 1))


def test_other_samples_have_no_rings_and_sparse_ones_are_plotted(iris):
    X, y = iris
    X, y = X.to_numpy()[:, :2], (y == 0).to_numpy()
    model = LinearSVM().fit(X, y)
    assert MarginDisplay.from_estimator(model, X[::-1], y[::-1]).support_ is None
    model = LinearSVM().fit(csr_array(X), y)
    _, ax = pyplot.subplots()
    display = MarginDisplay.from_estimator(model, csr_array(X), y, ax=ax, colorbar=False)
    assert display.ax_ is ax
    assert len(display.support) == len(model.support_)


def test_unclear_requests_are_explained(iris):
    X, y = iris
    model = LinearSVM().fit(X, y == 0)
    for features, message in (
        (None, "4 features, and two can be shown"),
        ((0, 0), "two different ones"),
        ((0, 9), "no feature 9"),
        (("petal", "sepal"), "no feature 'petal'"),
    ):
        with pytest.raises(ValueError, match=message):
            MarginDisplay.from_estimator(model, X, y == 0, features=features)
    with pytest.raises(ValueError, match="not fitted to"):
        MarginDisplay.from_estimator(model, X, y, features=(0, 1))


def test_without_matplotlib_the_extra_is_named(iris, monkeypatch):
    X, y = iris
    model = LinearSVM().fit(X, y == 0)
    importing = builtins.__import__

    def refuse(name, *arguments):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return importing(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r'pip install "scikit-deep\[plot\]"'):
        MarginDisplay.from_estimator(model, X, y == 0, features=(0, 1))
