"""What takes the place of a table's columns: waves of numbers, and vectors of categories.

Of a number x_j, one of the first columns, there are sums of waves, then the number itself
(Gorishniy, Rubachev and Babenko 2022; Holzmüller, Grinsztajn and Steinwart 2024):

    angle = x_j frequencies_j + phases_j,    e_j = (cos(angle) kernel_j + bias_j, x_j)

and on the way back, with the part d of the gradient that belongs to the sums,

    d_angle = -sin(angle) (d kernel_j^T),    d_x_j = d_angle . frequencies_j + that of x_j,
    d_frequencies_j = sum of x_j d_angle,    d_phases_j = sum of d_angle,
    d_kernel_j = sum of cos(angle)^T d,      d_bias_j = sum of d,      over the rows.

Of a category, a whole number in one of the last columns, there is a row of the kernel.
The other columns pass by.
"""

import numpy as np

from skdeep.kernels.runtime.contract import compiled

__all__ = [
    "embedding_backward_input",
    "embedding_backward_kernel",
    "embedding_forward",
    "periodic_embedding_backward_angles",
    "periodic_embedding_backward_input",
    "periodic_embedding_backward_parameters",
    "periodic_embedding_forward",
]


def _check_width(inputs, replaced, by, embedded):
    """Check that some of the inputs, each replaced by so many columns, give the others."""
    if replaced > inputs or embedded != inputs + replaced * (by - 1):
        raise ValueError(
            f"{inputs} columns, of which {replaced} are replaced by {by} each, do not give "
            f"{embedded} columns."
        )


# --- waves of numbers -----------------------------------------------------------------


def _check_forward(x, bias, out, **others):
    features, units = bias.shape
    _check_width(x.shape[1], features, units + 1, out.shape[1])


def _check_backward_angles(kernel, d_out, **others):
    features, _, units = kernel.shape
    inputs = d_out.shape[1] - features * units
    _check_width(inputs, features, units + 1, d_out.shape[1])


def _check_backward_parameters(x, d_bias, d_out, **others):
    _check_forward(x, d_bias, d_out)


def _check_backward_input(frequencies, d_out, d_x, **others):
    features = len(frequencies)
    units = _units(features, d_out, d_x)
    _check_width(d_x.shape[1], features, units + 1, d_out.shape[1])


def _units(features, d_out, d_x):
    return (d_out.shape[1] - d_x.shape[1]) // max(features, 1)


def _parts(columns, features, units):
    """The sums of waves, the numbers and the other columns of what embedding gives."""
    width = features * (units + 1)
    embedded = columns[:, :width].reshape(len(columns), features, units + 1)
    return embedded[:, :, :units], embedded[:, :, units], columns[:, width:]


def _by_feature(array):
    """Matrices of rows, one for each feature: products of them are those of features."""
    return array.transpose(1, 0, 2)


@compiled(
    "rows",
    writes="cosines sines out",
    scratch="shift",
    check=_check_forward,
    x="rows inputs",
    frequencies="features frequencies",
    phases="features frequencies",
    kernel="features frequencies units",
    bias="features units",
    cosines="rows features frequencies",
    sines="rows features frequencies",
    out="rows embedded",
    shift="embedded",
)
def periodic_embedding_forward(
    x, frequencies, phases, kernel, bias, cosines, sines, out, shift
):
    features, units = bias.shape
    angles = cosines
    np.einsum("ij,jk->ijk", x[:, :features], frequencies, out=angles)
    np.add(angles, phases, out=angles)
    np.sin(angles, out=sines)
    np.cos(angles, out=cosines)
    sums, numbers, rest = _parts(out, features, units)
    np.matmul(_by_feature(cosines), kernel, out=_by_feature(sums))
    np.copyto(numbers, x[:, :features])
    np.copyto(rest, x[:, features:])
    shift.fill(0)  # of the numbers and of the others
    np.copyto(_parts(shift[np.newaxis], features, units)[0], bias)
    np.add(out, shift, out=out)


@compiled(
    "rows",
    writes="d_angles",
    in_place=True,
    scratch="work",
    check=_check_backward_angles,
    sines="rows features frequencies",
    kernel="features frequencies units",
    d_out="rows embedded",
    d_angles="rows features frequencies",
    work="rows features frequencies",
)
def periodic_embedding_backward_angles(sines, kernel, d_out, d_angles, work):
    d_sums, _, _ = _parts(d_out, len(kernel), kernel.shape[2])
    np.matmul(_by_feature(d_sums), kernel.transpose(0, 2, 1), out=_by_feature(work))
    np.negative(sines, out=d_angles)
    np.multiply(d_angles, work, out=d_angles)


@compiled(
    None,
    writes="d_frequencies d_phases d_kernel d_bias",
    compiled_axis="features",
    check=_check_backward_parameters,
    x="rows inputs",
    cosines="rows features frequencies",
    d_angles="rows features frequencies",
    d_out="rows embedded",
    d_frequencies="features frequencies",
    d_phases="features frequencies",
    d_kernel="features frequencies units",
    d_bias="features units",
)
def periodic_embedding_backward_parameters(
    x, cosines, d_angles, d_out, d_frequencies, d_phases, d_kernel, d_bias
):
    features, units = d_bias.shape
    d_sums, _, _ = _parts(d_out, features, units)
    np.einsum("ij,ijk->jk", x[:, :features], d_angles, out=d_frequencies)
    np.add.reduce(d_angles, axis=0, out=d_phases)
    np.matmul(cosines.transpose(1, 2, 0), _by_feature(d_sums), out=d_kernel)
    np.einsum("ijk->jk", d_sums, out=d_bias)


@compiled(
    "rows",
    writes="d_x",
    check=_check_backward_input,
    frequencies="features frequencies",
    d_angles="rows features frequencies",
    d_out="rows embedded",
    d_x="rows inputs",
)
def periodic_embedding_backward_input(frequencies, d_angles, d_out, d_x):
    features = len(frequencies)
    _, d_numbers, d_rest = _parts(d_out, features, _units(features, d_out, d_x))
    np.einsum("ijk,jk->ij", d_angles, frequencies, out=d_x[:, :features])
    for j in range(features):
        np.add(d_x[:, j], d_numbers[:, j], out=d_x[:, j])
    np.copyto(d_x[:, features:], d_rest)


# --- vectors of categories ------------------------------------------------------------


def _check_lookup(x, kernel, starts, highest, out, **others):
    _check_width(x.shape[1], len(starts), kernel.shape[1], out.shape[1])
    if (starts + highest).max(initial=-1) >= len(kernel):
        raise ValueError(f"The kernel has {len(kernel)} rows: less than there are codes.")


def _check_lookup_gradient(places, d_out, d_kernel, **others):
    columns, units = places.shape[1], d_kernel.shape[1]
    inputs = d_out.shape[1] - columns * (units - 1)
    _check_width(inputs, columns, units, d_out.shape[1])


def _check_passing(starts, d_out, d_x):
    if len(starts) > d_x.shape[1] or d_x.shape[1] - len(starts) > d_out.shape[1]:
        raise ValueError(
            f"{d_x.shape[1]} columns, of which the last {len(starts)} are codes, do not "
            f"give {d_out.shape[1]} columns."
        )


@compiled(
    "rows",
    writes="places out",
    scratch="work unknown vectors",
    check=_check_lookup,
    x="rows inputs",
    kernel="categories units",
    starts="int64: columns",
    highest="int64: columns",
    places="int64: rows columns",
    out="rows replaced",
    work="rows columns",
    unknown="bool: rows columns",
    vectors="rows columns units",
)
def embedding_forward(x, kernel, starts, highest, places, out, work, unknown, vectors):
    """Write the kernel's row of each code: code + start; -1 and zeros of what is no code.

    `highest` are the highest codes of the columns.
    """
    numbers = x.shape[1] - len(starts)
    codes = x[:, numbers:]
    for column, last in enumerate(highest.tolist()):
        np.clip(codes[:, column], 0, last, out=work[:, column])
    np.floor(work, out=work)
    np.not_equal(work, codes, out=unknown)
    np.copyto(work, 0, where=unknown)
    np.copyto(places, work, casting="unsafe")
    np.add(places, starts, out=places)
    np.take(kernel, places, axis=0, mode="clip", out=vectors)
    np.copyto(vectors, 0, where=unknown[:, :, np.newaxis])
    np.copyto(places, -1, where=unknown)
    np.copyto(out[:, :numbers], x[:, :numbers])
    np.copyto(out[:, numbers:].reshape(vectors.shape), vectors)


@compiled(
    None,
    writes="d_kernel",
    compiled_axis="categories",
    scratch="known unknown vectors",
    check=_check_lookup_gradient,
    places="int64: rows columns",
    d_out="rows replaced",
    d_kernel="categories units",
    known="int64: rows columns",
    unknown="bool: rows columns",
    vectors="rows columns units",
)
def embedding_backward_kernel(places, d_out, d_kernel, known, unknown, vectors):
    width = vectors.shape[1] * vectors.shape[2]
    np.copyto(vectors, d_out[:, d_out.shape[1] - width :].reshape(vectors.shape))
    np.less(places, 0, out=unknown)
    np.copyto(vectors, 0, where=unknown[:, :, np.newaxis])
    np.maximum(places, 0, out=known)
    d_kernel.fill(0)
    np.add.at(d_kernel, known, vectors)


@compiled(
    "rows",
    writes="d_x",
    check=_check_passing,
    starts="int64: columns",
    d_out="rows replaced",
    d_x="rows inputs",
)
def embedding_backward_input(starts, d_out, d_x):
    """Codes have no gradient."""
    numbers = d_x.shape[1] - len(starts)
    np.copyto(d_x[:, :numbers], d_out[:, :numbers])
    d_x[:, numbers:] = 0
