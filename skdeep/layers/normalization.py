"""Batch normalization and layer normalization."""

import math
from numbers import Real

from sklearn.utils._param_validation import Interval

from skdeep import kernels
from skdeep.initializers import Constant
from skdeep.layers.layer import Layer, Parameter, State
from skdeep.layers.window import by_place


class BatchNorm(Layer):
    """Bring each input to mean 0 and variance 1 over the batch, then scale and shift it.

    While training, the mean and the variance are those of the mini-batch, with samples
    counted by their weights. Prediction uses running averages of both, so that it does
    not depend on what else is predicted, and never changes them: after step t of
    training, each is (1 - u) average + u value with u = max(1 - momentum, 1 / t), times
    the share of a full batch that the batch is.

    Of images and signals each channel is normalized, over the samples and all places.
    Of other inputs a batch of one sample would leave nothing but zeros: it is refused,
    and a last batch of one sample joins the batch before.

    Parameters
    ----------
    momentum : float, default=0.9
        How much of the running averages each full batch keeps. The first
        1 / (1 - momentum) batches count alike, so that the averages never remember
        where they started.

    epsilon : float, default=1e-5
        Added to the variance before the square root.

    shift_gain : float, default=1.0
        What the trained shift is multiplied by where it is added, in [0.001, 1000].
        Steps of SGD move what is added `shift_gain`^2 times as far, those of Adam
        `shift_gain` times: 8 gives the shifts the 64 times larger learning rate with
        which short trainings of convolutional networks need fewer epochs (Jordan 2024).

    References
    ----------
    Ioffe and Szegedy (2015). "Batch normalization: accelerating deep network training
    by reducing internal covariate shift". ICML.

    Jordan (2024). "94% on CIFAR-10 in 3.29 seconds on a single GPU". arXiv:2404.00498.

    Examples
    --------
    >>> from skdeep.layers import BatchNorm
    >>> sorted(BatchNorm().parameters((10,)))
    ['scale', 'shift']
    """

    _parameter_constraints = {
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "shift_gain": [Interval(Real, 1e-3, 1e3, closed="both")],
    }

    def __init__(self, momentum=0.9, epsilon=1e-5, shift_gain=1.0):
        self.momentum = momentum
        self.epsilon = epsilon
        self.shift_gain = shift_gain

    def parameters(self, input_shape):
        shape = input_shape[-1:]
        return {
            "scale": Parameter(shape, Constant(1.0), decays=False),
            "shift": Parameter(shape, Constant(0.0), decays=False),
        }

    def state(self, input_shape):
        shape = input_shape[-1:]
        return {
            "running_mean": State(shape, 0.0),
            "running_variance": State(shape, 1.0),
        }

    def least_rows(self, input_shape):
        """2, unless a sample has several places: a mean of one number leaves nothing."""
        return 2 if math.prod(input_shape[:-1]) == 1 else 1

    def frozen(self):
        return _FrozenBatchNorm(**self.get_params())

    def with_plain_statistics(self):
        return _PlainBatchNorm(1.0, self.epsilon, self.shift_gain)

    def forward(self, scope, x):
        features = x.shape[-1:]
        out = scope.buffer("out", x.shape)
        x, flat_out = _by_place(x), _by_place(out)
        scope.call(
            kernels.batch_norm_forward,
            x=x,
            weight=scope.training.weight,
            step=scope.training.step,
            batch_size=scope.training.batch_size,
            momentum=float(self.momentum),
            epsilon=float(self.epsilon),
            shift_gain=float(self.shift_gain),
            share=scope.buffer("share", x.shape[:-1]),
            normalized=scope.buffer("normalized", x.shape),
            inverse_deviation=scope.buffer("inverse_deviation", features),
            **scope.parameters,
            **scope.state,
            out=flat_out,
        )
        return out

    def infer(self, scope, x):
        out = scope.buffer("out", x.shape)
        scope.call(
            kernels.batch_norm_inference,
            x=_by_place(x),
            epsilon=float(self.epsilon),
            shift_gain=float(self.shift_gain),
            **scope.parameters,
            **scope.state,
            out=_by_place(out),
        )
        return out

    def backward_parameters(self, scope, d_out):
        scope.call(
            kernels.batch_norm_backward_parameters,
            d_out=_by_place(d_out),
            normalized=scope["normalized"],
            shift_gain=float(self.shift_gain),
            d_scale=scope.gradients["scale"],
            d_shift=scope.gradients["shift"],
        )

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", d_out.shape)
        scope.call(
            kernels.batch_norm_backward_input,
            d_out=_by_place(d_out),
            normalized=scope["normalized"],
            share=scope["share"],
            scale=scope.parameters["scale"],
            inverse_deviation=scope["inverse_deviation"],
            d_scale=scope.gradients["scale"],
            d_shift=scope.gradients["shift"],
            shift_gain=float(self.shift_gain),
            d_x=_by_place(d_x),
        )
        return d_x


class _PlainBatchNorm(BatchNorm):
    """Statistics that are means: a momentum of 1 leaves only the share of a mean."""

    _parameter_constraints = {
        **BatchNorm._parameter_constraints,
        "momentum": [Interval(Real, 0, 1, closed="both")],
    }


class _FrozenBatchNorm(BatchNorm):
    """Batch normalization with the statistics of prediction, and the way back."""

    def forward(self, scope, x):
        return self.infer(scope, x)

    def backward_parameters(self, scope, d_out):
        pass

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", d_out.shape)
        features = d_out.shape[-1:]
        # the same scaling, of numbers around zero
        zeros = scope.buffer("zeros", features)
        scope.call(
            kernels.batch_norm_inference,
            x=_by_place(d_out),
            epsilon=float(self.epsilon),
            shift_gain=1.0,
            scale=scope.parameters["scale"],
            shift=zeros,
            running_mean=zeros,
            running_variance=scope.state["running_variance"],
            out=_by_place(d_x),
        )
        return d_x


class LayerNorm(Layer):
    """Bring the features of each sample to mean 0 and variance 1, then scale and shift.

    Training and prediction compute the same, and samples do not influence each other.
    Of images and signals the channels at each place are normalized together.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the variance before the square root.

    References
    ----------
    Ba, Kiros and Hinton (2016). "Layer normalization". arXiv:1607.06450.

    Examples
    --------
    >>> from skdeep.layers import LayerNorm
    >>> sorted(LayerNorm().parameters((28, 28, 10)))
    ['scale', 'shift']
    """

    _parameter_constraints = {"epsilon": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, epsilon=1e-5):
        self.epsilon = epsilon

    def parameters(self, input_shape):
        shape = input_shape[-1:]
        return {
            "scale": Parameter(shape, Constant(1.0), decays=False),
            "shift": Parameter(shape, Constant(0.0), decays=False),
        }

    def forward(self, scope, x):
        out = scope.buffer("out", x.shape)
        x = _by_place(x)
        scope.call(
            kernels.layer_norm_forward,
            x=x,
            epsilon=float(self.epsilon),
            **scope.parameters,
            normalized=scope.buffer("normalized", x.shape),
            inverse_deviation=scope.buffer("inverse_deviation", x.shape[:-1]),
            out=_by_place(out),
        )
        return out

    def backward_parameters(self, scope, d_out):
        scope.call(
            kernels.layer_norm_backward_parameters,
            d_out=_by_place(d_out),
            normalized=scope["normalized"],
            d_scale=scope.gradients["scale"],
            d_shift=scope.gradients["shift"],
        )

    def backward_input(self, scope, d_out):
        d_x = scope.buffer("d_x", d_out.shape)
        scope.call(
            kernels.layer_norm_backward_input,
            d_out=_by_place(d_out),
            normalized=scope["normalized"],
            scale=scope.parameters["scale"],
            inverse_deviation=scope["inverse_deviation"],
            d_x=_by_place(d_x),
        )
        return d_x


def _by_place(buffer):
    """Images and signals as (rows, places, channels); other inputs as they are."""
    return by_place(buffer) if len(buffer.shape) > 2 else buffer
