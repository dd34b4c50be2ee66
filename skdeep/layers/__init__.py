"""Layers: small immutable descriptions that write kernel calls."""

from skdeep.layers import activation
from skdeep.layers.activation import *
from skdeep.layers.convolution import Conv
from skdeep.layers.dense import Dense
from skdeep.layers.dropout import Dropout, SpatialDropout
from skdeep.layers.embedding import Embedding, PeriodicEmbedding
from skdeep.layers.layer import Layer, Parameter, State
from skdeep.layers.normalization import BatchNorm, LayerNorm
from skdeep.layers.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool
from skdeep.layers.prelu import PReLU
from skdeep.layers.rescaling import Rescaling
from skdeep.layers.residual import Residual
from skdeep.layers.shape import Flatten, Reshape

__all__ = [
    *activation.__all__,
    "AveragePool",
    "BatchNorm",
    "Conv",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Layer",
    "LayerNorm",
    "MaxPool",
    "PReLU",
    "Parameter",
    "PeriodicEmbedding",
    "Rescaling",
    "Reshape",
    "Residual",
    "SpatialDropout",
    "State",
]
