"""The NumPy side of a formula: one call of a ufunc for each function in it.

What is written is an ordinary function, which can be read and debugged. It allocates
nothing.
"""

from .expression import Constant, Scalar, in_order
from .registers import schedule

# What computes a function of arrays; `where` is two copies.
_CALLS = {
    "copy": "np.copyto({out}, {0})",
    "add": "np.add({0}, {1}, out={out})",
    "subtract": "np.subtract({0}, {1}, out={out})",
    "multiply": "np.multiply({0}, {1}, out={out})",
    "divide": "np.divide({0}, {1}, out={out})",
    "negative": "np.negative({0}, out={out})",
    "absolute": "np.absolute({0}, out={out})",
    "maximum": "np.maximum({0}, {1}, out={out})",
    "minimum": "np.minimum({0}, {1}, out={out})",
    "zero_unless": "np.multiply({1}, {0}, out={out})",
    "greater": "np.greater({0}, {1}, out={out})",
    "less": "np.less({0}, {1}, out={out})",
    "equal": "np.equal({0}, {1}, out={out})",
    "sign": "np.sign({0}, out={out})",
    "sqrt": "np.sqrt({0}, out={out})",
    "exp": "np.exp({0}, out={out})",
    "expm1": "np.expm1({0}, out={out})",
    "expm1_of_negative": "np.expm1({0}, out={out})",
    "log": "np.log({0}, out={out})",
    "log1p": "np.log1p({0}, out={out})",
    "log1p_of_share": "np.log1p({0}, out={out})",
    "power": "np.power({0}, {1}, out={out})",
    "sin": "np.sin({0}, out={out})",
    "cos": "np.cos({0}, out={out})",
    "tanh": "np.tanh({0}, out={out})",
    "logistic": "expit({0}, out={out})",
    "softplus": "np.logaddexp({0}, 0, out={out})",
    "normal_distribution": "ndtr({0}, out={out})",
    "xlogy": "xlogy({0}, {1}, out={out})",
}

# The same of numbers, in double precision.
_OF_NUMBERS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "absolute": "abs({0})",
    "maximum": "max({0}, {1})",
    "minimum": "min({0}, {1})",
    "greater": "{0} > {1}",
    "less": "{0} < {1}",
    "equal": "{0} == {1}",
    "where": "{1} if {0} else {2}",
    "sqrt": "math.sqrt({0})",
    "exp": "math.exp({0})",
    "expm1": "math.expm1({0})",
    "log": "math.log({0})",
    "log1p": "math.log1p({0})",
    "power": "{0} ** {1}",
    "sin": "math.sin({0})",
    "cos": "math.cos({0})",
    "tanh": "math.tanh({0})",
}


def scalar_lines(order, cells):
    """The lines that compute the scalars among some expressions, and their texts.

    Parameters
    ----------
    order : list of Expression
        What is computed, one after the other.

    cells : collection of str
        Arguments that are arrays of one number.

    Returns
    -------
    lines : list of str

    texts : dict of Expression to str
    """
    lines, texts = [], {}
    for expression in order:
        if not expression.is_scalar:
            continue
        if isinstance(expression, Constant):
            texts[expression] = _number(expression.value)
        elif isinstance(expression, Scalar):
            read = f"float({expression.name}[0])"
            texts[expression] = read if expression.name in cells else expression.name
        else:
            form = _OF_NUMBERS.get(expression.function)
            if form is None:
                raise TypeError(f"{expression.function} takes an array, not only numbers.")
            name = f"number_{len(lines) + 1}"
            lines.append(
                f"{name} = {form.format(*(texts[a] for a in expression.arguments))}"
            )
            texts[expression] = name
    return lines, texts


def _number(value):
    """A constant as one would write it."""
    return repr(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def calls(results, cells=(), consumed=(), same=()):
    """The lines that compute some expressions, and the scratch arrays they need.

    Parameters
    ----------
    results, consumed, same
        As `schedule` takes them.

    cells : collection of str, default=()
        Arguments that are arrays of one number.

    Returns
    -------
    lines : list of str

    scratch : list of str
    """
    lines, numbers = scalar_lines(in_order(results.values()), cells)
    instructions, scratch = schedule(results, consumed, same)
    for one in instructions:
        texts = [a if isinstance(a, str) else numbers[a] for a in one.arguments]
        if one.function == "where":
            mask, a, b = texts
            if one.out != b:
                lines.append(f"np.copyto({one.out}, {b})")
            lines.append(f"np.copyto({one.out}, {a}, where={mask})")
        else:
            lines.append(_CALLS[one.function].format(*texts, out=one.out))
    return lines, scratch
