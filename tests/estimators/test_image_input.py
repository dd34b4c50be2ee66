"""Images and signals as X: what shapes are taken for, bytes, and scikit-learn's tools."""

import pickle
import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags

from skdeep import (
    ConvNetClassifier,
    ConvNetRegressor,
    SequentialClassifier,
    SequentialRegressor,
    preprocessing,
)
from skdeep.augmentation import Mixup, RandomFlip
from skdeep.layers import (
    Activation,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Rescaling,
    Reshape,
    Residual,
)


def small(**parameters):
    options = {"filters": (4,), "hidden_layer_sizes": (), "max_iter": 2, "random_state": 0}
    return ConvNetClassifier(**options | parameters)


def draw(*shape, n=40, seed=0):
    """Samples whose class is whether the first half of the numbers is the brighter."""
    X = np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)
    flat = X.reshape(n, -1)
    half = flat.shape[1] // 2
    return X, (flat[:, :half].sum(axis=1) > flat[:, half:].sum(axis=1)).astype(int)


# --- shapes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "parameters", "expected"),
    [
        ((6, 5, 3), {}, (6, 5, 3)),
        ((6, 5), {}, (6, 5, 1)),
        ((20, 5), {}, (20, 5, 1)),
        ((21, 5), {}, (21, 5)),
        ((12, 1), {}, (12, 1)),
        ((12,), {}, (12, 1)),
        ((12,), {"input_shape": (4, 3)}, (4, 3, 1)),
        ((12,), {"input_shape": (2, 2, 3)}, (2, 2, 3)),
        ((12,), {"input_shape": (12, 1)}, (12, 1)),
        ((8, 6), {"kernel_size": (3,)}, (8, 6)),
        ((30, 6), {"kernel_size": (3, 3)}, (30, 6, 1)),
        ((4, 6), {"input_shape": (4, 2, 3)}, (4, 2, 3)),
    ],
)
def test_what_the_axes_of_x_are_taken_for(shape, parameters, expected):
    X, y = draw(*shape)
    model = small(**parameters).fit(X, y)
    assert model.input_shape_ == model.network_.input_shape == expected
    assert model.predict_proba(X).shape == (40, 2)


def test_the_same_samples_in_other_shapes_give_the_same_model():
    X, y = draw(6, 5, 1)
    expected = small().fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(small().fit(X[..., 0], y).predict_proba(X), expected)
    model = small(input_shape=(6, 5)).fit(X.reshape(40, 30), y)
    np.testing.assert_array_equal(model.predict_proba(X.reshape(40, 30)), expected)


@pytest.mark.parametrize("shape", [(30,), (5, 6, 1), (6, 5, 2)])
def test_samples_of_another_shape_than_in_fit_are_refused(shape):
    X, y = draw(6, 5)
    model = small().fit(X, y)
    with pytest.raises(ValueError, match=r"fitted on samples of shape|features"):
        model.predict(draw(*shape)[0])


def test_an_input_shape_of_another_size_is_refused():
    X, y = draw(12)
    with pytest.raises(ValueError, match=r"input_shape=\(5, 5\) does not fit X"):
        small(input_shape=(5, 5)).fit(X, y)


def test_more_than_four_axes_are_refused():
    X, y = draw(2, 2, 2, 2)
    with pytest.raises(ValueError, match="at most 4"):
        small().fit(X, y)


def test_a_table_stays_one_unless_the_layers_want_signals():
    X, y = draw(12)
    assert SequentialClassifier([Dense(3)], max_iter=1).fit(X, y).input_shape_ == (12,)
    signals = SequentialClassifier([Conv(3)], max_iter=1).fit(X, y)
    assert signals.input_shape_ == (12, 1)


# --- sparse tables ------------------------------------------------------------------


@pytest.mark.parametrize("layers", [None, (), [Dense(5)], [Dropout(0.2), Dense(5)]])
def test_a_sparse_table_gives_what_a_dense_one_does(layers):
    X, y = draw(12)
    X = np.where(X > 0.5, X, 0.0)
    model = SequentialClassifier(layers, max_iter=2, random_state=0)
    assert get_tags(model).input_tags.sparse
    dense = model.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(csr_array(X)), dense, rtol=1e-5)
    of_sparse = model.fit(csr_array(X), y).predict_proba(X)
    if not layers or isinstance(layers[0], Dense):  # dropout of entries is another draw
        np.testing.assert_allclose(of_sparse, dense, rtol=1e-5)


def test_layers_of_images_refuse_sparse_tables():
    X, y = draw(12)
    for model in (
        small(),
        *map(SequentialClassifier, ([Conv(3)], [Residual([Dense(12)])])),
    ):
        assert not get_tags(model).input_tags.sparse
        with pytest.raises(TypeError, match="Sparse data was passed"):
            model.fit(csr_array(X), y)


def test_sparse_bytes_and_augmented_sparse_rows_are_refused():
    X, y = draw(12)
    with pytest.raises(ValueError, match="astype"):
        SequentialClassifier([Dense(3)]).fit(csr_array((X > 1).astype(np.uint8)), y)
    with pytest.raises(ValueError, match="toarray"):
        SequentialClassifier([Dense(3)], augmentation=(Mixup(),)).fit(csr_array(X), y)


# --- impossible stacks ------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "parts"),
    [
        ([Flatten(), Conv(4)], ["'conv_1'", r"Conv\(filters=4\)", r"\(30,\)"]),
        (
            [Conv(4, 9, padding="valid")],
            ["'conv_1'", r"\(6, 5, 1\)", "does not fit into 6"],
        ),
        ([("odd", Conv(4, groups=2))], ["'odd'", "groups=2", "1 channels"]),
        ([Reshape((4, 4))], ["'reshape_1'", r"\(6, 5, 1\)", "30 numbers", r"\(4, 4\)"]),
        ([MaxPool(4), MaxPool(4)], ["'max_pool_2'", r"\(1, 1, 1\)", "not fit into 1"]),
        ([Conv(2, (3,))], ["'conv_1'", r"kernel_size=\(3,\)", "2 axes"]),
        (
            [GlobalAveragePool(), GlobalAveragePool()],
            ["'global_average_pool_2'", r"\(1,\)"],
        ),
    ],
)
def test_an_impossible_stack_fails_with_the_layer_and_the_shapes(layers, parts):
    X, y = draw(6, 5)
    with pytest.raises(ValueError, match=".*".join(parts)):
        SequentialClassifier(layers).fit(X, y)


# --- bytes ------------------------------------------------------------------------


def test_bytes_are_scaled_to_one_batch_by_batch():
    X, y = draw(6, 5)
    X = np.clip(128 + 60 * X, 0, 255).astype(np.uint8)
    model = small().fit(X, y)
    assert model.network_.dtype == np.float32
    assert model.network_.layers[0][0] == "rescaling"
    floats = small().fit(X.astype(np.float32) / 255, y)
    np.testing.assert_allclose(model.coefs_[0], floats.coefs_[0], atol=1e-5)
    np.testing.assert_allclose(
        model.predict_proba(X), model.predict_proba(X.astype(np.float32)), atol=1e-6
    )


def test_bytes_of_a_stack_with_its_own_rescaling_are_scaled_by_it():
    X, y = draw(6, 5)
    X = np.clip(128 + 60 * X, 0, 255).astype(np.uint8)
    stack = [Rescaling(1 / 127.5, -1.0), Conv(3)]
    model = SequentialClassifier(stack, max_iter=1).fit(X, y)
    assert [name for name, _ in model.network_.layers][:2] == ["rescaling_1", "conv_1"]
    model = SequentialClassifier(stack[1:], max_iter=1).fit(X, y)
    assert [name for name, _ in model.network_.layers][:2] == ["rescaling", "conv_1"]


@pytest.mark.parametrize("batch_size", [50, "full"])
def test_bytes_are_never_converted_as_a_whole(batch_size):
    X = np.random.default_rng(0).integers(0, 255, (16_000, 24, 24), dtype=np.uint8)
    y = np.arange(len(X)) % 2
    model = small(filters=1, max_iter=1, pool_size=8, strides=8, batch_size=50)
    model.fit(X[:100], y[:100])
    tracemalloc.start()
    try:
        model.fit(X, y).predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.5 * X.nbytes  # four times that as floating-point numbers


# --- scikit-learn's tools ---------------------------------------------------------

ESTIMATORS = [
    small(),
    ConvNetRegressor((4,), hidden_layer_sizes=(), max_iter=2, random_state=0),
    SequentialClassifier([Conv(4), Activation("relu")], max_iter=2, random_state=0),
    SequentialRegressor([("first", Conv(4))], max_iter=2, random_state=0),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 2), (24, 2)], ids=str)
def test_images_and_signals_go_through_scikit_learns_tools(estimator, shape):
    X, y = draw(*shape)
    pipeline = make_pipeline(FunctionTransformer(np.tanh), clone(estimator))
    assert cross_val_score(pipeline, X, y, cv=2).shape == (2,)
    fitted = pipeline.fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(clone(fitted).fit(X, y).predict(X), fitted.predict(X))


def test_a_grid_reaches_the_layers_of_images_in_parallel():
    X, y = draw(6, 5)
    stack = [("conv1", Conv(2)), Activation("relu"), ("conv2", Conv(2))]
    grid = {"conv1__filters": [2, 3], "conv2": ["passthrough", Conv(4)]}
    search = GridSearchCV(SequentialClassifier(stack, max_iter=1), grid, cv=2, n_jobs=2)
    search.fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    best = search.best_estimator_
    assert best.layers[0][1].filters == search.best_params_["conv1__filters"]


def test_a_scaled_table_becomes_images_in_a_pipeline():
    X, y = draw(30)
    model = make_pipeline(StandardScaler(), small(input_shape=(6, 5)))
    assert model.fit(X, y).predict(X).shape == (40,)


def test_channels_are_scaled_in_a_pipeline():
    X, y = draw(6, 5, 3)
    scale = np.array([1.0, 100.0, 1e4])
    scaled = make_pipeline(preprocessing.StandardScaler(), small()).fit(X * scale, y)
    plain = make_pipeline(preprocessing.StandardScaler(), small()).fit(X, y)
    assert scaled[0].mean_.shape == (3,)
    np.testing.assert_allclose(
        scaled.predict_proba(X * scale), plain.predict_proba(X), rtol=1e-3
    )


@pytest.mark.parametrize("shape", [(6, 5), (24, 2)], ids=str)
def test_early_stopping_and_validation_data_of_images(shape):
    X, y = draw(*shape, n=80)
    model = small(early_stopping=True, monitor="roc_auc").fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_
    model = small().fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert model.validation_scores_[-1] == model.score(X[60:], y[60:])


def test_rows_as_images_can_be_validated_too():
    X, y = draw(30, n=80)
    model = small(input_shape=(6, 5), early_stopping=True).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_


def test_partial_fit_goes_on_with_images():
    X, y = draw(6, 5)
    model = small(batch_size=10, shuffle=False)
    for _ in range(2):
        model.partial_fit(X, y, classes=[0, 1])
    expected = small(batch_size=10, shuffle=False, max_iter=2).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_a_weight_of_two_is_the_image_twice():
    X, y = draw(6, 5)
    options = {"batch_size": "full", "batch_norm": True, "max_iter": 3}
    weighted = small(**options).fit(X, y, sample_weight=np.repeat([2.0, 1.0], 20))
    repeated = small(**options).fit(
        np.concatenate((X, X[:20])), np.concatenate((y, y[:20]))
    )
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), rtol=1e-4, atol=1e-4
    )


def test_lbfgs_trains_images_and_refuses_what_is_random():
    X, y = draw(6, 5)
    model = small(optimizer="lbfgs", max_iter=100).fit(X.astype(np.float64), y)
    assert model.score(X, y) > 0.95
    for random in ({"dropout": 0.5}, {"augmentation": (RandomFlip(),)}):
        with pytest.raises(ValueError, match="lbfgs"):
            small(optimizer="lbfgs", **random).fit(X, y)


def test_convnets_predict_with_a_moving_average_where_there_can_be_one():
    X, y = draw(6, 5)
    X = X.astype(np.float64)
    averaged = small().fit(X, y).network_.parameters
    ema = small(weight_averaging="ema").fit(X, y).network_.parameters
    np.testing.assert_array_equal(averaged, ema)
    last = small(weight_averaging=None).fit(X, y).network_.parameters
    assert not np.array_equal(averaged, last)
    for kind in (ConvNetClassifier, ConvNetRegressor):
        minimum = kind((4,), optimizer="lbfgs", max_iter=2).fit(X, y)
        assert minimum.network_.settings.weight_averaging is None
        with pytest.raises(ValueError, match="weight_averaging must be None"):
            kind((4,), optimizer="lbfgs", weight_averaging="ema").fit(X, y)


# --- layers of a user -------------------------------------------------------------


def test_fit_never_changes_the_layers_of_a_user():
    X, y = draw(6, 5)
    stack = [("conv", Conv(3)), Activation("relu"), Dense(2)]
    before = repr(stack)
    model = SequentialClassifier(stack, max_iter=1, random_state=0).fit(X, y)
    assert repr(stack) == before
    assert model.layers is stack
    expected = model.predict_proba(X)
    model.set_params(conv__filters=7)  # the user's layer, not that of the network
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_parameters_of_layers_are_those_of_the_estimator():
    model = SequentialClassifier([("conv", Conv(3)), Dense(2)])
    parameters = model.get_params()
    assert parameters["conv__filters"] == 3
    assert parameters["dense_1__units"] == 2
    model.set_params(conv=Dense(4), dense_1__units=5)
    assert repr(model.layers) == repr([("conv", Dense(4)), ("dense_1", Dense(5))])
    with pytest.raises(ValueError, match="Invalid parameter"):
        model.set_params(conv2__filters=3)


def test_weights_inside_of_other_layers_are_attributes_too():
    X, y = draw(6, 5)
    block = Residual([Conv(3), Residual([Dense(3, use_bias=False)])])
    model = SequentialClassifier([Conv(3), block], max_iter=1).fit(X, y)
    shapes = [coef.shape for coef in model.coefs_]
    assert shapes == [(3, 3, 1, 3), (3, 3, 3, 3), (3, 3), (90, 1)]
    assert [bias.size for bias in model.intercepts_] == [3, 3, 1]


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([("a", Dense(2)), ("a", Dense(2))], ValueError, "more than one|More than once"),
        ([("a__b", Dense(2))], ValueError, "without '__'"),
        ([("optimizer", Dense(2))], ValueError, "cannot be called 'optimizer'"),
        ([("output", Dense(2))], ValueError, "cannot be called 'output'"),
        ([Dense], TypeError, "must be layers"),
        ([Dense(0)], ValueError, "units"),
    ],
)
def test_wrong_layers_are_told_of_in_fit(layers, error, message):
    X, y = draw(4)
    with pytest.raises(error, match=message):
        SequentialClassifier(layers).fit(X, y)
