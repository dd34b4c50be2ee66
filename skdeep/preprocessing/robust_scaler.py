"""Features around their median, by a range of quantiles that outliers do not move."""

from numbers import Real

import numpy as np
from scipy.special import ndtri
from sklearn.utils._param_validation import Interval

from skdeep.preprocessing.affine_scaler import AffineScaler, is_rounding, without_zeros
from skdeep.preprocessing.extremes import span
from skdeep.preprocessing.quantile_sketch import QuantileSketch
from skdeep.preprocessing.scaler_docstrings import document
from skdeep.validation.messages import plain


@document
class RobustScaler(AffineScaler):
    """Scale features by median and inter-quantile range: (x - median) / (q_high - q_low).

    Where the two quantiles are equal, half the range of all values is taken,
    (max - min) / 2, and 1 for constant features (Holzmüller et al. 2024). There
    scikit-learn divides by 1, and a rare large value stays as large as it is.

    Parameters
    ----------
    with_centering : bool, default=True
        Whether to subtract the median. Sparse X needs False.

    with_scaling : bool, default=True
        Whether to divide by the range.

    quantile_range : tuple (low, high) of float, default=(25.0, 75.0)
        The quantiles, in percent.

    unit_variance : bool, default=False
        Whether to multiply by the range that a normal distribution of variance 1 has, so
        that normal features get a variance of 1.

    smooth_clip : float or None, default=None
        A bound for scaled values: z becomes z / sqrt(1 + (z / bound)^2), which is nearly
        z for small values, lies within (-bound, bound), and never makes two values the
        same. 3 is the value of RealMLP (Holzmüller et al. 2024).

    {parameters}

    Attributes
    ----------
    center_ : ndarray of shape (n_features,) or None
        The median of each feature, in float64. None without `with_centering`.

    scale_ : ndarray of shape (n_features,) or None
        What values are divided by. None without `with_scaling`.

    rank_error_ : float
        The most by which the ranks of the quantiles can be wrong, as a share of the
        samples: 0 after `fit`, at most 0.005 after `partial_fit` and `merge` for up to two
        billion samples.

    {attributes}

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. *NeurIPS*.

    Examples
    --------
    >>> from skdeep.preprocessing import RobustScaler
    >>> RobustScaler().fit_transform([[1.0], [2.0], [3.0], [4.0], [100.0]])
    array([[-1. ],
           [-0.5],
           [ 0. ],
           [ 0.5],
           [48.5]])
    >>> RobustScaler(smooth_clip=3.0).fit_transform([[1.0], [2.0], [3.0], [4.0], [100.0]])
    array([[-0.9486833 ],
           [-0.49319696],
           [ 0.        ],
           [ 0.49319696],
           [ 2.99427723]])
    """

    _parameter_constraints = {
        **AffineScaler._parameter_constraints,
        "with_centering": ["boolean"],
        "with_scaling": ["boolean"],
        "quantile_range": [tuple, list],
        "unit_variance": ["boolean"],
        # float32 holds no bound that is much smaller or larger
        "smooth_clip": [Interval(Real, 1e-30, 1e30, closed="both"), None],
    }
    _sparse_hint = "set with_centering=False"

    def __init__(
        self,
        *,
        with_centering=True,
        with_scaling=True,
        quantile_range=(25.0, 75.0),
        unit_variance=False,
        smooth_clip=None,
        feature_axes=-1,
        copy=True,
    ):
        self.with_centering = with_centering
        self.with_scaling = with_scaling
        self.quantile_range = quantile_range
        self.unit_variance = unit_variance
        self.smooth_clip = smooth_clip
        self.feature_axes = feature_axes
        self.copy = copy

    def _measure(self, X, axes, weight):
        return QuantileSketch.of(X, axes, weight, self._probabilities())

    def _learn(self, sketch):
        low, median, high, least, most = sketch.quantiles(self._probabilities())
        self.center_ = median if self.with_centering else None
        self.scale_ = None
        if self.with_scaling:
            fallback = span(least, most) / 2
            between = high - low
            size = np.maximum(np.abs(low), np.abs(high))
            between = np.where(is_rounding(between, size), fallback, between)
            scale = without_zeros(between, np.maximum(np.abs(least), np.abs(most)))
            if self.unit_variance:
                p_low, p_high = np.divide(self.quantile_range, 100)
                scale = scale / (ndtri(p_high) - ndtri(p_low))
            self.scale_ = scale
        self.rank_error_ = 0.0 if sketch.answers is not None else sketch.rank_error

    def _probabilities(self):
        low, high = self.quantile_range
        if not 0 <= low <= high <= 100:
            raise ValueError(
                f"Invalid quantile range: {plain(self.quantile_range)}. Expected two "
                "numbers from 0 to 100, the smaller one first."
            )
        scales_to_one = self.with_scaling and self.unit_variance
        if scales_to_one and not 0 < low < high < 100:
            raise ValueError(
                f"unit_variance=True needs two different quantiles between 0 and 100, but "
                f"quantile_range is {plain(self.quantile_range)}: a normal distribution "
                "has no finite range there. Set unit_variance=False, or another range."
            )
        return np.array([low / 100, 0.5, high / 100, 0.0, 1.0])

    def _line(self):
        return self.center_, self.scale_, None

    def _bound(self, out):
        if self.smooth_clip is not None:
            # so far out the bound is reached, and float32 holds the square of the ratio
            np.clip(out, -(2.0**60) * self.smooth_clip, 2.0**60 * self.smooth_clip, out=out)
            ratio = out / self.smooth_clip
            ratio *= ratio
            ratio += 1.0
            out /= np.sqrt(ratio, out=ratio)

    def _unbound(self, out):
        """Values at the bound or beyond come from the largest that can be told apart."""
        if self.smooth_clip is not None:
            below = np.nextafter(out.dtype.type(1), out.dtype.type(0))
            ratio = np.clip(out / self.smooth_clip, -below, below)
            np.multiply(ratio, self.smooth_clip, out=out)
            out /= np.sqrt((1 - ratio) * (1 + ratio))

    def _accepts_sparse(self):
        return not self.with_centering
