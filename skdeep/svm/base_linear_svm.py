"""What linear support vector machines share: their parameters, and what they learn."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skdeep.estimators import base_network_estimator
from skdeep.optimizers import OPTIMIZERS, Optimizer
from skdeep.svm.linear_outputs import linear_outputs
from skdeep.svm.solutions import warn_of_gap
from skdeep.svm.solvers.solve import EXACT_SOLVERS
from skdeep.training.tasks import no_callbacks
from skdeep.validation.inputs import convert_input, sum_duplicates
from skdeep.validation.named_parameters import NamedParameters
from skdeep.validation.targets import present_classes, present_numbers

_EXACT = ("auto", *EXACT_SOLVERS)
# What one fit leaves, and the next replaces: not all have all of it.
_LEARNED = (
    "coef_", "intercept_", "n_iter_", "margin_", "objective_", "duality_gap_",
    "support_", "support_vectors_", "n_support_", "dual_coef_", "_network",
)  # fmt: skip


def learns_in_batches(estimator):
    """Whether an estimator has `partial_fit`: with a stochastic optimizer it has."""
    if estimator._exact:
        raise AttributeError(
            "partial_fit needs a stochastic optimizer, such as optimizer='sgd' or "
            f"'adam'; {estimator.optimizer!r} solves for all samples at once."
        )
    return base_network_estimator.learns_in_batches(estimator)


def dual_attributes(X, dual):
    """The support vectors: the samples with a dual coefficient."""
    support = np.unique(dual.indices).astype(np.int32)
    parts = dual.data, np.searchsorted(support, dual.indices), dual.indptr
    dual = csr_array(parts, shape=(dual.shape[0], len(support)))
    return {
        "support_": support,
        "support_vectors_": X[support],
        "dual_coef_": dual if dual.shape[0] > 1 else dual.toarray(),
    }


class BaseLinearSVM(NamedParameters, CallbackSupportMixin, BaseEstimator):
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
        with np.errstate(all="ignore"):
            total = np.sum(sample_weight)
            C = float(1.0 / (total * self.weight_decay))
        if not 0 < C < np.inf:
            raise ValueError(
                f"weight_decay={self.weight_decay} with sample weights whose sum is "
                f"{total:.3g} stands for C={C:g}. Give weights of sizes near 1, and a "
                "weight_decay that makes C a number above zero."
            )
        return C

    def _check_exact_options(self):
        if self.dropout:
            raise ValueError(
                f"dropout={self.dropout} has no meaning for the exact optimizer "
                f"{self.optimizer!r}. Set dropout=0, or train with a stochastic "
                "optimizer such as 'adam'."
            )
        if self.optimizer == "interior_point" and self._row_loss.is_smooth:
            raise ValueError(
                f"optimizer='interior_point' is for losses that are not squared, but "
                f"loss is {self.loss!r}. Use 'newton' or 'auto'."
            )

    # --- fitting ------------------------------------------------------------------

    def _learn(self, **learned):
        """Take over what was learned, all at once, in place of what was before."""
        kept = {name: x for name, x in vars(self).items() if name not in _LEARNED}
        self.__dict__ = kept | learned

    def _attributes_with(self, learned):
        """The attributes of an estimator that has learned this, and has no callbacks."""
        return vars(self) | learned | no_callbacks()

    def _end(self, tasks, interrupt, machines=()):
        """End a fit that is learned: with a warning, or as the user wanted it to end."""
        if interrupt is None:
            if self._exact:
                names = getattr(self, "classes_", None)
                warn_of_gap(machines, names, self.tol, self.max_iter)
            tasks.end_fit()
            return
        gaps = [machine.duality_gap for machine in machines]
        gap = f", with a relative duality gap of {max(gaps):.2g}" if gaps else ""
        stopped = KeyboardInterrupt()
        stopped.add_note(
            "The fit was interrupted. The best solution so far was kept: the estimator is "
            f"fitted{gap}."
        )
        raise stopped from None

    def _keeps_interrupted_fit(self, before):
        coef = vars(self).get("coef_")
        return coef is not None and coef is not before.get("coef_")

    def _learned_by(self, network):
        """The attributes that come from a network."""
        return network.learned()

    # --- what was learned ---------------------------------------------------------

    @property
    def loss_curve_(self):
        """The cost after each epoch, with a stochastic optimizer."""
        if not hasattr(self, "_network"):
            raise AttributeError(
                f"This {type(self).__name__} has no loss_curve_: only fits with a "
                "stochastic optimizer have one."
            )
        return self._network.loss_curve_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coef_")

    def _outputs(self, X):
        if not hasattr(self, "coef_"):  # asking first is faster
            check_is_fitted(self)
        X = validate_data(
            self,
            convert_input(X, checks=("csr",)),
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            reset=False,
        )
        z = linear_outputs(X, np.atleast_2d(self.coef_), self.intercept_)
        return z.ravel() if z.shape[1] == 1 else z

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
