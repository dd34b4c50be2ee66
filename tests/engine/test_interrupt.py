"""A long step answers an interrupt in its middle, and lets no thread work on."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from skdeep.engine.batch import BatchPlan, TrainingData
from skdeep.engine.network import Network, StepMemory
from skdeep.layers import Dense
from skdeep.losses import SquaredError
from skdeep.optimizers import SGD

WIDTH, DEPTH, ROWS = 1536, 8, 384


@pytest.fixture(scope="module")
def step():
    """One step of a deep network on a batch, bound."""
    layers = [(f"dense_{i}", Dense(WIDTH)) for i in range(DEPTH)]
    network = Network(layers, SquaredError(), SGD(), input_shape=(WIDTH,), dtype=np.float32)
    x = np.ones((ROWS, WIDTH), np.float32)
    data = TrainingData(x, x, np.full(ROWS, 1 / ROWS, np.float32))
    memory = StepMemory(network, (0, 0), 0)
    memory.step[0] = 1
    plan = BatchPlan.of(data, ROWS, whole=True)
    program = network.training_program(plan, data, memory)
    return program.bind(program.allocate(ROWS), ROWS)


def seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@pytest.mark.parametrize("threads", [1, 2])
def test_a_long_step_is_left_in_its_middle(step, threads):
    with threadpool_limits(threads), step.session():
        step.run()
        whole = min(seconds(step.run) for _ in range(2))
        answers = [answer(step, share * whole) for share in (0.1, 0.3, 0.5)]
    # it looks for interrupts every 0.05 s, after an operation of some milliseconds
    assert np.median(answers) < 0.1 + 0.1 * whole


def answer(step, delay):
    """How long after an interrupt a step ends."""
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(delay, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in range(100):
            step.run()
    timer.join()
    return time.perf_counter() - sent[0]
