"""Dropout zeroes inputs at random, the same ones for the same key, layer and step."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from skdeep import kernels
from skdeep.engine.batch import BatchPlan, TrainingData
from skdeep.engine.network import Network, StepMemory
from skdeep.layers import Dense, Dropout
from skdeep.losses import SquaredError
from skdeep.optimizers import SGD

pytestmark = pytest.mark.tiny

KEY = (3, 14)


def drop(x, rate, *, key=KEY, layer=2, step=1):
    """What the kernel makes of x, and the factors that backpropagation will use."""
    out, keep = np.full((2, *x.shape), np.nan, x.dtype)
    kernels.dropout_forward(
        x,
        kernels.PhiloxStream(key),
        layer,
        np.array([step]),
        rate,
        np.full(x.shape, np.nan, np.float32),
        np.zeros(x.shape, bool),
        keep,
        out,
    )
    return out, keep


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.5, 0.9])
def test_the_share_of_dropped_inputs_is_the_rate(rate):
    n = 200_000
    out, _ = drop(np.ones((n // 100, 100)), rate)
    assert abs(np.mean(out == 0) - rate) < 4 * np.sqrt(rate * (1 - rate) / n)


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.5, 0.9])
def test_the_mean_is_preserved(rate):
    n = 200_000
    out, _ = drop(np.ones((n // 100, 100)), rate)
    assert abs(out.mean() - 1) < 4 * np.sqrt(rate / (1 - rate) / n)


def test_kept_inputs_are_divided_by_the_share_of_kept_ones():
    x = np.random.default_rng(0).normal(size=(50, 20))
    out, _ = drop(x, 0.2)
    kept = out != 0
    np.testing.assert_allclose(out[kept], x[kept] / 0.8, rtol=1e-15)


def test_a_rate_of_zero_keeps_every_input():
    x = np.random.default_rng(0).normal(size=(50, 20))
    np.testing.assert_array_equal(drop(x, 0.0)[0], x)


def test_float32_and_float64_drop_the_same_inputs():
    x = np.ones((50, 20))
    double, single = drop(x, 0.3)[0], drop(x.astype(np.float32), 0.3)[0]
    np.testing.assert_array_equal(double == 0, single == 0)


def test_the_same_key_layer_and_step_drop_the_same_inputs():
    x = np.ones((50, 20))
    np.testing.assert_array_equal(drop(x, 0.5)[0], drop(x, 0.5)[0])


@pytest.mark.parametrize("change", [{"key": (3, 15)}, {"layer": 3}, {"step": 2}])
def test_another_key_layer_or_step_drops_other_inputs(change):
    x = np.ones((50, 20))
    same = np.mean((drop(x, 0.5)[0] == 0) == (drop(x, 0.5, **change)[0] == 0))
    # independent masks agree in half of their entries
    assert abs(same - 0.5) < 4 * np.sqrt(0.25 / x.size)


def test_a_stream_may_be_asked_for_masks_in_any_order():
    stream = kernels.PhiloxStream(KEY)
    first = stream.at(2, 1).random(5, dtype=np.float32)
    stream.at(3, 7).random(3, dtype=np.float32)
    again = stream.at(2, 1).random(5, dtype=np.float32)
    np.testing.assert_array_equal(first, again)


def test_a_shorter_batch_drops_what_the_first_rows_of_a_full_one_drop():
    full, part = drop(np.ones((50, 20)), 0.5)[0], drop(np.ones((7, 20)), 0.5)[0]
    np.testing.assert_array_equal(part, full[:7])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_passes_where_the_input_passed(dtype):
    x, d_out = np.random.default_rng(0).normal(size=(2, 30, 7)).astype(dtype)
    out, keep = drop(x, 0.4)
    d_x = np.full_like(x, np.nan)
    kernels.dropout_backward(d_out, keep, d_x)
    expected = np.where(out == 0, 0, d_out / dtype(0.6))
    np.testing.assert_allclose(d_x, expected, rtol=1e-6)


# --- in a network -----------------------------------------------------------------


def network_of(*layers, width):
    layers = [(f"layer_{i}", layer) for i, layer in enumerate(layers)]
    network = Network(layers, SquaredError(), SGD(), input_shape=(width,), dtype=np.float64)
    network.initialize(KEY)
    return network


def buffers_of_a_step(network, x, *, batch_size=None):
    """The arrays of a training step after its first run, by name."""
    n = x.shape[0]
    data = TrainingData(x, np.zeros((n, 1)), np.ones(n))
    memory = StepMemory(network, KEY, 0 if batch_size is None else batch_size)
    plan = BatchPlan.of(data, batch_size or n, whole=batch_size is None)
    program = network.gradient_program(plan, data, memory)
    arrays = program.allocate(plan.batch_size)
    memory.step[0] = 1
    memory.index[...] = np.arange(len(memory.index))
    program.bind(arrays, plan.batch_size).run()
    return {buffer.name: array for buffer, array in arrays.items()}


def test_two_dropout_layers_drop_different_places():
    network = network_of(Dense(20), Dropout(0.5), Dropout(0.5), Dense(1), width=4)
    arrays = buffers_of_a_step(network, np.ones((50, 4)))
    first, second = arrays["layer_1.keep"], arrays["layer_2.keep"]
    assert abs(np.mean(first == second) - 0.5) < 4 * np.sqrt(0.25 / first.size)


def test_prediction_uses_all_inputs():
    x = np.random.default_rng(0).normal(size=(10, 4))
    with_dropout = network_of(Dropout(0.5), Dense(3), Dropout(0.5), width=4)
    without = network_of(Dense(3), width=4)
    without.parameters[...] = with_dropout.parameters
    np.testing.assert_array_equal(with_dropout.raw_outputs(x), without.raw_outputs(x))


@pytest.mark.parametrize("batch_size", [12, None])
def test_dropout_of_a_sparse_input_drops_entries(batch_size):
    x = random_array((12, 30), density=0.5, rng=0, format="csr")
    network = network_of(Dropout(0.5), Dense(1), width=30)
    arrays = buffers_of_a_step(network, x, batch_size=batch_size)
    keep = arrays["layer_0.keep"]
    assert keep.shape == x.data.shape
    assert 0 < np.count_nonzero(keep) < keep.size
    dropped = csr_array((x.data * keep, x.indices, x.indptr), shape=x.shape)
    expected = dropped @ network.view("layer_1", "kernel")
    np.testing.assert_allclose(arrays["layer_1.out"], expected, rtol=1e-12)
