"""Checkpoints: a fit that was killed, at any moment, ends with the very same bits."""

import errno
import io
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import MLPClassifier, MLPRegressor, __version__
from skdeep.averaging import StochasticWeightAveraging
from skdeep.callbacks import Checkpoint
from skdeep.inspection import GradientFlowReport
from skdeep.optimizers import OPTIMIZERS

DIGITS = """
from sklearn.datasets import load_digits
X, y = load_digits(return_X_y=True)
X, y = X[:700] / 16, y[:700]
"""
OPTIONS = {
    "hidden_layer_sizes": (40, 30),
    "batch_size": 64,
    "max_iter": 12,
    "n_iter_no_change": 100,
    "dropout": 0.2,
    "batch_norm": True,
    "learning_rate_schedule": "one_cycle",
    "random_state": 0,
}
# What a killed process runs: a fit with a checkpoint. Some kill themselves at a place of
# the third epoch's saving; the others are killed from outside.
SCRIPT = (
    DIGITS
    + """
import json, os, signal, sys
import numpy as np
from skdeep import MLPClassifier
from skdeep.callbacks import Checkpoint

path, place, result, options = sys.argv[1:]
saves = []

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

def save(*arguments, save=np.savez, replace=os.replace, **named):
    saves.append(1)
    if len(saves) == 3:
        if place == "before writing":
            die()
        if place == "while writing":
            file = arguments[0]
            write = file.write
            class HalfWritten:
                def write(self, data):
                    write(bytes(data)[: len(data) // 2])
                    file.flush()
                    die()
                def __getattr__(self, name):
                    return getattr(file, name)
            arguments = (HalfWritten(),)
        if place == "before renaming":
            os.replace = die
        if place == "after renaming":
            os.replace = lambda *names: (replace(*names), die())
    save(*arguments, **named)

np.savez = save
options = json.loads(options)
model = MLPClassifier(**options).set_callbacks(Checkpoint(path))
print("ready", flush=True)
model.fit(X, y)
np.save(result, model.network_.parameters)
np.save(result + ".state.npy", model.network_.statistics)
print(json.dumps(model.loss_curve_))
"""
)


def run(path, place, result, options=OPTIONS):
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, path, place, result]
    command = [*map(str, command), json.dumps(options)]
    # away from the sources: there, `python -c` would import them and not what is tested
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=path.parent)


@pytest.fixture(scope="module")
def data():
    namespace = {}
    exec(DIGITS, namespace)
    return namespace["X"], namespace["y"]


@pytest.fixture(scope="module")
def uninterrupted(data):
    return MLPClassifier(**OPTIONS).fit(*data)


def check_same(folder, process, model):
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert_array_equal(np.load(folder / "result.npy"), model.network_.parameters)
    assert_array_equal(np.load(folder / "result.npy.state.npy"), model.network_.statistics)
    assert json.loads(output.splitlines()[-1]) == model.loss_curve_


@pytest.mark.skipif(os.name == "nt", reason="processes cannot be killed by a signal")
@pytest.mark.parametrize(
    "place", ["before writing", "while writing", "before renaming", "after renaming"]
)
def test_a_fit_killed_while_it_saves_goes_on(tmp_path, uninterrupted, place):
    path, result = tmp_path / "fit.checkpoint", tmp_path / "result.npy"
    process = run(path, place, result)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    with np.load(path) as file:  # a whole file, of the last epoch that was saved
        state = json.loads(file["header"].tobytes())["state"]
    assert state["epoch"] == (3 if place == "after renaming" else 2)
    process = run(path, "nowhere", result)
    check_same(tmp_path, process, uninterrupted)
    assert set(os.listdir(tmp_path)) == {"result.npy", "result.npy.state.npy"}


@pytest.mark.skipif(os.name == "nt", reason="processes cannot be killed by a signal")
def test_a_fit_killed_again_and_again_goes_on(tmp_path, data):
    options = OPTIONS | {"hidden_layer_sizes": (200, 100), "max_iter": 40}
    path, result = tmp_path / "fit.checkpoint", tmp_path / "result.npy"
    rng = np.random.default_rng(0)
    epochs = []
    for _ in range(4):
        process = run(path, "nowhere", result, options)
        process.stdout.readline()  # its imports are done
        before, end = _stamp(path), time.monotonic() + 60
        while _stamp(path) == before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.communicate()
        if path.exists():
            with np.load(path) as file:
                state = json.loads(file["header"].tobytes())["state"]
            epochs.append(state["epoch"])
    assert epochs and epochs == sorted(epochs)
    process = run(path, "nowhere", result, options)
    check_same(tmp_path, process, MLPClassifier(**options).fit(*data))


def _stamp(path):
    return path.stat().st_mtime_ns if path.exists() else None


class StopsWith:
    """A callback that raises at the end of an epoch, as if the process had ended there."""

    def __init__(self, epoch, error=RuntimeError):
        self.epoch, self.error = epoch, error

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch" and context.task_id == self.epoch - 1:
            raise self.error("stopped by the test")

    def teardown(self, estimator, context):
        pass


class Counts(StopsWith):
    """A callback that lists the epochs that are done."""

    def __init__(self):
        self.epochs = []

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "epoch":
            self.epochs.append(context.task_id)


def begin(model, path, *data, epoch=4, **options):
    """Fit a few epochs of a model, as far as a file, and leave the file behind."""
    model.set_callbacks(Checkpoint(path, **options), StopsWith(epoch))
    with pytest.raises(RuntimeError, match="stopped by the test"):
        model.fit(*data)
    return model


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS.keys() - {"lbfgs"}))
def test_every_optimizer_goes_on_exactly(tmp_path, data, optimizer):
    options = dict(optimizer=optimizer, max_iter=6, random_state=0)
    begin(MLPClassifier(**options), tmp_path / "file", *data)
    resumed = MLPClassifier(**options).set_callbacks(Checkpoint(tmp_path / "file"))
    resumed.fit(*data)
    assert resumed.n_iter_ == 6
    whole = MLPClassifier(**options).fit(*data)
    assert_array_equal(resumed.network_.parameters, whole.network_.parameters)


@pytest.mark.parametrize("average", ["ema", StochasticWeightAveraging(start=3)], ids=str)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_averages_and_records_of_gradients_go_on(tmp_path, data, average, early_stopping):
    options = {
        "weight_averaging": average,
        "early_stopping": early_stopping,
        "batch_norm": True,
        "record": "gradients",
        "max_iter": 8,
        "random_state": 0,
    }
    begin(MLPClassifier(**options), tmp_path / "file", *data)
    resumed = MLPClassifier(**options).set_callbacks(Checkpoint(tmp_path / "file"))
    resumed.fit(*data)
    whole = MLPClassifier(**options).fit(*data)
    assert_array_equal(resumed.network_.parameters, whole.network_.parameters)
    assert_array_equal(resumed.network_.statistics, whole.network_.statistics)
    for name, values in whole.history_.items():
        assert_array_equal(resumed.history_[name], values)
    report, same = map(GradientFlowReport.from_estimator, (whole, resumed))
    assert str(report) == str(same)


@pytest.mark.parametrize("every", [2, 3])
def test_files_may_be_written_more_rarely(tmp_path, data, every):
    begin(MLPClassifier(**OPTIONS), tmp_path / "file", *data, epoch=5, every_n_epochs=every)
    with np.load(tmp_path / "file") as file:
        epoch = json.loads(file["header"].tobytes())["state"]["epoch"]
    assert epoch == 4 if every == 2 else 3
    resumed = MLPClassifier(**OPTIONS).set_callbacks(Checkpoint(tmp_path / "file"))
    whole = MLPClassifier(**OPTIONS).fit(*data)
    assert_array_equal(resumed.fit(*data).network_.parameters, whole.network_.parameters)


@pytest.mark.parametrize("schedule", ["plateau", "cosine"])
def test_early_stopping_and_schedules_go_on(tmp_path, data, schedule):
    options = dict(
        early_stopping=True,
        monitor="balanced_accuracy",
        learning_rate=0.05,
        learning_rate_schedule=schedule,
        n_iter_no_change=5,
        max_iter=40,
        random_state=0,
    )
    begin(MLPClassifier(**options), tmp_path / "file", *data)
    resumed = MLPClassifier(**options).set_callbacks(Checkpoint(tmp_path / "file"))
    resumed.fit(*data)
    whole = MLPClassifier(**options).fit(*data)
    assert_array_equal(resumed.network_.parameters, whole.network_.parameters)
    assert resumed.validation_scores_ == whole.validation_scores_
    assert resumed.best_iter_ == whole.best_iter_
    assert_array_equal(resumed.history_["learning_rate"], whole.history_["learning_rate"])


def test_a_monitor_that_is_a_function_goes_on(tmp_path, data):
    def scorer():  # a new object each time, as in a new process
        def accuracy(estimator, X, y):
            return estimator.score(X, y)

        return accuracy

    options = dict(early_stopping=True, max_iter=8, random_state=0)
    begin(MLPClassifier(monitor=scorer(), **options), tmp_path / "file", *data)
    resumed = MLPClassifier(monitor=scorer(), **options)
    resumed.set_callbacks(Checkpoint(tmp_path / "file")).fit(*data)
    whole = MLPClassifier(monitor=scorer(), **options).fit(*data)
    assert_array_equal(resumed.network_.parameters, whole.network_.parameters)


def test_without_a_random_state_that_of_the_file_goes_on(tmp_path, data):
    first = MLPClassifier(max_iter=6, early_stopping=True)
    first.set_callbacks(Checkpoint(tmp_path / "file"), StopsWith(4, KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        first.fit(*data)
    resumed = MLPClassifier(max_iter=6, early_stopping=True)
    resumed.set_callbacks(Checkpoint(tmp_path / "file")).fit(*data)
    assert resumed.loss_curve_[:4] == first.loss_curve_
    assert first._training_state.key == resumed._training_state.key


def test_after_an_interrupt_the_same_fit_goes_on(tmp_path, data):
    options = dict(max_iter=6, random_state=0)
    model = MLPClassifier(**options)
    model.set_callbacks(Checkpoint(tmp_path / "file"), StopsWith(3, KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data)
    assert model.n_iter_ == 3
    model.set_callbacks(Checkpoint(tmp_path / "file")).fit(*data)
    whole = MLPClassifier(**options).fit(*data)
    assert_array_equal(model.network_.parameters, whole.network_.parameters)


def test_a_warm_started_fit_goes_on(tmp_path, data):
    options = dict(max_iter=5, random_state=0, warm_start=True)
    half = MLPClassifier(**options).fit(*data)
    begin(half, tmp_path / "file", *data, epoch=3)
    resumed = MLPClassifier(**options).fit(*data)
    resumed.set_callbacks(Checkpoint(tmp_path / "file")).fit(*data)
    whole = MLPClassifier(max_iter=10, random_state=0).fit(*data)
    assert resumed.n_iter_ == 10
    assert_array_equal(resumed.network_.parameters, whole.network_.parameters)
    # a fit from the start is another one
    begin(MLPClassifier(**options).fit(*data), tmp_path / "file", *data, epoch=3)
    with pytest.raises(ValueError, match="epochs before was 5, is 0"):
        MLPClassifier(**options).set_callbacks(Checkpoint(tmp_path / "file")).fit(*data)


def test_a_fit_that_had_ended_does_nothing_more(tmp_path, data):
    options = dict(max_iter=4, random_state=0)
    begin(MLPClassifier(**options), tmp_path / "file", *data, epoch=4)
    resumed = MLPClassifier(**options).set_callbacks(Checkpoint(tmp_path / "file"))
    assert resumed.fit(*data).n_iter_ == 4
    whole = MLPClassifier(**options).fit(*data)
    assert_array_equal(resumed.network_.parameters, whole.network_.parameters)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"max_iter": 7}, "max_iter was 6, is 7"),
        ({"optimizer": "sgd"}, "optimizer was 'adam', is 'sgd'"),
        ({"dropout": 0.1}, "dropout was 0.0, is 0.1"),
    ],
)
def test_other_parameters_are_refused(tmp_path, data, change, message):
    options = dict(max_iter=6, random_state=0)
    begin(MLPClassifier(**options), tmp_path / "file", *data)
    model = MLPClassifier(**options | change).set_callbacks(Checkpoint(tmp_path / "file"))
    with pytest.raises(ValueError, match=message):
        model.fit(*data)


def test_other_data_are_refused(tmp_path, data):
    X, y = data
    options = dict(max_iter=6, random_state=0)
    begin(MLPClassifier(**options), tmp_path / "file", *data)
    model = MLPClassifier(**options).set_callbacks(Checkpoint(tmp_path / "file"))
    changed = X.copy()
    changed[0, 0] += 1
    with pytest.raises(ValueError, match=r"training: X was float64 \(700, 64\)"):
        model.fit(changed, y)
    with pytest.raises(ValueError, match="training: sample_weight was None, is float64"):
        model.fit(X, y, sample_weight=np.ones(len(y)))
    with pytest.raises(ValueError, match="X_val was None"):
        model.fit(X, y, X_val=X, y_val=y)


def test_verbose_may_change(tmp_path, data, capsys):
    options = dict(max_iter=6, random_state=0)
    begin(MLPClassifier(**options), tmp_path / "file", *data)
    MLPClassifier(**options, verbose=1).set_callbacks(Checkpoint(tmp_path / "file")).fit(
        *data
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["Epoch 5", "Epoch 6"]


def truncate(contents, rng):
    return contents[: rng.integers(len(contents))]


def flip(contents, rng):
    """One to eight bytes are other ones, anywhere."""
    changed = bytearray(contents)
    for place in rng.integers(len(contents), size=rng.integers(1, 9)):
        changed[place] ^= rng.integers(1, 256)
    return bytes(changed)


def flip_in_the_directory(contents, rng):
    """Damage where an archive says what it holds, at its end."""
    size = rng.integers(1, 600)
    return contents[:-size] + flip(contents[-size:], rng)


def exchange(contents, rng):
    """Two stretches have changed places."""
    a, b, c, d = np.sort(rng.integers(len(contents) + 1, size=4))
    parts = [contents[:a], contents[c:d], contents[b:c], contents[a:b], contents[d:]]
    return b"".join(parts)


def overwrite(contents, rng):
    place, size = rng.integers(len(contents)), rng.integers(1, 2000)
    return contents[:place] + rng.bytes(size) + contents[place + size :]


def pickle_something(contents, rng):
    return pickle.dumps(["something", "else"])


def save_one_array(contents, rng):
    file = io.BytesIO()
    np.save(file, rng.normal(size=3))
    return file.getvalue()


def zip_something(contents, rng):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("header.npy" if rng.random() < 0.5 else "header", "[1]")
    return file.getvalue()


def other_arrays(contents, rng):
    """An archive that is whole, in which one of the arrays is another one."""
    file = io.BytesIO()
    with np.load(io.BytesIO(contents)) as archive:
        arrays = dict(archive)
    name = rng.choice(list(arrays))
    array = arrays[name]
    changes = [
        lambda: arrays.pop(name),
        lambda: arrays.update({name: array[:-1]}),
        lambda: arrays.update({name: array[None]}),
        lambda: arrays.update({name: array.astype(np.complex64)}),
        lambda: arrays.update({name: np.array("text")}),
        lambda: arrays.update({name: np.zeros(array.shape, array.dtype)}),
        lambda: arrays.update({name: np.float64(3)}),
        lambda: arrays.update({name: arrays["array_0"], "array_0": array}),
        lambda: arrays.update(header=np.frombuffer(b"[" * 100_000, dtype=np.uint8)),
        lambda: arrays.update(header=np.frombuffer(b'{"skdeep": [', dtype=np.uint8)),
        lambda: arrays.update(header=np.frombuffer(b"[1, 2]", dtype=np.uint8)),
    ]
    changes[rng.integers(len(changes))]()
    np.savez(file, **arrays)
    return file.getvalue()


DAMAGES = [
    (lambda contents, rng: b"", 1),
    (lambda contents, rng: rng.bytes(1000), 5),
    (truncate, 50),
    (flip, 150),
    (flip_in_the_directory, 150),
    (exchange, 50),
    (overwrite, 50),
    (pickle_something, 1),
    (save_one_array, 1),
    (zip_something, 5),
    (other_arrays, 150),
]


@pytest.mark.filterwarnings("ignore:Duplicate name", "ignore:.*header parsing")
def test_every_damaged_file_is_refused_by_name_or_does_no_harm(tmp_path, data):
    X, y = data[0][:40], data[1][:40]
    options = dict(hidden_layer_sizes=(4,), max_iter=4, batch_size=10, random_state=0)
    path = tmp_path / "digits.checkpoint"
    begin(MLPClassifier(**options), path, X, y, epoch=2)
    contents = path.read_bytes()
    whole = MLPClassifier(**options).fit(X, y)
    rng = np.random.default_rng(0)
    refused = 0
    for damage, times in DAMAGES:
        for number in range(times):
            path.write_bytes(damage(contents, rng))
            model = MLPClassifier(**options).set_callbacks(Checkpoint(path))
            try:
                model.fit(X, y)
            except ValueError as error:
                assert str(path) in str(error)
                refused += 1
            else:  # such as a byte of an archive's time of day
                weights = model.network_.parameters, whole.network_.parameters
                assert_array_equal(*weights, err_msg=f"{damage.__name__} {number}")
    assert refused > 400


def test_a_folder_in_the_place_of_the_file_is_refused_by_name(tmp_path, data):
    model = MLPClassifier(random_state=0).set_callbacks(Checkpoint(tmp_path))
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path))} cannot be read"):
        model.fit(*data)


def rewrite(path, **changes):
    """Change the header of a file that stays whole otherwise."""
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(arrays["header"].tobytes()) | changes
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def test_a_file_of_another_version_is_refused_in_words(tmp_path, data):
    path = tmp_path / "digits.checkpoint"
    begin(MLPClassifier(max_iter=6, random_state=0), path, *data)
    rewrite(path, skdeep="0.0.7")
    model = MLPClassifier(max_iter=6, random_state=0).set_callbacks(Checkpoint(path))
    with pytest.raises(ValueError, match=f"of skdeep 0.0.7; this is skdeep {__version__}"):
        model.fit(*data)


def test_a_file_of_another_class_is_refused_in_words(tmp_path, data):
    class Network(MLPClassifier):
        pass

    path = tmp_path / "digits.checkpoint"
    options = dict(max_iter=6, random_state=0)
    begin(MLPClassifier(**options), path, *data)
    message = r"of skdeep\.\S*\.MLPClassifier, not of .*\.Network\. Fit that"
    with pytest.raises(ValueError, match=message):
        Network(**options).set_callbacks(Checkpoint(path)).fit(*data)
    with pytest.raises(ValueError, match=r"MLPClassifier, not of .*MLPRegressor"):
        MLPRegressor(**options).set_callbacks(Checkpoint(path)).fit(*data)


@pytest.mark.parametrize(
    "place", ["{fingerprint}/fit.checkpoint", "{fingerprint}/{fingerprint}"]
)
def test_the_fingerprint_may_name_a_folder(tmp_path, data, place):
    options = dict(max_iter=6, random_state=0)
    first = begin(MLPClassifier(**options), tmp_path / place, *data, epoch=3)
    second = MLPClassifier(dropout=0.1, **options)
    begin(second, tmp_path / place, *data, epoch=2)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert not any("{fingerprint}" in str(path) for path in files)
    for model, epochs in ((first, 3), (second, 2)):
        resumed = clone(model).set_callbacks(Checkpoint(tmp_path / place), Counts())
        resumed.fit(*data)
        assert len(resumed._skl_callbacks[1].epochs) == 6 - epochs
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("room", [0, 50, 1000, 5000, 20_000])
def test_a_full_disk_is_named_and_training_goes_on(tmp_path, data, monkeypatch, room):
    class FullDisk:
        """A file on a disk on which so many bytes have room."""

        def __init__(self, file):
            self.file, self.left = file, room

        def write(self, data):
            self.left -= len(data)
            if self.left < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(data)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

    path = tmp_path / "digits.checkpoint"
    options = dict(max_iter=6, random_state=0)
    begin(MLPClassifier(**options), path, *data, epoch=3)
    contents = path.read_bytes()
    assert len(contents) > room

    def opened(name, mode="r", **named):
        file = open(name, mode, **named)  # noqa: SIM115 - who asks for it closes it
        return FullDisk(file) if "w" in mode else file

    monkeypatch.setattr("skdeep.training.checkpoint.open", opened, raising=False)
    model = MLPClassifier(**options).set_callbacks(Checkpoint(path), StopsWith(2))
    message = f"{re.escape(str(path))} cannot be saved .No space left on device."
    with pytest.warns(UserWarning, match=message) as told, pytest.raises(RuntimeError):
        model.fit(*data)
    assert told[0].filename == __file__  # of the user, not of skdeep
    # the last file that was whole is still there, and nothing else is
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == contents
    monkeypatch.undo()
    model = MLPClassifier(**options).set_callbacks(Checkpoint(path)).fit(*data)
    whole = MLPClassifier(**options).fit(*data)
    assert_array_equal(model.network_.parameters, whole.network_.parameters)


def test_a_training_on_a_full_disk_ends_as_any_other(tmp_path, data, monkeypatch):
    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    model = MLPClassifier(max_iter=6, random_state=0)
    with pytest.warns(UserWarning, match="cannot be saved"):
        model.set_callbacks(Checkpoint(tmp_path / "file")).fit(*data)
    whole = MLPClassifier(max_iter=6, random_state=0).fit(*data)
    assert_array_equal(model.network_.parameters, whole.network_.parameters)
    assert os.listdir(tmp_path) == []


def test_fits_at_the_same_time_may_share_a_file(tmp_path, data):
    options = OPTIONS | {"max_iter": 40}
    whole = MLPClassifier(**options).fit(*data)
    path = tmp_path / "digits.checkpoint"

    def fit(number):
        model = MLPClassifier(**options).set_callbacks(Checkpoint(path))
        return model.fit(*data).network_.parameters

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(fit, range(12)))
    for parameters in results:
        assert_array_equal(parameters, whole.network_.parameters)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="the script needs signals")
def test_processes_at_the_same_time_may_share_a_file(tmp_path, data):
    options = OPTIONS | {"max_iter": 100}
    path = tmp_path / "fit.checkpoint"
    folders = [tmp_path / str(number) for number in range(2)]
    for folder in folders:
        folder.mkdir()
    processes = [run(path, "nowhere", f / "result.npy", options) for f in folders]
    whole = MLPClassifier(**options).fit(*data)
    for folder, process in zip(folders, processes, strict=True):
        check_same(folder, process, whole)
    assert not path.exists()


def test_a_pipeline_with_a_checkpoint_on_its_network_goes_on(tmp_path, data):
    def pipeline():
        return make_pipeline(StandardScaler(), MLPClassifier(max_iter=6, random_state=0))

    first = pipeline()
    first[-1].set_callbacks(Checkpoint(tmp_path / "file"), StopsWith(4))
    with pytest.raises(RuntimeError):
        first.fit(*data)
    resumed = pipeline()
    resumed[-1].set_callbacks(Checkpoint(tmp_path / "file"))
    resumed.fit(*data)
    assert_array_equal(
        resumed[-1].network_.parameters, pipeline().fit(*data)[-1].network_.parameters
    )


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_fit_of_a_grid_search_has_a_file_of_its_own(tmp_path, data, n_jobs):
    model = MLPClassifier(max_iter=4, random_state=0)
    grid = {"hidden_layer_sizes": [(10,), (20,)]}
    # a fit of the search that did not come to its end
    X, y = data
    search = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs)
    train, _ = next(StratifiedKFold(2).split(X, y))
    path = tmp_path / "files" / "{fingerprint}.npz"
    unfinished = MLPClassifier((10,), max_iter=4, random_state=0)
    begin(unfinished, path, X[train], y[train], epoch=2)
    assert len(os.listdir(tmp_path / "files")) == 1
    model.set_callbacks(Checkpoint(path))
    search.fit(X, y)
    assert os.listdir(tmp_path / "files") == []
    plain = GridSearchCV(MLPClassifier(max_iter=4, random_state=0), grid, cv=2).fit(X, y)
    assert_array_equal(
        search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )


def test_partial_fit_takes_no_notice(tmp_path, data):
    model = MLPClassifier(random_state=0).set_callbacks(Checkpoint(tmp_path / "file"))
    model.partial_fit(*data, classes=np.arange(10))
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_saved_is_refused(tmp_path, data):
    checkpoint = Checkpoint(tmp_path / "file")
    with pytest.raises(ValueError, match="cannot save the training of optimizer='lbfgs'"):
        MLPRegressor(optimizer="lbfgs").set_callbacks(checkpoint).fit(*data)
    with pytest.raises(TypeError, match="It was set on LogisticRegression"):
        LogisticRegression().set_callbacks(checkpoint).fit(*data)
    with pytest.raises(ValueError, match="every_n_epochs"):
        Checkpoint(tmp_path / "file", every_n_epochs=0)
