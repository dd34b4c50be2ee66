"""Mini-batches: the training data, and the calls that gather a batch's rows."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, issparse

from skdeep import kernels
from skdeep.layers.sparse_input import SparseRows
from skdeep.program import ROWS, Buffer, Scope

# What the random numbers of augmentation are for; layers have lower numbers.
_AUGMENTATION = 1 << 48


@dataclass(frozen=True)
class TrainingData:
    """Training samples as a network takes them.

    Parameters
    ----------
    x : ndarray of shape (n_samples, ...) or csr_array of shape (n_samples, n_features)
        The inputs.

    target : ndarray of shape (n_samples, n_outputs) or (n_samples,)
        The targets, or with a `table` the number of each sample's row in it.

    weight : ndarray of shape (n_samples,)
        The samples' weights. A program takes them as they are: it wants a mean of 1
        where batches are gathered, and a sum of 1 where all samples are one batch.

    table : ndarray of shape (n_classes, n_outputs) or None, default=None
        The target of each class.

    Raises
    ------
    ValueError
        Where there are not as many of each, a class is not in the table, or sparse inputs
        have an entry in a column that is not there.
    """

    x: object
    target: np.ndarray
    weight: np.ndarray
    table: np.ndarray | None = None

    def __post_init__(self):
        # once for all steps: kernels take these numbers for places in memory
        lengths = {self.x.shape[0], len(self.target), len(self.weight)}
        if len(lengths) > 1:
            raise ValueError(
                f"There are {self.x.shape[0]} samples, {len(self.target)} targets and "
                f"{len(self.weight)} weights; they must be as many."
            )
        if self.table is not None:
            check_places("classes", self.target, len(self.table))
        if issparse(self.x):
            check_places("columns of x", self.x.indices, self.x.shape[1])
            check_places("row ends of x", self.x.indptr, len(self.x.data) + 1)

    def targets(self):
        """The targets as a matrix of shape (n_samples, n_outputs)."""
        return self.target if self.table is None else self.table[self.target]


@dataclass(frozen=True)
class BatchPlan:
    """What decides the calls that gather a batch.

    Parameters
    ----------
    batch_size : int
        The rows of a full batch.

    whole : bool
        Whether a batch is all samples, taken as they are instead of gathered.

    sparse : bool, default=False
        Whether the inputs are sparse.

    n_classes : int, default=0
        With targets that are numbers of classes, how many there are; else 0.

    augmentation : tuple of Augmentation, default=()
        What changes the inputs of a batch at random, one after the other.
    """

    batch_size: int
    whole: bool
    sparse: bool = False
    n_classes: int = 0
    augmentation: tuple = ()

    @classmethod
    def of(cls, data, batch_size, whole, augmentation=()):
        """The plan for some training data."""
        if issparse(data.x) and augmentation:
            raise ValueError(
                f"{augmentation[0]!r} changes dense samples only. Pass X.toarray(), or set "
                "augmentation=()."
            )
        n_classes = 0 if data.table is None else len(data.table)
        return cls(batch_size, whole, issparse(data.x), n_classes, tuple(augmentation))

    def no_data(self, input_shape, output_shape, dtype):
        """Training data without samples, for programs that are only printed."""
        table = np.empty((self.n_classes, *output_shape), dtype)
        return TrainingData(
            csr_array((0, *input_shape)) if self.sparse else np.empty((0, *input_shape)),
            np.empty(0, np.intp) if self.n_classes else np.empty((0, *output_shape)),
            np.empty(0, dtype),
            table if self.n_classes else None,
        )


def check_places(name, places, end):
    """Raise a ValueError where numbers are not from 0 to below `end`."""
    if places.size and not 0 <= places.min() <= places.max() < end:
        raise ValueError(
            f"The {name} must be from 0 to {end - 1}, but there are {places.min()} and "
            f"{places.max()}."
        )


def write_batch(calls, shared, plan, data, index):
    """Write the calls that gather the rows `index`; return x, target and weight.

    Parameters
    ----------
    calls : list of Call
        The program so far.

    shared : dict of str to Buffer or number
        What every part of the program may read.

    plan : BatchPlan
        How to gather.

    data : TrainingData
        Where from.

    index : Buffer
        The numbers of the rows.

    Returns
    -------
    x : Buffer or SparseRows
    target, weight : Buffer
    """
    scope = Scope("batch", calls, shared)
    take = _take_whole if plan.whole else _take_rows
    if plan.sparse:
        x = (_take_whole_sparse if plan.whole else _take_sparse_rows)(
            scope, plan, data.x, index
        )
    else:
        x = take(scope, "x", data.x, index)
    if plan.n_classes:
        code = take(scope, "class", data.target, index)
        target = scope.buffer("target", (ROWS, *data.table.shape[1:]))
        classes = Buffer("classes", data.table.shape, array=data.table)
        scope.call(kernels.gather_rows, source=classes, index=code, out=target)
    else:
        target = take(scope, "target", data.target, index)
    weight = take(scope, "weight", data.weight, index, kernels.gather_weights)
    for number, augmentation in enumerate(plan.augmentation):
        inner = Scope(
            f"augmentation_{number + 1}", calls, shared, index=_AUGMENTATION + number
        )
        x, target = augmentation.write(inner, x, target)
    return x, target, weight


def _take_whole(scope, name, source, index, kernel=None):
    whole = Buffer(name, (ROWS, *source.shape[1:]), source.dtype, source)
    if source.dtype != np.uint8:
        return whole
    out = scope.buffer(name, whole.shape)
    scope.call(kernels.rescale, x=whole, scale=1.0, offset=0.0, out=out)
    return out


def _take_rows(scope, name, source, index, kernel=kernels.gather_rows):
    # bytes become floating-point numbers here, and only those of the batch
    dtype = None if source.dtype == np.uint8 else source.dtype
    out = scope.buffer(name, (ROWS, *source.shape[1:]), dtype)
    every = Buffer(f"all.{name}", ("n", *source.shape[1:]), array=source)
    scope.call(kernel, source=every, index=index, out=out)
    return out


def _take_whole_sparse(scope, plan, x, index):
    return SparseRows(
        Buffer("x.values", x.data.shape, array=x.data),
        Buffer("x.columns", x.indices.shape, array=x.indices),
        Buffer("x.row_end", (ROWS,), array=x.indptr[1:]),
    )


def _take_sparse_rows(scope, plan, x, index):
    # room for the batch with the most entries
    lengths = np.sort(np.diff(x.indptr))[::-1]
    capacity = int(lengths[: plan.batch_size].sum())
    batch = SparseRows(
        scope.buffer("x.values", (capacity,), x.data.dtype),
        scope.buffer("x.columns", (capacity,), x.indices.dtype),
        scope.buffer("x.row_end", (ROWS,), x.indptr.dtype),
    )
    scope.call(
        kernels.gather_sparse_rows,
        values=Buffer("all.x.values", ("nnz",), array=x.data),
        columns=Buffer("all.x.columns", ("nnz",), array=x.indices),
        row_end=Buffer("all.x.row_end", ("n",), array=x.indptr[1:]),
        index=index,
        values_out=batch.values,
        columns_out=batch.columns,
        row_end_out=batch.row_end,
    )
    return batch
