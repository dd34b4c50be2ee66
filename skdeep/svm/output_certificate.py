"""Certificates of what predicts: the objective of the outputs that users get.

Solvers work on rows that are centred and turned, and measure their solutions there. The
outputs for rows as they came may have fewer digits: then the objective is another by what
that costs, and the gap is as wide, at least.
"""

from dataclasses import replace

import numpy as np

from skdeep.svm.linear_outputs import linear_outputs

# Objectives that differ by less are sums of the same losses in another order.
_ROUNDING = 1e-13


def certify_classes(machines, X, codes, cost, loss, *, joint, penalty=0.5):
    """The machines of a classifier, with certificates of their outputs.

    Parameters
    ----------
    machines : list of Machine
        One, or one for each class; one for all where `joint`.

    X : {ndarray, csr matrix} of shape (n_samples, n_features)
        The samples as they came.

    codes : ndarray of int of shape (n_samples,)
        The number of each sample's class.

    cost : ndarray of shape (n_samples,)
        What an error costs.

    loss : Hinge
        The loss of an error.

    joint : bool
        Whether the machine is Crammer and Singer's.

    penalty : float, default=0.5
        The weight of the squared norm in the objective.

    Returns
    -------
    machines : list of Machine
    """
    if joint:
        reached = linear_outputs(X, machines[0].w, machines[0].b)
        own = np.take_along_axis(reached, codes[:, None], axis=1)
        reached += 1.0 - own
        np.put_along_axis(reached, codes[:, None], 0.0, axis=1)
        errors = reached.max(axis=1)
        return [_certify(machines[0], penalty, errors, cost, loss)]
    certified = []
    for number, machine in enumerate(machines):
        positive = number if len(machines) > 1 else 1
        margins = _outputs(machine, X) * np.where(codes == positive, 1.0, -1.0)
        certified.append(_certify(machine, penalty, 1.0 - margins, cost, loss))
    return certified


def certify_regression(machine, X, y, cost, loss):
    """The same of a regression."""
    errors = loss.errors(y - _outputs(machine, X))
    edge = np.finfo(float).eps * max(float(np.max(np.abs(y))), loss.epsilon)
    if not machine.objective and np.max(errors) <= edge:
        return machine  # targets that touch the tube's edges, up to rounding
    return _certify(machine, 0.5, errors, cost, loss)


def _outputs(machine, X):
    return linear_outputs(X, machine.w[None], np.atleast_1d(machine.b))[:, 0]


def _certify(machine, penalty, errors, cost, loss):
    with np.errstate(all="ignore"):  # what is not finite has a gap that says so
        losses = loss.of(np.maximum(errors, 0.0))
        objective = penalty * float(np.sum(machine.w**2)) + float(np.sum(cost * losses))
        off = abs(objective - machine.objective)
        if off <= _ROUNDING * machine.objective:
            return machine
        bound = machine.objective * (1 - machine.duality_gap)
        gap = max(machine.duality_gap, np.abs(np.divide(objective - bound, objective)))
    return replace(machine, objective=objective, duality_gap=float(gap))
