"""What both executors promise: the names of scratch memory, and one order of an epoch."""

import pytest

from skdeep.executor import is_scratch


@pytest.mark.parametrize("name", ["work", "work_2", "mask", "norm", "uniform"])
def test_scratch_memory_goes_by_its_name(name):
    assert is_scratch(name)


@pytest.mark.parametrize("name", ["normalized", "weight", "x", "masked_rows"])
def test_other_arguments_are_not_scratch(name):
    assert not is_scratch(name)
