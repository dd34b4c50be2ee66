"""Bad input gets an error that says what was wrong and what is allowed."""

import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from skdeep import MLPClassifier, MLPRegressor
from skdeep.layers import Dense
from skdeep.losses import Focal, Hinge, Huber, Quantile
from skdeep.optimizers import SGD, Adam
from skdeep.schedules import StepDecay

pytestmark = pytest.mark.tiny

X = np.random.default_rng(0).normal(size=(20, 3))
Y = np.arange(20) % 2


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"activation": "rectifier"}, "'activation' parameter.*'relu'"),
        ({"optimizer": "adma"}, "'optimizer' parameter.*'adam'"),
        ({"loss": "log"}, "'loss' parameter.*'cross_entropy'"),
        ({"learning_rate_schedule": "adaptive"}, "'learning_rate_schedule'.*'plateau'"),
        ({"kernel_initializer": "xavier"}, "'kernel_initializer'.*'glorot_uniform'"),
        ({"monitor": "acuracy"}, "'monitor' parameter.*'accuracy'"),
        ({"batch_size": 0}, "'batch_size' parameter.*'full'"),
        ({"batch_size": "half"}, "'batch_size' parameter.*'full'"),
        ({"dropout": 1.0}, r"'dropout' parameter.*\[0.0, 1.0\)"),
        ({"input_dropout": -0.1}, r"'input_dropout' parameter.*\[0.0, 1.0\)"),
        ({"weight_decay": -1.0}, "'weight_decay' parameter"),
        ({"learning_rate": 0.0}, "'learning_rate' parameter"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
        ({"label_smoothing": 1.0}, "'label_smoothing' parameter"),
        ({"class_weight": "auto"}, "'class_weight' parameter"),
        ({"gradient_clip_norm": 0.0}, "'gradient_clip_norm' parameter"),
        ({"optimizer": SGD(momentum=1.0)}, "'momentum' parameter of SGD"),
        ({"optimizer": Adam(beta_2=2)}, "'beta_2' parameter of Adam"),
        ({"loss": Focal(gamma=-1)}, "'gamma' parameter of Focal"),
        (
            {"learning_rate_schedule": StepDecay(epochs=0)},
            "'epochs' parameter of StepDecay",
        ),
    ],
)
def test_parameters_out_of_range_are_named_with_what_is_allowed(parameters, message):
    with pytest.raises(InvalidParameterError, match=message):
        MLPClassifier(**parameters).fit(X, Y)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"dropout": [0.1, 0.2]}, "one for each of the 1 hidden layers. Got 2"),
        ({"dropout": [1.5]}, r"Dropout rates must be in \[0, 1\)"),
        ({"hidden_layer_sizes": (10, 0)}, "whole numbers above 0"),
        ({"hidden_layer_sizes": (10, 2.5)}, "whole numbers above 0"),
        ({"optimizer": "lbfgs", "dropout": 0.1}, "dropout and input_dropout must be 0"),
        ({"loss": Hinge(), "label_smoothing": 0.1}, "label_smoothing needs a loss with"),
        ({"loss": Huber()}, "Huber is a loss for regression"),
        ({"class_weight": {0: 1.0, 1: 0.0}}, "needs samples of at least 2 classes"),
        ({"class_weight": {0: 1.0, 5: 1.0}}, r"classes, \[1\], are not in class_weight"),
    ],
)
def test_parameters_that_do_not_fit_together_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**parameters).fit(X, Y)


def test_a_classification_loss_is_refused_by_a_regressor():
    with pytest.raises(ValueError, match="Hinge is a loss for classification"):
        MLPRegressor(loss=Hinge()).fit(X, Y)


def test_quantile_must_be_a_share():
    with pytest.raises(InvalidParameterError, match="'quantile' parameter of Quantile"):
        MLPRegressor(loss=Quantile(1.0)).fit(X, Y)


def test_layers_check_their_parameters():
    with pytest.raises(InvalidParameterError, match="'units' parameter of Dense"):
        Dense(0)._validate_params()


def test_poisson_refuses_negative_targets():
    with pytest.raises(ValueError, match=r"needs targets y >= 0.*smallest is -1"):
        MLPRegressor(loss="poisson").fit(X, Y - 1.0)


def test_distributions_must_sum_to_one():
    with pytest.raises(ValueError, match="rows must sum to 1"):
        MLPClassifier(loss="kl_divergence").fit(X, np.full((20, 3), 0.5))


def test_distributions_are_refused_by_other_losses():
    with pytest.raises(ValueError, match="Unknown label type"):
        MLPClassifier().fit(X, np.full((20, 4), 0.25))


def test_one_class_is_not_enough():
    with pytest.raises(ValueError, match="at least 2 classes, but y has 1 class: 3"):
        MLPClassifier().fit(X, np.full(20, 3))


def test_weights_that_are_all_zero_are_refused():
    with pytest.raises(ValueError, match=r"[Ss]ample weights.*zero"):
        MLPClassifier().fit(X, Y, sample_weight=np.zeros(20))


def test_weights_that_leave_one_class_are_refused():
    with pytest.raises(ValueError, match=r"leave 1 class: \[1\]"):
        MLPClassifier().fit(X, Y, sample_weight=Y)


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="Negative values in data"):
        MLPClassifier().fit(X, Y, sample_weight=Y - 0.5)


def test_a_batch_larger_than_the_data_is_clipped_with_a_warning():
    with pytest.warns(UserWarning, match="batch_size=100 larger.*clipped to 20"):
        MLPClassifier(batch_size=100, max_iter=1).fit(X, Y)


def test_partial_fit_needs_all_classes_at_first():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        MLPClassifier().partial_fit(X, Y)


def test_partial_fit_refuses_a_class_that_was_not_named():
    model = MLPClassifier().partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"not in classes_: \[2\]"):
        model.partial_fit(X, Y + 1)


def test_partial_fit_refuses_other_classes_later():
    model = MLPClassifier().partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(ValueError, match="not the same as in the first call"):
        model.partial_fit(X, Y, classes=[0, 1, 2])


def test_partial_fit_cannot_balance_classes():
    model = MLPClassifier(class_weight="balanced")
    with pytest.raises(ValueError, match="needs all samples at once"):
        model.partial_fit(X, Y, classes=[0, 1])


def test_multilabel_targets_refuse_a_dict_of_class_weights():
    y = np.column_stack([Y, 1 - Y])
    with pytest.raises(ValueError, match="class_weight must be None, 'balanced' or a list"):
        MLPClassifier(class_weight={0: 2.0}).fit(X, y)


def test_warm_start_refuses_other_targets():
    model = MLPRegressor(warm_start=True, max_iter=1).fit(X, Y)
    with pytest.raises(ValueError, match="y has 2 targets, but the earlier fit saw 1"):
        model.fit(X, np.column_stack([Y, Y]))


def test_validation_data_come_in_pairs():
    with pytest.raises(ValueError, match="X_val was given without y_val"):
        MLPClassifier().fit(X, Y, X_val=X)


def test_validation_data_may_not_have_unknown_classes():
    with pytest.raises(ValueError, match=r"not in classes_: \[2\]"):
        MLPClassifier().fit(X, Y, X_val=X, y_val=Y + 1)


def test_predicting_before_fitting_is_scikit_learns_error():
    from sklearn.exceptions import NotFittedError

    for method in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(MLPClassifier(), method)(X)


def test_learned_attributes_do_not_exist_before_fitting():
    for name in ("coefs_", "intercepts_", "history_", "loss_curve_", "network_"):
        assert not hasattr(MLPClassifier(), name)


def test_describing_an_untrained_network_says_what_to_do():
    from skdeep.engine.network import Network
    from skdeep.losses import SquaredError

    network = Network(
        [("output", Dense(1))], SquaredError(), SGD(), input_shape=(2,), dtype="float64"
    )
    with pytest.raises(ValueError, match="fit the estimator first"):
        network.describe()
