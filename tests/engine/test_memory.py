"""What training allocates, and what it never copies."""

import tracemalloc

import numpy as np
import pytest
from sklearn.datasets import make_classification

from skdeep import MLPClassifier
from skdeep.engine import executor
from skdeep.kernels import native

# NumPy's iterators over broadcast operands, and handing pieces to another thread, take a
# few kilobytes and free them
PASSING = 16_000


@pytest.fixture
def step_peaks(monkeypatch):
    """The most memory that each training step held at a time, beyond what was there.

    The compiled executor runs all steps of an epoch in one call, which is measured.
    """
    kind, method = executor.ReferenceProgram, "_run_step"
    if native.ENABLED:
        kind, method = executor.NativeProgram, "run_epoch"
    peaks, step = [], getattr(kind, method)

    def measured(self, *arguments):
        if not tracemalloc.is_tracing():
            return step(self, *arguments)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        step(self, *arguments)
        after, peak = tracemalloc.get_traced_memory()
        peaks.append((peak - before, after - before))

    monkeypatch.setattr(kind, method, measured)
    return peaks


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": "full"},
        {"hidden_layer_sizes": (256, 256), "activation": "mish"},
        {"batch_norm": True, "dropout": 0.5, "input_dropout": 0.1, "optimizer": "nadam"},
        {"loss": "focal", "gradient_clip_norm": 1.0, "optimizer": "rmsprop"},
    ],
    ids=str,
)
def test_a_training_step_allocates_no_arrays(step_peaks, options):
    X, y = make_classification(2000, 20, n_informative=5, n_classes=3, random_state=0)
    model = MLPClassifier(max_iter=2, random_state=0, **options).fit(X, y)
    tracemalloc.start()
    try:
        model.set_params(max_iter=5).fit(X, y)
    finally:
        tracemalloc.stop()
    # the smallest array of a batch of 200 rows and 100 units is ten times as large
    assert max(peak for peak, _ in step_peaks[2:]) < PASSING
    assert np.median([kept for _, kept in step_peaks[2:]]) < 200


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [100, "full"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_contiguous_data_of_the_right_type_are_not_copied(
    dtype, batch_size, early_stopping
):
    X = np.random.default_rng(0).normal(size=(5000, 400)).astype(dtype)
    y = (X[:, 0] > 0).astype(int)
    model = MLPClassifier(
        (2,),
        batch_size=batch_size,
        early_stopping=early_stopping,
        max_iter=1,
        random_state=0,
    )
    model.fit(X, y)
    tracemalloc.start()
    try:
        model.fit(X, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * X.nbytes


def test_prediction_needs_memory_for_a_block_of_rows_only():
    X = np.random.default_rng(0).normal(size=(20_000, 20))
    y = (X[:, 0] > 0).astype(int)
    model = MLPClassifier((200,), max_iter=1, random_state=0).fit(X, y)
    tracemalloc.start()
    try:
        model.predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.2 * len(X) * 200 * 8
