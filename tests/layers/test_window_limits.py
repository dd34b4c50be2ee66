"""Windows, filters and units of absurd sizes are refused in words."""

import numpy as np
import pytest

from skdeep import ConvNetClassifier, MLPClassifier, SequentialClassifier
from skdeep.layers import (
    Activation,
    AveragePool,
    Conv,
    Dense,
    GlobalAveragePool,
    MaxPool,
    Residual,
)

pytestmark = pytest.mark.tiny

rng = np.random.default_rng(0)
IMAGES, SIGNALS = rng.normal(size=(12, 6, 5, 2)), rng.normal(size=(12, 9, 2))
Y = np.arange(12) % 2
SIZES = [2**40, 2**62, 2**70]


def fit(layer, X=IMAGES):
    layers = [layer, GlobalAveragePool()]
    SequentialClassifier(layers, max_iter=1, batch_size=5).fit(X, Y)


@pytest.mark.parametrize("X", [IMAGES, SIGNALS], ids=["images", "signals"])
@pytest.mark.parametrize("padding", ["same", 2**20])
@pytest.mark.parametrize("dilation", [6, 9, 2**20, 2**31, 2**61, *SIZES])
def test_a_dilation_that_leaves_one_place_is_an_error(dilation, padding, X):
    dilation += 3 * (X is SIGNALS)
    with pytest.raises(ValueError, match=r"dilation=.*(all but one|from 1 to)"):
        fit(Conv(2, dilation=dilation, padding=padding), X)


def test_a_dilation_of_windows_that_see_two_places_is_none():
    fit(Conv(2, dilation=4))
    fit(Conv(2, kernel_size=1, dilation=100))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "layer",
    [
        lambda n: Conv(2, kernel_size=n),
        lambda n: Conv(2, kernel_size=(2, n), groups=2),
        lambda n: Conv(2, padding=n),
        lambda n: Conv(2, padding=((n, 0), (0, n))),
        lambda n: Conv(n),
        lambda n: Conv(2 * n, groups=2),
        lambda n: Dense(n),
        lambda n: Residual([Conv(n), Conv(2)]),
        lambda n: MaxPool(n, padding="same"),
        lambda n: AveragePool((n, n), padding="same", strides=2),
        lambda n: MaxPool(2, padding=n),
    ],
)
def test_absurd_sizes_are_errors_in_words(layer, size):
    with pytest.raises(ValueError, match=r"\w+ \w+ \w+"):
        fit(layer(size))


@pytest.mark.parametrize("size", [2**31, 2**61, 2**70])
@pytest.mark.parametrize("layer", [Conv(2), MaxPool(), AveragePool()], ids=str)
def test_absurd_strides_are_errors_in_words(layer, size):
    with pytest.raises(ValueError, match=r"strides=.*from 1 to"):
        fit(layer.set_params(strides=size))


@pytest.mark.parametrize("size", [20, 2**13])
@pytest.mark.parametrize("kind", [MaxPool, AveragePool])
def test_a_pool_that_is_larger_than_the_image_sees_all_of_it(kind, size):
    layers = [kind(size, padding="same"), Activation("relu"), GlobalAveragePool()]
    SequentialClassifier(layers, max_iter=1, batch_size=5).fit(IMAGES, Y)


@pytest.mark.parametrize("size", [2**40, 2**62])
def test_estimators_refuse_absurd_sizes(size):
    for settings in (
        {"filters": (size,)},
        {"kernel_size": size},
        {"strides": size},
        {"padding": size},
        {"pool_size": size},
    ):
        with pytest.raises(ValueError, match=r"\w+ \w+ \w+"):
            ConvNetClassifier(**settings, max_iter=1).fit(IMAGES, Y)
    with pytest.raises(ValueError, match="memory"):
        MLPClassifier((3, size), max_iter=1).fit(IMAGES[:, 0, 0], Y)
