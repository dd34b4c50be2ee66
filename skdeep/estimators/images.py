"""Images and signals as X: arrays of three and four axes, and bytes."""

import math
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from skdeep.augmentation import check_augmentation, check_versions
from skdeep.estimators.network_inputs import Inputs
from skdeep.layers.rescaling import Rescaling
from skdeep.layers.whitening import PatchWhitening
from skdeep.validation.messages import plain
from skdeep.validation.notices import warn_user

# Signals have many places and few channels; images have sides of about equal length.
_SIGNAL_RATIO = 4
# Rows whose versions are predicted at a time: each is a copy of them.
_ROWS = 2048
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
        warn_user(
            f"Samples of shape {shape} look as if their channels came first, but channels "
            f"are taken from the last axis, of {shape[-1]}. If axis 1 of X holds them, "
            "move it: np.moveaxis(X, 1, -1), for rows of a table after "
            f"X.reshape(-1, {', '.join(map(str, shape))}). If not, say so with "
            f"input_shape={shape} for an X of these axes."
        )


def _has_scale_of_bytes(X):
    """Whether numbers are from 0 to 255; those from 0 to 1 are taken for another scale."""
    low, high = X.min(), X.max()
    return low >= 0 and (high == 0 or 1 < high <= 255)


class Images(Inputs):
    """Images, signals and tables that are reshaped to them; bytes, too.

    Parameters
    ----------
    owner : str
        The name of the estimator's class, for errors.

    input_shape : sequence of int or None
        The estimator's parameter.

    is_signal : bool or None, default=None
        What two axes are, as in `sample_shape`.

    whitening : int, tuple of int or None, default=None
        The size of the windows whose numbers are to be whitened.

    Attributes
    ----------
    given_shape : tuple of int
        The axes of the first X after that of samples.

    whitening_layer : PatchWhitening or None
        What whitens them, as found from the first X.
    """

    takes_sparse = False
    given_shape: tuple[int, ...]
    whitening_layer: PatchWhitening | None = None

    def __init__(
        self,
        owner: str,
        input_shape: Any,
        is_signal: bool | None = None,
        whitening: Any = None,
    ) -> None:
        self.owner = owner
        self.input_shape = input_shape
        self.is_signal = is_signal
        self.whitening = whitening

    def learn_weighted(self, X: Any, sample_weight: np.ndarray) -> None:
        if self.whitening is not None:
            scale = Rescaling().scale if self.holds_bytes else 1.0
            self.whitening_layer = PatchWhitening.of(
                self.samples(X), self.whitening, sample_weight, scale
            )

    def samples(self, X: Any) -> Any:
        if not issparse(X):
            return X.reshape(len(X), *self.shape)
        if self.holds_bytes or X.dtype == np.uint8:
            raise ValueError(
                "Bytes are pixels of images, which cannot be sparse. Convert X to numbers "
                "in fit and in prediction: X.astype('float32')."
            )
        return X

    def _options(self, dtypes: list[Any]) -> dict[str, Any]:
        options = {"allow_nd": True, "dtype": [*dtypes, np.uint8]}
        return options | ({"accept_sparse": "csr"} if self.takes_sparse else {})

    def _expect(self, X: Any) -> dict[str, Any]:
        shape = tuple(getattr(X, "shape", ()))[1:]
        if len(shape) <= 1 and len(self.given_shape) <= 1:
            return {}
        if shape not in (self.given_shape, self.shape):
            raise ValueError(
                f"X has samples of shape {shape}, but {self.owner} was "
                f"fitted on samples of shape {self.given_shape}."
            )
        return {"ensure_2d": False}  # the sides of images are no features

    def _learn(self, X: Any) -> None:
        given = X.shape[1:]
        if len(given) > 3:
            raise ValueError(
                f"X has {X.ndim} axes; {self.owner} takes at most 4: samples, "
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
        self.shape = self._sample_shape(shape)
        self.given_shape = given
        self.holds_bytes = X.dtype == np.uint8
        self._has_scale_of_bytes = self.holds_bytes or _has_scale_of_bytes(X)

    def _sample_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return sample_shape(shape, self.is_signal)

    def _check(self, X: Any) -> None:
        """Raise a ValueError where bytes meet numbers on another scale than theirs."""
        is_bytes = X.dtype == np.uint8
        if issparse(X) or is_bytes == self.holds_bytes:
            return
        if is_bytes and not self._has_scale_of_bytes:
            raise ValueError(
                f"X holds bytes (uint8), from 0 to 255, but {self.owner} was "
                "fitted on numbers of another scale. Bring X to that: X / 255 where it was "
                "from 0 to 1."
            )
        if self.holds_bytes and not _has_scale_of_bytes(X):
            raise ValueError(
                f"{self.owner} was fitted on bytes (uint8), from 0 to 255, but X "
                f"holds numbers from {X.min():.6g} to {X.max():.6g}. Pass them on the "
                "scale of bytes: 255 * X where they are from 0 to 1."
            )


class ImageInput:
    """Makes an estimator of networks accept images and signals.

    It stands before the classifier's or regressor's base. The subclass has the
    parameters `input_shape`, `augmentation` and `test_time_augmentation`.
    """

    _parameter_constraints = {
        "input_shape": [tuple, list, None],
        "augmentation": [tuple, list],
        "test_time_augmentation": [tuple, list],
    }

    @property
    def input_shape_(self):
        if not hasattr(self, "_inputs"):
            raise self._not_fitted()
        return self._inputs.shape

    def _new_inputs(self):
        return Images(type(self).__name__, self.input_shape)

    def _augmentation(self, input_shape):
        check_versions(self.test_time_augmentation, input_shape)
        return check_augmentation(self.augmentation, input_shape)

    def _raw_outputs(self, X):
        if not len(self.test_time_augmentation):
            return super()._raw_outputs(X)
        check_is_fitted(self)
        samples = self._samples(X)
        versions = check_versions(self.test_time_augmentation, samples.shape[1:])
        outputs = np.zeros((len(samples), *self.network_.shapes[-1]), self.network_.dtype)
        for start in range(0, len(samples), _ROWS):
            rows = slice(start, start + _ROWS)
            for share, change in versions:
                changed = np.ascontiguousarray(change(samples[rows]))
                outputs[rows] += share * self.network_.raw_outputs(changed)
        return outputs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        return tags
