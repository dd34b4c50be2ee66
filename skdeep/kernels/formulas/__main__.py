"""Writes the C++ sources that come from formulas; the build runs it.

``python -m formulas FOLDER SOURCE...``, in the folder `skdeep/kernels`, needs nothing but
Python. The sources are files in which classes have formulas.
"""

import sys
from pathlib import Path

from .activations import NAMED_ACTIVATIONS
from .cpp_source import family_source
from .formula import vector_formula
from .parameters import VECTOR_FUNCTIONS
from .register_machine import machine_source
from .sources import formulas_of


def main(folder, *sources):
    formulas = [vector_formula(f.__name__, f) for f in VECTOR_FUNCTIONS]
    for name, activation in NAMED_ACTIVATIONS.items():
        formulas += activation.formulas(name)
    for source in sources:
        formulas += formulas_of(Path(source).read_text(encoding="utf-8"))
    unique = {formula.symbol: formula for formula in formulas}
    written = {
        "formulas.cpp": family_source(unique.values()),
        "register_machine.cpp": machine_source(),
    }
    for name, text in written.items():
        (Path(folder) / name).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
