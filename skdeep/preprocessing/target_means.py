"""What the target is on average where a category is: of many levels, few numbers."""

import numpy as np
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.multiclass import type_of_target

#: Parts of the training rows; the means of each are those of the others.
N_FOLDS = 5


def target_columns(y, target_type):
    """Targets as columns of numbers, and what to call them.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        The targets.

    target_type : {"auto", "continuous", "classes"}
        What they are; "auto" is what scikit-learn's `type_of_target` says.

    Returns
    -------
    targets : ndarray of shape (n_samples, n_columns)
        Numbers as they are. Of two classes, 1 for the second; of more, a column of 0 and 1
        for each.

    names : list of str
        An ending for each column's name.
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind == "f":
        assert_all_finite(y, input_name="y")
    if target_type == "auto":
        found = type_of_target(y, input_name="y")
        if found == "unknown":
            raise ValueError(
                f"Unknown label type: y is an array of {y.dtype} and {y.ndim} axes. "
                "Expected numbers, or classes that are all numbers or all text."
            )
        target_type = "classes" if found in ("binary", "multiclass") else "continuous"
    if target_type == "continuous":
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        y = y.reshape(len(y), -1)
        return y, [""] if y.shape[1] == 1 else [f"_{k}" for k in range(y.shape[1])]
    classes, y = np.unique(y, return_inverse=True)
    if len(classes) <= 2:
        return (y == 1).astype(np.float64)[:, None], [""]
    return np.eye(len(classes))[y], [f"_{label}" for label in classes.tolist()]


def smoothed_means(codes, n_levels, targets, weight):
    """The mean of each level, drawn to that of all by so much as it is uncertain.

    With n rows of a level whose targets have a variance v, and V the variance of all, it
    is n V / (n V + v) of the level's mean and the rest of that of all (Micci-Barreca 2001;
    scikit-learn's TargetEncoder with ``smooth="auto"``).

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        The level of each row; -1 is none.

    n_levels : int
        How many there are.

    targets : ndarray of shape (n_samples, n_targets)
        The targets.

    weight : ndarray of shape (n_samples,)
        The weight of each row.

    Returns
    -------
    means : ndarray of shape (n_levels + 1, n_targets)
        Of each level, and last the mean of all, for levels that are not known.
    """
    total = weight.sum()
    overall = weight @ targets / (total or 1.0)
    variance = weight @ (targets - overall) ** 2 / (total or 1.0)

    def sums(values):
        return np.bincount(codes + 1, values, n_levels + 1)[1:]

    means = np.empty((n_levels + 1, targets.shape[1]))
    means[-1] = overall
    count = sums(weight)
    for k, target in enumerate(targets.T):
        mean = sums(weight * target) / np.maximum(count, 1e-300)
        within = sums(weight * (target - np.append(mean, 0.0)[codes]) ** 2)
        within = within / np.maximum(count, 1e-300)
        signal = variance[k] * count
        share = signal / np.where(signal + within > 0, signal + within, 1.0)
        means[:-1, k] = overall[k] + share * (mean - overall[k])
    return means


def out_of_fold_means(codes, n_levels, targets, weight, folds):
    """For each row, its level's mean over the rows of the other folds.

    What a row's own target had a share in would tell a network the target.

    Parameters
    ----------
    codes, n_levels, targets, weight : as of `smoothed_means`

    folds : ndarray of int of shape (n_samples,)
        The fold of each row.

    Returns
    -------
    means : ndarray of shape (n_samples, n_targets)
    """
    means = np.empty(targets.shape)
    for fold in range(folds.max() + 1):
        own = folds == fold
        other = ~own
        table = smoothed_means(codes[other], n_levels, targets[other], weight[other])
        means[own] = table[codes[own]]
    return means


def even_folds(targets, random):
    """Folds with rows of all sizes of targets, or of all classes, in each.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_targets)
        The targets.

    random : RandomState
        What chooses one row of each fold among rows of similar targets.

    Returns
    -------
    folds : ndarray of int of shape (n_samples,)
        Numbers from 0 on.
    """
    n_rows = len(targets)
    n_folds = min(N_FOLDS, n_rows)
    order = random.permutation(n_rows)
    order = order[np.lexsort(targets[order].T)]
    # of each few rows that follow one another, one for each fold
    drawn = random.random_sample((-(-n_rows // n_folds), n_folds)).argsort(axis=1)
    folds = np.empty(n_rows, dtype=np.intp)
    folds[order] = drawn.ravel()[:n_rows]
    return folds
