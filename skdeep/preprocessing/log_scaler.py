"""Features with heavy tails, by the logarithm of their size."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skdeep.preprocessing.base_scaler import NothingMeasured
from skdeep.preprocessing.elementwise_scaler import ElementwiseScaler
from skdeep.preprocessing.quantile_sketch import QuantileSketch
from skdeep.preprocessing.scaler_docstrings import document
from skdeep.validation.messages import plain


@document
class LogScaler(ElementwiseScaler):
    """Scale features by a logarithm of both signs: sign(x) * log(1 + |x| / unit).

    Values much smaller than the unit stay in proportion, and of those much larger only
    the order of magnitude counts. Zeros stay zeros, and sparse X stays sparse.

    Parameters
    ----------
    unit : float, array-like of shape (n_features,) or "median", default="median"
        Where the logarithm sets in: a number, one for each feature, or the median of |x|
        over the values of each feature that are not zero.

    {parameters}

    Attributes
    ----------
    unit_ : ndarray of shape (n_features,)
        The unit of each feature, in float64; 1 where all values are zero.

    {attributes}

    Examples
    --------
    >>> from skdeep.preprocessing import LogScaler
    >>> LogScaler(unit=1.0).fit_transform([[-1.0], [0.0], [999.0]]).round(3)
    array([[-0.693],
           [ 0.   ],
           [ 6.908]])
    """

    _parameter_constraints = {
        **ElementwiseScaler._parameter_constraints,
        "unit": [
            StrOptions({"median"}),
            Interval(Real, 0, None, closed="neither"),
            "array-like",
        ],
    }

    def __init__(self, *, unit="median", feature_axes=-1, copy=True):
        self.unit = unit
        self.feature_axes = feature_axes
        self.copy = copy

    def _measure(self, X, axes, weight):
        if not isinstance(self.unit, str):
            return NothingMeasured()
        middle = np.array([0.5])
        return QuantileSketch.of(X, axes, weight, middle, prepare=_sizes)

    def _learn(self, sketch):
        count = int(np.prod(self._feature_shape, dtype=int))
        if isinstance(self.unit, str):
            (unit,) = sketch.quantiles(np.array([0.5]))
            self.unit_ = np.where(np.isnan(unit), 1.0, unit)
            return
        unit = np.asarray(self.unit, dtype=np.float64)
        if unit.shape not in ((), (count,)) or not (np.isfinite(unit) & (unit > 0)).all():
            raise ValueError(
                f"unit must be a positive number, {count} of them, or 'median'. Got "
                f"{plain(self.unit)!r}."
            )
        self.unit_ = np.broadcast_to(unit, (count,)).copy()

    def _parameters(self, dtype):
        return [self.unit_.astype(dtype)]

    def _forward(self, x, out, unit):
        signs = np.array(x, dtype=out.dtype)
        np.abs(signs, out=out)
        with np.errstate(over="ignore"):
            out /= unit
        np.log1p(out, out=out)
        if np.isinf(out).any():  # log(1 + r) is log(r) there
            logs = np.log(np.abs(signs), where=signs != 0, out=np.zeros_like(out))
            np.subtract(logs, np.log(unit), out=out, where=np.isinf(out))
        np.copysign(out, signs, out=out)

    def _backward(self, x, out, unit):
        signs = np.array(x, dtype=out.dtype)
        np.abs(signs, out=out)
        with np.errstate(over="ignore"):
            powers = np.expm1(out)
        large = np.isinf(powers)
        if large.any():
            np.exp(out + np.log(unit), out=powers, where=large)
            unit = np.where(large, 1, unit)
        np.multiply(powers, unit, out=out)
        np.copysign(out, signs, out=out)

    def _accepts_sparse(self):
        return True


def _sizes(values):
    """|x|, and NaN for zeros, in place."""
    np.abs(values, out=values)
    values[values == 0] = np.nan
