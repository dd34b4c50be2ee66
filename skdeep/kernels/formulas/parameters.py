"""What acts on the flat vectors of parameters and gradients besides the optimizer."""

from .expression import maximum, minimum, where


def add_weight_decay(parameters, gradient, *, rate):
    """Add the gradient of rate / 2 * ||parameters||^2."""
    return {"gradient": gradient + parameters * rate}


def add_l1_penalty(parameters, gradient, *, rate):
    """Add a subgradient of rate * ||parameters||_1: zero where a parameter is."""
    below = where(parameters < 0, -rate, parameters)
    return {"gradient": gradient + where(parameters > 0, rate, below)}


def decay_parameters(parameters, *, learning_rate, rate):
    """Decoupled weight decay (Loshchilov and Hutter 2019)."""
    return {"parameters": parameters * (1 - learning_rate * rate)}


def clip_by_value(gradient, *, limit):
    """Cut each entry to [-limit, limit]."""
    return {"gradient": maximum(minimum(gradient, limit), -limit)}


def update_moving_average(parameters, average, *, step, decay):
    """a <- d a + (1 - d) w, where d = min(decay, (1 + t) / (10 + t)), so that the first
    steps are not outweighed by where the average started."""
    keep = minimum(decay, (1 + step) / (10 + step))
    return {"average": average + (parameters - average) * (1 - keep)}


VECTOR_FUNCTIONS = (
    add_weight_decay,
    add_l1_penalty,
    decay_parameters,
    clip_by_value,
    update_moving_average,
)
