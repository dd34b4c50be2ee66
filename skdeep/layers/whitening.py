"""Whitening of patches: a convolution that is found from images instead of trained."""

import numpy as np

from skdeep.engine.program import ROWS
from skdeep.engine.threads import single_threaded_blas
from skdeep.layers.convolution import write_convolution, write_convolution_backward_input
from skdeep.layers.layer import Layer, State
from skdeep.layers.window import Window
from skdeep.validation.messages import plain

# Added to the variances, as a share of their mean: noise is not made as large as the rest.
_EPSILON = 5e-4
# Images that the covariance of patches is measured on at most, and at a time.
_MOST_IMAGES, _BLOCK = 5000, 250


class PatchWhitening(Layer):
    """The principal components of the window at each place, of mean 0 and variance 1.

    Neighbours are much alike: most of what a first layer sees is the same light and dark,
    at a hundred times the variance of edges and colours. Behind this layer all directions
    are of one size, which makes the first steps of gradient descent count. With each
    component comes its negative, so that no activation drops half of it. Nothing here is
    trained.

    Parameters
    ----------
    kernel : array-like of shape (*window, channels, filters)
        The components as a convolution's kernel; `of` finds it.

    bias : array-like of shape (filters,)
        What brings them to mean 0.

    References
    ----------
    Page (2019). "How to train your ResNet 8: bag of tricks". Myrtle.ai.

    Jordan (2024). "94% on CIFAR-10 in 3.29 seconds on a single GPU". arXiv:2404.00498.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.layers.whitening import PatchWhitening
    >>> images = np.random.default_rng(0).normal(size=(100, 8, 8, 3))
    >>> PatchWhitening.of(images, 2).output_shape((8, 8, 3))
    (8, 8, 24)
    """

    def __init__(self, kernel, bias):
        self.kernel = kernel
        self.bias = bias

    @classmethod
    def of(cls, images, size, weight=None, scale=1.0):
        """The layer for some images.

        Parameters
        ----------
        images : ndarray of shape (n_samples, height, width, channels) or \
                (n_samples, length, channels)
            What is whitened; of more than some 5,000 images every so many is looked at.

        size : int or tuple of int
            The size of the window: one for all axes, or one for each.

        weight : ndarray of shape (n_samples,) or None, default=None
            The weights of the images; None where all count alike.

        scale : float, default=1.0
            What images are multiplied by before they come to this layer.

        Returns
        -------
        layer : PatchWhitening

        Raises
        ------
        ValueError
            Where the window does not fit into the images, or numbers are too large.
        """
        window = Window.over(images.shape[1:], size, 1, "valid", name="whitening")
        window = window.size[window.is_signal :]
        weight = np.ones(len(images)) if weight is None or not weight.any() else weight
        rows = np.flatnonzero(weight)
        rows = rows[:: -(-len(rows) // _MOST_IMAGES)]
        mean, covariance = _moments(images, rows, weight, window)
        mean, covariance = scale * mean, scale**2 * covariance
        if not np.isfinite(covariance).all():
            raise ValueError(
                "The numbers of X are too large for whitening, which needs their squares. "
                "Scale them, for instance to [0, 1], or set whitening=None."
            )
        with single_threaded_blas():
            variances, components = np.linalg.eigh(covariance)
        # either sign is as good; the largest number decides, not the library
        largest = np.argmax(np.abs(components), axis=0)
        components *= np.sign(components[largest, np.arange(len(mean))])
        variances = np.maximum(variances, 0.0) + _EPSILON * np.trace(covariance) / len(mean)
        deviations = np.sqrt(variances)
        # where all is one constant, nothing is left of it
        inverse = np.divide(1.0, deviations, out=np.zeros_like(mean), where=deviations > 0)
        kernel = components * inverse
        kernel = np.concatenate([kernel, -kernel], axis=1)
        shape = (*window, images.shape[-1], kernel.shape[1])
        return cls(kernel.reshape(shape), -(mean @ kernel))

    def _window(self, input_shape):
        size = np.shape(self.kernel)[:-2]
        return Window.over(input_shape, size, 1, "same", name="whitening")

    def output_shape(self, input_shape):
        if input_shape[-1] != np.shape(self.kernel)[-2]:
            raise ValueError(
                f"its kernel of shape {plain(np.shape(self.kernel))} is for "
                f"{np.shape(self.kernel)[-2]} channels."
            )
        return self._window(input_shape).output_shape(len(self.bias))

    def state(self, input_shape):
        kernel, bias = np.asarray(self.kernel), np.asarray(self.bias)
        return {"kernel": State(kernel.shape, kernel), "bias": State(bias.shape, bias)}

    def forward(self, scope, x):
        window = self._window(x.shape[1:])
        scope.keep("x", x)
        out = scope.buffer("out", (ROWS, *window.output_shape(len(self.bias))))
        write_convolution(scope, window, x, out, **scope.state)
        return out

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", scope["x"].shape)
        window = self._window(d_x.shape[1:])
        write_convolution_backward_input(scope, window, d_out, d_x, scope.state["kernel"])
        return d_x


def _moments(images, rows, weight, window):
    """The mean and the covariance of all windows, as vectors of their numbers."""
    n_numbers = int(np.prod(window)) * images.shape[-1]
    total, products, count = np.zeros(n_numbers), np.zeros((n_numbers, n_numbers)), 0.0
    axes = tuple(range(1, images.ndim - 1))
    # sums of numbers around zero lose fewer digits
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        centre = np.mean(images[rows[0]], dtype=np.float64)
        for start in range(0, len(rows), _BLOCK):
            numbers = rows[start : start + _BLOCK]
            block = images[numbers] - centre
            views = np.lib.stride_tricks.sliding_window_view(block, window, axes)
            # (..., channels, *window) to rows of (*window, channels)
            patches = np.moveaxis(views, len(axes) + 1, -1).reshape(-1, n_numbers)
            n_places = len(patches) // len(numbers)
            shares = np.repeat(weight[numbers].astype(np.float64), n_places)
            total += shares @ patches
            products += (patches * shares[:, np.newaxis]).T @ patches
            count += shares.sum()
        mean = total / count
        return mean + centre, products / count - np.outer(mean, mean)
