"""skdeep: deep learning with scikit-learn's estimators, fast on a laptop's CPU."""

from skdeep.estimators.mlp import MLPClassifier, MLPRegressor
from skdeep.versions import __version__, show_versions

__all__ = ["MLPClassifier", "MLPRegressor", "__version__", "show_versions"]
