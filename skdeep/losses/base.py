"""What a loss is, for those built in and for a user's own."""

from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from skdeep import kernels
from skdeep.engine.program import ROWS, Buffer, Calls, Program, Scope

__all__ = ["FormulaLoss", "Loss"]


class Loss(BaseEstimator):
    """Base of all losses; subclass it to train with your own.

    A subclass defines `value` and `gradient`, and where predictions are not the raw
    outputs, `inverse_link`. ``z`` always is the raw output of the network's last layer,
    of shape (n_samples, n_outputs), and ``target`` has the same shape: for regressors
    the targets; for classifiers 0 or 1, in one column for two classes, in one column a
    class for more, in one column a label for multilabel targets.

    Attributes
    ----------
    task : {"classification", "regression"} or None
        The estimators that the loss is for; None for both.

    probabilistic : bool
        Whether `inverse_link` gives probabilities, so that a classifier has
        `predict_proba`.

    soft_targets : bool
        Whether targets may be probabilities instead of classes.

    joint_outputs : bool
        Whether the loss compares the outputs of classes that exclude each other: then
        there is one output for each class, for two classes as well, and there are no
        multilabel targets.

    label_weight : ndarray of shape (2, n_outputs) or None
        What the loss of each output is multiplied by: the first row, plus the second
        times the target. None for ones.

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep import MLPRegressor
    >>> from skdeep.losses import Loss
    >>> class FourthPower(Loss):
    ...     def value(self, target, z):
    ...         return np.mean((z - target) ** 4, axis=1)
    ...     def gradient(self, target: np.ndarray, z: np.ndarray) -> np.ndarray:
    ...         return 4 * (z - target) ** 3 / z.shape[1]
    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> model = MLPRegressor(loss=FourthPower(), random_state=0).fit(X, X.ravel())
    >>> model.predict([[0.5]]).shape
    (1,)
    """

    task: str | None = None
    probabilistic: bool = False
    soft_targets: bool = False
    joint_outputs: bool = False
    label_weight: np.ndarray | None = None
    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def value(self, target: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The loss of each row.

        Parameters
        ----------
        target : ndarray of shape (n_samples, n_outputs)
            What is to be predicted.

        z : ndarray of shape (n_samples, n_outputs)
            The network's raw outputs.

        Returns
        -------
        losses : ndarray of shape (n_samples,)
        """
        raise NotImplementedError(f"{type(self).__name__} must define value.")

    def gradient(self, target, z):
        """The derivative of each row's loss with respect to its outputs.

        Parameters
        ----------
        target : ndarray of shape (n_samples, n_outputs)
            What is to be predicted.

        z : ndarray of shape (n_samples, n_outputs)
            The network's raw outputs.

        Returns
        -------
        gradient : ndarray of shape (n_samples, n_outputs)
        """
        raise NotImplementedError(f"{type(self).__name__} must define gradient.")

    def inverse_link(self, z: np.ndarray) -> np.ndarray:
        """Predictions from raw outputs: probabilities, or means."""
        return z

    def complement(self, z: np.ndarray) -> np.ndarray:
        """1 minus `inverse_link`: of two classes with one output, the first's probability.

        To be defined where ``1 - p`` loses the digits of a small result.
        """
        return 1 - self.inverse_link(z)

    def log_inverse_link(self, z: np.ndarray) -> np.ndarray:
        """The logarithm of `inverse_link`.

        To be defined where ``log(p)`` loses digits: where p is close to 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.inverse_link(z))

    def log_complement(self, z: np.ndarray) -> np.ndarray:
        """The logarithm of `complement`."""
        with np.errstate(divide="ignore"):
            return np.log(self.complement(z))

    def check_target(self, target: np.ndarray) -> None:
        """Raise a ValueError where a regression target is outside the loss's domain."""

    def resolve(self, target_type: str) -> "Loss":
        """The loss for a type of target, as `sklearn.utils.multiclass` names them."""
        return self

    def with_label_weight(self, label_weight: np.ndarray) -> Self:
        """This loss, with each output's multiplied by a weight; see `label_weight`.

        Raises
        ------
        ValueError
            Where the loss does not tell the outputs apart.
        """
        raise ValueError(
            f"class_weight of multilabel targets weighs each label's own loss, which "
            f"{type(self).__name__} does not tell from the others'. Use one of "
            "'cross_entropy', 'focal', 'hinge' and 'squared_hinge', or class_weight=None."
        )

    def emit(
        self, scope: Scope, z: Buffer, target: Buffer, weight: Buffer
    ) -> tuple[Buffer, Buffer]:
        """Write the call that computes losses and gradient; return both buffers."""
        return self._emit(scope, kernels.python_loss(self), z, target, weight)

    def _emit(self, scope, kernel, z, target, weight, **parameters):
        losses = scope.buffer("losses", (ROWS,))
        d_z = scope.buffer("d_z", z.shape)
        results = {"losses": losses, "d_z": d_z}
        scope.call(kernel, z=z, target=target, weight=weight, **parameters, **results)
        return losses, d_z


class KernelLoss(Loss):
    """A loss whose arithmetic is a kernel; `value` and `gradient` ask the kernel."""

    kernel = None

    def value(self, target, z):
        return self._evaluate(target, z)[0]

    def gradient(self, target, z):
        return self._evaluate(target, z)[1]

    def _evaluate(self, target, z):
        z = np.ascontiguousarray(z)
        if z.dtype not in (np.float32, np.float64):
            z = z.astype(np.float64)
        inputs = {
            "z": z,
            "target": np.ascontiguousarray(target, dtype=z.dtype),
            "weight": np.ones(z.shape[0], dtype=z.dtype),
        }
        buffers = {
            name: Buffer(name, (ROWS, *array.shape[1:]), array=array)
            for name, array in inputs.items()
        }
        calls = Calls()
        losses, d_z = self._emit_kernel(Scope("loss", calls), **buffers)
        program = Program(calls, z.dtype)
        memory = program.allocate(z.shape[0])
        program.bind(memory, z.shape[0]).run()
        return memory[losses], memory[d_z]

    @property
    def _is_kernel(self):
        """Whether no subclass has a `value` or a `gradient` of its own."""
        kind = type(self)
        return (kind.value, kind.gradient) == (KernelLoss.value, KernelLoss.gradient)

    def emit(self, scope, z, target, weight):
        if not self._is_kernel:
            return super().emit(scope, z, target, weight)
        return self._emit_kernel(scope, z, target, weight)

    def _emit_kernel(self, scope, z, target, weight):
        settings = {name: float(value) for name, value in self.get_params().items()}
        return self._emit(scope, type(self).kernel, z, target, weight, **settings)


class FormulaLoss(KernelLoss):
    """A loss that is one formula of each output by itself; subclass it to write your own.

    A sample's loss is the mean over its outputs. The formula is traced once: it runs
    compiled, without the interpreter's lock and in several threads, also where it was
    written after the package was built; its derivative is derived from it.

    Examples
    --------
    The logarithm of a Cauchy distribution's density, for targets with outliers:

    >>> import numpy as np
    >>> from skdeep import MLPRegressor
    >>> from skdeep.formulas import log1p
    >>> from skdeep.inspection import check_gradient
    >>> from skdeep.losses import FormulaLoss
    >>> class Cauchy(FormulaLoss):
    ...     task = "regression"
    ...     def __init__(self, scale=1.0):
    ...         self.scale = scale
    ...     def formula(self, z, target):
    ...         return log1p(((z - target) / self.scale) ** 2)
    >>> check_gradient(Cauchy(scale=0.5))
    >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> model = MLPRegressor(loss=Cauchy(), random_state=0).fit(X, X.ravel())
    >>> model.predict([[0.5]]).shape
    (1,)
    """

    def formula(self, z, target):
        """The loss of an output, as an expression.

        It is called once, with symbols: it is made of arithmetic and of the functions in
        `skdeep.formulas`, chooses by ``where``, and may use numbers that are attributes of
        the loss.

        Parameters
        ----------
        z : Expression
            The network's raw output.

        target : Expression
            What is to be predicted.

        Returns
        -------
        loss : Expression, or tuple of two
            The loss; or the loss and its derivative with respect to z, where what is
            derived from the loss would be slower or less exact.
        """
        raise NotImplementedError(f"{type(self).__name__} must define formula.")

    def with_label_weight(self, label_weight):
        if not self._is_kernel:
            return super().with_label_weight(label_weight)
        weighted = copy(self)
        weighted.label_weight = label_weight
        return weighted

    def _emit_kernel(self, scope, z, target, weight):
        kernel, array = kernels.loss_kernel(self), self.label_weight
        settings = {name: float(getattr(self, name)) for name in kernel.formula.settings}
        labels = None if array is None else Buffer("label_weight", array.shape, array=array)
        return self._emit(scope, kernel, z, target, weight, label_weight=labels, **settings)
