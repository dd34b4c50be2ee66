"""One step of each optimizer on flat vectors, and what acts before and after it.

``learning_rate`` and ``step`` (1 for the first) are arrays of one number that the
executor sets before each step. A step consumes the gradient: the vector is scratch to
it. The sums of AdaGrad's and Adam's kind leave out the constant factor of their
recursion, (1 - beta), and put it into the step's scalars: that saves a pass each.
"""

import inspect
import math

import numpy as np
from scipy.linalg.blas import daxpy, dnrm2, saxpy, snrm2

from skdeep.kernels.reference.contract import compiled


def _on_parameters(writes, scratch=""):
    """Declare a kernel whose arrays are as long as the vector of parameters.

    All but the numbers in `_NUMBERS` are.
    """

    def declare(function):
        shapes = {
            name: _NUMBERS.get(name, "parameters")
            for name in inspect.signature(function).parameters
        }
        declared = compiled("parameters", writes=writes, scratch=scratch, **shapes)
        return declared(function)

    return declare


_NUMBERS = {
    **dict.fromkeys(("learning_rate", "momentum_product"), "float64: 1"),
    "step": "int64: 1",
    **dict.fromkeys(
        ("beta_1", "beta_2", "decay", "epsilon", "limit", "momentum", "rate", "rho"),
        "number",
    ),
}


def _step(slots="", scratch=""):
    return _on_parameters(f"parameters gradient {slots}", scratch)


def _add_scaled(x, factor, y):
    """y += factor * x, without a temporary."""
    axpy = saxpy if y.dtype == np.float32 else daxpy
    axpy(x, y, a=factor)


@_on_parameters("gradient")
def add_weight_decay(parameters, gradient, rate):
    """Add the gradient of rate / 2 * ||parameters||^2."""
    _add_scaled(parameters, rate, gradient)


@_on_parameters("gradient", scratch="work")
def add_l1_penalty(parameters, gradient, work, rate):
    """Add a subgradient of rate * ||parameters||_1: zero where a parameter is."""
    np.sign(parameters, out=work)
    _add_scaled(work, rate, gradient)


@_on_parameters("parameters")
def decay_parameters(parameters, learning_rate, rate):
    """Decoupled weight decay (Loshchilov and Hutter 2019)."""
    np.multiply(parameters, 1 - float(learning_rate[0]) * rate, out=parameters)


@compiled(None, writes="gradient", gradient="parameters", max_norm="number")
def clip_by_norm(gradient, max_norm):
    """Scale the whole gradient so that its norm is at most max_norm."""
    # not the root of a product: squares may overflow where the norm does not
    norm = float((snrm2 if gradient.dtype == np.float32 else dnrm2)(gradient))
    np.multiply(gradient, max_norm / max(norm, max_norm), out=gradient)


@_on_parameters("gradient")
def clip_by_value(gradient, limit):
    np.minimum(gradient, limit, out=gradient)
    np.maximum(gradient, -limit, out=gradient)


# Srebro and Shraibman 2005, Hinton et al. 2012
@compiled(
    "features",
    writes="kernel",
    scratch="work",
    max_norm="number",
    kernel="inputs features",
    work="features",
)
def limit_unit_norms(max_norm, kernel, work):
    """Scale each column, the weights into a unit, so that its norm is at most max_norm."""
    np.einsum("ij,ij->j", kernel, kernel, out=work)
    np.sqrt(work, out=work)
    np.maximum(work, max_norm, out=work)
    np.divide(max_norm, work, out=work)
    np.multiply(kernel, work, out=kernel)


# a <- d a + (1 - d) w with d = min(decay, (1 + t) / (10 + t)), so that the first steps
# are not outweighed by where the average started
@_on_parameters("average", scratch="work")
def update_moving_average(parameters, step, decay, work, average):
    t = int(step[0])
    np.subtract(parameters, average, out=work)
    _add_scaled(work, 1 - min(decay, (1 + t) / (10 + t)), average)


# w -= lr g
@_step()
def sgd_step(parameters, gradient, learning_rate):
    _add_scaled(gradient, -learning_rate[0], parameters)


# Polyak 1964: v = momentum v - lr g; w += v
@_step("velocity")
def momentum_step(parameters, gradient, velocity, learning_rate, momentum):
    np.multiply(velocity, momentum, out=velocity)
    _add_scaled(gradient, -learning_rate[0], velocity)
    np.add(parameters, velocity, out=parameters)


# Nesterov 1983, in the form of Sutskever et al. 2013 with w the looked-ahead point:
# v = momentum v - lr g; w += momentum v - lr g
@_step("velocity")
def nesterov_step(parameters, gradient, velocity, learning_rate, momentum):
    np.multiply(velocity, momentum, out=velocity)
    _add_scaled(gradient, -learning_rate[0], velocity)
    _add_scaled(velocity, momentum, parameters)
    _add_scaled(gradient, -learning_rate[0], parameters)


# Duchi et al. 2011: a += g^2; w -= lr g / (sqrt(a) + epsilon)
@_step("accumulator", scratch="work")
def adagrad_step(parameters, gradient, accumulator, work, learning_rate, epsilon):
    np.multiply(gradient, gradient, out=work)
    np.add(accumulator, work, out=accumulator)
    np.sqrt(accumulator, out=work)
    np.add(work, epsilon, out=work)
    np.divide(gradient, work, out=gradient)
    _add_scaled(gradient, -learning_rate[0], parameters)


# Tieleman and Hinton 2012: v = rho v + (1 - rho) g^2; u = g / (sqrt(v) + epsilon)
# square_sum holds v / (1 - rho)
@_step("square_sum", scratch="work")
def rmsprop_step(parameters, gradient, square_sum, work, learning_rate, rho, epsilon):
    _scale_by_root_mean_square(gradient, square_sum, work, rho, epsilon)
    _add_scaled(gradient, -learning_rate[0] / math.sqrt(1 - rho), parameters)


# the same with velocity: d = momentum d + lr u; w -= d
@_step("square_sum velocity", scratch="work")
def rmsprop_momentum_step(
    parameters,
    gradient,
    square_sum,
    velocity,
    work,
    learning_rate,
    rho,
    momentum,
    epsilon,
):
    _scale_by_root_mean_square(gradient, square_sum, work, rho, epsilon)
    np.multiply(velocity, momentum, out=velocity)
    _add_scaled(gradient, learning_rate[0] / math.sqrt(1 - rho), velocity)
    np.subtract(parameters, velocity, out=parameters)


def _scale_by_root_mean_square(gradient, square_sum, work, rho, epsilon):
    """gradient becomes sqrt(1 - rho) g / (sqrt(v) + epsilon)."""
    np.multiply(gradient, gradient, out=work)
    np.multiply(square_sum, rho, out=square_sum)
    np.add(square_sum, work, out=square_sum)
    np.sqrt(square_sum, out=work)
    np.add(work, epsilon / math.sqrt(1 - rho), out=work)
    np.divide(gradient, work, out=gradient)


# Graves 2013: m = rho m + (1 - rho) g as well, and u = g / (sqrt(v - m^2) + epsilon)
@_step("square_mean mean velocity", scratch="work")
def rmsprop_centered_step(
    parameters,
    gradient,
    square_mean,
    mean,
    velocity,
    work,
    learning_rate,
    rho,
    momentum,
    epsilon,
):
    np.multiply(gradient, gradient, out=work)
    np.multiply(work, 1 - rho, out=work)
    np.multiply(square_mean, rho, out=square_mean)
    np.add(square_mean, work, out=square_mean)
    np.multiply(mean, rho, out=mean)
    _add_scaled(gradient, 1 - rho, mean)
    np.multiply(mean, mean, out=work)
    np.subtract(square_mean, work, out=work)
    np.maximum(work, 0, out=work)  # rounding can leave a variance below zero
    np.sqrt(work, out=work)
    np.add(work, epsilon, out=work)
    np.divide(gradient, work, out=gradient)
    np.multiply(velocity, momentum, out=velocity)
    _add_scaled(gradient, learning_rate[0], velocity)
    np.subtract(parameters, velocity, out=parameters)


# Kingma and Ba 2015: m = beta_1 m + (1 - beta_1) g; v = beta_2 v + (1 - beta_2) g^2;
# w -= lr m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon)
# gradient_sum holds m / (1 - beta_1), square_sum holds v / (1 - beta_2)
@_step("gradient_sum square_sum")
def adam_step(
    parameters,
    gradient,
    gradient_sum,
    square_sum,
    learning_rate,
    step,
    beta_1,
    beta_2,
    epsilon,
):
    _add_moments(gradient, gradient_sum, square_sum, beta_1, beta_2)
    root = gradient
    np.sqrt(square_sum, out=root)
    _adam_update(
        parameters, gradient_sum, root, learning_rate, step, beta_1, beta_2, epsilon
    )


# Reddi et al. 2018: the same with the largest v so far in the denominator
@_step("gradient_sum square_sum largest_square_sum")
def amsgrad_step(
    parameters,
    gradient,
    gradient_sum,
    square_sum,
    largest_square_sum,
    learning_rate,
    step,
    beta_1,
    beta_2,
    epsilon,
):
    _add_moments(gradient, gradient_sum, square_sum, beta_1, beta_2)
    np.maximum(largest_square_sum, square_sum, out=largest_square_sum)
    root = gradient
    np.sqrt(largest_square_sum, out=root)
    _adam_update(
        parameters, gradient_sum, root, learning_rate, step, beta_1, beta_2, epsilon
    )


def _add_moments(gradient, gradient_sum, square_sum, beta_1, beta_2):
    np.multiply(gradient_sum, beta_1, out=gradient_sum)
    np.add(gradient_sum, gradient, out=gradient_sum)
    np.multiply(square_sum, beta_2, out=square_sum)
    np.multiply(gradient, gradient, out=gradient)
    np.add(square_sum, gradient, out=square_sum)


def _adam_update(
    parameters, gradient_sum, root, learning_rate, step, beta_1, beta_2, epsilon
):
    t = int(step[0])
    root_scale = math.sqrt((1 - beta_2**t) / (1 - beta_2))
    np.add(root, epsilon * root_scale, out=root)
    np.divide(gradient_sum, root, out=root)
    scale = learning_rate[0] * (1 - beta_1) / (1 - beta_1**t) * root_scale
    _add_scaled(root, -scale, parameters)


@compiled(None, writes="count", count="int64: 1", step="int64: 1", before="number")
def count_steps(count, step, before):
    """The number of this step for an optimizer that began after others' steps."""
    count[0] = step[0] - int(before)


# Dozat 2016: mu_t = beta_1 (1 - 0.96^(0.004 t) / 2); with the products of the mu,
# m_hat = mu_{t+1} m / (1 - prod_{t+1}) + (1 - mu_t) g / (1 - prod_t)
@compiled(
    None,
    writes="momentum_product",
    momentum_product="float64: 1",
    step="int64: 1",
    beta_1="number",
)
def nadam_schedule(momentum_product, step, beta_1):
    """Multiply the product of the momentum coefficients by this step's."""
    momentum_product *= _nadam_momentum(beta_1, int(step[0]))


def _nadam_momentum(beta_1, t):
    return beta_1 * (1 - 0.5 * 0.96 ** (0.004 * t))


@_step("mean square_sum", scratch="work")
def nadam_step(
    parameters,
    gradient,
    mean,
    square_sum,
    work,
    learning_rate,
    step,
    momentum_product,
    beta_1,
    beta_2,
    epsilon,
):
    t = int(step[0])
    now, ahead = _nadam_momentum(beta_1, t), _nadam_momentum(beta_1, t + 1)
    product = float(momentum_product[0])
    np.multiply(mean, beta_1, out=mean)
    _add_scaled(gradient, 1 - beta_1, mean)
    np.multiply(square_sum, beta_2, out=square_sum)
    np.multiply(gradient, gradient, out=work)
    np.add(square_sum, work, out=square_sum)

    np.multiply(gradient, (1 - now) / (1 - product), out=gradient)
    _add_scaled(mean, ahead / (1 - product * ahead), gradient)
    np.sqrt(square_sum, out=work)
    root_scale = math.sqrt((1 - beta_2**t) / (1 - beta_2))
    np.add(work, epsilon * root_scale, out=work)
    np.divide(gradient, work, out=gradient)
    _add_scaled(gradient, -learning_rate[0] * root_scale, parameters)
