"""Every example runs, as a user would run it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_example_runs(example, tmp_path):
    run = subprocess.run(
        [sys.executable, example], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout


def test_the_benchmark_of_convolution_runs_without_peers(tmp_path):
    command = [sys.executable, EXAMPLES / "benchmarks" / "convnet.py"]
    command += ["--rounds", "1", "--images", "128"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "batch 128" in run.stdout


def test_the_benchmark_runs_without_data_and_peers(tmp_path):
    command = [sys.executable, EXAMPLES / "benchmarks" / "mlp.py"]
    command += ["--rounds", "1", "--data", tmp_path]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "MNIST cases are skipped" in run.stdout
    assert "digits (64, 32), batch 32" in run.stdout


def test_the_benchmark_of_embeddings_tells_their_share_of_a_step(tmp_path):
    command = [sys.executable, EXAMPLES / "benchmarks" / "periodic_embedding.py"]
    command += ["--rounds", "1", "--threads", "1", "--units", "8"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert re.search(r"^float32 .*%", run.stdout, re.M)


def test_the_benchmark_of_scalers_runs(tmp_path):
    command = [sys.executable, EXAMPLES / "benchmarks" / "scalers.py"]
    command += ["--rows", "1000", "--rounds", "1", "--only", "MaxAbs"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "MaxAbsScaler" in run.stdout


def test_the_example_of_gradients_teaches_what_it_says(tmp_path):
    command = [sys.executable, EXAMPLES / "gradient_flow.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    rows = re.findall(r"^(\S.*?)\s+\S+\s+\S+\s+(\w+ing|healthy)\s+(\S+)$", run.stdout, re.M)
    table = {name: (verdict, float(score)) for name, verdict, score in rows}
    assert len(table) == 6
    healthy = [score for verdict, score in table.values() if verdict == "healthy"]
    others = [score for verdict, score in table.values() if verdict != "healthy"]
    assert len(healthy) == 2 and min(healthy) > 0.8  # healthy gradients learn
    assert max(others) < min(healthy)  # and better than any that are not
    clipped, unclipped = table["the same, clipped"], table["ReLU, weights too large"]
    assert clipped[1] > unclipped[1] + 0.3  # clipping helps
