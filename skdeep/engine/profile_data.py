"""What a training step is profiled with: a user's data, as training takes them."""

import math

import numpy as np
from scipy.sparse import csr_array, issparse

from skdeep.engine.batch import BatchPlan, TrainingData, as_samples

# Of a network that has not been trained, whose batches nobody has chosen.
_ROWS = 200


def data_to_profile(X, y, batch_size, *, plan, input_shape, output_shape, dtype):
    """X and y as training takes them, and how a batch of them is gathered.

    Parameters
    ----------
    X, y, batch_size
        As for `Network.profile`.

    plan : BatchPlan or None
        That of the last training, if there was one.

    input_shape, output_shape : tuple of int
        Of a sample and of its outputs.

    dtype : dtype
        Of the network's numbers.

    Returns
    -------
    data : TrainingData

    plan : BatchPlan
    """
    if issparse(X):
        x = csr_array(X, dtype=dtype)
    else:
        x = as_samples(X, input_shape)
        x = np.ascontiguousarray(x, x.dtype if x.dtype == np.uint8 else dtype)
    rows = batch_size
    if rows is None:
        rows = min(_ROWS if plan is None else plan.batch_size, x.shape[0])
    if not 0 < rows <= x.shape[0]:
        raise ValueError(
            f"A batch must have from 1 to as many rows as X, {x.shape[0]}; "
            f"batch_size={rows}."
        )
    one_hot = None if plan is None else plan.one_hot
    target = _targets(y, one_hot, output_shape, dtype)
    data = TrainingData(x, target, np.ones(len(target), dtype), one_hot)
    whole = plan is not None and plan.whole and rows == x.shape[0]
    augmentation = () if plan is None else plan.augmentation
    return data, BatchPlan.of(data, rows, whole, augmentation)


def _targets(y, one_hot, shape, dtype):
    y = np.asarray(y)
    if one_hot is not None or y.dtype.kind not in "buif":  # in the order of labels
        y = np.unique(y, return_inverse=True)[1].reshape(y.shape)
    if one_hot is not None:
        return y
    if math.prod(y.shape[1:]) != math.prod(shape):
        raise ValueError(
            f"y has targets of shape {y.shape[1:]}, but the outputs of the network are of "
            f"shape {shape}."
        )
    return np.ascontiguousarray(y, dtype).reshape(len(y), *shape)
