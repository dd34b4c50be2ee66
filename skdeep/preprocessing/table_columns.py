"""The columns of a table, whatever holds them: of what kind each is, and its entries.

Frames of pandas and Polars are read through narwhals, as scikit-learn does it. Kinds are
"number", "boolean", "category", "date", "duration", "missing" (nothing else is in the
column), and those that no network takes: "text", "mixed" and "other".
"""

import datetime
from collections import Counter
from functools import cached_property
from numbers import Number

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import validate_data

from skdeep.preprocessing.calendar_features import days_since_1970

#: Kinds that have to be made another one.
UNREADABLE = ("text", "mixed", "other")
_KINDS_OF_ARRAYS = {**dict.fromkeys("iuf", "number"), "b": "boolean"}
_KINDS_OF_ARRAYS |= {"M": "date", "m": "duration", "U": "text"}
#: In this order, as a bool is a number, and a complex one is too.
_KINDS_OF_OBJECTS = {
    "boolean": (bool, np.bool_),
    "duration": (datetime.timedelta, np.timedelta64),
    "other": (complex, np.complexfloating),
    "number": (Number, np.number),
    "text": (str,),
    "date": (datetime.date, np.datetime64),
}
_MISSING_TYPES = ("NoneType", "NAType", "NaTType", "MaskedConstant")
_DAY = np.timedelta64(1, "D")


class NumericTable:
    """An array of numbers, whose columns are all of one kind."""

    def __init__(self, array):
        self.array = array
        self.shape = array.shape
        self.kinds = (_KINDS_OF_ARRAYS[array.dtype.kind],) * array.shape[1]

    def label(self, j):
        """What messages call a column."""
        return f"x{j}"

    def numbers(self, places):
        """Those columns, as floating-point numbers in which NaN is missing."""
        array = self.array
        if list(places) != list(range(array.shape[1])):
            array = array[:, list(places)]
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float64)
        return _finite(array)

    def distinct(self, j):
        """The distinct entries of a column, and the place of each row's, or -1."""
        return _distinct_numbers(self.array[:, j])

    def dates(self, j):
        """No dates: all are missing."""
        return np.full(self.shape[0], "NaT", dtype="datetime64[us]")

    def convert_zone(self, j, zone):
        """Nothing to convert."""

    def is_missing(self, j):
        """Whether nothing is in a column."""
        return bool(np.isnan(self.array[:, j]).all())

    def examples(self, j):
        """What is in a column."""
        return [self.array[0, j].item()]


class ColumnTable:
    """Columns of any kinds."""

    def __init__(self, columns, n_rows):
        self.columns = columns
        self.shape = n_rows, len(columns)
        self.kinds = tuple(column.kind for column in columns)

    def label(self, j):
        """What messages call a column."""
        return self.columns[j].label

    def numbers(self, places):
        """Those columns, as floating-point numbers in which NaN is missing.

        Dates are days since 1970, durations are days.
        """
        numbers = np.empty((self.shape[0], len(places)))
        for k, j in enumerate(places):
            numbers[:, k] = self.columns[j].numbers()
        return _finite(numbers)

    def distinct(self, j):
        """The distinct entries of a column, and the place of each row's, or -1."""
        return self.columns[j].distinct

    def dates(self, j):
        """Dates as clocks show them; NaT is missing."""
        return self.columns[j].dates()

    def zone(self, j):
        """The time zone of dates, or None."""
        return self.columns[j].zone

    def convert_zone(self, j, zone):
        """Let clocks of that time zone show dates."""
        column = self.columns[j]
        if column.kind != "date" or column.zone == zone:
            return
        if zone is None or column.zone is None:
            raise ValueError(
                f"The dates of column {column.label!r} have the time zone {column.zone}, "
                f"and had {zone} in fit. Give them one, or take it away, as it was there."
            )
        self.columns[j] = column.in_zone(zone)

    def is_missing(self, j):
        """Whether nothing is in a column."""
        return self.columns[j].is_missing()

    def examples(self, j):
        """One or two of the entries of a column, of different types if there are."""
        return self.columns[j].examples()

    def refuse(self, j):
        """Say what to do with a column that no network takes."""
        label, kind, found = self.label(j), self.kinds[j], self.examples(j)
        if kind == "text":
            raise ValueError(
                f"Text column {label!r} (such as {str(found[0])!r}): if few entries are "
                "repeated often, convert it to categories (pandas: astype('category'), "
                "Polars: cast(pl.Categorical)), or name it in categorical_features. Text "
                "to be read needs numbers of its own, such as those of scikit-learn's "
                "TfidfVectorizer."
            )
        if kind == "mixed":
            named = " and ".join(f"{v!r} ({type(v).__name__})" for v in found)
            raise ValueError(
                f"Column {label!r} has entries of different types, such as {named}. Make "
                "one type of them, such as numbers with pandas.to_numeric(column, "
                "errors='coerce'), or name the column in categorical_features."
            )
        raise TypeError(
            f"Column {label!r} has entries that are no numbers, dates or categories: the "
            "argument must be a string or a real number, not "
            f"{type(found[0]).__name__!r}. Make numbers of them, or leave the column out."
        )


def read_table(estimator, X, *, reset):
    """The columns of X, whose number and names scikit-learn checks.

    Parameters
    ----------
    estimator : estimator
        Which is to know them, or knows them.

    X : data frame or array-like of shape (n_samples, n_features)
        The table.

    reset : bool
        Whether the estimator learns the columns.

    Returns
    -------
    table : NumericTable or ColumnTable
    """
    if nw.dependencies.is_polars_lazyframe(X):
        raise TypeError("X is a LazyFrame, which holds no rows. Pass X.collect().")
    if not is_frame(X):
        X = array_of(X)
        X = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite=False)
        return table_of_array(X)
    refuse_equal_names(X)
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if 0 in X.shape:
        check_array(np.empty(X.shape), estimator=estimator, input_name="X")
    return table_of_frame(X)


def is_frame(X):
    """Whether X is a data frame of a library that narwhals knows."""
    return nw.dependencies.is_into_dataframe(X)


def refuse_equal_names(X):
    """Say which columns of a frame have one name."""
    twice = [name for name, count in Counter(X.columns).items() if count > 1]
    if twice:
        raise ValueError(
            f"X has several columns of the name {twice[0]!r}. Rename them, or leave all "
            "but one out."
        )


def table_of_frame(X):
    """The columns of a data frame."""
    if nw.dependencies.is_pandas_dataframe(X):
        columns = [_column_of_pandas(name, series) for name, series in X.items()]
    else:
        columns = map(_column_of, nw.from_native(X, eager_only=True).iter_columns())
    return ColumnTable(list(columns), len(X))


def table_of_array(X):
    """The columns of an array of two axes."""
    if X.dtype.kind in "biuf":
        return NumericTable(X)
    columns = [_ArrayColumn(f"x{j}", column) for j, column in enumerate(X.T)]
    return ColumnTable(columns, len(X))


def array_of(X):
    """Lists and masked arrays as arrays in which None or NaN is missing.

    A list with text in it becomes one of objects: NumPy would make text of its numbers.
    """
    if isinstance(X, (list, tuple)):
        masked = any(isinstance(row, np.ma.MaskedArray) for row in X)
        array = np.ma.array(X) if masked else np.asarray(X)
        X = np.array(X, dtype=object) if array.dtype.kind in "US" else array
    if isinstance(X, np.ma.MaskedArray):
        if not np.ma.is_masked(X):
            return X.data
        if X.dtype.kind in "biuf":
            return X.astype(np.float64).filled(np.nan)
        objects = X.data.astype(object)
        objects[np.ma.getmaskarray(X)] = None
        return objects
    return X


def _column_of_pandas(name, series):
    if isinstance(series.dtype, np.dtype):
        return _ArrayColumn(name, series.to_numpy())
    if getattr(series.dtype, "tz", None) is not None:
        return _ZonedColumn(name, series)
    return _column_of(nw.from_native(series, series_only=True))


def _column_of(series):
    if _kind_of_dtype(series.dtype) is not None:
        return _FrameColumn(series)
    values = np.fromiter(series.to_list(), dtype=object, count=len(series))
    return _ArrayColumn(series.name, values)


class _FrameColumn:
    def __init__(self, series):
        self.series = series
        self.label = series.name
        self.kind = _kind_of_dtype(series.dtype)
        self.zone = series.dtype.time_zone if series.dtype == nw.Datetime else None
        if self.kind == "text" and series.is_null().all():
            self.kind = "missing"

    def numbers(self):
        series = self.series
        if self.kind == "date":
            return days_since_1970(self.dates())
        if self.kind == "duration":
            return series.to_numpy() / _DAY
        if self.kind not in ("number", "boolean"):
            return np.nan  # there is nothing in it
        return (series if series.dtype.is_float() else series.cast(nw.Float64)).to_numpy()

    def dates(self):
        series = self.series
        if self.kind != "date":
            return np.full(len(series), "NaT", dtype="datetime64[us]")
        if self.zone is not None:
            series = series.dt.replace_time_zone(None)
        return series.to_numpy().astype("datetime64[us]")

    def in_zone(self, zone):
        return _FrameColumn(self.series.dt.convert_time_zone(zone))

    @cached_property
    def distinct(self):
        codes = getattr(getattr(self.series.to_native(), "array", None), "codes", None)
        if codes is not None:  # a category of pandas
            return self.series.to_native().array.categories.tolist(), codes.astype(np.intp)
        return _distinct_objects(self.series.to_list(), self.label)

    def is_missing(self):
        missing = self.series.is_null()
        if self.series.dtype.is_float():
            missing = missing | self.series.is_nan()
        return bool(missing.all())

    def examples(self):
        return self.series.drop_nulls().head(1).to_list()


class _ArrayColumn:
    zone = None

    def __init__(self, label, values):
        self.label = label
        self.values = values
        kind = values.dtype.kind
        self.kind = (
            _kind_of_objects(values) if kind == "O" else _KINDS_OF_ARRAYS.get(kind, "other")
        )

    def numbers(self):
        if self.kind == "date":
            return days_since_1970(self.dates())
        if self.kind == "duration":
            return self._converted("timedelta64[us]") / _DAY
        if self.kind not in ("number", "boolean"):
            return np.nan  # there is nothing in it
        return self._converted(np.float64)

    def dates(self):
        if self.kind != "date":
            return np.full(len(self.values), "NaT", dtype="datetime64[us]")
        return self._converted("datetime64[us]")

    @cached_property
    def distinct(self):
        values = self.values
        if values.dtype.kind in "biuf":
            return _distinct_numbers(values)
        if values.dtype.kind in "mM":  # of nanoseconds NumPy makes numbers
            values = values.astype(f"{values.dtype.kind}8[us]")
        return _distinct_objects(values.tolist(), self.label)

    def is_missing(self):
        return all(_is_missing(v) for v in self.values)

    def examples(self):
        found = {}
        for value in self.values:
            if not _is_missing(value):
                found.setdefault(type(value), value)
        return list(found.values())[:2]

    def _converted(self, dtype):
        """Values of a type of NumPy, to which None is missing."""
        values = self.values
        if values.dtype == object:
            gaps = [type(v).__name__ in _MISSING_TYPES for v in values]
            values = values.copy()
            values[gaps] = None
        try:
            return values.astype(dtype, copy=False)
        except OverflowError as error:
            raise ValueError(
                f"Column {self.label!r} has an integer that is too large for float64, "
                "whose largest number is 1.8e308. Scale it first."
            ) from error


class _ZonedColumn(_ArrayColumn):
    """Dates of pandas with a time zone, some of whose names narwhals does not know."""

    def __init__(self, label, series):
        super().__init__(label, series.dt.tz_localize(None).to_numpy())
        self.series = series
        self.zone = str(series.dt.tz)

    def in_zone(self, zone):
        return _ZonedColumn(self.label, self.series.dt.tz_convert(zone))


def _finite(numbers):
    assert_all_finite(numbers, allow_nan=True, input_name="X")
    return numbers


def _kind_of_dtype(dtype):
    """The kind of a column of narwhals; None where its entries have to say it."""
    if dtype == nw.Boolean:
        return "boolean"
    if dtype.is_numeric():
        return "number"
    if dtype in (nw.Categorical, nw.Enum):
        return "category"
    if dtype in (nw.Datetime, nw.Date):
        return "date"
    if dtype == nw.Duration:
        return "duration"
    return "text" if dtype == nw.String else None


def _kind_of_objects(values):
    types = {t for t in set(map(type, values)) if t.__name__ not in _MISSING_TYPES}
    if len(types) > 1 and not any(isinstance(v, float) and v == v for v in values):
        types = {t for t in types if not issubclass(t, float)}  # NaN alone is missing
    kinds = set(map(_kind_of_type, types))
    if not kinds:
        return "missing"
    if "other" in kinds:
        return "other"
    if kinds == {"number", "boolean"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _kind_of_type(kind):
    found = (k for k, types in _KINDS_OF_OBJECTS.items() if issubclass(kind, types))
    return next(found, "other")


def _distinct_numbers(values):
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) and distinct.dtype.kind == "f" and np.isnan(distinct[-1]):
        distinct = distinct[:-1]
        codes[codes == len(distinct)] = -1
    return distinct.tolist(), codes


def _distinct_objects(values, label):
    """The distinct entries but missing ones, and the place of each row's, or -1."""
    places = {}
    try:
        codes = np.array([places.setdefault(v, len(places)) for v in values], dtype=np.intp)
    except TypeError as error:
        raise TypeError(
            f"Column {label!r} has an entry that cannot be a category ({error}): the "
            "argument must be a string or a number. Make one of each entry, or leave the "
            "column out."
        ) from error
    known = [v for v in places if not _is_missing(v)]
    if len(known) == len(places):
        return known, codes
    moved = {v: k for k, v in enumerate(known)}
    return known, np.array([moved.get(v, -1) for v in places], dtype=np.intp)[codes]


def _is_missing(value):
    return type(value).__name__ in _MISSING_TYPES or value != value
