"""A fit and its epochs as tasks of scikit-learn's callback API (`sklearn.callback`)."""

from functools import cached_property

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples


def no_callbacks():
    """The attributes of an estimator that has no callbacks.

    None are pickled with it, and none end before the fit that they are of.
    """
    none = {"_skl_callbacks": [], "_skl_callbacks_to_teardown": []}
    return none | {"_callback_fit_ctx": None}


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
        self._given = {"X": X, "y": y}
        self._metadata = {k: v for k, v in metadata.items() if v is not None}
        self._given |= self._metadata
        self._held_out = None
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
            estimator=self._estimator,
            X=self._given["X"],
            y=self._given["y"],
            metadata=self._metadata,
        )

    def leave_out(self, rows):
        """Keep the rows that were set aside for validation from the callbacks."""
        self._held_out = rows

    def begin_epoch(self, monitor):
        """Begin an epoch."""
        if self._has_callbacks:
            self._epoch = self._context.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(
                estimator=self._estimator,
                reconstruction_attributes=lambda: self._attributes_of(monitor),
            )

    def end_epoch(self, monitor):
        """End an epoch; return whether a callback wants training to stop."""
        if self._epoch is None:
            return False
        epoch, self._epoch = self._epoch, None
        return epoch.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=lambda: self._attributes_of(monitor),
            **self._samples(),
        )

    def abandon_epoch(self):
        """End an epoch that came to nothing, if one has begun."""
        if self._epoch is not None:
            epoch, self._epoch = self._epoch, None
            epoch.call_on_fit_task_end(estimator=self._estimator)

    def end(self, network, state):
        """End the fit, whose estimator is fitted now, with this network and state."""
        self._context.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=lambda: self._estimator._attributes_after(
                network.copy(), state
            ),
            **self._samples(),
        )

    def _attributes_of(self, monitor):
        network = monitor.finished_network()
        return self._estimator._attributes_after(network, monitor.state)

    def _samples(self):
        """What callbacks may ask for. Of the metadata, scorers know the weights only."""
        return {
            "X": lambda: self._trained["X"],
            "y": lambda: self._trained["y"],
            "metadata": lambda: {
                k: v for k, v in self._trained.items() if k == "sample_weight"
            },
        }

    @cached_property
    def _trained(self):
        """The samples that train, by name: without those that were set aside."""
        names = self._given.keys() & {"X", "y", "sample_weight"}
        samples = {name: self._given[name] for name in names}
        if self._held_out is None:
            return samples
        rows = np.setdiff1d(np.arange(_num_samples(samples["y"])), self._held_out)
        return {name: _safe_indexing(values, rows) for name, values in samples.items()}
