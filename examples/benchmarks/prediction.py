"""Time of `predict`: skdeep, scikit-learn and torch in one run.

Run it with: python examples/benchmarks/prediction.py

One row is what a web service asks for; 100,000 rows are what a nightly job asks for. The
peers take turns, and the medians of all rounds are shown. torch, where it is installed,
starts from the same NumPy array and ends with the classes as one.
"""

import argparse
import warnings
from statistics import median
from time import perf_counter, sleep

import numpy as np
from machine import cores, versions
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnMLP

from skdeep import MLPClassifier

try:
    import torch
except ImportError:
    torch = None

# rows, predictions timed together
CASES = [(1, 200), (100, 50), (100_000, 1)]


def as_torch(model):
    """The same network in torch."""
    layers = []
    for kernel, bias in zip(model.coefs_, model.intercepts_, strict=True):
        layer = torch.nn.Linear(*kernel.shape)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(kernel.T.copy()))
            layer.bias.copy_(torch.from_numpy(bias.copy()))
        layers += [layer, torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1]).eval()
    classes = model.classes_

    @torch.inference_mode()
    def predict(X):
        return classes[network(torch.from_numpy(X)).argmax(1).numpy()]

    return predict


def peers(hidden, dtype):
    """Each peer's `predict`, of networks fitted to the digits."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(dtype)
    arguments = dict(hidden_layer_sizes=hidden, max_iter=10, random_state=0)
    ours = MLPClassifier(**arguments).fit(X, y)
    predict = {
        "skdeep": ours.predict,
        "scikit-learn": SklearnMLP(**arguments).fit(X, y).predict,
    }
    if torch is not None:
        predict["torch"] = as_torch(ours)
    return X, predict


def seconds(predict, X, repeats):
    """The time of one prediction."""
    sleep(0.02)  # the threads of the last peer wait busily for a while
    start = perf_counter()
    for _ in range(repeats):
        predict(X)
    return (perf_counter() - start) / repeats


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rng = np.random.default_rng(0)
    print(versions("skdeep", "numpy", "scikit-learn", "torch"))
    print(f"{cores()} cores; float32, 64 features, hidden (100)")
    print("microseconds a prediction, and how many times as long the peers take\n")
    X, predict = peers((100,), np.float32)
    print(f"{'rows':>8}" + "".join(f"{name:>14}" for name in predict))
    for rows, repeats in CASES:
        batch = X[rng.integers(0, len(X), rows)]
        times = {name: [] for name in predict}
        for _ in range(arguments.rounds):
            for name, function in predict.items():
                times[name].append(seconds(function, batch, repeats))
        medians = {name: median(values) for name, values in times.items()}
        ours = medians.pop("skdeep")
        ratios = "".join(f"{time / ours:13.2f}x" for time in medians.values())
        print(f"{rows:8}{1e6 * ours:14.1f}{ratios}")


if __name__ == "__main__":
    main()
