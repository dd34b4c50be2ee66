"""Convolutional networks: blocks of convolution and pooling, then dense layers."""

from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from skdeep.averaging import AVERAGES, ExponentialMovingAverage, WeightAveraging
from skdeep.estimators.classifier import NetworkClassifier
from skdeep.estimators.convnet_layers import GLOBAL_POOLS, POOLS, convolutional_network
from skdeep.estimators.estimator_docstrings import document
from skdeep.estimators.images import ImageInput, Images
from skdeep.estimators.regressor import NetworkRegressor
from skdeep.layers.window import SIZE_CONSTRAINT, WINDOW_CONSTRAINTS
from skdeep.optimizers import LBFGS, get_optimizer
from skdeep.validation.stored_parameters import stores_parameters

_SIZES = ["array-like", Interval(Integral, 1, None, closed="left")]
_CONSTRAINTS = {
    **ImageInput._parameter_constraints,
    **WINDOW_CONSTRAINTS,
    "filters": _SIZES,
    "kernel_size": SIZE_CONSTRAINT,
    "pool": [StrOptions(set(POOLS)), None],
    "pool_size": SIZE_CONSTRAINT,
    "global_pool": [StrOptions(set(GLOBAL_POOLS)), None],
    "hidden_layer_sizes": _SIZES,
    "weight_averaging": [StrOptions({"auto", *AVERAGES}), WeightAveraging, None],
}


class _ConvNet(ImageInput):
    """What both estimators share."""

    def _new_inputs(self):
        # a window with a size for each axis says how many there are
        size = self.kernel_size
        is_signal = None if isinstance(size, Integral) else len(size) == 1
        return Images(type(self).__name__, self.input_shape, is_signal)

    def _layers(self, inputs, n_outputs):
        return convolutional_network(self, n_outputs, inputs.shape, inputs.holds_bytes)

    def _averaging(self):
        if self.weight_averaging != "auto":
            return super()._averaging()
        lbfgs = isinstance(get_optimizer(self.optimizer), LBFGS)
        return None if lbfgs else ExponentialMovingAverage()


@document(classifier=True)
class ConvNetClassifier(_ConvNet, NetworkClassifier):
    """A convolutional network that predicts classes, or labels, of images and signals.

    Blocks of convolution, activation and pooling, as many as there are `filters`, then
    dense layers. Binary, multiclass and multilabel targets.

    Parameters
    ----------
    input_shape : tuple of int or None, default=None
        The shape of a sample: (height, width, channels), (height, width) or
        (length, channels). Rows of a table are brought to it; without it each row is a
        signal of one channel. See Notes for arrays of three axes.

    filters : int or array-like of int, default=(32, 64)
        The filters of each convolution; there are as many blocks.

    kernel_size : int or tuple of int, default=3
        The size of the windows: one for all axes, or one for each.

    strides : int or tuple of int, default=1
        How far the windows move.

    padding : {"same", "valid"}, int or tuple, default="same"
        The zeros around the inputs of convolutions, as for `skdeep.layers.Conv`.

    pool : {"max", "average"} or None, default="max"
        What follows each convolution and its activation.

    pool_size : int or tuple of int, default=2
        The size of the windows of pooling, and how far they move.

    global_pool : {"max", "average"} or None, default=None
        What brings images to rows of numbers after the last block: one number of each
        channel, or None for all of them.

    hidden_layer_sizes : int or array-like of int, default=(128,)
        The units of each hidden dense layer; ``()`` for none.

    activation : {activations}, Activation or PReLU, default="relu"
        The function after each convolution and hidden layer;
        `skdeep.layers.Activation` has formulas.

    augmentation : tuple of Augmentation, default=()
        What changes the images of training batches at random, one after the other: see
        `skdeep.augmentation`.

    {parameters}

    Attributes
    ----------
    {attributes}

    input_shape_ : tuple of int
        The shape of a sample, channels last.

    See Also
    --------
    ConvNetRegressor : The same for numbers instead of classes.

    Notes
    -----
    X may be images of shape (n_samples, height, width, channels), grey images of shape
    (n_samples, height, width), signals of shape (n_samples, length, channels), or a
    table. Of three axes, the last two are a signal where the first of them is more than
    four times as long as the second, else a grey image; `input_shape` with a channel,
    or a `kernel_size` with as many entries as axes,
    says otherwise. The shape that was learned is `input_shape_`.

    Bytes (uint8) stay bytes: batch by batch they become float32 in [0, 1]. Where `fit`
    saw bytes, other types must be on their scale, from 0 to 255, and the other way round.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep import ConvNetClassifier
    >>> images, y = load_digits(return_X_y=True)
    >>> images = images.reshape(-1, 8, 8) / 16
    >>> model = ConvNetClassifier(
    ...     (8, 16), learning_rate=0.005, max_iter=20, random_state=0
    ... )
    >>> model = model.fit(images[:1000], y[:1000])
    >>> bool(model.score(images[1000:], y[1000:]) > 0.9)
    True
    """

    _parameter_constraints = {
        **NetworkClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    @stores_parameters
    def __init__(
        self,
        filters=(32, 64),
        *,
        input_shape=None,
        kernel_size=3,
        strides=1,
        padding="same",
        pool="max",
        pool_size=2,
        global_pool=None,
        hidden_layer_sizes=(128,),
        activation="relu",
        augmentation=(),
        optimizer="adam",
        learning_rate="auto",
        learning_rate_schedule="constant",
        batch_size="auto",
        max_iter=200,
        dropout=0.0,
        input_dropout=0.0,
        weight_decay="auto",
        l1_penalty=0.0,
        max_norm=None,
        batch_norm=False,
        loss="auto",
        label_smoothing=0.0,
        class_weight=None,
        gradient_clip_norm=None,
        gradient_clip_value=None,
        weight_averaging="auto",
        kernel_initializer="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        monitor="loss",
        shuffle=True,
        warm_start=False,
        random_state=None,
        record=None,
        verbose=0,
    ): ...


@document(classifier=False)
class ConvNetRegressor(_ConvNet, NetworkRegressor):
    """A convolutional network that predicts numbers from images and signals.

    Blocks of convolution, activation and pooling, as many as there are `filters`, then
    dense layers. One or many targets.

    Parameters
    ----------
    input_shape : tuple of int or None, default=None
        The shape of a sample: (height, width, channels), (height, width) or
        (length, channels). Rows of a table are brought to it; without it each row is a
        signal of one channel. See Notes for arrays of three axes.

    filters : int or array-like of int, default=(32, 64)
        The filters of each convolution; there are as many blocks.

    kernel_size : int or tuple of int, default=3
        The size of the windows: one for all axes, or one for each.

    strides : int or tuple of int, default=1
        How far the windows move.

    padding : {"same", "valid"}, int or tuple, default="same"
        The zeros around the inputs of convolutions, as for `skdeep.layers.Conv`.

    pool : {"max", "average"} or None, default="max"
        What follows each convolution and its activation.

    pool_size : int or tuple of int, default=2
        The size of the windows of pooling, and how far they move.

    global_pool : {"max", "average"} or None, default=None
        What brings images to rows of numbers after the last block: one number of each
        channel, or None for all of them.

    hidden_layer_sizes : int or array-like of int, default=(128,)
        The units of each hidden dense layer; ``()`` for none.

    activation : {activations}, Activation or PReLU, default="relu"
        The function after each convolution and hidden layer;
        `skdeep.layers.Activation` has formulas.

    augmentation : tuple of Augmentation, default=()
        What changes the images of training batches at random, one after the other: see
        `skdeep.augmentation`.

    {parameters}

    Attributes
    ----------
    {attributes}

    input_shape_ : tuple of int
        The shape of a sample, channels last.

    See Also
    --------
    ConvNetClassifier : The same for classes instead of numbers.

    Notes
    -----
    X may be images of shape (n_samples, height, width, channels), grey images of shape
    (n_samples, height, width), signals of shape (n_samples, length, channels), or a
    table. Of three axes, the last two are a signal where the first of them is more than
    four times as long as the second, else a grey image; `input_shape` with a channel,
    or a `kernel_size` with as many entries as axes,
    says otherwise. The shape that was learned is `input_shape_`.

    Bytes (uint8) stay bytes: batch by batch they become float32 in [0, 1]. Where `fit`
    saw bytes, other types must be on their scale, from 0 to 255, and the other way round.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep import ConvNetRegressor
    >>> frequency = np.linspace(1, 5, 400).reshape(-1, 1)
    >>> phase = np.random.default_rng(0).uniform(0, 6, (400, 1))
    >>> signals = np.sin(frequency * np.linspace(0, 6, 64) + phase)
    >>> model = ConvNetRegressor((8, 8), kernel_size=5, max_iter=100, random_state=0)
    >>> model = model.fit(signals[::2], frequency[::2, 0])
    >>> bool(model.score(signals[1::2], frequency[1::2, 0]) > 0.9)
    True
    """

    _parameter_constraints = {
        **NetworkRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    @stores_parameters
    def __init__(
        self,
        filters=(32, 64),
        *,
        input_shape=None,
        kernel_size=3,
        strides=1,
        padding="same",
        pool="max",
        pool_size=2,
        global_pool=None,
        hidden_layer_sizes=(128,),
        activation="relu",
        augmentation=(),
        optimizer="adam",
        learning_rate="auto",
        learning_rate_schedule="constant",
        batch_size="auto",
        max_iter=200,
        dropout=0.0,
        input_dropout=0.0,
        weight_decay="auto",
        l1_penalty=0.0,
        max_norm=None,
        batch_norm=False,
        loss="auto",
        gradient_clip_norm=None,
        gradient_clip_value=None,
        weight_averaging="auto",
        kernel_initializer="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        monitor="loss",
        shuffle=True,
        warm_start=False,
        random_state=None,
        record=None,
        verbose=0,
    ): ...
