"""Categories as means of the target."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_consistent_length,
    check_is_fitted,
)

from skdeep.preprocessing.fit_task import fit_task
from skdeep.preprocessing.table_columns import read_table
from skdeep.preprocessing.table_parts import Levels
from skdeep.preprocessing.target_means import (
    even_folds,
    out_of_fold_means,
    rows_weighed,
    smoothed_means,
    target_columns,
)
from skdeep.validation.all_or_nothing import all_or_nothing


class TargetMeanEncoder(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Encode categories by the mean of the target in each of their levels.

    For categories of many levels, which would need as many columns of 0 and 1. Levels of
    few rows are drawn to the mean of all, by s^2 / t^2 rows of it, where s^2 is the
    variance of the target within levels and t^2 that of the levels' own means, both
    estimated by analysis of variance (Robinson 1991; Micci-Barreca 2001, equation 3). For
    classes it is the share of each class, in a column of its own, which is drawn to the
    share of all by itself; of two, the share of the second.

    ``fit_transform`` gives each row the mean of its level among the rows of other folds:
    one that it had a share in would tell a model its target. So it differs from ``fit``
    and ``transform``, which is for new rows.

    Unlike scikit-learn's TargetEncoder it takes weights of samples and several targets,
    and believes little of levels of one row. What is missing is a level, if `fit` has seen
    it.

    Parameters
    ----------
    target_type : {"auto", "continuous", "classes"}, default="auto"
        What the targets are; "auto" looks at them.

    random_state : int, RandomState instance or None, default=None
        Decides which rows are in which of the five folds of `fit_transform`.

    Attributes
    ----------
    categories_ : list of lists
        The levels of each column of X, without the missing one.

    encodings_ : list of ndarrays of shape (n_levels + 1, n_means)
        What each level becomes, in the order of `categories_`; then the missing one, if
        there is one; and last what is none of these, the mean of all.

    n_features_in_ : int
        The number of columns.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X had names.

    See Also
    --------
    TabularPreprocessor : Numbers for a network from tables as they are.

    References
    ----------
    Micci-Barreca (2001). A preprocessing scheme for high-cardinality categorical attributes
    in classification and prediction problems. *SIGKDD Explorations* 3 (1).

    Robinson (1991). That BLUP is a good thing. *Statistical Science* 6 (1).

    Examples
    --------
    >>> from skdeep.preprocessing import TargetMeanEncoder
    >>> X = [["Rome"]] * 40 + [["Oslo"]] * 40 + [["Bern"]]
    >>> y = [3.5, 4.5] * 20 + [7.5, 8.5] * 20 + [4.5]
    >>> encoder = TargetMeanEncoder().fit(X, y)
    >>> encoder.transform([["Rome"], ["Oslo"], ["Bern"], ["Kyiv"]]).round(1)
    array([[4. ],
           [8. ],
           [4.6],
           [6. ]])
    """

    _parameter_constraints = {
        "target_type": [StrOptions({"auto", "continuous", "classes"})],
        "random_state": ["random_state"],
    }

    def __init__(self, *, target_type="auto", random_state=None):
        self.target_type = target_type
        self.random_state = random_state

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Learn the mean of the target in each level.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            Categories: entries of any kind.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights. A weight of k is the same as the sample k times.

        Returns
        -------
        self : object
            The fitted encoder.
        """
        with fit_task(self, "fit", X, y, sample_weight):
            self._fit(X, y, sample_weight)
        return self

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y, sample_weight=None):
        """Learn the means, and encode rows to train a model with.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            Categories.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights.

        Returns
        -------
        X_encoded : ndarray of shape (n_samples, n_features * n_means)
            The means of each row's levels among the rows of other folds.
        """
        with fit_task(self, "fit", X, y, sample_weight):
            codes, targets, weight = self._fit(X, y, sample_weight)
        folds = even_folds(targets, check_random_state(self.random_state))
        means = [
            out_of_fold_means(own, levels.count, targets, weight, folds) * self._size
            for own, levels in zip(codes, self._levels, strict=True)
        ]
        return np.concatenate(means, axis=1)

    def transform(self, X):
        """Encode new rows.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            Categories. Levels that `fit` has not seen become the mean of all.

        Returns
        -------
        X_encoded : ndarray of shape (n_samples, n_features * n_means)
            The means, in the units of the target, in float64.
        """
        check_is_fitted(self)
        table = read_table(self, X, reset=False)
        means = [
            encoding[levels.codes(table)]
            for levels, encoding in zip(self._levels, self.encodings_, strict=True)
        ]
        return np.concatenate(means, axis=1)

    def get_feature_names_out(self, input_features=None):
        """What the columns of the result are called.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            The names of the columns of X, where it had none in `fit`.

        Returns
        -------
        names : ndarray of str
            A column's name, and of what the mean is: "city_mean", "city_mean_yes".
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        found = [f"{name}_mean{ending}" for name in names for ending in self._endings]
        return np.array(found, dtype=object)

    def _keeps_interrupted_fit(self, before):
        return False

    def _fit(self, X, y, sample_weight):
        table = read_table(self, X, reset=True)
        if y is None:
            raise ValueError(
                "TargetMeanEncoder requires y to be passed, but the target y is None."
            )
        rows = np.empty((table.shape[0], 1))
        check_consistent_length(rows, y)
        weight = rows_weighed(sample_weight, rows)
        targets, self._endings, self._size = target_columns(y, self.target_type)
        self._levels = [Levels.of(table, j, weight) for j in range(table.shape[1])]
        codes = [levels.codes(table) for levels in self._levels]
        self.categories_ = [list(levels.index) for levels in self._levels]
        self.encodings_ = [
            smoothed_means(own, levels.count, targets, weight) * self._size
            for own, levels in zip(codes, self._levels, strict=True)
        ]
        return codes, targets, weight

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags
