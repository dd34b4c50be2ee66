"""What every kernel declares of itself is true: what it writes, and where it may be cut."""

import numpy as np
import pytest
from scipy.sparse import random_array

from skdeep import kernels

ROWS, WIDTH, LENGTH = 7, 4, 11
# Arguments by name: the shape of an array, or a number.
SHAPES = {
    **dict.fromkeys(
        ("z", "out", "d_out", "d_z", "x", "d_x", "target", "keep", "normalized", "source"),
        (ROWS, WIDTH),
    ),
    **dict.fromkeys(("weight", "losses", "share"), (ROWS,)),
    **dict.fromkeys(("kernel", "d_kernel"), (WIDTH, WIDTH)),
    **dict.fromkeys(
        (
            "bias",
            "d_bias",
            "scale",
            "shift",
            "d_scale",
            "d_shift",
            "inverse_deviation",
            "running_mean",
            "running_variance",
        ),
        (WIDTH,),
    ),
    "total": (1,),
}
# Those of kernels on images and signals, where they are others.
IMAGE, SMALL_IMAGE = (ROWS, 4, 5, WIDTH), (ROWS, 2, 3, WIDTH)
SIGNAL, CHANNEL = (ROWS, 5, WIDTH), (ROWS, WIDTH)
OF_FAMILY = {
    "convolution": {
        **dict.fromkeys(("x", "d_x"), IMAGE),
        **dict.fromkeys(("out", "d_out"), (ROWS, 2, 3, 6)),
        **dict.fromkeys(("kernel", "d_kernel"), (3, 2, WIDTH // 2, 6)),
        **dict.fromkeys(("bias", "d_bias"), (6,)),
        "work": kernels.convolution_scratch((3, 2, WIDTH // 2, 6), WIDTH, 3),
    },
    "global": {
        **dict.fromkeys(("x", "d_x", "mask"), SIGNAL),
        **dict.fromkeys(("out", "d_out", "work"), CHANNEL),
    },
    "spatial": {
        **dict.fromkeys(("x", "d_x", "out", "d_out"), SIGNAL),
        **dict.fromkeys(("keep", "mask", "uniform"), CHANNEL),
    },
    "layer_norm": {
        **dict.fromkeys(("x", "d_x", "out", "d_out", "normalized", "work"), SIGNAL),
        **dict.fromkeys(("inverse_deviation", "norm"), SIGNAL[:-1]),
    },
    "add": dict.fromkeys(("a", "b", "out"), CHANNEL),
}
AUGMENTED = {
    **dict.fromkeys(("x", "out"), IMAGE),
    "uniform": (ROWS, 2),
    **dict.fromkeys(("mask_1", "work_1"), IMAGE[:2]),
    **dict.fromkeys(("mask_2", "work_2"), (ROWS, IMAGE[2])),
    **dict.fromkeys(("mask_3", "work_3"), IMAGE[:3]),
}
OF_FAMILY |= {
    "shift": AUGMENTED,
    "cut_out": AUGMENTED,
    "flip": {"x": IMAGE, "out": IMAGE, "uniform": (ROWS,), "mask": (ROWS,)},
    "mix": dict.fromkeys(("target_out", "work_1", "work_2"), CHANNEL),
}
OF_FAMILY["max_pool"] = OF_FAMILY["average_pool"] = {
    **dict.fromkeys(("x", "d_x"), IMAGE),
    **dict.fromkeys(("out", "d_out", "largest", "mask", "work"), SMALL_IMAGE),
}
NUMBERS = {
    "alpha": 0.4,
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
    "beta_1": 0.9,
    "beta_2": 0.99,
    "decay": 0.9,
    "delta": 0.7,
    "epsilon": 1e-3,
    "gamma": 1.5,
    "layer": 2,
    "limit": 0.3,
    "max_norm": 0.5,
    "momentum": 0.8,
    "quantile": 0.3,
    "rate": 0.25,
    "rho": 0.9,
    "stream": kernels.PhiloxStream((1, 2)),
}
ALL = {
    name: kernel
    for name in kernels.__all__
    if hasattr(kernel := getattr(kernels, name), "axis")
} | {kernel.__name__: kernel for pair in kernels.ACTIVATIONS.values() for kernel in pair}
CUT = {name: kernel for name, kernel in ALL.items() if kernel.axis is not None}


def is_scratch(name):
    return name.startswith(("work", "mask", "uniform")) or name == "norm"


def shape_of(kernel, name):
    if kernel.axis == "parameters" or name in ("parameters", "gradient"):
        return (LENGTH,)
    for family, shapes in OF_FAMILY.items():
        if kernel.__name__.startswith(family) and name in shapes:
            return shapes[name]
    if name == "norm":
        return (ROWS,)
    if not is_scratch(name):
        return SHAPES[name]
    # batch normalization's scratch is as wide as its input, the others' as large
    narrow = kernel.__name__.startswith(("batch_norm", "limit_unit_norms"))
    return (WIDTH,) if narrow else (ROWS, WIDTH)


def draw(kernel, dtype=np.float64):
    """Arguments of a kernel by name: the same at every call."""
    generator = np.random.default_rng(0)
    sparse = random_array((ROWS, WIDTH), density=0.5, rng=0, format="csr", dtype=dtype)
    special = {
        "values": sparse.data,
        "columns": sparse.indices,
        "row_end": sparse.indptr[1:],
        "values_out": np.zeros(4 * ROWS, dtype),
        "columns_out": np.zeros(4 * ROWS, sparse.indices.dtype),
        "row_end_out": np.zeros(ROWS, sparse.indptr.dtype),
        "index": np.array([3, 0, 6, 3, 1, 5, 2]),
        "step": np.array([3]),
        "learning_rate": np.array([0.125]),
        "momentum_product": np.array([0.4]),
    }
    if kernel.__name__.endswith("coordinate_descent"):
        special |= {
            "sign": np.where(generator.random(ROWS) > 0.5, 1, -1).astype(dtype),
            **{
                name: generator.uniform(0.5, 1, ROWS).astype(dtype)
                for name in ("threshold", "limit", "ridge", "curvature")
            },
            "w": np.zeros(WIDTH + 1, dtype),
            "alpha": np.zeros(ROWS, dtype),
            "order": np.arange(ROWS),
            "progress": np.array([0, ROWS, 1, 0]),
            "state": np.array([np.inf, -np.inf, 0.0], dtype),
            "tol": 1e-12,
            "budget": np.array([2, 2 * ROWS]),
        }
    arguments = {}
    for name in kernel.arguments:
        if name in special and not isinstance(special[name], np.ndarray):
            arguments[name] = special[name]
        elif name in special:
            arguments[name] = special[name].copy()
        elif name in NUMBERS:
            arguments[name] = NUMBERS[name]
        elif kernel.__name__ == "rescale" and name == "scale":
            arguments[name] = 0.7
        elif name in ("source", "weight") and kernel.__name__ == "gather_weights":
            arguments[name] = generator.random(ROWS).astype(dtype)
        elif name == "out" and kernel.__name__ == "gather_weights":
            arguments[name] = np.zeros(ROWS, dtype)
        else:
            # positive, so that they may be sums of squares and targets of every loss
            values = generator.uniform(0.1, 0.9, shape_of(kernel, name)).astype(dtype)
            if name.startswith("mask"):
                values = values > 0.5
            if kernel.__name__ == "shift_images" and name.startswith("work"):
                values = np.zeros(values.shape, np.int64)
            if name == "largest":
                values = (4 * values).astype(np.uint8)
            arguments[name] = values.astype(np.float32) if name == "uniform" else values
    if kernel.__name__ == "global_max_pool_backward":
        arguments["out"] = arguments["x"].max(axis=1)
    return arguments


def results(kernel, arguments):
    return {name: arguments[name] for name in sorted(kernel.writes)}


each_kernel = pytest.mark.parametrize("name", sorted(ALL))


@each_kernel
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kernel_writes_nothing_but_what_it_declares(name, dtype):
    kernel = ALL[name]
    arguments = draw(kernel, dtype)
    before = {key: np.copy(arguments[key]) for key in kernel.writes}
    for key, value in arguments.items():
        if isinstance(value, np.ndarray) and key not in kernel.writes:
            value.flags.writeable = is_scratch(key)
    kernel(**arguments)
    changed = {key for key in before if not np.array_equal(before[key], arguments[key])}
    # a gradient is scratch to an optimizer's step, which may leave it as it is
    assert changed | {"gradient"} >= kernel.writes


@each_kernel
def test_scratch_may_hold_anything_before(name):
    kernel = ALL[name]
    clean, dirty = draw(kernel), draw(kernel)
    for key in filter(is_scratch, kernel.arguments):
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
