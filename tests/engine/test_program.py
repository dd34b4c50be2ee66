"""A program allocates once, runs on batches of fewer rows, and can be read."""

import re

import numpy as np
import pytest

from skdeep import kernels
from skdeep.engine.batch import BatchPlan, OneHot, TrainingData
from skdeep.engine.network import Network, Settings, StepMemory
from skdeep.engine.program import ROWS, Buffer, Call, Calls, Program, Scope
from skdeep.layers import Activation, BatchNorm, Dense, Dropout
from skdeep.losses import CrossEntropy
from skdeep.optimizers import SGD, Adam

pytestmark = pytest.mark.tiny

KEY = (1, 2)
N, N_FEATURES, N_CLASSES = 10, 6, 3


def make_network(dtype=np.float64):
    layers = [
        ("hidden", Dense(5)),
        ("norm", BatchNorm()),
        ("relu", Activation("relu")),
        ("drop", Dropout(0.2)),
        ("output", Dense(N_CLASSES)),
    ]
    network = Network(
        layers,
        CrossEntropy().resolve("multiclass"),
        Adam(),
        input_shape=(N_FEATURES,),
        dtype=dtype,
        settings=Settings(weight_decay=0.01, gradient_clip_norm=1.0),
    )
    network.initialize(KEY)
    return network


def draw_data(dtype=np.float64):
    generator = np.random.default_rng(0)
    return TrainingData(
        generator.normal(size=(N, N_FEATURES)).astype(dtype),
        generator.integers(N_CLASSES, size=N),
        np.ones(N, dtype),
        one_hot=OneHot(N_CLASSES),
    )


def training_program(batch_size=4, dtype=np.float64, key=KEY):
    network, data = make_network(dtype), draw_data(dtype)
    memory = StepMemory(network, key, batch_size)
    plan = BatchPlan.of(data, batch_size, whole=False)
    return network.training_program(plan, data, memory), memory


# --- memory -----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 4])
def test_nbytes_is_what_allocate_takes(dtype, rows):
    program, _ = training_program(dtype=dtype)
    memory = program.allocate(rows)
    own = {b.owner for b in memory if b.owner.array is None}  # views take no more
    taken = sum(memory[b].nbytes for b in own)
    assert program.nbytes(rows) == taken > 0


def test_allocate_gives_buffers_their_own_type_or_the_programs():
    own, boolean = Buffer("own", (ROWS, 2)), Buffer("flags", (ROWS, 2), "bool")
    call = Call(kernels.gather_rows, {"source": own, "index": boolean, "out": own})
    memory = Program([call], np.float32).allocate(3)
    assert memory[own].dtype == np.float32
    assert memory[boolean].dtype == bool
    assert memory[own].shape == memory[boolean].shape == (3, 2)


def test_allocate_uses_the_memory_that_a_buffer_stands_for():
    array = np.zeros((5, 2))
    buffer = Buffer("x", (ROWS, 2), array=array)
    call = Call(kernels.gather_rows, {"source": buffer, "index": None, "out": None})
    assert Program([call], np.float64).allocate(3)[buffer] is array


def test_a_program_for_fewer_rows_works_in_the_first_rows_of_the_same_memory():
    program, memory = training_program(batch_size=4)
    arrays = program.allocate(4)
    out = next(b for b in arrays if b.name == "output.out")
    x = next(b for b in arrays if b.name == "batch.x")
    memory.step[0] = 1
    arrays[out][...] = np.nan
    memory.index[:3] = [5, 6, 7]
    program.bind(arrays, 3).run()
    np.testing.assert_array_equal(arrays[x][:3], draw_data().x[5:8])
    assert np.isfinite(arrays[out][:3]).all()
    assert np.isnan(arrays[out][3]).all()


def test_a_run_depends_on_its_inputs_alone():
    """Scratch memory and what earlier runs left behind do not matter."""
    results = []
    for garbage in (0, 1):
        program, memory = training_program()
        arrays = program.allocate(4)
        for buffer, array in arrays.items():
            if buffer.array is None:
                array[...] = garbage
        memory.step[0], memory.learning_rate[0] = 1, 0.1
        memory.index[...] = [1, 5, 2, 7]
        program.bind(arrays, 4).run()
        results.append(
            (
                memory.total[0],
                next(
                    array for buffer, array in arrays.items() if buffer.name == "parameters"
                ),
            )
        )
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


# --- the order of calls -----------------------------------------------------------


def test_flops_of_a_program_are_those_of_its_products():
    network, data = make_network(), draw_data()
    memory, plan = StepMemory(network, KEY, 4), BatchPlan.of(data, 4, whole=False)
    program = network.gradient_program(plan, data, memory)
    bound = program.bind(program.allocate(4), 4)
    hidden, output = 2 * 4 * N_FEATURES * 5, 2 * 4 * 5 * N_CLASSES
    # forward and the kernels' gradients; the input of the first layer needs none
    assert bound.flops == 2 * hidden + 3 * output


def test_calls_on_parts_of_the_parameters_act_in_order():
    """Weight decay acts on the first part of the vector, the step on all of it."""
    n, n_decayed = 3 * 32768 + 17, 2 * 32768 + 5
    generator = np.random.default_rng(0)
    parameters, gradient = generator.normal(size=(2, n))
    expected = gradient.copy()
    expected[:n_decayed] += 0.5 * parameters[:n_decayed]
    expected = parameters - 0.25 * expected

    def buffer(array):
        return Buffer("", array.shape, array=array)

    calls = Calls()
    scope = Scope("", calls)
    scope.call(
        kernels.add_weight_decay,
        parameters=buffer(parameters[:n_decayed]),
        gradient=buffer(gradient[:n_decayed]),
        rate=0.5,
    )
    scope.call(
        kernels.step_kernel(SGD()),
        parameters=buffer(parameters),
        gradient=buffer(gradient),
        learning_rate=buffer(np.array([0.25])),
    )
    program = Program(calls, np.float64)
    program.bind(program.allocate(0), 0).run()
    np.testing.assert_allclose(parameters, expected, rtol=1e-12, atol=1e-14)


def test_scratch_buffers_are_shared_by_calls_that_need_alike():
    calls = Calls()
    scope = Scope("layer", calls)
    z, out = Buffer("z", (ROWS, 3)), Buffer("out", (ROWS, 3))
    for _ in range(2):
        scope.call(kernels.ACTIVATIONS["selu"][0], z=z, out=out)
    wide = Buffer("wide", (ROWS, 9))
    scope.call(kernels.ACTIVATIONS["selu"][0], z=wide, out=wide)
    first, second, third = (call.arguments["work"] for call in calls)
    assert first is second
    assert third is not first


# --- describe ---------------------------------------------------------------------


def test_describe_has_a_numbered_line_for_each_call():
    program, _ = training_program()
    lines = program.describe(4).split("\n")
    assert len(lines) == len(program.calls)
    for number, (line, call) in enumerate(zip(lines, program.calls, strict=True), 1):
        assert re.match(rf" *{number}\. {call.kernel.__name__}\(", line)


def test_describe_shows_shapes_with_the_rows_filled_in():
    program, _ = training_program()
    for rows in (4, 3):
        description = program.describe(rows)
        assert f"hidden.out[{rows}x5]" in description
        assert f"output.out[{rows}x{N_CLASSES}]" in description
        assert f"hidden.kernel[{N_FEATURES}x5]" in description


def test_describe_shows_what_is_read_and_what_is_written():
    program, _ = training_program()
    (line,) = [
        line for line in program.describe(4).split("\n") if "output.d_kernel" in line
    ]
    assert line.endswith(
        "dense_backward_kernel(x=drop.out[4x5], d_out=loss.d_z[4x3])"
        " -> d_kernel=output.d_kernel[5x3]"
    )


def test_describe_shows_what_backpropagation_reads_of_batch_normalization():
    program, _ = training_program()
    lines = program.describe(4).split("\n")
    (forward,) = [line for line in lines if "batch_norm_forward(" in line]
    assert "normalized=norm.normalized[4x5]" in forward.split(" -> ")[1]
    (backward,) = [line for line in lines if "batch_norm_backward_input(" in line]
    assert "normalized=norm.normalized[4x5]" in backward.split(" -> ")[0]


def test_describe_leaves_scratch_out():
    program, _ = training_program()
    assert not re.search(r"\b(work|mask|norm|uniform)=", program.describe(4))


def test_a_network_that_was_not_trained_cannot_describe_its_training():
    with pytest.raises(ValueError, match="fit the estimator first"):
        make_network().describe()


def test_a_trained_network_describes_its_training_without_data():
    # without data there is no key of its random numbers either
    network, (program, _) = make_network(), training_program(key=(0, 0))
    network.plan = BatchPlan.of(draw_data(), 4, whole=False)
    assert network.describe() == program.describe(4)
