"""What all scalers share: validation, the flow of data by blocks, streams and merging."""

from abc import ABC, abstractmethod
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    OneToOneFeatureMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_array
from sklearn.utils.validation import (
    check_is_fitted,
    validate_data,
)

from skdeep.preprocessing.blocks import (
    checked_axes,
    count_features,
    float_type,
)
from skdeep.preprocessing.fit_task import fit_task
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.inputs import NUMBERS, convert_input, sum_duplicates
from skdeep.validation.messages import plain
from skdeep.validation.sample_weight import check_sample_weight


class NothingMeasured:
    """The statistics of a scaler that learns nothing from data."""

    def merge(self, other):
        """Nothing of both."""
        return self


class BaseScaler(
    CallbackSupportMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator, ABC
):
    """Base of all scalers.

    A scaler says what it measures in data (`_measure`: an immutable object that can
    `merge` with another of its kind) and what it learns from that (`_learn`). Streams are
    merged statistics, so nothing is changed where data are found wrong.
    """

    _parameter_constraints = {
        "feature_axes": [Integral, tuple, list],
        "copy": ["boolean"],
    }
    _allows_nan = True
    _sparse_error = ValueError
    _sparse_hint = "use MaxAbsScaler, which keeps zeros"

    @abstractmethod
    def _measure(self, X, axes, weight):
        """The statistics of X; weight is None or one positive number a sample."""

    @abstractmethod
    def _learn(self, statistics):
        """Set the learned attributes."""

    @abstractmethod
    def transform(self, X):
        """Scale features."""

    def _accepts_sparse(self):
        """Whether a sparse matrix stays one."""
        return False

    # --- fitting ------------------------------------------------------------------

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the scale of each feature, and forget what was learned before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ..., n_features)
            The data, of any number of axes; a sparse matrix only where the class says so.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights. A weight of k is the same as the sample k times.

        Returns
        -------
        self : object
            The fitted scaler.
        """
        return self._absorb("fit", X, y, sample_weight, first=True)

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Learn from more data, as if they had been part of those seen before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ..., n_features)
            More samples.

        y : None
            Ignored.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights.

        Returns
        -------
        self : object
            The scaler after more data.
        """
        first = not hasattr(self, "n_samples_seen_")
        return self._absorb("partial_fit", X, y, sample_weight, first=first)

    def merge(self, other):
        """Learn what another scaler has learned on another part of the data.

        Parameters
        ----------
        other : object
            A fitted scaler of the same class and with the same parameters; it stays as
            it is.

        Returns
        -------
        self : object
            This scaler, as if it had been fitted on both parts.

        Raises
        ------
        ValueError
            Where the other scaler is another kind, has other parameters, or was fitted on
            other features.
        """
        check_is_fitted(self)
        self._check_mergeable(other)
        self._take(self._statistics.merge(other._statistics), other.n_samples_seen_)
        return self

    def _keeps_interrupted_fit(self, before):
        return False  # there is no half of a scale

    def _absorb(self, task, X, y, sample_weight, first):
        """Learn from X, which scikit-learn's callbacks are told of."""
        with fit_task(self, task, X, y, sample_weight):
            self._learn_from(X, sample_weight, first)
        return self

    def _learn_from(self, X, sample_weight, first):
        X = self._check(X, reset=first)
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X, allow_all_zero=not first)
        if weight is not None and not weight.any():
            return  # a batch of partial_fit that says nothing
        statistics = self._measure(X, self._axes(X), weight)
        if first:
            self.n_samples_seen_ = 0
        else:
            statistics = self._statistics.merge(statistics)
        self._take(statistics, X.shape[0])

    def _take(self, statistics, n_samples):
        self._learn(statistics)
        self._statistics = statistics
        self.n_samples_seen_ = self._seen(statistics, n_samples)

    def _seen(self, statistics, n_samples):
        """The number of samples seen, with so many that are new."""
        return self.n_samples_seen_ + n_samples

    def _check_mergeable(self, other):
        if type(other) is not type(self):
            raise ValueError(
                f"A {type(self).__name__} can only merge with another one. Got a "
                f"{type(other).__name__}."
            )
        check_is_fitted(other)
        mine, theirs = self.get_params(), other.get_params()
        differing = sorted(
            name
            for name in mine
            if name != "copy" and not np.array_equal(mine[name], theirs[name])
        )
        if differing:
            raise ValueError(
                f"Scalers to merge must have the same parameters. They differ in "
                f"{', '.join(differing)}."
            )
        if self._feature_shape != other._feature_shape:
            raise ValueError(
                f"Scalers to merge must have seen the same features. This one saw "
                f"features of shape {self._feature_shape}, the other one "
                f"{other._feature_shape}."
            )
        names = getattr(self, "feature_names_in_", None)
        if not np.array_equal(names, getattr(other, "feature_names_in_", None)):
            raise ValueError(
                "Scalers to merge must have seen features of the same names, in the same "
                "order."
            )

    # --- validation ---------------------------------------------------------------

    def _output(self, X):
        dtype = float_type(X.dtype)
        if not self.copy and X.dtype == dtype:
            return X
        if issparse(X):
            out = X.copy()
            out.data = out.data.astype(dtype, copy=False)
            return out
        return np.empty_like(X, dtype)

    def _axes(self, X):
        return checked_axes(self.feature_axes, X)

    def _check_array(self, X, *, writeable, checks=()):
        if issparse(X) and not self._accepts_sparse():
            raise self._sparse_error(
                f"{type(self).__name__} would fill in the zeros of sparse X: "
                f"{self._sparse_hint}, or pass X.toarray()."
            )
        return check_array(
            sum_duplicates(convert_input(X, allow_nan=self._allows_nan, checks=checks)),
            accept_sparse=("csr", "csc") if self._accepts_sparse() else False,
            accept_large_sparse=True,
            dtype=NUMBERS,
            ensure_all_finite="allow-nan" if self._allows_nan else True,
            force_writeable=writeable,
            allow_nd=True,
            estimator=self,
            input_name="X",
        )

    def _check(self, X, *, reset, checks=()):
        """X as an array, with its names and its features learned or compared.

        `checks` names formats of sparse X whose indices the caller checks.
        """
        array = self._check_array(X, writeable=not (reset or self.copy), checks=checks)
        axes = self._axes(array)
        if array.ndim == 2:
            validate_data(self, X, reset=reset, skip_check_array=True)
        elif reset:
            self.__dict__.pop("feature_names_in_", None)
            self.n_features_in_ = count_features(array, axes)
        if reset:
            self._feature_shape = tuple(array.shape[axis] for axis in axes)
            self._ndim = array.ndim
        else:
            self._check_features(array, axes)
        return array

    def _check_scaled(self, X, checks=()):
        """X that is to be scaled back, as an array; it needs no names."""
        X = self._check_array(X, writeable=not self.copy, checks=checks)
        self._check_features(X, self._axes(X))
        return X

    def _check_features(self, X, axes):
        shape = tuple(X.shape[axis] for axis in axes)
        if X.ndim == 2 and shape != self._feature_shape and self._ndim == 2:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        if shape != self._feature_shape or X.ndim != self._ndim:
            raise ValueError(
                f"X has {X.ndim} axes and features of shape {shape}, but "
                f"{type(self).__name__} is expecting {self._ndim} axes and features of "
                f"shape {self._feature_shape} on feature_axes={plain(self.feature_axes)}."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._allows_nan
        tags.input_tags.sparse = self._accepts_sparse()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
