"""What linear support vector machines share: their parameters, and what they learn."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from skdeep.estimators import base
from skdeep.inputs import convert_input, sum_duplicates
from skdeep.named_parameters import NamedParameters
from skdeep.optimizers import OPTIMIZERS, Optimizer
from skdeep.solvers.solve import EXACT_SOLVERS
from skdeep.targets import present_classes, present_numbers

_EXACT = ("auto", *EXACT_SOLVERS)


def learns_in_batches(estimator):
    """Whether an estimator has `partial_fit`: with a stochastic optimizer it has."""
    if estimator._exact:
        raise AttributeError(
            "partial_fit needs a stochastic optimizer, such as optimizer='sgd' or "
            f"'adam'; {estimator.optimizer!r} solves for all samples at once."
        )
    return base.learns_in_batches(estimator)


class BaseLinearSVM(NamedParameters, BaseEstimator):
    """What the classifier and the regressor share."""

    _named_objects = {"optimizer": OPTIMIZERS}

    _parameter_constraints = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "optimizer": [StrOptions({*_EXACT, *OPTIMIZERS}), Optimizer],
        "fit_intercept": ["boolean"],
        "weight_decay": [Interval(Real, 0, None, closed="neither"), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "learning_rate": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "batch_size": [
            StrOptions({"auto", "full"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @property
    def _exact(self):
        return isinstance(self.optimizer, str) and self.optimizer in _EXACT

    def _validate(self, X, y, *, reset, **options):
        y = present_numbers(y) if options.get("y_numeric") else present_classes(y)
        return validate_data(
            self,
            sum_duplicates(convert_input(X)),
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            reset=reset,
            **options,
        )

    def _cost(self, sample_weight):
        """C, or what stands for it."""
        if self.weight_decay is None:
            return float(self.C)
        if self.C != 1.0:
            raise ValueError(
                f"C={self.C} and weight_decay={self.weight_decay} were both given, but "
                "weight_decay=d is another way to say C=1/(n*d), where n is the sum of "
                "the sample weights: give one of them."
            )
        return 1.0 / (float(sample_weight.sum()) * self.weight_decay)

    def _check_exact_options(self):
        if self.dropout:
            raise ValueError(
                f"dropout={self.dropout} has no meaning for the exact optimizer "
                f"{self.optimizer!r}. Set dropout=0, or train with a stochastic "
                "optimizer such as 'adam'."
            )
        if self.optimizer == "interior_point" and self.loss.startswith("squared"):
            raise ValueError(
                f"optimizer='interior_point' is for losses that are not squared, but "
                f"loss is {self.loss!r}. Use 'newton' or 'auto'."
            )

    def _learn_network(self, network, dtype):
        """Take over what a network has learned."""
        self._network = network
        self.n_iter_ = network.n_iter_
        self.loss_curve_ = network.loss_curve_
        coef = network.coefficients().astype(dtype)
        intercept = network.intercepts_[0] if self.fit_intercept else np.zeros(len(coef))
        for name in ("support_", "support_vectors_", "n_support_", "dual_coef_"):
            vars(self).pop(name, None)
        return coef, np.asarray(intercept, dtype=dtype)

    def _learn_dual(self, X, dual):
        """Take over the support vectors: the samples with a dual coefficient."""
        dual = np.atleast_2d(dual)
        self.support_ = np.flatnonzero(dual.any(axis=0)).astype(np.int32)
        self.support_vectors_ = X[self.support_]
        self.dual_coef_ = np.ascontiguousarray(dual[:, self.support_], dtype=X.dtype)
        for name in ("_network", "loss_curve_"):
            vars(self).pop(name, None)

    def _linear(self, X):
        check_is_fitted(self)
        X = validate_data(
            self,
            convert_input(X),
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            reset=False,
        )
        z = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return z[:, 0] if z.ndim == 2 and z.shape[1] == 1 else z

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
