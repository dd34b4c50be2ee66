"""What acts on vectors of gradients and parameters as wholes, or on single numbers.

What acts on each entry by itself, as the steps of optimizers do, are formulas; see
`formulas/`.
"""

import numpy as np
from scipy.linalg.blas import dnrm2, snrm2

from skdeep.kernels.formulas.formula import vector_formula
from skdeep.kernels.formulas.parameters import VECTOR_FUNCTIONS
from skdeep.kernels.runtime.contract import compiled
from skdeep.kernels.runtime.formula_kernels import formula_kernel

__all__ = [
    "add_l1_penalty",
    "add_weight_decay",
    "clip_by_norm",
    "clip_by_value",
    "count_steps",
    "decay_parameters",
    "limit_unit_norms",
    "nadam_schedule",
    "update_moving_average",
]


@compiled(None, writes="gradient", gradient="parameters", max_norm="number")
def clip_by_norm(gradient, max_norm):
    """Scale the whole gradient so that its norm is at most max_norm."""
    # not the root of a product: squares may overflow where the norm does not
    norm = float((snrm2 if gradient.dtype == np.float32 else dnrm2)(gradient))
    np.multiply(gradient, max_norm / max(norm, max_norm), out=gradient)


# Srebro and Shraibman 2005, Hinton et al. 2012
@compiled(
    "features",
    writes="kernel",
    scratch="work",
    max_norm="number",
    kernel="inputs features",
    work="features",
)
def limit_unit_norms(max_norm, kernel, work):
    """Scale each column, the weights into a unit, so that its norm is at most max_norm."""
    np.einsum("ij,ij->j", kernel, kernel, out=work)
    np.sqrt(work, out=work)
    np.maximum(work, max_norm, out=work)
    np.divide(max_norm, work, out=work)
    np.multiply(kernel, work, out=kernel)


@compiled(None, writes="count", count="int64: 1", step="int64: 1", before="number")
def count_steps(count, step, before):
    """The number of this step for an optimizer that began after others' steps."""
    count[0] = step[0] - int(before)


# Dozat 2016: mu_t = beta_1 (1 - 0.96^(0.004 t) / 2); with the products of the mu,
# m_hat = mu_{t+1} m / (1 - prod_{t+1}) + (1 - mu_t) g / (1 - prod_t)
@compiled(
    None,
    writes="momentum_product",
    momentum_product="float64: 1",
    step="int64: 1",
    beta_1="number",
)
def nadam_schedule(momentum_product, step, beta_1):
    """Multiply the product of the momentum coefficients by this step's."""
    momentum_product *= beta_1 * (1 - 0.5 * 0.96 ** (0.004 * int(step[0])))


(
    add_weight_decay,
    add_l1_penalty,
    decay_parameters,
    clip_by_value,
    update_moving_average,
) = (formula_kernel(vector_formula(f.__name__, f)) for f in VECTOR_FUNCTIONS)
