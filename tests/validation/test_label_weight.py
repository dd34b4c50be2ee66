"""Class weights of multilabel targets weigh both sides of each label's own loss."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

from skdeep import MLPClassifier
from skdeep.inspection import learning_rate_range_test
from skdeep.losses import CLASSIFICATION_LOSSES, Loss, MulticlassHinge

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning"
)
RNG = np.random.default_rng(0)
N, N_LABELS = 60, 3
X = RNG.normal(size=(N, 4))
Y = (X[:, :N_LABELS] + RNG.normal(size=(N, N_LABELS)) > [0.3, 0.7, 1.1]).astype(int)
WEIGHT = RNG.integers(0, 4, N)
DICTS = [{0: 1.0, 1: 4.0}, {0: 2.0, 1: 1.0}, {0: 0.5, 1: 3.0}]
FACTORS = np.where(Y == 1, [4.0, 1.0, 3.0], [1.0, 2.0, 0.5])
EXACT = dict(optimizer="lbfgs", max_iter=2000, tol=1e-9)
EVERY_LOSS = ["cross_entropy", "focal", "hinge", "squared_hinge"]
each_loss = pytest.mark.parametrize("name", EVERY_LOSS)


def resolved(name):
    return CLASSIFICATION_LOSSES[name].resolve("multilabel-indicator")


def draw(seed, n=7):
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=(n, N_LABELS))
    return (
        rng.integers(2, size=z.shape).astype(float),
        z,
        rng.uniform(0.2, 3, (2, N_LABELS)),
    )


# --- losses -------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_weighted_loss_is_the_mean_of_each_labels_loss_times_its_weight(name, dtype):
    target, z, weights = (a.astype(dtype) for a in draw(0))
    loss = resolved(name).with_label_weight(weights)
    factors = weights[0] + weights[1] * target
    alone = [
        resolved(name).value(target[:, [j]], z[:, [j]]) * factors[:, j]
        for j in range(N_LABELS)
    ]
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    assert_allclose(loss.value(target, z), np.mean(alone, axis=0), rtol=rtol)


@each_loss
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_gradient_of_a_weighted_loss_is_that_of_its_value(name, smoothing):
    target, z, weights = draw(1)
    if name in ("cross_entropy", "focal"):
        target = (1 - smoothing) * target + smoothing / 2
    loss = resolved(name).with_label_weight(weights)
    gradient = loss.gradient(target, z)
    h = 1e-6
    for j in range(N_LABELS):
        step = h * np.eye(N_LABELS)[j]
        difference = loss.value(target, z + step) - loss.value(target, z - step)
        assert_allclose(gradient[:, j], difference / (2 * h), rtol=1e-6, atol=1e-8)


@each_loss
def test_weights_of_one_are_no_weights(name):
    target, z, _ = draw(2)
    ones = np.array([np.ones(N_LABELS), np.zeros(N_LABELS)])
    weighted, plain = resolved(name).with_label_weight(ones), resolved(name)
    assert_array_equal(weighted.value(target, z), plain.value(target, z))
    assert_array_equal(weighted.gradient(target, z), plain.gradient(target, z))


# --- one network for each label ------------------------------------------------------


def one_by_one(class_weights, weight_decays, sample_weight=None, **options):
    """The decision of a binary model for each label."""
    columns = []
    for j in range(N_LABELS):
        model = MLPClassifier(
            (), class_weight=class_weights[j], weight_decay=weight_decays[j], **options
        )
        columns.append(model.fit(X, Y[:, j], sample_weight).decision_function(X))
    return np.column_stack(columns)


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "squared_hinge"])
def test_balanced_labels_are_a_balanced_model_for_each(name):
    # the loss is the mean over labels, the penalty is not
    options = dict(loss=name, **EXACT)
    together = MLPClassifier((), class_weight="balanced", weight_decay=0.01, **options)
    alone = one_by_one(["balanced"] * 3, [0.01 * N_LABELS] * 3, **options)
    assert_allclose(together.fit(X, Y).decision_function(X), alone, atol=1e-4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_dict_for_each_label_is_a_model_with_that_dict(smoothing):
    # all weights are divided by their mean: a label counts by its share of it
    share = FACTORS.mean(axis=0) / FACTORS.mean()
    options = dict(label_smoothing=smoothing, **EXACT)
    together = MLPClassifier((), class_weight=DICTS, weight_decay=0.01, **options)
    alone = one_by_one(DICTS, 0.01 * N_LABELS / share, **options)
    assert_allclose(together.fit(X, Y).decision_function(X), alone, atol=1e-4)


def test_label_smoothing_of_labels_moves_both_sides_to_a_half():
    options = dict(label_smoothing=0.2, **EXACT)
    together = MLPClassifier((), weight_decay=0.01, **options)
    alone = one_by_one([None] * 3, [0.01 * N_LABELS] * 3, **options)
    assert_allclose(together.fit(X, Y).decision_function(X), alone, atol=1e-4)


def test_balanced_labels_count_weighted_samples():
    options = dict(class_weight="balanced", batch_size="full", max_iter=20, tol=0)
    model = MLPClassifier((5,), random_state=0, **options)
    weighted = model.fit(X, Y, sample_weight=WEIGHT).predict_proba(X)
    plain = model.fit(np.repeat(X, WEIGHT, axis=0), np.repeat(Y, WEIGHT, axis=0))
    assert_allclose(weighted, plain.predict_proba(X), rtol=1e-7)


def test_only_the_proportions_of_label_weights_matter():
    larger = [{k: 1e3 * v for k, v in weights.items()} for weights in DICTS]
    options = dict(max_iter=5, random_state=0)
    once = MLPClassifier((5,), class_weight=DICTS, **options).fit(X, Y)
    scaled = MLPClassifier((5,), class_weight=larger, **options).fit(X, Y)
    assert_allclose(scaled.predict_proba(X), once.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_label_that_is_always_there_counts_as_any_other(dtype):
    y = np.column_stack([Y[:, 0], np.ones(N, int), np.zeros(N, int)])
    balanced = MLPClassifier((), class_weight="balanced", max_iter=1, random_state=0)
    balanced.fit(X.astype(dtype), y)
    n_ones = y[:, 0].sum()
    expected = [[N / 2 / (N - n_ones), 1, 1], [N / 2 / n_ones, 1, 1]]
    of_zeros, slope = balanced.network_.loss.label_weight
    assert_allclose([of_zeros, of_zeros + slope], expected, rtol=1e-6)
    assert of_zeros.dtype == dtype


# --- fitting ------------------------------------------------------------------------


@each_loss
def test_every_loss_trains_on_weighted_labels_in_batches(name):
    model = MLPClassifier((8,), loss=name, class_weight="balanced", random_state=0)
    model.set_params(batch_size=16, max_iter=60, learning_rate=0.01).fit(X, Y)
    plain = MLPClassifier((8,), loss=name, random_state=0)
    plain.set_params(batch_size=16, max_iter=60, learning_rate=0.01).fit(X, Y)
    # what is rare is predicted more often
    assert (model.predict(X).sum(axis=0) >= plain.predict(X).sum(axis=0)).all()
    assert model.predict(X)[:, 2].sum() > plain.predict(X)[:, 2].sum()


def test_the_loss_of_fit_is_the_weighted_mean_over_samples_and_labels():
    model = MLPClassifier((5,), class_weight=DICTS, batch_size="full", weight_decay=0.0)
    model.set_params(max_iter=1, learning_rate=1e-300, random_state=0)
    model.fit(X, Y, sample_weight=WEIGHT)
    p = model.predict_proba(X)
    losses = -np.where(Y == 1, np.log(p), np.log(1 - p))
    weights = FACTORS * WEIGHT[:, np.newaxis]
    assert_allclose(model.loss_, np.average(losses, weights=weights), rtol=1e-12)


def test_the_validation_loss_has_the_weights_of_training():
    X_val, y_val = X[:20], Y[:20]
    model = MLPClassifier((5,), class_weight=DICTS, max_iter=2, random_state=0)
    model.fit(X, Y, X_val=X_val, y_val=y_val)
    p = model.predict_proba(X_val)
    losses = -np.where(y_val == 1, np.log(p), np.log(1 - p))
    expected = np.mean(losses * FACTORS[:20]) / FACTORS.mean()
    assert_allclose(model.validation_loss_curve_[-1], expected, rtol=1e-12)


def test_partial_fit_takes_dicts_and_cannot_balance():
    options = dict(batch_size="full", max_iter=1, random_state=0)
    fitted = MLPClassifier((5,), class_weight=DICTS, **options).fit(X, Y)
    model = MLPClassifier((5,), class_weight=DICTS, **options).partial_fit(X, Y)
    assert_array_equal(model.predict_proba(X), fitted.predict_proba(X))
    assert not np.array_equal(
        model.predict_proba(X), MLPClassifier((5,), **options).fit(X, Y).predict_proba(X)
    )
    with pytest.raises(ValueError, match="needs all samples at once"):
        MLPClassifier(class_weight="balanced").partial_fit(X, Y)


def test_a_warm_start_goes_on_with_the_weights_of_each_fit():
    options = dict(max_iter=3, warm_start=True, random_state=0)
    model = MLPClassifier((5,), class_weight="balanced", **options).fit(X, Y)
    model = pickle.loads(pickle.dumps(model)).fit(X, Y)
    longer = MLPClassifier((5,), class_weight="balanced", max_iter=6, random_state=0)
    assert_array_equal(model.predict_proba(X), longer.fit(X, Y).predict_proba(X))
    model.set_params(class_weight=None).fit(X, Y)
    assert model.network_.loss.label_weight is None


def test_a_learning_rate_range_test_balances_labels():
    model = MLPClassifier((5,), class_weight="balanced", random_state=0)
    result = learning_rate_range_test(model, X, Y, n_rates=5)
    plain = learning_rate_range_test(model.set_params(class_weight=None), X, Y, n_rates=5)
    assert not np.isclose(result.losses[0], plain.losses[0], rtol=1e-3)


def test_rare_labels_are_ranked_as_well_as_by_a_network_for_each():
    rng = np.random.default_rng(0)
    n, n_labels = 2000, 4
    x = rng.normal(size=(2 * n, 20))
    scores = x @ rng.normal(size=(20, n_labels)) / np.sqrt(20)
    scores += 0.5 * rng.normal(size=scores.shape)
    y = (scores > np.quantile(scores, 0.98, axis=0)).astype(int)
    x = StandardScaler().fit_transform(x)
    model = MLPClassifier((50,), class_weight="balanced", max_iter=30, random_state=0)
    together = model.fit(x[:n], y[:n]).predict_proba(x[n:])
    alone = np.column_stack(
        [model.fit(x[:n], y[:n, j]).predict_proba(x[n:])[:, 1] for j in range(n_labels)]
    )
    unweighted = model.set_params(class_weight=None).fit(x[:n], y[:n]).predict_proba(x[n:])
    together, alone, unweighted = (
        average_precision_score(y[n:], p) for p in (together, alone, unweighted)
    )
    print(together, alone, unweighted)
    assert together > 0.9 * alone
    assert together > 1.2 * unweighted


# --- what is refused ----------------------------------------------------------------


@pytest.mark.parametrize(
    "class_weight",
    [{0: 1.0, 1: 2.0}, DICTS[:2], [*DICTS, {0: 1.0, 1: 1.0}], [[1.0, 2.0]] * 3],
)
def test_weights_must_be_a_dict_for_each_label(class_weight):
    with pytest.raises(ValueError, match="list with one dict for each of the 3 labels"):
        MLPClassifier(class_weight=class_weight).fit(X, Y)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, "2", None])
def test_a_labels_weights_must_be_finite_and_not_negative(bad):
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(class_weight=[{0: 1.0, 1: bad}, *DICTS[1:]]).fit(X, Y)


def test_weights_may_not_all_be_zero():
    with pytest.raises(ValueError, match="class_weight gives all labels the weight zero"):
        MLPClassifier(class_weight=[{0: 0.0, 1: 0.0}] * 3).fit(X, Y)


class _OwnLoss(Loss):
    def value(self, target, z):
        return np.mean((target - z) ** 2, axis=1)

    def gradient(self, target, z):
        return 2 * (z - target) / z.shape[1]


def test_a_loss_that_does_not_tell_labels_apart_takes_no_class_weight():
    with pytest.raises(ValueError, match="does not tell from the others'"):
        MLPClassifier(loss=_OwnLoss(), class_weight="balanced").fit(X, Y)


def test_a_list_is_for_labels_only():
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(class_weight=DICTS).fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="class_weight must be None"):
        MLPClassifier(class_weight="balanced", loss="kl_divergence").fit(
            X, np.full((N, 3), 1 / 3)
        )
    with pytest.raises(ValueError, match="compares classes"):
        MLPClassifier(class_weight=DICTS, loss=MulticlassHinge()).fit(X, Y)
