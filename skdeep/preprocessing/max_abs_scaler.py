"""Features in [-1, 1] whose zeros stay zeros."""

import numpy as np

from skdeep.preprocessing.affine_scaler import AffineScaler, without_zeros
from skdeep.preprocessing.extremes import Extremes
from skdeep.preprocessing.scaler_docstrings import document


@document
class MaxAbsScaler(AffineScaler):
    """Scale features by their largest absolute value: x / max|x|. Zeros stay zeros.

    Sparse X stays sparse.

    Parameters
    ----------
    clip : bool, default=False
        Whether values beyond those of `fit` are cut at -1 and 1.

    {parameters}

    Attributes
    ----------
    max_abs_ : ndarray of shape (n_features,)
        The largest absolute value of each feature, in float64.

    scale_ : ndarray of shape (n_features,)
        What values are divided by: the same, or 1 where all are zero.

    {attributes}

    Examples
    --------
    >>> from skdeep.preprocessing import MaxAbsScaler
    >>> MaxAbsScaler().fit_transform([[1.0], [0.0], [-4.0]])
    array([[ 0.25],
           [ 0.  ],
           [-1.  ]])
    """

    _parameter_constraints = {**AffineScaler._parameter_constraints, "clip": ["boolean"]}

    def __init__(self, *, clip=False, feature_axes=-1, copy=True):
        self.clip = clip
        self.feature_axes = feature_axes
        self.copy = copy

    def _measure(self, X, axes, weight):
        return Extremes.of(X, axes, weight)

    def _learn(self, extremes):
        self.max_abs_ = extremes.size
        self.scale_ = without_zeros(self.max_abs_, size=self.max_abs_)

    def _line(self):
        return None, self.scale_, None

    def _bound(self, out):
        if self.clip:
            np.clip(out, -1.0, 1.0, out=out)

    def _accepts_sparse(self):
        return True
