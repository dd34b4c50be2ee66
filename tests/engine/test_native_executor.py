"""Whole fits on the compiled executor: the reference's results, from any threads."""

import importlib.machinery
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skdeep import ConvNetRegressor, MLPClassifier, MLPRegressor
from skdeep.engine.executor import NativeProgram
from skdeep.kernels import native
from skdeep.layers import Activation
from skdeep.losses import (
    AbsoluteError,
    Focal,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    Loss,
    Poisson,
    Quantile,
    SquaredHinge,
)
from skdeep.optimizers import OPTIMIZERS, RMSProp

pytestmark = [
    pytest.mark.skipif(not native.ENABLED, reason="compiled kernels are not in use"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

SETTINGS = [
    {},
    {"hidden_layer_sizes": (33, 17), "batch_size": 37},
    {"batch_norm": True, "dropout": 0.3},
    {"input_dropout": 0.2, "dropout": 0.5, "hidden_layer_sizes": (65, 31)},
    {"batch_size": "full", "hidden_layer_sizes": ()},
    {"gradient_clip_norm": 0.1, "gradient_clip_value": 0.05},
    {"weight_decay": 0.0, "shuffle": False},
    {"learning_rate_schedule": "cosine"},
    {"label_smoothing": 0.1},
    *({"optimizer": name} for name in sorted(set(OPTIMIZERS) - {"lbfgs"})),
    {"optimizer": RMSProp(momentum=0.5)},
    {"optimizer": RMSProp(centered=True, momentum=0.5)},
    *(
        {"activation": name}
        for name in sorted(Activation._parameter_constraints["function"][0].options)
    ),
    *({"loss": loss} for loss in (Focal(), Hinge(), SquaredHinge(), KLDivergence())),
]


def data(n=190, n_features=21, n_classes=4, dtype="float64"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, n_features)).astype(dtype)
    return X, (X[:, :n_classes] + rng.normal(size=(n, n_classes))).argmax(axis=1)


def fitted(estimator, X, y, monkeypatch=None, compiled=True):
    """The parameters, statistics and losses after a fit."""
    if monkeypatch is not None:
        monkeypatch.setattr(native, "ENABLED", compiled)
    estimator.fit(X, y)
    network = estimator.network_
    return np.concatenate([network.parameters, network.statistics, estimator.loss_curve_])


def assert_alike(estimator, X, y, monkeypatch):
    ours = fitted(estimator, X, y, monkeypatch, compiled=True)
    reference = fitted(estimator, X, y, monkeypatch, compiled=False)
    exact = X.dtype == np.float64
    np.testing.assert_allclose(
        ours, reference, rtol=1e-8 if exact else 2e-3, atol=1e-9 if exact else 2e-4
    )


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_twenty_steps_are_those_of_the_reference(settings, monkeypatch):
    X, y = data()
    settings = {"batch_size": 50, "max_iter": 5, "hidden_layer_sizes": (40,)} | settings
    assert_alike(MLPClassifier(random_state=3, **settings), X, y, monkeypatch)


@pytest.mark.parametrize("settings", SETTINGS[:5], ids=str)
def test_twenty_steps_in_single_precision(settings, monkeypatch):
    X, y = data(dtype="float32")
    settings = {"batch_size": 50, "max_iter": 5, "hidden_layer_sizes": (40,)} | settings
    # its steps divide by small numbers: Adam's would grow rounding errors
    settings["optimizer"] = "momentum"
    assert_alike(MLPClassifier(random_state=3, **settings), X, y, monkeypatch)


@pytest.mark.parametrize(
    "loss",
    [AbsoluteError(), Huber(), LogCosh(), Poisson(), Quantile(0.8), "squared_error"],
    ids=str,
)
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_regression_is_that_of_the_reference(loss, n_outputs, monkeypatch):
    X, _ = data()
    y = np.abs(X[:, :n_outputs] * 2).round()
    model = MLPRegressor(
        (30,), loss=loss, batch_size=50, max_iter=5, random_state=0, optimizer="sgd"
    )
    assert_alike(model, X, y.squeeze(), monkeypatch)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("batch_size", [50, "full"])
def test_sparse_inputs_are_those_of_the_reference(dropout, batch_size, monkeypatch):
    X, y = data()
    X = np.where(X > 0.7, X, 0.0)
    model = MLPClassifier(
        (30,), batch_size=batch_size, max_iter=5, random_state=0, input_dropout=dropout
    )
    assert_alike(model, csr_array(X), y, monkeypatch)


class FourthPower(Loss):
    """A user's own loss, in Python."""

    def value(self, target, z):
        return np.mean((z - target) ** 4, axis=1)

    def gradient(self, target, z):
        return 4 * (z - target) ** 3 / z.shape[1]


def test_a_users_own_loss(monkeypatch):
    X, _ = data()
    model = MLPRegressor((30,), loss=FourthPower(), max_iter=5, random_state=0)
    assert_alike(model, X, np.tanh(X[:, 0]), monkeypatch)


class Broken(FourthPower):
    def gradient(self, target, z):
        raise ZeroDivisionError("a mistake in a user's loss")


@pytest.mark.parametrize("width", [30, 2000])
def test_errors_of_a_users_loss_come_through(width):
    X, _ = data()
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        MLPRegressor((width,), loss=Broken(), max_iter=5).fit(X, X[:, 0])


def test_a_users_loss_may_run_another_network():
    """One that needs more scratch memory than the network in training."""
    images = np.random.default_rng(0).normal(size=(3, 160, 160, 8)).astype(np.float32)
    other = ConvNetRegressor((32,), kernel_size=9, hidden_layer_sizes=(), max_iter=1)
    other.fit(images, np.zeros(3))

    class AsksAnother(FourthPower):
        def gradient(self, target, z):
            other.predict(images[:1])
            return super().gradient(target, z)

    X, _ = data()
    y = np.tanh(X[:, 0])
    options = {"max_iter": 2, "random_state": 0}
    plain = MLPRegressor((30,), loss=FourthPower(), **options).fit(X, y)
    asking = MLPRegressor((30,), loss=AsksAnother(), **options).fit(X, y)
    assert np.array_equal(plain.network_.parameters, asking.network_.parameters)


# --- threads --------------------------------------------------------------------------


def large_fit(**settings):
    X, y = data(n=777, n_features=130, dtype="float32")
    defaults = {"hidden_layer_sizes": (257, 100), "batch_size": 200, "max_iter": 3}
    return MLPClassifier(random_state=0, **defaults | settings), X, y


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_norm": True, "dropout": 0.3},
        {"batch_size": "full", "activation": "gelu"},
        {"gradient_clip_norm": 0.1, "optimizer": "nadam"},
    ],
    ids=str,
)
def test_the_number_of_threads_changes_no_bit(settings):
    results = []
    for threads in (1, 2, 3, 2, 1):
        with threadpool_limits(threads, user_api="skdeep"):
            results.append(fitted(*large_fit(**settings)))
    for result in results[1:]:
        assert np.array_equal(results[0], result)


def test_predictions_do_not_depend_on_the_number_of_threads_or_rows():
    model, X, y = large_fit()
    model.fit(X, y)
    with threadpool_limits(1, user_api="skdeep"):
        one = model.predict_proba(X)
    assert np.array_equal(one, model.predict_proba(X))
    assert np.array_equal(one[5:6], model.predict_proba(X[5:6]))


def test_many_python_threads_fit_and_predict_at_once():
    expected = fitted(*large_fit())
    outcomes = []

    def work():
        model, X, y = large_fit()
        outcomes.append(np.array_equal(expected, fitted(model, X, y)))
        p = model.predict_proba(X)
        outcomes.extend(np.array_equal(p, model.predict_proba(X)) for _ in range(5))

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(outcomes) == 24
    assert all(outcomes)


def test_limits_are_obeyed():
    assert native.extension.thread_limit() >= 1
    with threadpool_limits(1):
        assert native.extension.thread_limit() == 1
    with threadpool_limits(3, user_api="skdeep"):
        assert native.extension.thread_limit() == 3


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=tempfile.gettempdir(),  # not where a folder skdeep hides the installed one
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_omp_num_threads_is_obeyed():
    code = "from skdeep.kernels import native; print(native.extension.thread_limit())"
    assert run_python(code, OMP_NUM_THREADS="1").stdout.strip() == "1"


def _fit_in_child(queue):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        queue.put(fitted(*large_fit()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own():
    expected = fitted(*large_fit())
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_fit_in_child, args=(queue,))
    child.start()
    assert np.array_equal(queue.get(timeout=60), expected)
    child.join(timeout=60)
    assert child.exitcode == 0


@pytest.mark.parametrize(
    "settings, stages",
    [
        ({"batch_size": 100}, 2),
        ({"batch_size": 100, "weight_decay": 0.0}, 2),
        ({"batch_size": 100, "gradient_clip_norm": 1.0}, 4),
        ({}, 3),  # the gradients of small kernels are sums of parts of the rows
        ({"hidden_layer_sizes": (200, 200)}, 3),  # and those of others are not
    ],
    ids=str,
)
def test_parameters_are_updated_with_their_gradient(settings, stages, monkeypatch):
    programs, make = [], NativeProgram.__init__

    def remember(program, *arguments):
        make(program, *arguments)
        programs.append(program._program)

    monkeypatch.setattr(NativeProgram, "__init__", remember)
    X, y = data()
    MLPClassifier(max_iter=1, **settings).fit(X, y)
    # rows; gradients and what they are for; a norm needs all of them in between
    assert programs[0].n_stages == stages


@pytest.mark.parametrize("settings", [{"batch_size": "full"}, {}], ids=str)
@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_is_answered_soon(settings, threads):
    model, X, y = large_fit(max_iter=10**6, tol=0.0, n_iter_no_change=10**6, **settings)
    X, y = np.tile(X, (30, 1)), np.tile(y, 30)
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.5, interrupt)
    timer.start()
    with (
        threadpool_limits(threads, user_api="skdeep"),
        pytest.raises(KeyboardInterrupt),
    ):
        model.fit(X, y)
    took = time.perf_counter() - sent[0]
    timer.join()
    assert took < 5.0  # it asks every 0.05 s; a busy machine may take a while


# --- choosing -------------------------------------------------------------------------


def test_the_environment_chooses():
    show = "import skdeep; skdeep.show_versions()"
    assert "kernels: reference" in run_python(show, SKDEEP_KERNELS="reference").stdout
    assert "kernels: native" in run_python(show, SKDEEP_KERNELS="native").stdout
    outcome = run_python(show, SKDEEP_KERNELS="fast")
    assert "must be 'reference' or 'native'" in outcome.stderr
    assert "native (baseline" in run_python(show, SKDEEP_ISA="baseline").stdout
    assert "offer only" in run_python(show, SKDEEP_ISA="mmx").stderr


WITHOUT_EXTENSION = """
import shutil, sys
from pathlib import Path
import skdeep

# a copy of the package, as an installation without a compiler leaves it
source, target = Path(skdeep.__file__).parent, Path(sys.argv[1]) / "skdeep"
shutil.copytree(source, target, ignore=shutil.ignore_patterns("_skdeep_native*"))
"""


def run_copy(folder, code, kernels=""):
    environment = os.environ | {"PYTHONPATH": str(folder), "SKDEEP_KERNELS": kernels}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=folder
    )


@pytest.fixture
def package_without_extension(tmp_path):
    command = [sys.executable, "-c", WITHOUT_EXTENSION, tmp_path]
    subprocess.run(command, check=True, cwd=tmp_path)
    return tmp_path


SHOW = "import skdeep; skdeep.show_versions(); print(skdeep.__file__)"


def test_an_installation_without_compiled_kernels_is_told_so(package_without_extension):
    told = "installed without compiled kernels"
    run = run_copy(package_without_extension, SHOW)
    assert str(package_without_extension) in run.stdout
    assert "kernels: reference" in run.stdout and told in run.stdout
    assert "install it again" in run.stdout and "C++17 compiler" in run.stdout
    assert "circular" not in run.stdout
    asked = run_copy(package_without_extension, SHOW, "native").stderr
    assert told in asked and "C++17 compiler" in asked
    assert "circular" not in asked


def test_a_broken_extension_says_its_own_error(package_without_extension):
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    folder = package_without_extension / "skdeep" / "kernels" / "runtime"
    (folder / f"_skdeep_native{suffix}").write_bytes(b"not a library")
    for run in (
        run_copy(package_without_extension, SHOW).stdout,
        run_copy(package_without_extension, SHOW, "native").stderr,
    ):
        assert "cannot be imported" in run and f"_skdeep_native{suffix}" in run
        assert "without compiled kernels" not in run


@pytest.mark.parametrize("hidden", [(20,), (200, 200)], ids=str)
def test_sums_of_parts_of_the_rows_train_as_whole_gradients_do(hidden, monkeypatch):
    X, y = data()
    model = MLPClassifier(hidden, max_iter=3, random_state=0)
    parts = model.fit(X, y).coefs_
    monkeypatch.setattr("skdeep.kernels.dense._MOST_NUMBERS", 0)
    whole = model.fit(X, y).coefs_
    assert any((a != b).any() for a, b in zip(parts, whole, strict=True))
    for a, b in zip(parts, whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
