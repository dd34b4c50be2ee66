"""Convolutional networks: stages of convolutions and pooling, then dense layers."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions

from skdeep.averaging import AVERAGES, ExponentialMovingAverage, WeightAveraging
from skdeep.estimators.architectures import ARCHITECTURES, POOLS
from skdeep.estimators.classifier import NetworkClassifier
from skdeep.estimators.convnet_layers import GLOBAL_POOLS, convolutional_network
from skdeep.estimators.estimator_docstrings import document
from skdeep.estimators.images import ImageInput, Images
from skdeep.estimators.regressor import NetworkRegressor
from skdeep.layers import BatchNorm
from skdeep.layers.window import SIZE_CONSTRAINT, WINDOW_CONSTRAINTS
from skdeep.optimizers import LBFGS, get_optimizer
from skdeep.validation.stored_parameters import stores_parameters

_COUNT = Interval(Integral, 1, None, closed="left")
_AUTO = StrOptions({"auto"})
_CONSTRAINTS = {
    **ImageInput._parameter_constraints,
    **WINDOW_CONSTRAINTS,
    "architecture": [StrOptions(set(ARCHITECTURES))],
    "filters": [_AUTO, "array-like", _COUNT],
    "blocks_per_stage": ["array-like", Interval(Integral, 0, None, closed="left")],
    "block_depth": [_COUNT],
    "kernel_size": SIZE_CONSTRAINT,
    "pool": [StrOptions(set(POOLS)), None],
    "pool_size": SIZE_CONSTRAINT,
    "global_pool": [StrOptions({"auto", *GLOBAL_POOLS}), None],
    "hidden_layer_sizes": [_AUTO, "array-like", _COUNT],
    "output_scale": [Interval(Real, 1e-3, 1e3, closed="both")],
    "whitening": [*SIZE_CONSTRAINT, None],
    "batch_norm": [_AUTO, "boolean", BatchNorm],
    "weight_averaging": [StrOptions({"auto", *AVERAGES}), WeightAveraging, None],
}


class _ConvNet(ImageInput):
    """What both estimators share."""

    def _new_inputs(self):
        # a window with a size for each axis says how many there are
        size = self.kernel_size
        is_signal = None if isinstance(size, Integral) else len(size) == 1
        return Images(type(self).__name__, self.input_shape, is_signal, self.whitening)

    def _layers(self, inputs, n_outputs):
        return convolutional_network(self, n_outputs, inputs)

    def _averaging(self):
        if self.weight_averaging != "auto":
            return super()._averaging()
        lbfgs = isinstance(get_optimizer(self.optimizer), LBFGS)
        return None if lbfgs else ExponentialMovingAverage()


@document(classifier=True)
class ConvNetClassifier(_ConvNet, NetworkClassifier):
    """A convolutional network that predicts classes, or labels, of images and signals.

    Stages of convolutions, activations and pooling, as many as there are `filters`, then
    dense layers. Binary, multiclass and multilabel targets.

    Parameters
    ----------
    input_shape : tuple of int or None, default=None
        The shape of a sample: (height, width, channels), (height, width) or
        (length, channels). Rows of a table are brought to it; without it each row is a
        signal of one channel. See Notes for arrays of three axes.

    architecture : {"plain", "resnet"}, default="plain"
        What a stage is. Of ``"plain"`` a convolution, pooling and the activation, which
        comes before pooling where that takes averages. Of
        ``"resnet"``, which is for photographs, a convolution, pooling, batch
        normalization and the activation, then residual blocks (He et al. 2016), which
        add to their input what convolutions, each with batch normalization and
        activation, make of it.

    filters : "auto", int or array-like of int, default="auto"
        The filters of each stage; there are as many stages. ``"auto"`` is (32, 64), of
        residual networks (64, 128, 256).

    blocks_per_stage : int or array-like of int, default=1
        The residual blocks of each stage: one number for all, or one for each.

    block_depth : int, default=1
        The convolutions of each residual block.

    kernel_size : int or tuple of int, default=3
        The size of the windows: one for all axes, or one for each.

    strides : int or tuple of int, default=1
        How far the windows move; in residual blocks always 1.

    padding : {"same", "valid"}, int or tuple, default="same"
        The zeros around the inputs of convolutions, as for `skdeep.layers.Conv`.

    pool : {"max", "average"} or None, default="max"
        The pooling of each stage.

    pool_size : int or tuple of int, default=2
        The size of the windows of pooling, and how far they move.

    global_pool : {"auto", "max", "average"} or None, default="auto"
        What brings images to rows of numbers after the last stage: one number of each
        channel, or None for all of them. ``"auto"`` is None, of residual networks
        ``"max"``.

    hidden_layer_sizes : "auto", int or array-like of int, default="auto"
        The units of each hidden dense layer; ``()`` for none. ``"auto"`` is (128,), of
        residual networks ``()``.

    output_scale : float, default=1.0
        What the inputs of the output layer are multiplied by, in [0.001, 1000]. Below 1
        it lets a learning rate that suits convolutions before batch normalization suit
        the output layer, too: steps of SGD move its outputs `output_scale`^2 times as
        far.

    whitening : int, tuple of int or None, default=None
        Let the first layer bring the numbers of each such window, 2 for those of 2 x 2
        places, to their principal components with variance 1, and their negatives. They
        are found from up to 5,000 of the images, and not trained. It halves the epochs
        that photographs need (Jordan 2024).

    activation : {activations}, Activation or PReLU, default="relu"
        The function after each convolution and hidden layer;
        `skdeep.layers.Activation` has formulas.

    augmentation : tuple of Augmentation, default=()
        What changes the images of training batches at random, one after the other: see
        `skdeep.augmentation`.

    test_time_augmentation : tuple of Augmentation, default=()
        Predict the mean of the raw outputs for all versions of an image that these could
        make, weighed by their probabilities: ``(RandomFlip(),)`` for an image and its
        mirror image. It takes `RandomFlip`, `RandomCrop` and `RandomShift`. Validation
        scores are of such predictions, validation losses are not.

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
        filters="auto",
        *,
        architecture="plain",
        blocks_per_stage=1,
        block_depth=1,
        input_shape=None,
        kernel_size=3,
        strides=1,
        padding="same",
        pool="max",
        pool_size=2,
        global_pool="auto",
        hidden_layer_sizes="auto",
        output_scale=1.0,
        whitening=None,
        activation="relu",
        augmentation=(),
        test_time_augmentation=(),
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
        batch_norm="auto",
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

    Stages of convolutions, activations and pooling, as many as there are `filters`, then
    dense layers. One or many targets.

    Parameters
    ----------
    input_shape : tuple of int or None, default=None
        The shape of a sample: (height, width, channels), (height, width) or
        (length, channels). Rows of a table are brought to it; without it each row is a
        signal of one channel. See Notes for arrays of three axes.

    architecture : {"plain", "resnet"}, default="plain"
        What a stage is. Of ``"plain"`` a convolution, pooling and the activation, which
        comes before pooling where that takes averages. Of
        ``"resnet"``, which is for photographs, a convolution, pooling, batch
        normalization and the activation, then residual blocks (He et al. 2016), which
        add to their input what convolutions, each with batch normalization and
        activation, make of it.

    filters : "auto", int or array-like of int, default="auto"
        The filters of each stage; there are as many stages. ``"auto"`` is (32, 64), of
        residual networks (64, 128, 256).

    blocks_per_stage : int or array-like of int, default=1
        The residual blocks of each stage: one number for all, or one for each.

    block_depth : int, default=1
        The convolutions of each residual block.

    kernel_size : int or tuple of int, default=3
        The size of the windows: one for all axes, or one for each.

    strides : int or tuple of int, default=1
        How far the windows move; in residual blocks always 1.

    padding : {"same", "valid"}, int or tuple, default="same"
        The zeros around the inputs of convolutions, as for `skdeep.layers.Conv`.

    pool : {"max", "average"} or None, default="max"
        The pooling of each stage.

    pool_size : int or tuple of int, default=2
        The size of the windows of pooling, and how far they move.

    global_pool : {"auto", "max", "average"} or None, default="auto"
        What brings images to rows of numbers after the last stage: one number of each
        channel, or None for all of them. ``"auto"`` is None, of residual networks
        ``"max"``.

    hidden_layer_sizes : "auto", int or array-like of int, default="auto"
        The units of each hidden dense layer; ``()`` for none. ``"auto"`` is (128,), of
        residual networks ``()``.

    output_scale : float, default=1.0
        What the inputs of the output layer are multiplied by, in [0.001, 1000]. Below 1
        it lets a learning rate that suits convolutions before batch normalization suit
        the output layer, too: steps of SGD move its outputs `output_scale`^2 times as
        far.

    whitening : int, tuple of int or None, default=None
        Let the first layer bring the numbers of each such window, 2 for those of 2 x 2
        places, to their principal components with variance 1, and their negatives. They
        are found from up to 5,000 of the images, and not trained. It halves the epochs
        that photographs need (Jordan 2024).

    activation : {activations}, Activation or PReLU, default="relu"
        The function after each convolution and hidden layer;
        `skdeep.layers.Activation` has formulas.

    augmentation : tuple of Augmentation, default=()
        What changes the images of training batches at random, one after the other: see
        `skdeep.augmentation`.

    test_time_augmentation : tuple of Augmentation, default=()
        Predict the mean of the raw outputs for all versions of an image that these could
        make, weighed by their probabilities: ``(RandomFlip(),)`` for an image and its
        mirror image. It takes `RandomFlip`, `RandomCrop` and `RandomShift`. Validation
        scores are of such predictions, validation losses are not.

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
        filters="auto",
        *,
        architecture="plain",
        blocks_per_stage=1,
        block_depth=1,
        input_shape=None,
        kernel_size=3,
        strides=1,
        padding="same",
        pool="max",
        pool_size=2,
        global_pool="auto",
        hidden_layer_sizes="auto",
        output_scale=1.0,
        whitening=None,
        activation="relu",
        augmentation=(),
        test_time_augmentation=(),
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
        batch_norm="auto",
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
