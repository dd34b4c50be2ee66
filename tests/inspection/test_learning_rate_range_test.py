"""The range test follows its rates, finds where the loss falls, and changes nothing."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_diabetes, make_multilabel_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import ConvNetClassifier, MLPClassifier, MLPRegressor
from skdeep.inspection import learning_rate_range_test


@pytest.fixture(scope="module")
def data(digits):
    X, y = digits
    return X[:800], y[:800]


# --- the curve --------------------------------------------------------------------


@pytest.mark.parametrize("growth", ["exponential", "linear"])
def test_learning_rates_grow_from_the_lowest_to_the_highest(data, growth):
    result = learning_rate_range_test(
        MLPClassifier(random_state=0),
        *data,
        min_learning_rate=1e-4,
        max_learning_rate=1e-2,
        n_rates=20,
        growth=growth,
    )
    assert_allclose(result.learning_rates[[0, -1]], [1e-4, 1e-2])
    assert len(result.learning_rates) == len(result.losses) == 20
    steps = (
        np.log(result.learning_rates) if growth == "exponential" else result.learning_rates
    )
    assert_allclose(np.diff(steps), np.diff(steps)[0])


def test_each_loss_is_that_of_a_step_of_gradient_descent_before_it(data):
    """On all data at once, with plain gradient descent, step by step."""
    X, y = data
    options = dict(optimizer="sgd", batch_size="full", weight_decay=0.0, random_state=0)
    result = learning_rate_range_test(
        MLPClassifier(**options),
        X,
        y,
        min_learning_rate=0.01,
        max_learning_rate=1.0,
        n_rates=6,
    )
    model = MLPClassifier(learning_rate=0.01, **options)
    losses = []
    for rate in np.geomspace(0.01, 1.0, 6):
        model.set_params(learning_rate=rate).partial_fit(X, y, classes=np.unique(y))
        losses.append(model.loss_)
    assert_allclose(result.losses, losses, rtol=1e-9)


def test_the_smoothed_loss_is_a_corrected_moving_average(data):
    result = learning_rate_range_test(
        MLPClassifier(random_state=0), *data, n_rates=10, smoothing=0.5
    )
    weights = 0.5 ** np.arange(10)[::-1]
    assert_allclose(result.smoothed_losses[-1], np.average(result.losses, weights=weights))
    plain = learning_rate_range_test(
        MLPClassifier(random_state=0), *data, n_rates=10, smoothing=0
    )
    assert_array_equal(plain.losses, plain.smoothed_losses)


def test_it_stops_when_the_loss_explodes(data):
    result = learning_rate_range_test(
        MLPRegressor(optimizer="sgd", random_state=0), *data, max_learning_rate=1e6
    )
    assert len(result.losses) < 100
    assert np.isfinite(result.losses).all()
    assert len(result.learning_rates) == len(result.losses)


# --- the suggestion ---------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Training diverged")  # the larger one does
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("options", "lowest", "highest"),
    [
        ({"optimizer": "sgd"}, 0.03, 3.0),
        ({"optimizer": "adam"}, 0.002, 0.1),
        ({"batch_norm": True, "hidden_layer_sizes": (30, 30, 30)}, 0.002, 0.1),
        ({"batch_size": "full"}, 0.002, 0.1),
        ({"batch_size": 8}, 0.0005, 0.05),
    ],
    ids=str,
)
def test_the_suggestion_trains_better_than_one_of_another_size(
    data, options, lowest, highest, seed
):
    X, y = data
    model = MLPClassifier(random_state=seed, **options)
    rate = learning_rate_range_test(model, X, y).suggestion
    assert lowest < rate < highest
    losses = {
        r: MLPClassifier(learning_rate=r, max_iter=5, random_state=seed, **options)
        .fit(X, y)
        .loss_
        for r in (rate / 100, rate, 100 * rate)
    }
    assert losses[rate] == min(losses.values())


def test_no_rate_is_suggested_where_the_loss_never_falls(data):
    with pytest.warns(UserWarning, match="The loss never fell"):
        result = learning_rate_range_test(
            MLPRegressor(optimizer="sgd", batch_size="full", random_state=0),
            *data,
            min_learning_rate=1e3,
            max_learning_rate=1e9,
        )
    assert np.isnan(result.suggestion)


# --- what it takes ----------------------------------------------------------------


def test_regression_multilabel_sparse_data_and_frames():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X = pd.DataFrame(StandardScaler().fit_transform(X), columns=X.columns)
    options = dict(random_state=0)
    results = [
        learning_rate_range_test(MLPRegressor(**options), X, (y - y.mean()) / y.std()),
        learning_rate_range_test(MLPRegressor(**options), X, np.column_stack([y, -y]) / 99),
    ]
    X, y = make_multilabel_classification(random_state=0, n_samples=300)
    results.append(learning_rate_range_test(MLPClassifier(**options), csr_array(X), y))
    for result in results:
        assert result.suggestion > 0


def test_string_classes_that_are_rare(data):
    X, y = data
    names = np.array(list("abcdefghij"))[y]
    keep = (y != 3) | (np.arange(len(y)) < 40)
    model = MLPClassifier(batch_size=10, class_weight="balanced", random_state=0)
    assert learning_rate_range_test(model, X[keep], names[keep]).suggestion > 0


def test_weights_act_as_without_the_samples_that_have_none(data):
    X, y = data
    weight = np.ones(len(y))
    weight[500:] = 0
    model = MLPClassifier(batch_size=50, shuffle=False, random_state=0)
    weighted = learning_rate_range_test(model, X, y, sample_weight=weight)
    fewer = learning_rate_range_test(model, X[:500], y[:500])
    assert_allclose(weighted.losses, fewer.losses, rtol=1e-9)


def test_balanced_class_weights_act(data):
    X, y = data
    X, y = X[y < 2], y[y < 2]
    rare = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:5]]
    results = [
        learning_rate_range_test(
            MLPClassifier(class_weight=c, batch_size="full", random_state=0),
            X[rare],
            y[rare],
            n_rates=30,
        ).losses
        for c in (None, "balanced")
    ]
    assert not np.allclose(results[0][:20], results[1][:20], rtol=1e-3)


class Counts:
    """A callback that counts the tasks it is told of."""

    def __init__(self):
        self.count = 0

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.count += 1

    def on_fit_task_end(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass


def test_the_estimator_stays_as_it_is(data):
    X, y = data
    callback = Counts()
    model = MLPClassifier(max_iter=2, warm_start=True, random_state=0).fit(X, y)
    model.set_callbacks(callback)
    before = copy.deepcopy(model.network_.parameters)
    parameters = model.get_params()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learning_rate_range_test(model, X, y, n_rates=10)
    assert_array_equal(model.network_.parameters, before)
    assert model.get_params() == parameters
    assert model.n_iter_ == 2
    assert callback.count == 0  # the copy has no callbacks


def test_the_same_seed_gives_the_same_curve(data):
    model = MLPClassifier(batch_size=20, dropout=0.2, random_state=0)
    first, second = (learning_rate_range_test(model, *data, n_rates=30) for _ in range(2))
    assert_array_equal(first.losses, second.losses)


def test_settings_that_need_a_whole_fit_do_not_act(data):
    plain, other = (
        learning_rate_range_test(MLPClassifier(random_state=0, **options), *data, n_rates=9)
        for options in (
            {},
            {
                "weight_averaging": "ema",
                "early_stopping": True,
                "record": "gradients",
                "learning_rate_schedule": "one_cycle",
                "learning_rate": 3.0,
            },
        )
    )
    assert_array_equal(plain.losses, other.losses)


def test_float32_is_computed_in_float32(data):
    X, y = data
    model = MLPClassifier(random_state=0)
    double = learning_rate_range_test(model, X, y, n_rates=30)
    single = learning_rate_range_test(model, X.astype(np.float32), y, n_rates=30)
    assert_allclose(single.losses, double.losses, rtol=1e-3)
    assert (single.losses != double.losses).any()


# --- what it refuses --------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_learning_rate": 0.0}, "0 < min_learning_rate"),
        ({"min_learning_rate": 1.0, "max_learning_rate": 0.1}, "0 < min_learning_rate"),
        ({"n_rates": 2}, "n_rates must be"),
        ({"growth": "square"}, "growth must be"),
        ({"smoothing": 1.0}, "smoothing must be"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(data, options, message):
    with pytest.raises(ValueError, match=message):
        learning_rate_range_test(MLPClassifier(), *data, **options)


def test_lbfgs_has_no_learning_rate(data):
    with pytest.raises(ValueError, match="has no learning rate to find"):
        learning_rate_range_test(MLPClassifier(optimizer="lbfgs"), *data)


def test_a_pipeline_is_told_to_pass_its_last_step(data):
    with pytest.raises(ValueError, match=r"pass the last step, pipeline\[-1\]"):
        learning_rate_range_test(make_pipeline(StandardScaler(), MLPClassifier()), *data)


def test_a_plot_marks_the_suggestion(data, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    result = learning_rate_range_test(MLPClassifier(random_state=0), *data, n_rates=40)
    ax = result.plot()
    assert ax.get_xscale() == "log"
    assert any(result.suggestion == line.get_xdata()[0] for line in ax.get_lines())
    assert result.plot(pyplot.subplots()[1]) is not ax
    pyplot.close("all")


def test_bytes_are_images_as_in_fit(data):
    images = (data[0].reshape(-1, 8, 8) * 100).clip(0, 255).astype(np.uint8)
    model = ConvNetClassifier((4,), hidden_layer_sizes=(), random_state=0)
    of_bytes = learning_rate_range_test(model, images, data[1], n_rates=10)
    scaled = (images / 255).astype(np.float32)
    of_numbers = learning_rate_range_test(model, scaled, data[1], n_rates=10)
    assert_allclose(of_bytes.losses, of_numbers.losses, rtol=1e-5)
