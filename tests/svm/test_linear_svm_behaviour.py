"""What users of the linear support vector machines rely on."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from skdeep import LinearSVM

pytestmark = pytest.mark.tiny

LOSSES = ["hinge", "squared_hinge"]
each_loss = pytest.mark.parametrize("loss", LOSSES)
each_kind = pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])


@pytest.fixture(scope="module")
def binary():
    return make_classification(200, 8, n_informative=4, flip_y=0.1, random_state=0)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def parts(model):
    dual = model.dual_coef_
    dual = dual.toarray() if sparse.issparse(dual) else dual
    return [model.coef_, model.intercept_, model.support_, dual]


# --- weights --------------------------------------------------------------------------


@each_loss
@each_kind
@pytest.mark.parametrize("classes", [2, 3])
def test_a_weight_of_k_is_k_repeats(loss, kind, classes):
    X, y = make_classification(
        120, 6, n_informative=4, n_classes=classes, flip_y=0.1, random_state=1
    )
    k = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = LinearSVM(loss=loss).fit(kind(X), y, sample_weight=k)
    repeated = LinearSVM(loss=loss).fit(kind(np.repeat(X, k, axis=0)), np.repeat(y, k))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(
        weighted.intercept_, repeated.intercept_, rtol=1e-7, atol=1e-8
    )


@each_kind
def test_a_weight_of_k_is_k_repeats_for_all_classes_at_once(kind, iris):
    X, y = iris
    k = np.random.default_rng(0).integers(0, 4, len(y))
    model = LinearSVM(multi_class="crammer_singer")
    weighted = copy.deepcopy(model.fit(kind(X), y, sample_weight=k))
    repeated = model.fit(kind(np.repeat(X, k, axis=0)), np.repeat(y, k))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-7, atol=1e-8)
    scores = weighted.decision_function(X), repeated.decision_function(X)
    np.testing.assert_allclose(*scores, rtol=1e-7, atol=1e-7)


@each_loss
def test_class_weights_multiply_sample_weights(loss, binary):
    X, y = binary
    by_class = LinearSVM(loss=loss, class_weight={0: 3.0}).fit(X, y)
    by_sample = LinearSVM(loss=loss).fit(X, y, sample_weight=np.where(y == 0, 3.0, 1.0))
    np.testing.assert_array_equal(by_class.coef_, by_sample.coef_)


def test_weight_decay_is_another_name_for_c(binary):
    X, y = binary
    decay = LinearSVM(weight_decay=0.01).fit(X, y)
    np.testing.assert_array_equal(
        decay.coef_, LinearSVM(C=1 / (200 * 0.01)).fit(X, y).coef_
    )


# --- results --------------------------------------------------------------------------


@each_loss
@each_kind
def test_reruns_and_threads_give_the_same_bits(loss, kind, iris):
    X, y = iris
    for optimizer in ("auto", "coordinate_descent"):
        model = LinearSVM(loss=loss, optimizer=optimizer)
        first = parts(model.fit(kind(X), y))
        for n_jobs in (None, 2):
            again = parts(model.set_params(n_jobs=n_jobs).fit(kind(X), y))
            for a, b in zip(first, again, strict=True):
                np.testing.assert_array_equal(a, b)


@each_loss
@each_kind
def test_sparse_and_dense_agree(loss, kind, binary):
    X, y = binary
    dense, other = LinearSVM(loss=loss).fit(X, y), LinearSVM(loss=loss).fit(kind(X), y)
    np.testing.assert_allclose(other.coef_, dense.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(other.support_, dense.support_)


def test_it_is_what_libsvm_finds(binary):
    X, y = binary
    theirs = SVC(kernel="linear", C=0.5, tol=1e-8).fit(X, y)
    ours = LinearSVM(C=0.5).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-5)
    assert set(ours.support_) == set(theirs.support_)
    np.testing.assert_array_equal(ours.n_support_, theirs.n_support_)


@each_loss
@pytest.mark.parametrize("optimizer", ["auto", "newton", "coordinate_descent"])
def test_a_shift_of_all_features_moves_no_prediction(loss, optimizer, binary):
    X, y = binary
    here = LinearSVM(loss=loss, optimizer=optimizer).fit(X, y)
    there = LinearSVM(loss=loss, optimizer=optimizer).fit(X + 1e6, y)
    np.testing.assert_allclose(
        there.decision_function(X + 1e6), here.decision_function(X), atol=1e-6
    )


@each_loss
def test_only_the_support_vectors_matter(loss, binary):
    X, y = binary
    whole = LinearSVM(loss=loss).fit(X, y)
    assert len(whole.support_) < len(X)
    rest = LinearSVM(loss=loss).fit(X[whole.support_], y[whole.support_])
    np.testing.assert_allclose(rest.coef_, whole.coef_, atol=1e-8)
    np.testing.assert_allclose(rest.intercept_, whole.intercept_, atol=1e-7)


def test_machines_of_many_classes_are_those_of_two(iris):
    X, y = iris
    many = LinearSVM().fit(X, y)
    assert many.margin_.shape == many.objective_.shape == many.duality_gap_.shape == (3,)
    np.testing.assert_allclose(
        many.dual_coef_ @ many.support_vectors_, many.coef_, atol=1e-9
    )
    for k in range(3):
        two = LinearSVM().fit(X, y == k)
        np.testing.assert_allclose(many.coef_[k], two.coef_[0], atol=1e-9)
        assert many.margin_[k] == pytest.approx(two.margin_)
        assert many.objective_[k] == pytest.approx(two.objective_)
        own = many.support_[many.dual_coef_[[k]].indices]
        np.testing.assert_array_equal(own, two.support_)


def test_two_classes_of_crammer_and_singer_are_one_machine(binary):
    X, y = binary
    joint = LinearSVM(C=0.1, multi_class="crammer_singer").fit(X, y)
    usual = LinearSVM(C=0.2).fit(X, y)
    np.testing.assert_array_equal(joint.coef_, usual.coef_)
    assert joint.objective_ == pytest.approx(usual.objective_ / 2)


def test_the_margin_is_where_separable_support_vectors_lie():
    X = np.array([[0.0, 0.0], [0.0, 3.0], [2.0, 0.0], [2.0, 5.0]])
    model = LinearSVM(C=1e6).fit(X, [0, 0, 1, 1])
    assert model.margin_ == pytest.approx(1.0)
    np.testing.assert_allclose(model.coef_, [[1.0, 0.0]], atol=1e-7)
    np.testing.assert_allclose(model.intercept_, [-1.0], atol=1e-7)


@each_loss
@each_kind
def test_float32_features_give_what_they_give_as_float64(loss, kind, binary):
    X, y = binary
    X = X.astype(np.float32)
    narrow = LinearSVM(loss=loss).fit(kind(X), y)
    wide = LinearSVM(loss=loss).fit(kind(X.astype(np.float64)), y)
    assert narrow.coef_.dtype == narrow.decision_function(X).dtype == np.float64
    assert narrow.support_vectors_.dtype == np.float32
    np.testing.assert_array_equal(narrow.coef_, wide.coef_)
    np.testing.assert_array_equal(narrow.intercept_, wide.intercept_)


def test_a_model_without_features_that_tell_anything_predicts_the_larger_class():
    model = LinearSVM().fit(np.zeros((5, 2)), [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(model.predict(np.zeros((2, 2))), [1, 1])
    assert model.duality_gap_ == 0
    assert model.margin_ == np.inf


def test_copies_predict_alike(binary):
    X, y = binary
    model = LinearSVM().fit(X, y)
    expected = model.decision_function(X)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.decision_function(X), expected)


# --- bad input ------------------------------------------------------------------------


def test_bad_input_is_explained(binary):
    X, y = binary
    with pytest.raises(ValueError, match="at least 2 classes, but y has 1 class"):
        LinearSVM().fit(X, np.zeros(200))
    with pytest.raises(ValueError, match="class 1 have the weight zero"):
        LinearSVM().fit(X, y, sample_weight=(y == 0).astype(float))
    with pytest.raises(ValueError, match="class 0 have the weight zero"):
        LinearSVM(class_weight={0: 0.0}).fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        LinearSVM().fit(np.where(X > 1, np.nan, X), y)
    for C in (0, -1.0):
        with pytest.raises(ValueError, match="'C' parameter"):
            LinearSVM(C=C).fit(X, y)
    with pytest.raises(ValueError, match="both given"):
        LinearSVM(C=2.0, weight_decay=0.1).fit(X, y)
    with pytest.raises(ValueError, match="not squared"):
        LinearSVM(loss="squared_hinge", optimizer="interior_point").fit(X, y)
    with pytest.raises(ValueError, match="multi_class='ovr'"):
        LinearSVM(loss="squared_hinge", multi_class="crammer_singer").fit(X, y)


@pytest.mark.parametrize("optimizer", ["interior_point", "newton", "coordinate_descent"])
def test_too_few_iterations_warn_with_the_gap(optimizer):
    X, y = load_breast_cancer(return_X_y=True)
    model = LinearSVM(optimizer=optimizer, max_iter=2)
    with pytest.warns(ConvergenceWarning, match=r"gap is [\d.e+-]+, above tol=1e-06"):
        model.fit(X, y)
    assert 1e-6 < model.duality_gap_ <= 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LinearSVM(optimizer=optimizer).fit(X, y)
