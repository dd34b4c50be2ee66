"""Formulas: one expression gives the derivative and the kernels, NumPy's and compiled."""

import linecache
import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skdeep import MLPClassifier, MLPRegressor, kernels
from skdeep.engine import executor
from skdeep.formulas import cos, exp, expm1, log1p, maximum, sin, sqrt, tanh, where
from skdeep.inspection import check_gradient
from skdeep.kernels import COMPILED, native
from skdeep.kernels.formulas.expression import Array, Constant, apply, derivative
from skdeep.kernels.formulas.formula import Formula
from skdeep.kernels.formulas.sources import formulas_of
from skdeep.layers import Activation
from skdeep.losses import FormulaLoss, Huber, Loss, SigmoidCrossEntropy
from skdeep.optimizers import Adam, FormulaOptimizer

compiled_only = pytest.mark.skipif(
    not native.ENABLED, reason="the package runs without compiled kernels"
)
every_type = pytest.mark.parametrize("dtype", ["float32", "float64"])

# Smooth everywhere, and of moderate size.
SMOOTH = {
    "tanh": (tanh, np.tanh),
    # within a turn: one unit in the last place of a large angle is a large part of a turn
    "sine": (lambda x: sin(4 * tanh(x)), lambda x: np.sin(4 * np.tanh(x))),
    "cosine": (lambda x: cos(4 * tanh(x)), lambda x: np.cos(4 * np.tanh(x))),
    "root": (lambda x: sqrt(1 + x * x), lambda x: np.sqrt(1 + x * x)),
    "log": (lambda x: log1p(x * x), lambda x: np.log1p(x * x)),
    "bell": (lambda x: exp(-x * x), lambda x: np.exp(-x * x)),
    "negative": (lambda x: -x, lambda x: -x),
    "cube": (lambda x: x**3 * 0.1, lambda x: x**3 * 0.1),
}
PAIRS = {
    "add": (lambda a, b: a + b,) * 2,
    "subtract": (lambda a, b: a - b,) * 2,
    "multiply": (lambda a, b: a * b,) * 2,
    "divide": (lambda a, b: a / (2 + b * b),) * 2,
    "choose": (lambda a, b: where(a > b, a, b * 2), lambda a, b: np.where(a > b, a, b * 2)),
}


@st.composite
def functions(draw, depth=4):
    """A formula of (x, y), and the same function of NumPy's arrays."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        leaf = draw(st.sampled_from(["x", "y", 0.5, 2.0]))
        picks = {"x": lambda x, y: x, "y": lambda x, y: y}
        pick = picks.get(leaf, lambda x, y: leaf)
        return pick, pick
    if draw(st.booleans()):
        formula, of_arrays = SMOOTH[draw(st.sampled_from(sorted(SMOOTH)))]
        inner = draw(functions(depth - 1))
        return (
            lambda x, y: _of_expression(formula, inner[0](x, y)),
            lambda x, y: of_arrays(inner[1](x, y)),
        )
    formula, of_arrays = PAIRS[draw(st.sampled_from(sorted(PAIRS)))]
    left, right = draw(functions(depth - 1)), draw(functions(depth - 1))
    return (
        lambda x, y: formula(as_array(left[0](x, y)), as_array(right[0](x, y))),
        lambda x, y: of_arrays(left[1](x, y), right[1](x, y)),
    )


def as_array(value):
    """A number becomes an expression of as many entries as x has."""
    return apply("copy", Array("x")) * 0 + value if isinstance(value, float) else value


def _of_expression(formula, value):
    return formula(as_array(value))


def made_kernel(*results, reads=("x", "y")):
    """The kernel that writes some expressions of x and y."""
    names = [f"out_{i}" for i in range(len(results))]
    results = dict(zip(names, map(as_array, results), strict=True))
    return kernels.formula_kernel(Formula("drawn", "rows", reads, {}, (), results))


def run(kernel, x, y, native_kernel=False):
    """What a kernel writes."""
    shape = x.shape
    arguments = {"x": x, "y": y}
    for name in kernel.arguments:
        dtype = bool if name.startswith("mask") else x.dtype
        arguments.setdefault(name, np.full(shape, 7, dtype))
    arguments = {name: arguments[name] for name in kernel.arguments}
    if native_kernel:
        program = executor.NativeProgram([(kernel, arguments)], len(x), x.dtype)
        assert not program._program.uses_python
        program.run()
    else:
        kernel(**arguments)
    return [arguments[name] for name in sorted(kernel.writes)]


def draw_numbers(seed, dtype="float64"):
    return np.random.default_rng(seed).normal(size=(2, 37, 3)).astype(dtype)


# --- what comes of an expression ------------------------------------------------------


@given(drawn=functions(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_a_kernel_computes_its_formula(drawn, seed):
    formula, of_arrays = drawn
    x, y = draw_numbers(seed)
    kernel = made_kernel(formula(Array("x"), Array("y")))
    expected = np.broadcast_to(of_arrays(x, y), x.shape)
    np.testing.assert_allclose(run(kernel, x, y)[0], expected, rtol=1e-12, atol=1e-12)


@given(drawn=functions(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_a_derivative_is_what_central_differences_give(drawn, seed):
    formula, of_arrays = drawn
    x, y = draw_numbers(seed)
    # away from where a choice changes sides
    slope = derivative(as_array(formula(Array("x"), Array("y"))), Array("x"))
    actual = run(made_kernel(slope), x, y)[0]
    estimates = [
        (of_arrays(x + h, y) - of_arrays(x - h, y)) / (2 * h) * np.ones_like(x)
        for h in (1e-5, 2e-5)
    ]
    smooth = np.isclose(*estimates, rtol=1e-5, atol=1e-7)
    assert smooth.mean() > 0.5
    tolerance = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(actual[smooth], estimates[0][smooth], **tolerance)


@compiled_only
@every_type
@given(first=functions(), second=functions(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_the_register_machine_computes_what_the_numpy_kernel_does(
    dtype, first, second, seed
):
    x, y = draw_numbers(seed, dtype)
    x_, y_ = Array("x"), Array("y")
    kernel = made_kernel(first[0](x_, y_), second[0](x_, y_))
    assert kernel.machine is not None and kernel not in COMPILED
    unit = 200 * np.finfo(dtype).eps
    for actual, expected in zip(run(kernel, x, y, True), run(kernel, x, y), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=unit, atol=unit)


def test_equal_parts_are_computed_once():
    x = Array("x")
    kernel = made_kernel(exp(x) + exp(x), exp(x) * 2)
    text = "".join(linecache.getlines(kernel.__code__.co_filename))
    assert text.count("np.exp(") == 1


def test_a_constant_is_of_the_programs_type():
    x = np.full((2, 3), 0.1, "float32")
    assert run(made_kernel(Array("x") * 3.0), x, x)[0].dtype == np.float32


def test_the_derivative_of_a_power_by_a_number_needs_no_logarithm_of_the_base():
    x = np.array([[-2.0, 0.0, 3.0]])
    slope = derivative(Array("x") ** 5, Array("x"))
    np.testing.assert_allclose(run(made_kernel(slope), x, x)[0], 5 * x**4)


def test_what_does_not_depend_on_a_variable_has_derivative_zero():
    assert derivative(Array("y") * 2, Array("x")) == Constant(0.0)


# --- what a formula may be ------------------------------------------------------------


def test_numpys_and_scipys_functions_are_those_of_formulas():
    with_numpy = Activation(
        lambda z: np.where(z > 0, np.tanh(z), expit(z) - np.float32(0.5))
    )
    check_gradient(with_numpy, np.linspace(-2.05, 2, 12)[:, np.newaxis])


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda z: z if z > 0 else 0, "write where"),
        (lambda z: max(z, 0), "write where"),
        (lambda z: np.sort(z), "cannot use sort"),
        (lambda z: np.arctan(z), "cannot use arctan"),
        (lambda z: z + "1", "cannot take '1', a str"),
        (lambda z: "relu", "cannot take 'relu', a str"),
        (lambda z: (z > 0) * z, "comparisons are for the first argument of where"),
        (lambda z: where(z, 1, 0), "cannot take numbers there"),
    ],
)
def test_what_is_no_formula_is_refused_in_words(function, words):
    with pytest.raises(TypeError, match=words):
        MLPClassifier(activation=Activation(function)).fit([[0.0], [1.0]], [0, 1])


def test_a_step_must_say_which_vectors_it_changes():
    class Nameless(FormulaOptimizer):
        learning_rate = 0.1

        def formula(self, parameters, gradient, *, learning_rate):
            return parameters - gradient * learning_rate

    class Misspelt(Nameless):
        def formula(self, parameters, gradient, *, learning_rate):
            return {"parameter": parameters - gradient * learning_rate}

    with pytest.raises(TypeError, match="must return a dict"):
        MLPClassifier(optimizer=Nameless()).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(TypeError, match=r"\['parameter'\]; it can to \['parameters'"):
        MLPClassifier(optimizer=Misspelt()).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize("name", ["weight", "target", "work", "work_2", "np", "losses"])
def test_a_name_that_kernels_use_for_something_else_is_refused_in_words(name):
    class Clash(FormulaLoss):
        def formula(self, z, target):
            return abs(z - target) * getattr(self, name)

    loss = Clash()
    setattr(loss, name, 2.0)
    with pytest.raises(ValueError, match=f"{name!r} is the name of something else"):
        loss.value(np.zeros((1, 1)), np.ones((1, 1)))


def test_a_formula_may_be_called_like_a_word_of_python():
    class Lambda(FormulaLoss):
        def formula(self, z, target):
            return abs(z - target)

    assert Lambda().value(np.zeros((1, 1)), np.ones((1, 1))) == 1


# --- which kernel runs ----------------------------------------------------------------


class MyHuber(FormulaLoss):
    """Huber's loss, written as one would."""

    task = "regression"

    def __init__(self, delta=1.0):
        self.delta = delta

    def formula(self, z, target):
        distance = abs(z - target)
        far = self.delta * (distance - 0.5 * self.delta)
        return where(distance < self.delta, 0.5 * distance**2, far)


class MyAdam(FormulaOptimizer):
    """Adam, as its paper writes it."""

    def __init__(self, learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    @property
    def slots(self):
        return {"m": 0.0, "v": 0.0}

    def formula(self, parameters, gradient, m, v, *, learning_rate, step):
        m = self.beta_1 * m + (1 - self.beta_1) * gradient
        v = self.beta_2 * v + (1 - self.beta_2) * gradient**2
        m_hat, v_hat = m / (1 - self.beta_1**step), v / (1 - self.beta_2**step)
        change = learning_rate * m_hat / (sqrt(v_hat) + self.epsilon)
        return {"m": m, "v": v, "parameters": parameters - change}


def elu(z):
    return where(z > 0, z, expm1(-abs(z)))


def data(dtype="float64"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4)).astype(dtype)
    return X, np.sin(X[:, 0]) + X[:, 1]


def coefficients(**parameters):
    model = MLPRegressor((9,), max_iter=8, random_state=0, **parameters)
    X, y = data()
    with np.errstate(all="raise"):
        model.fit(X, y)
    return np.concatenate([coef.ravel() for coef in model.coefs_])


@pytest.mark.filterwarnings("ignore:Maximum iterations")
@pytest.mark.parametrize(
    "mine, built_in",
    [
        ({"loss": MyHuber(0.4)}, {"loss": Huber(0.4)}),
        ({"optimizer": MyAdam(0.02)}, {"optimizer": Adam(0.02)}),
        (
            {"activation": Activation(elu), "kernel_initializer": "he_uniform"},
            {"activation": "elu", "kernel_initializer": "he_uniform"},
        ),
    ],
    ids=["loss", "optimizer", "activation"],
)
def test_a_users_formula_trains_like_the_built_in_one(mine, built_in):
    np.testing.assert_allclose(coefficients(**mine), coefficients(**built_in), rtol=1e-8)


@compiled_only
@pytest.mark.parametrize(
    "kernel",
    [
        kernels.loss_kernel(MyHuber()),
        kernels.step_kernel(MyAdam()),
        *kernels.activation_kernels("mine", elu),
    ],
    ids=lambda kernel: kernel.__name__,
)
def test_a_users_formula_does_not_need_the_interpreter(kernel):
    assert kernel.machine is not None


def test_a_changed_formula_is_not_the_compiled_one():
    class SquaredError(FormulaLoss):
        def formula(self, z, target):
            return abs(z - target) * 0.5

    z = np.array([[3.0], [-1.0]])
    np.testing.assert_allclose(SquaredError().value(np.zeros((2, 1)), z), [1.5, 0.5])
    assert kernels.loss_kernel(SquaredError()) not in COMPILED


def test_a_number_that_is_no_attribute_may_change_between_fits():
    factor = 1.0

    class Scaled(FormulaLoss):
        def formula(self, z, target):
            return abs(z - target) * factor

    z, target = np.array([[3.0]]), np.zeros((1, 1))
    assert Scaled().value(target, z) == 3
    factor = 2.0
    assert Scaled().value(target, z) == 6


def test_attributes_that_are_no_numbers_choose_the_formula():
    class Either(FormulaLoss):
        def __init__(self, squared=False):
            self.squared = squared

        def formula(self, z, target):
            error = z - target
            return error**2 if self.squared else abs(error)

    z, target = np.array([[3.0]]), np.zeros((1, 1))
    assert Either().value(target, z) == 3
    assert Either(squared=True).value(target, z) == 9


def test_a_formula_may_call_methods_of_its_object():
    class Cut(FormulaLoss):
        def __init__(self, width=0.5):
            self.width = width

        def _rest(self, error):
            return maximum(abs(error) - self.width, 0)

        def formula(self, z, target):
            return self._rest(z - target)

    assert Cut(2).value(np.zeros((1, 1)), np.array([[3.0]])) == 1
    check_gradient(Cut())


def test_a_value_and_a_gradient_in_numpy_take_the_place_of_an_inherited_formula():
    class Doubled(Huber):
        def value(self, target, z):
            return 2 * super().value(target, z)

        def gradient(self, target, z):
            return 2 * super().gradient(target, z)

    X, y = data()
    parameters = {"optimizer": "sgd", "max_iter": 3, "random_state": 0, "weight_decay": 0.0}
    double = MLPRegressor((), loss=Doubled(0.5), learning_rate=0.01, **parameters)
    single = MLPRegressor((), loss=Huber(0.5), learning_rate=0.02, **parameters)
    with pytest.warns(ConvergenceWarning):
        np.testing.assert_allclose(double.fit(X, y).coefs_, single.fit(X, y).coefs_)
    np.testing.assert_allclose(double.loss_curve_, 2 * np.array(single.loss_curve_))


@every_type
def test_label_weights_act_on_a_users_formula(dtype):
    class MySigmoid(FormulaLoss):
        task = "classification"

        def formula(self, z, target):
            return maximum(z, 0) + log1p(exp(-abs(z))) - target * z

    rng = np.random.default_rng(0)
    for outputs in (1, 3, 300):
        z = rng.normal(size=(70, outputs)).astype(dtype)
        target = (rng.random(z.shape) < 0.5).astype(dtype)
        weight = rng.random((2, outputs)).astype(dtype)
        mine = MySigmoid().with_label_weight(weight)
        theirs = SigmoidCrossEntropy().with_label_weight(weight)
        unit = {"rtol": 100 * np.finfo(dtype).eps, "atol": 10 * np.finfo(dtype).eps}
        for method in ("value", "gradient"):
            actual = getattr(mine, method)(target, z)
            np.testing.assert_allclose(actual, getattr(theirs, method)(target, z), **unit)


@pytest.mark.filterwarnings("ignore:Maximum iterations")
def test_results_are_the_same_for_any_number_of_threads():
    X = np.random.default_rng(0).normal(size=(600, 40))
    fits = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            model = MLPClassifier(
                (64,),
                activation=Activation(elu),
                optimizer=MyAdam(),
                batch_size=300,
                max_iter=2,
                random_state=0,
            ).fit(X, X[:, 0] > 0)
        fits.append(model.coefs_[0])
    np.testing.assert_array_equal(*fits)


@pytest.mark.filterwarnings("ignore:Maximum iterations")
def test_a_fitted_estimator_with_named_formulas_can_be_pickled():
    X, y = data()
    model = MLPRegressor(
        (5,), activation=Activation(elu), loss=MyHuber(), optimizer=MyAdam(), max_iter=2
    ).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_many_settings_are_too_many_for_the_machine_but_not_for_numpy():
    names = [f"s{i}" for i in range(20)]

    class Many(FormulaLoss):
        def __init__(self):
            for name in names:
                setattr(self, name, 1.0)

        def get_params(self, deep=True):
            return {}

        def formula(self, z, target):
            return sum(getattr(self, name) * (z - target) for name in names)

    assert Many().value(np.zeros((1, 1)), np.array([[2.0]])) == 40


# --- the build reads formulas from source files ---------------------------------------

SOURCE = """
import numpy
from somewhere import anything
HALF = 1 / 2
TABLE = {"a": HALF}

def doubled(x):
    return 2 * x

class Mine(anything.Loss):
    limit: float = 3.0
    def formula(self, z, target):
        return doubled(abs(z - target)) * HALF + self.delta
    def value(self, target, z):
        return numpy.zeros(3)

class Broken:
    def formula(self, z, target):
        return numpy.sort(z)

class Step:
    @anything.decorator
    def _fast_step(self, parameters, gradient, slot=None, *, learning_rate: float):
        return {"slot": slot + gradient, "parameters": parameters - learning_rate * slot}
"""


def test_formulas_are_read_from_source_without_importing_it():
    mine, step = formulas_of(SOURCE)
    assert (mine.name, mine.settings) == ("mine", ("delta",))
    assert (step.name, step.cells) == ("fast_step", {"learning_rate": "float64"})
    assert step.reads == ("parameters", "gradient", "slot")


def test_a_formula_read_from_source_is_the_one_that_the_class_gives():
    class Mine(FormulaLoss):
        def __init__(self, delta=1.0):
            self.delta = delta

        def formula(self, z, target):
            return 2 * abs(z - target) * 0.5 + self.delta

    kernel = kernels.loss_kernel(Mine())
    assert kernel.formula.symbol == formulas_of(SOURCE)[0].symbol


# --- check_gradient -------------------------------------------------------------------


class WrongSign(Loss):
    def value(self, target, z):
        return np.sum((z - target) ** 2, axis=1)

    def gradient(self, target, z):
        return 2 * (target - z)


class Undefined(FormulaLoss):
    def formula(self, z, target):
        return z - target, (z - target) / (target - target)


@pytest.mark.parametrize("wrong", [WrongSign(), Undefined()], ids=repr)
def test_a_wrong_gradient_is_found(wrong):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="rises by"):
        check_gradient(wrong)


def test_a_wrong_slope_is_found():
    wrong = Activation(tanh, slope=lambda out: 1 - out)
    with pytest.raises(ValueError, match=r"derivative of Activation\("):
        check_gradient(wrong)


def test_every_output_of_a_loss_is_checked():
    class SecondIsWrong(WrongSign):
        def gradient(self, target, z):
            return 2 * (z - target) * [1, -1]

    check = partial(check_gradient, SecondIsWrong())
    with pytest.raises(ValueError, match="rises by"):
        check(np.ones((3, 2)), np.zeros((3, 2)))
