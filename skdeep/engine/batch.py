"""Mini-batches: the training data, and the calls that gather a batch's rows."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, issparse

from skdeep import kernels
from skdeep.engine.program import ROWS, Buffer, Scope
from skdeep.engine.sparse_rows import SparseRows
from skdeep.validation.messages import plain

# What the random numbers of augmentation are for; layers have lower numbers.
_AUGMENTATION = 1 << 48


def as_samples(X, input_shape):
    """X as an array of samples, of their shape or of as many numbers in another one."""
    X = np.asarray(X)
    if math.prod(X.shape[1:]) != math.prod(input_shape):
        raise ValueError(
            f"X has samples of shape {X.shape[1:]}, but the network takes {input_shape}."
        )
    return X.reshape(len(X), *input_shape)


@dataclass(frozen=True)
class OneHot:
    """How numbers of classes become targets, in one column for each class.

    Parameters
    ----------
    n_classes : int
        The columns.

    low, high : float, default=0.0 and 1.0
        What stands in the columns of other classes, and in the class's own.
    """

    n_classes: int
    low: float = 0.0
    high: float = 1.0

    def targets(self, codes, dtype):
        """The targets of classes, of shape (len(codes), n_classes)."""
        out = np.empty((len(codes), self.n_classes), dtype)
        work = np.empty(len(codes), np.int64)
        kernels.one_hot(codes, self.low, self.high, work, out)
        return out


@dataclass(frozen=True)
class TrainingData:
    """Training samples as a network takes them.

    Parameters
    ----------
    x : ndarray of shape (n_samples, ...) or csr_array of shape (n_samples, n_features)
        The inputs.

    target : ndarray of shape (n_samples, n_outputs) or (n_samples,)
        The targets, or with `one_hot` the number of each sample's class.

    weight : ndarray of shape (n_samples,)
        The samples' weights. A program takes them as they are: it wants a mean of 1
        where batches are gathered, and a sum of 1 where all samples are one batch.

    one_hot : OneHot or None, default=None
        How numbers of classes become targets.

    Raises
    ------
    ValueError
        Where there are not as many of each, a class has no column, or sparse inputs have
        an entry in a column that is not there.
    """

    x: object
    target: np.ndarray
    weight: np.ndarray
    one_hot: OneHot | None = None

    def __post_init__(self):
        # once for all steps: kernels take these numbers for places in memory
        lengths = {self.x.shape[0], len(self.target), len(self.weight)}
        if len(lengths) > 1:
            raise ValueError(
                f"There are {self.x.shape[0]} samples, {len(self.target)} targets and "
                f"{len(self.weight)} weights; they must be as many."
            )
        if self.one_hot is not None:
            check_places("classes", self.target, self.one_hot.n_classes)
        if issparse(self.x):
            check_places("columns of x", self.x.indices, self.x.shape[1])
            check_places("row ends of x", self.x.indptr, len(self.x.data) + 1)


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

    one_hot : OneHot or None, default=None
        How numbers of classes become targets, where the targets are numbers of classes.

    augmentation : tuple of Augmentation, default=()
        What changes the inputs of a batch at random, one after the other.
    """

    batch_size: int
    whole: bool
    sparse: bool = False
    one_hot: OneHot | None = None
    augmentation: tuple = ()

    @classmethod
    def of(cls, data, batch_size, whole, augmentation=()):
        """The plan for some training data."""
        if issparse(data.x) and augmentation:
            raise ValueError(
                f"{plain(augmentation[0])!r} changes dense samples only. Pass X.toarray(), "
                "or set augmentation=()."
            )
        return cls(batch_size, whole, issparse(data.x), data.one_hot, tuple(augmentation))

    def no_data(self, input_shape, output_shape, dtype):
        """Training data without samples, for programs that are only printed."""
        return TrainingData(
            csr_array((0, *input_shape)) if self.sparse else np.empty((0, *input_shape)),
            np.empty(0, np.intp) if self.one_hot else np.empty((0, *output_shape)),
            np.empty(0, dtype),
            self.one_hot,
        )


def check_places(name, places, end):
    """Raise a ValueError where numbers are not from 0 to below `end`."""
    if places.size and not 0 <= places.min() <= places.max() < end:
        raise ValueError(
            f"The {name} must be from 0 to {end - 1}, but there are {places.min()} and "
            f"{places.max()}."
        )


def write_batch(calls, training, plan, data, index):
    """Write the calls that gather the rows `index`; return x, target and weight.

    Parameters
    ----------
    calls : Calls
        The program so far.

    training : TrainingStep
        What every part of a training step may read.

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
    scope = Scope("batch", calls, training)
    take = _take_whole if plan.whole else _take_rows
    if plan.sparse:
        x = (_take_whole_sparse if plan.whole else _take_sparse_rows)(
            scope, plan, data.x, index
        )
    else:
        x = take(scope, "x", data.x, index)
    if plan.one_hot:
        code = take(scope, "class", data.target, index)
        target = scope.buffer("target", (ROWS, plan.one_hot.n_classes))
        low, high = plan.one_hot.low, plan.one_hot.high
        scope.call(kernels.one_hot, index=code, low=low, high=high, out=target)
    else:
        target = take(scope, "target", data.target, index)
    weight = take(scope, "weight", data.weight, index, kernels.gather_weights)
    for number, augmentation in enumerate(plan.augmentation):
        inner = Scope(
            f"augmentation_{number + 1}", calls, training, index=_AUGMENTATION + number
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
