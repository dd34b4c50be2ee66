"""Optimizers: how a gradient becomes a step.

An optimizer is a description, a scikit-learn style object with `get_params`, `clone`
and nested parameters in a grid search (``optimizer__momentum``). It names the vectors
it keeps, each as long as the network's parameters, and writes the call of one step.
Gradient clipping, weight decay and learning-rate schedules compose around it.
"""

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skdeep import kernels
from skdeep.engine.program import Buffer, Scope
from skdeep.formulas import maximum, sign, sqrt

_POSITIVE = [Interval(Real, 0, None, closed="neither")]
_SHARE = [Interval(Real, 0, 1, closed="left")]


class Optimizer(BaseEstimator):
    """Base of all optimizers.

    Attributes
    ----------
    decoupled_weight_decay : bool
        Whether weight decay shrinks the weights directly instead of adding to the
        gradient.

    default_weight_decay : float
        The weight decay where the estimator's `weight_decay` is ``"auto"``.
    """

    decoupled_weight_decay: bool = False
    default_weight_decay: float = 1e-4
    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    @property
    def slots(self) -> dict[str, float]:
        """Initial values of the vectors kept besides the parameters, by name."""
        return {}

    @property
    def scalars(self) -> dict[str, float]:
        """Initial values of the single numbers kept besides, by name."""
        return {}

    def step(self, scope: Scope, parameters: Buffer, gradient: Buffer) -> None:
        """Write the calls of one step.

        ``scope.state`` holds the buffers of `slots` and `scalars`;
        ``scope.training`` has ``learning_rate`` and ``step``.
        """
        raise NotImplementedError(f"{type(self).__name__} must define step.")


class FormulaOptimizer(Optimizer):
    """An optimizer whose step is one formula; subclass it to write your own.

    The formula is traced once: it runs compiled, without the interpreter's lock and in
    several threads, also where it was written after the package was built.

    Examples
    --------
    Steps by the sign of the gradient (Bernstein et al. 2018):

    >>> import numpy as np
    >>> from skdeep import MLPClassifier
    >>> from skdeep.formulas import sign
    >>> from skdeep.optimizers import FormulaOptimizer
    >>> class SignSGD(FormulaOptimizer):
    ...     def __init__(self, learning_rate=1e-3):
    ...         self.learning_rate = learning_rate
    ...     def formula(self, parameters, gradient, *, learning_rate):
    ...         return {"parameters": parameters - learning_rate * sign(gradient)}
    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> model = MLPClassifier(optimizer=SignSGD(), random_state=0).fit(X, X.ravel() > 0)
    >>> model.predict([[0.5]])
    array([ True])
    """

    def formula(self, *vectors: Any, **numbers: Any) -> Any:
        """What the vectors are after a step, as expressions.

        It is called once, with symbols: it is made of arithmetic and of the functions in
        `skdeep.formulas`, chooses by ``where``, and may use numbers that are attributes of
        the optimizer.

        Parameters
        ----------
        vectors : Expression
            ``parameters`` and ``gradient``, and the vectors in `slots` by their names.

        numbers : Expression
            Keyword-only arguments, as far as they are needed: ``learning_rate``, ``step``,
            which is 1 for the first, and the numbers in `scalars`.

        Returns
        -------
        vectors : dict of str to Expression
            The new value of each vector that changes.
        """
        raise NotImplementedError(f"{type(self).__name__} must define formula.")

    def step(self, scope, parameters, gradient):
        kernel = kernels.step_kernel(self)
        training = scope.training
        numbers = {"learning_rate": training.learning_rate, "step": training.step}
        available = numbers | scope.state
        taken = {n: available[n] for n in kernel.arguments if n in available}
        settings = {name: float(getattr(self, name)) for name in kernel.formula.settings}
        scope.call(kernel, parameters=parameters, gradient=gradient, **taken, **settings)


class SGD(FormulaOptimizer):
    """Gradient descent, with momentum or Nesterov's look-ahead.

    Without momentum: w -= learning_rate * g. With momentum:
    v = momentum * v - learning_rate * g and w += v, or for Nesterov
    w += momentum * v - learning_rate * g. Whether it is stochastic, mini-batch or
    batch gradient descent is the estimator's `batch_size`.

    Parameters
    ----------
    learning_rate : float, default=0.01
        The step's factor, used where the estimator's `learning_rate` is ``"auto"``.

    momentum : float, default=0.0
        How much of the velocity each step keeps, in [0, 1).

    nesterov : bool, default=False
        Whether the gradient is that of the looked-ahead point.

    References
    ----------
    Robbins and Monro (1951). "A stochastic approximation method".
    Polyak (1964). "Some methods of speeding up the convergence of iteration methods".
    Sutskever, Martens, Dahl and Hinton (2013). "On the importance of initialization
    and momentum in deep learning". ICML.

    Examples
    --------
    >>> from skdeep.optimizers import SGD
    >>> SGD(momentum=0.9, nesterov=True).get_params()
    {'learning_rate': 0.01, 'momentum': 0.9, 'nesterov': True}
    """

    _parameter_constraints = {
        "learning_rate": _POSITIVE,
        "momentum": _SHARE,
        "nesterov": ["boolean"],
    }

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False):
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov

    @property
    def slots(self):
        return {"velocity": 0.0} if self.momentum else {}

    @property
    def formula(self):
        if not self.momentum:
            return self._sgd_step
        return self._nesterov_step if self.nesterov else self._momentum_step

    def _sgd_step(self, parameters, gradient, *, learning_rate):
        return {"parameters": parameters - gradient * learning_rate}

    def _momentum_step(self, parameters, gradient, velocity, *, learning_rate):
        velocity = velocity * self.momentum - gradient * learning_rate
        return {"velocity": velocity, "parameters": parameters + velocity}

    def _nesterov_step(self, parameters, gradient, velocity, *, learning_rate):
        # the parameters are the looked-ahead point, as Sutskever et al. write it
        change = gradient * learning_rate
        velocity = velocity * self.momentum - change
        ahead = parameters + velocity * self.momentum - change
        return {"velocity": velocity, "parameters": ahead}


class AdaGrad(FormulaOptimizer):
    """Steps divided by the root of the sum of all squared gradients so far.

    a += g^2 and w -= learning_rate * g / (sqrt(a) + epsilon).

    Parameters
    ----------
    learning_rate : float, default=0.01
        The step's factor, used where the estimator's `learning_rate` is ``"auto"``.

    initial_accumulator_value : float, default=0.0
        Where the sums start.

    epsilon : float, default=1e-7
        Keeps the division finite.

    References
    ----------
    Duchi, Hazan and Singer (2011). "Adaptive subgradient methods for online learning
    and stochastic optimization". JMLR 12.

    Examples
    --------
    >>> from skdeep.optimizers import AdaGrad
    >>> AdaGrad().slots
    {'accumulator': 0.0}
    """

    _parameter_constraints = {
        "learning_rate": _POSITIVE,
        "initial_accumulator_value": [Interval(Real, 0, None, closed="left")],
        "epsilon": _POSITIVE,
    }

    def __init__(self, learning_rate=0.01, initial_accumulator_value=0.0, epsilon=1e-7):
        self.learning_rate = learning_rate
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    @property
    def slots(self):
        return {"accumulator": float(self.initial_accumulator_value)}

    def formula(self, parameters, gradient, accumulator, *, learning_rate):
        accumulator = accumulator + gradient * gradient
        scaled = gradient / (sqrt(accumulator) + self.epsilon)
        return {
            "accumulator": accumulator,
            "parameters": parameters - scaled * learning_rate,
        }


class RMSProp(FormulaOptimizer):
    """Steps divided by the root of a running mean of squared gradients.

    v = rho * v + (1 - rho) * g^2 and w -= learning_rate * g / (sqrt(v) + epsilon).
    With momentum, d = momentum * d + learning_rate * g / (sqrt(v) + epsilon) and
    w -= d. Centered, v is replaced in the root by v - m^2, where m is a running mean
    of g: an estimate of the gradient's variance.

    Parameters
    ----------
    learning_rate : float, default=0.001
        The step's factor, used where the estimator's `learning_rate` is ``"auto"``.

    rho : float, default=0.9
        How much of the running means each step keeps, in [0, 1).

    momentum : float, default=0.0
        How much of the velocity each step keeps, in [0, 1).

    epsilon : float, default=1e-7
        Keeps the division finite.

    centered : bool, default=False
        Whether the squared mean of the gradient is subtracted.

    References
    ----------
    Tieleman and Hinton (2012). "Lecture 6.5: RMSProp". Coursera.
    Graves (2013). "Generating sequences with recurrent neural networks".

    Examples
    --------
    >>> from skdeep.optimizers import RMSProp
    >>> list(RMSProp(centered=True).slots)
    ['square_mean', 'mean', 'velocity']
    """

    _parameter_constraints = {
        "learning_rate": _POSITIVE,
        "rho": _SHARE,
        "momentum": _SHARE,
        "epsilon": _POSITIVE,
        "centered": ["boolean"],
    }

    def __init__(
        self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False
    ):
        self.learning_rate = learning_rate
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    @property
    def slots(self):
        if self.centered:
            return {"square_mean": 0.0, "mean": 0.0, "velocity": 0.0}
        if self.momentum:
            return {"square_sum": 0.0, "velocity": 0.0}
        return {"square_sum": 0.0}

    @property
    def formula(self):
        if self.centered:
            return self._rmsprop_centered_step
        return self._rmsprop_momentum_step if self.momentum else self._rmsprop_step

    # square_sum is v / (1 - rho): the constant factor of the recursion goes into the
    # step's numbers, which saves a pass over the vectors
    def _rmsprop_step(self, parameters, gradient, square_sum, *, learning_rate):
        scale = sqrt(1 - self.rho)
        square_sum = square_sum * self.rho + gradient * gradient
        scaled = gradient / (sqrt(square_sum) + self.epsilon / scale)
        return {
            "square_sum": square_sum,
            "parameters": parameters - scaled * (learning_rate / scale),
        }

    def _rmsprop_momentum_step(
        self, parameters, gradient, square_sum, velocity, *, learning_rate
    ):
        scale = sqrt(1 - self.rho)
        square_sum = square_sum * self.rho + gradient * gradient
        scaled = gradient / (sqrt(square_sum) + self.epsilon / scale)
        velocity = velocity * self.momentum + scaled * (learning_rate / scale)
        return {
            "square_sum": square_sum,
            "velocity": velocity,
            "parameters": parameters - velocity,
        }

    def _rmsprop_centered_step(
        self, parameters, gradient, square_mean, mean, velocity, *, learning_rate
    ):
        square_mean = square_mean * self.rho + gradient * gradient * (1 - self.rho)
        mean = mean * self.rho + gradient * (1 - self.rho)
        # rounding can leave a variance below zero
        variance = maximum(square_mean - mean * mean, 0)
        scaled = gradient / (sqrt(variance) + self.epsilon)
        velocity = velocity * self.momentum + scaled * learning_rate
        return {
            "square_mean": square_mean,
            "mean": mean,
            "velocity": velocity,
            "parameters": parameters - velocity,
        }


class Adam(FormulaOptimizer):
    """Momentum and RMSProp together, corrected for where their means start.

    m = beta_1 * m + (1 - beta_1) * g and v = beta_2 * v + (1 - beta_2) * g^2; then
    w -= learning_rate * (m / (1 - beta_1^t)) / (sqrt(v / (1 - beta_2^t)) + epsilon).

    Parameters
    ----------
    learning_rate : float, default=0.001
        The step's factor, used where the estimator's `learning_rate` is ``"auto"``.

    beta_1 : float, default=0.9
        How much of the gradient's running mean each step keeps, in [0, 1).

    beta_2 : float, default=0.999
        How much of the squared gradient's running mean each step keeps, in [0, 1).

    epsilon : float, default=1e-8
        Keeps the division finite.

    amsgrad : bool, default=False
        Whether the largest v so far stands in the root, u = max(u, v), in place of v.

    References
    ----------
    Kingma and Ba (2015). "Adam: a method for stochastic optimization". ICLR.
    Reddi, Kale and Kumar (2018). "On the convergence of Adam and beyond". ICLR.

    Examples
    --------
    >>> from skdeep.optimizers import Adam
    >>> Adam(amsgrad=True)
    Adam(amsgrad=True)
    """

    _parameter_constraints = {
        "learning_rate": _POSITIVE,
        "beta_1": _SHARE,
        "beta_2": _SHARE,
        "epsilon": _POSITIVE,
        "amsgrad": ["boolean"],
    }

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        amsgrad=False,
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    @property
    def slots(self):
        slots = {"gradient_sum": 0.0, "square_sum": 0.0}
        if self.amsgrad:
            slots["largest_square_sum"] = 0.0
        return slots

    @property
    def formula(self):
        return self._amsgrad_step if self.amsgrad else self._adam_step

    # gradient_sum is m / (1 - beta_1) and square_sum is v / (1 - beta_2): the constant
    # factors go into the step's numbers, which saves passes over the vectors
    def _adam_step(
        self, parameters, gradient, gradient_sum, square_sum, *, learning_rate, step
    ):
        gradient_sum = gradient_sum * self.beta_1 + gradient
        square_sum = square_sum * self.beta_2 + gradient * gradient
        scale = sqrt((1 - self.beta_2**step) / (1 - self.beta_2))
        scaled = gradient_sum / (sqrt(square_sum) + self.epsilon * scale)
        rate = learning_rate * (1 - self.beta_1) / (1 - self.beta_1**step) * scale
        return {
            "gradient_sum": gradient_sum,
            "square_sum": square_sum,
            "parameters": parameters - scaled * rate,
        }

    def _amsgrad_step(
        self,
        parameters,
        gradient,
        gradient_sum,
        square_sum,
        largest_square_sum,
        *,
        learning_rate,
        step,
    ):
        gradient_sum = gradient_sum * self.beta_1 + gradient
        square_sum = square_sum * self.beta_2 + gradient * gradient
        largest = maximum(largest_square_sum, square_sum)
        scale = sqrt((1 - self.beta_2**step) / (1 - self.beta_2))
        scaled = gradient_sum / (sqrt(largest) + self.epsilon * scale)
        rate = learning_rate * (1 - self.beta_1) / (1 - self.beta_1**step) * scale
        return {
            "gradient_sum": gradient_sum,
            "square_sum": square_sum,
            "largest_square_sum": largest,
            "parameters": parameters - scaled * rate,
        }


class AdamW(Adam):
    """Adam with decoupled weight decay: kernels shrink by learning_rate * weight_decay.

    The decay does not pass through Adam's division, so that it acts on every weight
    alike. The rate is the estimator's `weight_decay`, which is 0.01 where it is
    ``"auto"``; values of 0.01 to 0.1 are usual, more than for the coupled kind.

    Parameters
    ----------
    learning_rate : float, default=0.001
        The step's factor, used where the estimator's `learning_rate` is ``"auto"``.

    beta_1 : float, default=0.9
        How much of the gradient's running mean each step keeps, in [0, 1).

    beta_2 : float, default=0.999
        How much of the squared gradient's running mean each step keeps, in [0, 1).

    epsilon : float, default=1e-8
        Keeps the division finite.

    amsgrad : bool, default=False
        Whether the largest v so far stands in the root.

    References
    ----------
    Loshchilov and Hutter (2019). "Decoupled weight decay regularization". ICLR.

    Examples
    --------
    >>> from skdeep.optimizers import AdamW
    >>> AdamW().decoupled_weight_decay, AdamW().default_weight_decay
    (True, 0.01)
    """

    decoupled_weight_decay = True
    default_weight_decay = 0.01


class Lion(FormulaOptimizer):
    """Steps of one size for all parameters, by the sign of a mean of gradients.

    w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g), and then
    m = beta_2 * m + (1 - beta_2) * g. Weight decay is decoupled, as in `AdamW`. Its steps
    are larger than Adam's where gradients are noisy: with large networks its paper takes
    learning rates that are three to ten times smaller, and decays that are as many times
    larger. It keeps one vector, where Adam keeps two.

    Parameters
    ----------
    learning_rate : float, default=0.001
        The step's factor, used where the estimator's `learning_rate` is ``"auto"``.

    beta_1 : float, default=0.9
        How much the running mean counts against the gradient in a step, in [0, 1).

    beta_2 : float, default=0.99
        How much of the running mean each step keeps, in [0, 1).

    References
    ----------
    Chen et al. (2023). "Symbolic discovery of optimization algorithms". NeurIPS.

    Examples
    --------
    >>> from skdeep.optimizers import Lion
    >>> Lion(beta_2=0.98)
    Lion(beta_2=0.98)
    """

    decoupled_weight_decay = True
    default_weight_decay = 0.01
    _parameter_constraints = {
        "learning_rate": _POSITIVE,
        "beta_1": _SHARE,
        "beta_2": _SHARE,
    }

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    @property
    def slots(self):
        return {"mean": 0.0}

    def formula(self, parameters, gradient, mean, *, learning_rate):
        direction = sign(mean * self.beta_1 + gradient * (1 - self.beta_1))
        return {
            "mean": mean * self.beta_2 + gradient * (1 - self.beta_2),
            "parameters": parameters - direction * learning_rate,
        }


class Nadam(FormulaOptimizer):
    """Adam with Nesterov's look-ahead and a momentum that grows towards `beta_1`.

    With m and v as in Adam, and mu_t = beta_1 (1 - 0.96^(0.004 t) / 2),
    d = mu_{t+1} m / (1 - mu_1 ... mu_{t+1}) + (1 - mu_t) g / (1 - mu_1 ... mu_t) and
    w -= learning_rate * d / (sqrt(v / (1 - beta_2^t)) + epsilon).

    Parameters
    ----------
    learning_rate : float, default=0.001
        The step's factor, used where the estimator's `learning_rate` is ``"auto"``.

    beta_1 : float, default=0.9
        How much of the gradient's running mean each step keeps, and the momentum that
        the mu_t approach, in [0, 1).

    beta_2 : float, default=0.999
        How much of the squared gradient's running mean each step keeps, in [0, 1).

    epsilon : float, default=1e-8
        Keeps the division finite.

    References
    ----------
    Dozat (2016). "Incorporating Nesterov momentum into Adam". ICLR workshop.

    Examples
    --------
    >>> from skdeep.optimizers import Nadam
    >>> Nadam(beta_1=0.95)
    Nadam(beta_1=0.95)
    """

    _parameter_constraints = {
        "learning_rate": _POSITIVE,
        "beta_1": _SHARE,
        "beta_2": _SHARE,
        "epsilon": _POSITIVE,
    }

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    @property
    def slots(self):
        return {"mean": 0.0, "square_sum": 0.0}

    @property
    def scalars(self):
        return {"momentum_product": 1.0}

    def step(self, scope, parameters, gradient):
        scope.call(
            kernels.nadam_schedule,
            momentum_product=scope.state["momentum_product"],
            step=scope.training.step,
            beta_1=float(self.beta_1),
        )
        super().step(scope, parameters, gradient)

    def formula(
        self,
        parameters,
        gradient,
        mean,
        square_sum,
        *,
        learning_rate,
        step,
        momentum_product,
    ):
        now = _nadam_momentum(self.beta_1, step)
        ahead = _nadam_momentum(self.beta_1, step + 1)
        mean = mean * self.beta_1 + gradient * (1 - self.beta_1)
        square_sum = square_sum * self.beta_2 + gradient * gradient
        scale = sqrt((1 - self.beta_2**step) / (1 - self.beta_2))
        of_gradient = (1 - now) / (1 - momentum_product)
        of_mean = ahead / (1 - momentum_product * ahead)
        root = sqrt(square_sum) + self.epsilon * scale
        direction = (gradient * of_gradient + mean * of_mean) / root
        return {
            "mean": mean,
            "square_sum": square_sum,
            "parameters": parameters - direction * (learning_rate * scale),
        }


def _nadam_momentum(beta_1, t):
    return beta_1 * (1 - 0.5 * 0.96 ** (0.004 * t))


class LBFGS(Optimizer):
    """The limited-memory BFGS method on all samples at once, by `scipy.optimize`.

    Best on small data, where it needs no learning rate and reaches a minimum to many
    digits. It works on the whole data in every evaluation, so `batch_size`,
    `learning_rate`, its schedule, gradient clipping and shuffling do not act, and
    dropout, whose loss changes from one evaluation to the next, is refused.

    Parameters
    ----------
    max_evaluations : int, default=15000
        The largest number of evaluations of the loss and its gradient.

    history : int, default=10
        The number of steps that the approximation of the Hessian remembers.

    References
    ----------
    Byrd, Lu, Nocedal and Zhu (1995). "A limited memory algorithm for bound constrained
    optimization". SIAM J. Sci. Comput. 16.

    Examples
    --------
    >>> from skdeep.optimizers import LBFGS
    >>> LBFGS(history=20)
    LBFGS(history=20)
    """

    _parameter_constraints = {
        "max_evaluations": [Interval(Integral, 1, None, closed="left")],
        "history": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, max_evaluations=15000, history=10):
        self.max_evaluations = max_evaluations
        self.history = history


OPTIMIZERS = {
    "adagrad": AdaGrad(),
    "adam": Adam(),
    "adamw": AdamW(),
    "amsgrad": Adam(amsgrad=True),
    "lbfgs": LBFGS(),
    "lion": Lion(),
    "momentum": SGD(momentum=0.9),
    "nadam": Nadam(),
    "nesterov": SGD(momentum=0.9, nesterov=True),
    "rmsprop": RMSProp(),
    "sgd": SGD(),
}


def get_optimizer(optimizer):
    """The optimizer of a name; an instance is checked and returned.

    Parameters
    ----------
    optimizer : str or Optimizer
        A key of `OPTIMIZERS` or an instance.

    Returns
    -------
    optimizer : Optimizer

    Examples
    --------
    >>> from skdeep.optimizers import get_optimizer
    >>> get_optimizer("momentum")
    SGD(momentum=0.9)
    """
    if isinstance(optimizer, Optimizer):
        optimizer._validate_params()
        return optimizer
    return OPTIMIZERS[optimizer]
