"""What formulas of losses, activations and optimizers are made of, besides arithmetic.

A formula is called with symbols, once; see `skdeep.losses.FormulaLoss`,
`skdeep.layers.Activation` and `skdeep.optimizers.FormulaOptimizer`. NumPy's functions of
these names do as well.
"""

from skdeep.kernels.formulas.expression import (
    cos,
    equal,
    exp,
    expm1,
    expm1_of_negative,
    log,
    log1p,
    log1p_of_share,
    logistic,
    maximum,
    minimum,
    normal_distribution,
    sign,
    sin,
    softplus,
    sqrt,
    tanh,
    where,
    xlogy,
)

__all__ = [
    "cos",
    "equal",
    "exp",
    "expm1",
    "expm1_of_negative",
    "log",
    "log1p",
    "log1p_of_share",
    "logistic",
    "maximum",
    "minimum",
    "normal_distribution",
    "sign",
    "sin",
    "softplus",
    "sqrt",
    "tanh",
    "where",
    "xlogy",
]
