"""Tables as they are, made into numbers for a network."""

from numbers import Integral

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_categorical_features,
    _check_feature_names_in,
    check_is_fitted,
)

from skdeep.preprocessing.fit_task import fit_task
from skdeep.preprocessing.table_columns import UNREADABLE, is_frame, read_table
from skdeep.preprocessing.table_parts import Cycles, Levels, Means, Numbers
from skdeep.preprocessing.target_means import even_folds, rows_weighed, target_columns
from skdeep.validation.all_or_nothing import all_or_nothing


class TabularPreprocessor(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Make numbers for a network of a table with numbers, categories, dates and gaps.

    Frames of pandas, Polars and pyarrow, NumPy arrays and lists become one array:

    1. numbers, scaled: (x - median) / (q_75 - q_25), and of that z / sqrt(1 + (z / 3)^2),
       which lies within (-3, 3) (Holzmüller et al. 2024). A missing one is 0: the median.
       Dates are days since 1970, durations are days. `n_numeric_` says how many columns
       these are: they are worth an embedding, all others are not;
    2. numbers of two values, and booleans, as 0 and 1. A missing one is 0.5;
    3. for each of these columns with missing entries in `fit`, whether they are missing;
    4. for dates, sine and cosine of the time of the year, of the day of the week and of the
       time of the day, where they vary;
    5. categories of up to `max_onehot` levels: a column of 0 and 1 for each level, or one
       for both of two levels. If entries are missing in `fit`, that is a level. A level
       that was not there in `fit` is all zeros, or 0.5 between two levels;
    6. categories of more levels: the target's mean in a level, drawn to the mean of all
       where a level has few rows, scaled by the target's mean and standard deviation, and
       bounded as numbers are. For more than two classes there is one column a class.
       Training rows get means of the other four fifths of the rows from `fit_transform`:
       as in scikit-learn's `TargetEncoder`, ``fit(X, y).transform(X)`` is something else,
       and tells a network its targets. A level that was not there in `fit` has the mean
       of all.

    Columns that are constant, or all missing, add nothing, whatever is in them later; if no
    other are there, the result is one column of zeros. Missing are None, NaN, NaT,
    pandas.NA, and what is masked.

    Parameters
    ----------
    categorical_features : "from_dtype", array-like of {bool, int, str} or None, \
            default="from_dtype"
        The columns of categories: a mask, or their places or names. Columns of a
        categorical type of pandas or Polars (Categorical, Enum) always are, and alone with
        "from_dtype" or None.

    max_onehot : int, default=30
        Up to so many levels get columns of their own.

    target_type : {"auto", "continuous", "classes"}, default="auto"
        What the target is, for the means of step 6. "auto" is what scikit-learn's
        `type_of_target` says, to which whole numbers are classes.

    dtype : {"float32", "float64"}, default="float32"
        The type of the result. Numbers are scaled in float64, unless X is an array of
        float32.

    random_state : int, RandomState instance or None, default=None
        What draws the fifths of step 6.

    Attributes
    ----------
    n_numeric_ : int
        How many columns of the result, the first ones, are scaled numbers.

    n_features_in_ : int
        The number of columns of X.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if all are text.

    See Also
    --------
    RobustScaler : The scaler of numbers.
    PiecewiseLinearEncoder : Numbers as several, by their quantiles.

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. *NeurIPS*.

    Micci-Barreca (2001). A preprocessing scheme for high-cardinality categorical attributes
    in classification and prediction problems. *SIGKDD Explorations* 3.

    Robinson (1991). That BLUP is a good thing: the estimation of random effects.
    *Statistical Science* 6.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdeep.preprocessing import TabularPreprocessor
    >>> X = pd.DataFrame({
    ...     "size": [1.0, 2.0, None, 4.0],
    ...     "color": pd.Categorical(["red", "blue", "red", "green"]),
    ... })
    >>> preprocessor = TabularPreprocessor().fit(X)
    >>> preprocessor.get_feature_names_out()
    array(['size', 'size_missing', 'color_blue', 'color_green', 'color_red'],
          dtype=object)
    >>> preprocessor.transform(X).round(2)
    array([[-0.65,  0.  ,  0.  ,  0.  ,  1.  ],
           [ 0.  ,  0.  ,  1.  ,  0.  ,  0.  ],
           [ 0.  ,  1.  ,  0.  ,  0.  ,  1.  ],
           [ 1.22,  0.  ,  0.  ,  1.  ,  0.  ]], dtype=float32)
    >>> preprocessor.n_numeric_
    1
    """

    _parameter_constraints = {
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "max_onehot": [Interval(Integral, 0, None, closed="left")],
        "target_type": [StrOptions({"auto", "continuous", "classes"})],
        "dtype": [StrOptions({"float32", "float64"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        categorical_features="from_dtype",
        *,
        max_onehot=30,
        target_type="auto",
        dtype="float32",
        random_state=None,
    ):
        self.categorical_features = categorical_features
        self.max_onehot = max_onehot
        self.target_type = target_type
        self.dtype = dtype
        self.random_state = random_state

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn what is in each column.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            The table.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            The targets; only categories of more than `max_onehot` levels need them.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights. A weight of k is the same as the sample k times.

        Returns
        -------
        self : object
            The fitted preprocessor.
        """
        with fit_task(self, "fit", X, y, sample_weight):
            self._fit(X, y, sample_weight)
        return self

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None, sample_weight=None):
        """Learn what is in each column, and make numbers of it to train a network with.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            The table.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            The targets; only categories of more than `max_onehot` levels need them.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            The numbers. Target means are those of other rows.
        """
        with fit_task(self, "fit", X, y, sample_weight):
            table, targets, weight = self._fit(X, y, sample_weight)
        if not self._means:
            return self._joined(table, ())
        folds = even_folds(targets, check_random_state(self.random_state))
        means = [
            block.of_other_folds(table, targets, weight, folds) for block in self._means
        ]
        return self._joined(table, means)

    def transform(self, X):
        """Make numbers of a table.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            A table with the columns of the one in `fit`.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features_out)
            The numbers.
        """
        check_is_fitted(self)
        table = read_table(self, X, reset=False)
        self._check_kinds(table)
        return self._joined(table, [block.part(table) for block in self._means])

    def get_feature_names_out(self, input_features=None):
        """What the columns of the result are called.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            The names of the columns of X, where it had none in `fit`.

        Returns
        -------
        names : ndarray of str
            A column's name, and what of it there is: "size", "size_missing", "color_red".
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        blocks = self._numbers, *self._dates, *self._levels, *self._means
        found = [name for block in blocks for name in block.names(names)]
        return np.array(_unique(found or ["constant"]), dtype=object)

    def _keeps_interrupted_fit(self, before):
        return False  # half a table is none

    def _fit(self, X, y, sample_weight):
        """Set all that is learned; the table, and targets where means need them."""
        table = read_table(self, X, reset=True)
        rows = np.empty((table.shape[0], 1))
        check_consistent_length(rows, y)
        weight = rows_weighed(sample_weight, rows)
        self._kinds = self._learn_kinds(table, X)
        self._learn_numbers(table, weight)
        return table, self._learn_categories(table, y, weight), weight

    def _learn_kinds(self, table, X):
        """The kind of each column, with those that are to be categories."""
        kinds = np.array(table.kinds, dtype=object)
        if not (self.categorical_features is None or _is_text(self.categorical_features)):
            shaped = nw.from_native(X) if is_frame(X) else np.empty(table.shape, dtype=bool)
            chosen = _check_categorical_features(shaped, self.categorical_features)
            if chosen is not None:
                kinds[chosen] = "category"
        for j in np.flatnonzero(np.isin(kinds, UNREADABLE)):
            table.refuse(j)
        return tuple(kinds)

    def _learn_numbers(self, table, weight):
        places = [j for j, k in enumerate(self._kinds) if k not in ("category", "missing")]
        self._numbers = Numbers.of(table, places, weight)
        self.n_numeric_ = self._numbers.n_scaled
        dates = (j for j, kind in enumerate(self._kinds) if kind == "date")
        self._zones = {j: table.zone(j) for j in dates}
        found = (Cycles.of(table, j, weight) for j in self._zones)
        self._dates = tuple(block for block in found if len(block.kept))

    def _learn_categories(self, table, y, weight):
        """Learn levels and means; the targets where there are means."""
        places = [j for j, kind in enumerate(self._kinds) if kind == "category"]
        found = [Levels.of(table, j, weight) for j in places]
        found = [levels for levels in found if levels.count > 1]
        wide = [levels for levels in found if levels.count > max(self.max_onehot, 2)]
        self._levels = tuple(levels for levels in found if levels not in wide)
        self._means = ()
        if not wide:
            return None
        if y is None:
            name, count = table.label(wide[0].place), wide[0].count
            raise ValueError(
                f"Column {name!r} has {count} levels, more than max_onehot="
                f"{self.max_onehot}, and becomes the mean of the target in each: pass y to "
                f"fit, or set max_onehot={count} for a column of each level."
            )
        targets, endings, _ = target_columns(y, self.target_type)
        self._means = tuple(
            Means.of(each, table, targets, endings, weight) for each in wide
        )
        return targets

    def _check_kinds(self, table):
        """That columns hold what they held in `fit`, or nothing."""
        for j in self._used():
            kind, now = self._kinds[j], table.kinds[j]
            same = now == kind or {now, kind} <= {"number", "boolean"}
            if not (same or kind == "category" or table.is_missing(j)):
                raise ValueError(
                    f"Column {table.label(j)!r} was of the kind {kind!r} in fit, and is of "
                    f"the kind {now!r} now, such as {table.examples(j)[0]!r}. Convert it "
                    "to what it was."
                )
        for j, zone in self._zones.items():
            table.convert_zone(j, zone)

    def _used(self):
        """The places of columns that add something."""
        others = (block.place for block in (*self._levels, *self._means))
        return sorted({*self._numbers.places, *others})

    def _joined(self, table, means):
        parts = [*self._numbers.parts(table)]
        parts += [block.part(table) for block in (*self._dates, *self._levels)]
        parts += means
        if not parts:
            return np.zeros((table.shape[0], 1), dtype=self.dtype)
        return np.concatenate(parts, axis=1, dtype=self.dtype, casting="same_kind")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _is_text(value):
    return isinstance(value, str)


def _unique(names):
    """Names of which no two are the same: the second is told by its number."""
    taken = {}
    for name in names:
        new, number = name, 1
        while new in taken:
            number += 1
            new = f"{name}_{number}"
        taken[new] = None
    return list(taken)
