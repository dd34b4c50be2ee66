"""Initial weights: variances that neither shrink nor blow up signals from layer to layer.

With fan_in inputs and fan_out outputs of a layer, a kernel's entries get the variance

- He: 2 / fan_in, for activations that zero half of their inputs (the ReLU family);
- Glorot: 2 / (fan_in + fan_out), for tanh, logistic and linear layers;
- LeCun: 1 / fan_in, for SELU.
"""

import math
from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval


class Initializer(BaseEstimator):
    """Base of all initializers."""

    _parameter_constraints = {}

    def sample(self, generator, shape):
        """Draw float64 values.

        Parameters
        ----------
        generator : numpy.random.Generator
            Where random numbers come from.

        shape : tuple of int
            Of a matrix (inputs, outputs), or of a convolution's kernel (places of the
            window, channels, filters), where each place counts for inputs and outputs.

        Returns
        -------
        values : ndarray of shape `shape`
        """
        raise NotImplementedError(f"{type(self).__name__} must define sample.")


def _fans(shape):
    if len(shape) == 1:  # a bias, as in Keras
        return shape[0], shape[0]
    places = math.prod(shape[:-2])
    return places * shape[-2], places * shape[-1]


class _Normal(Initializer):
    def sample(self, generator, shape):
        return generator.normal(0.0, math.sqrt(self._variance(*_fans(shape))), shape)


class _Uniform(Initializer):
    def sample(self, generator, shape):
        # the uniform distribution on [-limit, limit] has the variance limit^2 / 3
        limit = math.sqrt(3.0 * self._variance(*_fans(shape)))
        return generator.uniform(-limit, limit, shape)


class _He:
    def _variance(self, fan_in, fan_out):
        return 2.0 / fan_in


class _Glorot:
    def _variance(self, fan_in, fan_out):
        return 2.0 / (fan_in + fan_out)


class _LeCun:
    def _variance(self, fan_in, fan_out):
        return 1.0 / fan_in


class HeNormal(_He, _Normal):
    """Normal with variance 2 / fan_in.

    References
    ----------
    He, Zhang, Ren and Sun (2015). "Delving deep into rectifiers". ICCV.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.initializers import HeNormal
    >>> kernel = HeNormal().sample(np.random.default_rng(0), (500, 400))
    >>> print(round(float(kernel.var() * 500), 2))
    2.0
    """


class HeUniform(_He, _Uniform):
    """Uniform with variance 2 / fan_in.

    References
    ----------
    He, Zhang, Ren and Sun (2015). "Delving deep into rectifiers". ICCV.
    """


class GlorotNormal(_Glorot, _Normal):
    """Normal with variance 2 / (fan_in + fan_out).

    References
    ----------
    Glorot and Bengio (2010). "Understanding the difficulty of training deep
    feedforward neural networks". AISTATS.
    """


class GlorotUniform(_Glorot, _Uniform):
    """Uniform with variance 2 / (fan_in + fan_out).

    References
    ----------
    Glorot and Bengio (2010). "Understanding the difficulty of training deep
    feedforward neural networks". AISTATS.
    """


class LeCunNormal(_LeCun, _Normal):
    """Normal with variance 1 / fan_in.

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998). "Efficient backprop".
    """


class LeCunUniform(_LeCun, _Uniform):
    """Uniform with variance 1 / fan_in.

    References
    ----------
    LeCun, Bottou, Orr and Müller (1998). "Efficient backprop".
    """


class Orthogonal(Initializer):
    """A random matrix with orthonormal rows or columns, times `gain`.

    Parameters
    ----------
    gain : float, default=1.0
        What the matrix is multiplied by.

    References
    ----------
    Saxe, McClelland and Ganguli (2014). "Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks". ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.initializers import Orthogonal
    >>> kernel = Orthogonal().sample(np.random.default_rng(0), (4, 3))
    >>> bool(np.allclose(kernel.T @ kernel, np.eye(3)))
    True
    """

    _parameter_constraints = {"gain": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, gain=1.0):
        self.gain = gain

    def sample(self, generator, shape):
        fan_in, fan_out = math.prod(shape[:-1]), shape[-1]
        rows, columns = max(fan_in, fan_out), min(fan_in, fan_out)
        q, r = np.linalg.qr(generator.normal(size=(rows, columns)))
        # the signs make the distribution uniform over orthogonal matrices
        q *= np.sign(np.diag(r))
        return self.gain * (q if fan_in >= fan_out else q.T).reshape(shape)


class Identity(_LeCun, _Uniform):
    """The first units hand on the inputs, one each; the others are drawn as `LeCunUniform`.

    Of a convolution each of the first filters is 1 at the centre of the window for one
    channel, and 0 elsewhere: before training, what comes in goes on to the next layer, as
    past a residual block. Where there are no more units than inputs, all are such.

    References
    ----------
    Zagoruyko and Komodakis (2017). "DiracNets: training very deep neural networks without
    skip-connections". arXiv:1706.00388.

    Jordan (2024). "94% on CIFAR-10 in 3.29 seconds on a single GPU". arXiv:2404.00498.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.initializers import Identity
    >>> kernel = Identity().sample(np.random.default_rng(0), (3, 3, 2, 5))
    >>> kernel[1, 1, :, :2].tolist(), float(np.abs(kernel[..., :2]).sum())
    ([[1.0, 0.0], [0.0, 1.0]], 2.0)
    """

    def sample(self, generator, shape):
        values = super().sample(generator, shape)
        if len(shape) == 1:  # a bias has no inputs to hand on
            return values
        n = min(shape[-2:])
        centre = tuple((size - 1) // 2 for size in shape[:-2])
        values[..., :n] = 0.0
        values[(*centre, np.arange(n), np.arange(n))] = 1.0
        return values


class RandomNormal(Initializer):
    """Normal around zero, whatever the shape.

    Parameters
    ----------
    stddev : float, default=0.05
        The standard deviation.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.initializers import RandomNormal
    >>> kernel = RandomNormal(2.0).sample(np.random.default_rng(0), (500, 400))
    >>> print(round(float(kernel.std()), 2))
    2.0
    """

    _parameter_constraints = {"stddev": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, stddev=0.05):
        self.stddev = stddev

    def sample(self, generator, shape):
        return generator.normal(0.0, self.stddev, shape)


class RandomUniform(Initializer):
    """Uniform around zero, whatever the shape.

    Parameters
    ----------
    limit : float, default=0.05
        The largest absolute value.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.initializers import RandomUniform
    >>> kernel = RandomUniform(2.0).sample(np.random.default_rng(0), (500, 400))
    >>> print(round(float(kernel.min()), 2), round(float(kernel.max()), 2))
    -2.0 2.0
    """

    _parameter_constraints = {"limit": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, limit=0.05):
        self.limit = limit

    def sample(self, generator, shape):
        return self.limit * generator.uniform(-1.0, 1.0, shape)


class Constant(Initializer):
    """Every entry the same value.

    Parameters
    ----------
    value : float, default=0.0
        The value.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep.initializers import Constant
    >>> Constant(0.5).sample(np.random.default_rng(0), (2,))
    array([0.5, 0.5])
    """

    _parameter_constraints = {"value": [Interval(Real, None, None, closed="neither")]}

    def __init__(self, value=0.0):
        self.value = value

    def sample(self, generator, shape):
        return np.full(shape, float(self.value))


INITIALIZERS = {
    "glorot_normal": GlorotNormal(),
    "glorot_uniform": GlorotUniform(),
    "he_normal": HeNormal(),
    "he_uniform": HeUniform(),
    "identity": Identity(),
    "lecun_normal": LeCunNormal(),
    "lecun_uniform": LeCunUniform(),
    "orthogonal": Orthogonal(),
    "zeros": Constant(0.0),
}

_BY_ACTIVATION = {
    "identity": "glorot_uniform",
    "logistic": "glorot_uniform",
    "tanh": "glorot_uniform",
    "selu": "lecun_normal",
}


def get_initializer(initializer, activation="identity"):
    """The initializer of a name, or for ``"auto"`` the one that suits the activation.

    Parameters
    ----------
    initializer : str or Initializer
        A name, ``"auto"``, or an instance, which is returned as it is.

    activation : str, default="identity"
        The activation that follows the layer: He (uniform) for the ReLU family,
        Glorot (uniform) for identity, logistic and tanh, LeCun (normal) for SELU.

    Returns
    -------
    initializer : Initializer

    Examples
    --------
    >>> from skdeep.initializers import get_initializer
    >>> get_initializer("auto", "relu")
    HeUniform()
    """
    if isinstance(initializer, Initializer):
        initializer._validate_params()
        return initializer
    if initializer == "auto":
        initializer = _BY_ACTIVATION.get(activation, "he_uniform")
    return INITIALIZERS[initializer]
