"""Residual blocks: layers that learn what to add to their input."""

from sklearn.utils._param_validation import StrOptions

from skdeep import kernels
from skdeep.layers.composition import Composition, present_layers
from skdeep.layers.convolution import Conv
from skdeep.layers.dense import Dense
from skdeep.layers.layer import Layer
from skdeep.validation.messages import plain


class Residual(Composition, Layer):
    """The outputs of some layers, plus their input.

    The gradient reaches the input past the layers, so that deep networks learn.

    Parameters
    ----------
    layers : sequence of Layer or of (str, Layer)
        The layers, one after the other.

    shortcut : {"identity", "projection"}, default="identity"
        What is added: the input as it is, which must have the shape of the output, or
        a linear projection of it to that shape (a convolution of one place with the
        strides that are needed; for inputs of one axis a dense layer).

    References
    ----------
    He, Zhang, Ren and Sun (2016). "Deep residual learning for image recognition". CVPR.

    Examples
    --------
    >>> from skdeep.layers import Activation, BatchNorm, Conv, Residual
    >>> block = Residual(
    ...     [Conv(64, strides=2), BatchNorm(), Activation("relu"), Conv(64)],
    ...     shortcut="projection",
    ... )
    >>> block.output_shape((28, 28, 32))
    (14, 14, 64)
    """

    _parameter_constraints = {
        "layers": [list, tuple],
        "shortcut": [StrOptions({"identity", "projection"})],
    }

    def __init__(self, layers, shortcut="identity"):
        self.layers = layers
        self.shortcut = shortcut

    @property
    def is_random(self):
        return any(layer.is_random for _, layer in present_layers(self.layers))

    def output_shape(self, input_shape):
        *_, (_, _, _, shape) = self._steps(input_shape)
        if self.shortcut == "identity" and shape != tuple(input_shape):
            raise ValueError(
                f"its layers give outputs of shape {shape}, which cannot be added to "
                f"inputs of shape {tuple(input_shape)}. Let them keep the shape, or set "
                "shortcut='projection'."
            )
        self._projection(input_shape, shape)
        return shape

    def parameters(self, input_shape):
        return self._variables("parameters", input_shape)

    def least_rows(self, input_shape):
        return max(
            layer.least_rows(shape) for _, layer, shape, _ in self._all_steps(input_shape)
        )

    def frozen(self):
        return self._with_layers("frozen")

    def with_plain_statistics(self):
        return self._with_layers("with_plain_statistics")

    def _with_layers(self, method):
        pairs = present_layers(self.layers)
        layers = [(name, getattr(layer, method)()) for name, layer in pairs]
        return Residual(layers, self.shortcut)

    def state(self, input_shape):
        return self._variables("state", input_shape)

    def _variables(self, kind, input_shape):
        return {
            f"{name}.{key}": value
            for name, layer, shape, _ in self._all_steps(input_shape)
            for key, value in getattr(layer, kind)(shape).items()
        }

    def _steps(self, input_shape):
        """The layers: names, layers, input shapes and output shapes."""
        shape, steps = tuple(input_shape), []
        for name, layer in present_layers(self.layers):
            try:
                out_shape = tuple(layer.output_shape(shape))
            except ValueError as error:
                raise ValueError(
                    f"its layer {name!r}, {plain(layer)!r}, cannot take inputs of shape "
                    f"{shape}: {error}"
                ) from error
            steps.append((name, layer, shape, out_shape))
            shape = out_shape
        if not steps:
            raise ValueError("a Residual needs at least one layer.")
        return steps

    def _all_steps(self, input_shape):
        """The layers and, where there is one, the projection."""
        steps = self._steps(input_shape)
        shape = steps[-1][3]
        projection = self._projection(input_shape, shape)
        if projection is not None:
            steps.append(("projection", projection, tuple(input_shape), shape))
        return steps

    def _projection(self, input_shape, output_shape):
        if self.shortcut == "identity":
            return None
        if len(input_shape) == len(output_shape) == 1:
            return Dense(output_shape[0])
        strides = [
            -(-size // out)
            for size, out in zip(input_shape[:-1], output_shape[:-1], strict=False)
        ]
        projection = Conv(output_shape[-1], 1, tuple(strides))
        if (
            len(input_shape) != len(output_shape)
            or projection.output_shape(input_shape) != output_shape
        ):
            raise ValueError(
                f"no projection with strides takes inputs of shape {tuple(input_shape)} "
                f"to the outputs of its layers, of shape {output_shape}."
            )
        return projection

    def _scopes(self, scope):
        """The layers with a scope each, the projection or None, and its scope."""
        steps = self._all_steps(scope["x"].shape[1:])
        scopes = [
            (layer, scope.child(name, number))
            for number, (name, layer, _, _) in enumerate(steps)
        ]
        if self.shortcut == "identity":
            return scopes, None, None
        return scopes[:-1], *scopes[-1]

    def forward(self, scope, x):
        return self._write(scope, x, "forward")

    def infer(self, scope, x):
        return self._write(scope, x, "infer")

    def _write(self, scope, x, method):
        scope.keep("x", x)
        layers, shortcut, shortcut_scope = self._scopes(scope)
        branch = x
        outputs = scope.calls.outputs
        for layer, inner in layers:
            branch = outputs[inner.name] = getattr(layer, method)(inner, branch)
        other = x
        if shortcut is not None:
            other = getattr(shortcut, method)(shortcut_scope, x)
            outputs[shortcut_scope.name] = other
        out = branch
        if scope.is_reserved(branch):
            out = scope.buffer("out", branch.shape)
        scope.call(kernels.add, a=branch, b=other, out=out)
        return out

    def backward_parameters(self, scope, d_out):
        layers, shortcut, shortcut_scope = self._scopes(scope)
        scope.reserve(d_out)  # both ways back start from it
        gradients = scope.calls.gradients
        if shortcut is not None:
            shortcut.backward_parameters(shortcut_scope, d_out)
            gradients[shortcut_scope.name] = d_out
        d_branch = d_out
        for number in range(len(layers) - 1, -1, -1):
            layer, inner = layers[number]
            gradients[inner.name] = d_branch
            layer.backward_parameters(inner, d_branch)
            if number:
                d_branch = layer.backward_input(inner, d_branch)
        scope.keep("d_first", d_branch)

    def backward_input(self, scope, d_out):
        layers, shortcut, shortcut_scope = self._scopes(scope)
        layer, inner = layers[0]
        d_branch = layer.backward_input(inner, scope["d_first"])
        d_other = d_out
        if shortcut is not None:
            d_other = shortcut.backward_input(shortcut_scope, d_out)
        d_x = scope.buffer("d_x", scope["x"].shape)
        scope.call(kernels.add, a=d_branch, b=d_other, out=d_x)
        return d_x
