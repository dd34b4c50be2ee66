"""Every example runs, as a user would run it."""

import os
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
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


def test_the_benchmark_of_ensembles_runs(tmp_path):
    command = [sys.executable, EXAMPLES / "benchmarks" / "ensembles.py"]
    command += ["--members", "2", "--repeats", "1", "--rounds", "1", "--epochs", "2"]
    command += ["--only", "wine", "times"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert re.search(r"^wine +log loss +0\.\d+ ", run.stdout, re.M)
    assert re.search(r"^EnsembleClassifier +\d+\.\d+ s$", run.stdout, re.M)


def test_the_benchmark_of_scalers_runs(tmp_path):
    command = [sys.executable, EXAMPLES / "benchmarks" / "scalers.py"]
    command += ["--rows", "1000", "--rounds", "1", "--only", "MaxAbs"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "MaxAbsScaler" in run.stdout


def test_the_benchmark_of_tables_runs(tmp_path):
    table = "color,size,value\n" + "red,1,0.5\nblue,,1.5\nred,3,2.25\n" * 30
    (tmp_path / "toy.csv").write_text(table)
    command = [sys.executable, EXAMPLES / "benchmarks" / "tables.py"]
    command += ["--splits", "1", "--preset", "fast"]
    # threads that wait for each other busily take minutes on a busy machine
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for options in (["--only", "iris"], ["--folder", tmp_path]):
        run = subprocess.run(
            [*command, *options],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        name = options[1] if options[0] == "--only" else "toy"
        assert re.search(rf"^{name} +(\d+\.\d+ +){{4}}", run.stdout, re.MULTILINE)
        assert "geometric mean" in run.stdout


def test_the_example_of_photographs_says_how_many_epochs_fit_and_what_they_bring(tmp_path):
    image = pytest.importorskip("PIL.Image")
    generator, jpeg = np.random.default_rng(0), []
    for picture in generator.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8):
        file = BytesIO()
        image.fromarray(picture).save(file, "JPEG")
        jpeg.append(np.frombuffer(file.getvalue(), np.uint8))
    ends = np.cumsum([len(bytes_) for bytes_ in jpeg])
    data = {"jpeg": np.concatenate(jpeg), "ends": ends, "y": np.arange(60) % 3}
    np.savez(tmp_path / "photographs.npz", **data)
    command = [sys.executable, EXAMPLES / "photographs.py", "--data", "photographs.npz"]
    command += ["--minutes", "0.01", "--held-back", "12"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert re.search(r"A step takes .* s: \d+ epochs of 1 steps", run.stdout)
    assert re.search(r"48 photographs, \d+ epochs: .* minutes", run.stdout)
    assert "Accuracy on 12 others: 0." in run.stdout


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
