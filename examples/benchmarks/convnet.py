"""Time per image of a training step of a convolutional network: skdeep and torch.

Run it with: python examples/benchmarks/convnet.py

The networks have convolutions of 3 x 3, each with relu and 2 x 2 max pooling, a dense
layer of 128 units with relu, and 10 outputs, trained by Adam: 32 and 64 filters on images
of 28 x 28 x 1, and 64, 128 and 128 on images of 32 x 32 x 3. skdeep is measured with fast
convolutions, and with direct ones as for SKDEEP_CONVOLUTION=direct.
Every time is that of whole epochs of a fit, as a user sees it, divided by the images seen;
the peers take turns, and the medians of all rounds are shown. torch is measured where it
is installed, with a plain loop and its fused Adam, in both of its memory layouts.
"""

import argparse
import warnings
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import numpy as np
from machine import cores, fma_peak, versions
from sklearn.exceptions import ConvergenceWarning

from skdeep import ConvNetClassifier
from skdeep.kernels import winograd

try:
    import torch
except ImportError:
    torch = None

HIDDEN, CLASSES = 128, 10


@dataclass(frozen=True)
class Case:
    """A network, its images and its batches."""

    side: int
    channels: int
    filters: tuple[int, ...]
    batch_size: int
    share: float = 1.0  # of the images

    def __str__(self):
        filters = ", ".join(map(str, self.filters))
        return f"{self.side} x {self.side}, ({filters}), batch {self.batch_size}"

    @property
    def units(self):
        """The numbers that the dense layers take."""
        return (self.side // 2 ** len(self.filters)) ** 2 * self.filters[-1]

    def flops_per_image(self):
        """Those of direct products: three for each layer, two for the first."""
        total, channels = 3 * 2 * (self.units * HIDDEN + HIDDEN * CLASSES), self.channels
        for depth, filters in enumerate(self.filters):
            product = 2 * (self.side // 2**depth) ** 2 * 9 * channels * filters
            total += (3 if depth else 2) * product
            channels = filters
        return total


CASES = (
    Case(28, 1, (32, 64), 64),
    Case(28, 1, (32, 64), 128),
    Case(32, 3, (64, 128, 128), 64, share=0.1),
)


def draw(case, n_images):
    """Noise, and classes without meaning: a step takes as long as on real images."""
    generator = np.random.default_rng(0)
    shape = (n_images, case.side, case.side, case.channels)
    images = generator.random(shape, dtype=np.float32)
    return images, generator.integers(CLASSES, size=n_images)


def prepare_skdeep(X, y, case, convolution):
    model = ConvNetClassifier(
        case.filters,
        hidden_layer_sizes=HIDDEN,
        batch_size=case.batch_size,
        weight_decay=0.0,
        weight_averaging=None,
        max_iter=1,
        warm_start=True,
        random_state=0,
    )

    def epoch():
        winograd.CONVOLUTION = convolution
        model.fit(X, y)

    return epoch


def prepare_torch(X, y, case, layout):
    torch.manual_seed(0)
    nn = torch.nn
    blocks, channels = [], case.channels
    for filters in case.filters:
        blocks += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels = filters
    model = nn.Sequential(
        *blocks,
        nn.Flatten(),
        nn.Linear(case.units, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, CLASSES),
    ).to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    images = torch.from_numpy(X).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    targets = torch.from_numpy(y)

    def epoch():
        order = torch.randperm(len(y))
        for start in range(0, len(y), case.batch_size):
            rows = order[start : start + case.batch_size]
            batch = images[rows].contiguous(memory_format=layout)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(batch), targets[rows]).backward()
            optimizer.step()

    return epoch


def measure(X, y, case, rounds):
    """The median seconds an image of each peer, which take turns."""
    peers = {
        "skdeep": prepare_skdeep(X, y, case, "fast"),
        "skdeep direct": prepare_skdeep(X, y, case, "direct"),
    }
    if torch is not None:
        layouts = {"torch": "contiguous_format", "torch channels last": "channels_last"}
        for name, layout in layouts.items():
            peers[name] = prepare_torch(X, y, case, getattr(torch, layout))
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
    print("microseconds an image of a training step; the share of the peak is that of")
    print("direct convolutions: fast ones multiply less\n")
    columns = ["skdeep", "skdeep direct", "torch", "torch channels last"]
    heads = [*columns, "times as fast", "peak"]
    print(f"{'':34}" + "".join(f"{head:>21}" for head in heads))
    for case in CASES:
        X, y = draw(case, max(int(case.share * arguments.images), case.batch_size))
        t = measure(X, y, case, arguments.rounds)
        ours = t["skdeep"]
        others = [seconds for name, seconds in t.items() if name.startswith("torch")]
        cells = [f"{1e6 * t[name]:.1f}" if name in t else "-" for name in columns]
        cells.append(f"{min(others) / ours:.2f}x" if others else "-")
        cells.append(f"{case.flops_per_image() / ours / peak:.0%}")
        print(f"{case!s:34}" + "".join(f"{cell:>21}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
