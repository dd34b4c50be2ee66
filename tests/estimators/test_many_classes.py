"""Memory grows with the classes, not with their square."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skdeep import MLPClassifier
from skdeep.engine.batch import OneHot
from skdeep.losses import smooth

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning",
    "ignore:The number of unique classes:UserWarning",
)
N_CLASSES = 3000


def peak(fit):
    tracemalloc.start()
    try:
        fit()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "loss, label_smoothing",
    [("cross_entropy", 0.0), ("cross_entropy", 0.1), ("focal", 0.1), ("hinge", 0.0)],
)
def test_no_table_of_classes_by_classes_is_made(loss, label_smoothing):
    y = np.arange(N_CLASSES)
    X = np.random.default_rng(0).normal(size=(N_CLASSES, 2)).astype(np.float32)
    model = MLPClassifier((2,), loss=loss, label_smoothing=label_smoothing, max_iter=1)
    model.set_params(batch_size=10)
    table = 4 * N_CLASSES**2
    assert peak(lambda: model.fit(X, y)) < table / 4
    assert peak(lambda: model.partial_fit(X, y)) < table / 4


def test_validation_makes_the_targets_of_a_part_at_a_time():
    y = np.arange(N_CLASSES)
    X = np.random.default_rng(0).normal(size=(N_CLASSES, 2)).astype(np.float32)
    model = MLPClassifier((2,), max_iter=1, batch_size=10)
    outputs = 4 * N_CLASSES**2
    # what is predicted is as large, and for a moment there twice
    assert peak(lambda: model.fit(X, y, X_val=X, y_val=y)) < 2.6 * outputs


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.3])
def test_targets_of_numbers_of_classes_are_the_rows_of_the_smoothed_table(
    dtype, label_smoothing
):
    codes = np.array([3, 0, 1, 3])
    table = smooth(np.eye(5, dtype=dtype), label_smoothing)
    low, high = table[0, 1], table[0, 0]
    targets = OneHot(5, float(low), float(high)).targets(codes, dtype)
    assert targets.dtype == dtype
    assert_array_equal(targets, table[codes])
