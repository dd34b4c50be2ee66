"""The rooms of the package: what may import what, and one name for one thing."""

import ast
import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

pytestmark = pytest.mark.tiny

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "skdeep"

#: From the top down: a room may import from those below it, and from no other. A room
#: inside a room, such as svm.solvers, stands where its own imports allow.
ROOMS = (
    "callbacks",
    "inspection",
    "svm",
    "estimators",
    "svm.solvers",
    "training",
    "preprocessing",
    "layers",
    "losses",
    "optimizers",
    "schedules",
    "averaging",
    "augmentation",
    "initializers",
    "engine",
    "versions",
    "formulas",
    "kernels",
    "validation",
)


def modules_of(package):
    """The path of each module of a package, by its dotted name without the package's."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = path
    return modules


def imports_of(path, name, modules):
    """The line and the name of each module of the package that a file imports."""
    own = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                above = ["skdeep", *own.split(".")][: 1 - node.level or None]
                source = ".".join(filter(None, [*above, source]))
            found = [f"{source}.{alias.name}" for alias in node.names]
        else:
            continue
        for dotted in found:
            first, _, imported = dotted.partition(".")
            if first == "skdeep":
                yield node.lineno, module_with(imported, modules)


def module_with(dotted, modules):
    """The module that a dotted name is, or is in."""
    while dotted not in modules:
        dotted = dotted.rpartition(".")[0]
    return dotted


def room_of(module):
    """The innermost room that a module belongs to; None is the root of the package."""
    rooms = [room for room in ROOMS if f"{module}.".startswith(f"{room}.")]
    return max(rooms, key=len, default=None)


def imports_that_go_up(package):
    """What is wrong with each import that does not go down the list of rooms."""
    modules = modules_of(package)
    for name, path in modules.items():
        room = room_of(name)
        if room is None:
            continue
        below = ROOMS[ROOMS.index(room) + 1 :]
        for line, imported in imports_of(path, name, modules):
            if room_of(imported) not in (room, *below):
                yield (
                    f"{path.relative_to(package.parent)}:{line}: {room} imports skdeep"
                    f"{'.' * bool(imported)}{imported}. Imports go down the list of rooms: "
                    f"from {room}, only to {', '.join(below) or 'nothing'}."
                )


def test_imports_go_down_the_list_of_rooms():
    wrong = list(imports_that_go_up(PACKAGE))
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(
    "code",
    [
        "from skdeep.training.trainer import descend",
        "from skdeep import training",
        "from skdeep import MLPClassifier",
        "import skdeep.training.trainer as t",
        "from ..training.trainer import descend",
        "from .. import training",
        "def late():\n    from skdeep.training import trainer",
    ],
)
def test_an_import_that_goes_up_would_be_found(code, tmp_path):
    files = {"__init__.py": "", "training/__init__.py": "", "training/trainer.py": ""}
    files |= {"layers/__init__.py": "", "layers/dense.py": f"import math\n{code}"}
    for name, text in files.items():
        path = tmp_path / "skdeep" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (wrong,) = imports_that_go_up(tmp_path / "skdeep")
    line = 3 if code.startswith("def") else 2
    assert wrong.startswith(f"skdeep/layers/dense.py:{line}: layers imports skdeep")
    assert "training" not in wrong.partition("only to ")[2]


def test_no_imports_go_in_a_circle():
    modules = modules_of(PACKAGE)
    graph = {
        name: {imported for _, imported in imports_of(path, name, modules)}
        for name, path in modules.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1]))


def private_doors(path):
    """Where a file uses a private attribute of anything but the object it is about."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
            owner = node.value
            if not (isinstance(owner, ast.Name) and owner.id in ("self", "cls")):
                yield f"{path.name}:{node.lineno}: {ast.unparse(node)}"


def test_who_looks_into_estimators_opens_no_private_doors():
    """They ask `estimators/inside.py`."""
    files = [PACKAGE / "callbacks.py", *(PACKAGE / "inspection").glob("*.py")]
    doors = [door for path in files for door in private_doors(path)]
    assert doors == [], "\n".join(doors)


def test_the_root_holds_rooms_alone():
    names = {module.partition(".")[0] for module in modules_of(PACKAGE)}
    assert names - {""} == {room.partition(".")[0] for room in ROOMS}


def test_no_two_modules_have_one_name():
    """A family of kernels has the name of the layer, or of the root's module, it is for."""
    names, families, owners = Counter(), set(), set()
    for path in PACKAGE.rglob("*.py"):
        if path.stem.startswith("__"):
            continue
        room = path.parent.relative_to(PACKAGE).parts
        if room == ("kernels",):
            families.add(path.stem)
            continue
        names[path.stem] += 1
        if room in ((), ("layers",)):
            owners.add(path.stem)
    assert [name for name, count in names.items() if count > 1] == []
    assert (families & set(names)) - owners == set()


def test_no_two_families_of_compiled_kernels_have_one_name():
    """Each source ends with a table that is named for it."""
    sources = [*PACKAGE.glob("kernels/*.cpp"), *PACKAGE.glob("layers/*.cpp")]
    assert len(sources) > 10
    assert len({path.stem for path in sources}) == len(sources)


def test_tests_lie_in_rooms_of_the_same_names():
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    rooms = {str(path.relative_to(ROOT / "tests")) for path in folders} - {"."}
    assert rooms <= {room.replace(".", "/") for room in ROOMS}


def test_every_room_has_tiny_tests():
    """`pytest -m tiny` says something of each part of the package."""
    tests = ROOT / "tests"
    rooms = {path.parent for path in tests.rglob("test_*.py")}
    tiny = re.compile(r"^pytestmark = pytest\.mark\.tiny$", re.M)
    without = [
        room.name
        for room in rooms
        if not any(tiny.search(path.read_text("utf-8")) for path in room.glob("test_*.py"))
    ]
    assert without == []


def test_the_page_on_architecture_lists_the_rooms_in_this_order():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## The rooms")[2].partition("\n## ")[0]
    first_cells = re.findall(r"^\| (`[^|]*) \|", table, re.M)
    listed = re.findall(r"`([\w/]+?)/?(?:\.py)?`", " ".join(first_cells))
    assert tuple(name.replace("/", ".") for name in listed) == ROOMS
