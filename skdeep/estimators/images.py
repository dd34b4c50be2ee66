"""Images and signals as X: arrays of three and four axes, and bytes."""

import math
import warnings

import numpy as np
from scipy.sparse import issparse

from skdeep.augmentation import check_augmentation
from skdeep.validation.inputs import convert_input
from skdeep.validation.messages import plain

# Signals have many places and few channels; images have sides of about equal length.
_SIGNAL_RATIO = 4
# Images are grey, of colours, or of colours with transparency; signals have some more
# channels. Below so many, by the number of axes, the last axis may be that of channels.
_MOST_CHANNELS = {2: 16, 3: 4}


def sample_shape(shape, is_signal=None):
    """The shape of one sample with its channels last, from that of a sample of X.

    Parameters
    ----------
    shape : tuple of int
        The axes of X after the first, or what a user says they are.

    is_signal : bool or None, default=None
        What two axes are: length and channels of a signal, or height and width of an
        image with one channel. None takes those for a signal of which the first is more
        than four times as long as the second.

    Returns
    -------
    shape : tuple of int
    """
    shape = tuple(shape)
    if len(shape) == 1:
        return (*shape, 1)
    if len(shape) == 2:
        if is_signal is None:
            is_signal = shape[0] > _SIGNAL_RATIO * shape[1]
        return shape if is_signal else (*shape, 1)
    return shape


def _warn_of_channels_first(shape, most_channels):
    """Warn where samples look as if their channels came first, as in PyTorch."""
    if shape[0] in (1, 3) and shape[-1] > most_channels.get(len(shape), math.inf):
        warnings.warn(
            f"Samples of shape {shape} look as if their channels came first, but channels "
            f"are taken from the last axis, of {shape[-1]}. If axis 1 of X holds them, "
            "move it: np.moveaxis(X, 1, -1), for rows of a table after "
            f"X.reshape(-1, {', '.join(map(str, shape))}). If not, say so with "
            f"input_shape={shape} for an X of these axes.",
            UserWarning,
            stacklevel=2,
        )


def _has_scale_of_bytes(X):
    """Whether numbers are from 0 to 255; those from 0 to 1 are taken for another scale."""
    low, high = X.min(), X.max()
    return low >= 0 and (high == 0 or 1 < high <= 255)


class ImageInput:
    """Makes an estimator of networks accept images and signals.

    It stands before the classifier's or regressor's base. The subclass has the
    parameters `input_shape` and `augmentation`.
    """

    _parameter_constraints = {
        "input_shape": [tuple, list, None],
        "augmentation": [tuple, list],
    }

    def _data_options(self, dtypes):
        return {"allow_nd": True, "dtype": [*dtypes, np.uint8]}

    def _validate_input(self, X, *y, reset, **options):
        X = convert_input(X)  # lists have a shape then
        shape = tuple(getattr(X, "shape", ()))[1:]
        if not reset and (len(shape) > 1 or len(self._given_shape) > 1):
            self._check_sample_shape(shape)
            options["ensure_2d"] = False  # the sides of images are no features
        validated = super()._validate_input(X, *y, reset=reset, **options)
        if not reset:
            self._check_kind(validated[0] if y else validated)
        return validated

    def _check_sample_shape(self, shape):
        if shape not in (self._given_shape, self.input_shape_):
            raise ValueError(
                f"X has samples of shape {shape}, but {type(self).__name__} was "
                f"fitted on samples of shape {self._given_shape}."
            )

    def _check_kind(self, X):
        """Raise a ValueError where bytes meet numbers on another scale than theirs."""
        is_bytes = X.dtype == np.uint8
        if issparse(X) or is_bytes == self._holds_bytes:
            return
        if is_bytes and not self._has_scale_of_bytes:
            raise ValueError(
                f"X holds bytes (uint8), from 0 to 255, but {type(self).__name__} was "
                "fitted on numbers of another scale. Bring X to that: X / 255 where it was "
                "from 0 to 1."
            )
        if self._holds_bytes and not _has_scale_of_bytes(X):
            raise ValueError(
                f"{type(self).__name__} was fitted on bytes (uint8), from 0 to 255, but X "
                f"holds numbers from {X.min():.6g} to {X.max():.6g}. Pass them on the "
                "scale of bytes: 255 * X where they are from 0 to 1."
            )

    def _learn_input(self, X):
        given = X.shape[1:]
        if len(given) > 3:
            raise ValueError(
                f"X has {X.ndim} axes; {type(self).__name__} takes at most 4: samples, "
                "height, width and channels."
            )
        shape = given
        if self.input_shape is not None:
            shape = tuple(self.input_shape)
            if not 1 <= len(shape) <= 3 or math.prod(shape) != math.prod(given):
                raise ValueError(
                    f"input_shape={plain(shape)} does not fit X, whose samples have shape "
                    f"{given}: it must be (height, width, channels), (height, width) or "
                    f"(length, channels), of {math.prod(given)} numbers in all."
                )
        # whoever gives the shape of an image has seen what it is, of rows less so
        if self.input_shape is None:
            _warn_of_channels_first(given, _MOST_CHANNELS)
        elif shape != given:
            _warn_of_channels_first(shape, {3: _MOST_CHANNELS[3]})
        self.input_shape_ = self._sample_shape(shape)
        self._given_shape = given
        self._holds_bytes = X.dtype == np.uint8
        self._has_scale_of_bytes = self._holds_bytes or _has_scale_of_bytes(X)

    def _sample_shape(self, shape):
        return sample_shape(shape)

    def _as_samples(self, X):
        return X.reshape(len(X), *self.input_shape_)

    def _augmentation(self):
        return check_augmentation(self.augmentation, self.input_shape_)

    def _check_smooth(self):
        super()._check_smooth()
        if len(self.augmentation):
            raise ValueError(
                "optimizer='lbfgs' needs a loss that is the same at every evaluation, so "
                "augmentation must be (). Use another optimizer, such as 'adam'."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags
