"""What estimators know of X: what was learned of the first, and is asked of the others."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator

from skdeep import ConvNetClassifier, SequentialClassifier
from skdeep.estimators.images import Images
from skdeep.estimators.network_inputs import Inputs
from skdeep.estimators.sequential import StackInputs
from skdeep.layers import Conv, Dense, Dropout

pytestmark = pytest.mark.tiny

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(6, 12)).astype(np.float32)


class Owner(BaseEstimator):
    """Whom scikit-learn's validation tells of features."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.three_d_array = True
        return tags


def test_a_table_stays_as_it_is():
    owner, inputs = Owner(), Inputs()
    X = inputs.learn(owner, TABLE, order="C")
    assert X is TABLE and inputs.samples(X) is X
    assert inputs.shape == (12,) and inputs.dtype == np.float32
    assert owner.n_features_in_ == 12 and not inputs.holds_bytes


@pytest.mark.parametrize("make", [Inputs, lambda: Images("Owner", None)])
def test_another_table_has_the_type_of_the_first(make):
    owner, inputs = Owner(), make()
    inputs.learn(owner, TABLE)
    other = inputs.check(owner, TABLE.astype(np.float64)[:2].tolist())
    assert other.dtype == np.float32
    with pytest.raises(ValueError, match="features"):
        inputs.check(owner, TABLE[:, :5])


def test_rows_are_brought_to_the_shape_that_was_given():
    owner, inputs = Owner(), Images("Owner", (2, 6))
    X = inputs.learn(owner, TABLE)
    assert inputs.shape == (2, 6, 1)
    assert_array_equal(inputs.samples(X), TABLE.reshape(6, 2, 6, 1))
    # images of the shape that was given are taken where rows were
    images = inputs.check(owner, TABLE.reshape(6, 2, 6, 1))
    assert_array_equal(inputs.samples(images), TABLE.reshape(6, 2, 6, 1))
    with pytest.raises(ValueError, match="Owner was fitted on samples of shape"):
        inputs.check(owner, TABLE.reshape(6, 3, 4))


def test_bytes_are_numbers_of_single_precision_in_the_network():
    owner, inputs = Owner(), Images("Owner", None)
    X = inputs.learn(owner, RNG.integers(0, 256, (4, 3, 3), dtype=np.uint8))
    assert inputs.holds_bytes and inputs.dtype == np.float32 and X.dtype == np.uint8


@pytest.mark.parametrize(
    ("layers", "shape", "takes_sparse"),
    [
        ([], None, True),
        ([("dense", Dense(3))], None, True),
        ([("dropout", Dropout(0.1)), ("dense", Dense(3))], (12,), True),
        ([("conv", Conv(3))], None, False),
        ([("dense", Dense(3))], (12, 1), False),
    ],
)
def test_sparse_rows_are_for_dense_layers(layers, shape, takes_sparse):
    inputs = StackInputs("Owner", shape, layers)
    assert inputs.takes_sparse is takes_sparse
    model = SequentialClassifier(layers, input_shape=shape)
    assert model.__sklearn_tags__().input_tags.sparse is takes_sparse
    if takes_sparse:
        X = inputs.learn(Owner(), csr_matrix(TABLE))
        assert inputs.samples(X) is X
    else:
        with pytest.raises(TypeError, match="parse"):
            inputs.learn(Owner(), csr_matrix(TABLE))


@pytest.mark.parametrize(
    ("layer", "shape"), [(Dense(3), (12,)), (Conv(3, kernel_size=3), (12, 1))]
)
def test_a_table_becomes_signals_where_the_layers_want_them(layer, shape):
    inputs = StackInputs("Owner", None, [("layer", layer)])
    inputs.learn(Owner(), TABLE)
    assert inputs.shape == shape


def test_what_was_learned_is_kept_when_parameters_change():
    y = np.arange(6) % 2
    model = ConvNetClassifier((2,), input_shape=(3, 4), max_iter=1).fit(TABLE, y)
    before = model.predict_proba(TABLE)
    model.set_params(input_shape=(4, 3), kernel_size=(1,))
    assert model.input_shape_ == (3, 4, 1)
    assert_array_equal(model.predict_proba(TABLE), before)


def test_an_array_for_a_test_before_fitting_teaches_nothing():
    inputs = Images("Owner", None)
    X = inputs.as_array(TABLE.reshape(6, 3, 4).astype(np.float64).tolist())
    assert X.shape == (6, 3, 4) and not hasattr(inputs, "shape")
