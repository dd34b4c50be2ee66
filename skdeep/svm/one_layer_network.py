"""The networks of one layer that linear support vector machines train stochastically."""

import math

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.extmath import randomized_svd, row_norms
from sklearn.utils.validation import _check_sample_weight

from skdeep.estimators.mlp import MLPClassifier, MLPRegressor
from skdeep.layers import Dense, Dropout
from skdeep.losses import EpsilonInsensitive, MulticlassHinge
from skdeep.training.tasks import FitTasks
from skdeep.training.trainer import batch_rows
from skdeep.validation.messages import plain

# Those whose steps are as long as the gradient is: only data tell how long is too long.
_SCALED_BY_GRADIENT = ("sgd", "momentum", "nesterov")


def network_options(estimator, X, weight, decay, curvature=2.0):
    """The hyperparameters of the network with the same objective as an estimator.

    Its cost is the weighted mean of the loss plus weight_decay / 2 ||w||^2.

    Parameters
    ----------
    estimator : LinearSVM or LinearSVMRegressor
        Whose parameters to take.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        The samples.

    weight : ndarray of shape (n_samples,)
        Their weights.

    decay : float
        The weight decay that makes the objective the same.

    curvature : float, default=2.0
        The largest second derivative of the loss; of one that is not squared, four
        times the square of its largest slope, over its size where training starts.

    Returns
    -------
    options : dict
    """
    rate, scale = estimator.learning_rate, 1.0
    by_name = isinstance(estimator.optimizer, str)
    if rate == "auto" and by_name and estimator.optimizer in _SCALED_BY_GRADIENT:
        rate, scale = gradient_descent_rate(
            X, weight, decay, curvature,
            batch_size=estimator.batch_size, dropout=estimator.dropout,
        )  # fmt: skip
    return {
        "optimizer": estimator.optimizer,
        "learning_rate": rate,
        "batch_size": estimator.batch_size,
        "max_iter": estimator.max_iter,
        "tol": estimator.tol,
        "n_iter_no_change": _patience(np.count_nonzero(weight), estimator.batch_size),
        "input_dropout": estimator.dropout,
        "weight_decay": decay / scale**2,
        "fit_intercept": estimator.fit_intercept,
        "scale": scale,
        "random_state": estimator.random_state,
        "verbose": estimator.verbose,
    }


def gradient_descent_rate(X, weight, decay, curvature=2.0, *, batch_size, dropout):
    """The learning rate of gradient descent on a hinge loss, and the features' scale.

    The scale is the root of the largest mean square of the samples in any direction.
    Divided by it, the features are of the size of the intercept's, which is 1, so that
    one rate serves both. It is 1 / (2 L), where L is the expected smoothness of the
    squared loss over mini-batches (Gower et al. 2019, "SGD: General analysis and
    improved rates", theorem 3.1 and proposition 3.8). L lies between the smoothness of
    the whole cost, for one batch of all samples, and that of the costliest sample, for
    batches of one. With it squared losses converge whatever the data are. Losses that
    are not squared have no L, but with four times the square of their slope instead of
    a curvature descent ends within 1/8 of the cost at the start, on average
    (Shalev-Shwartz and Ben-David 2014, "Understanding machine learning", lemma 14.1).

    Parameters
    ----------
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        The samples.

    weight : ndarray of shape (n_samples,)
        Their weights.

    decay : float
        The weight decay of the coefficients of features that are not scaled.

    curvature : float, default=2.0
        The largest second derivative of the loss, as in `network_options`.

    batch_size : "auto", "full" or int
        The samples in a mini-batch.

    dropout : float
        The share of inputs that is zeroed; it makes the others larger.

    Returns
    -------
    rate : float
    scale : float
        What the features are to be divided by, and the coefficients then, too.
    """
    rows = np.flatnonzero(weight)
    n = len(rows)
    if not n or not X.shape[1]:
        return 0.25, 1.0
    X, share = X[rows], weight[rows] / weight.sum()
    root = np.sqrt(share).astype(X.dtype)[:, None]
    rooted = X.multiply(root).tocsr() if issparse(X) else X * root
    scale = float(randomized_svd(rooted, 1, random_state=0)[1][0]) or 1.0
    # of the matrix of all mean products, the intercept's among them, which has ones on
    # its diagonal and this beside it
    largest = 1.0 + float(np.linalg.norm(X.T @ share)) / scale
    squares = row_norms(X, squared=True).astype(np.float64) / scale**2 + 1.0
    costliest = n * float(np.max(share * squares))
    batch = batch_rows(batch_size, n)
    if batch < n:  # drawn without repeats
        one = (n - batch) / (batch * (n - 1))
        largest = (1.0 - one) * largest + one * costliest
    smoothness = curvature * largest / (1.0 - dropout) + decay / scale**2
    return 0.5 / smoothness, scale


def _patience(n, batch_size):
    """The epochs without a lower cost that end training: ten, and at least 100 steps.

    With momentum the cost rises and falls for some steps before it settles.
    """
    steps = math.ceil(n / batch_rows(batch_size, n)) if n else 1
    return max(10, math.ceil(100 / steps))


def check_batch_weight(sample_weight, X, first):
    """The weights of a call to `partial_fit`; only the first one's must not all be zero."""
    return _check_sample_weight(
        sample_weight,
        X,
        dtype=np.float64,
        ensure_non_negative=True,
        allow_all_zero_weights=not first,
    )


def run_epochs(fit, network, tasks, X, y, weight, **options):
    """Train a network by its method `fit`, which tells `tasks` of its epochs.

    Returns
    -------
    interrupt : KeyboardInterrupt or None
        What ended training early, where the network has something to keep of it.
    """
    before = vars(network).get("network_")
    network.tasks = tasks
    try:
        fit(network.scaled(X), y, sample_weight=weight, **options)
    except KeyboardInterrupt as interrupt:
        if vars(network).get("network_") is before:
            raise
        return interrupt
    finally:
        del network.tasks
    return None


class MachineTasks(FitTasks):
    """Tells the callbacks of a linear support vector machine of its fit and its epochs.

    Parameters
    ----------
    machine : LinearSVM or LinearSVMRegressor
        What is fitted.

    X, y : array-like
        The training data, as they were given.

    sample_weight : array-like or None
        Their weights.
    """

    def __init__(self, machine, X, y, sample_weight):
        super().__init__(machine, X, y, {"sample_weight": sample_weight})

    def of(self, network):
        """These tasks, whose epochs are those of a network."""
        self._network = network
        return self

    def end(self, network, state):
        """Leave the end to the machine: it has not learned of the network's end yet."""

    def end_fit(self):
        """End the fit of the machine, which is fitted now."""
        self._context.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=lambda: self._estimator._attributes_with({}),
            **self._samples(),
        )

    def _attributes_of(self, monitor):
        network = self._network._fitted_after(monitor.finished_network(), monitor.state)
        del network.tasks
        return self._estimator._attributes_with(self._estimator._learned_by(network))


def check_known_classes(estimator, classes):
    """The sorted classes of a call to `partial_fit`: those of the first call.

    Raises
    ------
    ValueError
        Where they are not given in the first call, fewer than two, or others later.
    """
    known = vars(estimator).get("classes_")
    if classes is None:
        if known is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return known
    given = np.unique(classes)
    if known is not None and not np.array_equal(given, known):
        raise ValueError(
            f"classes={classes!r} is not the same as in the first call to partial_fit or "
            f"fit: {known!r}."
        )
    if len(given) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least 2 classes, but `classes` names 1 "
            f"class: {plain(given[0])!r}."
        )
    return given


def known_codes(y, classes):
    """The number of each sample's class.

    Raises
    ------
    ValueError
        Where y has other classes.
    """
    unknown = np.setdiff1d(y, classes)
    if unknown.size:
        raise ValueError(
            f"y has classes that are not in classes_: {unknown}. Known are {classes}."
        )
    return np.searchsorted(classes, y)


class _OneLayerNetwork:
    """A dense layer on features that are divided by `scale`.

    Its outputs are targets less `centre`, so that single precision holds their digits.
    """

    centre = 0.0

    def _tasks(self, X, y, metadata):
        return self.tasks.of(self)

    def _layers(self, inputs, n_outputs):
        rate, use_bias = self.input_dropout, self.fit_intercept
        # the objective is convex: zeros are as good a start as any, and always alike
        dense = Dense(n_outputs, use_bias=use_bias, kernel_initializer="zeros")
        dropout = [("input_dropout", Dropout(rate))] if rate else []
        return [*dropout, ("output", dense)]

    def scaled(self, X):
        """The features as this network takes them."""
        return X if self.scale == 1.0 else X / X.dtype.type(self.scale)

    def learned(self):
        """What it has learned of the features and targets as they came, in float64."""
        coef = self.coefs_[0].T.astype(np.float64) / self.scale
        bias = self.intercepts_[0] if self.fit_intercept else np.zeros(len(coef))
        return {
            "coef_": coef,
            "intercept_": bias.astype(np.float64) + self.centre,
            "n_iter_": self.n_iter_,
            "_network": self,
        }


class HingeNetwork(_OneLayerNetwork, MLPClassifier):
    """A dense layer on the inputs, with a hinge loss."""

    def __init__(self, *, loss, fit_intercept, scale, **options):
        joint = loss == "multiclass_hinge"
        super().__init__((), loss=MulticlassHinge() if joint else loss, **options)
        self.fit_intercept, self.scale = fit_intercept, scale


class TubeNetwork(_OneLayerNetwork, MLPRegressor):
    """A dense layer on the inputs, with the epsilon-insensitive loss."""

    def __init__(self, *, epsilon, squared, fit_intercept, scale, centre, **options):
        loss = EpsilonInsensitive(epsilon=epsilon, squared=squared)
        super().__init__((), loss=loss, **options)
        self.fit_intercept, self.scale, self.centre = fit_intercept, scale, centre
