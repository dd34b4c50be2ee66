"""Every activation agrees with its formula, and its backward kernel with its derivative."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.utils._param_validation import InvalidParameterError

from skdeep import kernels
from skdeep.engine.program import ROWS, Buffer, Calls, Scope
from skdeep.kernels import ACTIVATIONS
from skdeep.layers import Activation

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

FORMULAS = {
    "elu": lambda z: z if z > 0 else math.expm1(z),
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "hard_swish": lambda z: z * min(max(z + 3, 0), 6) / 6,
    "leaky_relu": lambda z: z if z > 0 else 0.01 * z,
    "logistic": lambda z: 1 / (1 + math.exp(-z)),
    "mish": lambda z: z * math.tanh(math.log1p(math.exp(z))),
    "relu": lambda z: max(z, 0.0),
    "selu": lambda z: SELU_SCALE * (z if z > 0 else SELU_ALPHA * math.expm1(z)),
    "relu6": lambda z: min(max(z, 0.0), 6.0),
    "silu": lambda z: z / (1 + math.exp(-z)),
    "softplus": lambda z: math.log1p(math.exp(z)),
    "tanh": math.tanh,
}

each_activation = pytest.mark.parametrize("name", sorted(ACTIVATIONS))
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def forward(name, z):
    kernel, _ = ACTIVATIONS[name]
    out = np.full_like(z, np.nan)
    available = {"z": z, "out": out} | scratch(kernel, z)
    kernel(**{key: available[key] for key in kernel.arguments})
    return out


def scratch(kernel, z):
    """Scratch memory of a kernel, with contents that nobody should read."""
    return {
        name: np.full(z.shape, name.startswith("mask") or np.nan, argument.dtype(z.dtype))
        for name, argument in kernel.declared.items()
        if name in kernel.scratch
    }


def backward(name, z, d_out):
    _, kernel = ACTIVATIONS[name]
    d_z = np.full_like(z, np.nan)
    available = {"z": z, "out": forward(name, z), "d_out": d_out, "d_z": d_z}
    available |= scratch(kernel, z)
    kernel(**{key: available[key] for key in kernel.arguments})
    return d_z


def without_kinks(z):
    """Move what lies within 0.1 of a kink of any activation away from it."""
    for kink in (-3, 0, 3, 6):
        z = np.where(np.abs(z - kink) < 0.1, kink + 0.2, z)
    return z


def test_every_activation_has_its_formula_here():
    assert FORMULAS.keys() == ACTIVATIONS.keys()


@each_activation
@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6),
    st.integers(0, 2**32 - 1),
)
def test_forward_equals_the_formula(name, dtype, shape, seed):
    z = np.random.default_rng(seed).uniform(-20, 20, shape).astype(dtype)
    expected = [FORMULAS[name](float(value)) for value in z.ravel()]
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(
        forward(name, z).ravel(), expected, rtol=tolerance, atol=tolerance
    )


@each_activation
@each_dtype
def test_forward_in_place_equals_forward_out_of_place(name, dtype):
    kernel, _ = ACTIVATIONS[name]
    z = np.random.default_rng(0).normal(size=(7, 5)).astype(dtype)
    expected = forward(name, z)
    if kernel.in_place:
        available = {"z": z, "out": z} | scratch(kernel, z)
        kernel(**{key: available[key] for key in kernel.arguments})
        np.testing.assert_array_equal(z, expected)
    else:
        # then the layer must give it memory of its own
        out, x, _ = layer_calls(name)
        assert out is not x


def layer_calls(name):
    """The output and input buffers of an activation layer, and its calls."""
    calls = Calls()
    x = Buffer("x", (ROWS, 3))
    out = Activation(name).forward(Scope("layer", calls), x)
    return out, x, calls


@each_activation
def test_an_activation_that_works_in_place_does_not_read_its_input_on_the_way_back(name):
    forward_kernel, backward_kernel = ACTIVATIONS[name]
    assert not (forward_kernel.in_place and "z" in backward_kernel.arguments)


# --- derivatives ------------------------------------------------------------------


@each_activation
@settings(max_examples=20, deadline=None)
@given(hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), st.integers(0, 2**32 - 1))
def test_backward_equals_central_differences(name, shape, seed):
    generator = np.random.default_rng(seed)
    z = without_kinks(generator.uniform(-6, 6, shape))
    d_out = generator.normal(size=shape)
    h = 1e-5
    differences = d_out * (forward(name, z + h) - forward(name, z - h)) / (2 * h)
    error = np.linalg.norm(backward(name, z, d_out) - differences)
    # relu may have no slope at any of a few places
    assert error <= 1e-6 * max(np.linalg.norm(differences), 1e-3)


@each_activation
def test_backward_in_float32_equals_float64_but_for_rounding(name):
    z, d_out = np.random.default_rng(0).uniform(-6, 6, (2, 9, 7))
    z = without_kinks(z)
    single = backward(name, z.astype(np.float32), d_out.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, backward(name, z, d_out), rtol=1e-4, atol=1e-5)


def test_relu_gradient_is_zero_for_negative_inputs():
    z = np.array([[-2.0, -1e-300, 3.0]])
    np.testing.assert_array_equal(backward("relu", z, np.ones_like(z)), [[0, 0, 1]])


def test_leaky_relu_gradient_is_a_hundredth_for_negative_inputs():
    z = np.array([[-2.0, 3.0]])
    np.testing.assert_allclose(backward("leaky_relu", z, np.ones_like(z)), [[0.01, 1]])


# --- inputs of any size -----------------------------------------------------------

# Far to the right: grows like z, or stays at 1; far to the left: stays at a constant.
BOUNDED = {"logistic": (0, 1), "relu6": (0, 6), "tanh": (-1, 1)}
LEFT = {"elu": -1, "selu": -SELU_SCALE * SELU_ALPHA}


@each_activation
@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 100), (np.float64, 1000)])
def test_values_and_gradients_of_large_inputs_are_their_limits(name, dtype, size):
    z = np.array([[-size, size]], dtype)
    if name in BOUNDED:
        values, slopes = BOUNDED[name], (0, 0)
    elif name == "leaky_relu":
        values, slopes = (-0.01 * size, size), (0.01, 1)
    else:
        scale = SELU_SCALE if name == "selu" else 1
        values, slopes = (LEFT.get(name, 0), scale * size), (0, scale)
    np.testing.assert_allclose(forward(name, z), [values], rtol=1e-6, atol=1e-30)
    gradient = backward(name, z, np.ones_like(z))
    np.testing.assert_allclose(gradient, [slopes], rtol=1e-6, atol=1e-30)


def test_selu_keeps_mean_zero_and_variance_one():
    """Klambauer et al. 2017: the fixed point that its two constants are chosen for."""

    def moment(power):
        return sum(
            quad(lambda z: FORMULAS["selu"](z) ** power * norm.pdf(z), *part)[0]
            for part in ((-40, 0), (0, 40))
        )

    assert moment(1) == pytest.approx(0, abs=1e-7)
    assert moment(2) == pytest.approx(1, abs=1e-7)


# --- the layer --------------------------------------------------------------------


def test_the_identity_writes_no_calls():
    out, x, calls = layer_calls("identity")
    assert out is x
    assert calls == []


def test_relu_overwrites_an_input_that_nobody_reads_again():
    out, x, _ = layer_calls("relu")
    assert out is x


def test_relu_does_not_overwrite_an_input_that_the_way_back_reads():
    x = Buffer("x", (ROWS, 3))
    scope = Scope("layer", Calls())
    scope.reserve(x)
    assert Activation("relu").forward(scope, x) is not x


def test_an_unknown_activation_is_refused():
    with pytest.raises(InvalidParameterError, match="function"):
        Activation("step")._validate_params()


def test_activation_kernels_are_cut_along_rows():
    assert {kernel.axis for pair in kernels.ACTIVATIONS.values() for kernel in pair} == {
        "rows"
    }
