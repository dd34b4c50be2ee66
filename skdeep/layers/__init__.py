"""Layers: small immutable descriptions that write kernel calls."""

from skdeep.layers.activation import Activation
from skdeep.layers.dense import Dense
from skdeep.layers.dropout import Dropout
from skdeep.layers.layer import Layer, Parameter, State
from skdeep.layers.normalization import BatchNormalization

__all__ = [
    "Activation",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Layer",
    "Parameter",
    "State",
]
