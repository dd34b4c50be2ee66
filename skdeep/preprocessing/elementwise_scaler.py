"""Scalers that change each value by itself: any rank, dense or sparse, both ways."""

from abc import abstractmethod

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from skdeep.preprocessing.base_scaler import BaseScaler
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
        return self._map(self._forward, self._check(X, reset=False, checks=self._checks))

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
        return self._map(self._backward, self._check_scaled(X, self._checks))

    @property
    def _checks(self):
        """The sparse formats whose indices are checked on the way; not in place."""
        return ("csr", "csc") if self.copy else ()

    def _take(self, statistics, n_samples):
        super()._take(statistics, n_samples)
        parameters = [p for p in self._parameters(np.float64) if p is not None]
        sizes = np.abs(np.concatenate(parameters)) if parameters else np.ones(1)
        ordinary = (sizes > 2.0**-100) & (sizes < 2.0**100)
        self._fits_float32 = bool((ordinary | ~(sizes > 0)).all())

    def _map(self, function, X):
        out = self._output(X)
        dtype = out.dtype
        if dtype == np.float32 and not self._fits_float32:
            function, dtype = _in_float64(function), np.float64
        parameters = self._parameters(dtype)
        if issparse(X):
            map_sparse(function, X, out, parameters)
        else:
            map_features(function, X, out, self._axes(X), parameters)
        return out


def _in_float64(function):
    """The function computed in float64, where float32 cannot hold what is on the way."""

    def wide(x, out, *parameters):
        wider = np.empty(out.shape)
        function(x.astype(np.float64), wider, *parameters)
        out[...] = wider

    return wide
