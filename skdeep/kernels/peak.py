"""What a processor can do at most, as a kernel: multiply and add, in registers alone."""

import numpy as np

from skdeep.kernels.runtime.contract import compiled

__all__ = ["multiply_add"]


@compiled(
    "rows",
    writes="x",
    flops=lambda x, rounds, **_: 2.0 * x.size * rounds,
    x="rows columns",
    factor="number",
    summand="number",
    rounds="number",
)
def multiply_add(x, factor, summand, rounds):
    """Replace x by x * factor + summand so many times."""
    for _ in range(int(rounds)):
        np.multiply(x, factor, out=x)
        np.add(x, summand, out=x)
