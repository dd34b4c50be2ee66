"""Numbers as targets: one column, or many."""

from typing import Any

import numpy as np

from skdeep.estimators.network_targets import Targets
from skdeep.losses import REGRESSION_LOSSES
from skdeep.validation.targets import check_numbers, present_numbers


class Numbers(Targets):
    """The targets of a regressor.

    Parameters
    ----------
    owner : str
        The name of the estimator's class, for errors.

    loss : str or Loss
        The estimator's parameter.

    Attributes
    ----------
    ndim : int
        The axes of y: 1 where each sample has one number.
    """

    numeric = True
    losses = REGRESSION_LOSSES
    default_loss = "squared_error"
    task = "regression"
    learned = "n_outputs", "ndim"

    ndim: int

    def present(self, y: Any) -> Any:
        return present_numbers(y)

    def learn(self, y: Any, classes: np.ndarray | None = None) -> np.ndarray:
        y = self._checked(y)
        self.n_outputs, self.ndim = _columns(y), y.ndim
        return y

    def check(self, y: Any) -> np.ndarray:
        y = self._checked(y)
        if _columns(y) != self.n_outputs:
            raise ValueError(
                f"y has {_columns(y)} targets, but the earlier fit saw {self.n_outputs}."
            )
        return y

    def _checked(self, y: Any) -> np.ndarray:
        y = check_numbers(y)
        self.loss.check_target(y)
        return y

    def encode(self, y: np.ndarray, dtype: Any) -> tuple[np.ndarray, None]:
        with np.errstate(over="ignore"):
            target = np.ascontiguousarray(y.reshape(len(y), -1), dtype=dtype)
        if not np.isfinite(target).all():
            raise ValueError(
                f"Input y contains a value too large for {np.dtype(dtype)}: the largest is "
                f"{np.abs(y).max():.3g}. Scale y, such as by TargetScaler, or fit on X of "
                "float64."
            )
        return target, None

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return outputs[:, 0] if self.ndim == 1 else outputs


def _columns(y: np.ndarray) -> int:
    return 1 if y.ndim == 1 else y.shape[1]
