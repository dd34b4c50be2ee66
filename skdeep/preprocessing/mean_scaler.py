"""Mean normalization: features around 0 that span a range of 1."""

from skdeep.preprocessing.affine_scaler import AffineScaler, without_zeros
from skdeep.preprocessing.extremes import Extremes, span
from skdeep.preprocessing.moments import Moments
from skdeep.preprocessing.scaler_docstrings import document


@document
class MeanScaler(AffineScaler):
    """Mean normalization: (x - mean) / (max - min).

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        The mean of each feature, in float64.

    scale_ : ndarray of shape (n_features,)
        Maximum less minimum; 1 for constant features.

    {attributes}

    Examples
    --------
    >>> from skdeep.preprocessing import MeanScaler
    >>> MeanScaler().fit_transform([[1.0], [2.0], [6.0]])
    array([[-0.4],
           [-0.2],
           [ 0.6]])
    """

    def __init__(self, *, feature_axes=-1, copy=True):
        self.feature_axes = feature_axes
        self.copy = copy

    def _measure(self, X, axes, weight):
        return _Measured(Moments.of(X, axes, weight), Extremes.of(X, axes, weight))

    def _learn(self, measured):
        moments, extremes = measured.moments, measured.extremes
        self.mean_ = moments.mean
        self.scale_ = without_zeros(span(extremes.minimum, extremes.maximum), extremes.size)

    def _line(self):
        return self.mean_, self.scale_, None


class _Measured:
    """Moments and extremes together."""

    def __init__(self, moments, extremes):
        self.moments = moments
        self.extremes = extremes

    def merge(self, other):
        return _Measured(
            self.moments.merge(other.moments), self.extremes.merge(other.extremes)
        )
