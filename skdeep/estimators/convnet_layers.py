"""The layers of a convolutional network, from its hyperparameters."""

import numpy as np

from skdeep.estimators.mlp import hidden_sizes
from skdeep.initializers import get_initializer
from skdeep.layers import (
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool,
    Rescaling,
    SpatialDropout,
)
from skdeep.layers.activation import activation_layers, activation_name
from skdeep.validation.messages import plain

#: The layers that `pool` and `global_pool` name.
POOLS = {"max": MaxPool, "average": AveragePool}
GLOBAL_POOLS = {"max": GlobalMaxPool, "average": GlobalAveragePool}


def convolutional_network(estimator, n_outputs, input_shape, holds_bytes):
    """The (name, layer) pairs of a convolutional network, from its hyperparameters.

    Parameters
    ----------
    estimator : ConvNetClassifier or ConvNetRegressor
        Has the hyperparameters.

    n_outputs : int
        The units of the last layer.

    input_shape : tuple of int
        The shape of a sample, channels last.

    holds_bytes : bool
        Whether inputs are bytes, which the first layer brings to [0, 1].

    Returns
    -------
    layers : list of (str, Layer)
    """
    filters = _counts("filters", estimator.filters)
    sizes = hidden_sizes(estimator.hidden_layer_sizes)
    blocks, hidden, last = _dropout_rates(estimator.dropout, len(filters), len(sizes))
    initializer = get_initializer(
        estimator.kernel_initializer, activation_name(estimator.activation)
    )

    layers = []
    if holds_bytes:
        layers.append(("rescaling", Rescaling()))
    if estimator.input_dropout:
        layers.append(("input_dropout", Dropout(estimator.input_dropout)))
    for number, (count, rate) in enumerate(zip(filters, blocks, strict=True), 1):
        convolution = Conv(
            count,
            estimator.kernel_size,
            estimator.strides,
            estimator.padding,
            use_bias=not estimator.batch_norm,
            kernel_initializer=initializer,
        )
        layers.append((f"conv_{number}", convolution))
        layers += _normalized_activation(estimator, number)
        if estimator.pool is not None:
            # "same": an axis of one place may be pooled too
            pool = POOLS[estimator.pool](estimator.pool_size, padding="same")
            layers.append((f"{estimator.pool}_pool_{number}", pool))
        if rate:
            layers.append((f"dropout_{number}", SpatialDropout(rate)))
    if estimator.global_pool is None:
        layers.append(("flatten", Flatten()))
    else:
        name = f"global_{estimator.global_pool}_pool"
        layers.append((name, GLOBAL_POOLS[estimator.global_pool]()))
    for number, (units, rate) in enumerate(
        zip(sizes, hidden, strict=True), len(filters) + 1
    ):
        dense = Dense(
            units, use_bias=not estimator.batch_norm, kernel_initializer=initializer
        )
        layers.append((f"dense_{number}", dense))
        layers += _normalized_activation(estimator, number)
        if rate:
            layers.append((f"dropout_{number}", Dropout(rate)))
    if last:
        layers.append(("dropout", Dropout(last)))
    initializer = get_initializer(estimator.kernel_initializer, "identity")
    layers.append(("output", Dense(n_outputs, kernel_initializer=initializer)))
    return layers


def _counts(name, values):
    counts = np.ravel(values).tolist()
    if any(count != int(count) or count < 1 for count in counts):
        raise ValueError(f"{name} must be whole numbers above 0. Got {plain(values)!r}.")
    return [int(count) for count in counts]


def _dropout_rates(dropout, n_blocks, n_hidden):
    """The rates of the blocks, of the hidden dense layers, and before the output.

    One rate is for the hidden dense layers, or without any for the output layer's input.
    """
    if np.ndim(dropout) == 0:
        rate = float(dropout)
        return [0.0] * n_blocks, [rate] * n_hidden, 0.0 if n_hidden else rate
    rates = [float(rate) for rate in dropout]
    if len(rates) != n_blocks + n_hidden:
        raise ValueError(
            f"dropout must be one rate, or one for each of {n_blocks} blocks and "
            f"{n_hidden} hidden layers. Got {len(rates)}: {plain(dropout)!r}."
        )
    if not all(0 <= rate < 1 for rate in rates):
        raise ValueError(f"Dropout rates must be in [0, 1). Got {plain(dropout)!r}.")
    return rates[:n_blocks], rates[n_blocks:], 0.0


def _normalized_activation(estimator, number):
    norm = [(f"batch_norm_{number}", BatchNorm())] if estimator.batch_norm else []
    return norm + activation_layers(estimator.activation, number)
