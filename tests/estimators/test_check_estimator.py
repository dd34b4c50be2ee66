"""Every estimator, in every configuration, passes scikit-learn's own checks."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep import MLPClassifier, MLPRegressor
from skdeep.optimizers import OPTIMIZERS

CONFIGURATIONS = [
    {},
    {"batch_norm": True},
    {"batch_size": "full"},
    {"hidden_layer_sizes": (20, 10)},
    {"hidden_layer_sizes": (20, 10), "batch_norm": True, "optimizer": "lbfgs"},
    {"weight_averaging": "ema", "batch_norm": True, "record": "gradients"},
    {"weight_averaging": "swa", "l1_penalty": 1e-4, "max_norm": 3.0},
    *({"optimizer": name} for name in sorted(OPTIMIZERS) if name != "adam"),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [kind(**c) for kind in (MLPClassifier, MLPRegressor) for c in CONFIGURATIONS]
)
def test_configuration_passes_every_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([MLPClassifier(batch_size=1), MLPRegressor(batch_size=1)])
def test_stochastic_gradient_descent_passes_all_but_weight_equivalence(estimator, check):
    # one step on a sample of weight 2 is not two steps on the sample
    if "sample_weight_equivalence" not in check.func.__name__:
        check(estimator)
