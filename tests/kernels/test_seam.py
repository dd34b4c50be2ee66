"""No buffer of a wrong shape, type or value reaches a kernel, compiled or not."""

import functools
import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, random_array

from skdeep import MLPRegressor, kernels
from skdeep.engine import executor
from skdeep.engine.batch import BatchPlan, OneHot, TrainingData
from skdeep.engine.network import Network, StepMemory
from skdeep.engine.program import ROWS, Buffer, Call, Calls, Program, Scope
from skdeep.kernels import kernel, native
from skdeep.layers import Dense
from skdeep.losses import Loss, SquaredError
from skdeep.optimizers import SGD, Adam, Optimizer

F8 = np.dtype("f8")
native_only = pytest.mark.skipif(
    native.extension is None, reason="the package was built without compiled kernels"
)


def bind(kernel, /, **arguments):
    return executor.bind([(kernel, arguments)], 5, F8)


def dense(**changes):
    arguments = {
        "x": np.ones((5, 4)),
        "kernel": np.ones((4, 3)),
        "bias": np.zeros(3),
        "out": np.empty((5, 3)),
    }
    return bind(kernels.dense_forward, **arguments | changes)


# --- shapes and types -----------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"x": np.ones((5, 3))},
        {"x": np.ones((4, 4))},
        {"x": np.ones(4)},
        {"kernel": np.ones((4, 2))},
        {"kernel": np.ones((4, 3, 1))},
        {"bias": np.zeros(2)},
        {"bias": np.zeros((1, 3))},
        {"out": np.empty((4, 3))},
        {"out": np.empty((5, 3))[:, :2]},
    ],
)
def test_shapes_that_do_not_agree_are_an_error(changes):
    with pytest.raises(ValueError, match=r"dense_forward.*kernel='inputs units'"):
        dense(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"x": np.ones((5, 4), "f4")},
        {"kernel": np.ones((4, 3), "i8")},
        {"out": np.empty((5, 3), ">f8")},
        {"bias": 0.0},
        {"bias": np.float64(0.0)},
        {"x": [[1.0] * 4] * 5},
        {"kernel": None},
    ],
)
def test_other_types_are_an_error(changes):
    with pytest.raises(TypeError, match=r"dense_forward: .* must be"):
        dense(**changes)


def test_what_is_optional_may_be_none():
    dense(bias=None).run()


def test_read_only_memory_is_not_written():
    out = np.empty((5, 3))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        dense(out=out)


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(1), np.bool(1), True, 0.5])
def test_numbers_of_any_kind_arrive(value):
    gradient = np.array([-2.0, 2.0])
    bind(kernels.clip_by_value, gradient=gradient, limit=value).run()
    assert np.array_equal(gradient, [-float(value), float(value)])


@pytest.mark.parametrize("value", [None, "1", np.ones(1), (1, 1)])
def test_what_is_no_number_is_an_error(value):
    with pytest.raises(TypeError, match="limit must"):
        bind(kernels.clip_by_value, gradient=np.ones(2), limit=value)


@pytest.mark.parametrize("strides", [(1,), (1, 1, 1), [1, 1], 1, (1, -1), (1, 2**31)])
def test_what_is_no_pair_is_an_error(strides):
    with pytest.raises(TypeError, match="strides must be two whole numbers"):
        bind(
            kernels.average_pool_forward,
            x=np.ones((5, 4, 4, 2)),
            pool_size=(2, 2),
            strides=strides,
            padding=(0, 0),
            out=np.empty((5, 3, 3, 2)),
        )


@pytest.mark.parametrize("dtype", ["i8", "f2", "c16"])
def test_programs_of_other_types_are_an_error(dtype):
    with pytest.raises(TypeError, match="float32 or float64"):
        executor.bind([], 5, dtype)


def test_losses_of_whole_numbers_are_those_of_floats():
    z, target = np.array([[3, -1]]), np.array([[1, 0]])
    assert SquaredError().value(target, z) == SquaredError().value(target, z.astype(float))


def windows(**changes):
    arguments = {
        "x": np.ones((5, 6, 6, 4)),
        "kernel": np.ones((3, 3, 2, 6)),
        "bias": None,
        "strides": (1, 1),
        "dilation": (1, 1),
        "padding": (1, 1),
        "work": None,
        "out": np.empty((5, 6, 6, 6)),
    } | changes
    sizes = kernels.convolution_scratch(arguments["kernel"].shape, 4, 6)
    return bind(kernels.convolution_forward, **arguments | {"work": np.empty(sizes)})


def test_convolutions_have_rules_of_their_own():
    windows().run()
    for changes in (
        {"kernel": np.ones((3, 3, 3, 6))},
        {"kernel": np.ones((3, 3, 1, 6))},
        {"kernel": np.ones((3, 3, 5, 6))},
        {"kernel": np.ones((0, 3, 2, 6))},
        {"strides": (0, 1)},
        {"dilation": (1, 0)},
    ):
        with pytest.raises(ValueError, match="convolution"):
            windows(**changes)


def test_windows_of_pools_have_a_place_inside():
    images = np.ones((5, 4, 4, 2))
    geometry = {"pool_size": (2, 2), "strides": (2, 2), "padding": (2, 0)}
    with pytest.raises(ValueError, match="outside"):
        bind(kernels.average_pool_forward, x=images, **geometry, out=np.empty((5, 3, 2, 2)))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_compiled_kernel_refuses_an_array_of_another_shape(data):
    """Where names tie an axis to another, no other length comes through."""
    chosen = data.draw(st.sampled_from(sorted(kernels.COMPILED, key=lambda k: k.__name__)))
    sizes = {"...": (2,), "entries": 4, "weights": 4, "embedded": 12, "replaced": 9}
    sizes |= {"deep_inputs": 16, "deep_outputs": 16, "numbers": 16 * 16 + 16}
    arguments = {}
    for name, argument in chosen.declared.items():
        if argument.is_array:
            shape = argument.shape(_Sizes(sizes))
            arguments[name] = np.zeros(shape, _type(argument))
        else:
            values = {"pair": (1, 1), "stream": kernels.PhiloxStream((0, 0))}
            arguments[name] = (0, 0) if name == "padding" else values.get(argument.kind, 1)
    if "progress" in arguments:
        arguments["progress"][1] = 3
    arguments = {name: arguments[name] for name in chosen.arguments}
    kernels.check_arguments(chosen, arguments, F8)
    counts = {}
    for argument in chosen.declared.values():
        for axis in argument.axes if argument.is_array else ():
            counts[axis] = counts.get(axis, 0) + 1
    tied = [
        (name, place)
        for name, argument in chosen.declared.items()
        if argument.is_array
        for place, axis in enumerate(argument.before)
        if counts[axis] > 1 or axis.isdecimal()
    ]
    if not tied:
        return
    name, place = data.draw(st.sampled_from(tied))
    shape = list(arguments[name].shape)
    shape[place] += data.draw(st.sampled_from([-1, 1, 7]))
    arguments[name] = np.zeros(shape, arguments[name].dtype)
    with pytest.raises(ValueError, match=chosen.__name__):
        kernels.check_arguments(chosen, arguments, F8)


class _Sizes(dict):
    def __missing__(self, axis):
        return 3


def _type(argument):
    if argument.kind in ("float", "any"):
        return F8
    return argument.dtype(F8)


# --- values that are places in memory -------------------------------------------------


def rows_of(matrix):
    return {"values": matrix.data, "columns": matrix.indices, "row_end": matrix.indptr[1:]}


@pytest.mark.parametrize("entry, value", [("columns", 4), ("columns", -1), ("row_end", 99)])
def test_sparse_rows_with_places_outside_are_an_error(entry, value):
    arrays = rows_of(random_array((5, 4), density=0.9, rng=0, format="csr"))
    arrays[entry] = arrays[entry].copy()
    arrays[entry][2] = value
    rest = {"kernel": np.ones((4, 3)), "bias": None, "out": np.empty((5, 3))}
    with pytest.raises(ValueError, match=f"{entry} must be from 0"):
        bind(kernels.sparse_dense_forward, **arrays, **rest)


def test_coordinate_descent_checks_its_order():
    n = 5
    arguments = {
        "x": np.ones((n, 2)),
        **{k: np.ones(n) for k in ("sign", "threshold", "limit", "ridge", "curvature")},
        "rho": 0.1,
        "tol": 0.0,
        "budget": np.array([1, n]),
        "w": np.zeros(3),
        "alpha": np.zeros(n),
        "order": np.arange(n),
        "progress": np.array([0, n, 1, 0]),
        "state": np.array([np.inf, -np.inf, 0.0]),
    }
    bind(kernels.coordinate_descent, **arguments).run()
    for name, wrong in (
        ("order", np.arange(n) + 1),
        ("progress", np.array([0, n + 1, 1, 0])),
        ("progress", np.array([0, n, 1])),
        ("w", np.zeros(2)),
        ("w", np.zeros(4)),
    ):
        with pytest.raises(ValueError):
            bind(kernels.coordinate_descent, **arguments | {name: wrong})


def test_a_class_that_is_not_in_the_table_is_an_error():
    x, weight, one_hot = np.ones((3, 2)), np.ones(3), OneHot(3)
    TrainingData(x, np.array([0, 1, 2]), weight, one_hot)
    for wrong in ([0, 1, 3], [-1, 0, 1]):
        with pytest.raises(ValueError, match="classes must be from 0 to 2"):
            TrainingData(x, np.array(wrong), weight, one_hot)


def test_training_data_of_different_lengths_is_an_error():
    with pytest.raises(ValueError, match="as many"):
        TrainingData(np.ones((3, 2)), np.ones((4, 1)), np.ones(3))


def test_training_data_with_corrupt_sparse_rows_is_an_error():
    for name in ("indices", "indptr"):
        x = random_array((5, 4), density=0.9, rng=0, format="csr")
        getattr(x, name)[2] = 77
        with pytest.raises(ValueError, match="x must be from 0"):
            TrainingData(x, np.ones((5, 1)), np.ones(5))


def make_network(n_features=3):
    network = Network(
        [("output", Dense(1))],
        SquaredError(),
        SGD(),
        input_shape=(n_features,),
        dtype="f8",
    )
    network.initialize((0, 0))
    return network


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
@pytest.mark.parametrize("n_features", [1, 2, 4, 5000])
def test_samples_of_another_shape_than_the_networks_are_an_error(kind, n_features):
    network, x = make_network(), kind(np.ones((5, n_features)))
    with pytest.raises(ValueError, match="the network takes"):
        network.raw_outputs(x)
    with pytest.raises(ValueError, match="the network takes"):
        network.objective(TrainingData(x, np.ones((5, 1)), np.ones(5)))


def test_rows_beyond_the_end_are_never_read():
    x = random_array((5, 3), density=0.9, rng=0, format="csr")
    data = TrainingData(x, np.ones((5, 1)), np.full(5, 0.2))
    objective = make_network().objective(data, np.array([10**9, 1, -(10**9)]))
    with np.errstate(all="ignore"):
        try:
            objective(np.ones(4))
        except IndexError:  # NumPy's own
            assert not native.ENABLED


# --- buffers --------------------------------------------------------------------------


def test_memory_of_fewer_rows_than_the_batch_is_an_error():
    x, out = Buffer("x", (ROWS, 4), array=np.ones((3, 4))), Buffer("out", (ROWS, 4))
    calls = Calls()
    Scope("", calls).call(kernels.rescale, x=x, scale=1.0, offset=0.0, out=out)
    program = Program(calls, "f8")
    program.bind(program.allocate(5), 3).run()
    with pytest.raises(ValueError, match=r"'x' is to be of shape \(5, 4\)"):
        program.bind(program.allocate(5), 5)


def test_memory_of_another_shape_than_its_buffer_is_an_error():
    x = Buffer("x", (ROWS, 4), array=np.ones((5, 6)))
    call = Call(kernels.add, {"a": x, "b": x, "out": x})
    program = Program([call], "f8")
    with pytest.raises(ValueError, match=r"its memory is of shape \(5, 6\)"):
        program.bind(program.allocate(5), 5)
    view = Buffer("x", (ROWS, 4), array=np.ones((5, 4))).view((ROWS, 3))
    program = Program([Call(kernels.add, {"a": view, "b": view, "out": view})], "f8")
    with pytest.raises(ValueError, match="reshape"):
        program.allocate(5)


@native_only
def test_the_extension_checks_what_an_epoch_reads():
    data = TrainingData(np.ones((5, 3)), np.ones((5, 1)), np.ones(5))
    network = make_network()
    memory = StepMemory(network, (0, 0), 2)
    program = network.training_program(BatchPlan.of(data, 2, False), data, memory)
    bound = executor.NativeProgram(
        [(c.kernel, named) for c, named in _named(program)],
        2,
        F8,
    )
    epoch = executor.Epoch(
        2, None, np.arange(4), memory.index, memory.step, memory.learning_rate, np.ones(2)
    )
    bound.run_epoch(epoch)
    for changes in (
        {"order": np.arange(3)},
        {"order": np.arange(4, dtype="i4")},
        {"index": np.zeros(1, "i8")},
        {"rates": np.ones(1)},
        {"rates": np.ones(2, "f4")},
        {"step": np.zeros(0, "i8")},
        {"learning_rate": np.zeros(1, "f4")},
        {"n_full": -1},
    ):
        with pytest.raises(ValueError, match=r"must be a contiguous|negative"):
            bound.run_epoch(replace(epoch, **changes))


def _named(program):
    memory = program.allocate(2)
    for call in program.calls:
        named = {}
        for name, value in call.arguments.items():
            if isinstance(value, Buffer):
                value = memory[value][:2] if value.shape[:1] == (ROWS,) else memory[value]
            named[name] = value
        yield call, named


@native_only
def test_an_argument_moves_to_an_array_like_its_own_only():
    x, out = np.ones((5, 4)), np.empty((5, 3))
    arguments = {"x": x, "kernel": np.ones((4, 3)), "bias": None, "out": out}
    program = executor.NativeProgram([(kernels.dense_forward, arguments)], 5, F8)._program
    frozen = np.empty((5, 3))
    frozen.flags.writeable = False
    for source, other in (
        (x, np.ones((4, 4))),
        (x, np.ones((5, 4), "f4")),
        (x, np.ones((5, 8))[:, ::2]),
        (out, frozen),
        (out, np.empty((3, 5))),
    ):
        with pytest.raises(ValueError, match="an array like its own"):
            program.move_argument(source, other)


# --- names ----------------------------------------------------------------------------


def call(kernel, /, **arguments):
    Scope("", Calls()).call(kernel, **arguments)


def test_an_unknown_argument_is_an_error_that_names_the_nearest():
    a = Buffer("a", (ROWS, 3))
    with pytest.raises(TypeError, match=r"no argument 'offsett'. Did you mean 'offset'\?"):
        call(kernels.rescale, x=a, scale=1.0, offsett=0.0, out=a)
    with pytest.raises(TypeError, match=r"no argument 'zzz'"):
        call(kernels.rescale, x=a, scale=1.0, offset=0.0, out=a, zzz=1)


def test_a_missing_argument_is_an_error():
    a = Buffer("a", (ROWS, 3))
    with pytest.raises(TypeError, match="rescale needs 'offset'"):
        call(kernels.rescale, x=a, scale=1.0, out=a)


class MisspeltAdam(Adam):
    def step(self, scope, parameters, gradient):
        scope.call(
            kernels.step_kernel(self),
            parameters=parameters,
            gradient=gradient,
            **scope.state,
            learning_rate=scope.training.learning_rate,
            step=scope.training.step,
            beta_1=0.9,
            beta2=0.999,
            epsilon=1e-8,
        )


class MisspeltSGD(Optimizer):
    learning_rate = 0.1

    def step(self, scope, parameters, gradient):
        scope.call(
            kernels.step_kernel(SGD()),
            parameters=parameters,
            gradient=gradient,
            learning_rat=scope.training.learning_rate,
        )


@pytest.mark.parametrize(
    "optimizer, hint",
    [
        (MisspeltAdam(), "'beta2'. Did you mean 'beta_2'"),
        (MisspeltSGD(), "'learning_rate'"),
    ],
    ids=["adam", "sgd"],
)
def test_an_optimizer_with_a_misspelt_argument_does_not_train(optimizer, hint):
    X = np.ones((20, 2))
    with pytest.raises(TypeError, match=hint):
        MLPRegressor((3,), optimizer=optimizer, max_iter=1).fit(X, X[:, 0])


@pytest.mark.parametrize("name", sorted(k.__name__ for k in kernels.COMPILED))
def test_a_users_kernel_is_its_own_whatever_its_name(name):
    """Of our names with arguments of its own, and with all that is declared of ours."""

    def own(z, out):
        np.multiply(z, 7, out=out)

    own.__name__ = name
    z, out = np.ones((5, 2)), np.zeros((5, 2))
    bind(
        kernel("rows", writes="out", z="rows ...", out="rows ...")(own), z=z, out=out
    ).run()
    assert np.all(out == 7)


def test_a_wrapped_kernel_is_a_users_own():
    @functools.wraps(kernels.add)
    def added(a, b, out):
        np.subtract(a, b, out=out)

    a, b, out = np.full((5, 2), 3.0), np.ones((5, 2)), np.zeros((5, 2))
    bind(added, a=a, b=b, out=out).run()
    assert np.all(out == 2)


def test_arguments_may_come_in_any_order():
    out = np.zeros((5, 2))
    scale = bind(kernels.rescale, out=out, offset=1.0, x=np.ones((5, 2)), scale=3.0)
    scale.run()
    assert np.all(out == 4)


# --- declarations ---------------------------------------------------------------------


def test_a_users_kernel_need_not_declare_shapes():
    @kernel(None, writes="total")
    def add_up(values, total, factor):
        total[0] = values.sum() * factor

    total = np.zeros(1, "f4")
    bind(add_up, values=np.ones((2, 3), "i4"), total=total, factor=2).run()
    assert total[0] == 12


@pytest.mark.parametrize(
    "declaration, words",
    [
        ({"writes": "outs"}, "no argument 'outs'. Did you mean 'out'"),
        ({"writes": "out", "xs": "rows"}, "no argument 'xs'"),
        ({"writes": "out", "x": 0}, "names of its axes"),
        ({"writes": "out", "x": "float16: rows"}, "no type"),
        ({"writes": "out", "x": "... n ..."}, "one '...' only"),
        ({"writes": "out", "scratch": "x"}, "needs a shape"),
    ],
)
def test_wrong_declarations_are_errors(declaration, words):
    with pytest.raises(TypeError, match=words):

        @kernel("rows", **declaration)
        def copy(x, out):
            pass


def test_scratch_memory_is_of_the_shape_and_type_that_is_declared():
    calls = Calls()
    x = Buffer("x", (ROWS, 6, 5, 3))
    for _ in range(2):
        Scope("", calls).call(
            kernels.cut_out,
            x=x,
            stream=None,
            purpose=1,
            step=None,
            size=(1, 1),
            out=x,
        )
    first, second = (c.arguments for c in calls)
    assert first["uniform"].shape == (ROWS, 2)
    assert first["uniform"].dtype == np.float32
    assert first["mask_3"].shape == (ROWS, 6, 5)
    assert first["mask_3"].dtype == bool
    assert first["mask_3"] is second["mask_3"]


# --- lifetime -------------------------------------------------------------------------


class Absolute(Loss):
    def value(self, target, z):
        return np.abs(z - target).mean(axis=1)

    def gradient(self, target, z):
        return np.sign(z - target) / z.shape[1]


def test_a_program_whose_kernel_knows_it_is_freed():
    def make():
        @kernel(None, writes="x")
        def knows(x):
            return programs

        programs = [bind(knows, x=np.ones(3))]
        programs[0].run()
        return weakref.ref(programs[0]), weakref.ref(knows)

    gone = make()
    gc.collect()
    assert [g() for g in gone] == [None, None]


def test_a_model_whose_loss_knows_it_is_freed():
    X = np.random.default_rng(0).normal(size=(30, 3))
    loss = Absolute()
    network = make_network()
    network.loss = loss
    data = TrainingData(X, X[:, :1], np.full(30, 1 / 30))
    loss.objective = network.objective(data)
    loss.objective(network.parameters.copy())
    gone = weakref.ref(loss), weakref.ref(network)
    del loss, network
    gc.collect()
    assert [g() for g in gone] == [None, None]
