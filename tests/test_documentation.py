"""The documentation is true: its code runs, prints what it shows, and its links lead on."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import skdeep
from skdeep import augmentation, preprocessing
from skdeep.layers.activation import ACTIVATIONS
from skdeep.optimizers import OPTIMIZERS

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [page for page in [ROOT / "README.md", *DOCS] if page.exists()]

FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
PYTHON = re.compile(
    r"^```python\n(.*?)^```$(?:\s+^```(?:text|output)\n(.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def each(pages):
    names = [str(page.relative_to(ROOT)) for page in pages]
    return pytest.mark.parametrize("page", pages, ids=names)


def python_blocks(text):
    """Each python block with its first line's number and the output shown, or None."""
    for block in PYTHON.finditer(text):
        yield text.count("\n", 0, block.start(1)) + 1, block[1], block[2]


def prose(text):
    """The text without its code."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def anchors(text):
    """The names that GitHub gives to a page's headings."""
    for heading in HEADING.findall(FENCE.sub("", text)):
        kept = re.sub(r"[^\w\- ]", "", heading.lower())
        yield kept.replace(" ", "-")


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A directory to write to, no display, one thread, and NumPy's own way to print."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    with np.printoptions(), threadpool_limits(1):
        yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.usefixtures("fresh")
@each(PAGES)
def test_code_prints_what_is_shown(page):
    namespace = {"__name__": "__main__"}
    for line, code, shown in python_blocks(page.read_text(encoding="utf-8")):
        printed = StringIO()
        # empty lines before the code give tracebacks the page's line numbers
        compiled = compile("\n" * (line - 1) + code, str(page), "exec")
        with redirect_stdout(printed):
            exec(compiled, namespace)
        if shown is not None:
            assert printed.getvalue() == shown, f"{page.name}, line {line}"


ARCHITECTURE = ROOT / "docs" / "architecture.md"
RECIPE = re.compile(r"^```(?:py|diff)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def recipe_steps(page):
    """Each step of the recipes: a file, what of it is to be changed, and the new code."""
    for step in RECIPE.finditer(page):
        before = page[: step.start()]
        file = re.findall(r"`skdeep/([\w/]+\.py)`", before)[-1]
        name = re.findall(r"`(__all__|[A-Z_]{6,})`", before)[-1]
        yield file, name, re.sub(r"^\+", "", step[1], flags=re.MULTILINE)


def with_new_code(text, name, code):
    """A class comes before the table of names at the file's end, an entry into a list."""
    if code.startswith("class "):
        place = [table.start() for table in re.finditer(r"^[A-Z_]+ = \{$", text, re.M)][-1]
        return f"{text[:place]}{code}\n\n{text[place:]}"
    place = re.search(rf"^{name} = [\[{{]\n", text, re.M).end()
    return text[:place] + code + text[place:]


def output_of(command, folder, environment):
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recipes_add_an_activation_a_loss_and_an_optimizer(tmp_path):
    package = tmp_path / "skdeep"
    no_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(skdeep.__file__).parent, package, ignore=no_caches)
    *changes, last = recipe_steps(ARCHITECTURE.read_text(encoding="utf-8"))
    assert len(changes) == 6
    for file, name, code in changes:
        text = (package / file).read_text(encoding="utf-8")
        (package / file).write_text(with_new_code(text, name, code), encoding="utf-8")
    program = f"""import skdeep
assert skdeep.__file__ == {str(package / "__init__.py")!r}
{last[-1]}
from skdeep import kernels
from skdeep.optimizers import SignSGD
made = kernels.loss_kernel(GemanMcClure()), kernels.step_kernel(SignSGD())
for kernel in (*made, *kernels.ACTIVATIONS["gaussian"]):
    print(kernel.formula.symbol)
"""
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    symbols = output_of([sys.executable, "-c", program], tmp_path, environment).split()
    assert len(symbols) == 4
    # the next build will compile them
    sources = [*package.glob("losses/*.py"), package / "optimizers.py"]
    writer = [sys.executable, "-m", "formulas", tmp_path, *sources]
    output_of(writer, package / "kernels", environment)
    written = (tmp_path / "formulas.cpp").read_text(encoding="utf-8")
    assert [symbol for symbol in symbols if f"{symbol}<float>" not in written] == []


def test_the_compiled_half_that_is_shown_is_the_one_that_is_built():
    def code_of(text):
        return " ".join(re.sub(r"//.*", "", text).split())

    page = ARCHITECTURE.read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```cpp\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    source = ROOT / "skdeep" / "layers" / "prelu.cpp"
    code = code_of(source.read_text(encoding="utf-8"))
    parts = shown.split("// ...\n")
    assert len(parts) == 3
    assert [part for part in parts if code_of(part) not in code] == []


@each(PAGES)
def test_links_lead_to_files_and_headings(page):
    for link in LINK.findall(prose(page.read_text(encoding="utf-8"))):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_index_lists_every_page():
    index = ROOT / "docs" / "README.md"
    listed = set(LINK.findall(index.read_text(encoding="utf-8")))
    assert {page.name for page in DOCS} - {index.name} <= listed


INSTALLED = re.compile(
    r"pip3?\s+(?:install|download|wheel)\b[^`\n]*?[\s\"']skdeep(?![\w.-])"
)
WRITTEN_BY_HAND = {".py", ".md", ".toml", ".txt", ".cfg", ".yml", ".yaml", ""}


def test_nobody_is_told_to_install_another_project():
    """On the package index `skdeep` is somebody else's; ours is scikit-deep."""
    folders = [ROOT / name for name in (".ci", "docs", "examples", "skdeep", "tests")]
    files = [path for folder in folders for path in folder.rglob("*")]
    files += ROOT.glob("*")
    told = []
    for path in files:
        if path.is_file() and path.suffix in WRITTEN_BY_HAND:
            text = path.read_text(encoding="utf-8")
            told += [(path.name, command) for command in INSTALLED.findall(text)]
    assert told == []


@pytest.mark.parametrize(
    "command", ["skdeep", '"skdeep[plot]"', "-U skdeep", "--user 'skdeep==1'", "a skdeep"]
)
def test_such_an_advice_would_be_found(command):
    assert INSTALLED.search(" ".join(["pip", "install", command]))


def test_the_distribution_has_a_name_of_its_own():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    assert project["name"] == "scikit-deep"
    assert project["version"] == skdeep.__version__


def test_show_versions_names_the_distribution(capsys):
    skdeep.show_versions()
    assert capsys.readouterr().out.startswith(f"scikit-deep: {skdeep.__version__}\n")


def test_the_readme_names_what_there_is():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    estimators = [
        name for name in skdeep.__all__ if isinstance(getattr(skdeep, name), type)
    ]
    assert len(estimators) >= 8
    assert [name for name in estimators if f"`{name}`" not in text] == []
    optimizers = {name.replace("lbfgs", "l-bfgs") for name in OPTIMIZERS}
    assert [name for name in optimizers if name not in text.lower()] == []
    scalers = {name.removesuffix("Scaler") for name in preprocessing.__all__}
    words = {"MinMax": "min-max", "MaxAbs": "max-abs", "UnitNorm": "unit norm"}
    words |= {"Log": "logarithm", "Quantile": "quantiles", "Target": "targets"}
    words |= {"PiecewiseLinearEncoder": "piecewise linear encoding"}
    words |= {"TabularPreprocessor": "`TabularPreprocessor`"}
    words |= {"TargetMeanEncoder": "means of the target"}
    named = [words.get(name, name.lower()) in text for name in scalers]
    assert all(named), scalers
    assert len(ACTIVATIONS) == 13 and "Thirteen activations" in text
    changes = {"flips": "RandomFlip", "crops": "RandomCrop", "shifts": "RandomShift"}
    changes |= {"cutout": "Cutout", "mixup": "Mixup"}
    assert set(augmentation.__all__) - {"Augmentation"} == set(changes.values())
    assert all(word in text for word in changes)


def test_the_readme_shows_the_times_of_the_page_on_performance():
    def rows(page):
        text = (ROOT / page).read_text(encoding="utf-8").replace(", hidden", "")
        for line in re.findall(r"^\| ((?:digits|MNIST 20,000) \(.*) \|$", text, re.M):
            yield [cell.strip() for cell in line.split("|")]

    table = {}
    for name, *cells in rows("docs/performance.md"):
        table.setdefault(name, cells)  # the first is that of the compiled kernels
    shown = list(rows("README.md"))
    assert len(shown) == 5
    for name, *cells in shown:
        for cell, exact in zip(cells, table[name], strict=False):
            ours, theirs = (float(text.split()[0]) for text in (cell, exact))
            assert ours == theirs or ours == round(theirs), name
