"""What an estimator knows of its targets, and how these meet the network."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np

from skdeep.engine.batch import OneHot
from skdeep.losses import Loss


class Targets(ABC):
    """What an estimator has to know of its targets.

    An estimator makes one from its parameters for every call of `fit`, and holds it. The
    first learns from y what targets are; those of fits that go on take that over.

    Parameters
    ----------
    owner : str
        The name of the estimator's class, for errors.

    loss : str or Loss
        The estimator's parameter.

    Attributes
    ----------
    loss : Loss
        What the parameter names.

    n_outputs : int
        How many outputs the network has.
    """

    #: What `sklearn.utils.validation.validate_data` calls ``y_numeric``.
    numeric: ClassVar[bool]
    #: The losses by name; the one that "auto" is; and what `Loss.task` calls them.
    losses: ClassVar[dict[str, Loss]]
    default_loss: ClassVar[str]
    task: ClassVar[str]
    #: The attributes that are learned from the first targets.
    learned: ClassVar[tuple[str, ...]]

    n_outputs: int

    def __init__(self, owner: str, loss: str | Loss) -> None:
        self.owner = owner
        self.given_loss = loss
        self.loss = self._named_loss(loss)

    def _named_loss(self, loss: str | Loss) -> Loss:
        if isinstance(loss, str):
            return self.losses[self.default_loss if loss == "auto" else loss]
        loss._validate_params()
        if loss.task not in (None, self.task):
            raise ValueError(
                f"{type(loss).__name__} is a loss for {loss.task}, which "
                f"{self.owner} does not do. Use one of {sorted(self.losses)}, or a "
                f"subclass of skdeep.losses.Loss whose task is {self.task!r} or None."
            )
        return loss

    def going_on_from(self, earlier: Self) -> Self:
        """These targets, with what those of an earlier fit have learned."""
        for name in self.learned:
            setattr(self, name, getattr(earlier, name))
        return self

    # --- the user's targets -------------------------------------------------------

    @abstractmethod
    def present(self, y: Any) -> Any:
        """A user's y without what scikit-learn's validation would let through."""

    @abstractmethod
    def learn(self, y: Any, classes: np.ndarray | None = None) -> np.ndarray:
        """Check the first y, and learn from it what targets are.

        Parameters
        ----------
        y : array-like
            What scikit-learn's validation let through.

        classes : ndarray or None, default=None
            The sorted classes, where more may come than y has.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """

    @abstractmethod
    def check(self, y: Any) -> np.ndarray:
        """Check another y than the first, as `learn` does, against what was learned."""

    def strata(self, y: np.ndarray) -> np.ndarray | None:
        """What a split into parts keeps the proportions of, if anything."""
        return None

    # --- what weighs in the loss --------------------------------------------------

    def learn_weights(  # noqa: B027 - by default nothing is learned
        self, y: np.ndarray, sample_weight: np.ndarray, *, partial: bool
    ) -> None:
        """Learn from training targets what `weights` gives.

        Parameters
        ----------
        y : ndarray
            The targets, checked.

        sample_weight : ndarray of shape (n_samples,)
            The samples' weights.

        partial : bool
            Whether these are some of the training targets only.
        """

    def weights(self, y: np.ndarray) -> Any:
        """A factor of each sample's weight, or of all."""
        return 1.0

    def check_weighted(  # noqa: B027 - by default any weights will do
        self, y: np.ndarray, weight: np.ndarray
    ) -> None:
        """Raise a ValueError where too little is left of y without zero weights."""

    def training_loss(self, y: np.ndarray, sample_weight: np.ndarray, dtype: Any) -> Loss:
        """The loss that is minimized for such targets, in numbers of a type."""
        return self.loss

    # --- the network's targets ----------------------------------------------------

    @abstractmethod
    def encode(self, y: np.ndarray, dtype: Any) -> tuple[np.ndarray, OneHot | None]:
        """The targets as the loss takes them, and how numbers of classes become targets.

        Parameters
        ----------
        y : ndarray
            The targets, checked.

        dtype : dtype
            The type of the network's numbers.

        Returns
        -------
        target : ndarray of shape (n_samples, n_outputs), or of int of shape (n_samples,)
        one_hot : OneHot or None
            Where `target` is of numbers of classes.
        """

    @abstractmethod
    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """The targets that outputs stand for."""
