"""Threads change how long a program takes, and never its result."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from scipy.sparse import random_array
from threadpoolctl import threadpool_info, threadpool_limits

from skdeep import kernels
from skdeep.engine import threads as threads_module
from skdeep.engine.batch import BatchPlan, TrainingData
from skdeep.engine.network import Network, Settings, StepMemory
from skdeep.engine.program import Buffer, Calls, Program, Scope
from skdeep.engine.threads import CUT_FLOPS, run_pieces, threads
from skdeep.layers import Activation, Dense
from skdeep.losses import SquaredError
from skdeep.optimizers import Adam

MANY_FLOPS = 10 * CUT_FLOPS
# A BLAS with more threads than cores works too, so two are tested everywhere.
thread_counts = pytest.mark.parametrize("n_threads", [1, 2])


def blas_threads():
    return [
        library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]


# --- results ----------------------------------------------------------------------


def product(name, *, rows=400, n_in=300, n_out=200):
    """A program of one product that is cut, and its output."""
    generator = np.random.default_rng(0)
    arrays = {
        "x": generator.normal(size=(rows, n_in)),
        "kernel": generator.normal(size=(n_in, n_out)),
        "bias": generator.normal(size=n_out),
        "d_out": generator.normal(size=(rows, n_out)),
        "out": np.empty((rows, n_out)),
        "d_x": np.empty((rows, n_in)),
        "d_kernel": np.empty((n_in, n_out)),
    }
    kernel = getattr(kernels, name)
    calls = Calls()
    Scope("", calls).call(
        kernel,
        **{
            key: Buffer(key, arrays[key].shape, array=arrays[key])
            for key in kernel.arguments
        },
    )
    program = Program(calls, np.float64)
    (written,) = kernel.writes
    return program.bind(program.allocate(rows), rows), arrays, arrays[written]


PRODUCTS = {
    "dense_forward": lambda a: a["x"] @ a["kernel"] + a["bias"],
    "dense_backward_kernel": lambda a: a["x"].T @ a["d_out"],
    "dense_backward_input": lambda a: a["d_out"] @ a["kernel"].T,
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_bitwise_the_same_for_one_and_two_threads(name):
    results = []
    for n_threads in (1, 2):
        bound, arrays, out = product(name)
        assert bound.flops > CUT_FLOPS
        with threadpool_limits(n_threads), threads(bound.flops):
            bound.run()
        results.append(out)
    np.testing.assert_array_equal(*results)
    np.testing.assert_allclose(out, PRODUCTS[name](arrays), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rows", [97, 192, 193, 400, 1001])
def test_a_product_writes_every_row(rows):
    bound, arrays, out = product("dense_forward", rows=rows, n_in=700, n_out=500)
    out[...] = np.nan
    bound.run()
    np.testing.assert_allclose(out, PRODUCTS["dense_forward"](arrays), rtol=1e-9, atol=1e-9)


def train(x, units, batch_size, n_threads, **settings):
    layers = [("a", Dense(units)), ("b", Activation("tanh")), ("c", Dense(1))]
    network = Network(
        layers,
        SquaredError(),
        Adam(),
        input_shape=(x.shape[1],),
        dtype=np.float64,
        settings=Settings(**settings),
    )
    network.initialize((1, 2))
    target = np.random.default_rng(1).normal(size=(x.shape[0], 1))
    data = TrainingData(x, target, np.ones(x.shape[0]))
    memory = StepMemory(network, (1, 2), batch_size)
    memory.learning_rate[0] = 0.01
    plan = BatchPlan.of(data, batch_size, whole=False)
    program = network.training_program(plan, data, memory)
    bound = program.bind(program.allocate(batch_size), batch_size)
    with threadpool_limits(n_threads), threads(bound.flops):
        for step in range(5):
            memory.step[0] = step + 1
            memory.index[...] = (step * batch_size + np.arange(batch_size)) % len(target)
            bound.run()
    return network.parameters


@pytest.mark.parametrize("batch_size", [1, 200])
@pytest.mark.parametrize("sparse", [False, True])
def test_training_gives_the_same_bits_for_one_and_two_threads(batch_size, sparse):
    """For large steps, and for small ones on more parameters than a BLAS cuts at."""
    if sparse:
        x = random_array((200, 1000), density=0.03, rng=0, format="csr")
    else:
        x = np.random.default_rng(0).normal(size=(200, 150))
    one, two = (
        train(x, 120, batch_size, n, weight_decay=1e-3, gradient_clip_norm=0.1)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


# --- the limit on the BLAS --------------------------------------------------------


@thread_counts
def test_programs_hold_the_blas_at_one_thread_and_give_it_back(n_threads):
    with threadpool_limits(n_threads):
        before = blas_threads()
        with threads(MANY_FLOPS):
            assert set(blas_threads()) == {1}
        assert blas_threads() == before == [n_threads] * len(before)


def test_the_blas_is_given_back_after_an_exception():
    with threadpool_limits(2):
        before = blas_threads()
        with pytest.raises(ZeroDivisionError), threads(MANY_FLOPS):
            raise ZeroDivisionError
        assert blas_threads() == before
        # and it is held again the next time
        with threads(MANY_FLOPS):
            assert set(blas_threads()) == {1}


def test_the_blas_is_given_back_when_the_last_of_several_threads_is_done():
    inside, leaving = Barrier(4), Barrier(4)
    limits = []

    def leave_first():
        with threads(MANY_FLOPS):
            inside.wait(30)
            limits.append(set(blas_threads()))
        limits.append(set(blas_threads()))
        leaving.wait(30)

    def leave_later():
        with threads(MANY_FLOPS):
            inside.wait(30)
            leaving.wait(30)
            limits.append(set(blas_threads()))

    with threadpool_limits(2):
        before = blas_threads()
        with ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(leave_first)]
            futures += [pool.submit(leave_later) for _ in range(3)]
            for future in futures:
                future.result()
        assert blas_threads() == before
    assert limits == [{1}] * 5


def test_programs_may_run_in_several_python_threads_at_once():
    def run(name):
        bound, _, out = product(name)
        with threads(bound.flops):
            for _ in range(3):
                bound.run()
        return out

    with threadpool_limits(2):
        before = blas_threads()
        expected = [run(name) for name in PRODUCTS]
        with ThreadPoolExecutor(3) as pool:
            results = list(pool.map(run, PRODUCTS))
        assert blas_threads() == before
    for out, alone in zip(results, expected, strict=True):
        np.testing.assert_array_equal(out, alone)


# --- workers ----------------------------------------------------------------------


def test_pieces_run_on_the_workers_and_all_of_them_once():
    done = []
    pieces = [[(done.append, (i,)), (done.append, (-i,))] for i in range(1, 8)]
    with threadpool_limits(2), threads(MANY_FLOPS):
        run_pieces(pieces)
    assert sorted(done) == sorted([*range(1, 8), *range(-7, 0)])
    # within a piece, in order
    assert all(done.index(i) < done.index(-i) for i in range(1, 8))


@pytest.mark.parametrize("failing", [0, 1])
def test_an_exception_in_a_piece_reaches_the_caller(failing):
    """Whether this thread or a worker runs it."""

    def fail():
        raise ZeroDivisionError

    pieces = [[(int, ())], [(int, ())]]
    pieces[failing] = [(fail, ())]
    with (
        threadpool_limits(2),
        pytest.raises(ZeroDivisionError),
        threads(MANY_FLOPS),
    ):
        run_pieces(pieces)
    assert getattr(threads_module._current, "workers", None) is None


def test_workers_are_there_again_after_a_program_inside_a_program():
    """As when a user's loss predicts with another network."""
    with threadpool_limits(2), threads(MANY_FLOPS):
        workers = threads_module._current.workers
        assert workers.count == 2
        with threads(MANY_FLOPS):
            pass
        assert threads_module._current.workers is workers


def test_numpys_buffer_size_is_given_back():
    usual = np.getbufsize()
    with threads(0):
        assert np.getbufsize() < usual
    assert np.getbufsize() == usual
    with pytest.raises(ZeroDivisionError), threads(MANY_FLOPS):
        raise ZeroDivisionError
    assert np.getbufsize() == usual
