"""Callbacks for networks, in scikit-learn's callback API (`sklearn.callback`)."""

from contextlib import contextmanager
from numbers import Integral
from os import PathLike

from sklearn.utils._param_validation import Interval, validate_params

from skdeep.estimators.base_network_estimator import BaseNetworkEstimator
from skdeep.estimators.inside import training_of
from skdeep.optimizers import LBFGS, get_optimizer
from skdeep.training.checkpoint import CheckpointFile, class_name, describe_training
from skdeep.validation.notices import warn_user

__all__ = ["Checkpoint"]


class Checkpoint:
    """Saves training after each epoch; the same `fit` goes on from there.

    If the process is killed, at any moment, the same call of `fit`, with the same
    parameters and data, finds the file and does the epochs that are left. It ends with
    the very weights of a `fit` that was never killed, bit for bit, on the same kind of
    machine. The file is always complete: it is written under another name and renamed.

    The file is removed when training has ended by itself. It stays after an interrupt
    (Ctrl-C), which a later `fit` undoes: it goes on from the last epoch that was saved.

    Parameters
    ----------
    path : str or path-like
        The file. Where it holds ``{fingerprint}``, in its name or in that of a folder,
        that stands for a word that differs with the class, the parameters and the data:
        so one callback can serve the many fits of a grid search, each with a file of its
        own. Missing folders are made.

    every_n_epochs : int, default=1
        The epochs from one file to the next. At most so many are done again.

    Raises
    ------
    ValueError
        From `fit`, where the file is of another class of estimator, of other parameters
        or data, or of another version of skdeep, or is damaged; the error names the file
        and says which. For L-BFGS, whose memory of earlier steps cannot be saved.

    Warns
    -----
    UserWarning
        From `fit`, where the file cannot be written, such as on a disk that is full.
        Training goes on, the last whole file stays, and the next epoch tries again.

    Notes
    -----
    What counts are all parameters but `verbose`, the data by their contents, and the
    epochs that were done before. With ``random_state=None`` the random numbers of the
    file go on.

    `partial_fit` takes no notice of it: whoever calls it can pickle the estimator, which
    goes on exactly as well.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import MLPClassifier
    >>> from skdeep.callbacks import Checkpoint
    >>> X, y = load_iris(return_X_y=True)
    >>> path = Path(tempfile.mkdtemp()) / "iris.checkpoint"
    >>> model = MLPClassifier(learning_rate=0.01, random_state=0)
    >>> model = model.set_callbacks(Checkpoint(path)).fit(X, y)
    >>> path.exists()  # training has come to its end
    False
    """

    @validate_params(
        {
            "path": [str, PathLike],
            "every_n_epochs": [Interval(Integral, 1, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(self, path, every_n_epochs=1):
        self.path = path
        self.every_n_epochs = every_n_epochs
        self._files = {}

    def __getstate__(self):
        # those of fits that go on in this process
        return vars(self) | {"_files": {}}

    def setup(self, estimator, context):
        """Check that the estimator can be saved."""
        if not isinstance(estimator, BaseNetworkEstimator):
            raise TypeError(
                "Checkpoint saves the training of a network of skdeep. It was set on "
                f"{type(estimator).__name__}: set it on the network itself, such as the "
                "last step of a Pipeline or the estimator of a grid search."
            )
        if isinstance(get_optimizer(estimator.optimizer), LBFGS):
            raise ValueError(
                "Checkpoint cannot save the training of optimizer='lbfgs': SciPy keeps "
                "its memory of earlier steps. Use another optimizer, or no Checkpoint."
            )

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        """Go on from the file, if there is one."""
        if context.task_name != "fit":
            return
        network, state = training_of(estimator)
        description = describe_training(estimator, state.epoch, X, y, metadata)
        file = CheckpointFile(self.path, class_name(estimator), description)
        file.path.parent.mkdir(parents=True, exist_ok=True)
        file.restore(network, state)
        self._files[estimator] = file

    def on_fit_task_end(self, estimator, context):
        """Save after an epoch; remove the file after the last."""
        file = self._files.get(estimator)
        if file is None:  # partial_fit
            return
        network, state = training_of(estimator)
        if context.task_name == "fit":
            with _warns_of_the_disk(f"The checkpoint {file.path} cannot be removed"):
                file.remove()
        elif state.ending or state.epoch % self.every_n_epochs == 0:
            with _warns_of_the_disk(f"The checkpoint {file.path} cannot be saved"):
                file.write(network, state)

    def teardown(self, estimator, context):
        """Forget the fit, however it ended."""
        self._files.pop(estimator, None)


@contextmanager
def _warns_of_the_disk(what):
    """What a disk refuses is told in a warning: training is worth more than its copy."""
    try:
        yield
    except OSError as error:
        warn_user(
            f"{what} ({error.strerror or error}). Training goes on with all that is in "
            "memory, and the file stays as it was."
        )
