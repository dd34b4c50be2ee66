"""What a benchmark needs to know of the machine: its data, its limit, its libraries."""

import ctypes
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import numpy as np

_FMA_LOOP = """
/* 12 independent chains of fused multiply-adds, enough to hide their latency. */
typedef {type} vector __attribute__((vector_size({bytes})));
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define DECLARE(i) vector x##i = b;
#define STEP(i) x##i = x##i * a + b;
#define HOLD(i) __asm__ volatile("" : "+v"(x##i));
#define ADD(i) b += x##i;
double run(long rounds) {{
    vector a, b;
    for (int j = 0; j < {lanes}; j++) {{ a[j] = 0.999f; b[j] = 0.001f; }}
    EACH(DECLARE)
    for (long r = 0; r < rounds; r++) {{ EACH(STEP) EACH(HOLD) }}
    EACH(ADD)
    return b[0];
}}
"""


def mnist(path):
    """Training images as rows of floats in [0, 1], and their digits; None without file."""
    path = Path(path) / "mnist.npz"
    if not path.exists():
        return None
    with np.load(path) as data:
        X = data["X_train"].reshape(len(data["X_train"]), -1)
        return X.astype(np.float32) / 255, data["y_train"]


def default_data():
    """Where the data is looked for, unless the user says otherwise."""
    root = Path(__file__).resolve().parents[2]
    return os.environ.get("SKDEEP_DATA", root.parent / "shared" / "data")


def cores():
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def settle(seconds=0.3):
    """Keep all cores busy, before a measurement.

    The threads of what was measured before stop waiting busily, and a virtual machine's
    cores, which share one of the host's while they are idle, get one each.
    """
    end = perf_counter() + seconds

    def work(_):
        numbers = np.ones(10_000)
        while perf_counter() < end:
            np.sin(numbers, out=numbers)

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, range(cores())))


def fma_peak(dtype, threads):
    """The most floating-point operations a second that `threads` cores can do.

    Measured with a loop of fused multiply-adds, compiled here; without a compiler it is
    the rate of a large matrix product, and the second value returned says so.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return _product_peak(dtype), "large matrix product (no C compiler)"
    itemsize = np.dtype(dtype).itemsize
    rates = []
    for width in (32, 64):
        source = _FMA_LOOP.format(
            type="float" if itemsize == 4 else "double",
            bytes=width,
            lanes=width // itemsize,
        )
        with tempfile.TemporaryDirectory() as folder:
            c, library = Path(folder, "fma.c"), Path(folder, "fma.so")
            c.write_text(source)
            command = [compiler, "-O3", "-march=native", "-ffp-contract=fast"]
            command += ["-shared", "-fPIC", "-o", library, c]
            if subprocess.run(command, capture_output=True).returncode:
                continue
            run = ctypes.CDLL(str(library)).run
            run.restype, run.argtypes = ctypes.c_double, [ctypes.c_long]
            rates.append(_rate(run, 2 * 12 * width // itemsize, threads))
    if not rates:
        return _product_peak(dtype), "large matrix product (the C compiler failed)"
    return max(rates), "loop of fused multiply-adds"


def _rate(run, flops_a_round, threads):
    rounds, best = 20_000_000, 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            start = perf_counter()
            list(pool.map(run, [rounds] * threads))
            seconds = perf_counter() - start
            best = max(best, threads * rounds * flops_a_round / seconds)
    return best


def _product_peak(dtype):
    a = np.ones((2048, 2048), dtype)
    out, best = np.empty_like(a), 0.0
    for _ in range(5):
        start = perf_counter()
        np.matmul(a, a, out=out)
        best = max(best, 2 * 2048**3 / (perf_counter() - start))
    return best


def versions(*names):
    """The versions of packages, as one line."""
    from importlib.metadata import PackageNotFoundError, version

    texts = []
    for name in names:
        try:
            texts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            texts.append(f"{name} not installed")
    return ", ".join(texts)
