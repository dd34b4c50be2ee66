"""Weights of several models' predictions, from rows that none of them was trained on."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

# So many choices follow the first ensemble: few, or they fit the rows.
_N_CHOICES = 10
# Probabilities of zero have an infinite loss, which would rule a model out for one row.
_LEAST_PROBABILITY = 1e-7
# Rows that are all predicted right would make predictions as sure as can be.
_TEMPERATURES = 0.5, 5.0


@dataclass(frozen=True)
class Unseen:
    """Rows that were set aside, and the blended outputs for them.

    `rows` are places in the training data, or in validation data; then `fold` is None.
    """

    rows: np.ndarray
    target: np.ndarray
    outputs: np.ndarray
    weight: np.ndarray
    fold: np.ndarray | None


@dataclass(frozen=True)
class Blend:
    """Members of one schedule, what each kind weighs, and what that comes from."""

    members: list
    weights: dict
    n_epochs: int
    unseen: Unseen | None
    loss: float


def cross_entropies(codes, probabilities):
    """The cross entropy of each row, -log p of its class.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        The rows' classes.

    probabilities : ndarray of shape (n_samples, n_classes)

    Returns
    -------
    losses : ndarray of shape (n_samples,)
    """
    p = probabilities[np.arange(len(codes)), codes]
    return -np.log(np.maximum(p, _LEAST_PROBABILITY))


def squared_errors(y, predictions):
    """The squared error of each row, summed over the targets."""
    return ((y - predictions) ** 2).sum(axis=1)


def select(losses, predictions, weight, first):
    """Add models to an ensemble, greedily and with replacement; their shares are weights.

    Each time the model is added whose mean with those before has the least loss (Caruana
    et al. 2004, "Ensemble selection from libraries of models", ICML). Models that the first
    ensemble has keep a share, whatever the rows say.

    Parameters
    ----------
    losses : callable
        Gives the loss of each row for predictions.

    predictions : list of ndarray of shape (n_samples, n_outputs)
        Of each model.

    weight : ndarray of shape (n_samples,)
        The rows' weights.

    first : list of int
        How often each model is in the first ensemble; at least one of them is.

    Returns
    -------
    weights : ndarray of shape (n_models,)
        At least zero, of sum one.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.estimators.blending import select, squared_errors
    >>> y = np.array([[0.0], [1.0], [2.0]])
    >>> models = [y + 0.1, y - 0.1, y + 5.0]
    >>> select(lambda p: squared_errors(y, p), models, np.ones(3), [1, 1, 0])
    array([0.5, 0.5, 0. ])
    """
    counts = np.array(first)
    total = sum(n * p for n, p in zip(counts, predictions, strict=True))
    best = weight @ losses(total / counts.sum())
    weights = counts / counts.sum()
    for _ in range(_N_CHOICES):
        n = counts.sum() + 1
        costs = [weight @ losses((total + p) / n) for p in predictions]
        chosen = int(np.argmin(costs))
        counts[chosen] += 1
        total = total + predictions[chosen]
        if costs[chosen] < best:
            best, weights = costs[chosen], counts / n
    return weights


def temperature(codes, probabilities, weight):
    """The temperature T for which probabilities p^(1/T), normalized, fit best.

    Above 1 they become less sure, below 1 more (Guo et al. 2017, "On calibration of modern
    neural networks", ICML). The least mean cross entropy of the rows decides.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        The rows' classes.

    probabilities : ndarray of shape (n_samples, n_classes)
        Of rows that no model was trained on.

    weight : ndarray of shape (n_samples,)
        The rows' weights.

    Returns
    -------
    temperature : float
        From 0.5 to 5.
    """

    def cost(log_temperature):
        scaled = with_temperature(probabilities, np.exp(log_temperature))
        return weight @ cross_entropies(codes, scaled)

    limits = np.log(_TEMPERATURES)
    found = minimize_scalar(cost, bounds=limits, method="bounded")
    return float(np.exp(found.x)) if found.fun < cost(0.0) else 1.0


def with_temperature(probabilities, temperature):
    """Probabilities p^(1/T), normalized."""
    if temperature == 1.0:
        return probabilities
    z = np.log(np.maximum(probabilities, np.finfo(probabilities.dtype).tiny)) / temperature
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return z / z.sum(axis=1, keepdims=True)
