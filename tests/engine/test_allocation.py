"""A training step allocates nothing but NumPy's own small buffers, and keeps nothing."""

import tracemalloc

import numpy as np
import pytest

from skdeep.averaging import ExponentialMovingAverage
from skdeep.engine.batch import BatchPlan, TrainingData
from skdeep.engine.network import Network, Settings, StepMemory
from skdeep.engine.program import ROWS, Buffer, Program
from skdeep.engine.threads import threads
from skdeep.layers import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    Embedding,
    PeriodicEmbedding,
)
from skdeep.layers.activation import ACTIVATIONS
from skdeep.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES, SquaredError
from skdeep.optimizers import OPTIMIZERS, SGD, RMSProp

N = 200
# one column of a batch takes 1600 bytes, the hidden layer's activations 160 kB
LIMIT = 8000

LOSSES = {
    f"{name}-{kind}": loss.resolve(kind)
    for name, loss in CLASSIFICATION_LOSSES.items()
    for kind in ("multiclass", "multilabel-indicator")
} | REGRESSION_LOSSES


def peaks(program, memory=None):
    """The most memory that each call of a program takes while it runs, in bytes."""
    arrays = program.allocate(N)
    if memory is not None:
        memory.step[0], memory.learning_rate[0] = 1, 1e-3
        memory.index[...] = np.arange(len(memory.index))
    bounds = [
        (call.kernel.__name__, Program([call], program.dtype).bind(arrays, N))
        for call in program.calls
    ]
    found = {}
    with threads(1e9):
        program.bind(arrays, N).run()
        tracemalloc.start()
        try:
            for name, bound in bounds:
                tracemalloc.reset_peak()
                before, _ = tracemalloc.get_traced_memory()
                bound.run()
                after, peak = tracemalloc.get_traced_memory()
                found[name] = max(found.get(name, 0), peak - before)
                assert after - before < 500, f"{name} keeps {after - before} bytes"
        finally:
            tracemalloc.stop()
    return found


def step_peaks(activation="relu", loss=None, optimizer=None, whole=False, front=()):
    layers = [
        *front,
        ("hidden", Dense(100)),
        ("norm", BatchNorm()),
        ("activation", Activation(activation)),
        ("drop", Dropout(0.2)),
        ("second", Dense(100)),
        ("again", Activation(activation)),
        ("output", Dense(10)),
    ]
    network = Network(
        layers,
        loss or SquaredError(),
        optimizer or SGD(),
        input_shape=(10,),
        dtype=np.float64,
        settings=Settings(
            weight_decay=1e-4,
            l1_penalty=1e-4,
            max_norm=2.0,
            gradient_clip_norm=1.0,
            gradient_clip_value=1.0,
            weight_averaging=ExponentialMovingAverage(),
        ),
    )
    network.initialize((1, 2))
    generator = np.random.default_rng(0)
    x, target = generator.normal(size=(N, 10)), np.eye(10)[generator.integers(10, size=N)]
    data = TrainingData(x, target, np.ones(N))
    memory = StepMemory(network, (1, 2), 0 if whole else N)
    plan = BatchPlan.of(data, N, whole)
    return peaks(network.training_program(plan, data, memory), memory)


def assert_small(found):
    assert {name: size for name, size in found.items() if size >= LIMIT} == {}


@pytest.mark.parametrize("whole", [False, True])
def test_a_training_step_allocates_no_arrays(whole):
    found = step_peaks(whole=whole)
    assert {"dense_forward", "limit_unit_norms", "update_moving_average"} <= set(found)
    assert_small(found)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activations_allocate_no_arrays(activation):
    assert_small(step_peaks(activation=activation))


def test_embeddings_allocate_no_arrays():
    # the dense layer in front makes the gradient of the inputs count
    front = [
        ("columns", Dense(10)),
        ("waves", PeriodicEmbedding(8)),
        ("categories", Embedding((5, 5))),
    ]
    found = step_peaks(front=front)
    assert {"periodic_embedding_backward_input", "embedding_backward_input"} <= set(found)
    assert_small(found)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses_allocate_no_arrays(name):
    assert_small(step_peaks(loss=LOSSES[name]))


OPTIMIZER_VARIANTS = OPTIMIZERS | {
    "rmsprop_momentum": RMSProp(momentum=0.9),
    "rmsprop_centered": RMSProp(centered=True),
}


@pytest.mark.parametrize("name", sorted(OPTIMIZER_VARIANTS.keys() - {"lbfgs"}))
def test_optimizers_allocate_no_arrays(name):
    assert_small(step_peaks(optimizer=OPTIMIZER_VARIANTS[name]))


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_prediction_allocates_no_arrays(activation):
    layers = [
        ("hidden", Dense(100)),
        ("norm", BatchNorm()),
        ("activation", Activation(activation)),
        ("output", Dense(10)),
    ]
    network = Network(layers, SquaredError(), SGD(), input_shape=(10,), dtype=np.float64)
    network.initialize((1, 2))
    program, _ = network._inference_program(Buffer("x", (ROWS, 10)))
    assert_small(peaks(program))
