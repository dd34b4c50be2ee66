"""How much is trained on a table: a budget of operations, and what it is spent on."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

#: What a network makes of the numbers before its first dense layer.
PERIODIC, PIECEWISE, PLAIN = "periodic", "piecewise", "plain"
N_BINS = 16
N_FREQUENCIES = 16
N_EMBEDDING_OUTPUTS = 3

# Tables of fewer rows are learned as a whole in each step, without dropout and without
# setting rows aside, of which there are too few to say anything.
SMALL_TABLE = 50
_SMALL_TABLE_EPOCHS = 100
# A step's batch is about this share of the rows.
_STEPS_AN_EPOCH = 20
_LEAST_BATCH, _LARGEST_BATCH = 32, 256
# Tables of more rows need fewer epochs for the same number of steps.
_MANY_ROWS = 10_000


@dataclass(frozen=True)
class Budget:
    """What a preset spends.

    Parameters
    ----------
    operations : float
        Floating-point operations of all networks together.

    n_members : int
        Networks of each embedding that are trained on all rows, at most.

    n_cv : int
        The folds, at most; 0 sets no rows aside.

    n_fold_members : int
        Networks of each embedding in a fold, at most.

    n_epochs : tuple of int
        The fewest and the most.
    """

    operations: float
    n_members: int
    n_cv: int
    n_fold_members: int
    n_epochs: tuple[int, int]


PRESETS = {
    "fast": Budget(1e10, 1, 0, 1, (8, 60)),
    "default": Budget(9e10, 1, 5, 2, (24, 56)),
    "best": Budget(1e12, 4, 10, 2, (60, 200)),
}


class Task(NamedTuple):
    """A model to train: on all rows, or on those of all folds but one.

    `n_epochs` is None for what is no network.
    """

    kind: str
    fold: int | None
    n_epochs: int | None


@dataclass(frozen=True)
class Plan:
    """What is trained: `tasks` says in which order.

    Parameters
    ----------
    kinds : tuple of str
        The embeddings; each member has one.

    n_members : int
        Networks that are trained on all rows.

    n_cv : int
        The folds; 0 where no rows are set aside.

    n_fold_members : int
        Networks of each embedding that are trained without a fold's rows.

    n_epochs : tuple of int
        Of networks. Where there are several, all that is above is trained with each, and
        the rows that were set aside choose one.

    batch_size : int
        Of each network.

    dropout : float
        Of each hidden layer.
    """

    kinds: tuple[str, ...]
    n_members: int
    n_cv: int
    n_fold_members: int
    n_epochs: tuple[int, ...]
    batch_size: int
    dropout: float

    def tasks(self, others):
        """The models to train.

        The first is a model by itself. Then come those of the folds, from which the
        weights come, and last the other ones of all rows. What follows is the same with
        other numbers of epochs.

        Parameters
        ----------
        others : tuple of str
            Models that are no networks: one of all rows, and one a fold.
        """
        tasks = []
        for number, n_epochs in enumerate(self.n_epochs):
            whole, folds, rest = self._tasks_of(n_epochs, () if number else others)
            tasks += [*whole[:1], *folds, *rest, *whole[1:]]
        return tasks

    def _tasks_of(self, n_epochs, others):
        whole = [
            Task(self.kinds[i % len(self.kinds)], None, n_epochs)
            for i in range(self.n_members)
        ]
        folds = []
        for fold in range(self.n_cv):
            folds += [Task(k, fold, n_epochs) for k in self.kinds * self.n_fold_members]
            folds += [Task(kind, fold, None) for kind in others]
        return whole, folds, [Task(kind, None, None) for kind in others]


def batch_rows(n):
    """The rows of a batch: a power of two near a twentieth of n, from 32 to 256."""
    rows = 2 ** round(math.log2(max(1.0, n / _STEPS_AN_EPOCH)))
    return int(min(n, max(_LEAST_BATCH, min(_LARGEST_BATCH, rows))))


def operations(n, n_numeric, n_passing, n_outputs, kind, hidden):
    """The floating-point operations of an epoch: six for each weight and row."""
    embedding = 0
    width = n_numeric
    if kind == PERIODIC:
        width *= N_EMBEDDING_OUTPUTS + 1
        # a sine and a cosine take as long as some twenty multiplications
        embedding = n_numeric * N_FREQUENCIES * (N_EMBEDDING_OUTPUTS + 20 / 6)
    elif kind == PIECEWISE:
        width *= N_BINS + 1
    widths = [width + n_passing, *hidden, n_outputs]
    weights = sum(a * b for a, b in pairwise(widths))
    return 6.0 * n * (weights + embedding)


def make_plan(budget, kinds, costs, n, *, dropout, asked):
    """Spend a budget on a table.

    Parameters
    ----------
    budget : Budget
        What may be spent.

    kinds : tuple of str
        The embeddings.

    costs : list of float
        The operations of an epoch with each.

    n : int
        The rows.

    dropout : float
        The rate for tables that are not small.

    asked : dict
        What the user decided: `n_members`, `n_cv`, `n_epochs` (a tuple) and `batch_size`,
        or "auto".

    Returns
    -------
    plan : Plan
    """
    small = n < SMALL_TABLE
    fewest, most = budget.n_epochs
    fewest = max(1, min(fewest, round(fewest * _MANY_ROWS / n)))
    for size in _sizes(budget, len(kinds)):
        if _spent(*size, costs) * fewest <= budget.operations:
            break
    # the last, if none is small enough
    n_members, n_cv, n_fold_members = size
    n_cv = 0 if small else n_cv
    n_members, n_cv = (
        own if asked[name] == "auto" else asked[name]
        for name, own in (("n_members", n_members), ("n_cv", n_cv))
    )
    n_epochs = min(most, _SMALL_TABLE_EPOCHS)
    if not small:
        affordable = budget.operations / _spent(n_members, n_cv, n_fold_members, costs)
        n_epochs = int(np.clip(affordable, fewest, most))
    batch_size = n if small else batch_rows(n)
    return Plan(
        kinds=kinds,
        n_members=n_members,
        n_cv=n_cv,
        n_fold_members=n_fold_members,
        n_epochs=(n_epochs,) if asked["n_epochs"] == "auto" else asked["n_epochs"],
        batch_size=batch_size if asked["batch_size"] == "auto" else asked["batch_size"],
        dropout=0.0 if small else dropout,
    )


def _sizes(budget, n_kinds):
    """Members, folds and members of a fold, from many to few."""
    for members in range(budget.n_members, 0, -1):
        yield members * n_kinds, budget.n_cv, budget.n_fold_members
    for members, folds in ((n_kinds, 5), (n_kinds, 3), (1, 3), (1, 2)):
        yield members, min(folds, budget.n_cv), 1


def _spent(n_members, n_cv, n_fold_members, costs):
    """Operations an epoch of members on all rows and of those on all but a fold."""
    folds = max(0, n_cv - 1) * n_fold_members * sum(costs)
    return n_members * np.mean(costs) + folds
