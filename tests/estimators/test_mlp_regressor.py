"""What MLPRegressor learns and predicts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from skdeep import MLPRegressor
from skdeep.losses import REGRESSION_LOSSES, Huber, Loss, Quantile

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


@pytest.mark.parametrize("loss", sorted(REGRESSION_LOSSES))
def test_every_loss_learns(diabetes, loss):
    X, y = diabetes
    if loss in ("poisson", "tweedie"):
        y = np.round(4 + 2 * y).clip(0)
    model = MLPRegressor(loss=loss, max_iter=100, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.4


def test_linear_model_without_hidden_layers_is_ridge_regression(diabetes):
    X, y = diabetes
    model = MLPRegressor(
        (), optimizer="lbfgs", weight_decay=0.1, tol=1e-10, max_iter=1000
    ).fit(X, y)
    oracle = Ridge(alpha=0.1 * len(X)).fit(X, y)
    assert_allclose(model.coefs_[0].ravel(), oracle.coef_, atol=1e-6)
    assert_allclose(model.predict(X), oracle.predict(X), atol=1e-6)


def test_many_targets_are_predicted_at_once(diabetes):
    X, y = diabetes
    targets = np.column_stack([y, -y, 2 * y])
    model = MLPRegressor(max_iter=100, random_state=0).fit(X, targets)
    assert model.predict(X).shape == targets.shape
    assert model.score(X, targets) > 0.4


def test_a_column_of_targets_is_one_target(diabetes):
    X, y = diabetes
    with pytest.warns(UserWarning, match="column-vector y"):
        model = MLPRegressor(max_iter=2, random_state=0).fit(X, y.reshape(-1, 1))
    assert model.predict(X).shape == y.shape


def test_poisson_predictions_are_means_above_zero():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(2000, 1))
    mean = np.exp(1 + X[:, 0])
    model = MLPRegressor((), loss="poisson", optimizer="lbfgs", weight_decay=0, tol=1e-7)
    model.fit(X, rng.poisson(mean))
    assert_allclose(model.predict(X), mean, rtol=0.1)


def test_quantile_loss_leaves_its_share_below():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2000, 1)), rng.normal(size=2000)
    for quantile in (0.1, 0.5, 0.9):
        model = MLPRegressor(
            (), loss=Quantile(quantile), learning_rate=0.01, batch_size=100, random_state=0
        ).fit(X, y)
        assert abs(np.mean(y < model.predict(X)) - quantile) < 0.03


def test_huber_loss_ignores_outliers_better_than_squared_error():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1))
    y = X[:, 0].copy()
    y[:20] += 50
    errors = {}
    for loss in ("squared_error", Huber(delta=0.5)):
        model = MLPRegressor((), loss=loss, optimizer="lbfgs", weight_decay=0).fit(X, y)
        errors[str(loss)] = np.abs(model.predict(X[20:]) - y[20:]).mean()
    assert errors["Huber(delta=0.5)"] < 0.1 * errors["squared_error"]


class SquaredErrorOfAUser(Loss):
    def value(self, target, z):
        return 0.5 * np.mean((z - target) ** 2, axis=1)

    def gradient(self, target, z):
        return (z - target) / z.shape[1]


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_users_loss_works_as_a_built_in_one_does(diabetes, optimizer):
    X, y = diabetes
    options = dict(optimizer=optimizer, max_iter=5, random_state=0)
    own = MLPRegressor(loss=SquaredErrorOfAUser(), **options).fit(X, y)
    built_in = MLPRegressor(loss="squared_error", **options).fit(X, y)
    assert_allclose(own.predict(X), built_in.predict(X), rtol=1e-9)
    assert_allclose(own.loss_curve_, built_in.loss_curve_, rtol=1e-9)


def test_float32_stays_float32(diabetes):
    X, y = diabetes
    model = MLPRegressor(max_iter=2, random_state=0).fit(X.astype(np.float32), y)
    assert model.predict(X.astype(np.float32)).dtype == np.float32


def test_partial_fit_goes_through_the_data_once_a_call(diabetes):
    X, y = diabetes
    model = MLPRegressor(batch_size=100, random_state=0)
    for _ in range(3):
        model.partial_fit(X, y)
    assert model.n_iter_ == 3
    assert model._training_state.step == 3 * 5


def test_prediction_never_changes_the_estimator(diabetes):
    X, y = diabetes
    model = MLPRegressor(batch_norm=True, dropout=0.3, max_iter=5, random_state=0).fit(X, y)
    before = model.network_.parameters.copy(), model.network_.statistics.copy()
    first = model.predict(X)
    assert_array_equal(model.predict(X), first)
    assert_array_equal(model.network_.parameters, before[0])
    assert_array_equal(model.network_.statistics, before[1])


def test_prediction_does_not_depend_on_how_rows_are_batched(diabetes):
    X, y = diabetes
    model = MLPRegressor((50, 20), batch_norm=True, max_iter=5, random_state=0).fit(X, y)
    many = np.tile(X, (6, 1))  # more than one block of rows
    one_by_one = np.concatenate([model.predict(row[np.newaxis]) for row in X])
    assert_allclose(one_by_one, model.predict(X), rtol=1e-10)
    assert_allclose(model.predict(many), np.tile(model.predict(X), 6), rtol=1e-10)
