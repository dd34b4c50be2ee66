"""Numbers of dates: days since 1970, and the time of year, week and day as on a circle."""

import numpy as np

#: What `cycles` gives of each date.
CYCLES = tuple(
    f"{period}_{wave}" for period in ("year", "week", "day") for wave in ("sin", "cos")
)
_DAY = np.timedelta64(1, "D")


def days_since_1970(dates):
    """Days, and parts of days, since 1970; NaN for NaT."""
    return (dates - np.datetime64(0, "us")) / _DAY


def cycles(dates):
    """Sine and cosine of the time of the year, of the day of the week, of the time of day.

    Parameters
    ----------
    dates : ndarray of datetime64[us] of shape (n_samples,)
        The dates.

    Returns
    -------
    waves : ndarray of shape (n_samples, 6)
        In the order of CYCLES; 0 for NaT.
    """
    year, day = dates.astype("datetime64[Y]"), dates.astype("datetime64[D]")
    start, end = (y.astype("datetime64[us]") for y in (year, year + 1))
    weekday = np.mod((day - np.datetime64("1970-01-05", "D")) / _DAY, 7)  # a Monday
    turns = np.stack([(dates - start) / (end - start), weekday / 7, (dates - day) / _DAY])
    angles = 2 * np.pi * turns
    waves = np.stack([np.sin(angles), np.cos(angles)], axis=1).reshape(6, -1).T
    return np.nan_to_num(waves)
