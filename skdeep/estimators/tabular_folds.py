"""Which rows each fold of cross-validated training sets aside."""

import numpy as np
from sklearn.utils import check_random_state


def make_folds(cv, target, groups, seed, *, classifies):
    """Cut rows into folds.

    Classes are in each fold as in all rows, and groups are never cut. A class with one row
    is in the training part of every fold: there is no other row to learn it from.

    Parameters
    ----------
    cv : int or cross-validation splitter
        The number of folds, or what cuts them.

    target : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Numbers of classes, or numbers.

    groups : ndarray of shape (n_samples,) or None
        The group of each row.

    seed : int
        Decides which rows are in which fold.

    classifies : bool
        Whether targets are classes.

    Returns
    -------
    folds : list of (training rows, validation rows)
        Those of which the training part can be learned from.
    """
    rows = np.arange(len(target))
    if classifies:
        alone = np.bincount(target)[target] == 1
        rows, single = rows[~alone], rows[alone]
    else:
        single = rows[:0]
    if cv == 0 or len(rows) < 2:
        return []
    inside = None if groups is None else groups[rows]
    splitter = _splitter(cv, len(rows), inside, seed, classifies)
    folds = [
        (np.sort(np.concatenate([rows[train], single])), rows[held_out])
        for train, held_out in splitter.split(rows, target[rows], inside)
    ]
    if classifies:
        folds = [fold for fold in folds if len(np.unique(target[fold[0]])) > 1]
    return [fold for fold in folds if len(fold[0]) and len(fold[1])]


def _splitter(cv, n, groups, seed, classifies):
    # here, as it takes a tenth of the time of `import skdeep`
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold

    if not isinstance(cv, int | np.integer):
        return cv
    if groups is not None:
        count = min(cv, len(np.unique(groups)))
        kind = StratifiedGroupKFold if classifies else GroupKFold
        return kind(count, shuffle=True, random_state=seed)
    count = min(cv, n)
    if classifies:
        return _EvenClasses(count, seed)
    return KFold(count, shuffle=True, random_state=seed)


class _EvenClasses:
    """Classes in each fold as in all, also those of fewer rows than there are folds.

    scikit-learn's StratifiedKFold refuses targets all of whose classes have fewer rows.
    """

    def __init__(self, n_folds, seed):
        self.n_folds = n_folds
        self.seed = seed

    def split(self, rows, target, groups=None):
        """The rows of each fold, as scikit-learn's splitters give them."""
        generator = check_random_state(self.seed)
        order = generator.permutation(len(rows))
        # dealt like cards, class by class
        order = order[np.argsort(target[order], kind="stable")]
        fold = np.empty(len(rows), dtype=np.intp)
        fold[order] = np.arange(len(rows)) % self.n_folds
        for k in range(self.n_folds):
            yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)
