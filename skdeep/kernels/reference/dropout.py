"""Inverted dropout: zero inputs with probability ``rate``, scale others by 1 / (1 - rate).

The uniform number behind an element depends on the key, the layer, the step and the
element's place in the batch, and is the same for float32 and float64.
"""

import numpy as np

from skdeep.kernels.reference.contract import kernel


@kernel(None, writes="keep out", x=0, keep=0, out=0)
def dropout_forward(x, stream, layer, step, rate, uniform, mask, keep, out):
    stream.at(layer, step[0]).random(dtype=np.float32, out=uniform)
    np.greater_equal(uniform, rate, out=mask)
    np.copyto(keep, mask)
    np.multiply(keep, 1 / (1 - rate), out=keep)
    np.multiply(x, keep, out=out)


@kernel("rows", writes="d_x", d_out=0, keep=0, d_x=0)
def dropout_backward(d_out, keep, d_x):
    np.multiply(d_out, keep, out=d_x)


# The spatial kind (Tompson et al. 2015) drops whole channels of a sample: x and out are
# (n, places, channels); keep, uniform and mask are (n, channels).
@kernel(None, writes="keep out", x=0, keep=0, out=0)
def spatial_dropout_forward(x, stream, layer, step, rate, uniform, mask, keep, out):
    stream.at(layer, step[0]).random(dtype=np.float32, out=uniform)
    np.greater_equal(uniform, rate, out=mask)
    np.copyto(keep, mask)
    np.multiply(keep, 1 / (1 - rate), out=keep)
    np.multiply(x, keep[:, np.newaxis], out=out)


@kernel("rows", writes="d_x", d_out=0, keep=0, d_x=0)
def spatial_dropout_backward(d_out, keep, d_x):
    np.multiply(d_out, keep[:, np.newaxis], out=d_x)
