"""The kernels of convolutions, and the activations of their channels, as images."""

import math
from dataclasses import dataclass

import numpy as np

from skdeep.estimators.inside import fitted_network, network_samples
from skdeep.inspection.plotting import import_pyplot
from skdeep.layers import Conv


@dataclass(frozen=True)
class KernelDisplay:
    """The kernels of a convolution as images.

    Parameters
    ----------
    kernels : ndarray of shape (filters, height, width, channels)
        The weights of each filter; of signals, the height is 1.

    layer : str
        The layer they are of.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep import ConvNetClassifier
    >>> from skdeep.inspection import KernelDisplay
    >>> images, y = load_digits(return_X_y=True)
    >>> model = ConvNetClassifier((8, 16), max_iter=1, input_shape=(8, 8))
    >>> KernelDisplay.from_estimator(model.fit(images, y)).kernels.shape
    (8, 3, 3, 1)
    """

    kernels: np.ndarray
    layer: str

    @classmethod
    def from_estimator(cls, estimator, layer=None):
        """The kernels of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator of skdeep
            Where they come from.

        layer : str or None, default=None
            The convolution, by its name in ``network_.summary()``; None is the first.

        Returns
        -------
        display : KernelDisplay

        Raises
        ------
        ValueError
            Where there is no such convolution.
        """
        network = fitted_network(estimator)
        names = [name for name, kind in network.layers if isinstance(kind, Conv)]
        if not names or layer not in (None, *names):
            raise ValueError(
                f"There is no convolution {layer!r} in the network; there are {names}."
            )
        layer = names[0] if layer is None else layer
        kernel = network.view(layer, "kernel")
        kernel = kernel.reshape((1,) * (4 - kernel.ndim) + kernel.shape)
        return cls(np.moveaxis(kernel, -1, 0).copy(), layer)

    def images(self):
        """The kernels scaled to [0, 1], each by itself, for drawing.

        Returns
        -------
        images : ndarray of shape (filters, height, width, channels)
        """
        axes = (1, 2, 3)
        low = self.kernels.min(axis=axes, keepdims=True)
        spread = self.kernels.max(axis=axes, keepdims=True) - low
        zeros = np.zeros_like(self.kernels)
        return np.divide(self.kernels - low, spread, out=zeros, where=spread > 0)

    def plot(self, axes=None):
        """Draw every kernel: three channels as colours, others as their mean.

        Parameters
        ----------
        axes : sequence of matplotlib Axes or None, default=None
            Where to draw, one for each filter; None makes a figure.

        Returns
        -------
        axes : ndarray of matplotlib Axes

        Raises
        ------
        ImportError
            Where Matplotlib is not installed.
        """
        images = self.images()
        if images.shape[-1] != 3:
            images = images.mean(axis=-1)
        return _draw(images, axes)


@dataclass(frozen=True)
class ActivationDisplay:
    """What the channels of a layer make of one image.

    Parameters
    ----------
    activations : ndarray of shape (height, width, channels)
        The outputs of the layer; of signals, the height is 1.

    layer : str
        The layer they are of.
    """

    activations: np.ndarray
    layer: str

    @classmethod
    def from_estimator(cls, estimator, sample, layer):
        """The activations of a fitted estimator for one sample.

        Parameters
        ----------
        estimator : fitted estimator of skdeep for images
            What sees it.

        sample : array-like
            One image or signal, without an axis for samples.

        layer : str
            A layer with places, by its name in ``network_.summary()``; one inside of
            another is ``outer.inner``.

        Returns
        -------
        display : ActivationDisplay

        Raises
        ------
        ValueError
            Where there is no such layer, or it has no places.
        """
        network = fitted_network(estimator)
        samples = network_samples(estimator, np.asanyarray(sample)[np.newaxis])
        outputs = network.activations(samples, layer)[0]
        if outputs.ndim < 2:
            raise ValueError(f"The layer {layer!r} has no places: {outputs.shape}.")
        return cls(outputs.reshape((1,) * (3 - outputs.ndim) + outputs.shape), layer)

    def plot(self, axes=None):
        """Draw every channel.

        Parameters
        ----------
        axes : sequence of matplotlib Axes or None, default=None
            Where to draw, one for each channel; None makes a figure.

        Returns
        -------
        axes : ndarray of matplotlib Axes

        Raises
        ------
        ImportError
            Where Matplotlib is not installed.
        """
        return _draw(np.moveaxis(self.activations, -1, 0), axes)


def _draw(images, axes):
    pyplot = import_pyplot()
    if axes is None:
        columns = math.ceil(math.sqrt(len(images)))
        rows = math.ceil(len(images) / columns)
        _, axes = pyplot.subplots(
            rows, columns, figsize=(columns, rows), squeeze=False, layout="constrained"
        )
    axes = np.ravel(axes)
    for ax in axes:
        ax.set_axis_off()
    for ax, image in zip(axes, images, strict=False):
        ax.imshow(image, cmap="gray")
    return axes
