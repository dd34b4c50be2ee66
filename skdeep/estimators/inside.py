"""What callbacks and inspection see of an estimator: its network, and data for that.

Whoever looks into an estimator from outside of this room asks here.
"""

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skdeep.estimators.base_network_estimator import BaseNetworkEstimator


def check_is_network(estimator):
    """Raise a ValueError where an estimator is not one of skdeep's own, such as a pipeline.

    Raises
    ------
    ValueError
        It says what to pass instead.
    """
    if not isinstance(estimator, BaseNetworkEstimator):
        hint = ""
        if hasattr(estimator, "steps"):
            hint = " Of a pipeline pass the last step, pipeline[-1], and data that went "
            hint += "through the steps before, pipeline[:-1].fit_transform(X)."
        elif hasattr(estimator, "best_estimator_"):
            hint = " Of a search pass its best_estimator_."
        raise ValueError(
            f"An estimator of skdeep that trains a network was expected, such as "
            f"MLPClassifier. Got a {type(estimator).__name__}.{hint}"
        )


def training_of(estimator):
    """The network and the state of a training: of one that goes on, or of the last."""
    return estimator.network_, estimator._training_state


def fitted_network(estimator):
    """The network of an estimator; an error where that has none, or is not fitted."""
    check_is_network(estimator)
    check_is_fitted(estimator)
    return estimator.network_


def network_samples(estimator, X):
    """A user's X, checked, as the network of a fitted estimator takes it."""
    return estimator._samples(X)


def network_to_measure(estimator, X, y, sample_weight):
    """A network as it is, or as a fit would start with, and data as `fit` takes them.

    Parameters
    ----------
    estimator : estimator
        It does not change.

    X, y, sample_weight : array-like
        The data.

    Returns
    -------
    network : Network
    key : tuple of int
        Decides the random numbers of its training.
    data : TrainingData
    """
    fitted = hasattr(estimator, "network_")
    estimator = estimator if fitted else clone(estimator)
    estimator._validate_params()
    data = estimator._check_data(X, y, sample_weight, first=not fitted)
    network, state = training_of(estimator) if fitted else estimator._started(data)
    return network, state.key, data.for_network(network.dtype)


def as_array(estimator, X):
    """An X as an array or CSR matrix, whose rows the estimator's fit takes as well."""
    estimator._validate_params()
    return estimator._new_inputs().as_array(X)
