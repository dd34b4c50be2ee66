"""What a periodic embedding of numbers adds to a training step.

Run it with: python examples/benchmarks/periodic_embedding.py

The network is one for tables: numbers, `PeriodicEmbedding`, two hidden layers of silu, one
output, with AdamW and decay. Timed are its whole step, the step without the embedding's own
calls, which is the same work otherwise, and the step of a network that takes the numbers as
they are. They take turns; the medians of all rounds are shown.
"""

import argparse
from statistics import median
from time import perf_counter

import numpy as np
from machine import settle, versions
from threadpoolctl import threadpool_limits

from skdeep.engine.batch import BatchPlan, TrainingData
from skdeep.engine.executor import Epoch
from skdeep.engine.network import Network, Settings, StepMemory
from skdeep.engine.program import Program
from skdeep.layers import Activation, Dense, PeriodicEmbedding
from skdeep.losses import SquaredError
from skdeep.optimizers import AdamW

STEPS = 200


def training(front, arguments, dtype):
    """The program of a step of a network, and what an epoch of it needs."""
    hidden = [
        ("dense_1", Dense(arguments.units)),
        ("silu_1", Activation("silu")),
        ("dense_2", Dense(arguments.units)),
        ("silu_2", Activation("silu")),
        ("output", Dense(1)),
    ]
    network = Network(
        [*front, *hidden],
        SquaredError(),
        AdamW(),
        input_shape=(arguments.numbers,),
        dtype=dtype,
        settings=Settings(weight_decay=0.02),
    )
    network.initialize((0, 0))
    rng = np.random.default_rng(0)
    n = 20 * arguments.rows
    data = TrainingData(
        rng.normal(size=(n, arguments.numbers)).astype(dtype),
        rng.normal(size=(n, 1)).astype(dtype),
        np.ones(n, dtype),
    )
    memory = StepMemory(network, (0, 0), arguments.rows)
    plan = BatchPlan.of(data, arguments.rows, whole=False)
    program = network.training_program(plan, data, memory)
    order = rng.integers(0, n, STEPS * arguments.rows)
    rates = np.full(STEPS, 1e-3)
    epoch = Epoch(
        STEPS, None, order, memory.index, memory.step, memory.learning_rate, rates
    )
    return program, epoch


def seconds(program, epoch, rows):
    """A function that tells how long a step of a program takes."""
    bound = program.bind(program.allocate(rows), rows)

    def measure():
        start = perf_counter()
        bound.run_epoch(epoch)
        return (perf_counter() - start) / STEPS

    return measure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--numbers", type=int, default=10)
    parser.add_argument("--rows", type=int, default=128, help="of a batch")
    parser.add_argument("--units", type=int, default=128, help="of a hidden layer")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    arguments = parser.parse_args()
    print(versions("skdeep", "numpy"))
    print(f"{arguments.numbers} numbers, batches of {arguments.rows}; microseconds a step")
    print("type     threads  whole  its calls  share  numbers as they are")
    for dtype in ("float32", "float64"):
        front = [("embedding", PeriodicEmbedding(arguments.numbers))]
        whole, epoch = training(front, arguments, dtype)
        calls = [c for c in whole.calls if "periodic" not in c.kernel.__name__]
        plain = training([], arguments, dtype)
        measures = [
            seconds(program, epoch, arguments.rows)
            for program, epoch in ((whole, epoch), (Program(calls, dtype), epoch), plain)
        ]
        for threads in arguments.threads:
            with threadpool_limits(threads):
                settle()
                rounds = [[one() for one in measures] for _ in range(arguments.rounds)]
            steps, others, as_they_are = (
                1e6 * median(r) for r in zip(*rounds, strict=True)
            )
            print(
                f"{dtype}  {threads:7} {steps:6.0f} {steps - others:10.1f} "
                f"{(steps - others) / steps:6.1%} {as_they_are:20.0f}"
            )


if __name__ == "__main__":
    main()
