"""Convolutional networks generalize well where they should, and need no more memory."""

import math
import tracemalloc

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold, cross_val_score

from skdeep import ConvNetClassifier, MLPClassifier
from skdeep.augmentation import RandomCrop
from skdeep.inspection import grad_cam


def test_digits_are_recognised_in_five_folds(digits):
    X, y = digits[0].reshape(-1, 8, 8).astype(np.float32), digits[1]
    model = ConvNetClassifier(
        max_iter=10,
        batch_size=64,
        learning_rate=0.003,
        learning_rate_schedule="cosine",
        dropout=0.3,
        batch_norm=True,
        random_state=0,
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    assert cross_val_score(model, X, y, cv=folds).mean() >= 0.985


def draw_signals(n, seed):
    """Noise with a chirp somewhere, which rises in one class and falls in the other."""
    generator = np.random.default_rng(seed)
    signals = generator.normal(0, 0.3, (n, 128)).astype(np.float32)
    y = generator.integers(2, size=n)
    time = np.arange(32) / 32
    chirp = np.sin(2 * np.pi * (2 * time + 5 * time**2))
    for signal, label, start in zip(
        signals, y, generator.integers(0, 96, size=n), strict=True
    ):
        signal[start : start + 32] += chirp if label else chirp[::-1]
    return signals[..., np.newaxis], y


def test_a_pattern_anywhere_in_a_signal_is_found_by_convolution_and_not_by_a_table():
    X, y = draw_signals(1200, 0)
    X_test, y_test = draw_signals(1000, 1)
    shared = {"max_iter": 30, "learning_rate": 0.003, "random_state": 0}
    convnet = ConvNetClassifier(
        (16, 32), kernel_size=9, global_pool="max", hidden_layer_sizes=(), **shared
    ).fit(X, y)
    units = round(convnet.n_parameters_ / (128 + 2))
    mlp = MLPClassifier((units,), **shared).fit(X[..., 0], y)
    assert mlp.n_parameters_ == pytest.approx(convnet.n_parameters_, rel=0.05)
    assert convnet.score(X_test, y_test) > 0.95
    assert mlp.score(X_test[..., 0], y_test) < 0.75


@pytest.mark.parametrize("batch_size", [64, 128])
def test_training_needs_little_more_than_parameters_and_activations(batch_size):
    """At most four times the parameters and one batch's activations, above the data."""
    generator = np.random.default_rng(0)
    X = generator.integers(0, 255, (512, 28, 28), dtype=np.uint8)
    y = generator.integers(10, size=512)
    model = ConvNetClassifier(batch_size=batch_size, max_iter=1, random_state=0)
    model.fit(X[:256], y[:256])
    tracemalloc.start()
    try:
        model.fit(X, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    places = 28 * 28 + sum(math.prod(shape) for shape in model.network_.shapes)
    assert peak <= 4 * 4 * (model.n_parameters_ + batch_size * places)


def test_the_default_network_learns_mnist_from_4000_images(mnist):
    X, y = mnist
    images = X.reshape(-1, 28, 28)
    model = ConvNetClassifier(
        max_iter=3,
        batch_size=50,
        learning_rate=0.003,
        learning_rate_schedule="one_cycle",
        augmentation=(RandomCrop(1),),
        random_state=0,
    )
    model.fit(images[:4000], y[:4000])
    assert model.score(images[4000:], y[4000:]) > 0.96
    assert grad_cam(model, images[:2]).heatmaps.shape == (2, 28, 28)
