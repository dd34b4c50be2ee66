"""Images and signals as X: arrays of three and four axes, and bytes."""

import math

import numpy as np

from skdeep.augmentation import check_augmentation

# Signals have many places and few channels; images have sides of about equal length.
_SIGNAL_RATIO = 4


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
                    f"input_shape={shape} does not fit X, whose samples have shape "
                    f"{given}: it must be (height, width, channels), (height, width) or "
                    f"(length, channels), of {math.prod(given)} numbers in all."
                )
        self.input_shape_ = self._sample_shape(shape)
        self._given_shape = given
        self._holds_bytes = X.dtype == np.uint8

    def _sample_shape(self, shape):
        return sample_shape(shape)

    def _as_samples(self, X):
        if X.shape[1:] not in (self._given_shape, self.input_shape_):
            raise ValueError(
                f"X has samples of shape {X.shape[1:]}, but {type(self).__name__} was "
                f"fitted on samples of shape {self._given_shape}."
            )
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
