"""Backpropagation through layers on images and signals equals differences of the cost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skdeep.engine.batch import TrainingData
from skdeep.engine.network import Network, Settings
from skdeep.layers import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    LayerNorm,
    MaxPool,
    PeriodicEmbedding,
    Rescaling,
    Reshape,
    Residual,
    SpatialDropout,
)
from skdeep.layers.whitening import PatchWhitening
from skdeep.losses import SquaredError
from skdeep.optimizers import SGD

pytestmark = pytest.mark.tiny

N, N_OUTPUTS = 5, 2
IMAGE, SIGNAL = (6, 5, 4), (9, 4)


def relative_error(layers, input_shape, seed=0):
    """Of the gradient, against central differences along every parameter."""
    generator = np.random.default_rng(seed)
    network = Network(
        [(f"layer_{i}", layer) for i, layer in enumerate(layers)],
        SquaredError(),
        SGD(),
        input_shape=input_shape,
        dtype=np.float64,
        settings=Settings(),
    )
    network.initialize((2, 7))
    network.parameters += 0.3 * generator.normal(size=network.parameters.size)
    weight = generator.uniform(0.2, 2, N)
    data = TrainingData(
        generator.normal(size=(N, *input_shape)),
        generator.normal(size=(N, *network.shapes[-1])),
        weight / weight.sum(),
    )
    objective = network.objective(data)
    start, h = network.parameters.copy(), 1e-5
    gradient = objective(start)[1]
    differences = np.empty_like(gradient)
    for i in range(start.size):
        step = np.zeros_like(start)
        step[i] = h
        differences[i] = (objective(start + step)[0] - objective(start - step)[0]) / (2 * h)
    return np.linalg.norm(gradient - differences) / np.linalg.norm(differences)


# a dense layer of one place before makes the gradient of the layer's input count
BEFORE, AFTER = Dense(4), [Flatten(), Dense(N_OUTPUTS)]
RESIDUAL = [Conv(4), BatchNorm(), Activation("tanh"), Conv(4)]
LAYERS = [
    Conv(3),
    Conv(3, kernel_size=2, strides=2, padding="valid", use_bias=False),
    Conv(4, kernel_size=4, strides=3, groups=2),
    Conv(8, groups=4, dilation=2),
    Conv(5, kernel_size=1),
    MaxPool(),
    MaxPool(3, strides=2, padding="same"),
    AveragePool(),
    AveragePool(3, strides=2, padding="same"),
    BatchNorm(),
    BatchNorm(shift_gain=8.0),
    LayerNorm(),
    Dropout(0.3),
    SpatialDropout(0.3),
    Activation("gelu"),
    Activation("relu"),
    Reshape((-1, 2)),
    Rescaling(0.5, offset=1.0),
    Dense(3),
    Residual(RESIDUAL),
    Residual([Activation("relu"), Conv(6, strides=2), Dropout(0.2)], "projection"),
    Residual([Residual(RESIDUAL), Dense(4)]),
]


@pytest.mark.parametrize("shape", [IMAGE, SIGNAL], ids=["image", "signal"])
@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_gradient_through_every_layer(layer, shape):
    assert relative_error([BEFORE, layer, *AFTER], shape) <= 1e-6


@pytest.mark.parametrize("shape", [IMAGE, SIGNAL], ids=["image", "signal"])
@pytest.mark.parametrize("layer", [GlobalAveragePool(), GlobalMaxPool()], ids=repr)
def test_gradient_through_global_pooling(layer, shape):
    assert relative_error([BEFORE, layer, Dense(N_OUTPUTS)], shape) <= 1e-6


@pytest.mark.parametrize("shape", [IMAGE, SIGNAL], ids=["image", "signal"])
def test_gradient_through_whitening(shape):
    images = np.random.default_rng(1).normal(size=(50, *shape))
    layer = PatchWhitening.of(images, 2)
    assert relative_error([BEFORE, layer, *AFTER], shape) <= 1e-6


@pytest.mark.parametrize(
    "layer",
    [
        LayerNorm(),
        PeriodicEmbedding(2, n_frequencies=5, sigma=0.5),
        Residual([Dense(6), Activation("tanh")], "projection"),
    ],
    ids=repr,
)
def test_gradient_through_layers_of_features(layer):
    assert relative_error([Dense(4), layer, Dense(N_OUTPUTS)], (3,)) <= 1e-6


small = st.integers(1, 4)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_gradient_of_a_convolution_of_any_shape(data):
    groups = data.draw(st.integers(1, 3))
    axes = data.draw(st.integers(1, 2))

    def per_axis(values):
        return tuple(data.draw(st.lists(values, min_size=axes, max_size=axes)))

    layer = Conv(
        groups * data.draw(st.integers(1, 2)),
        per_axis(small),
        per_axis(small),
        per_axis(st.tuples(st.integers(0, 3), st.integers(0, 3))),
        per_axis(st.integers(1, 2)),
        groups,
    )
    shape = (*per_axis(st.integers(1, 6)), groups * data.draw(st.integers(1, 2)))
    try:
        layer.output_shape(shape)
    except ValueError as error:
        assert "does not fit" in str(error) or "would be padding" in str(error)
        return
    assert relative_error([Dense(shape[-1]), layer, *AFTER], shape) <= 1e-6
