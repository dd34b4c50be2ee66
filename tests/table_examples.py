"""What the tests of tables share."""

import datetime

import numpy as np
import pandas as pd

from skdeep.preprocessing import TabularPreprocessor

MOMENTS = [
    datetime.datetime(2020, 2, 29, 18, 30),
    datetime.datetime(1969, 12, 31, 23, 59, 59),
    datetime.datetime(2023, 7, 1),
    datetime.datetime(2024, 12, 31, 6, 0, 1),
]


def preprocessor(*args, **kwargs):
    """One that computes in double precision."""
    return TabularPreprocessor(*args, dtype="float64", random_state=0, **kwargs)


def bounded(z):
    """The smooth bound of RealMLP."""
    return z / np.sqrt(1 + (z / 3) ** 2)


def robust(column):
    """What becomes of a column of numbers."""
    low, median, high = np.nanpercentile(column, [25, 50, 75])
    return np.nan_to_num(bounded((column - median) / (high - low)))


def category(values):
    """A frame of one column of categories."""
    return pd.DataFrame({"a": pd.Categorical(values)})
