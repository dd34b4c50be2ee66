"""The three products of a dense layer: skdeep's, NumPy's and torch's in one run.

Run it with: python examples/benchmarks/products.py

For a batch x of `rows` samples, a kernel W of `inputs` by `units` and a gradient g:
forward x W, the input's gradient g W.T and the kernel's gradient x.T g. The peers take
turns, each computes into memory that is there, and the shortest of all rounds counts.
Ratios are how many times as long a peer takes; below 1 skdeep is the slower one. skdeep's
products run as in training, many in one call; a call of NumPy's or torch's from Python
takes about a microsecond more, which the smallest shapes show.
"""

import argparse
from time import perf_counter

import numpy as np
from machine import cores, fma_peak, settle, versions
from threadpoolctl import threadpool_limits

from skdeep import kernels
from skdeep.engine import executor
from skdeep.engine.profile import seconds_of_steps

try:
    import torch
except ImportError:
    torch = None

# rows, inputs, units
SHAPES = [
    (1, 64, 100),
    (1, 2048, 2048),
    (16, 64, 64),
    (32, 32, 10),
    (32, 256, 256),
    (64, 1024, 1024),
    (128, 784, 100),
    (200, 64, 100),
    (200, 100, 10),
    (256, 256, 128),
    (256, 1024, 1024),
    (256, 2048, 2048),
    (1024, 128, 128),
    (4096, 64, 64),
    (4096, 512, 512),
    (4096, 1024, 10),
]
PRODUCTS = ("forward", "input's gradient", "kernel's gradient")


def compiled(name, x, kernel, d_out):
    """A product of skdeep's, as a function that does it so many times."""
    if name == "forward":
        out = np.empty_like(d_out)
        call = kernels.dense_forward, dict(x=x, kernel=kernel, bias=None, out=out)
    elif name == "input's gradient":
        named = dict(d_out=d_out, kernel=kernel, d_x=np.empty_like(x))
        call = kernels.dense_backward_input, named
    else:
        named = dict(x=x, d_out=d_out, d_kernel=np.empty_like(kernel))
        call = kernels.dense_backward_kernel, named
    bound = executor.bind([call], len(x), x.dtype)
    return lambda repeats: seconds_of_steps(bound, repeats)


def called(product, a, b, out):
    """A peer's product, in the same way."""

    def seconds(repeats):
        start = perf_counter()
        for _ in range(repeats):
            product(a, b, out=out)
        return (perf_counter() - start) / repeats

    return seconds


def operands(name, x, kernel, d_out):
    """The product's left and right side, and memory for the result."""
    if name == "forward":
        return x, kernel, np.empty_like(d_out)
    if name == "input's gradient":
        return d_out, kernel.T, np.empty_like(x)
    return x.T, d_out, np.empty_like(kernel)


def peers(name, shape, dtype):
    """Each peer's product, by its name."""
    rows, inputs, units = shape
    rng = np.random.default_rng(0)
    x, kernel, d_out = (
        rng.normal(size=size).astype(dtype)
        for size in ((rows, inputs), (inputs, units), (rows, units))
    )
    found = {"skdeep": compiled(name, x, kernel, d_out)}
    found["NumPy"] = called(np.matmul, *operands(name, x, kernel, d_out))
    if torch is not None:
        tensors = map(torch.from_numpy, operands(name, x, kernel, d_out))
        found["torch"] = called(torch.mm, *tensors)
    return found


def measure(name, shape, dtype, rounds, milliseconds):
    """The least seconds of each peer, which take turns."""
    products = peers(name, shape, dtype)
    for seconds in products.values():
        seconds(3)  # the first calls allocate
    repeats = {p: max(1, int(1e-3 * milliseconds / f(10))) for p, f in products.items()}
    best = dict.fromkeys(products, float("inf"))
    for _ in range(rounds):
        for peer, seconds in products.items():
            seconds(1)  # wake its threads, and let another's sleep
            best[peer] = min(best[peer], seconds(repeats[peer]))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--milliseconds", type=float, default=40, help="of a round")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, nargs="*", default=sorted({1, cores()}))
    arguments = parser.parse_args()
    print(versions("skdeep", "numpy", "torch"))
    for threads in arguments.threads:
        peak, how = fma_peak(arguments.dtype, threads)
        print(f"\n{threads} threads, {peak / 1e9:.0f} GFLOP/s in {arguments.dtype} ({how})")
        print(f"{'rows x inputs x units':24}{'':20}{'GFLOP/s':>9}{'NumPy':>8}{'torch':>8}")
        if torch is not None:
            torch.set_num_threads(threads)
        with threadpool_limits(threads):
            for shape in SHAPES:
                for name in PRODUCTS:
                    settle(0.02)
                    show(
                        shape,
                        name,
                        measure(
                            name,
                            shape,
                            arguments.dtype,
                            arguments.rounds,
                            arguments.milliseconds,
                        ),
                    )


def show(shape, name, t):
    """A line of the table."""
    rate = 2 * np.prod(shape, dtype=float) / t["skdeep"] / 1e9
    ratios = [f"{t[p] / t['skdeep']:.2f}x" if p in t else "-" for p in ("NumPy", "torch")]
    title = " x ".join(map(str, shape))
    print(f"{title:24}{name:20}{rate:9.1f}{ratios[0]:>8}{ratios[1]:>8}", flush=True)


if __name__ == "__main__":
    main()
