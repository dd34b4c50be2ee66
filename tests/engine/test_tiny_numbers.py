"""The moments of weights that never change fade to zero, and do not slow training down."""

import threading

import numpy as np
import pytest

from skdeep import kernels
from skdeep.engine.executor import bind
from skdeep.kernels import kernel, native
from skdeep.optimizers import Adam

pytestmark = pytest.mark.skipif(
    not native.ENABLED, reason="the NumPy kernels keep numbers below the normal ones"
)
TYPES = pytest.mark.parametrize("dtype", ["f4", "f8"])


def half(x):
    """Half of an array, as this thread computes it."""
    return np.multiply(x, np.float32(0.5))


@TYPES
def test_moments_of_a_weight_without_gradient_become_zero(dtype):
    n, tiny = 100, np.finfo(dtype).tiny
    arguments = {
        "parameters": np.ones(n, dtype),
        "gradient": np.zeros(n, dtype),
        "gradient_sum": np.full(n, 2 * tiny, dtype),
        "square_sum": np.full(n, 2 * tiny, dtype),
        "learning_rate": np.array([1e-3]),
        "step": np.array([1000]),
        "beta_1": 0.9,
        "beta_2": 0.9,
        "epsilon": 1e-8,
    }
    program = bind([(kernels.step_kernel(Adam()), arguments)], 0, dtype)
    for _ in range(10):
        program.run()
    assert np.all(arguments["gradient_sum"] == 0)
    assert np.all(arguments["square_sum"] == 0)


@TYPES
def test_normal_numbers_are_kept(dtype):
    x = np.array([np.finfo(dtype).tiny, -1.0, 1e-30], dtype)
    arguments = {"x": x, "scale": 1.0, "offset": 0.0, "out": np.empty_like(x)}
    bind([(kernels.rescale, arguments)], 3, dtype).run()
    assert np.array_equal(arguments["out"], x)


def test_pythons_own_mode_comes_back():
    """After a program, and in what it calls back, this thread keeps such numbers."""
    tiny = np.full((3, 1), np.finfo("f4").tiny)
    seen = []

    @kernel(None, writes="x")
    def look(x):
        seen.append(half(tiny))

    x, out = np.ones((3, 1), "f4"), np.empty((3, 1), "f4")
    rescale = {"x": x, "scale": 1.0, "offset": 0.0, "out": out}
    calls = [(kernels.rescale, rescale), (look, {"x": out}), (kernels.rescale, rescale)]
    program = bind(calls, 3, "f4")

    def work():
        program.run()
        seen.append(half(tiny))

    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(seen) == 4
    assert all((values > 0).all() for values in seen)


def test_the_mode_comes_back_after_an_error():
    @kernel(None, writes="x")
    def broken(x):
        raise ZeroDivisionError

    program = bind([(broken, {"x": np.ones(3)})], 3, "f8")
    with pytest.raises(ZeroDivisionError):
        program.run()
    assert half(np.finfo("f4").tiny) > 0
