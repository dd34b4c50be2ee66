"""Features of mean 0 and standard deviation 1."""

import numpy as np

from skdeep.preprocessing.affine_scaler import AffineScaler
from skdeep.preprocessing.moments import Moments
from skdeep.preprocessing.scaler_docstrings import document


@document
class StandardScaler(AffineScaler):
    """Scale features to mean 0 and standard deviation 1: (x - mean) / deviation.

    Parameters
    ----------
    with_mean : bool, default=True
        Whether to subtract the mean. Sparse X needs False.

    with_std : bool, default=True
        Whether to divide by the standard deviation.

    {parameters}

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,) or None
        The mean of each feature, in float64. None without `with_mean` and `with_std`.

    var_ : ndarray of shape (n_features,) or None
        The variance (the mean squared deviation, without Bessel's correction). None
        without `with_std`.

    scale_ : ndarray of shape (n_features,) or None
        The standard deviation; 1 for constant features. None without `with_std`.

    n_samples_seen_ : int, float or ndarray of shape (n_features,)
        How many values each feature had that are not NaN, or the sum of their weights;
        one number if it is the same for all. Of images each pixel counts.

    n_features_in_ : int
        The number of features.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of the features, where X had names.

    Notes
    -----
    Sums are taken of blocks centred on their own means, and joined by the formula of Chan,
    Golub and LeVeque (1983), Algorithms for computing the sample variance. *The American
    Statistician* 37.

    Examples
    --------
    >>> from skdeep.preprocessing import StandardScaler
    >>> StandardScaler().fit_transform([[1.0, 10.0], [3.0, 30.0]])
    array([[-1., -1.],
           [ 1.,  1.]])
    """

    _parameter_constraints = {
        **AffineScaler._parameter_constraints,
        "with_mean": ["boolean"],
        "with_std": ["boolean"],
    }
    _sparse_hint = "set with_mean=False"

    def __init__(self, *, with_mean=True, with_std=True, feature_axes=-1, copy=True):
        self.with_mean = with_mean
        self.with_std = with_std
        self.feature_axes = feature_axes
        self.copy = copy

    def _measure(self, X, axes, weight):
        return Moments.of(X, axes, weight)

    def _learn(self, moments):
        self.mean_ = self.var_ = self.scale_ = None
        if self.with_mean or self.with_std:
            self.mean_ = moments.mean
        if self.with_std:
            self.var_ = moments.variance
            self.scale_ = np.where(moments.is_constant(), 1.0, moments.deviation)

    def _seen(self, moments, n_samples):
        """As in scikit-learn: one number if it is that of all features."""
        seen = moments.weight
        return seen[0] if (seen == seen[0]).all() else seen

    def _line(self):
        return self.mean_ if self.with_mean else None, self.scale_, None

    def _accepts_sparse(self):
        return not self.with_mean
