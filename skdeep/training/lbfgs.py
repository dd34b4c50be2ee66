"""Batch training by L-BFGS, through SciPy; each of its iterations counts as an epoch."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from skdeep.engine.batch import BatchPlan
from skdeep.engine.threads import single_threaded_blas
from skdeep.training.distinct import distinct_samples
from skdeep.training.divergence import Step, explain_divergence
from skdeep.training.gradient_recording import begin_recording, update_ratios


def minimize_lbfgs(network, data, state, monitor, record=None):
    """Train on all data at once until the monitor says to stop, or a minimum is found.

    Parameters
    ----------
    network : Network
        What is trained, in place; its optimizer is `LBFGS`.

    data : TrainingData
        The samples, with weights of any sum.

    state : TrainingState
        Where training stands, moved on.

    monitor : Monitor
        Ends every iteration.

    record : {"gradients"} or None, default=None
        What is recorded of each iteration besides the loss.

    Raises
    ------
    KeyboardInterrupt
        Where the user ended training; the network has the best weights so far.
    """
    try:
        _minimize(network, data, state, monitor, record)
        monitor.finish()
    except KeyboardInterrupt:
        monitor.interrupt()
        raise


def _minimize(network, data, state, monitor, record):
    rows, merged = distinct_samples(data)
    weight = np.zeros_like(data.weight)
    weight[rows] = merged / merged.sum()
    data = replace(data, weight=weight)
    evaluate = network.objective(data, rows)
    network.plan = BatchPlan.of(data, len(rows), whole=False)
    probe = None
    if record == "gradients":
        probe = begin_recording(network, data, state)
    last = {"begun": False, "before": network.parameters.copy()}

    def objective(parameters):
        if not last["begun"]:
            last["begun"] = True
            monitor.start_epoch()
        last["parameters"] = parameters.copy()
        last["cost"], last["gradient"] = evaluate(parameters)
        return last["cost"], last["gradient"]

    def explain(largest):
        step = Step(
            epoch=state.epoch + 1,
            number=1,
            loss=last["cost"],
            norms=network.layer_norms(last["gradient"]),
            learning_rate=1.0,
            update_failed=False,
        )
        return explain_divergence([step], largest)

    def end_iteration(intermediate_result):
        # the last evaluation may have been elsewhere on the line that was searched
        if not np.array_equal(last["parameters"], intermediate_result.x):
            objective(intermediate_result.x)
        last["begun"] = False
        monitor.keep_weights()  # the cost is that of the weights after the iteration
        flow = None
        if probe is not None:
            flow = probe.measure()
            flow["update_ratio"] = update_ratios(network, last["before"])
            last["before"] = network.parameters.copy()
        monitor.end_epoch(last["cost"], np.ones(1), explain, flow)
        if state.ending:
            raise StopIteration

    optimizer, rule = network.optimizer, monitor.rule
    start = network.parameters.astype(np.float64)
    try:
        # SciPy's own sums must not depend on the number of threads either
        with np.errstate(all="ignore"), single_threaded_blas():
            result = minimize(
                objective,
                start,
                jac=True,
                method="L-BFGS-B",
                callback=end_iteration,
                options={
                    "maxiter": rule.max_epochs,
                    "maxfun": optimizer.max_evaluations,
                    "maxcor": optimizer.history,
                    "gtol": rule.tol,
                    "ftol": 64 * np.finfo(np.float64).eps,
                },
            )
            if not state.ending and not np.array_equal(last["parameters"], result.x):
                objective(result.x)  # the last line search found nothing better
            if not result.nit:
                # a minimum already, or no step to be found: an epoch that stays there
                end_iteration(result)
        state.ending = state.ending or ("minimum" if result.status == 0 else "max_iter")
        monitor.tasks.abandon_epoch()
    except StopIteration:
        pass
