"""Scalers that change each value by itself: any rank, dense or sparse, both ways."""

from abc import abstractmethod

from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from skdeep.preprocessing.base import BaseScaler
from skdeep.preprocessing.blocks import map_features, map_sparse


class ElementwiseScaler(BaseScaler):
    """Base of scalers with a function of one value and its feature's parameters."""

    @abstractmethod
    def _parameters(self, dtype):
        """Arrays of one number a feature, or None, for `_forward` and `_backward`."""

    @abstractmethod
    def _forward(self, x, out, *parameters):
        """Write scaled values to out: as many as there are parameters, or rows of them."""

    @abstractmethod
    def _backward(self, x, out, *parameters):
        """Undo `_forward`."""

    def transform(self, X):
        """Scale features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ..., n_features)
            The data.

        Returns
        -------
        X_scaled : {ndarray, sparse matrix} of the same shape
            The scaled data: float32 for float32 and for integers of up to 16 bits, else
            float64. With ``copy=False``, floating-point X itself.
        """
        check_is_fitted(self)
        return self._map(self._forward, self._check(X, reset=False))

    def inverse_transform(self, X):
        """Scale features back.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ..., n_features)
            Scaled data.

        Returns
        -------
        X_original : {ndarray, sparse matrix} of the same shape
            The data in the units of those that were fitted.
        """
        check_is_fitted(self)
        return self._map(self._backward, self._check_scaled(X))

    def _map(self, function, X):
        out = self._output(X)
        if issparse(X):
            map_sparse(function, X, out, self._parameters(out.dtype))
        else:
            parameters = self._parameters(out.dtype)
            map_features(function, X, out, self._axes(X), parameters)
        return out
