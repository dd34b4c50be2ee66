"""scikit-learn's own checks of the linear support vector machines."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep import LinearSVM, LinearSVMRegressor

CLASSIFIERS = [
    {"loss": loss, "optimizer": optimizer, "batch_size": "full"}
    for loss in ("hinge", "squared_hinge")
    for optimizer in ("auto", "coordinate_descent", "sgd", "adam")
] + [
    {"optimizer": "newton"},
    {"loss": "squared_hinge", "optimizer": "lbfgs"},
    {"multi_class": "crammer_singer"},
    {"multi_class": "crammer_singer", "optimizer": "sgd", "batch_size": "full"},
]
REGRESSORS = [
    {"loss": loss, "optimizer": optimizer, "batch_size": "full"}
    for loss in ("epsilon_insensitive", "squared_epsilon_insensitive")
    for optimizer in ("auto", "adam")
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [LinearSVM(**options) for options in CLASSIFIERS]
    + [LinearSVMRegressor(**options) for options in REGRESSORS]
)
def test_configuration_passes_every_check(estimator, check):
    check(estimator)
