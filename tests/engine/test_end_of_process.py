"""A process that ends while its threads train and predict: status 0, and not a word."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SETUP = """
import os, sys, threading, time, warnings
import numpy as np
from skdeep import MLPClassifier, MLPRegressor
from skdeep.losses import Loss

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.normal(size=(3000, 50))
y = rng.integers(0, 3, 3000)

class FourthPower(Loss):
    def value(self, target, z):
        return np.mean((z - target) ** 4, axis=1)

    def gradient(self, target, z):
        return 4 * (z - target) ** 3 / z.shape[1]

def predict():
    model = MLPClassifier((200,), max_iter=1).fit(X, y)
    started.set()
    while True:
        model.predict(X)

def fit():
    started.set()
    while True:
        MLPClassifier((200,), max_iter=50).fit(X, y)

def fit_with_callback():
    started.set()
    while True:
        MLPRegressor((200,), loss=FourthPower(), max_iter=50).fit(X, X[:, 0])

started = threading.Event()

def work_until_the_end(function):
    threading.Thread(target=function, daemon=True).start()
    started.wait()
    time.sleep(0.2)
"""
WORK = ("predict", "fit", "fit_with_callback")


def run(code):
    return subprocess.run(
        [sys.executable, "-c", SETUP + code],
        cwd=tempfile.gettempdir(),
        env=os.environ | {"OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_silent(outcome):
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


@pytest.mark.parametrize("work", WORK)
def test_daemon_threads_do_not_disturb_the_end(work):
    assert_silent(run(f"work_until_the_end({work})"))


def test_several_daemon_threads_do_not_disturb_the_end():
    assert_silent(run("\n".join(f"work_until_the_end({work})" for work in WORK)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("work", WORK)
def test_a_forked_child_ends_like_its_parent(work):
    code = f"""
MLPClassifier((200,), max_iter=1).fit(X, y)
child = os.fork()
work_until_the_end({work})
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    assert_silent(run(code))


def test_the_code_of_the_architecture_page_leaves_nothing_behind():
    """Kernels in Python, and programs that know them, in the script's own names."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "architecture.md").read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    outcome = run(code)
    assert (outcome.returncode, outcome.stderr) == (0, "")
