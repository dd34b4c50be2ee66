"""In which order a formula is computed, and which array holds what meanwhile.

It takes as little scratch memory as possible: each array is used again as soon as nobody
reads it any more, those that the kernel writes included.
"""

from dataclasses import dataclass

from .expression import Array, apply, in_order


@dataclass(frozen=True)
class Instruction:
    """One function of arrays and numbers, and the array it is written to.

    Parameters
    ----------
    function : str
        One of `FUNCTIONS`, or ``"copy"``.

    arguments : tuple of str or Expression
        Arrays by name; scalar expressions as they are.

    out : str
        The name of an array: one of the kernel's, or scratch: ``work`` for numbers,
        ``mask`` for what is true or false.
    """

    function: str
    arguments: tuple
    out: str


def schedule(results, consumed=(), same=()):
    """The instructions that compute some expressions.

    Parameters
    ----------
    results : dict of str to Expression
        What each written array is to hold. An array may be read and written.

    consumed : collection of str, default=()
        Arrays that are free to be overwritten once they were read.

    same : collection of (str, str), default=()
        A written array and one that is read, which may be the same memory.

    Returns
    -------
    instructions : list of Instruction

    scratch : list of str
        The names of the arrays needed besides.
    """
    written = {*results, *dict(same).values()}
    results = {name: _read_first(name, r, written) for name, r in results.items()}
    order = [e for e in in_order(results.values()) if e.arguments and not e.is_scalar]
    registers = _Registers(order, results, consumed, dict(same))
    place, instructions = {}, []

    def name(expression):
        if expression.is_scalar:
            return expression
        return expression.name if isinstance(expression, Array) else place[expression]

    for i, expression in enumerate(order):
        arguments = tuple(name(a) for a in expression.arguments)
        # the choice is made while its two sides are still needed
        keep = arguments[:2] if expression.function == "where" else ()
        place[expression] = registers.choose(i, expression, keep)
        instructions.append(Instruction(expression.function, arguments, place[expression]))
    for out, result in results.items():
        if name(result) != out:
            instructions.append(Instruction("copy", (name(result),), out))
    return instructions, registers.scratch


def _read_first(name, result, written):
    """A result that is another written array has to be read before that is written."""
    moved = isinstance(result, Array) and result.name != name and result.name in written
    return apply("copy", result) if moved else result


class _Registers:
    """Which array is free when."""

    def __init__(self, order, results, consumed, same):
        end = len(order)
        self._last_use = {a: i for i, e in enumerate(order) for a in e.arguments}
        self._last_use |= dict.fromkeys(results.values(), end)
        # results that are calculated; of several arrays for one, the first
        self._results = {}
        for name, result in results.items():
            if result in order and result not in self._results.values():
                self._results[name] = result
        self._written = {name: order.index(r) for name, r in self._results.items()}
        # an array may be used for something else once its old content was read
        self._free_from = {name: self._last_read(name) for name in (*results, *consumed)}
        for name, other in same.items():
            self._free_from[name] = max(self._free_from[name], self._last_read(other))
        copied = results.keys() - self._results.keys()
        self._free_from |= dict.fromkeys(copied, end)  # not before the copies at the end
        self._same = same
        self._holds = {}  # from array to the index at which it is free again
        self.scratch = []

    def choose(self, i, expression, keep=()):
        """The array for the i-th expression, which may be that of an argument it ends."""
        last = self._last_use[expression]
        for name, result in self._results.items():
            if result is expression and self._is_free(name, i, keep):
                return self._take(name, last)
        if not expression.is_condition:
            for name, free_from in self._free_from.items():
                # it must be read before the array gets its own result
                before = self._written.get(name, last) >= last
                if before and free_from <= i and self._is_free(name, i, keep):
                    return self._take(name, last)
        kind = "mask" if expression.is_condition else "work"
        for number in range(1, 100):
            name = kind if number == 1 else f"{kind}_{number}"
            if name not in self.scratch:
                self.scratch.append(name)
            if self._is_free(name, i, keep):
                return self._take(name, last)
        raise AssertionError("no formula needs a hundred arrays")

    def _last_read(self, name):
        return self._last_use.get(Array(name), -1)

    def _is_free(self, name, i, keep):
        if (
            name in keep
            or self._same.get(name) in keep
            or self._free_from.get(name, -1) > i
        ):
            return False
        return self._holds.get(name, -1) <= i

    def _take(self, name, last):
        self._holds[name] = last
        return name
