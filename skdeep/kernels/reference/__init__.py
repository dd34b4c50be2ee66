"""The NumPy kernels: the formula, then the array expression.

They run where no compiled kernels are installed, and they are the oracle that compiled
ones are tested against.
"""

from skdeep.kernels.reference.activation import ACTIVATIONS
from skdeep.kernels.reference.contract import kernel
from skdeep.kernels.reference.coordinate_descent import (
    coordinate_descent,
    sparse_coordinate_descent,
)
from skdeep.kernels.reference.dense import (
    dense_backward_bias,
    dense_backward_input,
    dense_backward_kernel,
    dense_forward,
    sparse_dense_backward_kernel,
    sparse_dense_forward,
)
from skdeep.kernels.reference.dropout import dropout_backward, dropout_forward
from skdeep.kernels.reference.gather import (
    gather_rows,
    gather_sparse_rows,
    gather_weights,
)
from skdeep.kernels.reference.loss import (
    absolute_error,
    hinge,
    huber,
    log_cosh,
    poisson,
    python_loss,
    quantile,
    sigmoid_cross_entropy,
    sigmoid_focal,
    softmax_cross_entropy,
    softmax_focal,
    softmax_kl_divergence,
    squared_error,
    squared_hinge,
    sum_losses,
)
from skdeep.kernels.reference.normalization import (
    batch_norm_backward_input,
    batch_norm_backward_parameters,
    batch_norm_forward,
    batch_norm_inference,
)
from skdeep.kernels.reference.optimizer import (
    adagrad_step,
    adam_step,
    add_l1_penalty,
    add_weight_decay,
    amsgrad_step,
    clip_by_norm,
    clip_by_value,
    decay_parameters,
    limit_unit_norms,
    momentum_step,
    nadam_schedule,
    nadam_step,
    nesterov_step,
    rmsprop_centered_step,
    rmsprop_momentum_step,
    rmsprop_step,
    sgd_step,
    update_moving_average,
)
from skdeep.kernels.reference.random import PhiloxStream

__all__ = [
    "ACTIVATIONS",
    "PhiloxStream",
    "absolute_error",
    "adagrad_step",
    "adam_step",
    "add_l1_penalty",
    "add_weight_decay",
    "amsgrad_step",
    "batch_norm_backward_input",
    "batch_norm_backward_parameters",
    "batch_norm_forward",
    "batch_norm_inference",
    "clip_by_norm",
    "clip_by_value",
    "coordinate_descent",
    "decay_parameters",
    "dense_backward_bias",
    "dense_backward_input",
    "dense_backward_kernel",
    "dense_forward",
    "dropout_backward",
    "dropout_forward",
    "gather_rows",
    "gather_sparse_rows",
    "gather_weights",
    "hinge",
    "huber",
    "kernel",
    "limit_unit_norms",
    "log_cosh",
    "momentum_step",
    "nadam_schedule",
    "nadam_step",
    "nesterov_step",
    "poisson",
    "python_loss",
    "quantile",
    "rmsprop_centered_step",
    "rmsprop_momentum_step",
    "rmsprop_step",
    "sgd_step",
    "sigmoid_cross_entropy",
    "sigmoid_focal",
    "softmax_cross_entropy",
    "softmax_focal",
    "softmax_kl_divergence",
    "sparse_coordinate_descent",
    "sparse_dense_backward_kernel",
    "sparse_dense_forward",
    "squared_error",
    "squared_hinge",
    "sum_losses",
    "update_moving_average",
]
