"""Constructors that store what they are given, and do nothing else."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Constructor = TypeVar("Constructor", bound=Callable[..., None])


def stores_parameters(init: Constructor) -> Constructor:
    """Let a constructor store each of its parameters under the parameter's name.

    That is all that a constructor of scikit-learn's API may do. The signature stays the
    one that is written down, for `get_params`, `help` and editors. A subclass calls it as
    any other constructor, by ``super().__init__(...)``.

    Parameters
    ----------
    init : callable
        The constructor; its body is empty.

    Returns
    -------
    init : callable

    Examples
    --------
    >>> from sklearn.base import BaseEstimator
    >>> from skdeep.validation.stored_parameters import stores_parameters
    >>> class Ridge(BaseEstimator):
    ...     @stores_parameters
    ...     def __init__(self, alpha=1.0, *, tol=1e-4): ...
    >>> Ridge(2.0).get_params()
    {'alpha': 2.0, 'tol': 0.0001}
    """
    _, *parameters = inspect.signature(init).parameters.values()
    defaults = {p.name: p.default for p in parameters}

    @wraps(init)
    def store(self, *args, **kwargs):
        init(self, *args, **kwargs)  # Python says which arguments are wrong
        given = dict(zip(defaults, args, strict=False)) | kwargs
        for name, value in (defaults | given).items():
            setattr(self, name, value)

    # to a type checker `store` takes anything; its signature is that of `init`
    return store  # type: ignore[return-value]
