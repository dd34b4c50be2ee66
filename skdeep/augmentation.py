"""Data augmentation: random changes of the training batches.

Estimators for images take a tuple of these as `augmentation`; they act one after the
other, on the training batches only, and the data is never copied. What is drawn depends
on `random_state`, the step and the sample's place in the batch, never on threads.

As `test_time_augmentation` nothing is drawn: a prediction is the mean over all versions
that there are, each weighed by its probability.
"""

import math
from collections.abc import Callable
from itertools import product
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from skdeep import kernels
from skdeep.engine.program import ROWS, Buffer, Scope

__all__ = [
    "Augmentation",
    "Cutout",
    "Mixup",
    "RandomCrop",
    "RandomFlip",
    "RandomShift",
]


# Versions of a sample that a prediction is the mean over, at most.
_MOST_VERSIONS = 1000

#: A probability, and what makes such a version of samples.
Version = tuple[float, Callable[[np.ndarray], np.ndarray]]


class Augmentation(BaseEstimator):
    """Base of all augmentations: an immutable description that writes kernel calls."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def check(self, input_shape: tuple[int, ...]) -> None:
        """Raise a ValueError where samples of a shape cannot be changed like this."""

    def write(self, scope: Scope, x: Buffer, target: Buffer) -> tuple[Buffer, Buffer]:
        """Write the calls that change a batch.

        Parameters
        ----------
        scope : Scope
            Where calls go; its index is the purpose of the random numbers.

        x, target : Buffer
            The batch.

        Returns
        -------
        x, target : Buffer
            The changed batch.
        """
        raise NotImplementedError(f"{type(self).__name__} must define write.")

    def versions(self, input_shape: tuple[int, ...]) -> list[Version]:
        """All versions of a sample that may be drawn, where they can be counted.

        Parameters
        ----------
        input_shape : tuple of int
            The shape of a sample.

        Returns
        -------
        versions : list of (float, callable)
            The probability of each, and what makes it of an array of samples.
        """
        raise ValueError(
            f"test_time_augmentation averages over all versions of a sample, but those of "
            f"{type(self).__name__} cannot be counted. It takes RandomFlip, RandomCrop and "
            "RandomShift."
        )


def check_augmentation(augmentation, input_shape, name="augmentation"):
    """A tuple of augmentations with checked parameters, for samples of a shape.

    The name is that of the estimator's parameter, for errors.

    Raises
    ------
    TypeError
        Where one is no augmentation.
    ValueError
        Where a parameter is wrong, or one does not suit the samples.
    """
    for item in augmentation:
        if not isinstance(item, Augmentation):
            raise TypeError(
                f"{name} must be a tuple of objects of skdeep.augmentation, such as "
                f"(RandomFlip(), RandomCrop(4)). Got {item!r} in it."
            )
        item._validate_params()
        item.check(input_shape)
    return tuple(augmentation)


def check_versions(augmentation, input_shape):
    """The versions of a sample that augmentations make one after the other.

    Parameters
    ----------
    augmentation : sequence of Augmentation
        Checked as by `check_augmentation`.

    input_shape : tuple of int
        The shape of a sample.

    Returns
    -------
    versions : list of (float, callable)
        The probability of each, and what makes it of an array of samples; without
        augmentations the samples as they are.

    Raises
    ------
    TypeError, ValueError
        Where one is no augmentation, is wrong, or has versions without number.
    """
    augmentation = check_augmentation(augmentation, input_shape, "test_time_augmentation")
    steps = [item.versions(input_shape) for item in augmentation]
    _check_count(math.prod(map(len, steps)))

    def version(choices):
        changes = [change for _, change in choices]

        def changed(samples):
            for change in changes:
                samples = change(samples)
            return samples

        return math.prod(share for share, _ in choices), changed

    return [version(choices) for choices in product(*steps)]


class _OfImages(Augmentation):
    """Base of those that move places of images; a signal is an image of one row."""

    def check(self, input_shape):
        if len(input_shape) not in (2, 3):
            raise ValueError(
                f"{type(self).__name__} changes images or signals, but samples have the "
                f"shape {input_shape}. Give X as images, or set input_shape."
            )

    def write(self, scope, x, target):
        out = scope.buffer("x", x.shape)
        signal = len(x.shape) == 3
        view = (ROWS, 1, *x.shape[1:]) if signal else x.shape
        random = {
            "stream": scope.training.stream,
            "purpose": scope.index,
            "step": scope.training.step,
        }
        self._call(scope, random, x.view(view), out.view(view))
        return out, target


def _check_count(count):
    if count > _MOST_VERSIONS:
        raise ValueError(
            f"test_time_augmentation makes {count} versions of each sample; more than "
            f"{_MOST_VERSIONS} take too long. Let it move samples less far, such as "
            "RandomCrop(padding=1)."
        )


def _as_it_is(samples):
    return samples


def _move(move, repeats):
    """What moves samples by whole places along their axes, as `shift_images` does."""

    def moved(samples):
        for axis, places in enumerate(move, 1):
            source = np.arange(samples.shape[axis]) + places
            inside = np.clip(source, 0, len(source) - 1)
            samples = np.take(samples, inside, axis)
            if not repeats:
                np.moveaxis(samples, axis, 0)[source != inside] = 0
        return samples

    return moved


class RandomFlip(_OfImages):
    """Turn images around, each with a probability.

    Parameters
    ----------
    direction : {"horizontal", "vertical"}, default="horizontal"
        Whether left and right change places, or top and bottom. A signal is turned
        around in time by "horizontal".

    probability : float, default=0.5
        The share of images that is turned around.

    Examples
    --------
    >>> from skdeep.augmentation import RandomFlip
    >>> RandomFlip(probability=0.3)
    RandomFlip(probability=0.3)
    """

    _parameter_constraints = {
        "direction": [StrOptions({"horizontal", "vertical"})],
        "probability": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, direction="horizontal", probability=0.5):
        self.direction = direction
        self.probability = probability

    def _call(self, scope, random, x, out):
        scope.call(
            kernels.flip_images,
            x=x,
            **random,
            probability=float(self.probability),
            axis=2 if self.direction == "horizontal" else 1,
            out=out,
        )

    def versions(self, input_shape):
        signal, share = len(input_shape) == 2, float(self.probability)
        if signal and self.direction == "vertical":
            return [(1.0, _as_it_is)]  # a signal is an image of one row
        axis = 1 if signal or self.direction == "vertical" else 2
        both = [(1 - share, _as_it_is), (share, lambda samples: np.flip(samples, axis))]
        return [version for version in both if version[0]]


class _Shift(_OfImages):
    """Base of those that move images as a whole."""

    def _call(self, scope, random, x, out):
        scope.call(
            kernels.shift_images,
            x=x,
            **random,
            reach=self._reach(x.shape[1:3]),
            repeats=self._repeats(),
            out=out,
        )

    def versions(self, input_shape):
        signal = len(input_shape) == 2
        size = (1, input_shape[0]) if signal else input_shape[:2]
        reach = self._reach(size)[signal:]
        _check_count(math.prod(2 * r + 1 for r in reach))
        moves = list(product(*(range(-r, r + 1) for r in reach)))
        repeats = self._repeats()
        return [(1 / len(moves), _move(move, repeats)) for move in moves]


class RandomCrop(_Shift):
    """Pad images with zeros and crop them to their size at a random place.

    Parameters
    ----------
    padding : int, default=4
        The zeros added on every side, in places; of signals at both ends.

    References
    ----------
    Lee, Xie, Gallagher, Zhang and Tu (2015). "Deeply-supervised nets". AISTATS.

    Examples
    --------
    >>> from skdeep.augmentation import RandomCrop
    >>> RandomCrop(padding=2)
    RandomCrop(padding=2)
    """

    _parameter_constraints = {"padding": [Interval(Integral, 0, None, closed="left")]}

    def __init__(self, padding=4):
        self.padding = padding

    def _reach(self, size):
        return tuple(0 if n == 1 else int(self.padding) for n in size)

    def _repeats(self):
        return False


class RandomShift(_Shift):
    """Move images by a random share of their height and width, in whole places.

    Parameters
    ----------
    height : float, default=0.1
        The largest move up or down, as a share of the height.

    width : float, default=0.1
        The largest move left or right, as a share of the width; of signals, of the
        length.

    fill : {"zeros", "nearest"}, default="zeros"
        What comes in from outside: zeros, or the nearest places again.

    Examples
    --------
    >>> from skdeep.augmentation import RandomShift
    >>> RandomShift(0.2, 0.2, fill="nearest")
    RandomShift(fill='nearest', height=0.2, width=0.2)
    """

    _parameter_constraints = {
        "height": [Interval(Real, 0, 1, closed="both")],
        "width": [Interval(Real, 0, 1, closed="both")],
        "fill": [StrOptions({"zeros", "nearest"})],
    }

    def __init__(self, height=0.1, width=0.1, fill="zeros"):
        self.height = height
        self.width = width
        self.fill = fill

    def _reach(self, size):
        shares = self.height, self.width
        return tuple(
            0 if n == 1 else round(s * n) for s, n in zip(shares, size, strict=True)
        )

    def _repeats(self):
        return self.fill == "nearest"


class Cutout(_OfImages):
    """Put zeros in a square of each image, so that no single part decides.

    Parameters
    ----------
    size : int, default=8
        The side of the square, in places; of signals, the length of the stretch. Its
        centre is anywhere in the image, and the border may cut a part of it off.

    References
    ----------
    DeVries and Taylor (2017). "Improved regularization of convolutional neural networks
    with cutout". arXiv:1708.04552.

    Examples
    --------
    >>> from skdeep.augmentation import Cutout
    >>> Cutout(size=4)
    Cutout(size=4)
    """

    _parameter_constraints = {"size": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, size=8):
        self.size = size

    def _call(self, scope, random, x, out):
        scope.call(
            kernels.cut_out,
            x=x,
            **random,
            size=(int(self.size), int(self.size)),
            out=out,
        )


class Mixup(Augmentation):
    """Mix samples, and their targets alike, in pairs: a convex combination of two.

    The share is drawn from a beta distribution for each batch.

    Parameters
    ----------
    alpha : float, default=0.2
        Both parameters of the beta distribution: near 0 hardly anything is mixed, 1 is
        uniform.

    References
    ----------
    Zhang, Cisse, Dauphin and Lopez-Paz (2018). "mixup: beyond empirical risk
    minimization". ICLR.

    Examples
    --------
    >>> from skdeep.augmentation import Mixup
    >>> Mixup(alpha=0.4)
    Mixup(alpha=0.4)
    """

    _parameter_constraints = {"alpha": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, alpha=0.2):
        self.alpha = alpha

    def write(self, scope, x, target):
        out, target_out = scope.buffer("x", x.shape), scope.buffer("target", target.shape)
        scope.call(
            kernels.mix_up,
            x=x,
            target=target,
            stream=scope.training.stream,
            purpose=scope.index,
            step=scope.training.step,
            alpha=float(self.alpha),
            out=out,
            target_out=target_out,
        )
        return out, target_out
