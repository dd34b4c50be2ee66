"""A profile says what each call took, adds up, and changes nothing."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from skdeep import ConvNetClassifier, MLPClassifier, MLPRegressor, kernels
from skdeep.engine import executor, profile
from skdeep.engine.network import Network
from skdeep.engine.profile import CallProfile, ProgramProfile, call_bytes
from skdeep.kernels import native
from skdeep.layers import Dense
from skdeep.losses import SquaredError
from skdeep.optimizers import SGD

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, N_FEATURES, N_CLASSES = 60, 7, 3


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch):
    monkeypatch.setattr(profile, "_ROUND_SECONDS", 1e-4)
    monkeypatch.setattr(profile, "_ROUNDS", 2)


@pytest.fixture(params=["compiled", "NumPy"])
def executors(request, monkeypatch):
    if request.param == "compiled" and not native.ENABLED:
        pytest.skip("compiled kernels are not in use")
    monkeypatch.setattr(native, "ENABLED", request.param == "compiled")


def data(dtype="float64"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, N_FEATURES)).astype(dtype)
    return X, X[:, :N_CLASSES].argmax(axis=1)


def fitted(**parameters):
    defaults = dict(hidden_layer_sizes=(5,), batch_size=16, max_iter=2, random_state=0)
    return MLPClassifier(**defaults | parameters).fit(*data())


# --- what it says -----------------------------------------------------------------------


def test_calls_are_those_of_the_training_step_in_their_order():
    model = fitted(dropout=0.2, batch_norm=True)
    calls = model.network_.profile(*data()).training.calls
    described = model.network_.describe().splitlines()
    assert [f"{c.number}. {c.kernel}" for c in calls] == [
        line.strip().partition("(")[0] for line in described
    ]


def test_calls_know_their_layers():
    found = fitted().network_.profile(*data())
    assert list(found.training.layers()) == [
        "batch",
        "dense_1",
        "relu_1",
        "output",
        "loss",
        "optimizer",
    ]
    assert list(found.prediction.layers()) == ["dense_1", "relu_1", "output"]


def test_operations_are_those_of_the_products():
    found = fitted().network_.profile(*data(), batch_size=11)
    hidden, output = 2 * 11 * N_FEATURES * 5, 2 * 11 * 5 * N_CLASSES
    assert sum(call.flops for call in found.training.calls) == 2 * hidden + 3 * output
    assert sum(call.flops for call in found.prediction.calls) == hidden + output


def test_bytes_are_those_of_the_arrays():
    x, kernel, out = np.ones((4, 3), "f4"), np.ones((3, 2), "f4"), np.ones((4, 2), "f4")
    named = dict(x=x, kernel=kernel, bias=None, out=out)
    assert call_bytes(kernels.dense_forward, named) == 4 * (12 + 6 + 8)


def test_of_what_is_gathered_the_bytes_of_the_rows_count():
    source, index, out = np.ones((100, 3)), np.arange(4), np.ones((4, 3))
    named = dict(source=source, index=index, out=out)
    assert call_bytes(kernels.gather_rows, named) == 8 * (12 + 4 + 12)


def test_scratch_memory_has_no_bytes():
    kernel, work = np.ones((4, 3)), np.ones(3)
    named = dict(max_norm=1.0, kernel=kernel, work=work)
    assert call_bytes(kernels.limit_unit_norms, named) == kernel.nbytes


@pytest.mark.usefixtures("executors")
def test_calls_and_waiting_add_up_to_the_time_of_the_step():
    for program in vars(fitted().network_.profile(*data())).values():
        if isinstance(program, ProgramProfile):
            total = sum(call.seconds for call in program.calls)
            assert min(call.seconds for call in program.calls) > 0
            assert 0 < total <= program.seconds * (1 + 1e-9)  # up to rounding
            assert total + program.waited == pytest.approx(program.seconds)


# --- for every network ------------------------------------------------------------------


@pytest.mark.usefixtures("executors")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 16, N])
def test_any_batch_size_in_both_types(dtype, batch_size):
    X, y = data(dtype)
    model = MLPClassifier((5,), max_iter=1, random_state=0).fit(X, y)
    found = model.network_.profile(X, y, batch_size=batch_size)
    assert found.training.rows == found.prediction.rows == batch_size
    assert found.training.peak > 0


@pytest.mark.usefixtures("executors")
def test_a_convolutional_network():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 6, 6)), np.arange(12) % 2
    model = ConvNetClassifier(filters=(2,), max_iter=1, random_state=0).fit(X, y)
    found = model.network_.profile(X.reshape(12, 36), y)
    names = {call.kernel for call in found.training.calls}
    assert {"convolution_forward", "convolution_backward_kernel"} <= names


@pytest.mark.parametrize(
    "parameters",
    [{"batch_size": "full"}, {"optimizer": "nadam", "gradient_clip_norm": 1.0}],
    ids=str,
)
def test_other_ways_to_train(parameters):
    found = fitted(**parameters).network_.profile(*data())
    assert found.training.calls


def test_sparse_rows():
    X, y = data()
    X = csr_array(np.where(X > 1, X, 0))
    model = MLPClassifier((5,), max_iter=1, random_state=0).fit(X, y)
    found = model.network_.profile(X, y, batch_size=20)
    assert found.training.calls[0].kernel == "gather_sparse_rows"
    assert found.prediction.calls[0].kernel == "sparse_dense_forward"


def test_classes_may_have_any_labels():
    X, y = data()
    for labels in (np.array(["a", "b", "c"])[y], np.array(["a", "b"])[y % 2]):
        model = MLPClassifier((5,), max_iter=1, random_state=0).fit(X, labels)
        assert model.network_.profile(X, labels).training.calls


def test_a_regressor_with_several_outputs():
    X, _ = data()
    model = MLPRegressor((5,), max_iter=1, random_state=0).fit(X, X[:, :2])
    assert model.network_.profile(X, X[:, :2]).training.calls


def test_a_network_that_was_never_trained():
    layers = [("output", Dense(2))]
    network = Network(layers, SquaredError(), SGD(), input_shape=(7,), dtype="float64")
    network.initialize((0, 0))
    X, _ = data()
    assert network.profile(X, X[:, :2]).training.rows == N


# --- it changes nothing -----------------------------------------------------------------


@pytest.mark.usefixtures("executors")
def test_a_profile_between_two_fits_changes_no_bit():
    X, y = data()
    parameters = dict(dropout=0.3, batch_norm=True, warm_start=True, shuffle=True)
    ours, other = fitted(**parameters), fitted(**parameters)
    before = pickle.dumps(ours)
    state = pickle.dumps(np.random.mtrand._rand.get_state())
    ours.network_.profile(X, y)
    assert pickle.dumps(np.random.mtrand._rand.get_state()) == state
    assert pickle.dumps(ours) == before
    ours.fit(X, y), other.fit(X, y)
    for name in ("parameters", "statistics"):
        assert getattr(ours.network_, name).tobytes() == (
            getattr(other.network_, name).tobytes()
        )
    assert ours.loss_curve_ == other.loss_curve_


@pytest.mark.usefixtures("executors")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_clocked_steps_write_what_steps_write(n_threads):
    results = []
    for clocked in (False, True):
        rng = np.random.default_rng(0)
        x, kernel = rng.normal(size=(200, 80)), rng.normal(size=(80, 90))
        z, out = np.zeros((200, 90)), np.zeros((200, 90))
        calls = [
            (kernels.dense_forward, dict(x=x, kernel=kernel, bias=None, out=z)),
            (kernels.ACTIVATIONS["relu"][0], dict(z=z, out=out)),
        ]
        bound = executor.bind(calls, 200, "float64")
        with threadpool_limits(n_threads):
            if clocked:
                times = bound.clock(3)
                assert times.threads <= n_threads
                assert times.seconds.shape == (2,)
            else:
                bound.run()
        results.append(out.tobytes())
    assert results[0] == results[1]


def test_an_error_in_a_clocked_call_is_raised():
    class FailedError(Exception):
        pass

    @kernels.kernel(None, writes="x", x="n")
    def fails(x):
        raise FailedError

    bound = executor.bind([(fails, {"x": np.zeros(3)})], 3, "float64")
    with pytest.raises(FailedError):
        bound.clock(2)


# --- how it reads -----------------------------------------------------------------------


def program_profile(**changes):
    calls = (
        CallProfile(1, "batch", "gather_rows", 1e-3, 0.0, 4_000_000),
        CallProfile(2, "hidden", "dense_forward", 2e-3, 4e6, 1_000_000),
        CallProfile(3, "hidden", "<own>", 1e-3, 0.0, 1_000_000),
    )
    values = dict(title="training step", rows=200, threads=2, seconds=5e-3, calls=calls)
    values |= dict(seconds_without_clocks=4e-3, peak=8e9)
    return ProgramProfile(**values | changes)


def test_the_table_has_calls_under_their_layers_with_sums():
    assert repr(program_profile()).splitlines() == [
        "training step, 200 rows, 2 threads: 5 ms, without the clocks 4 ms",
        "                        ms  of time  GFLOP/s  of peak  MB  GB/s",
        "batch               1.0000    20.0%                     4   4.0",
        "  1. gather_rows    1.0000    20.0%                     4   4.0",
        "hidden              3.0000    60.0%      1.3      17%   2   0.7",
        "  2. dense_forward  2.0000    40.0%      2.0      25%   1   0.5",
        "  3. <own>          1.0000    20.0%                     1   1.0",
        "in no call          1.0000    20.0%",
        "all                 5.0000   100.0%      0.8      10%   6   1.2",
    ]


def test_the_html_has_the_same_cells():
    html = program_profile()._repr_html_()
    assert html.count("<tr>") == 8 and html.startswith("<table>")
    assert "&lt;own&gt;" in html and "<own>" not in html
    assert ">17%</th>" in html and ">25%</td>" in html


def test_a_profile_shows_both_programs_and_what_ran():
    found = fitted().network_.profile(*data())
    for shown in (repr(found), found._repr_html_()):
        assert "training step, 16 rows" in shown and "prediction, 16 rows" in shown
        assert native.describe() in shown


# --- what cannot be profiled ------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [0, N + 1])
def test_a_batch_has_rows_of_the_samples(batch_size):
    with pytest.raises(ValueError, match=f"from 1 to as many rows as X, {N}"):
        fitted().network_.profile(*data(), batch_size=batch_size)


def test_samples_of_another_shape_are_refused():
    X, y = data()
    with pytest.raises(ValueError, match=r"samples of shape \(6,\)"):
        fitted().network_.profile(X[:, :6], y)


def test_targets_of_another_shape_are_refused():
    X, _ = data()
    model = MLPRegressor((5,), max_iter=1, random_state=0).fit(X, X[:, :2])
    with pytest.raises(ValueError, match=r"y has targets of shape \(3,\)"):
        model.network_.profile(X, X[:, :3])


def test_as_many_targets_as_samples():
    X, y = data()
    with pytest.raises(ValueError, match="must be as many"):
        fitted().network_.profile(X, y[:-1])


def test_more_classes_than_outputs_are_refused():
    X, _ = data()
    with pytest.raises(ValueError, match="classes must be from 0 to 2"):
        fitted().network_.profile(X, np.arange(N))
