"""Initial weights have the variances they promise, and are a function of the key."""

import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError
from threadpoolctl import threadpool_limits

from skdeep.engine.network import Network
from skdeep.initializers import (
    INITIALIZERS,
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    LeCunNormal,
    LeCunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    get_initializer,
)
from skdeep.layers import BatchNorm, Dense
from skdeep.layers.activation import ACTIVATIONS
from skdeep.losses import SquaredError
from skdeep.optimizers import SGD

pytestmark = pytest.mark.tiny

VARIANCES = {
    HeNormal: lambda fan_in, fan_out: 2 / fan_in,
    HeUniform: lambda fan_in, fan_out: 2 / fan_in,
    GlorotNormal: lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    GlorotUniform: lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    LeCunNormal: lambda fan_in, fan_out: 1 / fan_in,
    LeCunUniform: lambda fan_in, fan_out: 1 / fan_in,
}
each_kind = pytest.mark.parametrize("kind", VARIANCES)


def sample(initializer, shape, seed=0):
    return initializer.sample(np.random.default_rng(seed), shape)


# --- distributions ----------------------------------------------------------------


@each_kind
# the last shape is that of a convolution: 3 * 3 * 40 inputs and 3 * 3 * 300 outputs
@pytest.mark.parametrize("shape", [(500, 200), (200, 500), (3, 3, 40, 300)])
def test_the_variance_follows_from_the_fans(kind, shape):
    values = sample(kind(), shape)
    fan_in, fan_out = np.prod(shape[:-1]), np.prod(shape[:-2]) * shape[-1]
    variance = VARIANCES[kind](fan_in, fan_out)
    assert values.shape == shape
    # four standard deviations of the mean and of a normal sample's variance
    assert abs(values.mean()) < 4 * np.sqrt(variance / values.size)
    assert values.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / values.size))


@pytest.mark.parametrize("kind", [HeUniform, GlorotUniform, LeCunUniform])
def test_uniform_weights_fill_an_interval(kind):
    values = sample(kind(), (500, 200))
    limit = np.sqrt(3 * VARIANCES[kind](500, 200))
    assert np.abs(values).max() <= limit
    assert np.abs(values).max() > 0.999 * limit


@pytest.mark.parametrize("kind", [HeNormal, GlorotNormal, LeCunNormal])
def test_normal_weights_have_normal_tails(kind):
    values = sample(kind(), (500, 200))
    share = np.mean(np.abs(values) > 2 * values.std())
    assert share == pytest.approx(0.0455, abs=0.003)


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5), (1, 3), (3, 1), (2, 2, 3, 8)])
@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_orthogonal_weights_have_orthonormal_rows_or_columns(shape, gain):
    values = sample(Orthogonal(gain), shape)
    assert values.shape == shape
    matrix = values.reshape(-1, shape[-1]) / gain
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-13)


def test_orthogonal_weights_have_no_preferred_sign():
    entries = np.array([sample(Orthogonal(), (3, 3), seed) for seed in range(400)])
    # each entry of a random rotation has mean 0 and variance 1 / 3
    assert np.abs(entries.mean(axis=0)).max() < 4 * np.sqrt(1 / 3 / 400)


@pytest.mark.parametrize("shape", [(200, 500), (3, 300, 40)])
def test_the_variance_that_is_asked_for_does_not_depend_on_the_shape(shape):
    normal, uniform = sample(RandomNormal(0.3), shape), sample(RandomUniform(0.3), shape)
    assert normal.shape == uniform.shape == shape
    assert normal.std() == pytest.approx(0.3, rel=0.02)
    assert uniform.std() == pytest.approx(0.3 / np.sqrt(3), rel=0.02)
    assert 0.299 < np.abs(uniform).max() <= 0.3 < np.abs(normal).max()
    assert max(abs(normal.mean()), abs(uniform.mean())) < 0.005


def test_constant_weights_are_the_constant():
    np.testing.assert_array_equal(sample(Constant(0.25), (2, 3)), np.full((2, 3), 0.25))
    np.testing.assert_array_equal(sample(INITIALIZERS["zeros"], (2,)), [0, 0])


@pytest.mark.parametrize(
    "shape", [(4, 4), (4, 6), (6, 4), (3, 3, 2, 5), (2, 3, 5, 2), (7, 2, 2), (5, 1, 3)]
)
def test_the_first_units_of_an_identity_hand_on_the_inputs(shape):
    values = sample(Identity(), shape)
    *window, n_in, n_out = shape
    centre = tuple((size - 1) // 2 for size in window)
    n = min(n_in, n_out)
    np.testing.assert_array_equal(values[centre][:, :n], np.eye(n_in, n))
    assert np.abs(values[..., :n]).sum() == n  # nothing else of these
    others = sample(LeCunUniform(), shape)[..., n:]
    np.testing.assert_array_equal(values[..., n:], others)


# --- choosing one -----------------------------------------------------------------


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_auto_suits_the_activation(activation):
    special = {
        "identity": GlorotUniform,
        "logistic": GlorotUniform,
        "tanh": GlorotUniform,
        "selu": LeCunNormal,
    }
    initializer = get_initializer("auto", activation)
    assert type(initializer) is special.get(activation, HeUniform)


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_a_name_does_not_look_at_the_activation(name):
    assert get_initializer(name, "selu") is INITIALIZERS[name]


def test_an_instance_is_checked_and_kept():
    initializer = Orthogonal(2.0)
    assert get_initializer(initializer, "relu") is initializer
    with pytest.raises(InvalidParameterError, match="gain"):
        get_initializer(Orthogonal(gain=0.0))


# --- in a network -----------------------------------------------------------------


def make_network(dtype=np.float64, units=4):
    layers = [
        ("hidden", Dense(5, kernel_initializer="he_normal")),
        ("norm", BatchNorm()),
        ("output", Dense(units, bias_initializer=Constant(0.5))),
    ]
    return Network(layers, SquaredError(), SGD(), input_shape=(3,), dtype=dtype)


def initialized(key, **options):
    network = make_network(**options)
    network.initialize(key)
    return network


def test_the_same_key_gives_the_same_weights():
    first, second = initialized((1, 2)), initialized((1, 2))
    np.testing.assert_array_equal(first.parameters, second.parameters)
    second.initialize((1, 2))
    np.testing.assert_array_equal(first.parameters, second.parameters)


@pytest.mark.parametrize("key", [(1, 3), (2, 2), (2, 1)])
def test_another_key_gives_other_weights(key):
    first, second = initialized((1, 2)), initialized(key)
    for layer in ("hidden", "output"):
        assert (first.view(layer, "kernel") != second.view(layer, "kernel")).all()


def test_float32_weights_are_the_rounded_float64_ones():
    double, single = initialized((1, 2)), initialized((1, 2), dtype=np.float32)
    assert single.parameters.dtype == np.float32
    np.testing.assert_array_equal(single.parameters, double.parameters.astype(np.float32))


def test_a_layers_weights_do_not_depend_on_other_layers_sizes():
    first, second = initialized((1, 2), units=4), initialized((1, 2), units=40)
    np.testing.assert_array_equal(
        first.view("hidden", "kernel"), second.view("hidden", "kernel")
    )


def test_layers_draw_different_weights():
    network = Network(
        [("a", Dense(3)), ("b", Dense(3))],
        SquaredError(),
        SGD(),
        input_shape=(3,),
        dtype=np.float64,
    )
    network.initialize((1, 2))
    assert (network.view("a", "kernel") != network.view("b", "kernel")).all()


def test_biases_scales_shifts_and_statistics_start_at_their_constants():
    network = make_network()
    network.statistics[...] = 7.0
    network.initialize((1, 2))
    np.testing.assert_array_equal(network.view("hidden", "bias"), 0)
    np.testing.assert_array_equal(network.view("output", "bias"), 0.5)
    np.testing.assert_array_equal(network.view("norm", "scale"), 1)
    np.testing.assert_array_equal(network.view("norm", "shift"), 0)
    # running means, then running variances
    np.testing.assert_array_equal(network.statistics, [0] * 5 + [1] * 5)


def test_initial_weights_do_not_depend_on_the_number_of_threads():
    """Nor do orthogonal ones, although a BLAS takes part in them."""
    results = []
    for n_threads in (1, 2):
        network = Network(
            [("dense", Dense(300, kernel_initializer="orthogonal"))],
            SquaredError(),
            SGD(),
            input_shape=(300,),
            dtype=np.float64,
        )
        with threadpool_limits(n_threads):
            network.initialize((1, 2))
        results.append(network.parameters)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_every_initializer_draws_biases(name):
    values = INITIALIZERS[name].sample(np.random.default_rng(0), (7,))
    assert values.shape == (7,) and np.isfinite(values).all()
