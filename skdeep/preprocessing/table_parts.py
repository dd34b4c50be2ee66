"""What becomes of the columns of a table: numbers, waves of dates, levels, means.

Each part learns from a table (`of`), makes columns of another one (`part`), and names them.
"""

from dataclasses import dataclass

import numpy as np

from skdeep.preprocessing.affine_scaler import is_rounding
from skdeep.preprocessing.calendar_features import CYCLES, cycles
from skdeep.preprocessing.extremes import span
from skdeep.preprocessing.robust_scaler import RobustScaler
from skdeep.preprocessing.target_means import out_of_fold_means, smoothed_means

#: The bound that RealMLP has for numbers, and that holds for target means, too.
_BOUND = 3.0


@dataclass(frozen=True)
class Numbers:
    """Columns of numbers: those to scale, those of two values, those with gaps alone.

    `places` has them in this order, and `gaps` says which of them have missing entries.
    """

    places: tuple
    n_scaled: int
    scaler: RobustScaler | None
    low: np.ndarray
    high: np.ndarray
    gaps: np.ndarray

    @classmethod
    def of(cls, table, places, weight):
        """What is to be done with the numbers in those columns."""
        numbers = table.numbers(places)
        if not weight.all():
            numbers, weight = numbers[weight > 0], weight[weight > 0]
        low, high = np.fmin.reduce(numbers), np.fmax.reduce(numbers)
        missing = np.isnan(numbers)
        ends = np.zeros((2, table.shape[1]))
        ends[:, places] = np.nan_to_num([low, high])
        size = np.maximum(np.abs(low), np.abs(high))
        varies = ~(is_rounding(span(*ends)[places], size) | np.isnan(low))
        two = varies & ((numbers == low) | (numbers == high) | missing).all(axis=0)
        gaps = missing.any(axis=0) & ~missing.all(axis=0)
        scaled, two, rest = (
            np.flatnonzero(which) for which in (varies & ~two, two, gaps & ~varies)
        )
        scaler = None
        if len(scaled):
            scaler = RobustScaler(smooth_clip=_BOUND).set_output(transform="default")
            numbers = numbers if len(scaled) == len(places) else numbers[:, scaled]
            scaler.fit(numbers, sample_weight=None if (weight == 1).all() else weight)
        order = np.concatenate([scaled, two, rest])
        kept = tuple(places[k] for k in order)
        gaps = np.flatnonzero(gaps[order])
        return cls(kept, len(scaled), scaler, low[two], high[two], gaps)

    def parts(self, table):
        """Scaled numbers, then those of two values, then what is missing."""
        if not self.places:
            return
        numbers = table.numbers(self.places)
        missing = np.isnan(numbers)
        first, end = self.n_scaled, self.n_scaled + len(self.low)
        if self.scaler is not None:
            scaled = self.scaler.transform(numbers[:, :first])
            scaled[missing[:, :first]] = 0.0
            yield scaled
        if end > first:
            share = (numbers[:, first:end] - self.low) / (self.high - self.low)
            share = np.clip(share, 0.0, 1.0)
            yield np.where(np.isnan(share), 0.5, share)
        if len(self.gaps):
            yield missing[:, self.gaps]

    def names(self, names):
        """What the columns are called, of columns with these names."""
        own = [names[j] for j in self.places]
        yield from own[: self.n_scaled + len(self.low)]
        yield from (f"{own[k]}_missing" for k in self.gaps)


@dataclass(frozen=True)
class Cycles:
    """Waves of a column of dates: those that vary."""

    place: int
    kept: np.ndarray

    @classmethod
    def of(cls, table, place, weight):
        dates = table.dates(place)[weight > 0]
        waves = cycles(dates[~np.isnat(dates)])
        if not len(waves):
            return cls(place, np.arange(0))
        return cls(place, np.flatnonzero(np.ptp(waves, axis=0) > 1e-9))

    def part(self, table):
        return cycles(table.dates(self.place))[:, self.kept]

    def names(self, names):
        return [f"{names[self.place]}_{CYCLES[k]}" for k in self.kept]


@dataclass(frozen=True, eq=False)
class Levels:
    """The levels of a category, the missing one last."""

    place: int
    index: dict
    has_missing: bool

    @classmethod
    def of(cls, table, place, weight):
        distinct, codes = table.distinct(place)
        seen = np.unique(codes[weight > 0]).tolist()
        levels = _sorted([distinct[code] for code in seen if code >= 0])
        index = {level: code for code, level in enumerate(levels)}
        return cls(place, index, seen[0] == -1)

    @property
    def count(self):
        return len(self.index) + self.has_missing

    def codes(self, table):
        """The number of each row's level, or -1 if there is none."""
        distinct, codes = table.distinct(self.place)
        known = [self.index.get(level, -1) for level in distinct]
        return np.array([*known, self.count - 1 if self.has_missing else -1])[codes]

    def part(self, table):
        codes = self.codes(table)
        if self.count == 2:
            return np.where(codes < 0, 0.5, codes)[:, None]
        return codes[:, None] == np.arange(self.count)

    def names(self, names):
        levels = [*self.index, *["missing"] * self.has_missing]
        named = levels[1:] if self.count == 2 else levels
        return [f"{names[self.place]}_{level}" for level in named]


@dataclass(frozen=True)
class Means:
    """The means of targets in the levels of a category."""

    levels: Levels
    endings: list
    center: np.ndarray
    scale: np.ndarray
    table: np.ndarray

    @classmethod
    def of(cls, levels, table, targets, endings, weight):
        center = np.average(targets, axis=0, weights=weight)
        scale = np.sqrt(np.average((targets - center) ** 2, axis=0, weights=weight))
        scale = np.where(is_rounding(scale, np.abs(center)), 1.0, scale)
        means = smoothed_means(levels.codes(table), levels.count, targets, weight)
        return cls(levels, endings, center, scale, _bounded((means - center) / scale))

    @property
    def place(self):
        return self.levels.place

    def part(self, table):
        return self.table[self.levels.codes(table)]

    def of_other_folds(self, table, targets, weight, folds):
        codes = self.levels.codes(table)
        means = out_of_fold_means(codes, self.levels.count, targets, weight, folds)
        return _bounded((means - self.center) / self.scale)

    def names(self, names):
        return [f"{names[self.place]}_mean{ending}" for ending in self.endings]


def _bounded(z):
    return z / np.hypot(z / _BOUND, 1.0)


def _sorted(levels):
    """Levels in an order that rows have no part in."""
    try:
        return sorted(levels)
    except TypeError:
        return sorted(levels, key=lambda level: (type(level).__name__, str(level)))
