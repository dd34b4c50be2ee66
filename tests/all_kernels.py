"""Every kernel of skdeep by its name, those that come from formulas included."""

import importlib
import pkgutil

from skdeep import kernels, layers
from skdeep.losses import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    EpsilonInsensitive,
    FormulaLoss,
    SigmoidCrossEntropy,
    SigmoidFocal,
)
from skdeep.optimizers import OPTIMIZERS, FormulaOptimizer, RMSProp

LOSSES = (
    *CLASSIFICATION_LOSSES.values(),
    *REGRESSION_LOSSES.values(),
    EpsilonInsensitive(),
    EpsilonInsensitive(squared=True),
    SigmoidCrossEntropy(),
    SigmoidFocal(),
)
#: The kernels of losses and of optimizers that are formulas.
LOSS_KERNELS = {
    kernel.__name__: kernel
    for kernel in [kernels.loss_kernel(l) for l in LOSSES if isinstance(l, FormulaLoss)]
}
STEP_KERNELS = {
    kernel.__name__: kernel
    for kernel in [
        kernels.step_kernel(optimizer)
        for optimizer in (
            *OPTIMIZERS.values(),
            RMSProp(momentum=0.9),
            RMSProp(centered=True),
        )
        if isinstance(optimizer, FormulaOptimizer)
    ]
}
# those that several layers share, and those that lie in the file of their layer
WHERE = [kernels] + [
    importlib.import_module(module.name)
    for module in pkgutil.iter_modules(layers.__path__, "skdeep.layers.")
]
WRITTEN_OUT = {
    name: kernel
    for module in WHERE
    for name, kernel in vars(module).items()
    if hasattr(kernel, "writes")
}
ALL_KERNELS = {
    **WRITTEN_OUT,
    **{kernel.__name__: kernel for pair in kernels.ACTIVATIONS.values() for kernel in pair},
    **LOSS_KERNELS,
    **STEP_KERNELS,
}
