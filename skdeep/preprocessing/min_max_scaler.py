"""Features in a range, by their minimum and maximum."""

import numpy as np

from skdeep.preprocessing.affine_scaler import AffineScaler, without_zeros
from skdeep.preprocessing.extremes import Extremes, span
from skdeep.preprocessing.scaler_docstrings import document
from skdeep.validation.messages import plain


@document
class MinMaxScaler(AffineScaler):
    """Scale features to a range (a, b): a + (x - min) / (max - min) * (b - a).

    Parameters
    ----------
    feature_range : tuple (a, b), default=(0, 1)
        The range.

    clip : bool, default=False
        Whether values beyond those of `fit` are cut at the range.

    {parameters}

    Attributes
    ----------
    data_min_ : ndarray of shape (n_features,)
        The minimum of each feature, in float64.

    data_max_ : ndarray of shape (n_features,)
        The maximum.

    data_range_ : ndarray of shape (n_features,)
        ``data_max_ - data_min_``.

    scale_ : ndarray of shape (n_features,)
        What values are multiplied by: (b - a) / (max - min), or b - a for constant
        features.

    min_ : ndarray of shape (n_features,)
        What then is added: ``a - data_min_ * scale_``.

    {attributes}

    Examples
    --------
    >>> from skdeep.preprocessing import MinMaxScaler
    >>> MinMaxScaler().fit_transform([[1.0], [2.0], [5.0]])
    array([[0.  ],
           [0.25],
           [1.  ]])
    """

    _parameter_constraints = {
        **AffineScaler._parameter_constraints,
        "feature_range": [tuple, list],
        "clip": ["boolean"],
    }

    _sparse_error = TypeError  # as in scikit-learn

    def __init__(self, feature_range=(0, 1), *, clip=False, feature_axes=-1, copy=True):
        self.feature_range = feature_range
        self.clip = clip
        self.feature_axes = feature_axes
        self.copy = copy

    def _measure(self, X, axes, weight):
        low, high = self.feature_range
        if not low < high:
            raise ValueError(
                "Minimum of desired feature range must be smaller than maximum. Got "
                f"{plain(self.feature_range)}."
            )
        return Extremes.of(X, axes, weight)

    def _learn(self, extremes):
        low, high = self.feature_range
        self.data_range_ = span(extremes.minimum, extremes.maximum)
        self.data_min_, self.data_max_ = extremes.minimum, extremes.maximum
        width = without_zeros(self.data_range_, extremes.size)
        self._stretch = width / (high - low)
        self.scale_ = (high - low) / width
        self.min_ = low - self.data_min_ * self.scale_

    def _line(self):
        low, _ = self.feature_range
        offset = np.full(len(self._stretch), float(low)) if low else None
        return self.data_min_, self._stretch, offset

    def _bound(self, out):
        if self.clip:
            np.clip(out, *self.feature_range, out=out)
