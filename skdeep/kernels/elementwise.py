"""Sums and scalings of whole arrays."""

import numpy as np

from skdeep.kernels.runtime.contract import compiled

__all__ = ["add", "rescale"]


@compiled("rows", writes="out", in_place=True, a="rows ...", b="rows ...", out="rows ...")
def add(a, b, out):
    np.add(a, b, out=out)


def _check(x, out, **_):
    if x.dtype not in (out.dtype, np.uint8):
        raise TypeError(f"rescale takes bytes or {out.dtype}, but x is of {x.dtype}.")


# x may be bytes; out is of the program's type
@compiled(
    "rows",
    writes="out",
    check=_check,
    x="any: rows ...",
    scale="number",
    offset="number",
    out="rows ...",
)
def rescale(x, scale, offset, out):
    np.multiply(x, out.dtype.type(scale), out=out)
    np.add(out, out.dtype.type(offset), out=out)
