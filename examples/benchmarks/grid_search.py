"""Time of a grid search over small networks: skdeep and scikit-learn in one run.

Run it with: python examples/benchmarks/grid_search.py

24 candidates, 5 folds, two processes, on scikit-learn's digits in float32. The processes
are started before anything is timed; the peers take turns, and the medians are shown.
"""

import argparse
import os
import warnings
from statistics import median
from time import perf_counter

import numpy as np
from joblib import Parallel, delayed
from machine import cores, versions
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as SklearnMLP

from skdeep import MLPClassifier

SHARED = {
    "hidden_layer_sizes": [(32,), (64,), (64, 32)],
    "learning_rate_init": [1e-3, 3e-3],
    "alpha": [1e-4, 1e-2],
    "batch_size": [32, 128],
}
OURS = {"learning_rate_init": "learning_rate", "alpha": "weight_decay"}


def search(name, X, y, epochs):
    """The time of one search, and the best score."""
    arguments = dict(max_iter=epochs, n_iter_no_change=epochs, tol=0.0, random_state=0)
    if name == "skdeep":
        model = MLPClassifier(**arguments)
        grid = {OURS.get(key, key): values for key, values in SHARED.items()}
    else:
        model = SklearnMLP(**arguments)
        grid = SHARED
    start = perf_counter()
    found = GridSearchCV(model, grid, cv=5, n_jobs=2, refit=False).fit(X, y)
    return perf_counter() - start, found.best_score_


def silence():
    """Warnings of too few epochs are expected; processes started later inherit this."""
    os.environ["PYTHONWARNINGS"] = "ignore"
    warnings.simplefilter("ignore")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    silence()
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    for _ in range(2):  # start the processes, and let each import its library
        names = ["skdeep", "sklearn.neural_network"] * 4
        Parallel(n_jobs=2)(delayed(__import__)(name) for name in names)
    times = {"skdeep": [], "scikit-learn": []}
    scores = {}
    for _ in range(arguments.rounds):
        for name, values in times.items():
            taken, scores[name] = search(name, X, y, arguments.epochs)
            values.append(taken)
    print(versions("skdeep", "numpy", "scikit-learn"))
    print(f"{cores()} cores; 24 candidates x 5 folds, {arguments.epochs} epochs each")
    for name, values in times.items():
        print(f"{name:>14} {median(values):8.2f} s, best accuracy {scores[name]:.4f}")
    ratio = median(times["scikit-learn"]) / median(times["skdeep"])
    print(f"scikit-learn takes {ratio:.1f} times as long")


if __name__ == "__main__":
    main()
