"""Estimators of images pass scikit-learn's own checks on tables, in several stacks."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep import (
    ConvNetClassifier,
    ConvNetRegressor,
    SequentialClassifier,
    SequentialRegressor,
)
from skdeep.layers import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    LayerNorm,
    PeriodicEmbedding,
    Residual,
)

SHARED = {"max_iter": 60, "learning_rate": 0.005}
CONVNETS = [
    {},
    {"filters": 8, "batch_norm": True, "kernel_size": 5, "strides": 2, **SHARED},
    {"filters": 6, "hidden_layer_sizes": (), "pool": "average", "optimizer": "lbfgs"},
    {"filters": (8, 8), "architecture": "resnet", "whitening": 1, **SHARED},
]
RESIDUAL = Residual([Activation("relu"), BatchNorm(), Dense(16)])
STACKS = [
    None,
    (Conv(8, 2), Activation("tanh"), AveragePool(2, padding="same"), Flatten(), Dense(8)),
    [("wide", Dense(16)), ("norm", LayerNorm()), ("block", RESIDUAL)],
    [PeriodicEmbedding(sigma=0.2), Dense(16), Activation("silu")],
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [kind(**c) for kind in (ConvNetClassifier, ConvNetRegressor) for c in CONVNETS]
    + [
        kind(layers, learning_rate="auto" if layers is None else 0.005)
        for kind in (SequentialClassifier, SequentialRegressor)
        for layers in STACKS
    ]
)
def test_architecture_passes_every_check(estimator, check):
    check(estimator)
