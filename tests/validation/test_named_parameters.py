"""Parameters of a parameter that is a name: the error says which object to pass."""

import re

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdeep import (
    ConvNetClassifier,
    LinearSVM,
    LinearSVMRegressor,
    MLPClassifier,
    MLPRegressor,
    SequentialClassifier,
)
from skdeep.layers import Dense
from skdeep.optimizers import SGD, Adam

pytestmark = pytest.mark.tiny


@pytest.mark.parametrize(
    "estimator, parameters, advice",
    [
        (MLPClassifier(optimizer="sgd"), {"optimizer__momentum": 0.5},
         "optimizer=SGD(momentum=...), from skdeep.optimizers"),
        (MLPClassifier(optimizer="momentum"), {"optimizer__momentum": 0.5},
         "Pass optimizer=SGD(momentum=...), from"),
        (MLPClassifier(optimizer="amsgrad"), {"optimizer__beta_1": 0.5},
         "Pass optimizer=Adam(amsgrad=True, beta_1=...), from"),
        (MLPClassifier(optimizer="adam"), {"optimizer__momentum": 0.5},
         "or optimizer=SGD(momentum=...)"),
        (MLPClassifier(), {"optimizer": "sgd", "optimizer__momentum": 0.5},
         "optimizer='sgd' has no parameter 'momentum'"),
        (MLPClassifier(), {"optimizer__speed": 1}, "nor has any other optimizer"),
        (MLPClassifier(learning_rate_schedule="step"),
         {"learning_rate_schedule__epochs": 3},
         "learning_rate_schedule=StepDecay(epochs=...), from skdeep.schedules"),
        (MLPClassifier(), {"loss__gamma": 1.0},
         "loss=Focal(gamma=...), from skdeep.losses"),
        (MLPRegressor(loss="huber"), {"loss__delta": 2.0},
         "loss=Huber(delta=...), from skdeep.losses"),
        (MLPRegressor(), {"loss__quantile": 0.5}, "loss=Quantile(quantile=...)"),
        (MLPRegressor(), {"weight_averaging__decay": 0.5},
         "weight_averaging=ExponentialMovingAverage(decay=...), from skdeep.averaging"),
        (MLPRegressor(weight_averaging="ema"), {"weight_averaging__decay": 0.5},
         "weight_averaging=ExponentialMovingAverage(decay=...)"),
        (MLPRegressor(), {"kernel_initializer__value": 0.5},
         "kernel_initializer=Constant(value=...), from skdeep.initializers"),
        (MLPRegressor(), {"activation__alpha": 0.5},
         "activation='relu' has no parameter 'alpha', nor has any other activation"),
        (ConvNetClassifier(), {"optimizer__momentum": 0.5}, "SGD(momentum=...)"),
        (LinearSVM(), {"optimizer__momentum": 0.5}, "SGD(momentum=...)"),
        (LinearSVMRegressor(optimizer="sgd"), {"optimizer__momentum": 0.5},
         "SGD(momentum=...)"),
        (SequentialClassifier([("dense", Dense(3))]),
         {"dense__kernel_initializer__value": 1},
         "kernel_initializer=Constant(value=...)"),
        (make_pipeline(StandardScaler(), MLPClassifier(optimizer="sgd")),
         {"mlpclassifier__optimizer__momentum": 0.5}, "SGD(momentum=...)"),
    ],
)  # fmt: skip
def test_the_object_to_pass_is_named(estimator, parameters, advice):
    with pytest.raises(ValueError, match=re.escape(advice)):
        estimator.set_params(**parameters)


def test_a_grid_over_a_names_parameters_is_refused_with_the_object_to_pass():
    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    search = GridSearchCV(MLPClassifier(optimizer="sgd"), {"optimizer__momentum": [0.5]})
    with pytest.raises(ValueError, match=r"Pass optimizer=SGD\(momentum=...\)"):
        search.fit(X, y)


def test_an_object_given_in_the_same_call_has_parameters():
    model = MLPClassifier().set_params(optimizer=SGD(), optimizer__momentum=0.5)
    assert model.optimizer.momentum == 0.5
    model.set_params(optimizer=Adam(), max_iter=3)
    assert isinstance(model.optimizer, Adam) and model.max_iter == 3


def test_a_parameter_that_does_not_exist_is_scikit_learns_error():
    with pytest.raises(ValueError, match="Invalid parameter 'speed' for estimator"):
        MLPClassifier().set_params(speed__x=1)
