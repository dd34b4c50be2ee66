"""Dates and durations in tables: days, and waves of the year, the week and the day."""

import datetime
from math import cos, pi, sin

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from table_examples import MOMENTS, preprocessor, robust

pytestmark = pytest.mark.tiny


def turns(moment):
    """How much of the year, of the week and of the day is over."""
    start = datetime.datetime(moment.year, 1, 1)
    length = datetime.datetime(moment.year + 1, 1, 1) - start
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return (
        (moment - start) / length,
        moment.weekday() / 7,
        (moment - midnight) / datetime.timedelta(days=1),
    )


DATES = {
    "pandas": pd.DataFrame({"x0": pd.to_datetime(MOMENTS)}),
    "seconds": pd.DataFrame({"x0": MOMENTS}).astype("datetime64[s]"),
    "objects": pd.DataFrame({"x0": MOMENTS}, dtype=object),
    "Polars": pl.DataFrame({"x0": MOMENTS}),
    "NumPy": np.array(MOMENTS, dtype="datetime64[us]")[:, None],
    "lists": [[moment] for moment in MOMENTS],
}


@pytest.mark.parametrize("X", DATES.values(), ids=DATES)
def test_dates_are_days_and_waves(X):
    n = len(X)
    days = [
        (m - datetime.datetime(1970, 1, 1)) / datetime.timedelta(1) for m in MOMENTS[:n]
    ]
    scaler = preprocessor()
    out = scaler.fit_transform(X)
    assert_allclose(out[:, 0], robust(np.array(days)))
    waves = [[f(2 * pi * t) for t in turns(m) for f in (sin, cos)] for m in MOMENTS]
    assert_allclose(out[:, 1:], waves, atol=1e-9)
    assert scaler.n_numeric_ == 1
    names = [f"x0_{p}_{w}" for p in ("year", "week", "day") for w in ("sin", "cos")]
    assert list(scaler.get_feature_names_out()) == ["x0", *names]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_days_have_no_wave_of_the_day(frame):
    days = [datetime.date(2021, 3, d) for d in (1, 2, 4, 9)]
    names = preprocessor().fit(frame({"a": days})).get_feature_names_out()
    assert "a_week_sin" in names
    assert "a_day_sin" not in names


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_missing_dates_are_the_median_with_waves_of_zero_and_a_flag(frame):
    X = frame({"a": [MOMENTS[0], None, *MOMENTS[1:]]})
    scaler = preprocessor()
    out = scaler.fit_transform(X)
    assert list(scaler.get_feature_names_out())[:2] == ["a", "a_missing"]
    assert_array_equal(out[1], [0, 1, 0, 0, 0, 0, 0, 0])


def zoned(frame, moments):
    """Dates with New York's time zone."""
    if frame is pl.DataFrame:
        return pl.Series(moments).dt.replace_time_zone("America/New_York")
    return pd.Series(moments).dt.tz_localize("America/New_York")


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_dates_are_as_clocks_showed_them_in_fit(frame):
    local = zoned(frame, MOMENTS)
    scaler = preprocessor().fit(frame({"a": local}))
    expected = preprocessor().fit_transform(frame({"a": MOMENTS}))
    assert_array_equal(scaler.transform(frame({"a": local})), expected)
    convert = local.dt.tz_convert if frame is pd.DataFrame else local.dt.convert_time_zone
    elsewhere = frame({"a": convert("Asia/Tokyo")})
    assert_array_equal(scaler.transform(elsewhere), expected)


def test_a_time_zone_that_was_not_there_is_an_error():
    X = pd.DataFrame({"a": pd.to_datetime(MOMENTS)})
    scaler = preprocessor().fit(X)
    with pytest.raises(ValueError, match="'a' have the time zone UTC"):
        scaler.transform(pd.DataFrame({"a": X["a"].dt.tz_localize("UTC")}))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, "objects"])
def test_durations_are_numbers(frame):
    hours = [1, 2, 5, None, 30]
    spans = [h if h is None else datetime.timedelta(hours=h) for h in hours]
    X = [[s] for s in spans] if frame == "objects" else frame({"a": spans})
    out = preprocessor().fit_transform(X)
    assert_allclose(out[:, 0], robust(np.array(hours, dtype=float)))
