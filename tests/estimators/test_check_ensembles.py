"""Every ensemble passes scikit-learn's own checks, whatever its members are."""

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep import (
    EnsembleClassifier,
    EnsembleRegressor,
    MLPClassifier,
    MLPRegressor,
    SequentialClassifier,
    SequentialRegressor,
)

FEW = {"n_members": 2, "random_state": 0}
LBFGS = {"hidden_layer_sizes": 10, "optimizer": "lbfgs", "max_iter": 60}
CLASSIFIERS = [
    EnsembleClassifier(n_members=2),
    EnsembleClassifier(MLPClassifier(**LBFGS), **FEW),
    EnsembleClassifier(SequentialClassifier(max_iter=60), n_members=3),
    EnsembleClassifier(LogisticRegression(), **FEW),
]
REGRESSORS = [
    EnsembleRegressor(n_members=2),
    EnsembleRegressor(MLPRegressor(**LBFGS), **FEW),
    EnsembleRegressor(SequentialRegressor(max_iter=60), n_members=3),
    EnsembleRegressor(Ridge(), **FEW),
]
# their `fit` has no sample_weight
UNWEIGHTED = [
    EnsembleClassifier(make_pipeline(StandardScaler(), MLPClassifier()), **FEW),
    EnsembleRegressor(make_pipeline(StandardScaler(), MLPRegressor()), **FEW),
    EnsembleClassifier(KNeighborsClassifier(), **FEW),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(CLASSIFIERS + REGRESSORS)
def test_an_ensemble_passes_every_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(UNWEIGHTED)
def test_of_members_without_weights_it_passes_all_but_those_with_weights(estimator, check):
    if "sample_weight" not in check.func.__name__:
        check(estimator)
