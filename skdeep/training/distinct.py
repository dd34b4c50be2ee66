"""The distinct samples among many, in an order that depends on nothing but them.

L-BFGS follows kinks and flat valleys for many iterations, where a rounding error of the
first one may decide the last. With repeated samples merged and all samples in an order
of their own, the same data give the same bits however they were ordered, repeated or
weighted.
"""

import numpy as np
from scipy.sparse import issparse

# Entries hashed at a time, so that hashing takes little memory.
_BLOCK_ENTRIES = 1 << 18


def distinct_samples(data):
    """Find the distinct samples that have weight.

    Parameters
    ----------
    data : TrainingData
        The samples.

    Returns
    -------
    rows : ndarray of shape (n_distinct,)
        The number of one sample of each kind.

    weight : ndarray of shape (n_distinct,)
        The sum of the weights of each kind.
    """
    rows = np.flatnonzero(data.weight)
    target = data.target.reshape(len(data.target), -1)
    hashes = (_hash_rows(data.x) + _hash_rows(target, seed=1))[rows]
    # equal samples by weight, so that their sum has one order too
    order = np.lexsort((data.weight[rows], hashes))
    rows, hashes = rows[order], hashes[order]
    starts = np.ones(len(rows), dtype=bool)
    for i in np.flatnonzero(hashes[1:] == hashes[:-1]) + 1:
        starts[i] = not _same(data.x, target, rows[i - 1], rows[i])
    starts = np.flatnonzero(starts)
    return rows[starts], np.add.reduceat(data.weight[rows], starts)


def _hash_rows(x, seed=0):
    """A hash of each row: sums of products of integers are exact in any order."""
    generator = np.random.Generator(np.random.Philox(key=[seed, 0]))
    x = x if issparse(x) else x.reshape(len(x), -1)
    n, width = x.shape
    factors = generator.integers(1 << 63, size=width, dtype=np.uint64) * 2 + 1
    hashes = np.zeros(n, dtype=np.uint64)
    if issparse(x):
        owner = np.repeat(np.arange(n), np.diff(x.indptr))
        np.add.at(hashes, owner, _mix(x.data) * factors[x.indices])
        return hashes
    block = max(1, _BLOCK_ENTRIES // max(width, 1))
    for start in range(0, n, block):
        part = np.ascontiguousarray(x[start : start + block])
        hashes[start : start + block] = (_mix(part) * factors).sum(axis=1)
    return hashes


def _mix(values):
    """Spread the bits of numbers: those of round numbers are mostly zeros."""
    bits = np.asarray(values + 0.0, dtype=np.float64).view(np.uint64)
    bits ^= bits >> np.uint64(32)
    bits *= np.uint64(0xD6E8FEB86659FD93)
    bits ^= bits >> np.uint64(32)
    return bits


def _same(x, target, i, j):
    if not np.array_equal(target[i], target[j]):
        return False
    if issparse(x):
        return (x[[i]] != x[[j]]).nnz == 0
    return np.array_equal(x[i], x[j])
