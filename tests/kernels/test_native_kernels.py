"""Every compiled kernel against its reference, in both types, on every instruction set."""

import math

import numpy as np
import pytest
from all_kernels import ALL_KERNELS, LOSS_KERNELS, STEP_KERNELS
from hypothesis import example, given, settings
from hypothesis import strategies as st
from instruction_sets import compiled_only, every_set, every_type, using
from native_kernels import (
    assert_near,
    drawn,
    normal,
    run_both,
    run_reference,
    scratch,
    seeds,
    sizes,
)
from scipy.special import ndtr

from skdeep import kernels
from skdeep.formulas import cos, sin
from skdeep.kernels import COMPILED, native
from skdeep.layers import prelu

pytestmark = compiled_only


def test_all_kernels_are_compiled():
    missing = {name for name, kernel in ALL_KERNELS.items() if kernel not in COMPILED}
    assert missing == {"mix_up"}  # NumPy's own algorithms draw its numbers
    assert set(COMPILED.values()) <= set(native.extension.kernel_names())


# --- the peak -------------------------------------------------------------------------


@every_set
@every_type
@given(n=sizes, m=sizes, rounds=st.integers(0, 50))
@drawn
def test_repeated_multiply_adds_are_a_geometric_sum(instruction_set, dtype, n, m, rounds):
    x = normal(0, n, m, dtype=dtype)
    arguments = {"x": x, "factor": 0.5, "summand": 1.0, "rounds": rounds}
    with using(instruction_set):
        reference, ours = run_both(kernels.multiply_add, arguments, dtype)
    expected = 0.5**rounds * x + 2 * (1 - 0.5**rounds)
    for found in (reference, ours):
        np.testing.assert_allclose(found["x"], expected, rtol=1e-5, atol=1e-6)


# --- activations ----------------------------------------------------------------------


def awkward(seed, n, m, dtype):
    """Numbers of all sizes, with zeros, infinities and subnormal ones."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, m)) * 10.0 ** rng.integers(-8, 3, (n, m))
    special = [0.0, -0.0, 1e-42, 88.5, -88.5, 709.5, -745.0, -104.5, 1e30, -1e30]
    flat = z.reshape(-1)
    flat[: min(len(special), flat.size)] = special[: flat.size]
    return z.astype(dtype)


# Where terms cancel each other the error is as large as a term's: the derivatives of
# gelu, silu and mish cross zero, that of tanh is 1 less its square.
_TERMS = {"gelu_backward", "mish_backward", "silu_backward", "tanh_backward"}


def exact(kernel, arguments, dtype):
    """What the reference writes, from numbers of double precision and none too small."""
    with np.errstate(invalid="ignore"):  # what is to be written is anything yet
        wide = {
            name: np.where(np.abs(value) < np.finfo(dtype).tiny, 0, value).astype(float)
            if getattr(value, "dtype", None) == dtype
            else value
            for name, value in arguments.items()
        }
    run_reference(kernel, wide, None, None)
    (name,) = kernel.writes
    with np.errstate(over="ignore", under="ignore"):
        return wide[name].astype(dtype)


@every_set
@every_type
@pytest.mark.parametrize("name", sorted(kernels.ACTIVATIONS))
@given(n=sizes, m=sizes, seed=seeds)
@settings(max_examples=8, deadline=None)
def test_activations(instruction_set, dtype, name, n, m, seed):
    forward, backward = kernels.ACTIVATIONS[name]
    z, d_out = awkward(seed, n, m, dtype), normal(seed, n, m, dtype=dtype)
    arguments = {"z": z} | scratch(forward, z.shape, dtype) | {"out": np.empty_like(z)}
    # a unit below the normal numbers is multiplied by z; far out, gelu's exponent loses
    # as many units as it is large, and SciPy's normal distribution function and the C
    # library's some anywhere: against 40 digits both are up to 10 units off at 4
    size = np.abs(z).astype(float)
    smallest = np.finfo(dtype).tiny * np.maximum(1, size)
    loss = np.maximum(4, np.minimum(size, 50) ** 2) if name == "gelu" else 1.0
    # SciPy takes the normal distribution function for zero below its normal numbers
    usual = size < (37 if name == "gelu" else 1e4)
    with using(instruction_set):
        out = exact(forward, arguments, np.dtype(dtype))
        actual = run_both(forward, arguments, dtype)[1]["out"]
        scale = loss * np.abs(out) + smallest
        factor = np.maximum(1, size)
        assert_near(actual[usual], out[usual], scale[usual], factor[usual])
        available = {"z": z, "out": out, "d_out": d_out, "d_z": np.empty_like(z)}
        available |= scratch(backward, z.shape, dtype)
        arguments = {k: available[k] for k in backward.arguments}
        expected = exact(backward, arguments, np.dtype(dtype))
        actual = run_both(backward, arguments, dtype)[1]["d_z"]
    term = np.abs(d_out) * np.maximum(1, size)
    scale = term if backward.__name__ in _TERMS else loss * np.abs(expected)
    factor = 4 * factor * np.maximum(1, np.abs(d_out))
    assert_near(actual[usual], expected[usual], (scale + smallest)[usual], factor[usual])


def angles(seed, dtype):
    """Angles of all sizes, and those next to quarter turns, where a digit counts most."""
    rng = np.random.default_rng(seed)
    quarters = rng.integers(-8000, 8000, 400) * (math.pi / 2)
    sizes = 10.0 ** rng.uniform(-8, 7, 1000)
    special = [0.0, -0.0, 1e-30, 12000.0, 12000.1, 1e6, 1e6 + 1, 1e30, -1e38]
    x = np.concatenate([quarters, sizes * rng.choice([-1, 1], 1000), special])
    return x.astype(dtype)


@every_set
@every_type
@pytest.mark.parametrize("function, exact", [(cos, math.cos), (sin, math.sin)])
@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_sines_and_cosines(instruction_set, dtype, function, exact, seed):
    kernel, _ = kernels.activation_kernels(function.__name__, function)
    z = angles(seed, dtype).reshape(1, -1)
    expected = np.array([[exact(value) for value in z[0].tolist()]])
    arguments = {"z": z, "out": np.empty_like(z)}
    with using(instruction_set):
        out = run_both(kernel, arguments, dtype)[1]["out"].astype(float)
    assert (np.abs(out - expected) <= 2 * np.finfo(dtype).eps * np.abs(expected)).all()
    assert (np.abs(out) <= 1).all()


@every_set
@every_type
def test_sines_of_what_is_not_finite_are_nan(instruction_set, dtype):
    z = np.array([[np.nan, np.inf, -np.inf, 1.0]], dtype)
    for function in (sin, cos):
        kernel, _ = kernels.activation_kernels(function.__name__, function)
        with using(instruction_set):
            out = run_both(kernel, {"z": z, "out": np.empty_like(z)}, dtype)[1]["out"]
        np.testing.assert_array_equal(np.isnan(out), [[True, True, True, False]])


@every_set
@every_type
@pytest.mark.parametrize("name", sorted(kernels.ACTIVATIONS))
def test_activations_keep_nan(instruction_set, dtype, name):
    forward, _ = kernels.ACTIVATIONS[name]
    z = np.full((3, 5), np.nan, dtype)
    arguments = {"z": z} | scratch(forward, z.shape, dtype) | {"out": np.zeros_like(z)}
    with using(instruction_set):
        assert np.isnan(run_both(forward, arguments, dtype)[1]["out"]).all()


@every_set
@every_type
@given(n=sizes, m=sizes, places=st.sampled_from([(), (1,), (3,), (2, 5)]), seed=seeds)
@drawn
def test_trained_slopes(instruction_set, dtype, n, m, places, seed):
    z, d_out = (normal(seed + i, n, *places, m, dtype=dtype) for i in range(2))
    z[::3] = np.abs(z[::3])
    available = {
        "z": z,
        "d_out": d_out,
        "slope": normal(seed + 2, m, dtype=dtype),
        "out": np.empty_like(z),
        "d_z": np.empty_like(z),
        "d_slope": np.empty(m, dtype),
        "mask": np.empty(z.shape, bool),
        "work": np.empty_like(z),
    }
    largest = np.abs(np.minimum(z, 0) * d_out).reshape(-1, m).sum(axis=0)
    for kernel, scale in (
        (prelu.prelu_forward, np.abs(z)),
        (prelu.prelu_backward_input, np.abs(d_out)),
        (prelu.prelu_backward_slope, largest),
    ):
        arguments = {name: available[name] for name in kernel.arguments}
        with using(instruction_set):
            a, b = run_both(kernel, arguments, dtype)
        (name,) = kernel.writes
        assert_near(b[name], a[name], np.maximum(scale, np.abs(a[name])))


# --- embeddings -----------------------------------------------------------------------


@every_set
@every_type
@given(
    n=sizes,
    features=st.integers(1, 20),
    rest=st.integers(0, 5),
    k=st.sampled_from([1, 3, 8, 15, 16, 17, 33]),
    units=st.integers(1, 9),
    seed=seeds,
)
@drawn
def test_periodic_embeddings(instruction_set, dtype, n, features, rest, k, units, seed):
    inputs, embedded = features + rest, features * (units + 1) + rest
    waves = (n, features, k)
    given = {
        "x": normal(seed, n, inputs, dtype=dtype),
        "frequencies": 4 * normal(seed + 1, features, k, dtype=dtype),
        "phases": normal(seed + 2, features, k, dtype=dtype),
        "kernel": normal(seed + 3, features, k, units, dtype=dtype),
        "bias": normal(seed + 4, features, units, dtype=dtype),
        "d_out": normal(seed + 5, n, embedded, dtype=dtype),
    }
    available = given | {
        "cosines": np.empty(waves, dtype),
        "sines": np.empty(waves, dtype),
        "out": np.empty((n, embedded), dtype),
        "d_angles": np.empty(waves, dtype),
        "d_frequencies": np.empty((features, k), dtype),
        "d_phases": np.empty((features, k), dtype),
        "d_kernel": np.empty((features, k, units), dtype),
        "d_bias": np.empty((features, units), dtype),
        "d_x": np.empty((n, inputs), dtype),
        "work": np.empty(waves, dtype),
        "shift": np.empty(embedded, dtype),
    }
    size = {name: np.abs(value).astype(float) for name, value in given.items()}
    turned = size["x"][:, :features, None] * size["frequencies"] + 4
    d_sums = size["d_out"][:, : features * (units + 1)].reshape(n, features, -1)[..., :-1]
    d_angles = np.einsum("ijo,jko->ijk", d_sums, size["kernel"]) + 1
    numbers = size["x"][:, :features]
    # of each kernel, the sum of the absolute values of the terms
    scales = {
        "cosines": turned,
        "sines": turned,
        "out": np.einsum("ijk,jko->ijo", turned, size["kernel"]).max(initial=0)
        + size["bias"].max()
        + size["x"].max(),
        "d_angles": d_angles,
        "d_frequencies": np.einsum("ij,ijk->jk", numbers, d_angles),
        "d_phases": d_angles.sum(axis=0),
        "d_kernel": d_sums.sum(axis=0).max() + 1,
        "d_bias": d_sums.sum(axis=0),
        "d_x": np.einsum("ijk,jk->ij", d_angles, size["frequencies"]).max()
        + size["d_out"].max(),
    }
    for kernel in (
        kernels.periodic_embedding_forward,
        kernels.periodic_embedding_backward_angles,
        kernels.periodic_embedding_backward_parameters,
        kernels.periodic_embedding_backward_input,
    ):
        arguments = {name: available[name] for name in kernel.arguments}
        with using(instruction_set):
            a, b = run_both(kernel, arguments, dtype, threads=2)
            one = run_both(kernel, arguments, dtype)[1]
        for name in kernel.writes:
            assert_near(b[name], a[name], scales[name])
            np.testing.assert_array_equal(one[name], b[name])
        available |= a


@every_set
@every_type
@given(
    n=sizes,
    numbers=st.integers(0, 5),
    categories=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    units=st.integers(1, 20),
    seed=seeds,
)
@drawn
def test_embeddings_of_categories(
    instruction_set, dtype, n, numbers, categories, units, seed
):
    rng = np.random.default_rng(seed)
    columns, total = len(categories), sum(categories)
    codes = rng.integers(-2, np.array(categories) + 2, (n, columns)).astype(float)
    odd = rng.random((n, columns)) < 0.1
    codes[odd] = rng.choice([0.5, np.nan, np.inf, -np.inf, 1e30, -1e30], odd.sum())
    available = {
        "x": np.hstack([rng.normal(size=(n, numbers)), codes]).astype(dtype),
        "kernel": normal(seed + 1, total, units, dtype=dtype),
        "starts": np.cumsum(categories) - categories,
        "highest": np.array(categories) - 1,
        "places": np.empty((n, columns), np.int64),
        "out": np.empty((n, numbers + columns * units), dtype),
        "d_out": normal(seed + 2, n, numbers + columns * units, dtype=dtype),
        "d_kernel": np.empty((total, units), dtype),
        "d_x": np.empty((n, numbers + columns), dtype),
        "work": np.empty((n, columns), dtype),
        "known": np.empty((n, columns), np.int64),
        "unknown": np.empty((n, columns), bool),
        "vectors": np.empty((n, columns, units), dtype),
    }
    for kernel in (
        kernels.embedding_forward,
        kernels.embedding_backward_kernel,
        kernels.embedding_backward_input,
    ):
        arguments = {name: available[name] for name in kernel.arguments}
        with using(instruction_set):
            a, b = run_both(kernel, arguments, dtype, threads=2)
        for name in kernel.writes:  # sums are of the same terms in the same order
            np.testing.assert_array_equal(a[name], b[name])
        available |= a


# --- losses ---------------------------------------------------------------------------

_SOFTMAX = ["softmax_cross_entropy", "softmax_focal", "softmax_kl_divergence"]
_BINARY = ["sigmoid_cross_entropy", "sigmoid_focal", "hinge", "squared_hinge"]
_SETTINGS = {"gamma": 2.0, "delta": 0.7, "quantile": 0.3, "epsilon": 0.4, "power": 1.3}


@every_set
@every_type
@pytest.mark.parametrize("name", [*_SOFTMAX, *sorted(LOSS_KERNELS)])
@given(n=sizes, m=sizes, weighs=st.booleans(), seed=seeds)
@settings(max_examples=8, deadline=None)
def test_losses(instruction_set, dtype, name, n, m, weighs, seed):
    kernel = ALL_KERNELS[name]
    rng = np.random.default_rng(seed)
    z = (rng.normal(size=(n, m)) * 3).astype(dtype)
    if name in _SOFTMAX:
        target = rng.dirichlet(np.full(m, 0.5), n).astype(dtype)
    elif name in _BINARY:
        target = rng.integers(0, 2, (n, m)).astype(dtype)
    else:
        target = rng.poisson(2.0, (n, m)).astype(dtype)
    available = {
        "z": z,
        "target": target,
        "weight": rng.uniform(size=n).astype(dtype),
        "losses": np.empty(n, dtype),
        "d_z": np.empty_like(z),
        "label_weight": rng.uniform(size=(2, m)).astype(dtype) if weighs else None,
        **_SETTINGS,
        **scratch(kernel, z.shape, dtype),
    }
    with using(instruction_set):
        a, b = run_both(kernel, {k: available[k] for k in kernel.arguments}, dtype)
    # the largest term of a row's loss, and of its gradient
    largest = np.maximum(1, np.abs(z).max(axis=1)) + np.exp(np.minimum(z, 20)).max(axis=1)
    largest = largest * np.maximum(1, np.abs(target).max(axis=1)) ** 2
    if name == "tweedie":  # its terms are divided by (1 - power) (2 - power)
        largest = largest / 0.21
    assert_near(b["losses"], a["losses"], np.maximum(abs(a["losses"]), largest))
    scale = largest * available["weight"]
    assert_near(b["d_z"], a["d_z"], scale[:, np.newaxis])


@every_set
@every_type
def test_losses_of_extreme_logits(instruction_set, dtype):
    z = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4], [0, 700, -700]], dtype)
    target = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype)
    for name in ("softmax_cross_entropy", "sigmoid_cross_entropy"):
        kernel = ALL_KERNELS[name]
        available = {
            "z": z,
            "target": target,
            "weight": np.ones(3, dtype),
            "losses": np.empty(3, dtype),
            "d_z": np.empty_like(z),
            "label_weight": None,
            **scratch(kernel, z.shape, dtype),
        }
        with using(instruction_set):
            a, b = run_both(kernel, {k: available[k] for k in kernel.arguments}, dtype)
        np.testing.assert_allclose(b["losses"], a["losses"], rtol=1e-5)
        np.testing.assert_allclose(b["d_z"], a["d_z"], rtol=1e-5, atol=1e-30)


@every_set
@every_type
@given(n=sizes, m=sizes, seed=seeds)
@drawn
def test_one_hot(instruction_set, dtype, n, m, seed):
    index = np.random.default_rng(seed).integers(0, m, n)
    arguments = {"index": index, "low": 0.1, "high": 0.7, "work": np.empty(n, np.int64)}
    arguments["out"] = np.empty((n, m), dtype)
    with using(instruction_set):
        a, b = run_both(kernels.one_hot, arguments, dtype)
    np.testing.assert_array_equal(a["out"], b["out"])


@every_set
@every_type
def test_sum_losses(instruction_set, dtype):
    losses, weight = normal(0, 301, dtype=dtype), normal(1, 301, dtype=dtype)
    arguments = {"losses": losses, "weight": weight, "total": np.array([2.5])}
    with using(instruction_set):
        a, b = run_both(kernels.sum_losses, arguments, dtype)
    scale = 301 * np.abs(losses) @ np.abs(weight)
    assert abs(a["total"] - b["total"])[0] <= 4 * np.finfo(dtype).eps * scale


# --- optimizers -----------------------------------------------------------------------


@every_set
@every_type
@pytest.mark.parametrize("name", sorted(STEP_KERNELS))
@given(n=sizes, step=st.integers(1, 10_000), seed=seeds)
@settings(max_examples=8, deadline=None)
def test_optimizers(instruction_set, dtype, name, n, step, seed):
    kernel = STEP_KERNELS[name]
    rng = np.random.default_rng(seed)
    numbers = {
        "learning_rate": np.array([0.01]),
        "step": np.array([step]),
        "momentum_product": np.array([0.5]),
        "momentum": 0.9,
        "rho": 0.9,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
    }
    arguments = {}
    for key in kernel.arguments:
        if key in numbers:
            arguments[key] = numbers[key]
        elif "square" in key or key == "accumulator":
            arguments[key] = (1 + rng.uniform(size=n)).astype(dtype)
        elif key == "mean":  # its square is subtracted from the mean square
            arguments[key] = (0.1 * rng.uniform(size=n)).astype(dtype)
        else:
            arguments[key] = rng.normal(size=n).astype(dtype)
    with using(instruction_set):
        a, b = run_both(kernel, arguments, dtype)
    for key in kernel.writes - {"gradient"}:  # which a compiled step leaves as it is
        assert_near(b[key], a[key], np.maximum(abs(a[key]), 1))


@every_set
@every_type
@given(n=st.sampled_from([1, 5, 100, 5000, 9001]), seed=seeds)
@drawn
def test_what_acts_besides_the_optimizer(instruction_set, dtype, n, seed):
    gradient, parameters = normal(seed, n, dtype=dtype), normal(seed + 1, n, dtype=dtype)
    parameters[:: max(n // 3, 2)] = 0  # where the L1 penalty has a kink
    average = normal(seed + 2, n, dtype=dtype)
    rate = np.array([0.1])
    cases = [
        (kernels.clip_by_norm, {"gradient": gradient, "max_norm": 0.5}),
        (kernels.clip_by_norm, {"gradient": gradient, "max_norm": 1e6}),
        (kernels.clip_by_value, {"gradient": gradient, "limit": 0.3}),
        (
            kernels.add_weight_decay,
            {"parameters": parameters, "gradient": gradient, "rate": 0.1},
        ),
        (
            kernels.decay_parameters,
            {"parameters": parameters, "learning_rate": rate, "rate": 0.1},
        ),
        (
            kernels.add_l1_penalty,
            {"parameters": parameters, "gradient": gradient, "rate": 0.1},
        ),
        *(
            (
                kernels.update_moving_average,
                {
                    "parameters": parameters,
                    "step": np.array([step]),
                    "decay": 0.99,
                    "average": average,
                },
            )
            for step in (1, 20, 10_000)
        ),
    ]
    for kernel, arguments in cases:
        shapes = {"parameters": (n,), "gradient": (n,)}
        for name, shape in kernels.scratch_shapes(kernel, shapes).items():
            arguments[name] = np.empty(shape, kernel.declared[name].dtype(dtype))
        with using(instruction_set):
            a, b = run_both(kernel, arguments, dtype, threads=2)
        for key in kernel.writes:
            scale = abs(gradient) + abs(parameters) + abs(average)
            assert_near(b[key], a[key], np.maximum(abs(a[key]), scale))


@every_set
@every_type
@given(n=sizes, m=sizes, share=st.sampled_from([0.0, 0.5, 0.99, 2.0]), seed=seeds)
@example(n=700, m=129, share=0.5, seed=0)
@drawn
def test_limits_of_unit_norms(instruction_set, dtype, n, m, share, seed):
    kernel = normal(seed, n, m, dtype=dtype)
    # a limit that some of the units, all or none of them exceed
    max_norm = float(np.quantile(np.linalg.norm(kernel, axis=0), min(share, 1.0)))
    max_norm = max(max_norm, 0.1) * (2.0 if share > 1 else 0.999)
    arguments = {"max_norm": max_norm, "kernel": kernel, "work": np.empty(m, dtype)}
    with using(instruction_set):
        two = run_both(kernels.limit_unit_norms, arguments, dtype, threads=2)[1]["kernel"]
        one = run_both(kernels.limit_unit_norms, arguments, dtype, threads=1)[1]["kernel"]
    assert np.array_equal(one, two)
    norms = np.linalg.norm(kernel.astype(np.longdouble), axis=0)
    exact = kernel * np.minimum(1, np.longdouble(max_norm) / norms)
    assert_near(two, exact.astype(dtype), np.abs(kernel))
    within = np.linalg.norm(kernel.astype(float), axis=0) < 0.999 * max_norm
    assert np.array_equal(two[:, within], kernel[:, within])


@every_set
@every_type
def test_nadam_schedule(instruction_set, dtype):
    arguments = {
        "momentum_product": np.array([0.7]),
        "step": np.array([17]),
        "beta_1": 0.9,
    }
    with using(instruction_set):
        a, b = run_both(kernels.nadam_schedule, arguments, dtype)
    np.testing.assert_allclose(a["momentum_product"], b["momentum_product"], rtol=1e-15)


# --- dropout, normalization, gathers ----------------------------------------------------


@every_set
@every_type
@given(n=sizes, m=sizes, rate=st.sampled_from([0.0, 0.1, 0.5, 0.93]), seed=seeds)
@drawn
def test_dropout_masks_are_the_same_bits(instruction_set, dtype, n, m, rate, seed):
    arguments = {
        "x": normal(seed, n, m, dtype=dtype),
        "stream": kernels.PhiloxStream((seed, 2**62 + seed)),
        "layer": 3,
        "step": np.array([1 + seed % 10_000]),
        "rate": rate,
        **scratch(kernels.dropout_forward, (n, m), dtype),
        "keep": np.empty((n, m), dtype),
        "out": np.empty((n, m), dtype),
    }
    arguments = {key: arguments[key] for key in kernels.dropout_forward.arguments}
    with using(instruction_set):
        a, b = run_both(kernels.dropout_forward, arguments, dtype, threads=2)
        assert np.array_equal(a["keep"], b["keep"])
        assert np.array_equal(a["out"], b["out"])
        arguments = {"d_out": arguments["x"], "keep": a["keep"], "d_x": a["out"]}
        a, b = run_both(kernels.dropout_backward, arguments, dtype)
        assert np.array_equal(a["d_x"], b["d_x"])


@every_set
@every_type
@given(n=sizes, m=sizes, seed=seeds)
@drawn
def test_batch_norm(instruction_set, dtype, n, m, seed):
    rng = np.random.default_rng(seed)
    x = normal(seed, n, m, dtype=dtype) + dtype_scalar(dtype, 0.5)
    vector = lambda: (0.5 + rng.uniform(size=m)).astype(dtype)  # noqa: E731
    arguments = {
        "x": x,
        "weight": rng.integers(0, 3, n).astype(dtype),
        "scale": vector(),
        "shift": vector(),
        "step": np.array([4]),
        "batch_size": n + 3,
        "momentum": 0.9,
        "epsilon": 1e-1,
        "shift_gain": 3.0,
        "share": np.empty(n, dtype),
        "work": np.empty(m, dtype),
        "normalized": np.empty_like(x),
        "inverse_deviation": np.empty(m, dtype),
        "running_mean": vector(),
        "running_variance": vector(),
        "out": np.empty_like(x),
    }
    with using(instruction_set):
        a, b = run_both(kernels.batch_norm_forward, arguments, dtype, threads=2)
        for key in a:
            largest = 4 * max(1.0, np.abs(x).max()) ** 2
            assert_near(b[key], a[key], np.maximum(abs(a[key]), largest))
        d_out = normal(seed + 1, n, m, dtype=dtype)
        normalized = a["normalized"]
        gradients = {"d_scale": np.empty(m, dtype), "d_shift": np.empty(m, dtype)}
        backward = {"d_out": d_out, "normalized": normalized, "shift_gain": 3.0}
        backward |= gradients
        a2, b2 = run_both(kernels.batch_norm_backward_parameters, backward, dtype, 2)
        scale = (abs(d_out) * np.maximum(abs(normalized), 3)).sum(axis=0)
        for key in a2:
            assert_near(b2[key], a2[key], scale)
        backward |= {
            "share": a["share"],
            "scale": arguments["scale"],
            "inverse_deviation": a["inverse_deviation"],
            "work": np.empty(m, dtype),
            "d_x": np.empty_like(x),
        }
        backward |= a2
        kernel = kernels.batch_norm_backward_input
        a, b = run_both(kernel, {k: backward[k] for k in kernel.arguments}, dtype)
        largest = 8 + abs(d_out).sum(axis=0) * np.maximum(1, abs(normalized).max()) ** 2
        assert_near(b["d_x"], a["d_x"], 10 * largest)

        kernel = kernels.batch_norm_inference
        a, b = run_both(kernel, {k: arguments[k] for k in kernel.arguments}, dtype)
        assert_near(b["out"], a["out"], 10 * (1 + abs(x)))


@every_set
@every_type
def test_gelu_is_exact_far_out_where_little_is_left_of_its_input(instruction_set, dtype):
    single = np.dtype(dtype) == np.float32
    z = np.linspace(-12 if single else -36, 12, 9999).astype(dtype).reshape(-1, 3)
    forward, _ = kernels.ACTIVATIONS["gelu"]
    with using(instruction_set):
        _, compiled = run_both(forward, {"z": z, "out": np.empty_like(z)}, dtype)
    expected = z.astype(np.float64) * ndtr(z.astype(np.float64))
    np.testing.assert_allclose(compiled["out"], expected, rtol=1e-6 if single else 1e-12)


def dtype_scalar(dtype, value):
    return np.dtype(dtype).type(value)


@every_set
@every_type
@given(n=sizes, m=sizes, batch=sizes, seed=seeds)
@drawn
def test_gathers(instruction_set, dtype, n, m, batch, seed):
    rng = np.random.default_rng(seed)
    index = rng.integers(0, n, batch)
    images = rng.integers(0, 256, (n, m), dtype=np.uint8)
    for source in (normal(seed, n, m, dtype=dtype), rng.integers(0, 100, n), images):
        out = np.empty((batch, *source.shape[1:]), source.dtype)
        arguments = {"source": source, "index": index, "out": out}
        with using(instruction_set):
            a, b = run_both(kernels.gather_rows, arguments, dtype)
        assert np.array_equal(a["out"], b["out"])

    # bytes become numbers
    arguments = {"source": images, "index": index, "out": np.empty((batch, m), dtype)}
    with using(instruction_set):
        a, b = run_both(kernels.gather_rows, arguments, dtype)
    assert np.array_equal(a["out"], images[index])
    assert np.array_equal(b["out"], images[index])

    weight = rng.uniform(size=n).astype(dtype)
    arguments = {"source": weight, "index": index, "out": np.empty(batch, dtype)}
    with using(instruction_set):
        a, b = run_both(kernels.gather_weights, arguments, dtype)
    assert np.array_equal(a["out"], b["out"])
