"""What callbacks cost an epoch: none, one that does nothing, ProgressBar, Checkpoint.

Run it with: python examples/benchmarks/callbacks.py

The fits take turns, and each time of a fit with callbacks is compared with that of the
plain fit beside it. Shown are the medians over all rounds, and the middle half of them.
ProgressBar needs rich (``pip install "scikit-deep[progress]"``) and is skipped without it.
"""

import argparse
import io
import tempfile
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from time import perf_counter

import numpy as np
from machine import cores, versions
from sklearn.callback import ProgressBar
from sklearn.exceptions import ConvergenceWarning

from skdeep import MLPClassifier
from skdeep.callbacks import Checkpoint

# samples, features, hidden layers: epochs of half a millisecond, of about 15, and more
CASES = [(2_000, 20, (100,)), (10_000, 100, (200, 100)), (40_000, 100, (200, 100))]


class Nothing:
    """A callback that does nothing."""

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass


def seconds(X, y, hidden, epochs, callbacks):
    """The time of an epoch, from a whole fit."""
    model = MLPClassifier(hidden, max_iter=epochs, n_iter_no_change=epochs, random_state=0)
    model.set_callbacks(*callbacks)
    with redirect_stdout(io.StringIO()):
        start = perf_counter()
        model.fit(X, y)
        return (perf_counter() - start) / epochs


def measure(n, n_features, hidden, rounds, path):
    """Milliseconds of an epoch without callbacks, and what each kind adds, in percent."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, n_features)).astype(np.float32)
    y = rng.integers(0, 10, n)
    kinds = {
        "again": list,
        "nothing": lambda: [Nothing()],
        "ProgressBar": lambda: [ProgressBar()],
        "Checkpoint": lambda: [Checkpoint(path)],
    }
    try:
        ProgressBar()
    except ImportError:
        del kinds["ProgressBar"]
    once = seconds(X, y, hidden, 3, [])
    epochs = int(np.clip(0.7 / once, 10, 400))
    plain, added = [], {name: [] for name in kinds}
    for _ in range(rounds):
        for name, callbacks in kinds.items():
            before = seconds(X, y, hidden, epochs, [])
            here = seconds(X, y, hidden, epochs, callbacks())
            after = seconds(X, y, hidden, epochs, [])
            beside = (before + after) / 2
            plain.append(beside)
            added[name].append(100 * (here / beside - 1))
    return 1e3 * np.median(plain), added


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cases", type=int, default=len(CASES), help="the first so many")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"{versions('skdeep', 'numpy', 'scikit-learn', 'rich')}, {cores()} cores")
    print("an epoch without callbacks, and what they add to it: median (middle half)\n")
    for n, n_features, hidden in CASES[: arguments.cases]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "fit.checkpoint")
            plain, added = measure(n, n_features, hidden, arguments.rounds, path)
        print(f"{n:,} x {n_features}, {hidden}: {plain:.2f} ms")
        for name, percent in added.items():
            low, middle, high = np.percentile(percent, [25, 50, 75])
            print(f"  {name:12} {middle:+6.2f} % ({low:+.2f} to {high:+.2f})", flush=True)


if __name__ == "__main__":
    main()
