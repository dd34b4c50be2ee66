"""Compiled coordinate descent takes the same steps as the one in Python."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from instruction_sets import compiled_only, every_set, using
from scipy.sparse import random_array

from skdeep import kernels
from skdeep.engine import executor

pytestmark = compiled_only


def run_native(kernel, arguments):
    call = kernel, executor._checked(kernel, arguments, np.dtype("float64"))
    program = executor.NativeProgram([call], 0, np.float64)._program
    assert not program.uses_python
    program.run(1)


@every_set
@pytest.mark.parametrize("sparse", [False, True])
@given(
    n=st.integers(1, 30),
    d=st.integers(1, 40),
    copies=st.integers(1, 2),
    # several epochs only where they converge: rounding errors decide what is set aside
    ridge_epochs=st.sampled_from([(0.0, 1), (0.5, 1), (2.0, 60)]),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=15, deadline=None)
def test_steps_are_those_of_the_reference(
    instruction_set, sparse, n, d, copies, ridge_epochs, seed
):
    ridge, epochs = ridge_epochs
    generator = np.random.default_rng(seed)
    if sparse:
        X = random_array((n, d), density=0.3, rng=seed, format="csr")
        rows = {"values": X.data, "columns": X.indices, "row_end": X.indptr[1:]}
        kernel, X = kernels.sparse_coordinate_descent, X.toarray()
    else:
        X = generator.normal(size=(n, d)) / np.sqrt(d)
        rows, kernel = {"x": X}, kernels.coordinate_descent
    total = n * copies
    limit = np.full(total, np.inf) if ridge else generator.uniform(0.1, 2, total)
    shared = {
        **rows,
        "sign": np.where(generator.random(total) > 0.5, 1.0, -1.0),
        "threshold": generator.normal(1, 0.2, total),
        "limit": limit,
        "ridge": np.full(total, ridge),
        "curvature": np.tile((X**2).sum(axis=1), copies) + 0.1 + ridge,
        "rho": 0.1,
        "tol": 0.0,
        "budget": np.array([epochs, epochs * total]),
    }
    outcomes = []
    with using(instruction_set):
        for run in (lambda k, a: k(**a), run_native):
            changed = {
                "w": np.zeros(d + 1),
                "alpha": np.zeros(total),
                "order": np.arange(total),
                "progress": np.array([0, total, 7, 0]),
                "state": np.array([np.inf, -np.inf, 0.0]),
            }
            run(kernel, shared | changed)
            outcomes.append(changed)
    expected, actual = outcomes
    if epochs > 1:  # where all rows have one sign the balance ends after more epochs
        assume(abs(expected["state"][2]) <= 1e-12)
    else:
        np.testing.assert_array_equal(actual["order"], expected["order"])
    assert actual["progress"][0] <= epochs
    for name in ("w", "alpha", "state"):
        np.testing.assert_allclose(actual[name], expected[name], rtol=1e-9, atol=1e-9)


def test_visits_are_counted_and_end_a_run():
    X = np.eye(5)
    arguments = {
        "x": X,
        "sign": np.ones(5),
        "threshold": np.ones(5),
        "limit": np.full(5, 0.4),
        "ridge": np.zeros(5),
        "curvature": np.full(5, 2.0),
        "rho": 1.0,
        "tol": 0.0,
        "budget": np.array([100, 11]),
        "w": np.zeros(6),
        "alpha": np.zeros(5),
        "order": np.arange(5),
        "progress": np.array([0, 5, 7, 0]),
        "state": np.array([np.inf, -np.inf, 0.0]),
    }
    run_native(kernels.coordinate_descent, arguments)
    assert arguments["progress"][0] == 3
    assert arguments["state"][2] == pytest.approx(arguments["alpha"].sum())
