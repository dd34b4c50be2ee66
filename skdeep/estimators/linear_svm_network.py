"""The networks of one layer that linear support vector machines train stochastically."""

import numpy as np
from scipy.sparse import hstack, issparse
from sklearn.utils.extmath import randomized_svd, row_norms

from skdeep.estimators.mlp import MLPClassifier, MLPRegressor
from skdeep.layers import Dense, Dropout
from skdeep.losses import EpsilonInsensitive, MulticlassHinge

# Those whose steps are as long as the gradient is: only data tell how long is too long.
_SCALED_BY_GRADIENT = ("sgd", "momentum", "nesterov")


def stochastic_rate(optimizer, X, weight, decay, *, batch_size, dropout=0.0):
    """The learning rate of a stochastic optimizer that was left open, as ``"auto"``.

    Plain gradient descent has the rate 1 / (2 L), where L is the expected smoothness of
    the squared loss over mini-batches (Gower et al. 2019, "SGD: General analysis and
    improved rates", theorem 3.1 and proposition 3.8). It lies between the smoothness of
    the whole cost, for one batch of all samples, and that of the costliest sample, for
    batches of one. With it squared losses converge whatever the features' scale is.
    Losses that are not squared have no L, but their gradient is no longer than
    sqrt(L / 2), so that the same rate ends within 1/8 of the cost at the start, at most
    (Shalev-Shwartz and Ben-David 2014, "Understanding machine learning", lemma 14.1).

    Parameters
    ----------
    optimizer : str or Optimizer
        What the rate is for. Instances, and optimizers that scale their steps
        themselves, such as Adam, keep their own.

    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        The samples.

    weight : ndarray of shape (n_samples,)
        Their weights.

    decay : float
        The weight decay.

    batch_size : "auto", "full" or int
        The samples in a mini-batch.

    dropout : float, default=0.0
        The share of inputs that is zeroed; it makes the others larger.

    Returns
    -------
    rate : "auto" or float
    """
    if not isinstance(optimizer, str) or optimizer not in _SCALED_BY_GRADIENT:
        return "auto"
    rows = np.flatnonzero(weight)
    n = len(rows)
    if not n:
        return "auto"
    X, weight = X[rows], weight[rows] / weight.sum()
    ones = np.ones((n, 1), X.dtype)  # what the intercept is multiplied by
    extended = hstack([X, ones], format="csr") if issparse(X) else np.hstack([X, ones])
    costliest = n * float(np.max(weight * row_norms(extended, squared=True)))
    root = np.sqrt(weight).astype(X.dtype)[:, None]
    rooted = extended.multiply(root).tocsr() if issparse(X) else extended * root
    whole = float(randomized_svd(rooted, 1, random_state=0)[1][0]) ** 2
    batch = {"auto": min(200, n), "full": n}.get(batch_size, batch_size)
    # how much of the costliest sample there is in a mini-batch drawn without repeats
    single = (n - batch) / (batch * (n - 1)) if batch < n else 0.0
    mean = n * (batch - 1) / (batch * (n - 1)) if batch < n else 1.0
    smoothness = 2.0 * (mean * whole + single * costliest) / (1.0 - dropout) + decay
    return 0.5 / smoothness


def check_known_classes(estimator, classes):
    """The sorted classes of a first call to `partial_fit`.

    Raises
    ------
    ValueError
        Where they were not given, or are fewer than two.
    """
    if classes is None:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    classes = np.unique(classes)
    if len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least 2 classes, but `classes` names 1 "
            f"class: {classes[0]!r}."
        )
    return classes


def _one_layer(dropout, units, use_bias):
    # the objective is convex: zeros are as good a start as any, and always alike
    layer = ("output", Dense(units, use_bias=use_bias, kernel_initializer="zeros"))
    return [("input_dropout", Dropout(dropout)), layer] if dropout else [layer]


class HingeNetwork(MLPClassifier):
    """A dense layer on the inputs, with a hinge loss."""

    def __init__(self, *, loss, fit_intercept, **options):
        joint = loss == "multiclass_hinge"
        super().__init__((), loss=MulticlassHinge() if joint else loss, **options)
        self.fit_intercept = fit_intercept

    def _layers(self, n_outputs):
        return _one_layer(self.input_dropout, n_outputs, self.fit_intercept)


class TubeNetwork(MLPRegressor):
    """A dense layer on the inputs, with the epsilon-insensitive loss."""

    def __init__(self, *, epsilon, squared, fit_intercept, **options):
        loss = EpsilonInsensitive(epsilon=epsilon, squared=squared)
        super().__init__((), loss=loss, **options)
        self.fit_intercept = fit_intercept

    def _layers(self, n_outputs):
        return _one_layer(self.input_dropout, n_outputs, self.fit_intercept)
