"""The compiled side of a formula: a statement of C++ on vectors for each function in it.

It is in the vocabulary of `runtime/vector.h` and `elementary.h`: T is the type of
the program's numbers, and a `Vector<T>` as many of them as a register holds.
"""

from .expression import Array, Constant, Scalar, in_order

#: What computes a function of vectors, or of one vector and one number.
OF_VECTORS = {
    "copy": "{0}",
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "absolute": "absolute<T>({0})",
    "maximum": "at_least({0}, {1})",
    "minimum": "at_most({0}, {1})",
    "greater": "{0} > {1}",
    "less": "{0} < {1}",
    "equal": "{0} == {1}",
    "where": "{0} ? {1} : {2}",
    "zero_unless": "{0} ? {1} : broadcast<T>(0)",
    "sign": "sign<T>({0})",
    "sqrt": "square_root<T>({0})",
    "exp": "exponential<T>({0})",
    "expm1": "exponential_minus_one<T>({0})",
    "expm1_of_negative": "exponential_minus_one_of_negative<T>({0})",
    "log": "logarithm<T>({0})",
    "log1p": "log_one_plus<T>({0})",
    "log1p_of_share": "log_one_plus_share<T>({0})",
    "power": "power<T>({0}, {1})",
    "sin": "sine<T>({0})",
    "cos": "cosine<T>({0})",
    "tanh": "hyperbolic_tangent<T>({0})",
    "logistic": "logistic<T>({0})",
    "softplus": "softplus<T>({0})",
    "normal_distribution": "normal_distribution<T>({0})",
    "xlogy": "x_log_y<T>({0}, {1})",
}

# The same of numbers, in double precision.
OF_NUMBERS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "absolute": "__builtin_fabs({0})",
    "maximum": "({0} < {1} ? {1} : {0})",
    "minimum": "({0} > {1} ? {1} : {0})",
    "greater": "{0} > {1}",
    "less": "{0} < {1}",
    "equal": "{0} == {1}",
    "where": "{0} ? {1} : {2}",
    "sqrt": "__builtin_sqrt({0})",
    "exp": "__builtin_exp({0})",
    "expm1": "__builtin_expm1({0})",
    "log": "__builtin_log({0})",
    "log1p": "__builtin_log1p({0})",
    "power": "__builtin_pow({0}, {1})",
    "sin": "__builtin_sin({0})",
    "cos": "__builtin_cos({0})",
    "tanh": "__builtin_tanh({0})",
}

# Where a number may stand as it is; elsewhere a vector is made of it.
_TAKES_A_NUMBER = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide"), (True, True)),
    **dict.fromkeys(("greater", "less", "equal"), (True, True)),
    **dict.fromkeys(("maximum", "minimum", "power"), (False, True)),
}


def scalar_statements(results):
    """The statements that compute the scalars of some expressions, once a call.

    Parameters
    ----------
    results : iterable of Expression
        What is computed with them.

    Returns
    -------
    statements : list of str
        Of doubles, then of the numbers of type T that vectors meet.

    names : dict of Expression to str
        The numbers of type T.
    """
    order, statements, texts, names = in_order(results), [], {}, {}
    for expression in order:
        if isinstance(expression, Constant):
            texts[expression] = _number(expression.value)
        elif isinstance(expression, Scalar):
            texts[expression] = f"{expression.name}_number"
        elif expression.is_scalar:
            name = f"number_{len(statements) + 1}"
            form = OF_NUMBERS[expression.function]
            text = form.format(*(texts[a] for a in expression.arguments))
            statements.append(f"const double {name} = {text};")
            texts[expression] = name
    for expression in order:
        for argument in expression.arguments:
            if expression.is_scalar or not argument.is_scalar or argument in names:
                continue
            if isinstance(argument, Constant):
                names[argument] = f"(T){texts[argument]}"
            else:
                names[argument] = f"{texts[argument]}_"
                statements.append(f"const T {names[argument]} = (T){texts[argument]};")
    return statements, names


def vector_statements(results, names):
    """The statements that compute vectors, and the text of each result.

    Parameters
    ----------
    results : iterable of Expression
        What is computed.

    names : dict of Expression to str
        The numbers that vectors meet.

    Returns
    -------
    statements : list of str

    texts : list of str
    """
    results = list(results)
    statements, texts = [], dict(names)
    for expression in in_order(results):
        if isinstance(expression, Array):
            texts[expression] = f"{expression.name}_"
        elif expression.arguments and not expression.is_scalar:
            name = f"v{len(statements) + 1}"
            statements.append(f"const auto {name} = {_apply(expression, texts)};")
            texts[expression] = name
    return statements, [_vector(result, texts[result]) for result in results]


def _apply(expression, texts):
    takes = _TAKES_A_NUMBER.get(expression.function, (False,) * 3)
    arguments = []
    for argument, number in zip(expression.arguments, takes, strict=False):
        text = texts[argument]
        arguments.append(text if number else _vector(argument, text))
    return OF_VECTORS[expression.function].format(*arguments)


def _vector(expression, text):
    return f"broadcast<T>({text})" if expression.is_scalar else text


def _number(value):
    text = repr(float(value))
    return {"inf": "__builtin_inf()", "-inf": "-__builtin_inf()"}.get(text, text)


def kernel_source(formula):
    """A compiled kernel: the definition of a function template.

    Parameters
    ----------
    formula : Formula
        What it computes.

    Returns
    -------
    source : str
    """
    results = list(formula.results.values())
    scalars, names = scalar_statements(results)
    vectors, texts = vector_statements(results, names)
    write = _loss_body if formula.kind == "loss" else _elementwise_body
    lines = [*_number_arguments(formula), *scalars, *write(formula, vectors, texts)]
    body = "".join(f"  {line}\n" for line in lines)
    return (
        "template <class T>\n"
        f"void {formula.symbol}(const Operation& o, Worker&, long begin, long end) {{\n"
        f"{body}}}\n"
    )


def _number_arguments(formula):
    read = {"float64": "*array<double>(o, {})", "int64": "(double)*array<long long>(o, {})"}
    for name in formula.numbers:
        form = (
            read[formula.cells[name]] if name in formula.cells else "number<double>(o, {})"
        )
        value = form.format(formula.arguments.index(name))
        yield f"[[maybe_unused]] const double {name}_number = {value};"


def _elementwise_body(formula, vectors, texts):
    arrays = dict.fromkeys((*formula.reads, *formula.writes))
    for name in arrays:
        const = "" if name in formula.results else "const "
        yield f"{const}T* {name}_array = array<T>(o, {formula.arguments.index(name)});"
    yield "const long columns = o.argument[0].columns;"
    yield "each_vector<T>(begin * columns, end * columns, [=](auto at) {"
    for name in formula.reads:
        yield f"  [[maybe_unused]] const auto {name}_ = at.load({name}_array);"
    yield from (f"  {line}" for line in vectors)
    for name, text in zip(formula.results, texts, strict=True):
        yield f"  at.store({name}_array, {text});"
    yield "});"


def _loss_body(formula, vectors, texts):
    loss, d_z = texts
    yield "independent<T>(o, begin, end,"
    yield (
        "    [=]([[maybe_unused]] Vector<T> z_, [[maybe_unused]] Vector<T> target_, "
        "Vector<T>& loss_) -> Vector<T> {"
    )
    yield from (f"  {line}" for line in vectors)
    yield f"  loss_ = {loss};"
    yield f"  return {d_z};"
    yield "});"


def family_source(formulas):
    """A source file with the kernels of some formulas, and their table."""
    split = {"rows": "rows", "parameters": "parameters", "loss": "rows"}
    entries = "".join(
        f'    {{"{f.symbol}", Split::{split[f.kind]}, 0,\n'
        f"     {f.symbol}<float>, {f.symbol}<double>}},\n"
        for f in formulas
    )
    kernels = "\n".join(kernel_source(f) for f in formulas)
    return _FILE.format(kernels=kernels, entries=entries)


_FILE = """\
// Written by skdeep/kernels/formulas: change the formulas there.
#include "elementary.h"
#include "independent_outputs.h"

namespace skdeep {{
namespace SKDEEP_ISA {{
namespace {{

{kernels}
constexpr KernelEntry entries[] = {{
{entries}}};

}}  // namespace

extern const KernelFamily formulas_kernels = {{entries, sizeof entries / sizeof *entries}};

}}  // namespace SKDEEP_ISA
}}  // namespace skdeep
"""
