"""As accurate as scikit-learn's networks with the same hyperparameters."""

import numpy as np
import pytest
from sklearn import neural_network
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skdeep import MLPClassifier, MLPRegressor


@pytest.mark.parametrize(
    "load",
    [load_digits, load_breast_cancer, load_wine, load_diabetes],
    ids=lambda f: f.__name__,
)
@pytest.mark.filterwarnings("ignore:.*Maximum iterations")
@pytest.mark.parametrize("hidden", [(100,), (64, 32)], ids=str)
def test_five_fold_score_is_within_one_standard_error(load, hidden):
    X, y = load(return_X_y=True)
    if load is load_diabetes:
        own, peer, cv = MLPRegressor, neural_network.MLPRegressor, KFold
    else:
        own, peer, cv = MLPClassifier, neural_network.MLPClassifier, StratifiedKFold
    options = dict(hidden_layer_sizes=hidden, max_iter=100)
    folds = cv(5, shuffle=True, random_state=0)

    def scores(kind, **learning_rate):
        """The score of each fold, the mean over two random starts."""
        return np.mean(
            [
                cross_val_score(
                    make_pipeline(
                        StandardScaler(),
                        kind(random_state=seed, **options, **learning_rate),
                    ),
                    X,
                    y,
                    cv=folds,
                )
                for seed in range(2)
            ],
            axis=0,
        )

    with threadpool_limits(1):  # scikit-learn's products are too small for threads
        ours = scores(own, learning_rate=1e-3)
        theirs = scores(peer, learning_rate_init=1e-3)
    standard_error = theirs.std(ddof=1) / np.sqrt(len(theirs))
    assert ours.mean() >= theirs.mean() - standard_error
