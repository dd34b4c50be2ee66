"""skdeep: deep learning with scikit-learn's estimators, fast on a laptop's CPU."""

from skdeep.estimators.convnet import ConvNetClassifier, ConvNetRegressor
from skdeep.estimators.ensemble import EnsembleClassifier, EnsembleRegressor
from skdeep.estimators.mlp import MLPClassifier, MLPRegressor
from skdeep.estimators.sequential import SequentialClassifier, SequentialRegressor
from skdeep.estimators.tabular import TabularClassifier, TabularRegressor
from skdeep.svm.linear_svm import LinearSVM
from skdeep.svm.linear_svm_regressor import LinearSVMRegressor
from skdeep.versions import __version__, show_versions

__all__ = [
    "ConvNetClassifier",
    "ConvNetRegressor",
    "EnsembleClassifier",
    "EnsembleRegressor",
    "LinearSVM",
    "LinearSVMRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "SequentialClassifier",
    "SequentialRegressor",
    "TabularClassifier",
    "TabularRegressor",
    "__version__",
    "show_versions",
]
