"""What the network sees: activations, kernels, Grad-CAM, and a convolution step by step."""

import matplotlib
import numpy as np
import pytest
from scipy.signal import correlate

from skdeep import (
    ConvNetClassifier,
    ConvNetRegressor,
    MLPClassifier,
    SequentialClassifier,
)
from skdeep.engine.layer_outputs import output_gradients, output_shapes
from skdeep.inspection import (
    ActivationDisplay,
    KernelDisplay,
    explain_convolution,
    grad_cam,
)
from skdeep.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dropout,
    GlobalAveragePool,
    MaxPool,
    Residual,
)

pytestmark = pytest.mark.tiny

matplotlib.use("Agg")
STACK = [
    ("first", Conv(3)),
    BatchNorm(),
    Activation("tanh"),
    Dropout(0.3),
    ("block", Residual([("inner", Conv(3)), BatchNorm(), Activation("relu")])),
    MaxPool(),
]


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(70, 6, 5, 2))
    return X, (X[:, :3].mean(axis=(1, 2, 3)) > 0).astype(int)


@pytest.fixture(scope="module")
def model(images):
    return SequentialClassifier(STACK, max_iter=3, random_state=0).fit(*images)


# --- activations ------------------------------------------------------------------


def test_every_layer_has_activations_of_its_shape(model, images):
    network = model.network_
    shapes = output_shapes(network)
    assert [shapes[name] for name, _ in network.layers] == network.shapes
    inner = {"block.inner", "block.batch_norm_1", "block.activation_1"}
    assert shapes.keys() - {name for name, _ in network.layers} == inner
    for name, shape in shapes.items():
        assert network.activations(images[0], name).shape[1:] == shape
    np.testing.assert_array_equal(
        network.activations(images[0], "output")[:, 0], model.decision_function(images[0])
    )


def test_activations_are_what_the_layers_compute(model, images):
    network, x = model.network_, images[0]
    z, normalized = (network.activations(x, n) for n in ("first", "batch_norm_1"))
    mean, variance = (
        network.view("batch_norm_1", n) for n in ("running_mean", "running_variance")
    )
    scale, shift = (network.view("batch_norm_1", n) for n in ("scale", "shift"))
    expected = (z - mean) / np.sqrt(variance + 1e-5) * scale + shift
    np.testing.assert_allclose(normalized, expected, atol=1e-12)
    tanh = network.activations(x, "activation_1")
    np.testing.assert_allclose(tanh, np.tanh(expected), atol=1e-12)
    inner = network.activations(x, "block.activation_1")
    np.testing.assert_allclose(network.activations(x, "block"), inner + tanh, atol=1e-12)


def test_asking_for_a_layer_that_is_not_there_names_those_that_are(model, images):
    with pytest.raises(ValueError, match=r"no layer 'conv_9'; there are first, batch_norm"):
        model.network_.activations(images[0], "conv_9")
    with pytest.raises(ValueError, match=r"samples of shape \(3,\)"):
        model.network_.activations(np.ones((2, 3)), "first")


@pytest.mark.parametrize(
    ("layer", "owner", "bias"),
    [
        ("first", "first", "bias"),
        ("block.inner", "block", "inner.bias"),
        ("block.conv_1", "block", "conv_1.bias"),
        ("wide.deep.conv_1", "wide", "deep.conv_1.bias"),
        ("wide.projection", "wide", "projection.bias"),
    ],
)
def test_gradients_of_activations_are_differences_of_the_output(images, layer, owner, bias):
    """Raising the bias of a filter raises its outputs everywhere."""
    X, y = images
    block = Residual([("inner", Conv(3)), BatchNorm(), Activation("relu"), Conv(3)])
    deep = ("deep", Residual([Activation("tanh"), Conv(3)]))
    wide = Residual([deep, Conv(4, strides=2)], shortcut="projection")
    stack = [*STACK[:4], ("block", block), ("wide", wide), GlobalAveragePool()]
    model = SequentialClassifier(stack, max_iter=2, random_state=0).fit(X, y)
    network = model.network_
    outputs, gradients = output_gradients(network, X[:5], layer, np.ones((5, 1)))
    np.testing.assert_array_equal(outputs, network.activations(X[:5], layer))
    values = network.view(owner, bias)
    for f, value in enumerate(values.copy()):
        h = 1e-5
        values[f] = value + h
        above = network.raw_outputs(X[:5])[:, 0].copy()
        values[f] = value - h
        slope = (above - network.raw_outputs(X[:5])[:, 0]) / (2 * h)
        values[f] = value
        np.testing.assert_allclose(gradients[..., f].sum(axis=(1, 2)), slope, atol=1e-7)
        assert np.abs(slope).max() > 1e-4


# --- kernels and Grad-CAM ---------------------------------------------------------


def test_kernels_are_shown_as_images(model):
    display = KernelDisplay.from_estimator(model)
    kernel = model.network_.view("first", "kernel")
    np.testing.assert_array_equal(display.kernels, np.moveaxis(kernel, -1, 0))
    images = display.images()
    assert images.min() == 0.0
    assert images.max() == 1.0
    assert len(display.plot()) >= 3
    with pytest.raises(ValueError, match="no convolution 'block'"):
        KernelDisplay.from_estimator(model, "block")


def test_activations_of_one_image_are_drawn(model, images):
    display = ActivationDisplay.from_estimator(model, images[0][0], "block.inner")
    assert display.activations.shape == (6, 5, 3)
    assert len(display.plot()) >= 3
    with pytest.raises(ValueError, match="no places"):
        ActivationDisplay.from_estimator(model, images[0][0], "output")


def test_grad_cam_finds_where_the_class_is():
    """A bright square decides the class: the map is warm there, and only there."""
    generator = np.random.default_rng(0)
    X = generator.normal(0, 0.1, (400, 16, 16))
    y = generator.integers(2, size=400)
    corners = generator.integers(0, 11, (400, 2))
    for image, label, (r, c) in zip(X, y, corners, strict=True):
        image[r : r + 5, c : c + 5] += np.eye(5) if label else np.eye(5)[::-1]
    model = ConvNetClassifier(
        (8, 8), hidden_layer_sizes=(), global_pool="average", max_iter=60,
        learning_rate=0.01, pool=None, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert model.score(X, y) > 0.95
    maps = grad_cam(model, X[:50])
    np.testing.assert_array_equal(maps.targets, model.predict(X[:50]))
    inside = [
        heat[max(r - 1, 0) : r + 6, max(c - 1, 0) : c + 6].sum() / heat.sum()
        for heat, (r, c) in zip(maps.heatmaps, corners, strict=False)
        if heat.sum() > 0
    ]
    # the square and the places beside it are a fifth of the image
    assert len(inside) > 40
    assert np.mean(inside) > 0.6
    assert len(maps.plot()) == 8


def test_grad_cam_follows_its_formula(model, images):
    x = images[0][:4]
    outputs, gradients = output_gradients(model.network_, x, "block", np.ones((4, 1)))
    heat = np.einsum("nijc,nc->nij", outputs, gradients.mean(axis=(1, 2))).clip(0)
    expected = heat / heat.max(axis=(1, 2), keepdims=True)
    maps = grad_cam(model, x, layer="block", target=1)
    np.testing.assert_allclose(maps.heatmaps, np.nan_to_num(expected), atol=1e-12)


def test_grad_cam_of_a_layer_inside_of_another(model, images):
    maps = grad_cam(model, images[0][:4], layer="block.inner")
    assert maps.layer == "block.inner"
    assert maps.heatmaps.shape == (4, 6, 5)
    assert maps.heatmaps.max() == 1.0
    # without a name it is one of the network's own layers
    assert grad_cam(model, images[0][:4]).layer == "max_pool_1"


def test_grad_cam_of_signals_and_of_numbers():
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(40, 30, 2)), generator.normal(size=(40, 2))
    model = ConvNetRegressor((4,), max_iter=2, random_state=0).fit(X, y)
    maps = grad_cam(model, X[:3], target=1)
    assert maps.heatmaps.shape == (3, 30)
    assert maps.heatmaps.min() >= 0
    assert maps.heatmaps.max() <= 1
    assert len(maps.plot()) == 3


def test_grad_cam_names_what_is_missing(model, images, digits):
    with pytest.raises(ValueError, match="no layer 'output' with places"):
        grad_cam(model, images[0], layer="output")
    with pytest.raises(ValueError, match="target=7 is none of"):
        grad_cam(model, images[0], target=7)
    table = MLPClassifier((4,), max_iter=1).fit(*digits)
    with pytest.raises(ValueError, match="no layer with places"):
        grad_cam(table, digits[0])


# --- a convolution step by step ---------------------------------------------------


@pytest.mark.parametrize("channels", [None, 3])
def test_the_outputs_of_an_explanation_are_scipys_correlation(channels):
    generator = np.random.default_rng(0)
    depth = () if channels is None else (channels,)
    image, kernel = (generator.normal(size=(*s, *depth)) for s in ((6, 5), (3, 2)))
    explanation = explain_convolution(image, kernel, bias=0.5)
    expected = correlate(image, kernel, "valid", "direct").reshape(4, 4) + 0.5
    np.testing.assert_allclose(explanation.output, expected)
    assert len(explanation) == 16
    step = explanation[2, 1]
    np.testing.assert_array_equal(
        step.window.reshape(kernel.shape), image[2:5, 1:3].reshape(kernel.shape)
    )
    assert step.sum == pytest.approx(explanation.output[2, 1])


def test_strides_padding_and_dilation_of_an_explanation_are_those_of_the_layer():
    generator = np.random.default_rng(0)
    image, kernel = generator.normal(size=(7, 6)), generator.normal(size=(3, 2))
    options = {"strides": 2, "padding": "same", "dilation": (2, 1)}
    stack = [Conv(1, (3, 2), use_bias=False, **options)]
    X = np.stack([image, -image])
    network = SequentialClassifier(stack, max_iter=1).fit(X, [0, 1]).network_
    network.view("conv_1", "kernel")[..., 0, 0] = kernel
    explanation = explain_convolution(image, kernel, **options)
    expected = network.activations(X[:1], "conv_1")[0, ..., 0]
    np.testing.assert_allclose(explanation.output, expected, atol=1e-12)


def test_a_signal_is_explained_too():
    explanation = explain_convolution([1, 2, 4, 8], [1, -1], padding=1)
    np.testing.assert_array_equal(explanation.output, [-1, -1, -2, -4, 8])
    assert str(explanation[0, 0]).splitlines()[0] == (
        "output (0, 0): window at row 0, column 0"
    )


def test_an_explanation_prints_its_products_and_sums():
    text = str(explain_convolution([[1, 2], [3, 4]], [[1, -1], [0.5, 2]], bias=1))
    assert "1 2  *    1 -1  =    1 -2" in text
    assert "sum: 1 - 2 + 1.5 + 8 + 1 (bias) = 9.5" in text
    long = str(explain_convolution(np.ones((9, 9)), np.ones((2, 2))))
    assert "and 52 more" in long


def test_an_explanation_is_drawn():
    explanation = explain_convolution(np.eye(5), np.ones((2, 2)), dilation=2)
    axes = explanation.plot(1, 2)
    assert [ax.get_title() for ax in axes][3] == f"outputs: {explanation.output[1, 2]:.4g}"
    assert len(axes[0].patches) == 4


@pytest.mark.parametrize(
    ("image", "kernel", "message"),
    [
        (np.ones((3, 3)), np.ones(3), "must both have"),
        (np.ones((3, 3, 2)), np.ones((2, 2, 1)), "2 channels, but kernel has 1"),
        (np.ones((3, 3)), np.ones((4, 4)), "does not fit"),
    ],
)
def test_an_image_and_a_kernel_that_do_not_fit_are_refused(image, kernel, message):
    with pytest.raises(ValueError, match=message):
        explain_convolution(image, kernel)
