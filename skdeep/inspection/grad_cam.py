"""Grad-CAM: which parts of an image speak for a class."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import zoom

from skdeep.engine.layer_outputs import output_gradients, output_shapes
from skdeep.estimators.inside import fitted_network, network_samples
from skdeep.inspection.plotting import import_pyplot
from skdeep.validation.messages import plain


@dataclass(frozen=True)
class GradCAM:
    """Class activation maps of some images.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, channels) or \
            (n_samples, length, channels)
        The images, or signals.

    heatmaps : ndarray of shape (n_samples, height, width) or (n_samples, length)
        How much each place speaks for the target, between 0 and 1 (the most in the
        image); all zeros where nothing does.

    targets : ndarray of shape (n_samples,)
        What the maps are for: classes, or numbers of outputs.

    layer : str
        The layer whose channels were weighed.
    """

    images: np.ndarray
    heatmaps: np.ndarray
    targets: np.ndarray
    layer: str

    def plot(self, samples=None, axes=None):
        """Draw images with their maps over them.

        Parameters
        ----------
        samples : sequence of int or None, default=None
            Which; None draws the first eight.

        axes : sequence of matplotlib Axes or None, default=None
            Where to draw, one for each; None makes a figure.

        Returns
        -------
        axes : ndarray of matplotlib Axes

        Raises
        ------
        ImportError
            Where Matplotlib is not installed.
        """
        pyplot = import_pyplot()
        samples = range(min(len(self.images), 8)) if samples is None else samples
        if axes is None:
            size = (1.8 * len(samples), 2.2)
            _, axes = pyplot.subplots(
                1, len(samples), figsize=size, squeeze=False, layout="constrained"
            )
        axes = np.ravel(axes)
        for ax, i in zip(axes, samples, strict=True):
            image, heat = self.images[i], self.heatmaps[i]
            if heat.ndim == 1:
                ax.plot(image, color="black", lw=0.8)
                low, high = image.min(), image.max()
                ax.imshow(
                    heat[np.newaxis],
                    cmap="magma_r",
                    alpha=0.5,
                    aspect="auto",
                    extent=(-0.5, len(heat) - 0.5, low, high),
                )
            else:
                grey = image.mean(axis=2)
                ax.imshow(grey, cmap="gray")
                ax.imshow(heat, cmap="magma", alpha=0.5, vmin=0, vmax=1)
            ax.set(title=str(self.targets[i]), xticks=[], yticks=[])
        return axes


def grad_cam(estimator, X, *, layer=None, target=None):
    """Find which parts of images speak for a class (Selvaraju et al. 2017).

    The channels of a layer are averaged, each weighed by the mean over all places of the
    gradient of the class's raw output with respect to it. What is negative speaks
    against the class and is left out. The map is brought to the size of the images.

    Parameters
    ----------
    estimator : fitted estimator of skdeep for images
        What predicts.

    X : array-like of shape (n_samples, ...)
        The images or signals, as the estimator takes them.

    layer : str or None, default=None
        The layer whose channels are weighed, by its name in ``network_.summary()``; one
        inside of another is ``outer.inner``. None is the last of the network's own that
        has places.

    target : class label, int or None, default=None
        The class whose map is wanted; of regressors and of labels, the number of the
        output. None is the predicted class of each image; of regressors the first
        output.

    Returns
    -------
    maps : GradCAM

    Raises
    ------
    ValueError
        Where there is no such layer or class, or the layer has no places.

    References
    ----------
    Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra (2017). "Grad-CAM: visual
    explanations from deep networks via gradient-based localization". ICCV.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep import ConvNetClassifier
    >>> from skdeep.inspection import grad_cam
    >>> images, y = load_digits(return_X_y=True)
    >>> images = images.reshape(-1, 8, 8) / 16
    >>> model = ConvNetClassifier((8, 16), max_iter=3, random_state=0).fit(images, y)
    >>> grad_cam(model, images[:5]).heatmaps.shape
    (5, 8, 8)
    """
    network = fitted_network(estimator)
    samples = network_samples(estimator, X)
    layer = _layer_with_places(network, layer)
    targets, factors = _targets(estimator, X, target)
    outputs, gradients = output_gradients(network, samples, layer, factors)
    places = tuple(range(1, outputs.ndim - 1))
    weights = gradients.mean(axis=places, keepdims=True)
    heat = np.maximum((outputs * weights).sum(axis=-1), 0.0)
    shape = samples.shape[1:-1]
    factor = [1.0] + [n / m for n, m in zip(shape, heat.shape[1:], strict=True)]
    heat = zoom(heat, factor, order=1, mode="nearest", grid_mode=True)
    highest = heat.max(axis=tuple(range(1, heat.ndim)), keepdims=True)
    heat = np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0)
    return GradCAM(samples, heat, targets, layer)


def _layer_with_places(network, layer):
    names = [name for name, shape in output_shapes(network).items() if len(shape) > 1]
    if not names:
        raise ValueError("The network has no layer with places: it sees no images.")
    if layer is None:
        own = {name for name, _ in network.layers}
        return [name for name in names if name in own][-1]
    if layer not in names:
        raise ValueError(
            f"There is no layer {layer!r} with places; there are {', '.join(names)}."
        )
    return layer


def _targets(estimator, X, target):
    """What the maps are for, and the factor of each raw output."""
    n_outputs = estimator.network_.shapes[-1][0]
    classes = getattr(estimator, "classes_", np.arange(n_outputs))
    if target is not None:
        if target not in classes:
            raise ValueError(f"target={plain(target)!r} is none of {plain(classes)}.")
        targets = np.full(len(X), target)
    elif hasattr(estimator, "classes_") and np.ndim(predicted := estimator.predict(X)) == 1:
        targets = predicted
    else:
        targets = np.full(len(X), classes[0])
    codes = np.searchsorted(classes, targets)
    if n_outputs == 1 and len(classes) == 2:
        return targets, np.where(codes == 1, 1.0, -1.0)[:, np.newaxis]
    return targets, np.eye(n_outputs)[codes]
