"""Scalers against scikit-learn's: seconds of fit and transform, and the memory of fit.

Run it with: python examples/benchmarks/scalers.py

The last table is of one row, as for a single prediction.

The table has 1,000,000 rows and 50 columns in float32; the two take turns, and the median
of the rounds is shown. Memory is the most that `fit` allocates on top of the table.
"""

import argparse
import tracemalloc
from statistics import median
from time import perf_counter

import numpy as np
import sklearn.preprocessing as theirs
from machine import cores, versions

from skdeep import preprocessing as ours

PAIRS = [
    ("StandardScaler", ours.StandardScaler(), theirs.StandardScaler()),
    ("MinMaxScaler", ours.MinMaxScaler(), theirs.MinMaxScaler()),
    ("MeanScaler", ours.MeanScaler(), None),
    ("MaxAbsScaler", ours.MaxAbsScaler(), theirs.MaxAbsScaler()),
    ("RobustScaler", ours.RobustScaler(), theirs.RobustScaler()),
    ("UnitNormScaler", ours.UnitNormScaler(), theirs.Normalizer()),
    ("LogScaler", ours.LogScaler(), None),
    ("QuantileScaler", ours.QuantileScaler(), theirs.QuantileTransformer()),
    (
        "QuantileScaler, subsample=50,000 each",
        ours.QuantileScaler(),
        theirs.QuantileTransformer(subsample=50_000),
    ),
    (
        "QuantileScaler, subsample=10,000 each",
        ours.QuantileScaler(subsample=10_000),
        theirs.QuantileTransformer(subsample=10_000),
    ),
]


def seconds(call, *arguments):
    start = perf_counter()
    call(*arguments)
    return perf_counter() - start


def times(scaler, peer, X, rounds):
    """Medians of fit and transform: ours, theirs."""
    table = {}
    for _ in range(rounds):
        for name, model in (("ours", scaler), ("theirs", peer)):
            if model is not None:
                table.setdefault((name, "fit"), []).append(seconds(model.fit, X))
                table.setdefault((name, "transform"), []).append(
                    seconds(model.transform, X)
                )
    return {key: median(values) for key, values in table.items()}


def fit_memory(scaler, X):
    """The MiB that fit allocates at most."""
    tracemalloc.start()
    scaler.fit(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def one_row(scaler, peer, X, calls=200, rounds=9):
    """Medians of the microseconds that transforming one row takes: ours, theirs."""
    row = X[:1].copy()
    table = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for name, model in (("ours", scaler), ("theirs", peer)):
            start = perf_counter()
            for _ in range(calls):
                model.transform(row)
            table[name].append((perf_counter() - start) / calls * 1e6)
    return median(table["ours"]), median(table["theirs"])


def print_one_row():
    print("one row of 30, microseconds of transform (scikit-learn's in brackets)")
    for dtype in (np.float32, np.float64):
        X = np.random.default_rng(0).standard_normal((2000, 30)).astype(dtype)
        for name, scaler, peer in PAIRS[:8]:
            if peer is not None:
                mine, its = one_row(scaler.fit(X), peer.fit(X), X)
                cells = f"{mine:6.0f} ({its:.0f})  ratio {mine / its:.2f}"
                print(f"{np.dtype(dtype).name} {name:20} {cells}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="scalers whose name contains this")
    options = parser.parse_args()
    X = np.random.default_rng(0).standard_normal((options.rows, 50), dtype=np.float32)
    print(versions("skdeep", "numpy", "scipy", "scikit-learn"), f"{cores()} cores")
    print(f"{options.rows} x 50 float32, seconds (scikit-learn's in brackets)")
    for name, scaler, peer in PAIRS:
        if options.only and options.only not in name:
            continue
        t = times(scaler, peer, X, options.rounds)
        cells = [
            f"{what} {t['ours', what]:.3f}"
            + (f" ({t['theirs', what]:.3f})" if peer is not None else "")
            for what in ("fit", "transform")
        ]
        print(f"{name:40} {'  '.join(cells)}  fit's memory {fit_memory(scaler, X):.0f} MiB")
    if not options.only:
        print_one_row()


if __name__ == "__main__":
    main()
