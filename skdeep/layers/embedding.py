"""Layers in front of tables: they embed numbers and categories."""

import math
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval

from skdeep import kernels
from skdeep.engine.program import ROWS, Buffer
from skdeep.initializers import RandomNormal, RandomUniform
from skdeep.layers.layer import Layer, Parameter
from skdeep.validation.messages import plain

_WHOLE = Interval(Integral, 1, None, closed="left")


class PeriodicEmbedding(Layer):
    """Sums of waves of each number, and the number itself, in the place of the number.

    A network of a few layers is smooth in its inputs; where the target jumps or bends many
    times along one feature, it needs many steps to follow. With cosines of the number at
    many frequencies as inputs it need not. The j-th number of a row becomes

    ``e_j = (cos(x_j frequencies_j + phases_j) @ kernel_j + bias_j, x_j)``

    of `n_outputs` + 1 columns. All of the four are trained, those of each feature for
    themselves, and drawn as in RealMLP: frequencies from a normal distribution with the
    standard deviation 2 pi `sigma`, phases from -pi to pi, kernels and biases from
    -1 / sqrt(`n_frequencies`) to 1 / sqrt(`n_frequencies`). Weight decay acts on kernels;
    RealMLP's acts on all four.

    Parameters
    ----------
    n_features : int or None, default=None
        How many columns are embedded: the first ones. The others pass by, behind what the
        numbers became. None for all.

    n_frequencies : int, default=16
        How many waves there are of each number.

    sigma : float, default=1.0
        The standard deviation of the frequencies before training, in waves a unit. Numbers
        should be of about unit scale, as a scaler of `skdeep.preprocessing` makes them.
        Small ones are for smooth targets and long training; it is worth a search from 0.01
        to 10.

    n_outputs : int, default=3
        How many sums of the waves there are of each number.

    References
    ----------
    Gorishniy, Rubachev and Babenko (2022). "On embeddings for numerical features in tabular
    deep learning". NeurIPS.

    Holzmüller, Grinsztajn and Steinwart (2024). "Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data". NeurIPS. There it is called PBLD.

    Examples
    --------
    >>> from skdeep.layers import PeriodicEmbedding
    >>> PeriodicEmbedding(10).output_shape((12,))
    (42,)
    """

    _parameter_constraints = {
        "n_features": [_WHOLE, None],
        "n_frequencies": [_WHOLE],
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "n_outputs": [_WHOLE],
    }

    def __init__(self, n_features=None, *, n_frequencies=16, sigma=1.0, n_outputs=3):
        self.n_features = n_features
        self.n_frequencies = n_frequencies
        self.sigma = sigma
        self.n_outputs = n_outputs

    def output_shape(self, input_shape):
        columns = _columns(input_shape)
        return (columns + self._embedded(columns) * self.n_outputs,)

    def parameters(self, input_shape):
        features = self._embedded(_columns(input_shape))
        waves, sums = (features, self.n_frequencies), (features, self.n_outputs)
        share = RandomUniform(1 / math.sqrt(self.n_frequencies))
        return {
            "frequencies": Parameter(
                waves, RandomNormal(2 * math.pi * self.sigma), decays=False
            ),
            "phases": Parameter(waves, RandomUniform(math.pi), decays=False),
            "kernel": Parameter((*waves, self.n_outputs), share, decays=True),
            "bias": Parameter(sums, share, decays=False),
        }

    def forward(self, scope, x):
        scope.keep("x", x)
        waves = (ROWS, *scope.parameters["frequencies"].shape)
        out = scope.buffer("out", (ROWS, *self.output_shape(x.shape[1:])))
        scope.call(
            kernels.periodic_embedding_forward,
            x=x,
            **scope.parameters,
            cosines=scope.buffer("cosines", waves),
            sines=scope.buffer("sines", waves),
            out=out,
        )
        return out

    def backward_parameters(self, scope, d_out):
        d_angles = scope.rename("d_angles", scope["sines"])
        scope.call(
            kernels.periodic_embedding_backward_angles,
            sines=scope["sines"],
            kernel=scope.parameters["kernel"],
            d_out=d_out,
            d_angles=d_angles,
        )
        scope.call(
            kernels.periodic_embedding_backward_parameters,
            x=scope["x"],
            cosines=scope["cosines"],
            d_angles=d_angles,
            d_out=d_out,
            **{f"d_{name}": buffer for name, buffer in scope.gradients.items()},
        )

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", scope["x"].shape)
        scope.call(
            kernels.periodic_embedding_backward_input,
            frequencies=scope.parameters["frequencies"],
            d_angles=scope["d_angles"],
            d_out=d_out,
            d_x=d_x,
        )
        return d_x

    def _embedded(self, columns):
        """How many of the columns are embedded."""
        if self.n_features is None:
            return columns
        if self.n_features > columns:
            raise ValueError(
                f"n_features={plain(self.n_features)} is more than the {columns} columns "
                "that there are. None stands for all of them."
            )
        return int(self.n_features)


class Embedding(Layer):
    """A trained vector in the place of each category.

    The last columns hold categories as whole numbers from 0 on, such as scikit-learn's
    `OrdinalEncoder` makes of them. The others pass by, in front of the vectors, so that a
    `PeriodicEmbedding` of the numbers may follow. What is no such number, -1, the number
    of categories or more, a fraction, becomes a vector of zeros, of which nothing is
    learned: encode as -1 what is missing, or was not there in `fit`.

    Vectors are drawn from the standard normal distribution. Weight decay acts on them.

    Parameters
    ----------
    n_categories : int or sequence of int
        How many categories there are in each of the last columns: as many columns as
        numbers.

    n_outputs : int, default=8
        The length of the vectors.

    References
    ----------
    Guo and Berkhahn (2016). "Entity embeddings of categorical variables".
    arXiv:1604.06737.

    Examples
    --------
    >>> from skdeep.layers import Embedding
    >>> Embedding((12, 5), n_outputs=4).output_shape((7,))
    (13,)
    """

    _parameter_constraints = {
        "n_categories": [_WHOLE, tuple, list],
        "n_outputs": [_WHOLE],
    }

    def __init__(self, n_categories, *, n_outputs=8):
        self.n_categories = n_categories
        self.n_outputs = n_outputs

    def output_shape(self, input_shape):
        columns, embedded = _columns(input_shape), len(self._sizes())
        if embedded > columns:
            raise ValueError(
                f"n_categories={plain(self.n_categories)} are of {embedded} columns, but "
                f"there are only {columns}."
            )
        return (columns - embedded + embedded * self.n_outputs,)

    def parameters(self, input_shape):
        shape = (sum(self._sizes()), self.n_outputs)
        return {"kernel": Parameter(shape, RandomNormal(1.0), decays=True)}

    def forward(self, scope, x):
        scope.keep("x", x)
        sizes = np.array(self._sizes(), dtype=np.int64)
        starts = Buffer(f"{scope.name}.starts", sizes.shape, array=np.cumsum(sizes) - sizes)
        scope.keep("starts", starts)
        out = scope.buffer("out", (ROWS, *self.output_shape(x.shape[1:])))
        scope.call(
            kernels.embedding_forward,
            x=x,
            **scope.parameters,
            starts=starts,
            highest=Buffer(f"{scope.name}.highest", sizes.shape, array=sizes - 1),
            places=scope.buffer("places", (ROWS, *sizes.shape), "int64"),
            out=out,
        )
        return out

    def backward_parameters(self, scope, d_out):
        scope.call(
            kernels.embedding_backward_kernel,
            places=scope["places"],
            d_out=d_out,
            d_kernel=scope.gradients["kernel"],
        )

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", scope["x"].shape)
        scope.call(
            kernels.embedding_backward_input, starts=scope["starts"], d_out=d_out, d_x=d_x
        )
        return d_x

    def _sizes(self):
        """The number of categories of each column."""
        sizes = self.n_categories
        sizes = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
        if not sizes or not all(isinstance(n, Integral) and int(n) > 0 for n in sizes):
            raise ValueError(
                f"n_categories={plain(self.n_categories)} must be whole numbers above 0: "
                "how many categories there are in each of the last columns."
            )
        return tuple(int(n) for n in sizes)


def _columns(input_shape):
    """The number of columns of a table."""
    if len(input_shape) != 1:
        raise ValueError("it takes rows of a table. Put a Flatten before it.")
    return input_shape[0]
