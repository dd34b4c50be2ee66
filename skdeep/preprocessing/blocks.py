"""Arrays of any rank as blocks of rows, each row with one value of every feature.

A block fits into a core's cache, so that several operations on it cost little more than
one, and no array of the size of X is made on the way. Rows of few features are laid side
by side, as NumPy is slow on short rows.
"""

from math import prod
from numbers import Integral

import numpy as np
from scipy.sparse import issparse

from skdeep.engine.threads import run_pieces, threads
from skdeep.validation.inputs import check_places
from skdeep.validation.messages import plain

#: Values in a block: 512 kB in float32.
BLOCK = 1 << 17
_WIDE = 2048
_COLUMNS_BLOCK = 1 << 20


def checked_axes(feature_axes, X):
    """The axes with statistics of their own, sorted and counted from the front."""
    if type(feature_axes) is int and -X.ndim < feature_axes < 0:
        return (X.ndim + feature_axes,)
    single = isinstance(feature_axes, Integral)
    axes = []
    for axis in (feature_axes,) if single else feature_axes:
        if not isinstance(axis, Integral) or not -X.ndim <= axis < X.ndim:
            raise ValueError(
                f"feature_axes={plain(feature_axes)!r} does not fit X with {X.ndim} axes: "
                f"expected numbers from 1 to {X.ndim - 1}, or from {1 - X.ndim} to -1."
            )
        axes.append(int(axis) % X.ndim)
    if 0 in axes:
        raise ValueError(
            f"feature_axes={plain(feature_axes)!r} of X with {X.ndim} axes has the first "
            "one, which is that of the samples. Name other axes, or () for one scale of "
            "all."
        )
    if len(set(axes)) < len(axes):
        raise ValueError(f"feature_axes={plain(feature_axes)!r} names an axis twice.")
    if issparse(X) and axes != [1]:
        raise ValueError("Sparse X is scaled by its columns: set feature_axes=-1.")
    return tuple(sorted(axes))


def count_features(X, axes):
    """How many features there are."""
    return prod(X.shape[axis] for axis in axes)


def count_rows(X, axes):
    """How many values each feature has."""
    return prod(n for i, n in enumerate(X.shape) if i not in axes)


def float_type(dtype):
    """The smaller of float32 and float64 that holds all values of a type."""
    return np.dtype(np.float32 if np.result_type(dtype, "f4") == "f4" else np.float64)


def measured(function, X, axes):
    """What function(block, n_features) gives, for each block of wide rows, in their order.

    Blocks are of shape (rows, k * n_features): k rows of features side by side.
    """
    count = count_features(X, axes)
    (samples,) = _features_last(axes, X)
    slices = list(_slices(samples, count))
    together = max(2, min(64, (1 << 20) // count))
    with threads(10.0 * X.size):
        for first in range(0, len(slices), together):
            group = slices[first : first + together]
            results = [None] * len(group)

            def measure(i, part, results=results):
                block = samples[part].reshape(-1, count)
                wide = _widened(block, count, block.flags.c_contiguous)
                results[i] = [function(x, count) for x in wide]

            run_pieces([[(measure, (i, part))] for i, part in enumerate(group)])
            for result in results:
                yield from result


def row_blocks(X, axes):
    """Pairs of a block's first row and the block, of shape (rows, n_features)."""
    count = count_features(X, axes)
    (samples,) = _features_last(axes, X)
    rows = count_rows(X, axes) // max(len(samples), 1)
    for part in _slices(samples, count):
        yield part.start * rows, samples[part].reshape(-1, count)


def map_features(function, X, out, axes, parameters):
    """Call function(x, out, *parameters) for all blocks of X and out.

    Parameters are arrays of one number a feature, or None. `out` may be X itself.
    """
    if X.size <= _WIDE and axes == (1,) and X.ndim == 2:
        function(X, out, *parameters)  # no block of wide rows: a prediction waits for it
        return
    count = count_features(X, axes)
    tiled = {}

    def widely(block, result):
        contiguous = block.flags.c_contiguous and result.flags.c_contiguous
        pairs = (_widened(b, count, contiguous) for b in (block, result))
        for x, y in zip(*pairs, strict=True):
            width = x.shape[1]
            if width not in tiled:
                tiled[width] = [_tile(p, width) for p in parameters]
            function(x, y, *tiled[width])

    map_rows(widely, X, out, axes)


def map_sparse(function, X, out, parameters):
    """Call function(x, out, *parameters) for all stored values of sparse X and out.

    A block's indices are checked first, while they come into the cache anyway.
    """
    columns = column_indices(X)
    for start in range(0, X.nnz, BLOCK):
        block = slice(start, start + BLOCK)
        check_places(X, block)
        gathered = [None if p is None else p[columns[block]] for p in parameters]
        function(X.data[block], out.data[block], *gathered)


def map_rows(function, X, out, axes, size=BLOCK):
    """Call function(x, out) for all blocks of X and out, of shape (rows, n_features)."""
    count = count_features(X, axes)
    samples, targets = _features_last(axes, X, out)

    def fill(part):
        target = targets[part]
        result = target.reshape(-1, count)
        function(samples[part].reshape(-1, count), result)
        if not np.may_share_memory(result, target):
            target[...] = result.reshape(target.shape)

    parts = list(_slices(samples, count, size))
    if len(parts) == 1:  # there is nothing to share, and a row waits for its result
        fill(parts[0])
        return
    with threads(10.0 * X.size):
        run_pieces([[(fill, (part,))] for part in parts])


def map_columns(function, X, out, axes, parameters):
    """Write function(values, parameter), for the parameter of each feature, to out."""

    def fill(x, y):
        for j, parameter in enumerate(parameters):
            y[:, j] = function(x[:, j], parameter)

    map_rows(fill, X, out, axes, size=_COLUMNS_BLOCK)


def map_sparse_columns(function, X, out, parameters):
    """Write function(values, parameter) of the stored values of each column to out."""
    columns = column_indices(X)
    order = np.argsort(columns, kind="stable")
    ends = np.bincount(columns, minlength=X.shape[1]).cumsum()
    for parameter, own in zip(parameters, np.split(order, ends[:-1]), strict=True):
        out.data[own] = function(X.data[own], parameter)


def column_indices(X):
    """The column of each stored value of a CSR or CSC matrix."""
    if X.format == "csr":
        return X.indices
    return np.repeat(np.arange(X.shape[1], dtype=X.indices.dtype), np.diff(X.indptr))


def _features_last(axes, *arrays):
    """Views of arrays with the features' axes last; of two axes if all allow that."""
    last = tuple(range(arrays[0].ndim - len(axes), arrays[0].ndim))
    moved = arrays
    if axes != last:
        moved = [np.moveaxis(X, axes, last) for X in arrays]
    if all(X.flags.c_contiguous for X in moved):
        return [X.reshape(-1, count_features(arrays[0], axes)) for X in moved]
    return moved


def _slices(samples, count, block=BLOCK):
    """Slices of the first axis that make blocks, of many whole wide rows if possible."""
    size = samples[:1].size
    step = max(1, block // max(size, 1))
    fold = max(1, _WIDE // count) if size == count else 1
    step = max(1, step // fold) * fold
    for start in range(0, len(samples), step):
        yield slice(start, min(start + step, len(samples)))


def _widened(block, count, contiguous):
    """A block of rows as one of wide rows, and what is left over."""
    fold = _WIDE // count
    if fold < 2 or not contiguous:
        yield block
        return
    whole = len(block) // fold * fold
    if whole:
        yield block[:whole].reshape(-1, fold * count)
    if whole < len(block):
        yield block[whole:]


def _tile(parameter, width):
    return None if parameter is None else np.tile(parameter, width // len(parameter))
