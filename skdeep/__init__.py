"""skdeep: deep learning with scikit-learn's estimators, fast on a laptop's CPU."""

from skdeep.estimators.linear_svm import LinearSVM
from skdeep.estimators.linear_svm_regressor import LinearSVMRegressor
from skdeep.estimators.mlp import MLPClassifier, MLPRegressor
from skdeep.versions import __version__, show_versions

__all__ = [
    "LinearSVM",
    "LinearSVMRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "__version__",
    "show_versions",
]
