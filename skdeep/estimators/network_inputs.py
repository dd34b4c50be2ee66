"""How X enters a network: what is accepted, and what is learned of the first X."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skdeep.validation.inputs import convert_input


def number_type(X):
    """The type of a network's numbers for some X: bytes become float32."""
    return np.dtype(np.float32) if X.dtype == np.uint8 else X.dtype


class Inputs:
    """Tables, dense or sparse, which a network takes as they are.

    An estimator makes one where a fit starts anew, and holds it. It learns from the first
    X; every other X is checked against that. Other kinds of inputs are subclasses.

    Attributes
    ----------
    takes_sparse : bool
        Whether X may be a sparse matrix.

    holds_bytes : bool
        Whether the first X was of bytes, from 0 to 255.

    shape : tuple of int
        The shape of a sample.

    dtype : dtype
        The type of the network's numbers.
    """

    takes_sparse: bool = True
    holds_bytes: bool = False
    shape: tuple[int, ...]
    dtype: np.dtype

    def learn(self, estimator: Any, X: Any, *y: Any, **options: Any) -> Any:
        """Check the first X, and learn from it what samples are.

        Parameters
        ----------
        estimator : estimator
            Gets the number and the names of the features, from scikit-learn's validation.

        X : array-like or sparse matrix
            What the user gave.

        *y : array-like
            The targets, if they are to be checked with X.

        **options : dict
            More options of `sklearn.utils.validation.validate_data`.

        Returns
        -------
        X : ndarray or csr matrix
            Or X and y.
        """
        options = self._options([np.float64, np.float32]) | options
        validated = _validate(estimator, convert_input(X), y, reset=True, **options)
        X = validated[0] if y else validated
        self._learn(X)
        self.dtype = number_type(X)
        return validated

    def learn_weighted(self, X: Any, sample_weight: np.ndarray) -> None:
        """Learn from the first X, checked, what depends on the samples' weights."""

    def check(self, estimator: Any, X: Any, *y: Any, **options: Any) -> Any:
        """Check another X than the first, as `learn` does, against what was learned."""
        X = convert_input(X)  # lists have a shape then
        options = self._options([self.dtype]) | self._expect(X) | options
        validated = _validate(estimator, X, y, reset=False, **options)
        self._check(validated[0] if y else validated)
        return validated

    def as_array(self, X: Any) -> Any:
        """An X as an array or CSR matrix that may be cut into rows; nothing is learned."""
        options = self._options([np.float64, np.float32])
        return check_array(convert_input(X), ensure_2d=False, **options)

    def samples(self, X: Any) -> Any:
        """A checked X as the network takes it."""
        return X

    # --- what other kinds of inputs say -------------------------------------------

    def _options(self, dtypes: list[Any]) -> dict[str, Any]:
        """What scikit-learn's validation accepts as X, given types of floating point."""
        return {"accept_sparse": "csr", "dtype": dtypes}

    def _expect(self, X: Any) -> dict[str, Any]:
        """Check the shape of another X than the first; give options for its validation."""
        return {}

    def _learn(self, X: Any) -> None:
        self.shape = X.shape[1:]

    def _check(self, X: Any) -> None:
        """Check the values of another X than the first."""


def _validate(estimator, X, y, **options):
    y = [convert_input(labels, name="y") if issparse(labels) else labels for labels in y]
    return validate_data(estimator, X, *y, **options)
