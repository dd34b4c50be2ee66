"""Logarithms of probabilities, and small probabilities, keep the logits' digits."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_expit, log_softmax
from sklearn.exceptions import ConvergenceWarning

from skdeep import MLPClassifier
from skdeep.losses import CLASSIFICATION_LOSSES

pytestmark = pytest.mark.filterwarnings(
    f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning"
)
PROBABILISTIC = sorted(n for n, loss in CLASSIFICATION_LOSSES.items() if loss.probabilistic)
each_loss = pytest.mark.parametrize("loss", PROBABILISTIC)
each_type = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# The logit, or the first one, of a network without hidden layers is a feature.
Z = np.array([-800.0, -110.0, -20.0, -0.5, 0.0, 3.0, 19.93, 110.0, 800.0])


def network_of_feature(y, loss, dtype):
    """A fitted model whose logits are X @ W with W = [[1, 0, 0, ...]]."""
    x = Z.reshape(-1, 1).astype(dtype)
    model = MLPClassifier((), loss=loss, max_iter=1, random_state=0).fit(x, y)
    model.network_.parameters[...] = 0
    model.network_.view("output", "kernel")[0, 0] = 1
    return model, x


@each_type
@each_loss
def test_two_classes(loss, dtype):
    model, x = network_of_feature(np.arange(len(Z)) % 2, loss, dtype)
    # a loss that compares outputs has the feature as the first of two
    compares = model.network_.shapes[-1] == (2,)
    sign = -1 if compares else 1
    z = model.decision_function(x).astype(float)
    assert_allclose(z, sign * Z, rtol=1e-6)
    expected = np.column_stack([log_expit(-z), log_expit(z)])
    actual = model.predict_log_proba(x)
    assert actual.dtype == dtype
    info = np.finfo(dtype)
    atol = info.eps if compares else info.tiny
    assert_allclose(actual, expected, rtol=4 * info.eps, atol=atol)
    # the first class's is no rounded difference from one
    small = expected > np.log(info.tiny)
    p = model.predict_proba(x)
    assert_allclose(p[small], np.exp(expected)[small], rtol=200 * info.eps)


@each_type
@each_loss
def test_many_classes(loss, dtype):
    model, x = network_of_feature(np.arange(len(Z)) % 3, loss, dtype)
    z = model.decision_function(x).astype(float)
    actual = model.predict_log_proba(x)
    assert actual.dtype == dtype
    assert np.isfinite(actual).all()
    eps = np.finfo(dtype).eps
    assert_allclose(actual, log_softmax(z, axis=1), rtol=4 * eps, atol=eps)


@each_type
@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_labels(loss, dtype):
    y = np.column_stack([np.arange(len(Z)) % 2, np.arange(len(Z)) % 3 == 0]).astype(int)
    model, x = network_of_feature(y, loss, dtype)
    actual = model.predict_log_proba(x)
    assert_allclose(actual[:, 0], log_expit(Z), rtol=1e-6, atol=np.finfo(dtype).tiny)
    assert actual.dtype == dtype
