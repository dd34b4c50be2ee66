"""Compiled kernels beside their references, and how near to them their numbers must be."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from skdeep import kernels
from skdeep.engine import executor

sizes = st.one_of(st.integers(1, 40), st.sampled_from([63, 64, 65, 100, 129, 300]))
seeds = st.integers(0, 2**32 - 1)
drawn = settings(max_examples=20, deadline=None)


def run_both(kernel, arguments, dtype, threads=1):
    """What the reference and the compiled kernel write: two dicts of arrays."""
    outcomes = []
    for run in (run_reference, run_native):
        copies = {
            name: value.copy() if isinstance(value, np.ndarray) else value
            for name, value in arguments.items()
        }
        run(kernel, copies, np.dtype(dtype), threads)
        outcomes.append({name: copies[name] for name in kernel.writes})
    return outcomes


def run_reference(kernel, arguments, dtype, threads):
    with np.errstate(all="ignore"):
        kernel(**arguments)


def run_native(kernel, arguments, dtype, threads):
    call = kernel, executor._checked(kernel, arguments, dtype)
    program = executor.NativeProgram([call], 0, dtype)._program
    assert not program.uses_python, f"{kernel.__name__} has no compiled version"
    program.run(threads)


def scratch(kernel, shape, dtype):
    """The scratch arguments of a kernel."""
    shapes = {
        name: shape
        for name in kernel.arguments
        if kernel.declared[name].is_array and kernel.declared[name].any_axes
    }
    shapes = shapes or dict.fromkeys(("z", "d_z"), shape)
    return {
        name: np.empty(shape, kernel.declared[name].dtype(dtype))
        for name, shape in kernels.scratch_shapes(kernel, shapes).items()
    }


def assert_near(actual, expected, scale, factor=1.0):
    """Within four units in the last place of numbers as large as `scale`.

    Compiled kernels take numbers below the normal ones for zero, also those that `factor`
    is multiplied with.
    """
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(expected))
    finite = np.isfinite(expected)
    error = np.abs(actual.astype(float) - expected.astype(float))[finite]
    scale = np.broadcast_to(np.abs(scale), expected.shape)[finite].astype(float)
    factor = np.broadcast_to(factor, expected.shape)[finite].astype(float)
    info = np.finfo(expected.dtype)
    bound = 4 * info.eps * scale + float(info.tiny) * factor
    if error.size:
        worst = np.argmax(error / bound)
        assert (error <= bound).all(), (error[worst], bound[worst])


def normal(seed, *shape, dtype):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)
