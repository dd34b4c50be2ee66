"""Features of mean 0 and standard deviation 1."""

import numpy as np

from skdeep.preprocessing.affine import AffineScaler
from skdeep.preprocessing.documentation import document
from skdeep.preprocessing.moments import Moments


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
    mean_ : ndarray of shape (n_features,)
        The mean of each feature, in float64.

    var_ : ndarray of shape (n_features,)
        The variance (the mean squared deviation, without Bessel's correction).

    scale_ : ndarray of shape (n_features,) or None
        The standard deviation; 1 for constant features. None without `with_std`.

    {attributes}

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
        seen = moments.weight > 0
        self.mean_ = np.where(seen, moments.mean, np.nan)
        self.var_ = moments.variance
        deviation = np.sqrt(self.var_)
        scale = np.where(moments.is_constant(), 1.0, deviation)
        self.scale_ = scale if self.with_std else None

    def _line(self):
        return self.mean_ if self.with_mean else None, self.scale_, None

    def _accepts_sparse(self):
        return not self.with_mean
