"""Random changes of a batch of images, each sample by itself.

Images are (n, height, width, channels). The random numbers depend on the key, the
purpose and the step, and on the sample's place in the batch.
"""

from functools import partial

import numpy as np

from skdeep.kernels.runtime.contract import compiled, kernel

__all__ = ["cut_out", "flip_images", "mix_up", "shift_images"]

_IMAGES = "rows height width channels"
_declare = partial(
    compiled,
    None,
    compiled_axis="rows",
    x=_IMAGES,
    stream="stream",
    purpose="number",
    step="int64: 1",
    out=_IMAGES,
)


@_declare(
    writes="out",
    scratch="uniform mask",
    probability="number",
    axis="number",
    uniform="float32: rows",
    mask="bool: rows",
)
def flip_images(x, stream, purpose, step, probability, axis, uniform, mask, out):
    """Turn images around along an axis, with a probability."""
    stream.at(purpose, step[0]).random(dtype=np.float32, out=uniform)
    np.less(uniform, probability, out=mask)
    np.copyto(out, x)
    np.copyto(out, np.flip(x, axis), where=mask.reshape(-1, 1, 1, 1))


@_declare(
    writes="out",
    scratch="uniform work_1 work_2 work_3 mask_1 mask_2",
    reach="pair",
    repeats="number",
    uniform="float32: rows 2",
    work_1="int64: rows height",
    work_2="int64: rows width",
    work_3="int64: rows height width",
    mask_1="bool: rows height",
    mask_2="bool: rows width",
)
def shift_images(
    x,
    stream,
    purpose,
    step,
    reach,
    repeats,
    uniform,
    work_1,
    work_2,
    work_3,
    mask_1,
    mask_2,
    out,
):
    """Move images by whole places, up to `reach` along each axis.

    What comes in from outside is zero, or where it repeats, the nearest place inside.
    """
    stream.at(purpose, step[0]).random(dtype=np.float32, out=uniform)
    sides = ((work_1, mask_1), (work_2, mask_2))
    for axis, (places, inside) in enumerate(sides):
        size = x.shape[1 + axis]
        shift = (uniform[:, axis] * (2 * reach[axis] + 1)).astype(np.int64) - reach[axis]
        np.add(np.arange(size), shift[:, np.newaxis], out=places)
        np.clip(places, 0, size - 1, out=places)
        # a place that was not clipped is where it was meant to be
        np.equal(places - np.arange(size), shift[:, np.newaxis], out=inside)
    n, height, width = x.shape[:3]
    np.add(work_1, np.arange(n)[:, np.newaxis] * height, out=work_1)
    np.multiply(work_1, width, out=work_1)
    np.add(work_1[:, :, np.newaxis], work_2[:, np.newaxis], out=work_3)
    flat = x.reshape(n * height * width, -1)
    np.take(flat, work_3, axis=0, out=out, mode="clip")
    if not repeats:
        np.multiply(out, mask_1[:, :, np.newaxis, np.newaxis], out=out)
        np.multiply(out, mask_2[:, np.newaxis, :, np.newaxis], out=out)


@_declare(
    writes="out",
    scratch="uniform mask_1 mask_2 mask_3",
    size="pair",
    uniform="float32: rows 2",
    mask_1="bool: rows height",
    mask_2="bool: rows width",
    mask_3="bool: rows height width",
)
def cut_out(x, stream, purpose, step, size, uniform, mask_1, mask_2, mask_3, out):
    """Put zeros in a rectangle of each image, of which the border may cut a part off."""
    stream.at(purpose, step[0]).random(dtype=np.float32, out=uniform)
    for axis, inside in enumerate((mask_1, mask_2)):
        length = x.shape[1 + axis]
        start = (uniform[:, axis] * length).astype(np.int64) - size[axis] // 2
        distance = np.arange(length) - start[:, np.newaxis]
        # less than zero is very large without a sign
        np.less(distance.view(np.uint64), size[axis], out=inside)
    np.logical_and(mask_1[:, :, np.newaxis], mask_2[:, np.newaxis], out=mask_3)
    np.copyto(out, x)
    np.copyto(out, 0, where=mask_3[..., np.newaxis])


# NumPy's own algorithms draw its numbers: it is not compiled
@kernel(
    None,
    writes="out target_out",
    scratch="work_1 work_2",
    x="rows ...",
    target="rows outputs",
    stream="stream",
    purpose="number",
    step="int64: 1",
    alpha="number",
    work_1="rows ...",
    work_2="rows outputs",
    out="rows ...",
    target_out="rows outputs",
)
def mix_up(x, target, stream, purpose, step, alpha, work_1, work_2, out, target_out):
    """Mix each sample and its target with another's, with a share drawn for the batch."""
    generator = stream.at(purpose, step[0])
    share = out.dtype.type(generator.beta(alpha, alpha))
    partner = generator.permutation(x.shape[0])
    for source, work, mixed in ((x, work_1, out), (target, work_2, target_out)):
        np.take(source, partner, axis=0, out=mixed, mode="clip")
        np.multiply(mixed, 1 - share, out=mixed)
        np.multiply(source, share, out=work)
        np.add(mixed, work, out=mixed)
