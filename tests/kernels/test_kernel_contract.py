"""What every kernel declares of itself is true: what it writes, and where it may be cut."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from all_kernels import ALL_KERNELS, WRITTEN_OUT
from scipy.sparse import random_array

from skdeep import kernels
from skdeep.engine import executor

pytestmark = pytest.mark.tiny

ROOT = Path(__file__).resolve().parents[2]

# The lengths of axes by their names; others are of length 4.
SIZES = {
    "rows": 7,
    "...": (5,),
    "parameters": 11,
    "n": 7,
    "in_columns": 5,
    "width": 5,
    "places": 5,
    "out_rows": 2,
    "out_columns": 3,
    "filters": 6,
    "window_rows": 3,
    "window_columns": 2,
    "group_channels": 2,
    "block": kernels.convolution_scratch((3, 2, 2, 6), 4, 3),
    "alphas": 7,
    "weights": 5,
    "room": 28,
    "classes": 7,
    "deep_inputs": 16,  # Winograd's convolution takes no fewer
    "deep_outputs": 17,
    "numbers": kernels.winograd_weights_shape(16, 17)[1],
    "positions": 5 * 36 * 16 * 17,
    "inputs_and_bias": 5,
    "features_and_bias": 5,
    "embedded": 20,  # four numbers become five columns each
    "replaced": 16,  # four codes become four columns each
}
ROWS, INPUTS = SIZES["rows"], 4
NUMBERS = {
    "alpha": 0.4,
    "scale": 0.7,
    "shift_gain": 1.5,
    "tol": 1e-12,
    "axis": 2,
    "dilation": (1, 2),
    "offset": 0.3,
    "padding": (1, 0),
    "pool_size": (2, 2),
    "probability": 0.6,
    "purpose": 5,
    "reach": (1, 2),
    "repeats": False,
    "size": (2, 3),
    "strides": (2, 2),
    "batch_size": ROWS,
    "before": 2.0,
    "beta_1": 0.9,
    "beta_2": 0.99,
    "decay": 0.9,
    "delta": 0.7,
    "epsilon": 1e-3,
    "gamma": 1.5,
    "layer": 2,
    "limit": 0.3,
    "low": 0.05,
    "high": 0.85,
    "max_norm": 0.5,
    "momentum": 0.8,
    "power": 1.3,
    "quantile": 0.3,
    "rate": 0.25,
    "rho": 0.9,
    "rounds": 3,
    "factor": 0.9,
    "summand": 0.05,
    "stream": kernels.PhiloxStream((1, 2)),
}
BY_HAND = {
    name: kernel
    for name, kernel in WRITTEN_OUT.items()
    if kernel in kernels.COMPILED and not hasattr(kernel, "formula")
}
CUT = {name: kernel for name, kernel in ALL_KERNELS.items() if kernel.axis is not None}


class Lengths(dict):
    def __missing__(self, axis):
        return 4


def draw(kernel, dtype=np.float64):
    """Arguments of a kernel by name, as it declares them: the same at every call."""
    generator = np.random.default_rng(0)
    sparse = random_array((ROWS, INPUTS), density=0.5, rng=0, format="csr", dtype=dtype)
    special = {
        "values": sparse.data,
        "columns": sparse.indices,
        "row_end": sparse.indptr[1:],
        "index": np.array([3, 0, 6, 3, 1, 5, 2]),
        "step": np.array([3]),
        "sign": np.where(generator.random(ROWS) > 0.5, 1, -1).astype(dtype),
        "w": np.zeros(INPUTS + 1, dtype),
        "order": np.arange(ROWS),
        "progress": np.array([0, ROWS, 1, 0]),
        "state": np.array([np.inf, -np.inf, 0.0], dtype),
        "budget": np.array([2, 2 * ROWS]),
        "starts": np.arange(INPUTS),
        "highest": np.zeros(INPUTS, np.int64),
    }
    descends = kernel.__name__.endswith("coordinate_descent")
    if descends:
        special["alpha"] = np.zeros(ROWS, dtype)
    arguments = {}
    for name in kernel.arguments:
        argument = kernel.declared[name]
        if not argument.is_array:
            arguments[name] = NUMBERS[name]
        elif name in special:
            arguments[name] = special[name].copy()
        else:
            arguments[name] = values_of(argument, generator, np.dtype(dtype))
    if kernel.__name__ == "global_max_pool_backward":
        arguments["out"] = arguments["x"].max(axis=1)
    executor._checked(kernel, arguments, np.dtype(dtype))
    return arguments


def values_of(argument, generator, dtype):
    # positive, so that they may be sums of squares and targets of every loss
    values = generator.uniform(0.1, 0.9, argument.shape(Lengths(SIZES)))
    kind = dtype if argument.kind == "any" else argument.dtype(dtype)
    if argument.kind == "bool":
        return values > 0.5
    return (values if np.dtype(kind).kind == "f" else 4 * values).astype(kind)


def results(kernel, arguments):
    return {name: arguments[name] for name in sorted(kernel.writes)}


each_kernel = pytest.mark.parametrize("name", sorted(ALL_KERNELS))


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_the_halves_of_a_kernel_lie_beside_each_other(name):
    # among the sources: an installed package has no C++
    module = inspect.getmodule(BY_HAND[name]).__name__
    half = ROOT.joinpath(*module.split(".")).with_suffix(".cpp")
    assert re.search(rf"\b{name}\b", half.read_text(encoding="utf-8"))


@each_kernel
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kernel_writes_nothing_but_what_it_declares(name, dtype):
    kernel = ALL_KERNELS[name]
    arguments = draw(kernel, dtype)
    before = {key: np.copy(arguments[key]) for key in kernel.writes}
    for key, value in arguments.items():
        if isinstance(value, np.ndarray) and key not in kernel.writes:
            value.flags.writeable = key in kernel.scratch
    kernel(**arguments)
    changed = {key for key in before if not np.array_equal(before[key], arguments[key])}
    # a gradient is scratch to an optimizer's step, which may leave it as it is
    assert changed | {"gradient"} >= kernel.writes


@each_kernel
def test_scratch_may_hold_anything_before(name):
    kernel = ALL_KERNELS[name]
    clean, dirty = draw(kernel), draw(kernel)
    for key in kernel.scratch:
        kind = dirty[key].dtype.kind
        dirty[key].fill({"b": True, "i": 99}.get(kind, np.nan))
    kernel(**clean)
    kernel(**dirty)
    for key, expected in results(kernel, clean).items():
        np.testing.assert_array_equal(dirty[key], expected)


@pytest.mark.parametrize("name", sorted(CUT))
def test_a_kernel_may_be_cut_along_its_axis(name):
    kernel = CUT[name]
    whole, parts = draw(kernel), draw(kernel)
    kernel(**whole)
    (length,) = {
        parts[key].shape[axis] for key, axis in kernel.split.items() if key in parts
    }
    total = {key: np.zeros_like(parts[key]) for key in kernel.writes}
    for piece in (slice(0, 2), slice(2, 3), slice(3, length)):
        kernel(
            **{
                key: value[(slice(None),) * kernel.split[key] + (piece,)]
                if key in kernel.split
                else value
                for key, value in parts.items()
            }
        )
        for key, value in total.items():
            value += parts[key]
    parts = total if kernel.axis == "sum" else parts
    for key, expected in results(kernel, whole).items():
        np.testing.assert_allclose(parts[key], expected, rtol=1e-12, err_msg=key)
