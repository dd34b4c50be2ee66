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
