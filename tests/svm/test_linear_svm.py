"""scikit-learn's own checks of the linear support vector machines."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep import LinearSVM, LinearSVMRegressor

CLASSIFIERS = [
    {},
    {"loss": "squared_hinge"},
    {"optimizer": "newton"},
    {"optimizer": "coordinate_descent"},
    {"optimizer": "sgd", "batch_size": "full"},
    {"optimizer": "adam", "batch_size": "full"},
    {"loss": "squared_hinge", "optimizer": "sgd", "batch_size": "full"},
    {"loss": "squared_hinge", "optimizer": "lbfgs"},
    {"multi_class": "crammer_singer"},
    {"multi_class": "crammer_singer", "optimizer": "sgd", "batch_size": "full"},
]
REGRESSORS = [
    {},
    {"loss": "squared_epsilon_insensitive"},
    {"optimizer": "sgd", "batch_size": "full"},
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [LinearSVM(**options) for options in CLASSIFIERS]
    + [LinearSVMRegressor(**options) for options in REGRESSORS]
)
def test_configuration_passes_every_check(estimator, check):
    check(estimator)
