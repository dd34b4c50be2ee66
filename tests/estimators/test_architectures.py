"""What the architectures of convolutional networks are made of, and that they learn."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skdeep import ConvNetClassifier, ConvNetRegressor
from skdeep.initializers import Identity
from skdeep.layers import BatchNorm, GlobalMaxPool, Residual
from skdeep.optimizers import SGD

pytestmark = pytest.mark.tiny

X = np.random.default_rng(0).normal(size=(24, 8, 6, 2)).astype(np.float32)
Y = np.arange(24) % 3


def layers_of(**parameters):
    """The names and the layers, and the names and shapes of their outputs."""
    network = ConvNetClassifier(max_iter=1, **parameters).fit(X, Y).network_
    names = [name for name, _ in network.layers]
    return dict(network.layers), dict(zip(names, network.shapes, strict=True))


def test_a_stage_pools_its_first_convolution_and_adds_residual_blocks():
    layers, shapes = layers_of(architecture="resnet", filters=(4, 8), whitening=2)
    assert list(layers) == [
        *("whitening", "relu_0"),
        *("conv_1", "max_pool_1", "batch_norm_1", "relu_1", "residual_1_1"),
        *("conv_2", "max_pool_2", "batch_norm_2", "relu_2", "residual_2_1"),
        *("global_max_pool", "output"),
    ]
    assert shapes["whitening"] == (8, 6, 16)  # components of 2 x 2 x 2, and negatives
    assert shapes["residual_1_1"] == (4, 3, 4)
    assert shapes["residual_2_1"] == (2, 2, 8)
    assert [name for name, _ in layers["residual_2_1"].layers] == [
        *("conv_1", "batch_norm_1", "relu_1")
    ]


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("max", ["conv_1", "max_pool_1", "batch_norm_1", "relu_1"]),
        ("average", ["conv_1", "batch_norm_1", "relu_1", "average_pool_1"]),
        (None, ["conv_1", "batch_norm_1", "relu_1"]),
    ],
)
def test_a_plain_stage_takes_the_largest_before_and_averages_after_its_activation(
    pool, expected
):
    layers, _ = layers_of(filters=4, batch_norm=True, pool=pool)
    assert list(layers)[: len(expected) + 1] == [*expected, "flatten"]


def test_a_block_adds_to_its_input_what_its_layers_make_of_it():
    model = ConvNetClassifier(4, architecture="resnet", max_iter=1).fit(X, Y)
    network = model.network_
    before, after, branch = (
        network.activations(X, name)
        for name in ("relu_1", "residual_1_1", "residual_1_1.relu_1")
    )
    np.testing.assert_allclose(after, before + branch, rtol=1e-6)


@pytest.mark.parametrize(
    ("blocks", "expected"), [(0, [0, 0]), (2, [2, 2]), ((1, 0), [1, 0]), ([0, 3], [0, 3])]
)
def test_every_stage_has_the_blocks_asked_for(blocks, expected):
    layers, _ = layers_of(
        architecture="resnet", filters=(2, 3), blocks_per_stage=blocks, block_depth=2
    )
    residual = [n for n, layer in layers.items() if isinstance(layer, Residual)]
    assert [sum(n.startswith(f"residual_{s}_") for n in residual) for s in (1, 2)] == (
        expected
    )
    for name in residual:
        assert len(layers[name].layers) == 6  # two times convolution, norm, relu


@pytest.mark.parametrize("blocks", [(1,), (1, 2, 3), (1, -1), (0.5, 1)])
def test_wrong_numbers_of_blocks_are_told_of(blocks):
    model = ConvNetClassifier((2, 3), architecture="resnet", blocks_per_stage=blocks)
    with pytest.raises(ValueError, match="blocks_per_stage must be"):
        model.fit(X, Y)


def test_what_is_auto_depends_on_the_architecture():
    plain, _ = layers_of()
    assert "flatten" in plain and "dense_3" in plain and "batch_norm_1" not in plain
    assert plain["conv_2"].filters == 64
    residual, _ = layers_of(architecture="resnet")
    assert isinstance(residual["global_max_pool"], GlobalMaxPool)
    assert residual["conv_3"].filters == 256
    assert isinstance(residual["batch_norm_1"], BatchNorm)
    assert not any(name.startswith("dense") for name in residual)


def test_what_is_not_auto_is_as_it_was_asked_for():
    layers, shapes = layers_of(
        architecture="resnet",
        filters=(4, 5),
        batch_norm=False,
        global_pool=None,
        hidden_layer_sizes=(7,),
        pool=None,
        strides=2,
        kernel_size=5,
        kernel_initializer="he_normal",
        dropout=(0.1, 0.2, 0.3),
    )
    assert "flatten" in layers and shapes["dense_3"] == (7,)
    assert not any("norm" in name or "pool" in name for name in layers)
    assert shapes["residual_1_1"] == (4, 3, 4)
    assert layers["conv_1"].use_bias and layers["conv_1"].kernel_size == 5
    assert layers["conv_1"].kernel_initializer.__class__.__name__ == "HeNormal"
    assert {"dropout_1", "dropout_2", "dropout_3"} <= layers.keys()


def test_the_first_convolution_of_a_stage_starts_as_the_identity():
    layers, _ = layers_of(architecture="resnet", filters=(4,))
    assert isinstance(layers["conv_1"].kernel_initializer, Identity)
    assert not isinstance(layers["residual_1_1"].layers[0][1].kernel_initializer, Identity)


@pytest.mark.parametrize("architecture", ["plain", "resnet"])
def test_batch_normalization_may_be_an_object(architecture):
    norm = BatchNorm(momentum=0.5, shift_gain=8.0)
    layers, _ = layers_of(architecture=architecture, filters=(2,), batch_norm=norm)
    assert layers["batch_norm_1"] == norm
    model = ConvNetClassifier(2, architecture=architecture, batch_norm=BatchNorm(2.0))
    with pytest.raises(ValueError, match="momentum"):
        model.fit(X, Y)


def test_signals_and_tables_are_seen_by_residual_networks_too():
    options = {"architecture": "resnet", "max_iter": 1, "random_state": 0}
    signals = X.reshape(24, 48, 2)
    assert ConvNetRegressor((2, 3), **options).fit(signals, Y).predict(signals).shape == (
        24,
    )
    table = X.reshape(24, -1)
    assert ConvNetClassifier((2, 3), **options).fit(table, Y).predict(table).shape == (24,)


@pytest.mark.parametrize("kind", [ConvNetClassifier, ConvNetRegressor])
def test_a_residual_network_learns_digits(kind, digits):
    images, y = digits[0].reshape(-1, 8, 8).astype(np.float32), digits[1]
    model = kind(
        (16, 32),
        architecture="resnet",
        optimizer=SGD(momentum=0.9, nesterov=True),
        learning_rate=0.05 if kind is ConvNetClassifier else 0.01,
        learning_rate_schedule="one_cycle",
        weight_averaging=None,
        batch_size=64,
        max_iter=8,
        random_state=0,
    )
    model.fit(images[:1200], y[:1200])
    assert model.score(images[1200:], y[1200:]) > (
        0.94 if kind is ConvNetClassifier else 0.6
    )


def test_a_search_chooses_an_architecture():
    search = GridSearchCV(
        ConvNetClassifier((2, 2), max_iter=1, random_state=0),
        {"architecture": ["plain", "resnet"], "blocks_per_stage": [0, (1, 2)]},
        cv=2,
    )
    assert len(search.fit(X, Y).cv_results_["params"]) == 4


def test_a_warm_start_cannot_change_the_architecture():
    model = ConvNetClassifier((2, 2), max_iter=1, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="The layers changed"):
        model.set_params(architecture="resnet").fit(X, Y)
