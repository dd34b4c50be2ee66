"""Features of a uniform or normal distribution, by their quantiles."""

from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from scipy.special import ndtr, ndtri
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skdeep.preprocessing.base_scaler import BaseScaler
from skdeep.preprocessing.blocks import map_columns, map_sparse_columns
from skdeep.preprocessing.quantile_sketch import QuantileSketch, observed
from skdeep.preprocessing.scaler_docstrings import document

#: Normal scores lie within those of this probability and its complement: +-5.199.
_SMALLEST = 1e-7


@document
class QuantileScaler(BaseScaler):
    """Scale features to a uniform or a normal distribution, by their empirical quantiles.

    x becomes F(x), or the quantile of the normal distribution for F(x). F is the share of
    values up to x: linear between `n_quantiles` empirical quantiles, and 0 and 1 beyond
    the smallest and the largest. Where a value is repeated so often that F jumps there,
    the middle of the jump is taken.

    Sparse X stays sparse for the uniform distribution, if no value is negative: then
    zeros become zeros.

    Parameters
    ----------
    n_quantiles : int, default=1000
        The number of quantiles; not more than there are samples.

    output_distribution : {"uniform", "normal"}, default="uniform"
        The distribution of scaled features, on [0, 1] or standard normal. Normal values
        are cut at +-5.2.

    subsample : int or None, default=50_000
        Where there are more samples (or rows of an image) at once, so many are drawn:
        evenly spread over the data, in proportion to the weights, and always the same.
        A share F then has a standard deviation of at most 0.5 / sqrt(subsample): 0.0022.
        None takes all.

    {parameters}

    Attributes
    ----------
    n_quantiles_ : int
        The number of quantiles in use.

    quantiles_ : ndarray of shape (n_quantiles_, n_features)
        The quantiles of each feature, in float64.

    references_ : ndarray of shape (n_quantiles_,)
        Their probabilities.

    rank_error_ : float
        The most by which a rank can be wrong, as a share of the samples, from summarising:
        0 after `fit`, at most 0.005 after `partial_fit` and `merge` for up to two billion
        samples. `subsample` adds to it.

    {attributes}

    References
    ----------
    Manku, Rajagopalan and Lindsay (1998). Approximate medians and other quantiles in one
    pass and with limited memory. *SIGMOD*.

    Examples
    --------
    >>> from skdeep.preprocessing import QuantileScaler
    >>> QuantileScaler().fit_transform([[1.0], [2.0], [4.0], [8.0], [1000.0]])
    array([[0.  ],
           [0.25],
           [0.5 ],
           [0.75],
           [1.  ]])
    """

    _parameter_constraints = {
        **BaseScaler._parameter_constraints,
        "n_quantiles": [Interval(Integral, 1, None, closed="left")],
        "subsample": [Interval(Integral, 1, None, closed="left"), None],
        "output_distribution": [StrOptions({"uniform", "normal"})],
    }

    def __init__(
        self,
        *,
        n_quantiles=1000,
        output_distribution="uniform",
        subsample=50_000,
        feature_axes=-1,
        copy=True,
    ):
        self.n_quantiles = n_quantiles
        self.output_distribution = output_distribution
        self.subsample = subsample
        self.feature_axes = feature_axes
        self.copy = copy

    _sparse_hint = "set output_distribution='uniform'"

    def _measure(self, X, axes, weight):
        self._check_sparse(X)
        total, unit = observed(X, axes, weight)
        references = self._references(total / unit)
        return QuantileSketch.of(X, axes, weight, references, subsample=self.subsample)

    def _learn(self, sketch):
        self.references_ = self._references(sketch.weight / sketch.unit)
        self.n_quantiles_ = len(self.references_)
        quantiles = sketch.quantiles(self.references_)
        # rounding must not make a quantile smaller than the one before
        self.quantiles_ = np.maximum.accumulate(quantiles)
        self.rank_error_ = 0.0 if sketch.answers is not None else sketch.rank_error

    def _references(self, observations):
        """Evenly spread probabilities, for so many observations."""
        number = min(self.n_quantiles, max(1, round(observations)))
        return np.linspace(0, 1, number)

    def transform(self, X):
        """Scale features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ..., n_features)
            The data.

        Returns
        -------
        X_scaled : {ndarray, sparse matrix} of the same shape
            The scaled data: float32 for float32 and for integers of up to 16 bits, else
            float64. With ``copy=False``, floating-point X itself.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        self._check_sparse(X)
        return self._map(self._forward, X)

    def inverse_transform(self, X):
        """Scale features back, to values between the smallest and the largest seen.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ..., n_features)
            Scaled data.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of the same shape
            The data in the units of those that were fitted.
        """
        check_is_fitted(self)
        return self._map(self._backward, self._check_scaled(X))

    def _map(self, function, X):
        out = self._output(X)
        columns = [_Column(self.references_, q) for q in self.quantiles_.T.copy()]
        if issparse(X):
            map_sparse_columns(function, X, out, columns)
        else:
            map_columns(function, X, out, self._axes(X), columns)
        return out

    def _forward(self, x, column):
        share = column.share_up_to(x)
        if self.output_distribution == "uniform":
            return share
        edge = _SMALLEST - np.spacing(1)  # as in scikit-learn
        return np.clip(ndtri(share), ndtri(edge), ndtri(1 - edge))

    def _backward(self, y, column):
        share = y
        if self.output_distribution == "normal":
            share = ndtr(y.astype(np.float64))
            share[share < _SMALLEST] = 0.0
            share[share > 1 - _SMALLEST] = 1.0
        return column.value_at(share)

    def _check_sparse(self, X):
        if issparse(X) and X.nnz and X.data.min() < 0:
            raise ValueError(
                "QuantileScaler takes sparse X only if no value is negative, so that zeros "
                "can stay zeros. Pass X.toarray()."
            )

    def _accepts_sparse(self):
        return self.output_distribution == "uniform"


class _Column:
    """The distribution function of a feature, and its inverse."""

    def __init__(self, references, quantiles):
        self.references = references
        self.quantiles = quantiles
        rising = np.diff(quantiles) > 0
        self.continuous = len(rising) > 0 and bool(rising.all())

    def share_up_to(self, x):
        share = np.interp(x, self.quantiles, self.references)
        if not self.continuous:
            # the middle of a jump: np.interp gives its upper end, and of -x the lower one
            lower = np.interp(
                -x.astype(float), -self.quantiles[::-1], -self.references[::-1]
            )
            share = 0.5 * (share - lower)
            share[x == self.quantiles[-1]] = 1.0
            share[x == self.quantiles[0]] = 0.0
            share[np.isnan(x)] = np.nan  # np.interp forgets it of a single quantile
        return share

    def value_at(self, share):
        value = np.interp(share, self.references, self.quantiles)
        value[np.isnan(share)] = np.nan
        return value
