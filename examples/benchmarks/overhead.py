"""What a fit costs besides its training steps: validation, compiling, recording.

Run it with: python examples/benchmarks/overhead.py

The time of an epoch is the slope between fits of 5 and of 105 epochs; what is left of the
shorter fit is its overhead.
"""

import warnings
from statistics import median
from time import perf_counter

import numpy as np
from machine import versions
from sklearn.exceptions import ConvergenceWarning

from skdeep import MLPClassifier

ROUNDS = 31


def seconds(X, y, epochs):
    """The time of one fit."""
    model = MLPClassifier(max_iter=epochs, n_iter_no_change=epochs, tol=0, random_state=0)
    start = perf_counter()
    model.fit(X, y)
    return perf_counter() - start


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2000, 20)), rng.integers(0, 3, 2000)
    seconds(X, y, 5)
    overheads, fits = [], []
    for _ in range(ROUNDS):
        short, long = seconds(X, y, 5), seconds(X, y, 105)
        fits.append(short)
        overheads.append(short - 5 * (long - short) / 100)
    print(versions("skdeep", "numpy", "scikit-learn"))
    print(f"2,000 x 20, 5 epochs: fit {1e3 * median(fits):.2f} ms, of which")
    print(f"outside training steps {1e3 * median(overheads):.2f} ms")


if __name__ == "__main__":
    main()
