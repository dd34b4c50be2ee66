"""Warnings and errors write plain numbers, and docstrings say what is computed."""

import re
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skdeep import (
    ConvNetClassifier,
    ConvNetRegressor,
    LinearSVM,
    MLPClassifier,
    MLPRegressor,
    SequentialClassifier,
)
from skdeep.initializers import get_initializer
from skdeep.inspection import MarginDisplay, grad_cam, learning_rate_range_test
from skdeep.layers import AveragePool, Conv, Dense, MaxPool, Reshape
from skdeep.preprocessing import (
    LogScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from skdeep.validation.messages import plain

pytestmark = pytest.mark.tiny

rng = np.random.default_rng(0)
X = rng.normal(size=(20, 6))
IMAGES = X.reshape(20, 3, 2)
Y = np.arange(20) % 3
TWO = np.arange(20) % 2

i, f = np.int64, np.float64


def stack(*layers):
    return SequentialClassifier(layers, input_shape=(3, 2, 1))


FAILURES = {
    "hidden sizes": lambda: MLPClassifier((i(0),)).fit(X, Y),
    "hidden array": lambda: MLPClassifier(np.array([3, 0])).fit(X, Y),
    "dropout": lambda: MLPClassifier(dropout=[f(0.1), f(0.2)]).fit(X, Y),
    "dropout rates": lambda: MLPClassifier(dropout=(f(1.5),)).fit(X, Y),
    "filters": lambda: ConvNetClassifier((i(0),)).fit(IMAGES, Y),
    "convnet's dropout": lambda: ConvNetClassifier(dropout=[f(0.5)]).fit(IMAGES, Y),
    "convnet's rates": lambda: ConvNetRegressor(3, dropout=[f(2), f(0)]).fit(IMAGES, Y),
    "input shape": lambda: ConvNetClassifier(input_shape=(i(2), i(2))).fit(IMAGES, Y),
    "one class": lambda: LinearSVM().fit(X, np.full(20, 3)),
    "named class": lambda: LinearSVM(optimizer="sgd").partial_fit(X, Y, classes=[i(1)]),
    "weightless class": lambda: LinearSVM(class_weight={0: 0, 1: 1, 2: 1}).fit(X, Y),
    "other classes": lambda: (
        MLPClassifier()
        .partial_fit(X, Y, classes=np.arange(3))
        .partial_fit(X, Y, classes=np.arange(4))
    ),
    "l1 penalty": lambda: MLPRegressor(optimizer="lbfgs", l1_penalty=f(1)).fit(X, Y),
    "max norm": lambda: MLPRegressor(optimizer="lbfgs", max_norm=f(1)).fit(X, Y),
    "window": lambda: stack(Conv(2, (i(3), i(3), i(3)))).fit(IMAGES, TWO),
    "window size": lambda: stack(Conv(2, (i(3), i(0)))).fit(IMAGES, TWO),
    "padding": lambda: stack(Conv(2, 1, 1, (i(3), i(3), i(1)))).fit(IMAGES, TWO),
    "padding pair": lambda: stack(Conv(2, 1, 1, ((i(-3), i(3)), i(1)))).fit(IMAGES, TWO),
    "pool": lambda: stack(MaxPool((i(2), i(2)), padding=(i(2), i(2)))).fit(IMAGES, TWO),
    "pool size": lambda: stack(AveragePool((i(2), i(0)))).fit(IMAGES, TWO),
    "reshape": lambda: stack(Reshape((i(4), i(4)))).fit(IMAGES, TWO),
    "reshape sizes": lambda: stack(Reshape((i(0), i(4)))).fit(IMAGES, TWO),
    "axes": lambda: StandardScaler(feature_axes=(i(9),)).fit(X),
    "axis of samples": lambda: StandardScaler(feature_axes=i(0)).fit(X),
    "axis twice": lambda: StandardScaler(feature_axes=[i(1), i(1)]).fit(X),
    "range": lambda: MinMaxScaler((f(1), f(1))).fit(X),
    "quantile range": lambda: RobustScaler(quantile_range=(f(80), f(20))).fit(X),
    "unit": lambda: LogScaler(unit=[f(1), f(-1)]).fit(X),
    "features shown": lambda: MarginDisplay.from_estimator(
        LinearSVM().fit(X, TWO), X, TWO, features=(i(1), i(1))
    ),
    "class shown": lambda: MarginDisplay.from_estimator(
        LinearSVM().fit(X[:, :2], TWO), X[:, :2], TWO, target=i(0)
    ),
    "machine shown": lambda: MarginDisplay.from_estimator(
        LinearSVM(C=0.1).fit(X[:, :2], Y), X[:, :2], Y, target=i(7)
    ),
    "target of a map": lambda: grad_cam(
        ConvNetClassifier(3, max_iter=1).fit(IMAGES, Y), IMAGES, target=i(7)
    ),
    "rates": lambda: learning_rate_range_test(
        MLPClassifier(), X, Y, min_learning_rate=f(2), max_learning_rate=f(1)
    ),
    "number of rates": lambda: learning_rate_range_test(
        MLPClassifier(), X, Y, n_rates=i(1)
    ),
    "smoothing": lambda: learning_rate_range_test(MLPClassifier(), X, Y, smoothing=f(2)),
}


@pytest.mark.parametrize("name", FAILURES)
def test_errors_write_plain_numbers(name):
    if "shown" in name or "map" in name:
        pytest.importorskip("matplotlib")
    with pytest.raises(ValueError) as error:
        FAILURES[name]()
    assert not re.search(r"np\.|array\(|int64|float64", str(error.value)), error.value


def test_warnings_write_plain_numbers():
    model = LinearSVM(optimizer="newton", max_iter=1, tol=0.0)
    with pytest.warns(ConvergenceWarning, match=r"for class 0, 1, 2, above"):
        model.fit(1e3 * X, Y)
    with pytest.warns(UserWarning, match=r"^Got batch_size=300 larger"):
        MLPClassifier(batch_size=np.int64(300), max_iter=1).fit(X, Y)


def test_what_has_no_number_of_numpy_stays_as_it_is():
    assert plain(None) is None
    assert repr(plain(Dense(np.int64(3)))) == "Dense(units=3)"
    assert repr(plain({np.str_("a"): [np.float32(0.5), None, (np.bool_(True),)]})) == (
        "{'a': [0.5, None, (True,)]}"
    )


@pytest.mark.parametrize("kind", [ConvNetClassifier, ConvNetRegressor])
@pytest.mark.parametrize("activation", ["relu", "selu", "tanh", "identity", "silu"])
def test_docstrings_of_convnets_say_how_their_weights_are_drawn(kind, activation):
    text = " ".join(kind.__doc__.split())
    said = re.search(
        r'"auto"`` follows the activation, also in the first layer: He \(uniform\) for '
        r"the ReLU family, LeCun \(normal\) for SELU, Glorot \(uniform\) for logistic, "
        r"tanh and identity, and for the output layer",
        text,
    )
    assert said
    kinds = {"selu": "lecun_normal", "tanh": "glorot_uniform", "identity": "glorot_uniform"}
    expected = get_initializer(kinds.get(activation, "he_uniform"), activation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = kind((2, 2), hidden_layer_sizes=(3,), activation=activation, max_iter=1)
        network = model.fit(IMAGES, TWO).network_
    drawn = {
        name: layer.kernel_initializer
        for name, layer in network.layers
        if hasattr(layer, "kernel_initializer")
    }
    output = drawn.pop("output")
    assert repr(output) == repr(get_initializer("glorot_uniform", "identity"))
    assert {repr(initializer) for initializer in drawn.values()} == {repr(expected)}
    assert list(drawn) == ["conv_1", "conv_2", "dense_3"]


def test_docstrings_of_perceptrons_say_how_their_weights_are_drawn():
    text = " ".join(MLPClassifier.__doc__.split())
    assert "Glorot (uniform) for the first and the last layer" in text
    layers = dict(MLPClassifier((3, 3), max_iter=1).fit(X, Y).network_.layers)
    names = [repr(layers[n].kernel_initializer) for n in ("dense_1", "dense_2", "output")]
    kinds = ("glorot_uniform", "he_uniform", "glorot_uniform")
    assert names == [repr(get_initializer(kind, "relu")) for kind in kinds]
