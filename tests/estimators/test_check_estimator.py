"""Every estimator, in every configuration, passes scikit-learn's own checks."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdeep import MLPClassifier, MLPRegressor
from skdeep.kernels import native
from skdeep.optimizers import OPTIMIZERS

# what is slow on NumPy's kernels has the default epochs on compiled ones alone
FEWER = {} if native.ENABLED else {"max_iter": 60}

CONFIGURATIONS = [
    {},
    {"batch_norm": True},
    {"batch_size": "full"},
    {"hidden_layer_sizes": (20, 10)},
    {"hidden_layer_sizes": (20, 10), "batch_norm": True, "optimizer": "lbfgs"},
    {"weight_averaging": "ema", "batch_norm": True, "record": "gradients", **FEWER},
    {"weight_averaging": "swa", "l1_penalty": 1e-4, "max_norm": 3.0},
    {"optimizer": "sgd"},  # slower to learn what the checks ask for
    *({"optimizer": name, **FEWER} for name in sorted(OPTIMIZERS.keys() - {"adam", "sgd"})),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [kind(**c) for kind in (MLPClassifier, MLPRegressor) for c in CONFIGURATIONS]
)
def test_configuration_passes_every_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [kind(batch_size=1, **FEWER) for kind in (MLPClassifier, MLPRegressor)]
)
def test_stochastic_gradient_descent_passes_all_but_weight_equivalence(estimator, check):
    # one step on a sample of weight 2 is not two steps on the sample
    if "sample_weight_equivalence" not in check.func.__name__:
        check(estimator)
