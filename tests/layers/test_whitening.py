"""Whitened patches have no correlations, whatever the images."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from skdeep import ConvNetClassifier, ConvNetRegressor
from skdeep.layers.whitening import PatchWhitening

pytestmark = pytest.mark.tiny


def correlated_images(n=200, shape=(8, 7, 3), seed=0):
    """Noise that was smoothed along the rows, and mixed over channels."""
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(n, *shape))
    images += 2 * np.roll(images, 1, axis=-2) + 5
    return images @ generator.normal(size=(shape[-1], shape[-1]))


def outputs(images, layer):
    """Every window's product with the kernel, without the padded last ones."""
    window = np.shape(layer.kernel)[:-2]
    axes = tuple(range(1, 1 + len(window)))
    views = np.lib.stride_tricks.sliding_window_view(images, window, axes)
    letters = "ab"[: len(window)]
    return np.einsum(f"...c{letters},{letters}cf->...f", views, layer.kernel) + layer.bias


@pytest.mark.parametrize(
    ("shape", "size"),
    [((8, 7, 3), 2), ((8, 7, 3), (1, 3)), ((9, 2), 3), ((5, 5, 1), 1)],
)
def test_components_are_of_mean_zero_and_variance_one_without_correlations(shape, size):
    images = correlated_images(shape=shape)
    layer = PatchWhitening.of(images, size)
    z = outputs(images, layer)
    z = z.reshape(-1, z.shape[-1])
    half = z.shape[1] // 2
    np.testing.assert_allclose(z[:, half:], -z[:, :half], atol=1e-9)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-9)
    covariance = z[:, :half].T @ z[:, :half] / len(z)
    off_diagonal = covariance - np.diag(np.diag(covariance))
    np.testing.assert_allclose(off_diagonal, 0, atol=1e-9)
    # what is added to the variances makes small ones smaller than 1
    assert np.diag(covariance).max() == pytest.approx(1, abs=1e-3)
    assert (np.diag(covariance) <= 1).all()


def test_a_scale_of_the_images_before_the_layer_is_taken_into_account():
    images = correlated_images()
    layer, scaled = PatchWhitening.of(images, 2), PatchWhitening.of(images, 2, scale=0.01)
    np.testing.assert_allclose(
        np.abs(outputs(0.01 * images, scaled)), np.abs(outputs(images, layer)), atol=1e-8
    )


def test_constant_images_become_zeros():
    images = np.full((10, 4, 4, 1), 3.0)
    assert not outputs(images, PatchWhitening.of(images, 2)).any()


def test_of_many_images_every_so_many_is_looked_at():
    images = correlated_images(10_001, (2, 2, 1))
    layer, third = PatchWhitening.of(images, 2), PatchWhitening.of(images[::3], 2)
    np.testing.assert_array_equal(layer.kernel, third.kernel)


def test_a_weight_counts_as_so_many_images_and_none_as_no_image():
    images = correlated_images(9)
    weight = np.array([0, 1, 2, 3, 0, 1, 1, 2, 5])
    weighted = PatchWhitening.of(images, 2, weight)
    repeated = PatchWhitening.of(np.repeat(images, weight, axis=0), 2)
    np.testing.assert_allclose(
        np.abs(outputs(images, weighted)), np.abs(outputs(images, repeated)), atol=1e-7
    )
    # where nothing has weight, all count alike
    np.testing.assert_array_equal(
        PatchWhitening.of(images, 2, np.zeros(9)).kernel,
        PatchWhitening.of(images, 2).kernel,
    )


def test_a_window_that_does_not_fit_is_told_of():
    X = np.random.default_rng(0).normal(size=(20, 3, 3, 1))
    with pytest.raises(ValueError, match="whitening=4"):
        ConvNetClassifier(whitening=4).fit(X, np.arange(20) % 2)


def test_numbers_whose_squares_are_none_are_told_of():
    X = 1e200 * np.random.default_rng(0).normal(size=(20, 3, 3, 1))
    with pytest.raises(ValueError, match="too large for whitening"):
        ConvNetClassifier(whitening=2).fit(X, np.arange(20) % 2)


# --- in an estimator --------------------------------------------------------------


def model(kind=ConvNetClassifier, **parameters):
    options = {"hidden_layer_sizes": (), "max_iter": 3, "whitening": 2, "random_state": 0}
    return kind((4,), **options | parameters)


def test_it_is_found_from_the_training_data_and_not_trained():
    X = correlated_images(60)
    fitted = model().fit(X, np.arange(60) % 3)
    expected = PatchWhitening.of(X, 2)
    network = fitted.network_
    np.testing.assert_array_equal(network.view("whitening", "kernel"), expected.kernel)
    np.testing.assert_array_equal(network.view("whitening", "bias"), expected.bias)
    assert "whitening" not in {layer for layer, _ in network.parameter_names()}
    np.testing.assert_allclose(
        network.activations(X, "whitening")[:, :-1, :-1], outputs(X, expected), atol=1e-9
    )


def test_of_bytes_it_is_that_of_their_numbers_in_the_network():
    X = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 3), dtype=np.uint8)
    fitted = model().fit(X, np.arange(40) % 2)
    z = fitted.network_.activations(X, "whitening")[:, :-1, :-1]
    np.testing.assert_allclose(z.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=(0, 1, 2)), 1, atol=1e-2)


@pytest.mark.parametrize("kind", [ConvNetClassifier, ConvNetRegressor])
def test_a_pickle_and_a_clone_predict_the_same(kind):
    X, y = correlated_images(60), np.arange(60) % 3
    fitted = model(kind, architecture="resnet").fit(X, y)
    loaded, twin = pickle.loads(pickle.dumps(fitted)), clone(fitted).fit(X, y)
    for other in (loaded, twin):
        np.testing.assert_array_equal(other.predict(X), fitted.predict(X))


def test_it_does_not_depend_on_the_number_of_threads():
    X = correlated_images(400)
    kernels = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            kernels.append(PatchWhitening.of(X, 2).kernel)
    np.testing.assert_array_equal(*kernels)


def test_a_warm_start_keeps_it_and_cannot_change_it():
    X, y = correlated_images(60), np.arange(60) % 3
    fitted = model(warm_start=True).fit(X, y)
    before = fitted.network_.view("whitening", "kernel").copy()
    fitted.fit(2 * X, y)
    np.testing.assert_array_equal(fitted.network_.view("whitening", "kernel"), before)
    for other in (None, 3):
        with pytest.raises(ValueError, match="whitening was 2 in the last fit"):
            fitted.set_params(whitening=other).fit(X, y)


def test_averaged_weights_leave_it_as_it_is():
    X, y = correlated_images(60), np.arange(60) % 3
    fitted = model(batch_norm=True, weight_averaging="ema").fit(X, y)
    expected = PatchWhitening.of(X, 2)
    np.testing.assert_array_equal(
        fitted.network_.view("whitening", "kernel"), expected.kernel
    )
