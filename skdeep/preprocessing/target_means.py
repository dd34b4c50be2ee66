"""What the target is on average where a category is: of many levels, few numbers."""

import numpy as np
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.multiclass import type_of_target

from skdeep.validation.sample_weight import check_sample_weight

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
        Numbers, divided by the largest one. Of two classes, 1 for the second; of more, a
        column of 0 and 1 for each.

    names : list of str
        An ending for each column's name.

    size : ndarray of shape (n_columns,)
        What the targets were divided by.
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind == "f":
        assert_all_finite(y, input_name="y")
        if target_type == "auto" and np.abs(y).max() > 2.0**53:
            target_type = "continuous"  # too large for the whole numbers that it looks for
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
        size = np.abs(y).max(axis=0)
        size = np.where(size > 0, size, 1.0)
        names = [""] if y.shape[1] == 1 else [f"_{k}" for k in range(y.shape[1])]
        return y / size, names, size  # the squares of which are numbers
    classes, y = np.unique(y, return_inverse=True)
    if len(classes) <= 2:
        return (y == 1).astype(np.float64)[:, None], [""], np.ones(1)
    names = [f"_{label}" for label in classes.tolist()]
    return np.eye(len(classes))[y], names, np.ones(len(classes))


def rows_weighed(sample_weight, X):
    """How many rows each row stands for; one, without weights."""
    if sample_weight is None:
        return np.ones(len(X))
    weight = check_sample_weight(sample_weight, X)
    # the smallest is one sample, unless it is nothing beside the largest
    return weight / max(weight[weight > 0].min(), 1e-12 * weight.max())


def smoothed_means(codes, n_levels, targets, weight):
    """The mean of each level, drawn to that of all by so much as it is uncertain.

    Let s^2 be the variance of targets within levels, and t^2 that of the levels' own means,
    both estimated by analysis of variance. Then a level of n rows has n t^2 / (n t^2 + s^2)
    of its mean, and of that of all the rest: the best linear prediction of another row
    of it (Robinson 1991). It is what scikit-learn's TargetEncoder gives for a ``smooth`` of
    s^2 / t^2; its own estimate, level by level, believes a level of one row.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        The level of each row; -1 is none.

    n_levels : int
        How many there are.

    targets : ndarray of shape (n_samples, n_targets)
        The targets.

    weight : ndarray of shape (n_samples,)
        How many rows each row stands for.

    Returns
    -------
    means : ndarray of shape (n_levels + 1, n_targets)
        Of each level, and last the mean of all, for levels that are not known.
    """
    total = max(weight.sum(), 1.0)
    overall = weight @ targets / total
    count = _sums(codes, n_levels, weight)
    known = max(np.count_nonzero(count) - 1, 1)
    per_level = (total - count @ count / total) / known  # rows, if levels had equal ones
    means = np.empty((n_levels + 1, targets.shape[1]))
    means[-1] = overall
    for k, target in enumerate(targets.T):
        mean = _sums(codes, n_levels, weight * target) / np.where(count > 0, count, 1.0)
        deviation = mean - overall[k]
        all_squares = weight @ (target - overall[k]) ** 2
        of_levels = count @ deviation**2
        # a row more, of the variance of all: with a row a level nothing else is known
        within = all_squares - of_levels + all_squares / total
        within = max(within, 0.0) / (total - np.count_nonzero(count) + 1)
        between = max(of_levels / known - within, 0.0) / (per_level or 1.0)
        own = count * between
        share = own / np.where(own + within > 0, own + within, 1.0)
        means[:-1, k] = overall[k] + share * deviation
    return means


def _sums(codes, n_levels, values):
    """The sum of the values in each level."""
    return np.bincount(codes + 1, values, n_levels + 1)[1:].astype(np.float64)


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
