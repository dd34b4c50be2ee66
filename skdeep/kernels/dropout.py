"""Inverted dropout: zero inputs with probability ``rate``, scale others by 1 / (1 - rate).

The uniform number behind an element depends on the key, the layer, the step and the
element's place in the batch, and is the same for float32 and float64.
"""

from functools import partial

import numpy as np

from skdeep.kernels.runtime.contract import compiled

__all__ = [
    "dropout_backward",
    "dropout_forward",
    "spatial_dropout_backward",
    "spatial_dropout_forward",
]

_declare_forward = partial(
    compiled,
    None,
    writes="keep out",
    scratch="uniform mask",
    compiled_axis="rows",
    stream="stream",
    layer="number",
    step="int64: 1",
    rate="number",
)


@_declare_forward(
    x="rows ...",
    uniform="float32: rows ...",
    mask="bool: rows ...",
    keep="rows ...",
    out="rows ...",
)
def dropout_forward(x, stream, layer, step, rate, uniform, mask, keep, out):
    stream.at(layer, step[0]).random(dtype=np.float32, out=uniform)
    np.greater_equal(uniform, rate, out=mask)
    np.copyto(keep, mask)
    np.multiply(keep, 1 / (1 - rate), out=keep)
    np.multiply(x, keep, out=out)


@compiled("rows", writes="d_x", d_out="rows ...", keep="rows ...", d_x="rows ...")
def dropout_backward(d_out, keep, d_x):
    np.multiply(d_out, keep, out=d_x)


# The spatial kind (Tompson et al. 2015) drops whole channels of a sample.
@_declare_forward(
    x="rows places channels",
    uniform="float32: rows channels",
    mask="bool: rows channels",
    keep="rows channels",
    out="rows places channels",
)
def spatial_dropout_forward(x, stream, layer, step, rate, uniform, mask, keep, out):
    stream.at(layer, step[0]).random(dtype=np.float32, out=uniform)
    np.greater_equal(uniform, rate, out=mask)
    np.copyto(keep, mask)
    np.multiply(keep, 1 / (1 - rate), out=keep)
    np.multiply(x, keep[:, np.newaxis], out=out)


@compiled(
    "rows",
    writes="d_x",
    d_out="rows places channels",
    keep="rows channels",
    d_x="rows places channels",
)
def spatial_dropout_backward(d_out, keep, d_x):
    np.multiply(d_out, keep[:, np.newaxis], out=d_x)
