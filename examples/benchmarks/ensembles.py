"""What an ensemble of networks gives, and what it takes beside scikit-learn's bagging.

Run it with: python examples/benchmarks/ensembles.py

The first table compares one network with the mean of several on data that come with
scikit-learn, by cross-validation: on each split the members are scored one by one, and
together. The second one times `EnsembleClassifier` and `BaggingClassifier(bootstrap=False)`
with as many members, on all samples alike; they take turns, and the least of all rounds is
shown.
"""

import argparse
import warnings
from functools import partial
from time import perf_counter

import joblib
import numpy as np
from machine import cores, settle, versions
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_friedman1,
    make_moons,
)
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import EnsembleClassifier, EnsembleRegressor, MLPClassifier, MLPRegressor

DATA = {
    "digits": load_digits,
    "breast cancer": load_breast_cancer,
    "wine": load_wine,
    "moons": lambda return_X_y: make_moons(1000, noise=0.3, random_state=0),
    "diabetes": load_diabetes,
    "Friedman 1": lambda return_X_y: make_friedman1(1000, noise=1.0, random_state=0),
}


def errors_of_classes(model, X, y):
    p = model.predict_proba(X)
    labels = model.classes_
    wrong = 1 - accuracy_score(y, labels[p.argmax(axis=1)])
    return {"wrong": wrong, "log loss": log_loss(y, p, labels=labels)}


def errors_of_numbers(model, X, y):
    return {"mean squared error": mean_squared_error(y, model.predict(X))}


def compare(name, arguments):
    """Print the errors of one network and of several, and the standard errors between."""
    X, y = DATA[name](return_X_y=True)
    classes = len(np.unique(y)) < 20
    if classes:
        network, kind, split = MLPClassifier(), EnsembleClassifier, RepeatedStratifiedKFold
    else:
        network = TransformedTargetRegressor(MLPRegressor(), transformer=StandardScaler())
        kind, split = EnsembleRegressor, RepeatedKFold
    measure = errors_of_classes if classes else errors_of_numbers
    model = kind(
        make_pipeline(StandardScaler(), network),
        n_members=arguments.members,
        random_state=0,
    )
    rows = []
    splits = split(n_splits=5, n_repeats=arguments.repeats, random_state=0)
    for train, test in splits.split(X, y):
        fitted = clone(model).fit(X[train], y[train])
        together = measure(fitted, X[test], y[test])
        alone = [measure(member, X[test], y[test]) for member in fitted.estimators_]
        rows.append(
            {key: (np.mean([a[key] for a in alone]), together[key]) for key in together}
        )
    for key in rows[0]:
        one, all_of_them = np.transpose([row[key] for row in rows])
        difference = (all_of_them - one).std(ddof=1) / np.sqrt(len(rows))
        print(
            f"{name:14} {key:19} {one.mean():10.4g} {all_of_them.mean():10.4g} "
            f"{all_of_them.mean() / one.mean() - 1:+8.1%} {difference / one.mean():10.1%}"
        )


def seconds(fit):
    start = perf_counter()
    fit()
    return perf_counter() - start


def time_them(arguments):
    """Print the least seconds of all rounds."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    network = MLPClassifier((100,), max_iter=arguments.epochs, n_iter_no_change=np.inf)
    bagging = BaggingClassifier(
        network, n_estimators=arguments.members, bootstrap=False, random_state=0
    )
    ensemble = EnsembleClassifier(network, n_members=arguments.members, random_state=0)

    def bag(backend, n_jobs):
        with joblib.parallel_config(backend, n_jobs=n_jobs):
            clone(bagging).fit(X, y)

    fits = {
        "one network": partial(clone(network).fit, X, y),
        "EnsembleClassifier": lambda: clone(ensemble).fit(X, y),
        "BaggingClassifier, one after the other": partial(bag, "threading", 1),
        "BaggingClassifier, in threads": partial(bag, "threading", cores()),
        "BaggingClassifier, in processes": partial(bag, "loky", cores()),
    }
    for fit in fits.values():
        fit()  # processes are started, and stay
    rounds = []
    for _ in range(arguments.rounds):
        settle()
        rounds.append([seconds(fit) for fit in fits.values()])
    for name, least in zip(fits, np.min(rounds, axis=0), strict=True):
        print(f"{name:40} {least:6.3f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=4, help="of five folds")
    parser.add_argument("--rounds", type=int, default=7, help="of the times")
    parser.add_argument("--epochs", type=int, default=100, help="of what is timed")
    parser.add_argument("--only", nargs="*", choices=[*DATA, "times"], default=None)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    chosen = arguments.only or [*DATA, "times"]
    print(versions("numpy", "scikit-learn"), f"{cores()} cores", sep=", ")
    if set(chosen) & set(DATA):
        print(f"\n{'':34} {'one':>10} {arguments.members:>10} {'change':>8}", end="")
        print(f" {'std. error':>10}")
    for name in chosen:
        if name in DATA:
            compare(name, arguments)
    if "times" in chosen:
        print(f"\n{arguments.members} members, digits, {arguments.epochs} epochs")
        time_them(arguments)


if __name__ == "__main__":
    main()
