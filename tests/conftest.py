"""What several tests need: real data, and where more of it may lie."""

import os
import signal
from pathlib import Path

# Tests run in as many processes as there are cores, so each gets one thread. It is read
# when NumPy is imported; tests of several threads ask for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A job in the background of a shell has interrupts ignored, and tests wait for them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pytest
from sklearn.datasets import load_digits


def pytest_addoption(parser):
    parser.addoption(
        "--random-configurations",
        type=float,
        metavar="SECONDS",
        help="search so long for configurations that fail, with new random numbers",
    )


@pytest.fixture(scope="session")
def digits():
    """Handwritten digits, scaled to [0, 1]."""
    X, y = load_digits(return_X_y=True)
    return X / 16, y


@pytest.fixture(scope="session")
def mnist():
    """The first 5,000 MNIST images as rows; a test that wants them is skipped without."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    path = Path(os.environ.get("SKDEEP_DATA", beside)) / "mnist.npz"
    if not path.exists():
        pytest.skip(f"no {path}: set SKDEEP_DATA to a folder with mnist.npz")
    with np.load(path) as data:
        X = data["X_train"][:5000].reshape(5000, -1).astype(np.float32) / 255
        return X, data["y_train"][:5000]
