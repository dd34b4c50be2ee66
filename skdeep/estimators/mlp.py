"""Multilayer perceptrons: dense layers with an activation between them."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval

from skdeep.estimators.classifier import NetworkClassifier
from skdeep.estimators.estimator_docstrings import document
from skdeep.estimators.regressor import NetworkRegressor
from skdeep.initializers import get_initializer
from skdeep.layers import BatchNorm, Dense, Dropout
from skdeep.layers.activation import activation_layers, activation_name
from skdeep.validation.messages import plain
from skdeep.validation.stored_parameters import stores_parameters

_HIDDEN_LAYER_SIZES = ["array-like", Interval(Integral, 1, None, closed="left")]


def hidden_sizes(hidden_layer_sizes):
    """The sizes of the hidden layers as a list.

    Raises
    ------
    ValueError
        Where one of them is not a whole number above zero.
    """
    sizes = np.ravel(hidden_layer_sizes).tolist()
    if any(size != int(size) or size < 1 for size in sizes):
        raise ValueError(
            "hidden_layer_sizes must be whole numbers above 0, one for each hidden "
            f"layer. Got {plain(hidden_layer_sizes)!r}."
        )
    return [int(size) for size in sizes]


def dropout_rates(dropout, n_layers):
    """The dropout rate of each hidden layer.

    Raises
    ------
    ValueError
        Where there are more or fewer rates than layers, or one is not in [0, 1).
    """
    if np.ndim(dropout) == 0:
        return [float(dropout)] * n_layers
    rates = [float(rate) for rate in dropout]
    if len(rates) != n_layers:
        raise ValueError(
            f"dropout must be one rate, or one for each of the {n_layers} hidden "
            f"layers. Got {len(rates)}: {plain(dropout)!r}."
        )
    if not all(0 <= rate < 1 for rate in rates):
        raise ValueError(f"Dropout rates must be in [0, 1). Got {plain(dropout)!r}.")
    return rates


def multilayer_perceptron(estimator, n_outputs):
    """The (name, layer) pairs of a multilayer perceptron, from its hyperparameters."""
    sizes = hidden_sizes(estimator.hidden_layer_sizes)
    rates = dropout_rates(estimator.dropout, len(sizes))
    activation, batch_norm = estimator.activation, estimator.batch_norm
    # He's variance keeps signals alive from hidden layer to hidden layer, but on a few
    # standardized features it makes random ones so large that small data cannot mend
    # them: there, Glorot's generalizes better (measured on wine and digits).
    follows = activation_name(activation)
    before_input = follows if follows == "selu" else "identity"
    followers = [before_input, *[follows] * (len(sizes) - 1)]

    layers = []
    if estimator.input_dropout:
        layers.append(("input_dropout", Dropout(estimator.input_dropout)))
    for number, (units, rate) in enumerate(zip(sizes, rates, strict=True), 1):
        initializer = get_initializer(estimator.kernel_initializer, followers[number - 1])
        dense = Dense(units, use_bias=not batch_norm, kernel_initializer=initializer)
        layers.append((f"dense_{number}", dense))
        if batch_norm:
            layers.append((f"batch_norm_{number}", BatchNorm()))
        layers += activation_layers(activation, number)
        if rate:
            layers.append((f"dropout_{number}", Dropout(rate)))
    initializer = get_initializer(estimator.kernel_initializer, "identity")
    layers.append(("output", Dense(n_outputs, kernel_initializer=initializer)))
    return layers


@document(classifier=True)
class MLPClassifier(NetworkClassifier):
    """A multilayer perceptron that predicts classes, or labels.

    Dense layers with an activation after each but the last; a softmax or a sigmoid
    turns the last one's outputs into probabilities. Binary, multiclass and multilabel
    targets.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        The units of each hidden layer; ``()`` is a linear model.

    activation : {activations}, Activation or PReLU, default="relu"
        The function after each hidden layer, by its name or as a layer:
        `skdeep.layers.Activation` has formulas, and takes your own.

    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MLPRegressor : The same for numbers instead of classes.

    References
    ----------
    Rumelhart, Hinton and Williams (1986). "Learning representations by
    back-propagating errors". Nature 323.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skdeep import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = MLPClassifier(random_state=0).fit(X_train, y_train)
    >>> bool(model.score(X_test, y_test) > 0.95)
    True
    """

    _parameter_constraints = {
        **NetworkClassifier._parameter_constraints,
        "hidden_layer_sizes": _HIDDEN_LAYER_SIZES,
    }

    @stores_parameters
    def __init__(
        self,
        hidden_layer_sizes=(100,),
        *,
        activation="relu",
        optimizer="adam",
        learning_rate="auto",
        learning_rate_schedule="constant",
        batch_size="auto",
        max_iter=200,
        dropout=0.0,
        input_dropout=0.0,
        weight_decay="auto",
        l1_penalty=0.0,
        max_norm=None,
        batch_norm=False,
        loss="auto",
        label_smoothing=0.0,
        class_weight=None,
        gradient_clip_norm=None,
        gradient_clip_value=None,
        weight_averaging=None,
        kernel_initializer="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        monitor="loss",
        shuffle=True,
        warm_start=False,
        random_state=None,
        record=None,
        verbose=0,
    ): ...

    def _layers(self, inputs, n_outputs):
        return multilayer_perceptron(self, n_outputs)


@document(classifier=False)
class MLPRegressor(NetworkRegressor):
    """A multilayer perceptron that predicts numbers.

    Dense layers with an activation after each but the last. One or many targets.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        The units of each hidden layer; ``()`` is a linear model.

    activation : {activations}, Activation or PReLU, default="relu"
        The function after each hidden layer, by its name or as a layer:
        `skdeep.layers.Activation` has formulas, and takes your own.

    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    MLPClassifier : The same for classes instead of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep import MLPRegressor
    >>> X = np.linspace(-1, 1, 200).reshape(-1, 1)
    >>> model = MLPRegressor(random_state=0, learning_rate=0.01, tol=1e-5)
    >>> bool(model.fit(X, np.sin(3 * X.ravel())).score(X, np.sin(3 * X.ravel())) > 0.9)
    True
    """

    _parameter_constraints = {
        **NetworkRegressor._parameter_constraints,
        "hidden_layer_sizes": _HIDDEN_LAYER_SIZES,
    }

    @stores_parameters
    def __init__(
        self,
        hidden_layer_sizes=(100,),
        *,
        activation="relu",
        optimizer="adam",
        learning_rate="auto",
        learning_rate_schedule="constant",
        batch_size="auto",
        max_iter=200,
        dropout=0.0,
        input_dropout=0.0,
        weight_decay="auto",
        l1_penalty=0.0,
        max_norm=None,
        batch_norm=False,
        loss="auto",
        gradient_clip_norm=None,
        gradient_clip_value=None,
        weight_averaging=None,
        kernel_initializer="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        monitor="loss",
        shuffle=True,
        warm_start=False,
        random_state=None,
        record=None,
        verbose=0,
    ): ...

    def _layers(self, inputs, n_outputs):
        return multilayer_perceptron(self, n_outputs)
