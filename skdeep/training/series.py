"""What is recorded epoch after epoch, so that recording costs as much late as early."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


class Series(Sequence):
    """Numbers, or arrays of one shape, to which others are appended.

    Appending, `copy` and `first` take constant time: an array has room for more, and
    copies share it until one of them goes another way. A pickle holds what was appended
    and nothing else.

    Parameters
    ----------
    values : array-like, default=()
        The first entries.

    Examples
    --------
    >>> from skdeep.training.series import Series
    >>> losses = Series([3.0, 2.0])
    >>> before = losses.copy()
    >>> losses.append(1.0)
    >>> losses.values, len(before)
    (array([3., 2., 1.]), 2)
    """

    def __init__(self, values=()):
        array = np.array(values, dtype=np.float64)
        self._memory, self._length = _Memory(array, len(array)), len(array)

    @property
    def values(self):
        """The entries as an array, which is for reading only."""
        values = self._memory.array[: self._length]
        values.flags.writeable = False
        return values

    def append(self, value):
        memory = self._memory
        if memory.used != self._length or self._length == len(memory.array):
            shape = np.shape(value)
            array = np.empty((max(8, 2 * self._length), *shape))
            array[: self._length] = self.values.reshape(-1, *shape)
            memory = self._memory = _Memory(array, self._length)
        memory.array[self._length] = value
        self._length = memory.used = self._length + 1

    def extend(self, values):
        for value in values:
            self.append(value)

    def copy(self):
        return self.first(self._length)

    def first(self, n):
        """A series of the first `n` entries."""
        part = Series.__new__(Series)
        part._memory, part._length = self._memory, min(n, self._length)
        return part

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        return self.values[index]

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype, copy=copy)

    def __getstate__(self):
        return {"values": self.values.copy()}

    def __setstate__(self, state):
        self.__init__(state["values"])


class _Memory:
    """An array with room, and how much of it belongs to the longest series in it."""

    __slots__ = ("array", "used")

    def __init__(self, array, used):
        self.array, self.used = array, used


class Runs:
    """Numbers of which many in a row are alike: each once, and how often it comes.

    Parameters
    ----------
    values, counts : array-like, default=()
        The numbers, and how often each comes.

    Examples
    --------
    >>> from skdeep.training.series import Runs
    >>> rates = Runs()
    >>> rates.extend([0.1, 0.1])
    >>> rates.extend([0.1, 0.2])
    >>> rates.counts, rates.expanded()
    (array([3, 1]), array([0.1, 0.1, 0.1, 0.2]))
    """

    def __init__(self, values=(), counts=()):
        # the last run is still growing, so it is kept beside the others
        self._values, self._counts = Series(values[:-1]), Series(counts[:-1])
        self._last = float(values[-1]) if len(values) else np.nan
        self._count = int(counts[-1]) if len(counts) else 0

    @property
    def values(self):
        return np.append(self._values, self._last)[: len(self._values) + bool(self._count)]

    @property
    def counts(self):
        counts = np.append(self._counts, self._count)
        return counts[: len(self._counts) + bool(self._count)].astype(np.int64)

    def extend(self, numbers):
        """Append one number or more."""
        numbers = np.asarray(numbers)
        starts = np.flatnonzero(numbers[1:] != numbers[:-1]) + 1
        bounds = [0, *starts.tolist(), len(numbers)]
        for start, stop in pairwise(bounds):
            self._add_run(float(numbers[start]), stop - start)

    def expanded(self):
        """All numbers, each as often as it comes."""
        return np.repeat(self.values, self.counts)

    def copy(self):
        twin = Runs.__new__(Runs)
        vars(twin).update(vars(self))
        twin._values, twin._counts = self._values.copy(), self._counts.copy()
        return twin

    def _add_run(self, value, count):
        if self._count and value != self._last:
            self._values.append(self._last)
            self._counts.append(self._count)
            self._count = 0
        self._last, self._count = value, self._count + count
