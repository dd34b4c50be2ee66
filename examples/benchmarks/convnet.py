"""Time per image of a training step of a convolutional network: skdeep and torch.

Run it with: python examples/benchmarks/convnet.py

The network has 32 and 64 filters of 3 x 3, each with relu and 2 x 2 max pooling, a dense
layer of 128 units with relu, and 10 outputs, trained by Adam on images of 28 x 28 x 1.
Every time is that of whole epochs of a fit, as a user sees it, divided by the images seen;
the peers take turns, and the medians of all rounds are shown. torch is measured where it
is installed, with a plain loop and its fused Adam, in both of its memory layouts.
"""

import argparse
import warnings
from statistics import median
from time import perf_counter

import numpy as np
from machine import cores, fma_peak, versions
from sklearn.exceptions import ConvergenceWarning

from skdeep import ConvNetClassifier

try:
    import torch
except ImportError:
    torch = None

BATCH_SIZES = (64, 128)
SIDE, FILTERS, HIDDEN, CLASSES = 28, (32, 64), 128, 10


def draw(n_images):
    """Noise, and classes without meaning: a step takes as long as on real images."""
    generator = np.random.default_rng(0)
    images = generator.random((n_images, SIDE, SIDE, 1), dtype=np.float32)
    return images, generator.integers(CLASSES, size=n_images)


def prepare_skdeep(X, y, batch_size):
    model = ConvNetClassifier(
        FILTERS,
        hidden_layer_sizes=HIDDEN,
        batch_size=batch_size,
        weight_decay=0.0,
        weight_averaging=None,
        max_iter=1,
        warm_start=True,
        random_state=0,
    )
    return lambda: model.fit(X, y)


def prepare_torch(X, y, batch_size, layout):
    torch.manual_seed(0)
    nn = torch.nn
    places = (SIDE // 4) ** 2
    model = nn.Sequential(
        nn.Conv2d(1, FILTERS[0], 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(*FILTERS, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(FILTERS[1] * places, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, CLASSES),
    ).to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    images = torch.from_numpy(X).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    targets = torch.from_numpy(y)

    def epoch():
        order = torch.randperm(len(y))
        for start in range(0, len(y), batch_size):
            rows = order[start : start + batch_size]
            batch = images[rows].contiguous(memory_format=layout)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch), targets[rows]).backward()
            optimizer.step()

    return epoch


def flops_per_image():
    """Those of the products: three for each layer, two for the first."""
    first = SIDE**2 * 9 * FILTERS[0]
    second = (SIDE // 2) ** 2 * 9 * FILTERS[0] * FILTERS[1]
    dense = (SIDE // 4) ** 2 * FILTERS[1] * HIDDEN + HIDDEN * CLASSES
    return 2 * (2 * first + 3 * (second + dense))


def measure(X, y, batch_size, rounds):
    """The median seconds an image of each peer, which take turns."""
    peers = {"skdeep": prepare_skdeep(X, y, batch_size)}
    if torch is not None:
        layouts = {"torch": "contiguous_format", "torch channels last": "channels_last"}
        for name, layout in layouts.items():
            peers[name] = prepare_torch(X, y, batch_size, getattr(torch, layout))
    times = {name: [] for name in peers}
    for number in range(rounds + 1):
        for name, epoch in peers.items():
            start = perf_counter()
            epoch()
            if number:  # the first round warms up
                times[name].append((perf_counter() - start) / len(X))
    return {name: median(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=6400)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    peak, how = fma_peak(np.float32, cores())
    print(versions("skdeep", "numpy", "scikit-learn", "torch"))
    print(f"{cores()} cores, {peak / 1e9:.0f} GFLOP/s in float32 ({how})")
    print("microseconds an image of a training step; the share of the peak\n")
    columns = ["skdeep", "torch", "torch channels last", "times as fast", "peak"]
    print(f"{'':12}" + "".join(f"{column:>21}" for column in columns))
    X, y = draw(arguments.images)
    for batch_size in BATCH_SIZES:
        t = measure(X, y, batch_size, arguments.rounds)
        ours, others = t["skdeep"], [v for name, v in t.items() if name != "skdeep"]
        cells = [f"{1e6 * t[name]:.1f}" if name in t else "-" for name in columns[:3]]
        cells.append(f"{min(others) / ours:.2f}x" if others else "-")
        cells.append(f"{flops_per_image() / ours / peak:.0%}")
        label = f"batch {batch_size}"
        print(f"{label:12}" + "".join(f"{cell:>21}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
