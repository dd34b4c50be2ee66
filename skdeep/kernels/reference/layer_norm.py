"""Layer normalization (Ba, Kiros and Hinton 2016) over the last axis of its input.

At each place of each sample, with the mean and the variance of its m features:

    normalized = (x - mean) / sqrt(variance + epsilon),    out = scale * normalized + shift

and, with g = d_out * scale,

    d_x = (g - mean of g - normalized * mean of (g * normalized)) / sqrt(variance + epsilon)
"""

import numpy as np

from skdeep.kernels.reference.contract import compiled


@compiled(
    "rows",
    writes="normalized inverse_deviation out",
    x="rows ... features",
    scale="features",
    shift="features",
    epsilon="number",
    normalized="rows ... features",
    inverse_deviation="rows ...",
    out="rows ... features",
)
def layer_norm_forward(x, scale, shift, epsilon, normalized, inverse_deviation, out):
    mean = inverse_deviation
    np.mean(x, axis=-1, out=mean)
    np.subtract(x, mean[..., np.newaxis], out=normalized)
    np.multiply(normalized, normalized, out=out)
    variance = inverse_deviation
    np.mean(out, axis=-1, out=variance)
    np.add(variance, epsilon, out=inverse_deviation)
    np.sqrt(inverse_deviation, out=inverse_deviation)
    np.divide(1, inverse_deviation, out=inverse_deviation)
    np.multiply(normalized, inverse_deviation[..., np.newaxis], out=normalized)
    np.multiply(normalized, scale, out=out)
    np.add(out, shift, out=out)


@compiled(
    "sum",
    writes="d_scale d_shift",
    d_out="rows ... features",
    normalized="rows ... features",
    d_scale="features",
    d_shift="features",
)
def layer_norm_backward_parameters(d_out, normalized, d_scale, d_shift):
    d_out = d_out.reshape(-1, d_scale.size)
    normalized = normalized.reshape(-1, d_scale.size)
    np.einsum("ij,ij->j", d_out, normalized, out=d_scale)
    np.add.reduce(d_out, axis=0, out=d_shift)


@compiled(
    "rows",
    writes="d_x",
    scratch="work norm",
    d_out="rows ... features",
    normalized="rows ... features",
    scale="features",
    inverse_deviation="rows ...",
    work="rows ... features",
    norm="rows ...",
    d_x="rows ... features",
)
def layer_norm_backward_input(d_out, normalized, scale, inverse_deviation, work, norm, d_x):
    np.multiply(d_out, scale, out=d_x)
    np.multiply(d_x, normalized, out=work)
    np.mean(work, axis=-1, out=norm)
    np.multiply(normalized, norm[..., np.newaxis], out=work)
    np.mean(d_x, axis=-1, out=norm)
    np.subtract(d_x, norm[..., np.newaxis], out=d_x)
    np.subtract(d_x, work, out=d_x)
    np.multiply(d_x, inverse_deviation[..., np.newaxis], out=d_x)
