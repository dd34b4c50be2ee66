"""Time per epoch of multilayer perceptrons: skdeep, scikit-learn and torch in one run.

Run it with: python examples/benchmarks/mlp.py

Every time is that of a whole `fit`, as a user sees it, divided by its epochs; the peers
take turns, and the medians of all rounds are shown. torch is measured where it is
installed, with a plain loop and its fused Adam.
"""

import argparse
import warnings
from itertools import pairwise
from statistics import median
from time import perf_counter

import numpy as np
from machine import cores, default_data, fma_peak, mnist, settle, versions
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnMLP

from skdeep import MLPClassifier

try:
    import torch
except ImportError:
    torch = None

# name, data, hidden layers, batch size, epochs of one fit
CASES = [
    ("digits (100), batch 200", "digits", (100,), 200, 40),
    ("digits (64, 32), batch 32", "digits", (64, 32), 32, 20),
    ("MNIST (100), batch 200", "mnist", (100,), 200, 3),
    ("MNIST (256, 128), batch 256", "mnist", (256, 128), 256, 3),
    ("MNIST (1024, 1024), batch 256", "mnist", (1024, 1024), 256, 1),
]


def fit_skdeep(X, y, hidden, batch_size, epochs):
    MLPClassifier(
        hidden,
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        random_state=0,
    ).fit(X, y)


def fit_sklearn(X, y, hidden, batch_size, epochs):
    SklearnMLP(
        hidden,
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        random_state=0,
    ).fit(X, y)


def fit_torch(X, y, hidden, batch_size, epochs):
    torch.manual_seed(0)
    sizes = [X.shape[1], *hidden]
    layers = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 10))
    optimizer = torch.optim.Adam(model.parameters(), weight_decay=1e-4, fused=True)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y.astype(np.int64))
    for _ in range(epochs):
        order = torch.randperm(len(X))
        for start in range(0, len(X), batch_size):
            rows = order[start : start + batch_size]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(inputs[rows]), targets[rows])
            loss.backward()
            optimizer.step()


def flops_per_epoch(n_samples, n_features, hidden):
    """Those of the matrix products: three for each layer, two for the first."""
    sizes = [n_features, *hidden, 10]
    products = [a * b for a, b in pairwise(sizes)]
    return n_samples * (6 * sum(products) - 2 * products[0])


def measure(X, y, hidden, batch_size, epochs, rounds):
    """The median seconds an epoch of each peer, which take turns."""
    double = X.astype(np.float64)
    peers = {
        "skdeep": lambda: fit_skdeep(X, y, hidden, batch_size, epochs),
        "scikit-learn": lambda: fit_sklearn(X, y, hidden, batch_size, epochs),
        "skdeep float64": lambda: fit_skdeep(double, y, hidden, batch_size, epochs),
        "scikit-learn float64": lambda: fit_sklearn(double, y, hidden, batch_size, epochs),
    }
    if torch is not None:
        peers["torch"] = lambda: fit_torch(X, y, hidden, batch_size, epochs)
    times = {name: [] for name in peers}
    for number in range(rounds + 1):
        for name, fit in peers.items():
            settle()
            start = perf_counter()
            fit()
            if number:  # the first round warms up
                times[name].append((perf_counter() - start) / epochs)
    return {name: median(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mnist-samples", type=int, default=20_000)
    parser.add_argument("--data", default=default_data(), help="folder of mnist.npz")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    peak, how = fma_peak(np.float32, cores())
    print(versions("skdeep", "numpy", "scikit-learn", "torch"))
    print(f"{cores()} cores, {peak / 1e9:.0f} GFLOP/s in float32 ({how})")
    print("milliseconds an epoch, and how many times as long the peers take\n")
    digits = load_digits(return_X_y=True)
    data = {"digits": (digits[0].astype(np.float32) / 16, digits[1])}
    images = mnist(arguments.data)
    if images is None:
        print(f"No mnist.npz in {arguments.data}: the MNIST cases are skipped.\n")
    else:
        n = arguments.mnist_samples
        data["mnist"] = images[0][:n], images[1][:n]

    columns = ["skdeep", "scikit-learn", "torch", "float64", "scikit-learn", "peak"]
    print(f"{'':30}" + "".join(f"{column:>14}" for column in columns))
    for name, source, hidden, batch_size, epochs in CASES:
        if source not in data:
            continue
        X, y = data[source]
        t = measure(X, y, hidden, batch_size, epochs, arguments.rounds)
        share = flops_per_epoch(*X.shape, hidden) / t["skdeep"] / peak
        cells = [
            f"{1e3 * t['skdeep']:.2f}",
            f"{t['scikit-learn'] / t['skdeep']:.2f}x",
            f"{t['torch'] / t['skdeep']:.2f}x" if "torch" in t else "-",
            f"{1e3 * t['skdeep float64']:.2f}",
            f"{t['scikit-learn float64'] / t['skdeep float64']:.2f}x",
            f"{share:.0%}",
        ]
        print(f"{name:30}" + "".join(f"{cell:>14}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
