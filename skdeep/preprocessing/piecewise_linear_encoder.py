"""Each number as several, one for each bin between its quantiles."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from skdeep.preprocessing.affine_scaler import is_rounding
from skdeep.preprocessing.extremes import span
from skdeep.preprocessing.fit_task import fit_task
from skdeep.preprocessing.quantile_sketch import interpolate
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.inputs import convert_input
from skdeep.validation.sample_weight import check_sample_weight

_EXTREMES = np.fmin.reduce, np.fmax.reduce


class PiecewiseLinearEncoder(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Encode each number by how far it is through each bin between its quantiles.

    With the edges b_0 < b_1 < ... < b_T of a feature's bins, x becomes T numbers,

        e_t = (x - b_{t-1}) / (b_t - b_{t-1}),

    but no less than 0 for t > 1, and no more than 1 for t < T (Gorishniy et al. 2022,
    equation 1). So bins below x are 1, bins above are 0, and one says where x is. A linear
    layer on top of it is a piecewise linear function of x. Beyond the smallest and the
    largest value of `fit`, the first and the last number go on along their lines.

    Edges are the quantiles of 0, 1 / n_bins, ..., 1, each distinct value once; for features
    of no more than ``n_bins + 1`` distinct values they are these values. A constant feature
    has one column of zeros. NaN stays NaN, and is left out of the quantiles.

    Parameters
    ----------
    n_bins : int, default=16
        The largest number of bins of a feature.

    clip : bool, default=False
        Whether to keep the first and the last number within [0, 1], too.

    Attributes
    ----------
    bin_edges_ : list of n_features ndarrays
        The edges of each feature's bins, in float64.

    n_bins_ : ndarray of int of shape (n_features,)
        The number of bins of each feature.

    n_features_in_ : int
        The number of features.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of the features, where X had names.

    See Also
    --------
    TabularPreprocessor : Numbers for a network from tables as they are.

    References
    ----------
    Gorishniy, Rubachev and Babenko (2022). On embeddings for numerical features in tabular
    deep learning. *NeurIPS*.

    Examples
    --------
    >>> from skdeep.preprocessing import PiecewiseLinearEncoder
    >>> encoder = PiecewiseLinearEncoder(n_bins=2).fit([[0.0], [1.0], [2.0], [4.0], [10.0]])
    >>> encoder.bin_edges_
    [array([ 0.,  2., 10.])]
    >>> encoder.transform([[1.0], [4.0], [18.0]])
    array([[0.5 , 0.  ],
           [1.  , 0.25],
           [1.  , 2.  ]])
    """

    _parameter_constraints = {
        "n_bins": [Interval(Integral, 1, None, closed="left")],
        "clip": ["boolean"],
    }

    def __init__(self, n_bins=16, *, clip=False):
        self.n_bins = n_bins
        self.clip = clip

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Find the edges of each feature's bins.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights. A weight of k is the same as the sample k times.

        Returns
        -------
        self : object
            The fitted encoder.
        """
        with fit_task(self, "fit", X, y, sample_weight):
            self._fit(X, sample_weight)
        return self

    def transform(self, X):
        """Encode each number.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data.

        Returns
        -------
        X_encoded : ndarray of shape (n_samples, n_bins_.sum())
            The numbers of the first feature's bins, then those of the next: float32 for
            float32, else float64.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        ends = np.cumsum(self.n_bins_)
        out = np.empty((len(X), ends[-1]), dtype=X.dtype)
        for column, edges, last in zip(X.T, self.bin_edges_, ends, strict=True):
            out[:, last - len(edges) + 1 : last] = _encoded(column, edges, self.clip)
        return out

    def get_feature_names_out(self, input_features=None):
        """What the columns of the result are called.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            The names of the features, where X had none in `fit`.

        Returns
        -------
        names : ndarray of str
            A feature's name, and the number of its bin: "size_bin1".
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        named = zip(names, self.n_bins_, strict=True)
        found = [f"{name}_bin{t + 1}" for name, count in named for t in range(count)]
        return np.array(found, dtype=object)

    def _keeps_interrupted_fit(self, before):
        return False

    def _fit(self, X, sample_weight):
        X = self._check(X, reset=True)
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X)
            X, weight = X[weight > 0], weight[weight > 0]
        low, high = (reduce(X).astype(np.float64) for reduce in _EXTREMES)
        size = np.maximum(np.abs(low), np.abs(high))
        varies = ~(is_rounding(span(low, high), size) | np.isnan(low))
        self.bin_edges_ = [
            _edges(column, weight, self.n_bins) if varies[j] else np.zeros(2)
            for j, column in enumerate(X.T)
        ]
        self.n_bins_ = np.array([len(edges) - 1 for edges in self.bin_edges_])

    def _check(self, X, reset):
        return validate_data(
            self,
            convert_input(X, allow_nan=True),
            reset=reset,
            dtype=(np.float64, np.float32),
            ensure_all_finite="allow-nan",
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _edges(column, weight, n_bins):
    """The edges of the bins of a feature, from its smallest to its largest value."""
    known = ~np.isnan(column)
    weight = np.ones(len(column)) if weight is None else weight
    column, weight = column[known].astype(np.float64), weight[known]
    order = np.argsort(column, kind="stable")
    column, weight = column[order], weight[order]
    distinct = np.unique(column)
    if len(distinct) <= n_bins + 1:
        return distinct
    probabilities = np.linspace(0, 1, n_bins + 1)
    quantiles = interpolate(column, np.cumsum(weight), weight.min(), probabilities)
    quantiles[[0, -1]] = column[[0, -1]]
    # rounding must not put an edge before the one on its left
    return np.unique(np.maximum.accumulate(quantiles))


def _encoded(column, edges, clip):
    left, right = edges[:-1], edges[1:]
    z = column[:, None] - left
    z /= np.where(right > left, right - left, np.inf)  # zeros of what is constant
    first, last = z[:, 0].copy(), z[:, -1].copy()
    np.clip(z, 0.0, 1.0, out=z)
    if clip:
        return z
    if len(left) == 1:
        return first[:, None]
    z[:, 0], z[:, -1] = np.minimum(first, 1.0), np.maximum(last, 0.0)
    return z
