"""Normalization: a mean of zero and a variance of one, then a scale and a shift.

Batch normalization (Ioffe and Szegedy 2015) has weighted samples. Inputs are (n, channels),
or (n, places, channels) for images and signals, where each place counts as a sample of its
own. With weights w that sum to one over all of them:

    mean = sum w x,    variance = sum w (x - mean)^2,
    normalized = (x - mean) / sqrt(variance + epsilon)
    out = scale * normalized + shift_gain * shift

and, since d_scale = sum d_out * normalized and d_shift = shift_gain * sum d_out,

    d_x = scale / sqrt(variance + epsilon)
          * (d_out - w (d_shift / shift_gain + normalized * d_scale))

Layer normalization (Ba, Kiros and Hinton 2016) is over the last axis of its input. At each
place of each sample, with the mean and the variance of its m features:

    normalized = (x - mean) / sqrt(variance + epsilon),    out = scale * normalized + shift

and, with g = d_out * scale,

    d_x = (g - mean of g - normalized * mean of (g * normalized)) / sqrt(variance + epsilon)
"""

import numpy as np

from skdeep.kernels.runtime.contract import compiled

__all__ = [
    "batch_norm_backward_input",
    "batch_norm_backward_parameters",
    "batch_norm_forward",
    "batch_norm_inference",
    "layer_norm_backward_input",
    "layer_norm_backward_parameters",
    "layer_norm_forward",
]


@compiled(
    None,
    writes="share normalized inverse_deviation running_mean running_variance out",
    scratch="work",
    x="rows ... features",
    weight="rows",
    scale="features",
    shift="features",
    step="int64: 1",
    batch_size="number",
    momentum="number",
    epsilon="number",
    shift_gain="number",
    share="rows ...",
    work="features",
    normalized="rows ... features",
    inverse_deviation="features",
    running_mean="features",
    running_variance="features",
    out="rows ... features",
)
def batch_norm_forward(
    x,
    weight,
    scale,
    shift,
    step,
    batch_size,
    momentum,
    epsilon,
    shift_gain,
    share,
    work,
    normalized,
    inverse_deviation,
    running_mean,
    running_variance,
    out,
):
    # a batch without any weight has mean and variance zero instead of 0 / 0
    total = max(np.add.reduce(weight), np.finfo(weight.dtype).tiny)
    np.divide(weight, total, out=share if x.ndim == 2 else share[:, 0])
    if x.ndim == 3:
        np.divide(share[:, :1], x.shape[1], out=share)
    # Running averages start as plain means, so that they never remember their start;
    # a last batch that is not full counts as much as it is full, and one with a row more
    # no more than all.
    update = min(1.0, max(1 - momentum, 1 / int(step[0])) * x.shape[0] / batch_size)
    share = share.reshape(-1)
    x, normalized, out = (a.reshape(-1, a.shape[-1]) for a in (x, normalized, out))

    mean = work
    np.matmul(share, x, out=mean)
    np.subtract(x, mean, out=normalized)
    np.multiply(running_mean, 1 - update, out=running_mean)
    np.multiply(mean, update, out=mean)
    np.add(running_mean, mean, out=running_mean)

    variance = inverse_deviation
    np.multiply(normalized, normalized, out=out)
    np.matmul(share, out, out=variance)
    np.multiply(running_variance, 1 - update, out=running_variance)
    np.multiply(variance, update, out=work)
    np.add(running_variance, work, out=running_variance)

    np.add(variance, epsilon, out=inverse_deviation)
    np.sqrt(inverse_deviation, out=inverse_deviation)
    np.divide(1, inverse_deviation, out=inverse_deviation)
    np.multiply(normalized, inverse_deviation, out=normalized)
    np.multiply(normalized, scale, out=out)
    np.multiply(shift, shift_gain, out=work)
    np.add(out, work, out=out)


@compiled(
    None,
    writes="d_scale d_shift",
    compiled_axis="features",
    d_out="rows ... features",
    normalized="rows ... features",
    shift_gain="number",
    d_scale="features",
    d_shift="features",
)
def batch_norm_backward_parameters(d_out, normalized, shift_gain, d_scale, d_shift):
    d_out, normalized = (a.reshape(-1, a.shape[-1]) for a in (d_out, normalized))
    np.einsum("ij,ij->j", d_out, normalized, out=d_scale)
    np.add.reduce(d_out, axis=0, out=d_shift)
    np.multiply(d_shift, shift_gain, out=d_shift)


@compiled(
    "rows",
    writes="d_x",
    scratch="work",
    d_out="rows ... features",
    normalized="rows ... features",
    share="rows ...",
    scale="features",
    inverse_deviation="features",
    d_scale="features",
    d_shift="features",
    shift_gain="number",
    work="features",
    d_x="rows ... features",
)
def batch_norm_backward_input(
    d_out,
    normalized,
    share,
    scale,
    inverse_deviation,
    d_scale,
    d_shift,
    shift_gain,
    work,
    d_x,
):
    np.multiply(d_shift, 1 / shift_gain, out=work)
    np.multiply(normalized, d_scale, out=d_x)
    np.add(d_x, work, out=d_x)
    np.multiply(d_x, share[..., np.newaxis], out=d_x)
    np.subtract(d_out, d_x, out=d_x)
    np.multiply(d_x, inverse_deviation, out=d_x)
    np.multiply(d_x, scale, out=d_x)


@compiled(
    "rows",
    writes="out",
    scratch="work",
    in_place=True,
    x="rows ... features",
    scale="features",
    shift="features",
    running_mean="features",
    running_variance="features",
    epsilon="number",
    shift_gain="number",
    work="features",
    out="rows ... features",
)
def batch_norm_inference(
    x, scale, shift, running_mean, running_variance, epsilon, shift_gain, work, out
):
    np.add(running_variance, epsilon, out=work)
    np.sqrt(work, out=work)
    np.divide(scale, work, out=work)
    np.subtract(x, running_mean, out=out)
    np.multiply(out, work, out=out)
    np.multiply(shift, shift_gain, out=work)
    np.add(out, work, out=out)


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
