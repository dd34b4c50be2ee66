"""A test that finds a learning rate: raise it step by step, and watch the loss."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils.validation import _check_sample_weight

from skdeep.estimators.class_targets import balanced_class_weight
from skdeep.estimators.inside import as_array, check_is_network
from skdeep.inspection.plotting import import_pyplot
from skdeep.schedules import Schedule
from skdeep.training.trainer import batch_rows
from skdeep.validation.inputs import convert_input
from skdeep.validation.messages import plain
from skdeep.validation.notices import warn_user

# The loss of fewer samples is too noisy to be compared.
_FEWEST_SAMPLES = 32


@dataclass(frozen=True)
class LearningRateRangeTest:
    """What a learning-rate range test found.

    Parameters
    ----------
    learning_rates : ndarray of shape (n_rates,)
        The learning rates that were tried, up to where the loss exploded.

    losses : ndarray of shape (n_rates,)
        The loss of the batch that each was tried on, before the step, plus the penalty.

    smoothed_losses : ndarray of shape (n_rates,)
        The losses' exponential moving average, corrected for its start.

    suggestion : float
        The rate where the smoothed loss falls the fastest, as a function of the
        logarithm of the rate, before it is at its lowest. NaN where it never falls.

    lowest_loss_at : float
        The rate where the smoothed loss is at its lowest: a larger one undoes what
        training gained.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    smoothed_losses: np.ndarray
    suggestion: float
    lowest_loss_at: float

    def plot(self, ax=None):
        """Draw the loss over the learning rate, and mark the suggestion.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ax : matplotlib Axes

        Raises
        ------
        ImportError
            Where Matplotlib is not installed.
        """
        pyplot = import_pyplot()
        if ax is None:
            _, ax = pyplot.subplots(layout="constrained")
        ax.plot(self.learning_rates, self.losses, color="lightgray", label="loss")
        ax.plot(self.learning_rates, self.smoothed_losses, label="smoothed")
        if not math.isnan(self.suggestion):
            label = f"suggestion: {self.suggestion:.2g}"
            ax.axvline(self.suggestion, color="black", linestyle=":", label=label)
        start, lowest = self.smoothed_losses[0], np.nanmin(self.smoothed_losses)
        ax.set_ylim(lowest - 0.1 * (start - lowest), start + 0.5 * (start - lowest + 1e-9))
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        ax.legend()
        return ax


class _OneEach(Schedule):
    """A given factor for each epoch."""

    def __init__(self, epoch_factors=(1.0,)):
        self.epoch_factors = epoch_factors

    def factors(self, progress):
        return np.full(progress.steps_per_epoch, self.epoch_factors[progress.epoch])


def learning_rate_range_test(
    estimator,
    X,
    y,
    *,
    sample_weight=None,
    min_learning_rate=1e-6,
    max_learning_rate=10.0,
    n_rates=100,
    growth="exponential",
    smoothing=0.9,
    stop_factor=4.0,
):
    """Find a learning rate: train a few steps with one that grows, and watch the loss.

    A copy of the estimator takes one step on each mini-batch, with a larger learning
    rate every time. While the rate is too small nothing happens; then the loss falls;
    then it explodes. The rate where it falls the fastest is a good one to begin with.

    Parameters
    ----------
    estimator : estimator
        A network estimator; it stays as it is. Its `batch_size`, optimizer and all else
        act; its learning rate, schedule, weight averaging and early stopping do not.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The training data, as `fit` takes them.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The targets.

    sample_weight : array-like of shape (n_samples,), default=None
        The samples' weights.

    min_learning_rate, max_learning_rate : float, default=1e-6 and 10.0
        The first and the last learning rate.

    n_rates : int, default=100
        The number of learning rates, at least 5. Each is tried for one step, or where
        batches have fewer than 32 samples, for as many steps as have 32 together.

    growth : {"exponential", "linear"}, default="exponential"
        Whether each rate is a multiple of the one before, or the same amount more.

    smoothing : float, default=0.9
        How much of the smoothed loss stays at each rate, in [0, 1).

    stop_factor : float, default=4.0
        The test ends when the smoothed loss has risen above its lowest value by this
        many times what it fell before, and by this many times the first loss.

    Returns
    -------
    result : LearningRateRangeTest
        The curve, with a `suggestion` and a `plot`.

    Raises
    ------
    ValueError
        For L-BFGS, which has no learning rate, and for parameters that make no sense.

    References
    ----------
    Smith (2017). "Cyclical learning rates for training neural networks". WACV.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep import MLPClassifier
    >>> from skdeep.inspection import learning_rate_range_test
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(random_state=0)
    >>> result = learning_rate_range_test(model, X / 16, y)
    >>> bool(1e-3 < result.suggestion < 0.3)
    True
    """
    _check(estimator, min_learning_rate, max_learning_rate, n_rates, growth, smoothing)
    space = np.geomspace if growth == "exponential" else np.linspace
    rates = space(min_learning_rate, max_learning_rate, n_rates)
    X = as_array(estimator, X)
    check_consistent_length(X, y)
    weight = convert_input(sample_weight, name="sample_weight")
    weight = _check_sample_weight(weight, X, dtype=np.float64)
    model = _prepared(estimator, rates)
    if getattr(estimator, "class_weight", None) == "balanced":
        # which partial_fit, that sees a batch at a time, does not know
        model.set_params(class_weight=balanced_class_weight(y, weight))
    batches = _batches(estimator, weight, n_rates)
    classes = {}
    if is_classifier(model) and np.ndim(y) == 1:
        classes = {"classes": np.unique(y)}
    losses = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that training diverges is what is sought
        for rows in batches:
            model.partial_fit(
                _safe_indexing(X, rows),
                _safe_indexing(y, rows),
                sample_weight=weight[rows],
                **classes,
            )
            if model.n_iter_ == len(losses):  # it diverged
                break
            losses.append(model.loss_)
            if _has_exploded(_smoothed(losses, smoothing), stop_factor):
                break
    return _result(rates[: len(losses)], np.array(losses), smoothing)


def _check(estimator, lowest, highest, n_rates, growth, smoothing):
    check_is_network(estimator)
    if not hasattr(estimator, "partial_fit"):
        raise ValueError(
            f"optimizer={estimator.optimizer!r} has no learning rate to find. Use the "
            "test with another optimizer, such as 'adam'."
        )
    if not 0 < lowest < highest:
        raise ValueError(
            "Learning rates must satisfy 0 < min_learning_rate < max_learning_rate. Got "
            f"{plain(lowest)!r} and {plain(highest)!r}."
        )
    if int(n_rates) != n_rates or n_rates < 5:
        raise ValueError(f"n_rates must be an int of at least 5. Got {plain(n_rates)!r}.")
    if growth not in ("exponential", "linear"):
        raise ValueError(f"growth must be 'exponential' or 'linear'. Got {growth!r}.")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be in [0, 1). Got {plain(smoothing)!r}.")


def _prepared(estimator, rates):
    """A copy whose every call of partial_fit is one step at the next rate."""
    model = clone(estimator)
    model.set_callbacks()  # none: a copy has those of the original
    model.set_params(
        learning_rate=float(rates[0]),
        learning_rate_schedule=_OneEach(rates / rates[0]),
        early_stopping=False,
        weight_averaging=None,
        record=None,
        verbose=0,
    )
    return model


def _batches(estimator, weight, n_rates):
    """The rows for each rate, in an order that is new whenever all had their turn."""
    rows = np.flatnonzero(weight)
    size = batch_rows(estimator.batch_size, len(rows))
    size = min(size * math.ceil(_FEWEST_SAMPLES / size), len(rows))
    generator = check_random_state(estimator.random_state)
    per_epoch = len(rows) // size
    for number in range(n_rates):
        place = number % per_epoch
        if place == 0 and estimator.shuffle and size < len(rows):
            rows = generator.permutation(rows)
        yield rows[place * size : (place + 1) * size]


def _smoothed(losses, smoothing):
    """The exponential moving average, divided by the weights it has."""
    average, smoothed = 0.0, []
    for step, loss in enumerate(losses, 1):
        average = smoothing * average + (1 - smoothing) * loss
        smoothed.append(average / (1 - smoothing**step))
    return np.array(smoothed)


def _has_exploded(smoothed, stop_factor):
    lowest = smoothed.min()
    fall = smoothed[: smoothed.argmin() + 1].max() - lowest
    return smoothed[-1] - lowest > stop_factor * max(fall, abs(smoothed[0]))


def _result(rates, losses, smoothing):
    smoothed = _smoothed(losses, smoothing)
    suggestion = lowest_at = math.nan
    if len(losses) > 2:
        lowest = int(smoothed.argmin())
        slope = np.gradient(smoothed, np.log(rates))[: lowest + 1]
        lowest_at = float(rates[lowest])
        if slope.min() < 0:
            suggestion = float(rates[slope.argmin()])
    if math.isnan(suggestion):
        warn_user(
            "The loss never fell, so no learning rate can be suggested. Lower "
            "min_learning_rate, or scale the features (StandardScaler)."
        )
    return LearningRateRangeTest(rates, losses, smoothed, suggestion, lowest_at)
