"""The formulas that stand in source files, read without importing these.

The package's losses and optimizers are classes that need NumPy and scikit-learn, which
are not there when the package is built. The build needs their formulas alone: methods of
``(self, z, target)`` or of ``(self, parameters, gradient, ...)``, which use nothing but the
functions of this folder, functions and numbers of their file, and attributes of ``self``
that are numbers.

What cannot be read so is no error: it is not compiled, and the register machine runs it.
"""

import ast
import math
import re

from . import expression
from .formula import loss_formula, step_formula


def formulas_of(text):
    """The formulas of losses and optimizer steps in a source file.

    Parameters
    ----------
    text : str
        The file's content.

    Returns
    -------
    formulas : list of Formula
    """
    names = {name: getattr(expression, name) for name in dir(expression)} | {"math": math}
    body = ast.parse(text).body
    for node in body:
        if isinstance(node, ast.Assign):
            _note_number(node, names)
        elif isinstance(node, ast.FunctionDef):
            _define(node, names, names)
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    return [
        formula
        for node in classes
        for method in node.body
        if isinstance(method, ast.FunctionDef)
        for formula in _read(node.name, method, names)
    ]


def kernel_name(qualified, suffix=""):
    """A kernel's name: that of the class where its method is ``formula``, else that.

    Examples
    --------
    >>> kernel_name("LogCosh.formula"), kernel_name("Adam.formula", "_step")
    ('log_cosh', 'adam_step')
    >>> kernel_name("SGD._momentum_step", "_step")
    'momentum_step'
    """
    owner, _, method = qualified.rpartition(".")
    if method != "formula":
        return method.strip("_")
    owner = owner.rpartition(".")[2].strip("_")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", owner).lower() + suffix


def _read(owner, method, names):
    arguments = [argument.arg for argument in method.args.args]
    is_loss = arguments == ["self", "z", "target"]
    if not is_loss and arguments[:3] != ["self", "parameters", "gradient"]:
        return []
    make = loss_formula if is_loss else step_formula
    name = kernel_name(f"{owner}.{method.name}", "" if is_loss else "_step")
    found = {}
    _define(method, names, found)
    try:
        return [make(name, found[method.name])]
    except Exception:  # it needs more than its file: the register machine runs it
        return []


def _note_number(node, names):
    try:
        value = eval(compile(ast.Expression(node.value), "<formulas>", "eval"), {}, names)
    except Exception:  # it is no number made of numbers
        return
    if isinstance(value, int | float):
        names |= {t.id: value for t in node.targets if isinstance(t, ast.Name)}


def _define(node, names, found):
    """Define a function, without its decorators, annotations and defaults."""
    node.decorator_list, node.returns = [], None
    for argument in (*node.args.args, *node.args.kwonlyargs):
        argument.annotation = None
    node.args.defaults, node.args.kw_defaults = [], [None] * len(node.args.kwonlyargs)
    exec(compile(ast.Module([node], []), "<formulas>", "exec"), names, found)
