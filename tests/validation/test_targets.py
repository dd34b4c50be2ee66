"""Targets are what they seem to be, or they are refused: in every estimator and call."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from skdeep import (
    ConvNetClassifier,
    ConvNetRegressor,
    LinearSVM,
    LinearSVMRegressor,
    MLPClassifier,
    MLPRegressor,
    SequentialClassifier,
    SequentialRegressor,
)
from skdeep.layers import Dense
from skdeep.losses import (
    EpsilonInsensitive,
    KLDivergence,
    Loss,
    MulticlassHinge,
    SigmoidCrossEntropy,
    SigmoidFocal,
    SoftmaxCrossEntropy,
    SoftmaxFocal,
)
from skdeep.preprocessing import TargetScaler

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning"
)
RNG = np.random.default_rng(0)
N = 24
X = RNG.normal(size=(N, 6))
IMAGES = RNG.normal(size=(N, 4, 4, 1))
CLASSES = np.arange(N) % 3
LABELS = RNG.integers(2, size=(N, 3))
NUMBERS = RNG.normal(size=N)
DATES = np.arange(N).astype("datetime64[D]")
MANY = RNG.integers(0, 20_000, (N, 2))

NETWORKS = {
    "mlp": lambda **options: MLPClassifier((3,), max_iter=1, random_state=0, **options),
    "convnet": lambda **options: ConvNetClassifier(max_iter=1, random_state=0, **options),
    "sequential": lambda **options: SequentialClassifier(
        [Dense(3)], max_iter=1, random_state=0, **options
    ),
}
CLASSIFIERS = NETWORKS | {
    "svm": LinearSVM,
    "svm_by_sgd": lambda: LinearSVM(optimizer="sgd", max_iter=1),
}
REGRESSORS = {
    "mlp": lambda: MLPRegressor((3,), max_iter=1, random_state=0),
    "convnet": lambda: ConvNetRegressor(max_iter=1, random_state=0),
    "sequential": lambda: SequentialRegressor([Dense(3)], max_iter=1, random_state=0),
    "svm": LinearSVMRegressor,
    "svm_by_sgd": lambda: LinearSVMRegressor(optimizer="sgd", max_iter=1),
    "target_scaler": lambda: TargetScaler(MLPRegressor((3,), max_iter=1)),
}
each_network = pytest.mark.parametrize("name", NETWORKS)
each_classifier = pytest.mark.parametrize("name", CLASSIFIERS)
each_regressor = pytest.mark.parametrize("name", REGRESSORS)


def samples(name):
    return IMAGES if name == "convnet" else X


def refused(match):
    return pytest.raises(ValueError, match=match)


# --- several columns of classes -----------------------------------------------------


@each_classifier
def test_columns_of_classes_are_refused_in_scikit_learns_words(name):
    with refused("Multioutput target data is not supported|y should be a 1d array"):
        CLASSIFIERS[name]().fit(samples(name), MANY)


@each_network
def test_columns_of_classes_are_refused_by_every_call(name):
    x, match = samples(name), "Multioutput target data is not supported"
    with refused(match):
        NETWORKS[name]().partial_fit(x, MANY)
    with refused(match):
        NETWORKS[name]().partial_fit(x, MANY, classes=np.unique(MANY))
    with refused(match):
        NETWORKS[name]().partial_fit(x, LABELS).partial_fit(x, MANY)
    with refused(match):
        NETWORKS[name](warm_start=True).fit(x, CLASSES).fit(x, MANY)
    with refused(match):
        NETWORKS[name]().fit(x, LABELS, X_val=x, y_val=MANY)
    with refused("Multioutput|1d array"):
        LinearSVM(optimizer="sgd").partial_fit(X, MANY, classes=[0, 1])


def test_a_later_call_may_not_change_the_kind_of_targets():
    model = MLPClassifier((3,), warm_start=True, max_iter=1)
    with refused("of type 'multilabel-indicator', but the earlier fit saw 'multiclass'"):
        model.fit(X, CLASSES).fit(X, LABELS)
    distributions = np.full((N, 3), 1 / 3)
    one_hot = np.eye(3, dtype=int)[CLASSES]
    model = MLPClassifier((3,), loss="kl_divergence", warm_start=True, max_iter=1)
    model.fit(X, distributions).set_params(loss="hinge")
    with refused("of type 'multilabel-indicator', but the earlier fit saw 'distribution'"):
        model.fit(X, one_hot)


def test_a_warm_start_refuses_a_loss_that_wants_other_outputs():
    model = MLPClassifier((3,), warm_start=True, max_iter=1).fit(X, CLASSES > 0)
    with refused("takes 2 outputs for 2 classes, but the network has 1"):
        model.set_params(loss="kl_divergence").fit(X, CLASSES > 0)


# --- labels that are not 0 and 1 ----------------------------------------------------


@each_network
@pytest.mark.parametrize("coding", [(-1, 1), (1, 2), (0, 2), (-1.0, 1.0), (3, 3)])
def test_labels_coded_otherwise_are_refused_with_what_to_do(name, coding):
    y = np.array(coding)[LABELS]
    with refused(r"must be 0 and 1.*has the values.*Convert it: \(y == "):
        NETWORKS[name]().fit(samples(name), y)
    with refused("must be 0 and 1"):
        NETWORKS[name]().partial_fit(samples(name), y)


@pytest.mark.parametrize(
    "loss", ["cross_entropy", "focal", "hinge", "squared_hinge", MulticlassHinge()]
)
def test_every_loss_refuses_labels_coded_otherwise(loss):
    with refused("must be 0 and 1"):
        MLPClassifier((3,), loss=loss, max_iter=1).fit(X, 2 * LABELS - 1)


def test_labels_coded_otherwise_are_refused_in_sparse_and_validation_targets():
    model = MLPClassifier((3,), max_iter=1)
    with refused("must be 0 and 1"):
        model.fit(X, csr_array(2 * LABELS))
    with refused("must be 0 and 1"):
        model.fit(X, LABELS, X_val=X, y_val=2 * LABELS - 1)
    with refused("must be 0 and 1"):
        model.partial_fit(X, LABELS).partial_fit(X, 2 * LABELS - 1)


@pytest.mark.parametrize("kind", [bool, np.int8, np.float32])
def test_labels_of_any_type_that_are_0_and_1_are_taken(kind):
    expected = MLPClassifier((3,), max_iter=2, random_state=0).fit(X, LABELS)
    model = MLPClassifier((3,), max_iter=2, random_state=0).fit(X, LABELS.astype(kind))
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


# --- losses that compare classes ----------------------------------------------------


COMPARING = [MulticlassHinge(), SoftmaxCrossEntropy(), SoftmaxFocal(), KLDivergence()]


@pytest.mark.parametrize("loss", COMPARING)
def test_a_loss_that_compares_classes_has_an_output_for_each_of_two(loss):
    y = (X[:, 0] > 0).astype(int)
    model = MLPClassifier((), loss=loss, learning_rate=0.1, random_state=0)
    model.fit(X, y)
    assert model.network_.shapes[-1] == (2,)
    assert min(model.loss_curve_) >= 0  # with one output it fell without an end
    assert model.score(X, y) == 1.0


@pytest.mark.parametrize("loss", COMPARING[:3])
def test_a_loss_that_compares_classes_refuses_labels(loss):
    with refused("compares classes that exclude each other, but y has labels"):
        MLPClassifier(loss=loss).fit(X, LABELS)


@pytest.mark.parametrize("loss", [SigmoidCrossEntropy(), SigmoidFocal()])
def test_probabilities_of_many_classes_that_do_not_sum_to_one_are_refused(loss):
    with refused("is for two classes and for labels"):
        MLPClassifier(loss=loss).fit(X, CLASSES)


# --- classes of all types -----------------------------------------------------------


@each_classifier
@pytest.mark.parametrize(
    "y",
    [
        ["a", "b", None] * (N // 3),
        np.array(["a", "b", None] * (N // 3), dtype=object),
        np.array(["a", "b", np.nan] * (N // 3), dtype=object),
        [0.0, 1.0, np.nan] * (N // 3),
        pd.Series(["a", "b", None] * (N // 3), dtype="string"),
        pd.Series([0, 1, None] * (N // 3), dtype="Int64"),
    ],
)
def test_missing_classes_are_refused_in_scikit_learns_words(name, y):
    with refused("Input y contains NaN"):
        CLASSIFIERS[name]().fit(samples(name), y)


@each_classifier
def test_strings_among_numbers_are_refused(name):
    y = np.array(["a", 1, 2] * (N // 3), dtype=object)
    with refused(r"must be uniformly strings or numbers. Got \['int', 'str'\]"):
        CLASSIFIERS[name]().fit(samples(name), y)


def test_numbers_are_not_taken_for_the_strings_of_an_earlier_fit():
    model = MLPClassifier((3,), warm_start=True, max_iter=1)
    model.fit(X, CLASSES.astype(str))
    with refused("Mix of label input types"):
        model.fit(X, CLASSES)
    with refused("Mix of label input types"):
        model.fit(X, CLASSES.astype(str), X_val=X, y_val=CLASSES)


@each_classifier
@pytest.mark.parametrize(
    "code",
    [
        lambda y: y > 0,
        lambda y: np.array(["b", "a", "c"])[y],
        lambda y: np.array(["b", "a", "c"], dtype=object)[y],
        lambda y: pd.Series(np.array(["b", "a", "c"])[y], dtype="category"),
        lambda y: y.astype(float),
    ],
)
def test_classes_may_be_of_any_type_that_has_an_order(name, code):
    y = code(CLASSES)
    model = CLASSIFIERS[name]().fit(samples(name), y)
    assert set(model.predict(samples(name))) <= set(y)


# --- masked targets -----------------------------------------------------------------


@each_classifier
def test_masked_classes_are_refused(name):
    with refused(f"Masked entries of y: {N // 3}. Every sample needs its target"):
        CLASSIFIERS[name]().fit(samples(name), np.ma.masked_array(CLASSES, CLASSES == 1))


@each_regressor
def test_masked_numbers_are_refused(name):
    with refused("Masked entries of y: 1"):
        y = np.ma.masked_array(NUMBERS, np.arange(N) == 3)
        REGRESSORS[name]().fit(samples(name), y)


def test_masked_entries_of_a_list_are_refused():
    with refused("Masked entries of y: 1"):
        MLPRegressor().fit(X, [*NUMBERS[:-1], np.ma.masked])


def test_masked_validation_targets_are_refused():
    with refused("Masked entries of y_val: 8"):
        y_val = np.ma.masked_array(CLASSES, CLASSES == 1)
        MLPClassifier().fit(X, CLASSES, X_val=X, y_val=y_val)


def test_a_mask_that_masks_nothing_is_dropped():
    model = MLPRegressor((3,), max_iter=2, random_state=0)
    expected = model.fit(X, NUMBERS).predict(X)
    masked = model.fit(X, np.ma.masked_array(NUMBERS, np.zeros(N, bool)))
    np.testing.assert_array_equal(masked.predict(X), expected)


# --- numbers ------------------------------------------------------------------------


@each_regressor
@pytest.mark.parametrize(
    "y",
    [
        DATES,
        DATES - DATES[0],
        np.full(N, np.datetime64("NaT")),
        pd.Series(DATES),
        pd.Series(DATES).dt.tz_localize("UTC"),
        DATES.astype(object),
        [datetime.datetime(2020, 1, 1) + datetime.timedelta(i) for i in range(N)],
        pd.DataFrame({"date": DATES, "number": NUMBERS}),
    ],
    ids=lambda y: type(y).__name__,
)
def test_dates_and_durations_are_no_numbers(name, y):
    with refused(r"y has dates or times \("):
        REGRESSORS[name]().fit(samples(name), y)


def test_dates_are_refused_by_every_call():
    match = "has dates or times"
    with refused("y_val " + match):
        MLPRegressor().fit(X, NUMBERS, X_val=X, y_val=DATES)
    for model in (MLPRegressor(), LinearSVMRegressor(optimizer="sgd")):
        with refused(match):
            model.partial_fit(X, DATES)
    with refused(match):
        TargetScaler(MLPRegressor()).partial_fit(X, DATES)


@each_regressor
@pytest.mark.parametrize(
    "y, match",
    [
        ([1.0, None] * (N // 2), "Input y contains NaN"),
        (np.where(NUMBERS > 0, np.nan, NUMBERS), "Input y contains NaN"),
        (pd.Series([1, None] * (N // 2), dtype="Int64"), "Input y contains NaN"),
        (np.where(NUMBERS > 0, np.inf, NUMBERS), "Input y contains infinity"),
        (np.array(["1.5", "2"] * (N // 2)), "not compatible with arrays of bytes/strings"),
        (
            np.array(["a", 1.0] * (N // 2), dtype=object),
            "could not convert string to float",
        ),
        (np.array([{}, 1.0] * (N // 2), dtype=object), "y must be numbers, but"),
        (NUMBERS + 1j, "Complex data not supported"),
    ],
)
def test_what_is_no_finite_number_is_refused(name, y, match):
    with refused(match):
        REGRESSORS[name]().fit(samples(name), y)


@pytest.mark.parametrize("name", ["mlp", "convnet", "sequential", "svm_by_sgd"])
def test_targets_that_float32_cannot_hold_are_refused(name):
    x = samples(name).astype(np.float32)
    with refused("too large for float32: the largest is .*TargetScaler"):
        REGRESSORS[name]().fit(x, 1e39 * np.abs(NUMBERS) + 1e39)


def test_validation_targets_are_in_the_domain_of_the_loss():
    counts = np.arange(N)
    with refused("needs targets y_val >= 0"):
        MLPRegressor(loss="poisson").fit(X, counts, X_val=X, y_val=counts - 5)
    with refused("rows must sum to 1"):
        MLPClassifier(loss="kl_divergence").fit(
            X, np.full((N, 3), 1 / 3), X_val=X, y_val=np.full((N, 3), 0.5)
        )
    with refused("rows must sum to 1"):
        MLPClassifier(loss="kl_divergence").fit(X, LABELS)


# --- a loss of one's own ------------------------------------------------------------


class _MeanOverRows(EpsilonInsensitive):
    def value(self, target, z):
        return np.mean(super().value(target, z))


class _FlatGradient(EpsilonInsensitive):
    def gradient(self, target, z):
        return super().gradient(target, z)[:, 0]


@pytest.mark.parametrize("loss", [_MeanOverRows(), _FlatGradient()])
def test_a_loss_of_ones_own_must_give_a_number_for_each_row_and_output(loss):
    with refused(r"(value|gradient) must return a number for each (row|output)"):
        MLPRegressor((3,), loss=loss).fit(X, NUMBERS)


class _Asymmetric(Loss):
    """The complementary log-log link, with the cross entropy of it."""

    probabilistic = True

    def inverse_link(self, z):
        return -np.expm1(-np.exp(z))

    def value(self, target, z):
        return np.mean(np.exp(z) * (1 - target) - target * np.log(self.inverse_link(z)), 1)

    def gradient(self, target, z):
        p = self.inverse_link(z)
        return np.exp(z) * (1 - target / p) / z.shape[1]


def test_probabilities_of_a_loss_of_ones_own_need_no_more_than_its_link():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPClassifier((), loss=_Asymmetric(), max_iter=3, random_state=0)
        model.fit(X, CLASSES > 0)
    p = model.network_.loss.inverse_link(model.decision_function(X))
    np.testing.assert_allclose(model.predict_proba(X), np.column_stack([1 - p, p]))
    np.testing.assert_allclose(
        model.predict_log_proba(X), np.log(np.column_stack([1 - p, p]))
    )
