"""Instructions for the compiled register machine, which runs formulas as they come.

A formula that was not there when the package was built, such as a user's own, runs without
a compiler: its instructions go over a block of numbers that stays in the cache, one after
the other (Alted 2010, "Why modern CPUs are starving", on numexpr). What each instruction
does is the same C++ that formulas are compiled to.
"""

from .cpp_source import OF_NUMBERS, OF_VECTORS
from .expression import CHOICES, FUNCTIONS, Constant, Scalar, in_order
from .registers import schedule

#: The number of each function.
NUMBERS = {name: number for number, name in enumerate(sorted(FUNCTIONS))}
# As many has the machine, of memory and of numbers.
_REGISTERS, _SLOTS = 128, 256
_CELL_KINDS = {None: 0, "float64": 1, "int64": 2}


def machine_code(formula):
    """The instructions of a formula.

    Parameters
    ----------
    formula : Formula
        What is to be computed.

    Returns
    -------
    code : list of int
        As `runtime/register_machine.h` describes it.

    constants : list of float
        The numbers that stand in it.
    """
    order = in_order(formula.results.values())
    slots, constants, scalar_code = _scalars(order, formula.numbers)
    instructions, scratch = schedule(formula.results, same=formula.same)
    arrays = [name for name in formula.arguments if name in _arrays(formula)]
    registers = [*arrays, *scratch]
    if formula.kind == "loss":
        registers.append("loss")
    met = _met_by_arrays(instructions)
    place = {name: i for i, name in enumerate(registers)}
    place |= {scalar: len(registers) + i for i, scalar in enumerate(met)}
    vector_code = []
    for one in instructions:
        operands = [place[argument] for argument in one.arguments]
        vector_code += _instruction(one.function, place[one.out], operands)
    head = [
        len(arrays),
        len(registers) - len(arrays),
        len(formula.numbers),
        len(constants),
        len(slots),
        len(met),
        len(scalar_code) // 5,
        len(vector_code) // 5,
        place.get("loss", -1),
    ]
    positions = [formula.arguments.index(name) for name in arrays]
    numbers = [
        value
        for name in formula.numbers
        for value in (
            formula.arguments.index(name),
            _CELL_KINDS[formula.cells.get(name)],
        )
    ]
    broadcast = [slots[scalar] for scalar in met]
    return [*head, *positions, *numbers, *broadcast, *scalar_code, *vector_code], constants


def fits(code):
    """Whether the machine has memory enough for the instructions."""
    arrays, scratch, _, _, slots, met = code[:6]
    return arrays + scratch + met <= _REGISTERS and slots <= _SLOTS


def _arrays(formula):
    return {*formula.reads, *formula.results} - {"loss"}


def _scalars(order, numbers):
    """A slot for every number: constants, arguments, and what is computed of them."""
    constants = [e for e in order if isinstance(e, Constant)]
    slots = {constant: i for i, constant in enumerate(constants)}
    for name in numbers:
        slots[Scalar(name)] = len(slots)
    code = []
    for expression in order:
        if expression.is_scalar and expression.arguments:
            if expression.function not in OF_NUMBERS:
                raise TypeError(f"{expression.function} takes an array, not only numbers.")
            operands = [slots[argument] for argument in expression.arguments]
            slots[expression] = len(slots)
            code += _instruction(expression.function, slots[expression], operands)
    return slots, [constant.value for constant in constants], code


def _met_by_arrays(instructions):
    """The scalars that instructions on arrays read, once each."""
    arguments = [a for one in instructions for a in one.arguments]
    return list(dict.fromkeys(a for a in arguments if not isinstance(a, str)))


def _instruction(function, out, operands):
    padded = [*operands, operands[0], operands[0]][:3]
    return [NUMBERS[function], out, *padded]


def machine_source():
    """The C++ source of what each instruction does."""
    vectors, numbers = [], []
    for name, number in NUMBERS.items():
        # registers hold 1 and 0 for what is true and false
        condition = "a != (T)0" if name in CHOICES else "a"
        body = OF_VECTORS[name].format(condition, "b", "c")
        if FUNCTIONS[name].is_condition:
            body = f"({body}) ? broadcast<T>(1) : broadcast<T>(0)"
        vectors.append(f"    case {number}: SKDEEP_EACH({body});\n")
        if name in OF_NUMBERS:
            body = OF_NUMBERS[name].format("a", "b", "c")
            numbers.append(f"    case {number}: return {body};\n")
    return _FILE.format(vectors="".join(vectors), numbers="".join(numbers))


_FILE = """\
// Written by skdeep/kernels/formulas: change the table of functions there.
#include "elementary.h"
#include "register_machine.h"

namespace skdeep {{
namespace SKDEEP_ISA {{
namespace {{

// out = function(a, b, c) for n numbers
template <class T>
void apply_to_arrays(int function, const T* a, const T* b, const T* c, T* out, long n) {{
  switch (function) {{
{vectors}  }}
}}

double apply_to_numbers(int function, double a, double b, double c) {{
  switch (function) {{
{numbers}  }}
  return 0;
}}

}}  // namespace

SKDEEP_REGISTER_MACHINE

}}  // namespace SKDEEP_ISA
}}  // namespace skdeep
"""
