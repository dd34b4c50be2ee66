"""What a fitted estimator shows: weights, and what was recorded epoch by epoch."""

import math

import numpy as np

from skdeep.training.gradient_recording import FLOW_NAMES, fill_gaps


def learned_attributes(network, state, *, keep_state):
    """The attributes of an estimator whose fit ended here.

    Parameters
    ----------
    network : Network
        What was trained.

    state : TrainingState
        Where training stands; gaps in its history are filled.

    keep_state : bool
        Whether training is to go on from there. Else what only that needs is left out.

    Returns
    -------
    attributes : dict of str to object
    """
    if FLOW_NAMES[0] in state.history:
        fill_gaps(network, state.history, state.epoch)
    return {
        "network_": network,
        "_training_state": state if keep_state else state.result(),
        "n_iter_": state.epoch,
        "best_iter_": state.best_epoch,
        "stopped_early_": state.ending == "no_improvement",
        "n_parameters_": network.parameters.size,
        "loss_": float(state.history.get("loss", [math.inf])[-1]),
    }


class LearnedAttributes:
    """The fitted attributes that come from `network_` and the training state."""

    @property
    def coefs_(self):
        return self._parameters("kernel")

    @property
    def intercepts_(self):
        # a dense layer before batch normalization leaves the bias to its shift
        return self._parameters("bias", "shift")

    @property
    def history_(self):
        if not hasattr(self, "_training_state"):
            raise self._not_fitted()
        state = self._training_state
        history = {k: np.array(x) for k, x in state.history.items() if k != "monitored"}
        return history | {"learning_rate": state.rates.expanded()}

    @property
    def best_loss_(self):
        curves = self.validation_loss_curve_, self.loss_curve_, [math.inf]
        return min(next(filter(None, curves)))

    @property
    def loss_curve_(self):
        return self._curve("loss") or []

    @property
    def validation_loss_curve_(self):
        return self._curve("validation_loss")

    @property
    def validation_scores_(self):
        return self._curve("validation_score")

    def _parameters(self, *names):
        if not hasattr(self, "network_"):
            raise self._not_fitted()
        addresses = self.network_.parameter_names()
        # a tuple: that another array is put in its place must not be ignored in silence
        return tuple(
            self.network_.view(*a) for a in addresses if a[1].rpartition(".")[2] in names
        )

    def _curve(self, name):
        if not hasattr(self, "_training_state"):
            raise self._not_fitted()
        history = self._training_state.history
        return history[name].values.tolist() if name in history else None

    def _not_fitted(self):
        return AttributeError(
            f"This {type(self).__name__} is not fitted yet: call fit first."
        )
