"""Networks of any layers, one after the other."""

from contextlib import suppress

from sklearn.base import clone

from skdeep.estimators.classifier import NetworkClassifier
from skdeep.estimators.estimator_docstrings import document
from skdeep.estimators.images import ImageInput, Images
from skdeep.estimators.regressor import NetworkRegressor
from skdeep.layers import Activation, Dense, Dropout, Flatten, Rescaling
from skdeep.layers.composition import Composition, present_layers
from skdeep.validation.stored_parameters import stores_parameters

_CONSTRAINTS = {**ImageInput._parameter_constraints, "layers": [list, tuple, None]}


def stack_shape(layers, input_shape):
    """The output shape of a stack of layers.

    Raises
    ------
    ValueError
        Where a layer cannot take what the one before it gives.
    """
    shape = tuple(input_shape)
    for _, layer in layers:
        shape = tuple(layer.output_shape(shape))
    return shape


class StackInputs(Images):
    """Images, signals, and tables that stay tables where the layers take rows.

    Parameters
    ----------
    owner : str
        The name of the estimator's class, for errors.

    input_shape : sequence of int or None
        The estimator's parameter.

    layers : list of (str, Layer)
        The layers before the output layer.
    """

    def __init__(self, owner, input_shape, layers):
        super().__init__(owner, input_shape)
        self.layers = layers
        # sparse rows are for a dense layer, or dropout before one
        kinds = [type(layer) for _, layer in layers if not isinstance(layer, Dropout)]
        is_table = input_shape is None or len(input_shape) < 2
        self.takes_sparse = is_table and [*kinds, Dense][0] is Dense

    def _sample_shape(self, shape):
        # a table stays one, unless the layers want signals
        if len(shape) == 1:
            try:
                stack_shape(self.layers, shape)
                return shape
            except ValueError:
                pass
        return super()._sample_shape(shape)


class _Sequential(Composition, ImageInput):
    """What both estimators share."""

    def _new_inputs(self):
        return StackInputs(type(self).__name__, self.input_shape, self._stack())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        with suppress(TypeError, ValueError):  # wrong layers, which `fit` tells of
            tags.input_tags.sparse = self._new_inputs().takes_sparse
        return tags

    def _stack(self):
        if self.layers is None:
            return [("dense_1", Dense(100)), ("activation_1", Activation("relu"))]
        return present_layers(self.layers)

    def _layers(self, inputs, n_outputs):
        # the fitted network keeps its layers, whatever becomes of the user's
        layers = [(n, clone(layer)) for n, layer in self._stack()]
        taken = {"rescaling", "flatten", "output"} | super().get_params(deep=False).keys()
        for name in taken & {name for name, _ in layers}:
            raise ValueError(
                f"A layer cannot be called {name!r}: it is the name of a parameter, or "
                "of a layer that the estimator adds. Give it another name."
            )
        if inputs.holds_bytes and not (layers and isinstance(layers[0][1], Rescaling)):
            layers.insert(0, ("rescaling", Rescaling()))
        try:
            shape = stack_shape(layers, inputs.shape)
        except ValueError:
            shape = ()  # the network says which layer it is, and why
        if len(shape) > 1:
            layers.append(("flatten", Flatten()))
        return [*layers, ("output", Dense(n_outputs))]


@document(classifier=True)
class SequentialClassifier(_Sequential, NetworkClassifier):
    """Any stack of layers, that predicts classes, or labels.

    Binary, multiclass and multilabel targets.

    Parameters
    ----------
    layers : sequence of Layer or of (str, Layer), default=None
        The layers before the output layer, which the estimator adds to fit the targets
        (and before it a Flatten where it is needed). None is one hidden layer of 100
        units with relu, as multilayer perceptrons have by default. ``set_params``
        reaches layers as steps of a pipeline: ``set_params(conv_1__filters=64)``. A
        layer without a name has that of its class and a number; "passthrough" leaves a
        layer out. `fit` never changes them.

    input_shape : tuple of int or None, default=None
        The shape of a sample: (height, width, channels), (height, width) or
        (length, channels). See Notes for arrays of three axes.

    augmentation : tuple of Augmentation, default=()
        What changes the images of training batches at random, one after the other: see
        `skdeep.augmentation`.

    test_time_augmentation : tuple of Augmentation, default=()
        Predict the mean of the raw outputs for all versions of a sample that these could
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
    SequentialRegressor : The same for numbers instead of classes.

    Notes
    -----
    X may be images of shape (n_samples, height, width, channels), grey images of shape
    (n_samples, height, width), signals of shape (n_samples, length, channels), or a
    table. Of three axes, the last two are a signal where the first of them is more than
    four times as long as the second, else a grey image; `input_shape` with a channel
    says otherwise. The shape that was learned is `input_shape_`.

    Bytes (uint8) stay bytes: batch by batch they become float32 in [0, 1], unless the
    first layer is a `Rescaling` of your own.

    A table may be sparse where the first layer is `Dense`, or `Dropout` before one.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep import SequentialClassifier
    >>> from skdeep.layers import Activation, Conv, GlobalAveragePool, MaxPool
    >>> images, y = load_digits(return_X_y=True)
    >>> images = images.reshape(-1, 8, 8) / 16
    >>> layers = [
    ...     ("conv", Conv(16)),
    ...     Activation("relu"),
    ...     MaxPool(),
    ...     Conv(64),
    ...     Activation("relu"),
    ...     GlobalAveragePool(),
    ... ]
    >>> model = SequentialClassifier(layers, learning_rate=0.005, random_state=0)
    >>> model = model.set_params(conv__kernel_size=5, max_iter=15)
    >>> model = model.fit(images[:1000], y[:1000])
    >>> bool(model.score(images[1000:], y[1000:]) > 0.85)
    True
    """

    _parameter_constraints = {
        **NetworkClassifier._parameter_constraints,
        **_CONSTRAINTS,
    }

    @stores_parameters
    def __init__(
        self,
        layers=None,
        *,
        input_shape=None,
        augmentation=(),
        test_time_augmentation=(),
        optimizer="adam",
        learning_rate="auto",
        learning_rate_schedule="constant",
        batch_size="auto",
        max_iter=200,
        weight_decay="auto",
        l1_penalty=0.0,
        max_norm=None,
        loss="auto",
        label_smoothing=0.0,
        class_weight=None,
        gradient_clip_norm=None,
        gradient_clip_value=None,
        weight_averaging=None,
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
class SequentialRegressor(_Sequential, NetworkRegressor):
    """Any stack of layers, that predicts numbers.

    One or many targets.

    Parameters
    ----------
    layers : sequence of Layer or of (str, Layer), default=None
        The layers before the output layer, which the estimator adds to fit the targets
        (and before it a Flatten where it is needed). None is one hidden layer of 100
        units with relu, as multilayer perceptrons have by default. ``set_params``
        reaches layers as steps of a pipeline: ``set_params(conv_1__filters=64)``. A
        layer without a name has that of its class and a number; "passthrough" leaves a
        layer out. `fit` never changes them.

    input_shape : tuple of int or None, default=None
        The shape of a sample: (height, width, channels), (height, width) or
        (length, channels). See Notes for arrays of three axes.

    augmentation : tuple of Augmentation, default=()
        What changes the images of training batches at random, one after the other: see
        `skdeep.augmentation`.

    test_time_augmentation : tuple of Augmentation, default=()
        Predict the mean of the raw outputs for all versions of a sample that these could
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
    SequentialClassifier : The same for classes instead of numbers.

    Notes
    -----
    X may be images of shape (n_samples, height, width, channels), grey images of shape
    (n_samples, height, width), signals of shape (n_samples, length, channels), or a
    table. Of three axes, the last two are a signal where the first of them is more than
    four times as long as the second, else a grey image; `input_shape` with a channel
    says otherwise. The shape that was learned is `input_shape_`.

    Bytes (uint8) stay bytes: batch by batch they become float32 in [0, 1], unless the
    first layer is a `Rescaling` of your own.

    A table may be sparse where the first layer is `Dense`, or `Dropout` before one.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from skdeep import SequentialRegressor
    >>> from skdeep.layers import Activation, Dense, Residual
    >>> X, y = load_diabetes(return_X_y=True)
    >>> block = Residual([Activation("relu"), Dense(20)])
    >>> model = SequentialRegressor([Dense(20), block], max_iter=30, random_state=0)
    >>> model = model.fit(scale(X), scale(y))
    >>> bool(model.score(scale(X), scale(y)) > 0.4)
    True
    """

    _parameter_constraints = {
        **NetworkRegressor._parameter_constraints,
        **_CONSTRAINTS,
    }

    @stores_parameters
    def __init__(
        self,
        layers=None,
        *,
        input_shape=None,
        augmentation=(),
        test_time_augmentation=(),
        optimizer="adam",
        learning_rate="auto",
        learning_rate_schedule="constant",
        batch_size="auto",
        max_iter=200,
        weight_decay="auto",
        l1_penalty=0.0,
        max_norm=None,
        loss="auto",
        gradient_clip_norm=None,
        gradient_clip_value=None,
        weight_averaging=None,
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
