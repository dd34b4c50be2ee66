"""The documentation of parameters and attributes that all network estimators share."""

import inspect

from skdeep.kernels.formulas.activations import NAMED_ACTIVATIONS
from skdeep.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from skdeep.optimizers import OPTIMIZERS
from skdeep.schedules import SCHEDULES

PARAMETERS = """
    optimizer : {optimizers} or Optimizer, default="adam"
        How the weights follow the gradient. An instance of a class of
        `skdeep.optimizers` has parameters of its own, which a grid search reaches as
        ``optimizer__momentum``.

    learning_rate : "auto" or float, default="auto"
        The learning rate at the start, times what the schedule says; ``"auto"`` is the
        optimizer's own.

    learning_rate_schedule : {schedules} or Schedule, default="constant"
        How the learning rate changes while training.

    batch_size : "auto", "full" or int, default="auto"
        The samples in a mini-batch: ``"auto"`` is min(200, n_samples), 1 is stochastic
        gradient descent and ``"full"`` is batch gradient descent. The last batch of an
        epoch may be smaller; its gradient is the mean over the samples it has. One of a
        single sample joins the batch before where batch normalization needs two.

    max_iter : int, default=200
        The largest number of epochs (for L-BFGS, of iterations).
{dropout}
    input_dropout : float, default=0.0
        The share of inputs that is zeroed at random while training, in [0, 1).

    weight_decay : "auto" or float, default="auto"
        The L2 penalty: weight_decay / 2 times the sum of all squared weights (biases
        and batch normalization excepted) is added to the mean loss. With AdamW it is
        the rate of decoupled decay instead. ``"auto"`` is the optimizer's own: 0.01 for
        AdamW and Lion, and 1e-4 for all others.

    l1_penalty : float, default=0.0
        The L1 penalty: l1_penalty times the sum of the absolute values of all weights
        (biases and batch normalization excepted) is added to the mean loss. It draws
        weights that do little to zero. Not for L-BFGS, which needs a smooth cost.

    max_norm : float or None, default=None
        The largest L2 norm of the weights into each unit: after every step, longer ones
        are scaled down to it. Values of 2 to 4 are usual, with dropout and a large
        learning rate. Not for L-BFGS.

    batch_norm : {batch_norm}
        Whether batch normalization stands before each hidden activation. It replaces
        the bias of these layers: `intercepts_` then shows its shift.{batch_norm_note}

    loss : {losses} \
or Loss, default="auto"
        What is minimized. {loss_note}
{classifier_parameters}
    gradient_clip_norm : float or None, default=None
        The largest norm of the whole gradient; a larger one is scaled down.

    gradient_clip_value : float or None, default=None
        The largest absolute value of an entry of the gradient; larger ones are cut.

    weight_averaging : {averages} or WeightAveraging or None, default={averaging}
        Which average of the weights along training is validated, kept and predicted
        with: ``"ema"`` is an exponential moving average over the steps, ``"swa"`` the
        mean over the last quarter of the epochs. Batch normalization's statistics are
        found anew for it. An instance of a class of `skdeep.averaging` has parameters
        of its own. Training goes on from the weights that are not averaged. Not for
        L-BFGS.{averaging_note}

    kernel_initializer : {"auto", "glorot_normal", "glorot_uniform", "he_normal", \
"he_uniform", "identity", "lecun_normal", "lecun_uniform", "orthogonal", "zeros"} or \
Initializer, \
default="auto"
        How the weights are drawn. {initializers}

    early_stopping : bool, default=False
        Whether to stop when the validation data stop to improve, and to restore the
        weights of the best epoch. The data are `X_val` where `fit` gets them, else
        `validation_fraction` of the training data. The only sample of a class is never
        set aside.

    validation_fraction : float, default=0.1
        The share of the training data that early stopping sets aside, in (0, 1).

    n_iter_no_change : int or inf, default=10
        The epochs without an improvement of `tol` before training stops; ``np.inf`` is
        never.

    tol : float, default=1e-4
        The smallest improvement that counts; for L-BFGS, the largest entry of the
        gradient at which it has converged.

    monitor : "loss", str or callable, default="loss"
        What early stopping watches on the validation data: the loss, the name of a
        scikit-learn scorer, or a scorer ``scorer(estimator, X, y)``. A score that is NaN
        from the first is an error. Without `early_stopping` the training loss is watched.

    shuffle : bool, default=True
        Whether each epoch takes the samples in a new random order.

    warm_start : bool, default=False
        Whether `fit` goes on from where the last one ended, or was interrupted, with the
        optimizer's state, the schedule and the random numbers, instead of starting anew.

    random_state : int, RandomState instance or None, default=None
        Decides the initial weights, the order of the samples, the validation split and
        dropout. An int makes results repeatable, bit for bit, with any number of
        threads.

    record : {"gradients"} or None, default=None
        What `history_` records besides losses and learning rates: with ``"gradients"``
        how gradients flow through each layer, measured on up to 512 samples at the end
        of each epoch. `skdeep.inspection.GradientFlowReport` reads it.

    verbose : int, default=0
        Whether to print a line after each epoch.
"""

ATTRIBUTES = """
    coefs_ : tuple of ndarray of shape (n_inputs, n_outputs)
        The weights of each dense layer. They share the network's memory: to set them,
        write into them, ``model.coefs_[0][...] = W``.

    intercepts_ : tuple of ndarray of shape (n_outputs,)
        The biases of each dense layer (with batch normalization, the shifts of hidden
        layers). They share the network's memory, too.

    network_ : Network
        The trained network; ``network_.summary()`` shows its layers,
        ``network_.describe()`` the calls of a training step.

    loss_ : float
        The last epoch's cost: the mean loss plus the penalty. AdamW's decay is not a
        penalty, and not in it.

    best_loss_ : float
        The lowest loss: on the validation data where there are any, else of
        training. With a scorer as `monitor`, the lowest validation loss.

    best_iter_ : int
        The epoch with the best watched value, from 1.

    n_iter_ : int
        The number of epochs: those in `loss_curve_`, among which `best_iter_` counts.
        After a warm start they are those of all calls, where scikit-learn's networks
        count those of the last.

    loss_curve_ : list of float
        The cost of each epoch.

    validation_loss_curve_ : list of float or None
        The loss on the validation data after each epoch.

    validation_scores_ : list of float or None
        The score on the validation data after each epoch: of the scorer in `monitor`,
        else what `score` gives.

    stopped_early_ : bool
        Whether training ended because the monitored value no longer improved.

    history_ : dict of str to ndarray
        What was recorded, of shape (n_iter_,) for each epoch: ``"loss"`` and, with
        validation data, ``"validation_loss"`` and ``"validation_score"``; and of shape
        (n_steps,) the ``"learning_rate"`` of every single step. This, and the three
        lists above, are copies: changing them changes nothing of the model.
        All epochs are kept: each, and so each call of `partial_fit`, takes the memory of
        two numbers, with validation data of four, and of the rates that changed.
        With ``record="gradients"`` also arrays of shape (n_iter_, n_layers) whose columns
        are the layers with kernels: ``"gradient_norm"`` (of the kernel's gradient, before
        clipping), ``"output_gradient_norm"`` (of the gradient with respect to the layer's
        outputs), ``"weight_norm"``, ``"update_ratio"`` (the last step over the weights),
        ``"dead_fraction"`` of units and ``"saturated_fraction"`` of outputs.

    n_parameters_ : int
        The number of trained parameters.

    n_features_in_ : int
        The number of features.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of the features, where X had names.
"""

DROPOUT = """
    dropout : float or array-like of float, default=0.0
        The share of each hidden layer's outputs that is zeroed at random while
        training, in [0, 1): one for all hidden layers, or one for each.
"""

CLASSIFIER_PARAMETERS = """
    label_smoothing : float, default=0.0
        The share of each target's weight that goes to all classes alike, in [0, 1); of
        a label, to there and not there.

    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes, which multiply those of the samples; ``"balanced"`` makes
        all classes weigh alike. For multilabel targets a list with one dict for each
        label, such as ``{0: 1.0, 1: 5.0}``; they, and ``"balanced"``, weigh both sides
        of each label's own loss. Only the proportions of weights matter.
"""

CLASSIFIER_ATTRIBUTES = """
    classes_ : ndarray of shape (n_classes,)
        The classes, or the numbers of the labels.
"""


def _names(*names):
    return "{" + ", ".join(f'"{name}"' for name in names) + "}"


_TABLES = {"optimizers": _names(*OPTIMIZERS), "schedules": _names(*SCHEDULES)}

_CLASSIFIER = {
    "losses": _names("auto", *CLASSIFICATION_LOSSES),
    "loss_note": '``"auto"`` is cross entropy. The hinge losses give no probabilities.',
    "classifier_parameters": CLASSIFIER_PARAMETERS,
}
_REGRESSOR = {
    "losses": _names("auto", *REGRESSION_LOSSES),
    "loss_note": '``"auto"`` is the squared error.',
    "classifier_parameters": "",
}
_PERCEPTRON = {
    "initializers": """``"auto"`` is Glorot (uniform) for the first and the
        last layer and wherever the activation is logistic, tanh or identity; He
        (uniform) between hidden layers of the ReLU family; LeCun (normal) for SELU.""",
    "averages": '{"ema", "swa"}',
    "averaging": "None",
    "averaging_note": "",
    "batch_norm": "bool, default=False",
    "batch_norm_note": "",
}
_CONVOLUTIONAL = {
    "initializers": """``"auto"`` follows the activation, also in the first
        layer: He (uniform) for the ReLU family, LeCun (normal) for SELU, Glorot (uniform)
        for logistic, tanh and identity, and for the output layer; and in a residual
        network `Identity` for the first convolution of a stage.""",
    "averages": '{"auto", "ema", "swa"}',
    "averaging": '"auto"',
    "averaging_note": ' ``"auto"`` is ``"ema"``, and None for L-BFGS.',
    "batch_norm": '"auto", bool or BatchNorm, default="auto"',
    "batch_norm_note": """ A
        `skdeep.layers.BatchNorm` says how. ``"auto"`` is True in residual networks.""",
}


def document(*, classifier):
    """Fill ``{parameters}`` and ``{attributes}`` into a class's docstring."""

    def fill(cls):
        if cls.__doc__ is None:  # python -OO
            return cls
        parameters = PARAMETERS
        texts = _CLASSIFIER if classifier else _REGRESSOR
        averaging = inspect.signature(cls).parameters["weight_averaging"].default
        convolutional = averaging == "auto"
        texts = texts | (_CONVOLUTIONAL if convolutional else _PERCEPTRON)
        for name, text in {"dropout": DROPOUT, **_TABLES, **texts}.items():
            parameters = parameters.replace(f"{{{name}}}", text)
        attributes = (CLASSIFIER_ATTRIBUTES if classifier else "") + ATTRIBUTES
        filled = {
            "parameters": parameters.strip(),
            "attributes": attributes.strip(),
            "activations": _names("identity", *NAMED_ACTIVATIONS),
        }
        for name, text in filled.items():
            cls.__doc__ = cls.__doc__.replace(f"{{{name}}}", text)
        return cls

    return fill
