"""Compiled kernels on each instruction set that this processor has."""

from contextlib import contextmanager

import pytest

from skdeep.kernels import native

compiled_only = pytest.mark.skipif(
    native.extension is None, reason="the package was built without compiled kernels"
)
every_type = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_set = pytest.mark.parametrize(
    "instruction_set",
    native.extension.instruction_sets() if native.extension else ["none"],
)


@contextmanager
def using(instruction_set):
    """Let compiled kernels use an instruction set for a while."""
    before = native.extension.instruction_set()
    assert native.extension.select_instruction_set(instruction_set)
    try:
        yield
    finally:
        native.extension.select_instruction_set(before)
