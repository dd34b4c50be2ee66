"""Expressions: what a formula becomes when it is called with symbols.

An expression is a tree that is taken literally: nothing is rearranged, so that what is
stable as it is written stays stable. Equal expressions are one object, so that what a
formula uses twice is computed once. An expression of numbers alone, such as the learning
rate, is a *scalar*: it is computed once a call, in double precision, and becomes a number
of the program's type where it meets an array.
"""

from dataclasses import dataclass
from functools import lru_cache
from numbers import Real


class Expression:
    """Base of all expressions: Python's operators make larger ones.

    Attributes
    ----------
    is_scalar : bool
        Whether it is one number for all entries of the arrays.

    is_condition : bool
        Whether it is true or false.
    """

    is_condition = False
    arguments = ()

    def __add__(self, other):
        return apply("add", self, other)

    def __radd__(self, other):
        return apply("add", other, self)

    def __sub__(self, other):
        return apply("subtract", self, other)

    def __rsub__(self, other):
        return apply("subtract", other, self)

    def __mul__(self, other):
        return apply("multiply", self, other)

    def __rmul__(self, other):
        return apply("multiply", other, self)

    def __truediv__(self, other):
        return apply("divide", self, other)

    def __rtruediv__(self, other):
        return apply("divide", other, self)

    def __pow__(self, other):
        if isinstance(other, Real) and other in (2, 3, 4):  # far cheaper than a power
            square = self * self
            return square if other == 2 else square * (self if other == 3 else square)
        return apply("power", self, other)

    def __rpow__(self, other):
        return apply("power", other, self)

    def __neg__(self):
        return apply("negative", self)

    def __abs__(self):
        return apply("absolute", self)

    def __gt__(self, other):
        return apply("greater", self, other)

    def __lt__(self, other):
        return apply("less", self, other)

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        """NumPy's and SciPy's functions of an expression are those of formulas."""
        name = _UFUNCS.get(ufunc.__name__, ufunc.__name__)
        if method != "__call__" or keywords or name not in FUNCTIONS:
            raise TypeError(
                f"A formula cannot use {ufunc.__name__}: it is made of arithmetic and of "
                f"{', '.join(sorted(FUNCTIONS))}."
            )
        return apply(name, *inputs)

    def __array_function__(self, function, types, arguments, keywords):
        if function.__name__ != "where" or keywords:
            raise TypeError(
                f"A formula cannot use {function.__name__}: it computes each entry by "
                "itself."
            )
        return where(*arguments)

    def __bool__(self):
        raise TypeError(
            "A formula is one expression for all numbers, so it cannot branch on them: "
            "write where(condition, a, b) instead of 'if', 'and', 'or', 'min' or 'max'."
        )


@dataclass(frozen=True)
class Array(Expression):
    """An argument with a number for each entry."""

    name: str
    is_scalar = False


@dataclass(frozen=True)
class Scalar(Expression):
    """An argument that is one number."""

    name: str
    is_scalar = True


@dataclass(frozen=True)
class Constant(Expression):
    """A number that stands in the formula."""

    value: float
    is_scalar = True


@dataclass(frozen=True, eq=False)
class Application(Expression):
    """A function of expressions. `apply` makes one, and equal ones only once."""

    function: str
    arguments: tuple

    @property
    def is_scalar(self):
        return all(argument.is_scalar for argument in self.arguments)

    @property
    def is_condition(self):
        return FUNCTIONS[self.function].is_condition


@dataclass(frozen=True)
class Function:
    """An elementary function.

    Parameters
    ----------
    arity : int
        How many arguments it takes.

    derivative : callable or None
        From the arguments and the function's value: the factor of the derivative with
        respect to each argument, None for one of which it is constant.

    is_condition : bool, default=False
        Whether it is true or false.
    """

    arity: int
    derivative: object
    is_condition: bool = False


def apply(function, *arguments):
    """The application of an elementary function to expressions and numbers."""
    return _application(function, tuple(as_expression(a) for a in arguments))


@lru_cache(maxsize=1 << 15)
def _application(function, arguments):
    wanted = FUNCTIONS[function].arity
    if len(arguments) != wanted:
        raise TypeError(f"{function} takes {wanted} arguments, not {len(arguments)}.")
    conditions = [a.is_condition for a in arguments]
    if conditions != [function in CHOICES and i == 0 for i in range(wanted)]:
        raise TypeError(
            f"{function} cannot take {'a comparison' if any(conditions) else 'numbers'} "
            "there: comparisons are for the first argument of where, and only for that."
        )
    return Application(function, arguments)


def as_expression(value):
    """An expression as it is, a number as a constant."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(
            f"A formula is made of its arguments, numbers and the functions of "
            f"skdeep.formulas; it cannot take {value!r}, a {type(value).__name__}."
        )
    return Constant(float(value))


def in_order(results):
    """All expressions that some results are made of, each after those it needs."""
    seen, order = set(), []

    def visit(expression):
        if expression in seen:
            return
        seen.add(expression)
        for argument in expression.arguments:
            visit(argument)
        order.append(expression)

    for result in results:
        visit(result)
    return order


def derivative(result, variable):
    """The derivative of an expression, by reverse accumulation.

    Parameters
    ----------
    result : Expression
        What is differentiated.

    variable : Expression
        With respect to what: an argument, or a part of the expression.

    Returns
    -------
    derivative : Expression
    """
    adjoints = {result: Constant(1.0)}
    for expression in reversed(in_order([result])):
        adjoint = adjoints.get(expression)
        if adjoint is None or not expression.arguments or expression == variable:
            continue
        rule = FUNCTIONS[expression.function].derivative
        if rule is None:
            continue
        factors = rule(expression, *expression.arguments)
        for argument, factor in zip(expression.arguments, factors, strict=True):
            if factor is None or not _depends(argument, variable):
                continue
            part = _times(adjoint, as_expression(factor))
            known = adjoints.get(argument)
            adjoints[argument] = part if known is None else known + part
    return adjoints.get(variable, Constant(0.0))


def _depends(expression, variable):
    return variable in in_order([expression])


def _times(a, b):
    one = Constant(1.0)
    return b if a == one else a if b == one else a * b


def maximum(a, b):
    """The larger one; NaN where the first is."""
    return apply("maximum", a, b)


def minimum(a, b):
    """The smaller one; NaN where the first is."""
    return apply("minimum", a, b)


def where(condition, a, b):
    """a where the condition holds, else b."""
    return apply("where", condition, a, b)


def zero_unless(condition, a):
    """a where the condition holds, else 0."""
    return apply("zero_unless", condition, a)


def equal(a, b):
    """Whether two numbers are equal."""
    return apply("equal", a, b)


def sign(x):
    """-1, 0 or 1."""
    return apply("sign", x)


def sqrt(x):
    """The square root."""
    return apply("sqrt", x)


def exp(x):
    """The exponential."""
    return apply("exp", x)


def expm1(x):
    """exp(x) - 1, without cancellation near zero."""
    return apply("expm1", x)


def expm1_of_negative(x):
    """The same for x <= 0, which is faster."""
    return apply("expm1_of_negative", x)


def log(x):
    """The natural logarithm."""
    return apply("log", x)


def log1p(x):
    """log(1 + x), without cancellation near zero."""
    return apply("log1p", x)


def log1p_of_share(x):
    """The same for x in [0, 1], which is faster."""
    return apply("log1p_of_share", x)


def sin(x):
    """The sine, of radians."""
    return apply("sin", x)


def cos(x):
    """The cosine, of radians."""
    return apply("cos", x)


def tanh(x):
    """The hyperbolic tangent."""
    return apply("tanh", x)


def logistic(x):
    """1 / (1 + exp(-x))."""
    return apply("logistic", x)


def softplus(x):
    """log(1 + exp(x))."""
    return apply("softplus", x)


def normal_distribution(x):
    """The distribution function of the standard normal distribution."""
    return apply("normal_distribution", x)


def xlogy(x, y):
    """x log(y), and zero where x is."""
    return apply("xlogy", x, y)


# Their first argument is true or false.
CHOICES = ("where", "zero_unless")
# NumPy's and SciPy's names, where they are others.
_UFUNCS = {"expit": "logistic", "fabs": "absolute", "ndtr": "normal_distribution"}
_ROOT_OF_TWO_PI = 2.5066282746310002

# Where a function has a kink, the derivative is that of one side.
FUNCTIONS = {
    "copy": Function(1, lambda y, x: (1,)),
    "add": Function(2, lambda y, a, b: (1, 1)),
    "subtract": Function(2, lambda y, a, b: (1, -1)),
    "multiply": Function(2, lambda y, a, b: (b, a)),
    "divide": Function(2, lambda y, a, b: (1 / b, -y / b)),
    "negative": Function(1, lambda y, x: (-1,)),
    "absolute": Function(1, lambda y, x: (sign(x),)),
    "maximum": Function(2, lambda y, a, b: (where(a > b, 1, 0), where(a > b, 0, 1))),
    "minimum": Function(2, lambda y, a, b: (where(a < b, 1, 0), where(a < b, 0, 1))),
    "where": Function(3, lambda y, c, a, b: (None, where(c, 1, 0), where(c, 0, 1))),
    "zero_unless": Function(2, lambda y, c, a: (None, where(c, 1, 0))),
    "greater": Function(2, None, is_condition=True),
    "less": Function(2, None, is_condition=True),
    "equal": Function(2, None, is_condition=True),
    "sign": Function(1, None),
    "sqrt": Function(1, lambda y, x: (0.5 / y,)),
    "exp": Function(1, lambda y, x: (y,)),
    "expm1": Function(1, lambda y, x: (y + 1,)),
    "expm1_of_negative": Function(1, lambda y, x: (y + 1,)),
    "log": Function(1, lambda y, x: (1 / x,)),
    "log1p": Function(1, lambda y, x: (1 / (1 + x),)),
    "log1p_of_share": Function(1, lambda y, x: (1 / (1 + x),)),
    "power": Function(2, lambda y, x, p: (p * x ** (p - 1), where(x > 0, y * log(x), 0))),
    "sin": Function(1, lambda y, x: (cos(x),)),
    "cos": Function(1, lambda y, x: (-sin(x),)),
    "tanh": Function(1, lambda y, x: (1 - y * y,)),
    "logistic": Function(1, lambda y, x: (y * (1 - y),)),
    "softplus": Function(1, lambda y, x: (logistic(x),)),
    "normal_distribution": Function(
        1, lambda y, x: (exp(x * x * -0.5) * (1 / _ROOT_OF_TWO_PI),)
    ),
    "xlogy": Function(2, lambda y, x, v: (log(v), x / v)),
}
