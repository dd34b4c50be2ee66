"""The NumPy kernels: the formula, then the array expression.

They run where no compiled kernels are installed, and they are the oracle that compiled
ones are tested against.
"""

from skdeep.kernels.reference.activation import ACTIVATIONS
from skdeep.kernels.reference.augmentation import (
    cut_out,
    flip_images,
    mix_up,
    shift_images,
)
from skdeep.kernels.reference.contract import (
    COMPILED,
    WINDOW_LIMIT,
    Kernel,
    check_arguments,
    check_names,
    compiled,
    kernel,
    scratch_shapes,
)
from skdeep.kernels.reference.convolution import (
    convolution_backward_bias,
    convolution_backward_input,
    convolution_backward_kernel,
    convolution_forward,
    convolution_scratch,
)
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
from skdeep.kernels.reference.dropout import (
    dropout_backward,
    dropout_forward,
    spatial_dropout_backward,
    spatial_dropout_forward,
)
from skdeep.kernels.reference.elementwise import add, rescale
from skdeep.kernels.reference.embedding import (
    embedding_backward_input,
    embedding_backward_kernel,
    embedding_forward,
    periodic_embedding_backward_angles,
    periodic_embedding_backward_input,
    periodic_embedding_backward_parameters,
    periodic_embedding_forward,
)
from skdeep.kernels.reference.formula import (
    activation_kernels,
    add_l1_penalty,
    add_weight_decay,
    clip_by_value,
    decay_parameters,
    formula_kernel,
    loss_kernel,
    step_kernel,
    update_moving_average,
)
from skdeep.kernels.reference.gather import (
    gather_rows,
    gather_sparse_rows,
    gather_weights,
    one_hot,
)
from skdeep.kernels.reference.layer_norm import (
    layer_norm_backward_input,
    layer_norm_backward_parameters,
    layer_norm_forward,
)
from skdeep.kernels.reference.linear import linear_output, sparse_linear_outputs
from skdeep.kernels.reference.loss import (
    python_loss,
    softmax_cross_entropy,
    softmax_focal,
    softmax_kl_divergence,
    sum_losses,
)
from skdeep.kernels.reference.normalization import (
    batch_norm_backward_input,
    batch_norm_backward_parameters,
    batch_norm_forward,
    batch_norm_inference,
)
from skdeep.kernels.reference.optimizer import (
    clip_by_norm,
    count_steps,
    limit_unit_norms,
    nadam_schedule,
)
from skdeep.kernels.reference.pooling import (
    average_pool_backward,
    average_pool_forward,
    global_average_pool_backward,
    global_average_pool_forward,
    global_max_pool_backward,
    global_max_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from skdeep.kernels.reference.random import PhiloxStream

__all__ = [
    "ACTIVATIONS",
    "COMPILED",
    "WINDOW_LIMIT",
    "Kernel",
    "PhiloxStream",
    "activation_kernels",
    "add",
    "add_l1_penalty",
    "add_weight_decay",
    "average_pool_backward",
    "average_pool_forward",
    "batch_norm_backward_input",
    "batch_norm_backward_parameters",
    "batch_norm_forward",
    "batch_norm_inference",
    "check_arguments",
    "check_names",
    "clip_by_norm",
    "clip_by_value",
    "compiled",
    "convolution_backward_bias",
    "convolution_backward_input",
    "convolution_backward_kernel",
    "convolution_forward",
    "convolution_scratch",
    "coordinate_descent",
    "count_steps",
    "cut_out",
    "decay_parameters",
    "dense_backward_bias",
    "dense_backward_input",
    "dense_backward_kernel",
    "dense_forward",
    "dropout_backward",
    "dropout_forward",
    "embedding_backward_input",
    "embedding_backward_kernel",
    "embedding_forward",
    "flip_images",
    "formula_kernel",
    "gather_rows",
    "gather_sparse_rows",
    "gather_weights",
    "global_average_pool_backward",
    "global_average_pool_forward",
    "global_max_pool_backward",
    "global_max_pool_forward",
    "kernel",
    "layer_norm_backward_input",
    "layer_norm_backward_parameters",
    "layer_norm_forward",
    "limit_unit_norms",
    "linear_output",
    "loss_kernel",
    "max_pool_backward",
    "max_pool_forward",
    "mix_up",
    "nadam_schedule",
    "one_hot",
    "periodic_embedding_backward_angles",
    "periodic_embedding_backward_input",
    "periodic_embedding_backward_parameters",
    "periodic_embedding_forward",
    "python_loss",
    "rescale",
    "scratch_shapes",
    "shift_images",
    "softmax_cross_entropy",
    "softmax_focal",
    "softmax_kl_divergence",
    "sparse_coordinate_descent",
    "sparse_dense_backward_kernel",
    "sparse_dense_forward",
    "sparse_linear_outputs",
    "spatial_dropout_backward",
    "spatial_dropout_forward",
    "step_kernel",
    "sum_losses",
    "update_moving_average",
]
