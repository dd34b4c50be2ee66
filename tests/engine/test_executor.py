"""What both executors promise: what is scratch memory is what a kernel declares."""

import numpy as np
import pytest

from skdeep import kernels
from skdeep.engine import executor
from skdeep.engine.program import ROWS, Buffer, Calls, Scope
from skdeep.kernels import kernel

pytestmark = pytest.mark.tiny


def test_scratch_memory_is_provided_as_it_is_declared():
    @kernel("rows", writes="out", scratch="spare", x="rows n", spare="int64: n", out="rows")
    def sums(x, spare, out):
        pass

    calls, x = Calls(), Buffer("x", (ROWS, 6))
    Scope("", calls).call(sums, x=x, out=Buffer("out", (ROWS,)))
    spare = calls[0].arguments["spare"]
    assert (spare.shape, spare.dtype) == ((6,), np.int64)


@pytest.mark.parametrize("name", ["work", "mask", "norm", "uniform"])
def test_a_name_alone_makes_no_argument_scratch(name):
    function = eval(f"lambda x, {name}, out: None")  # an argument of this name
    function.__name__ = "copy"
    copy = kernel("rows", writes="out", x="rows", out="rows")(function)
    with pytest.raises(TypeError, match=f"copy needs '{name}'"):
        Scope("", Calls()).call(copy, x=Buffer("x", (ROWS,)), out=Buffer("out", (ROWS,)))


def test_compiled_kernels_declare_all_of_their_arguments():
    for compiled in kernels.COMPILED:
        assert set(compiled.declared) == set(compiled.arguments)


def test_a_step_reads_the_arrays_it_was_bound_to():
    x, out = np.ones((3, 2)), np.zeros((3, 2))
    arguments = {"x": x, "scale": 2.0, "offset": 1.0, "out": out}
    bound = executor.bind([(kernels.rescale, arguments)], 3, np.float64)
    x[...] = 5
    bound.run()
    assert np.all(out == 11)
