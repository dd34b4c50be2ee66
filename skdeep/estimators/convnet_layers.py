"""The layers of a convolutional network, from its hyperparameters."""

import numpy as np

from skdeep.estimators.architectures import ARCHITECTURES, StageParts, chosen
from skdeep.estimators.mlp import hidden_sizes
from skdeep.initializers import get_initializer
from skdeep.layers import (
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    Rescaling,
    SpatialDropout,
)
from skdeep.layers.activation import activation_layers
from skdeep.validation.messages import plain

#: The layers that `global_pool` names.
GLOBAL_POOLS = {"max": GlobalMaxPool, "average": GlobalAveragePool}


def convolutional_network(estimator, n_outputs, inputs):
    """The (name, layer) pairs of a convolutional network, from its hyperparameters.

    Parameters
    ----------
    estimator : ConvNetClassifier or ConvNetRegressor
        Has the hyperparameters.

    n_outputs : int
        The units of the last layer.

    inputs : Images
        What was learned of X.

    Returns
    -------
    layers : list of (str, Layer)
    """
    filters = _counts("filters", chosen(estimator, "filters"))
    sizes = hidden_sizes(chosen(estimator, "hidden_layer_sizes"))
    stages, hidden, last = _dropout_rates(estimator.dropout, len(filters), len(sizes))
    blocks = _blocks(estimator.blocks_per_stage, len(filters))
    parts = StageParts(estimator)

    layers = _first_layers(estimator, inputs)
    stage = ARCHITECTURES[estimator.architecture].stage
    for number, (count, n_blocks, rate) in enumerate(
        zip(filters, blocks, stages, strict=True), 1
    ):
        layers += stage(parts, number, count, n_blocks)
        if rate:
            layers.append((f"dropout_{number}", SpatialDropout(rate)))
    global_pool = chosen(estimator, "global_pool")
    if global_pool is None:
        layers.append(("flatten", Flatten()))
    else:
        layers.append((f"global_{global_pool}_pool", GLOBAL_POOLS[global_pool]()))
    for number, (units, rate) in enumerate(
        zip(sizes, hidden, strict=True), len(filters) + 1
    ):
        dense = Dense(
            units,
            use_bias=parts.batch_norm is None,
            kernel_initializer=parts.initializer,
        )
        layers += [(f"dense_{number}", dense), *parts.activated(number)]
        if rate:
            layers.append((f"dropout_{number}", Dropout(rate)))
    if last:
        layers.append(("dropout", Dropout(last)))
    if estimator.output_scale != 1:
        layers.append(("output_scale", Rescaling(estimator.output_scale)))
    initializer = get_initializer(estimator.kernel_initializer, "identity")
    layers.append(("output", Dense(n_outputs, kernel_initializer=initializer)))
    return layers


def _first_layers(estimator, inputs):
    """What comes before the stages."""
    if estimator.whitening != inputs.whitening:
        raise ValueError(
            f"whitening was {plain(inputs.whitening)!r} in the last fit, and is "
            f"{plain(estimator.whitening)!r} now, so training cannot go on from it. Set "
            "warm_start=False to start anew."
        )
    layers = [("rescaling", Rescaling())] if inputs.holds_bytes else []
    if estimator.input_dropout:
        layers.append(("input_dropout", Dropout(estimator.input_dropout)))
    if inputs.whitening_layer is not None:
        layers.append(("whitening", inputs.whitening_layer))
        layers += activation_layers(estimator.activation, 0)
    return layers


def _counts(name, values):
    counts = np.ravel(values).tolist()
    if any(count != int(count) or count < 1 for count in counts):
        raise ValueError(f"{name} must be whole numbers above 0. Got {plain(values)!r}.")
    return [int(count) for count in counts]


def _blocks(blocks_per_stage, n_stages):
    """The residual blocks of each stage."""
    if np.ndim(blocks_per_stage) == 0:
        return [int(blocks_per_stage)] * n_stages
    counts = np.ravel(blocks_per_stage).tolist()
    if len(counts) != n_stages or any(n != int(n) or n < 0 for n in counts):
        raise ValueError(
            "blocks_per_stage must be one whole number from 0 on, or one for each of the "
            f"{n_stages} stages that there are filters for. Got "
            f"{plain(blocks_per_stage)!r}."
        )
    return [int(n) for n in counts]


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
