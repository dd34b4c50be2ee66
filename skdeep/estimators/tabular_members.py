"""The models that predict a table together: networks, a linear model, trees.

Each learns from the numbers that a `TabularPreprocessor` makes, and predicts a row of
numbers for each sample: the probabilities of all classes, or standardized targets.
"""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from skdeep.engine.threads import side_by_side
from skdeep.estimators.sequential import SequentialClassifier, SequentialRegressor
from skdeep.estimators.tabular_plan import (
    N_BINS,
    N_EMBEDDING_OUTPUTS,
    N_FREQUENCIES,
    PERIODIC,
    PIECEWISE,
    PLAIN,
)
from skdeep.layers import Activation, Dense, Dropout, PeriodicEmbedding
from skdeep.optimizers import AdamW

LINEAR, TREES = "linear", "trees"
_RIDGE_PENALTIES = np.logspace(-2, 3, 11)


@dataclass(frozen=True)
class Member:
    """A model of those that predict together.

    Parameters
    ----------
    kind : {"periodic", "piecewise", "plain", "linear", "trees"}
        A network by what its numbers become first, or another model.

    fold : int or None
        The fold whose rows it was not trained on; None for a model of all rows.

    estimator : estimator
        The fitted model. Its classes are numbers of classes, its targets standardized.

    n_epochs : int or None
        The epochs of a network's schedule; None for another model.
    """

    kind: str
    fold: int | None
    estimator: Any
    n_epochs: int | None = None

    def outputs(self, inputs, n_outputs):
        """What it predicts, as an array of shape (n_samples, n_outputs)."""
        X = inputs[self.kind]
        if not is_classifier(self.estimator):
            return self.estimator.predict(X).reshape(len(X), n_outputs)
        probabilities = self.estimator.predict_proba(X)
        if probabilities.shape[1] == n_outputs:
            return probabilities
        # a fold without a rare class
        full = np.zeros((len(X), n_outputs), dtype=probabilities.dtype)
        full[:, self.estimator.classes_] = probabilities
        return full


def mean_outputs(members, inputs, n_outputs):
    """The mean of what the members of each kind predict.

    Parameters
    ----------
    members : list of Member
        The models.

    inputs : dict
        What each kind takes.

    n_outputs : int
        The classes or targets.

    Returns
    -------
    means : dict of str to ndarray of shape (n_samples, n_outputs)
        In float64, by kind.
    """
    outputs = [None] * len(members)

    def predict(number):
        outputs[number] = members[number].outputs(inputs, n_outputs)

    side_by_side(predict, range(len(members)), threading.Event())
    by_kind = {}
    for member, output in zip(members, outputs, strict=True):
        by_kind.setdefault(member.kind, []).append(output)
    return {k: np.mean(found, axis=0, dtype=np.float64) for k, found in by_kind.items()}


@dataclass(frozen=True)
class Rows:
    """Samples as members take them: `target` is numbers of classes, or numbers.

    `x` is a dict: what each kind of member takes.
    """

    x: dict
    target: np.ndarray
    weight: np.ndarray

    def take(self, rows):
        """Some of the samples."""
        # kinds that take the same array share the part
        parts = {id(x): x[rows] for x in self.x.values()}
        x = {kind: parts[id(x)] for kind, x in self.x.items()}
        return Rows(x, self.target[rows], self.weight[rows])


class MemberInputs:
    """What each kind of member takes, from the numbers of a preprocessor.

    Parameters
    ----------
    kinds : iterable of str
        The kinds.

    n_numeric : int
        How many columns, the first ones, are scaled numbers.

    n_passing : int
        How many columns follow, which no embedding takes.
    """

    def __init__(self, kinds, n_numeric, n_passing):
        self.kinds = tuple(kinds)
        self.n_numeric = n_numeric
        self.n_passing = n_passing
        self._encoder = None

    def fit(self, Z, weight):
        """Learn the bins of a piecewise linear encoding."""
        # here, as all scalers take a tenth of the time of `import skdeep`
        from skdeep.preprocessing import PiecewiseLinearEncoder

        if PIECEWISE in self.kinds and self.n_numeric:
            encoder = PiecewiseLinearEncoder(N_BINS)
            self._encoder = encoder.fit(Z[:, : self.n_numeric], sample_weight=weight)
        return self

    def of(self, Z):
        """A dict from kind to array."""
        x = dict.fromkeys(self.kinds, Z)
        if self._encoder is not None:
            encoded = self._encoder.transform(Z[:, : self.n_numeric])
            x[PIECEWISE] = np.concatenate([encoded, Z], axis=1)
        return x


def network(kind, options, n_numeric, n_rows, seed, *, classifies):
    """A network to train: an embedding, then dense layers.

    Parameters
    ----------
    kind : str
        What numbers become first.

    options : dict
        `hidden_layer_sizes`, `dropout`, `learning_rate`, `weight_decay`, `batch_size`,
        and `n_epochs`, in which the rate falls to zero.

    n_numeric : int
        How many columns are numbers to embed.

    n_rows : int
        How many samples train.

    seed : int
        Decides its random numbers.

    classifies : bool
        Whether targets are classes.

    Returns
    -------
    network : SequentialClassifier or SequentialRegressor
    """
    layers = []
    if kind == PERIODIC and n_numeric:
        embedding = PeriodicEmbedding(
            n_numeric, n_frequencies=N_FREQUENCIES, n_outputs=N_EMBEDDING_OUTPUTS
        )
        layers.append(("embedding", embedding))
    for number, units in enumerate(options["hidden_layer_sizes"], start=1):
        layers.append((f"dense_{number}", Dense(units, kernel_initializer="he_normal")))
        activation = Activation("relu" if kind == PLAIN else "silu")
        layers.append((f"activation_{number}", activation))
        if options["dropout"]:
            layers.append((f"dropout_{number}", Dropout(options["dropout"])))
    kind_of_estimator = SequentialClassifier if classifies else SequentialRegressor
    return kind_of_estimator(
        layers,
        optimizer=AdamW(),
        learning_rate=options["learning_rate"],
        learning_rate_schedule="cosine",
        weight_decay=options["weight_decay"],
        batch_size=min(options["batch_size"], n_rows),
        max_iter=options["n_epochs"],
        n_iter_no_change=np.inf,
        tol=0.0,
        random_state=seed,
    )


def linear_model(classifies):
    """A linear model of numbers that are about one."""
    # here, as they take a third of the time of `import skdeep`
    from sklearn.linear_model import LogisticRegression, RidgeCV

    return LogisticRegression(max_iter=500) if classifies else RidgeCV(_RIDGE_PENALTIES)


def tree_model(classifies, n_targets, seed):
    """scikit-learn's gradient boosting; one for each of many targets."""
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    )
    from sklearn.multioutput import MultiOutputRegressor

    if classifies:
        return HistGradientBoostingClassifier(random_state=seed)
    model = HistGradientBoostingRegressor(random_state=seed)
    return model if n_targets == 1 else MultiOutputRegressor(model)
