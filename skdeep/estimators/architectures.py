"""The architectures of convolutional networks: what a stage is, and what is usual for each.

A new one is a function that makes the layers of a stage, and an entry of `ARCHITECTURES`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skdeep.initializers import Identity, Initializer, get_initializer
from skdeep.layers import AveragePool, BatchNorm, Conv, Layer, MaxPool, Residual
from skdeep.layers.activation import activation_layers, activation_name

#: The layers that `pool` names.
POOLS = {"max": MaxPool, "average": AveragePool}

Layers = list[tuple[str, Layer]]


class StageParts:
    """The kinds of layers that stages are made of, as hyperparameters say.

    Parameters
    ----------
    estimator : ConvNetClassifier or ConvNetRegressor
        Has the hyperparameters.
    """

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self.batch_norm = _batch_norm(chosen(estimator, "batch_norm"))
        self.block_depth = int(estimator.block_depth)
        self.pools_largest = estimator.pool == "max"
        self.chooses_initializer = estimator.kernel_initializer == "auto"
        self.initializer = get_initializer(
            estimator.kernel_initializer, activation_name(estimator.activation)
        )

    def convolution(self, filters: int, initializer: Initializer, **window: Any) -> Conv:
        """A convolution, over the estimator's windows unless others are given."""
        names = ("strides", "padding")
        window = {name: getattr(self._estimator, name) for name in names} | window
        return Conv(
            filters,
            self._estimator.kernel_size,
            **window,
            use_bias=self.batch_norm is None,
            kernel_initializer=initializer,
        )

    def activated(self, number: int) -> Layers:
        """Batch normalization, if there is any, and the activation."""
        norm = self.batch_norm
        first = [] if norm is None else [(f"batch_norm_{number}", norm)]
        return first + activation_layers(self._estimator.activation, number)

    def pooled(self, number: int) -> Layers:
        pool = self._estimator.pool
        if pool is None:
            return []
        # "same": an axis of one place may be pooled too
        layer = POOLS[pool](self._estimator.pool_size, padding="same")
        return [(f"{pool}_pool_{number}", layer)]


def plain_stage(parts: StageParts, number: int, filters: int, blocks: int) -> Layers:
    """A convolution, its activation, and pooling.

    The largest of some numbers comes before an activation: where that never falls, as ReLU,
    the order makes no difference, and it then acts on a quarter of the numbers.
    """
    convolution = (f"conv_{number}", parts.convolution(filters, parts.initializer))
    activated, pooled = parts.activated(number), parts.pooled(number)
    if parts.pools_largest:
        return [convolution, *pooled, *activated]
    return [convolution, *activated, *pooled]


def residual_stage(parts: StageParts, number: int, filters: int, blocks: int) -> Layers:
    """A convolution that pools, then residual blocks of as many filters.

    Pooling comes before what acts on each number: it leaves a quarter of them.
    """
    first = Identity() if parts.chooses_initializer else parts.initializer
    layers = [
        (f"conv_{number}", parts.convolution(filters, first)),
        *parts.pooled(number),
        *parts.activated(number),
    ]
    for block in range(1, blocks + 1):
        inner: Layers = []
        for depth in range(1, parts.block_depth + 1):
            convolution = parts.convolution(
                filters, parts.initializer, strides=1, padding="same"
            )
            inner += [(f"conv_{depth}", convolution), *parts.activated(depth)]
        layers.append((f"residual_{number}_{block}", Residual(inner)))
    return layers


@dataclass(frozen=True)
class Architecture:
    """An architecture, and the hyperparameters that ``"auto"`` stands for.

    Parameters
    ----------
    stage : callable
        Makes the layers of a stage, of its parts, its number, its filters and its number
        of blocks.

    filters, hidden_layer_sizes, global_pool, batch_norm
        As for `ConvNetClassifier`.
    """

    stage: Callable[[StageParts, int, int, int], Layers]
    filters: tuple[int, ...]
    hidden_layer_sizes: tuple[int, ...]
    global_pool: str | None
    batch_norm: bool


#: By name.
ARCHITECTURES = {
    "plain": Architecture(plain_stage, (32, 64), (128,), None, batch_norm=False),
    "resnet": Architecture(residual_stage, (64, 128, 256), (), "max", batch_norm=True),
}


def chosen(estimator: Any, name: str) -> Any:
    """A hyperparameter, or where it is ``"auto"`` what is usual for the architecture."""
    value = getattr(estimator, name)
    if isinstance(value, str) and value == "auto":
        return getattr(ARCHITECTURES[estimator.architecture], name)
    return value


def _batch_norm(batch_norm: bool | BatchNorm) -> BatchNorm | None:
    if isinstance(batch_norm, BatchNorm):
        batch_norm._validate_params()
        return batch_norm
    return BatchNorm() if batch_norm else None
