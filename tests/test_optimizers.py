"""Every optimizer follows its published update rule, step for step."""

import math
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from skdeep.engine.batch import TrainingData
from skdeep.engine.network import Network
from skdeep.engine.program import Buffer, Calls, Program, Scope, TrainingStep
from skdeep.engine.threads import threads
from skdeep.layers import Activation, Dense
from skdeep.losses import SquaredError
from skdeep.optimizers import (
    LBFGS,
    OPTIMIZERS,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Nadam,
    RMSProp,
    get_optimizer,
)
from skdeep.schedules import ConstantRate
from skdeep.training.state import TrainingState
from skdeep.training.trainer import DescentOptions, Epochs

pytestmark = pytest.mark.tiny

# They change from step to step, as with a schedule.
LEARNING_RATES = np.linspace(0.01, 0.002, 10)


# --- the published rules: from gradients and learning rates, each change of w --------


def sgd(steps, momentum=0.0, nesterov=False):
    v = 0.0
    for g, lr in steps:
        v = momentum * v - lr * g
        yield momentum * v - lr * g if nesterov else v


def adagrad(steps, start=0.0, epsilon=1e-7):
    a = start
    for g, lr in steps:
        a = a + g**2
        yield -lr * g / (np.sqrt(a) + epsilon)


def rmsprop(steps, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    v = m = d = 0.0
    for g, lr in steps:
        v = rho * v + (1 - rho) * g**2
        m = rho * m + (1 - rho) * g
        variance = v - m**2 if centered else v
        d = momentum * d + lr * g / (np.sqrt(variance) + epsilon)
        yield -d


def adam(steps, beta_1=0.9, beta_2=0.999, epsilon=1e-8, amsgrad=False):
    m = v = largest = 0.0
    for t, (g, lr) in enumerate(steps, 1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        largest = np.maximum(largest, v) if amsgrad else v
        m_hat, v_hat = m / (1 - beta_1**t), largest / (1 - beta_2**t)
        yield -lr * m_hat / (np.sqrt(v_hat) + epsilon)


def nadam(steps, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    def mu(t):
        return beta_1 * (1 - 0.5 * 0.96 ** (t / 250))

    m = v = 0.0
    for t, (g, lr) in enumerate(steps, 1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        product = math.prod(mu(i) for i in range(1, t + 1))
        m_hat = mu(t + 1) * m / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
        v_hat = v / (1 - beta_2**t)
        yield -lr * m_hat / (np.sqrt(v_hat) + epsilon)


RULES = {
    "sgd": (SGD(), sgd),
    "momentum": (SGD(momentum=0.8), partial(sgd, momentum=0.8)),
    "nesterov": (
        SGD(momentum=0.8, nesterov=True),
        partial(sgd, momentum=0.8, nesterov=True),
    ),
    "adagrad": (AdaGrad(), adagrad),
    "adagrad_started": (
        AdaGrad(initial_accumulator_value=0.1, epsilon=0.01),
        partial(adagrad, start=0.1, epsilon=0.01),
    ),
    "rmsprop": (RMSProp(), rmsprop),
    "rmsprop_epsilon": (
        RMSProp(rho=0.7, epsilon=0.1),
        partial(rmsprop, rho=0.7, epsilon=0.1),
    ),
    "rmsprop_momentum": (
        RMSProp(momentum=0.8, epsilon=0.01),
        partial(rmsprop, momentum=0.8, epsilon=0.01),
    ),
    "rmsprop_centered": (
        RMSProp(centered=True, epsilon=0.1),
        partial(rmsprop, centered=True, epsilon=0.1),
    ),
    "rmsprop_centered_momentum": (
        RMSProp(centered=True, momentum=0.8, epsilon=0.1),
        partial(rmsprop, centered=True, momentum=0.8, epsilon=0.1),
    ),
    "adam": (Adam(), adam),
    "adam_betas": (
        Adam(beta_1=0.5, beta_2=0.9, epsilon=0.01),
        partial(adam, beta_1=0.5, beta_2=0.9, epsilon=0.01),
    ),
    "amsgrad": (
        Adam(beta_2=0.5, amsgrad=True),
        partial(adam, beta_2=0.5, amsgrad=True),
    ),
    "adamw": (AdamW(), adam),
    "nadam": (Nadam(), nadam),
    "nadam_betas": (
        Nadam(beta_1=0.5, beta_2=0.9, epsilon=0.01),
        partial(nadam, beta_1=0.5, beta_2=0.9, epsilon=0.01),
    ),
}
each_rule = pytest.mark.parametrize("name", sorted(RULES))


class Training:
    """An optimizer's own step as a program over a vector of parameters."""

    def __init__(self, optimizer, parameters):
        self.parameters = parameters.copy()
        self.gradient = np.zeros_like(parameters)
        self.step, self.rate = np.zeros(1, np.int64), np.zeros(1)
        self.slots = {k: np.full_like(parameters, v) for k, v in optimizer.slots.items()}
        self.slots |= {k: np.full(1, v) for k, v in optimizer.scalars.items()}
        calls = Calls()
        training = TrainingStep(
            stream=None,
            batch_size=1,
            step=self._buffer("step", self.step),
            learning_rate=self._buffer("learning_rate", self.rate),
        )
        state = {name: self._buffer(name, array) for name, array in self.slots.items()}
        optimizer.step(
            Scope("optimizer", calls, training, state=state),
            self._buffer("parameters", self.parameters),
            self._buffer("gradient", self.gradient),
        )
        program = Program(calls, parameters.dtype)
        self._bound = program.bind(program.allocate(0), 0)

    @staticmethod
    def _buffer(name, array):
        return Buffer(name, array.shape, array=array)

    def update(self, gradient, learning_rate=0.01):
        self.gradient[...] = gradient
        self.step += 1
        self.rate[0] = learning_rate
        self._bound.run()


def draw(n, n_steps=10, seed=0):
    """Parameters of size 1 to 2 and gradients of very different sizes."""
    generator = np.random.default_rng(seed)
    parameters = generator.uniform(1, 2, n) * generator.choice([-1, 1], n)
    gradients = generator.normal(size=(n_steps, n)) * 10 ** generator.uniform(-3, 0, n)
    return parameters, gradients


@each_rule
# one number; an odd number of them; one more than fills two pieces
@pytest.mark.parametrize("n", [1, 37, 2 * 32768 + 1])
def test_ten_steps_follow_the_published_rule(name, n):
    optimizer, rule = RULES[name]
    parameters, gradients = draw(n)
    steps = list(zip(gradients, LEARNING_RATES, strict=True))
    training = Training(optimizer, parameters)
    for step, change in zip(steps, rule(steps), strict=True):
        training.update(*step)
        parameters = parameters + change
        np.testing.assert_allclose(training.parameters, parameters, rtol=1e-12)


@each_rule
def test_float32_follows_float64_but_for_rounding(name):
    optimizer, _ = RULES[name]
    parameters, gradients = draw(50)
    double = Training(optimizer, parameters)
    single = Training(optimizer, parameters.astype(np.float32))
    for gradient in gradients:
        double.update(gradient)
        single.update(gradient.astype(np.float32))
    assert single.parameters.dtype == np.float32
    np.testing.assert_allclose(single.parameters, double.parameters, rtol=1e-5)


@each_rule
def test_a_gradient_of_zero_from_the_start_changes_nothing(name):
    optimizer, _ = RULES[name]
    parameters, _ = draw(5)
    training = Training(optimizer, parameters)
    for _ in range(3):
        training.update(np.zeros(5))
    np.testing.assert_array_equal(training.parameters, parameters)


def test_the_centered_rule_stays_finite_where_rounding_leaves_no_variance():
    """Gradients that stay the same have none: m^2 grows to v but for rounding."""
    parameters, _ = draw(50)
    training = Training(RMSProp(centered=True), parameters)
    gradient = np.random.default_rng(0).normal(size=50)
    for _ in range(500):
        training.update(gradient)
    assert np.isfinite(training.parameters).all()


def test_amsgrad_never_divides_by_less_than_before():
    """After one large gradient, Adam's step grows again; AMSGrad's root stays large."""
    plain, amsgrad = (
        Training(Adam(beta_2=0.5, amsgrad=flag), np.zeros(1)) for flag in (False, True)
    )
    for training in (plain, amsgrad):
        training.update([100.0])
        for _ in range(30):
            training.update([1.0])
    plain_before, amsgrad_before = plain.parameters[0], amsgrad.parameters[0]
    plain.update([1.0])
    amsgrad.update([1.0])
    assert abs(plain.parameters[0] - plain_before) == pytest.approx(0.01, rel=0.5)
    assert abs(amsgrad.parameters[0] - amsgrad_before) < 0.001


# --- moments survive --------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OPTIMIZERS.keys() - {"lbfgs"}))
def test_training_in_two_parts_equals_training_at_once(name):
    """The moments, the step and the order of the rows go on where they stood."""
    generator = np.random.default_rng(0)
    data = TrainingData(
        generator.normal(size=(23, 3)), generator.normal(size=(23, 1)), np.ones(23)
    )
    options = DescentOptions(5, True, 0.01, ConstantRate(), 4)
    results = []
    for parts in ((4,), (1, 3)):
        layers = [("a", Dense(4)), ("b", Activation("tanh")), ("c", Dense(1))]
        network = Network(
            layers,
            SquaredError(),
            get_optimizer(name),
            input_shape=(3,),
            dtype=np.float64,
        )
        network.initialize((1, 2))
        state = TrainingState(key=(1, 2))
        for n_epochs in parts:
            epochs = Epochs(network, data, options, state)
            for _ in range(n_epochs):
                epochs.run()
                state.epoch += 1
        assert state.step == 4 * 5
        results.append(network.parameters)
    np.testing.assert_array_equal(*results)


def test_a_long_vector_is_updated_alike_with_and_without_worker_threads():
    parameters, gradients = draw(3 * 32768 + 11, n_steps=3)
    alone, together = (Training(Adam(), parameters) for _ in range(2))
    for gradient in gradients:
        alone.update(gradient)
    with threads(1e9):
        for gradient in gradients:
            together.update(gradient)
    np.testing.assert_array_equal(alone.parameters, together.parameters)


# --- names and parameters ---------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_an_optimizer_by_name_is_a_valid_scikit_learn_object(name):
    optimizer = get_optimizer(name)
    optimizer._validate_params()
    assert clone(optimizer).get_params() == optimizer.get_params()


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(learning_rate=0),
        SGD(momentum=1.0),
        AdaGrad(initial_accumulator_value=-1),
        RMSProp(rho=1.0),
        Adam(beta_1=-0.1),
        AdamW(beta_2=1.0),
        Nadam(epsilon=0.0),
        LBFGS(history=0),
    ],
    ids=repr,
)
def test_parameters_outside_their_domain_are_refused(optimizer):
    with pytest.raises(InvalidParameterError):
        get_optimizer(optimizer)


def test_an_optimizer_keeps_only_the_vectors_it_needs():
    assert SGD().slots == {}
    assert list(SGD(momentum=0.9).slots) == ["velocity"]
    assert list(RMSProp().slots) == ["square_sum"]
    assert len(Adam().slots) == 2
    assert len(Adam(amsgrad=True).slots) == 3
