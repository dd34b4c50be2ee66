"""What a fitted estimator shows: weights, and what was recorded epoch by epoch."""

import numpy as np


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
            raise AttributeError(
                f"This {type(self).__name__} is not fitted yet: call fit first."
            )
        state = self._training_state
        history = {k: np.asarray(x) for k, x in state.history.items() if k != "monitored"}
        return history | {"learning_rate": state.learning_rates()}

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
            raise AttributeError(
                f"This {type(self).__name__} is not fitted yet: call fit first."
            )
        addresses = self.network_.parameter_names()
        # a tuple: that another array is put in its place must not be ignored in silence
        return tuple(
            self.network_.view(*a) for a in addresses if a[1].rpartition(".")[2] in names
        )

    def _curve(self, name):
        history = self.history_
        return history[name].tolist() if name in history else None
