"""Sums and scalings of whole arrays."""

import numpy as np

from skdeep.kernels.reference.contract import kernel


@kernel("rows", writes="out", a=0, b=0, out=0, in_place=True)
def add(a, b, out):
    np.add(a, b, out=out)


# x may be bytes; out is of the program's type
@kernel("rows", writes="out", x=0, out=0)
def rescale(x, scale, offset, out):
    np.multiply(x, out.dtype.type(scale), out=out)
    np.add(out, out.dtype.type(offset), out=out)
