"""Embeddings compute what their formulas say, forward and back, and go into estimators."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from skdeep import SequentialClassifier, SequentialRegressor
from skdeep.engine.batch import TrainingData
from skdeep.engine.network import Network, Settings
from skdeep.layers import Activation, Dense, Embedding, PeriodicEmbedding, Residual
from skdeep.losses import SquaredError
from skdeep.optimizers import SGD

pytestmark = pytest.mark.tiny

sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)


def make_network(layers, n_columns, dtype=np.float64, seed=7):
    """A network of some layers, named layer_0, layer_1 ..., with drawn parameters."""
    network = Network(
        [(f"layer_{i}", layer) for i, layer in enumerate(layers)],
        SquaredError(),
        SGD(),
        input_shape=(n_columns,),
        dtype=dtype,
        settings=Settings(),
    )
    network.initialize((2, seed))
    return network


def outputs(network, x):
    return network.raw_outputs(np.ascontiguousarray(x, dtype=network.dtype))


def relative_error(network, x, seed=0):
    """Of the gradient, against central differences along every parameter."""
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.2, 2, len(x))
    target = rng.normal(size=(len(x), *network.shapes[-1]))
    objective = network.objective(TrainingData(x, target, weight / weight.sum()))
    start, h = network.parameters.copy(), 1e-6
    gradient = objective(start)[1]
    differences = [
        (objective(start + h * e)[0] - objective(start - h * e)[0]) / (2 * h)
        for e in np.eye(start.size)
    ]
    return np.linalg.norm(gradient - differences) / np.linalg.norm(differences)


# --- waves of numbers -----------------------------------------------------------------


def embed_in_loops(network, x, n_features):
    """What the class says, number by number."""
    w, b, a, c = (
        network.view("layer_0", name)
        for name in ("frequencies", "phases", "kernel", "bias")
    )
    rows = []
    for row in x:
        columns = []
        for j in range(n_features):
            waves = [math.cos(row[j] * w[j, k] + b[j, k]) for k in range(w.shape[1])]
            for o in range(c.shape[1]):
                terms = [waves[k] * a[j, k, o] for k in range(len(waves))]
                columns.append(math.fsum(terms) + c[j, o])
            columns.append(row[j])
        rows.append([*columns, *row[n_features:]])
    return np.array(rows).reshape(len(x), -1)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.sampled_from([0, 1, 2, 5, 33]),
    features=sizes,
    rest=st.integers(0, 3),
    frequencies=st.sampled_from([1, 2, 3, 7, 8, 15, 16, 17, 33]),
    units=sizes,
    seed=seeds,
)
def test_numbers_become_sums_of_waves(rows, features, rest, frequencies, units, seed):
    layer = PeriodicEmbedding(features, n_frequencies=frequencies, n_outputs=units)
    network = make_network([layer], features + rest, seed=seed)
    x = np.random.default_rng(seed).normal(size=(rows, features + rest)) * 3
    expected = embed_in_loops(network, x, features) if rows else np.empty((0, 0))
    out = outputs(network, x)
    assert out.shape == (rows, features * (units + 1) + rest)
    np.testing.assert_allclose(out, expected.reshape(out.shape), rtol=1e-11, atol=1e-11)


def test_without_a_number_of_features_all_columns_are_embedded():
    assert PeriodicEmbedding(n_outputs=2).output_shape((5,)) == (15,)
    network = make_network([PeriodicEmbedding()], 3)
    x = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(outputs(network, x), embed_in_loops(network, x, 3))


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 6),
    features=sizes,
    rest=st.integers(0, 2),
    frequencies=st.sampled_from([1, 2, 5, 16, 17]),
    units=sizes,
    seed=seeds,
)
def test_gradient_of_waves_is_that_of_differences(
    rows, features, rest, frequencies, units, seed
):
    columns = features + rest
    embedding = PeriodicEmbedding(
        features, n_frequencies=frequencies, sigma=0.3, n_outputs=units
    )
    # the layer before makes the gradient of the embedding's input count
    network = make_network([Dense(columns), embedding, Dense(2)], 3, seed=seed)
    x = np.random.default_rng(seed).normal(size=(rows, 3))
    assert relative_error(network, x) < 1e-6


def test_gradient_of_waves_inside_another_layer():
    block = Residual([PeriodicEmbedding(2), Activation("silu"), Dense(4)])
    network = make_network([Dense(4), block, Dense(1)], 3)
    assert relative_error(network, np.random.default_rng(0).normal(size=(5, 3))) < 1e-6


def test_initial_waves_are_distributed_as_in_realmlp():
    layer = PeriodicEmbedding(300, n_frequencies=25, sigma=0.5, n_outputs=4)
    network = make_network([layer], 300)
    w, b, a, c = (
        network.view("layer_0", name)
        for name in ("frequencies", "phases", "kernel", "bias")
    )
    assert w.std() == pytest.approx(math.pi, rel=4 / math.sqrt(2 * w.size))
    assert abs(w.mean()) < 4 * math.pi / math.sqrt(w.size)
    assert np.mean(np.abs(w) > 2 * math.pi) == pytest.approx(0.0455, abs=0.01)  # normal
    for values, limit in ((b, math.pi), (a, 1 / 5), (c, 1 / 5)):
        assert np.abs(values).max() <= limit
        assert np.abs(values).max() > 0.99 * limit
        assert abs(values.mean()) < 4 * limit / math.sqrt(3 * values.size)
        half = np.mean(np.abs(values) < limit / 2)  # uniform
        assert half == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(values.size))


def test_weight_decay_acts_on_the_kernel_alone():
    network = make_network([PeriodicEmbedding()], 3)
    assert network.kernel_names() == [("layer_0", "kernel")]


@pytest.mark.parametrize(
    "layer, shape, words",
    [
        (PeriodicEmbedding(4), (3,), "n_features=4 is more than the 3 columns"),
        (PeriodicEmbedding(), (4, 3), "rows of a table. Put a Flatten"),
        (Embedding(4), (4, 3), "rows of a table. Put a Flatten"),
        (Embedding((4, 5, 6)), (2,), "of 3 columns, but there are only 2"),
        (Embedding((4, 0)), (2,), "must be whole numbers above 0"),
        (Embedding((4, 2.5)), (2,), "must be whole numbers above 0"),
        (Embedding(()), (2,), "must be whole numbers above 0"),
    ],
    ids=str,
)
def test_columns_that_do_not_fit_are_refused_in_words(layer, shape, words):
    with pytest.raises(ValueError, match=words):
        layer.output_shape(shape)


def test_a_target_that_jumps_many_times_is_followed():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (500, 1)).astype(np.float32)
    y = np.sign(np.sin(15 * x[:, 0]))
    scores = []
    for front in ([PeriodicEmbedding()], []):
        model = SequentialRegressor(
            [*front, Dense(32), Activation("silu")],
            learning_rate=0.01,
            max_iter=60,
            batch_size=50,
            n_iter_no_change=60,
            random_state=0,
        )
        scores.append(model.fit(x, y).score(x, y))
    assert scores[0] > 0.8 > 0.4 > scores[1]


# --- vectors of categories ------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    rows=st.sampled_from([0, 1, 2, 5, 33]),
    numbers=st.integers(0, 3),
    n_categories=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    units=st.sampled_from([1, 2, 8, 17]),
    seed=seeds,
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_codes_become_their_vectors(rows, numbers, n_categories, units, seed, dtype):
    rng = np.random.default_rng(seed)
    layer = Embedding(tuple(n_categories), n_outputs=units)
    network = make_network([layer], numbers + len(n_categories), dtype, seed=seed)
    codes = rng.integers(-2, np.array(n_categories) + 2, (rows, len(n_categories)))
    x = np.hstack([rng.normal(size=(rows, numbers)), codes]).astype(dtype)
    vectors = np.split(network.view("layer_0", "kernel"), np.cumsum(n_categories)[:-1])
    expected = np.zeros((rows, numbers + units * len(n_categories)), dtype)
    expected[:, :numbers] = x[:, :numbers]
    for i, row in enumerate(codes):
        for c, code in enumerate(row):
            if 0 <= code < n_categories[c]:
                start = numbers + c * units
                expected[i, start : start + units] = vectors[c][code]
    np.testing.assert_array_equal(outputs(network, x), expected)


@pytest.mark.parametrize(
    "code", [-1, -0.5, 0.5, 2.999, 3, 4, 1e9, -1e9, 1e300, -1e300, np.inf, -np.inf, np.nan]
)
def test_what_is_no_code_becomes_zeros(code):
    network = make_network([Embedding(3, n_outputs=4)], 2)
    out = outputs(network, [[7.0, code], [7.0, 2.0]])
    np.testing.assert_array_equal(out[0], [7, 0, 0, 0, 0])
    np.testing.assert_array_equal(out[1, 1:], network.view("layer_0", "kernel")[2])


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 9),
    n_categories=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    units=st.integers(1, 4),
    seed=seeds,
)
def test_gradient_of_vectors_is_that_of_differences(rows, n_categories, units, seed):
    rng = np.random.default_rng(seed)
    # the waves before make the gradient of the numbers count
    layers = [PeriodicEmbedding(2, n_frequencies=3, sigma=0.2)]
    layers += [Embedding(n_categories, n_outputs=units), Dense(2)]
    network = make_network(layers, 2 + len(n_categories), seed=seed)
    codes = rng.integers(-1, n_categories, (rows, len(n_categories)))
    x = np.hstack([rng.normal(size=(rows, 2)), codes])
    assert relative_error(network, x) < 1e-6


def test_nothing_is_learned_of_what_is_no_code():
    network = make_network([Embedding(3, n_outputs=2)], 1)
    data = TrainingData(
        np.array([[-1.0], [3.0], [1.0], [0.5]]), np.ones((4, 2)), np.full(4, 0.25)
    )
    gradient = network.objective(data)(network.parameters.copy())[1].reshape(3, 2)
    assert (gradient[1] != 0).all()
    np.testing.assert_array_equal(gradient[[0, 2]], 0)


def test_initial_vectors_are_standard_normal():
    values = make_network([Embedding((700, 300), n_outputs=10)], 2).parameters
    assert values.size == 10_000
    assert abs(values.mean()) < 0.04
    assert values.std() == pytest.approx(1, rel=0.03)


# --- in estimators --------------------------------------------------------------------


def table(n=240, dtype=np.float64):
    """Three numbers, then two columns of codes, and classes that depend on both kinds."""
    rng = np.random.default_rng(0)
    numbers, codes = rng.normal(size=(n, 3)), rng.integers(-1, 4, (n, 2))
    y = (np.sin(3 * numbers[:, 0]) + np.array([0, 1, -1, 0.5, -2])[codes[:, 0]] > 0).astype(
        int
    )
    return np.hstack([numbers, codes]).astype(dtype), y


def model(**options):
    return SequentialClassifier(
        [
            ("categories", Embedding((4, 4), n_outputs=3)),
            ("embedding", PeriodicEmbedding(3)),
            Dense(20),
            Activation("silu"),
        ],
        **{"max_iter": 40, "learning_rate": 0.01, "n_iter_no_change": 40} | options,
        random_state=0,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_classifier_learns_from_numbers_and_categories(dtype):
    X, y = table(dtype=dtype)
    assert model().fit(X, y).score(X, y) > 0.9


def test_a_clone_and_a_pickle_predict_the_same():
    X, y = table()
    fitted = model().fit(X, y)
    expected = fitted.predict_proba(X)
    for twin in (pickle.loads(pickle.dumps(fitted)), clone(fitted).fit(X, y)):
        np.testing.assert_array_equal(twin.predict_proba(X), expected)


def test_a_grid_reaches_sigma():
    X, y = table()
    assert model().set_params(embedding__sigma=0.5).get_params()["embedding__sigma"] == 0.5
    grid = {"embedding__sigma": [0.01, 1.0], "categories__n_outputs": [2]}
    search = GridSearchCV(model(max_iter=3), grid, cv=2).fit(X, y)
    assert search.best_params_["embedding__sigma"] in (0.01, 1.0)
    with pytest.raises(ValueError, match="sigma"):
        model().set_params(embedding__sigma=-1.0).fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_threads_gives_the_same_bits(dtype):
    rng = np.random.default_rng(0)
    numbers, codes = rng.normal(size=(1000, 23)), rng.integers(-1, 40, (1000, 2))
    X = np.hstack([numbers, codes]).astype(dtype)
    layers = [Embedding((40, 40)), PeriodicEmbedding(20), Dense(50), PeriodicEmbedding(9)]
    found = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads):
            regressor = SequentialRegressor(
                [*layers, Dense(64)], max_iter=2, batch_size=300, random_state=0
            )
            found.append(regressor.fit(X, numbers[:, 0]).network_.parameters)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
