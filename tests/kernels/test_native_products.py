"""Compiled products of matrices against their references, on every instruction set."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from instruction_sets import compiled_only, every_set, every_type, using
from native_kernels import assert_near, drawn, normal, run_both, seeds, sizes
from scipy.sparse import csr_array, random_array

from skdeep import kernels

pytestmark = compiled_only


@every_set
@every_type
@given(n=sizes, m=sizes, k=st.one_of(sizes, st.just(700)), bias=st.booleans(), seed=seeds)
@example(n=300, m=260, k=512, bias=True, seed=0)  # lines that crowd the cache
@example(n=600, m=512, k=256, bias=False, seed=0)
@example(n=208, m=800, k=600, bias=True, seed=0)  # more panels than are packed at a time
@example(n=300, m=90, k=1300, bias=True, seed=0)  # a left side in several blocks
@example(n=1, m=700, k=300, bias=True, seed=0)  # a row, and a right side that is far
@example(n=4, m=300, k=300, bias=False, seed=0)  # few steps, and a large result
@drawn
def test_products(instruction_set, dtype, n, m, k, bias, seed):
    x, w = normal(seed, n, k, dtype=dtype), normal(seed + 1, k, m, dtype=dtype)
    d = normal(seed + 2, n, m, dtype=dtype)
    b = normal(seed + 3, m, dtype=dtype) if bias else None
    shift = np.zeros(m, dtype) if b is None else b
    wide = [a.astype(np.longdouble) for a in (x, w, d, shift)]
    cases = [
        (
            kernels.dense_forward,
            {"x": x, "kernel": w, "bias": b, "out": np.empty((n, m), dtype)},
            lambda x, w, d, shift: x @ w + shift,
        ),
        (
            kernels.dense_backward_kernel,
            {"x": x, "d_out": d, "d_kernel": np.empty((k, m), dtype)},
            lambda x, w, d, shift: x.T @ d,
        ),
        (
            kernels.dense_backward_input,
            {"d_out": d, "kernel": w, "d_x": np.empty((n, k), dtype)},
            lambda x, w, d, shift: d @ w.T,
        ),
        (
            kernels.dense_backward_bias,
            {"d_out": d, "d_bias": np.empty(m, dtype)},
            lambda x, w, d, shift: d.sum(axis=0),
        ),
    ]
    for kernel, arguments, formula in cases:
        expected = formula(*wide).astype(dtype)
        scale = formula(*map(np.abs, wide))
        with using(instruction_set):
            one = run_both(kernel, arguments, dtype, threads=1)[1]
            two = run_both(kernel, arguments, dtype, threads=2)[1]
        (name,) = kernel.writes
        assert_near(one[name], expected, scale)
        assert np.array_equal(one[name], two[name])


@every_set
@every_type
@given(n=sizes, m=sizes, k=sizes, parts=st.integers(1, 4), seed=seeds)
@example(n=1, m=3, k=2, parts=4, seed=0)  # parts without rows
@drawn
def test_sums_of_parts(instruction_set, dtype, n, m, k, parts, seed):
    x, d = normal(seed, n, k, dtype=dtype), normal(seed + 1, n, m, dtype=dtype)
    arguments = {"x": x, "d_out": d, "sums": np.empty((parts, k + 1, m), dtype)}
    with using(instruction_set):
        reference, one = run_both(kernels.dense_sums, arguments, dtype)
        two = run_both(kernels.dense_sums, arguments, dtype, threads=2)[1]
        assert np.array_equal(one["sums"], two["sums"])
        with_ones = np.abs(np.column_stack((x, np.ones(n))))
        assert_near(one["sums"], reference["sums"], with_ones.T @ np.abs(d))
        sums = reference["sums"]
        for kernel, out, expected in (
            (kernels.dense_kernel_of_sums, {"d_kernel": np.empty((k, m), dtype)}, x.T @ d),
            (kernels.dense_bias_of_sums, {"d_bias": np.empty(m, dtype)}, d.sum(axis=0)),
        ):
            arguments = {"sums": sums, **out}
            reference, one = run_both(kernel, arguments, dtype)
            two = run_both(kernel, arguments, dtype, threads=2)[1]
            (name,) = out
            scale = np.abs(x).T @ np.abs(d) if name == "d_kernel" else np.abs(d).sum(axis=0)
            assert_near(one[name], expected, scale)
            assert_near(reference[name], expected, scale)
            assert np.array_equal(one[name], two[name])


@every_set
@every_type
@pytest.mark.parametrize("bias", [False, True])
def test_a_row_of_a_product_is_the_same_alone_and_among_others(
    instruction_set, dtype, bias
):
    n, m, k = 5, 1500, 301
    x, w = normal(0, n, k, dtype=dtype), normal(1, k, m, dtype=dtype)
    b = normal(2, m, dtype=dtype) if bias else None

    def product(x):
        arguments = {"x": x, "kernel": w, "bias": b, "out": np.empty((len(x), m), dtype)}
        return run_both(kernels.dense_forward, arguments, dtype)[1]["out"]

    with using(instruction_set):
        among_others = product(x)
        for i in range(n):
            assert np.array_equal(product(x[i : i + 1])[0], among_others[i])


@every_set
@every_type
@given(n=sizes, m=sizes, k=sizes, wide=st.booleans(), seed=seeds)
@drawn
def test_sparse_products(instruction_set, dtype, n, m, k, wide, seed):
    rng = np.random.default_rng(seed)
    x = random_array((n, k), density=0.3, format="csr", dtype=dtype, rng=rng)
    index_type = np.int64 if wide else np.int32
    sparse = {
        "values": x.data,
        "columns": x.indices.astype(index_type),
        "row_end": x.indptr[1:].astype(index_type),
    }
    w, b = normal(seed, k, m, dtype=dtype), normal(seed + 1, m, dtype=dtype)
    d = normal(seed + 2, n, m, dtype=dtype)
    size = abs(x)
    forward = sparse | {"kernel": w, "bias": b, "out": np.empty((n, m), dtype)}
    backward = sparse | {"d_out": d, "d_kernel": np.full((k, m), np.nan, dtype)}
    index = rng.integers(0, n, 7)
    gather = sparse | {
        "index": index,
        "values_out": np.zeros(7 * k, dtype),
        "columns_out": np.zeros(7 * k, index_type),
        "row_end_out": np.zeros(7, index_type),
    }
    with using(instruction_set):
        a, b_ = run_both(kernels.sparse_dense_forward, forward, dtype)
        assert_near(b_["out"], a["out"], size @ abs(w) + abs(b))
        a, b_ = run_both(kernels.sparse_dense_backward_kernel, backward, dtype, 2)
        assert_near(b_["d_kernel"], a["d_kernel"], size.T @ abs(d))
        a, b_ = run_both(kernels.gather_sparse_rows, gather, dtype)
        for name in a:
            assert np.array_equal(a[name], b_[name])


@every_set
@every_type
@given(n=sizes, m=st.integers(1, 20), k=st.one_of(sizes, st.just(700)), seed=seeds)
@drawn
def test_outputs_of_linear_models(instruction_set, dtype, n, m, k, seed):
    x = normal(seed, n, k, dtype=dtype)
    coef, b = normal(seed + 1, k, m, dtype=np.float64), normal(seed + 2, m, dtype=float)
    dense = {"x": x, "coef": coef[:, 0].copy(), "intercept": b[:1], "out": np.empty(n)}
    rows = csr_array(np.where(x > 0.5, x, 0))
    sparse = {"values": rows.data, "columns": rows.indices, "row_end": rows.indptr[1:]}
    sparse |= {"coef": coef, "intercept": b}
    sparse |= {"out": np.empty((n, m)), "misplaced": np.ones(n, bool)}
    with using(instruction_set):
        for threads in (1, 2):
            a, b_ = run_both(kernels.linear_output, dense, dtype, threads)
            assert_near(b_["out"], a["out"], abs(x).astype(float) @ abs(coef[:, 0]) + 9)
            a, b_ = run_both(kernels.sparse_linear_outputs, sparse, dtype, threads)
            assert_near(b_["out"], a["out"], abs(rows).astype(float) @ abs(coef) + 9)
            assert not b_["misplaced"].any() and not a["misplaced"].any()


@every_set
@every_type
@pytest.mark.parametrize("index_type", [np.int32, np.int64])
@pytest.mark.parametrize("place", [-1, 5, 6, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("m", [1, 3])
def test_columns_that_are_not_there_are_told_of(
    instruction_set, dtype, m, place, index_type
):
    rows = random_array((100, 5), density=0.6, format="csr", rng=0, dtype=dtype)
    columns, wrong = rows.indices.astype(index_type), np.zeros(100, bool)
    wrong[np.flatnonzero(np.diff(rows.indptr))[[0, 40, 41, -1]]] = True
    columns[rows.indptr[:-1][wrong]] = place
    arguments = {
        "values": rows.data,
        "columns": columns,
        "row_end": rows.indptr[1:].astype(index_type),
        "coef": normal(0, 5, m, dtype=float),
        "intercept": np.zeros(m),
        "out": np.empty((100, m)),
        "misplaced": np.empty(100, bool),
    }
    with using(instruction_set):
        a, b = run_both(kernels.sparse_linear_outputs, arguments, dtype)
    for results in (a, b):
        np.testing.assert_array_equal(results["misplaced"], wrong)
        np.testing.assert_array_equal(np.isnan(results["out"]).all(axis=1), wrong)
