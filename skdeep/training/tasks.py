"""A fit and its epochs as tasks of scikit-learn's callback API (`sklearn.callback`)."""

import numpy as np
from sklearn.utils import _safe_indexing


class FitTasks:
    """Tells an estimator's callbacks when a fit and each of its epochs begin and end.

    Nothing is computed for a callback that does not ask for it, and hardly anything is
    done where there is none.

    Parameters
    ----------
    estimator : estimator
        What is fitted. Its ``_attributes_after(network, state)`` gives the attributes
        of an estimator whose fit had stopped there.

    X, y : array-like
        The training data, as they were given.

    metadata : dict
        What else was given, by name; None where it was not.
    """

    def __init__(self, estimator, X, y, metadata):
        self._estimator = estimator
        self._X, self._y = X, y
        self._metadata = {k: v for k, v in metadata.items() if v is not None}
        self._rows = None
        self._has_callbacks = hasattr(estimator, "_skl_callbacks")
        self._context = self._epoch = None

    def begin(self, name, n_epochs):
        """Begin the fit. The estimator has a network and a state, ready to be trained.

        Parameters
        ----------
        name : str
            The name of the task.

        n_epochs : int
            The epochs at most.
        """
        self._context = self._estimator._init_callback_context(name, max_subtasks=n_epochs)
        self._context.call_on_fit_task_begin(
            estimator=self._estimator, X=self._X, y=self._y, metadata=self._metadata
        )

    def leave_out(self, rows):
        """Keep the rows that were set aside for validation from the callbacks."""
        self._rows = rows

    def begin_epoch(self, monitor):
        """Begin an epoch."""
        if self._has_callbacks:
            self._epoch = self._context.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._arguments(monitor))

    def end_epoch(self, monitor):
        """End an epoch; return whether a callback wants training to stop."""
        if self._epoch is None:
            return False
        epoch, self._epoch = self._epoch, None
        return epoch.call_on_fit_task_end(**self._arguments(monitor))

    def abandon_epoch(self):
        """End an epoch that came to nothing, if one has begun."""
        if self._epoch is not None:
            epoch, self._epoch = self._epoch, None
            epoch.call_on_fit_task_end(estimator=self._estimator)

    def end(self):
        """End the fit, whose estimator is fitted now."""
        self._context.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=self._own_network,
            **self._samples(),
        )

    def _arguments(self, monitor):
        def attributes():
            return self._estimator._attributes_after(
                monitor.finished_network(), monitor.state
            )

        return {
            "estimator": self._estimator,
            "reconstruction_attributes": attributes,
            **self._samples(),
        }

    def _own_network(self):
        estimator = self._estimator
        return estimator._attributes_after(
            estimator.network_.copy(), estimator._training_state
        )

    def _samples(self):
        """The samples that train. Of the metadata, scorers know the weights only."""
        names = self._metadata.keys() & {"sample_weight"}
        return {
            "X": lambda: self._trained(self._X),
            "y": lambda: self._trained(self._y),
            "metadata": lambda: {k: self._trained(self._metadata[k]) for k in names},
        }

    def _trained(self, values):
        if self._rows is None:
            return values
        kept = np.setdiff1d(np.arange(len(self._y)), self._rows)
        return _safe_indexing(values, kept)
