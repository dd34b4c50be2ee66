"""How gradients flow through a network: what ``record="gradients"`` measures.

All of it is measured on a fixed probe batch, at the end of an epoch, but for the size of
the updates: those are of the epoch's last step.
"""

from dataclasses import replace

import numpy as np

from skdeep.engine.batch import BatchPlan
from skdeep.engine.network import StepMemory
from skdeep.training.series import Series

#: What is recorded for every layer that has a kernel, by its name in the history.
FLOW_NAMES = (
    "gradient_norm",
    "output_gradient_norm",
    "weight_norm",
    "update_ratio",
    "dead_fraction",
    "saturated_fraction",
)
#: The rows of the probe batch, at most.
PROBE_ROWS = 512
#: A unit is dead where its activation's slope is below this for every row of the probe.
DEAD_SLOPE = 1e-3
#: An output is saturated where the slope is below this share of the steepest one.
SATURATED_SHARE = 0.05
_STEEPEST = {"logistic": 0.25, "tanh": 1.0}

# What the probe's random numbers are for: no layer has this number.
_PROBING = 1 << 32


class GradientProbe:
    """Measures the flow of gradients through a network, without changing it.

    Parameters
    ----------
    network : Network
        What is looked at.

    data : TrainingData
        The samples; the probe takes up to `PROBE_ROWS` of those that have weight.

    key : tuple of int
        Decides which rows, and what dropout leaves out: the same at every measurement.
    """

    def __init__(self, network, data, key):
        self._network = network
        self._memory = StepMemory(network, key, 0)
        self._memory.step[0] = 1
        sample = _sample(data, self._memory.stream)
        n = len(sample.weight)
        plan = BatchPlan.of(sample, n, whole=True)
        program = network.gradient_program(plan, sample, self._memory)
        self._arrays = program.allocate(n)
        self._bound = program.bind(self._arrays, n)
        self._d_outs = _output_gradients(network, program)
        self._slopes = _slopes(network, program)

    @property
    def loss(self):
        """The mean loss of the probe when it was measured last."""
        return float(self._memory.total[0]) / self._bound.rows

    def measure(self):
        """Measure the flow through the network as it is now.

        Returns
        -------
        flow : dict of str to ndarray of shape (n_layers,)
            By the names in `FLOW_NAMES`, without ``update_ratio``; an entry for each
            layer with a kernel.
        """
        network = self._network
        statistics = network.statistics.copy()  # which a forward pass of training changes
        self._memory.total[0] = 0.0
        with np.errstate(all="ignore"), self._bound.session():
            self._bound.run()
            np.copyto(network.statistics, statistics)
            ranges = network.kernel_ranges()
            activity = [self._activity(name) for name in ranges]
            return {
                "gradient_norm": _norms(self._memory.gradient, ranges),
                "output_gradient_norm": np.array(
                    [self._output_gradient_norm(name) for name in ranges]
                ),
                "weight_norm": _norms(network.parameters, ranges),
                "dead_fraction": np.array([dead for dead, _ in activity]),
                "saturated_fraction": np.array([saturated for _, saturated in activity]),
            }

    def _output_gradient_norm(self, layer):
        buffer = self._d_outs.get(layer)
        return np.nan if buffer is None else _norm(self._arrays[buffer])

    def _activity(self, layer):
        """The shares of dead units and of saturated outputs behind a layer."""
        if layer not in self._slopes:
            return np.nan, np.nan
        function, call = self._slopes[layer]
        slope = np.abs(self._slope(call))
        slope = slope.reshape(-1, slope.shape[-1])
        dead = np.mean(slope.max(axis=0) < DEAD_SLOPE)
        if function not in _STEEPEST:
            return dead, np.nan
        return dead, np.mean(slope < SATURATED_SHARE * _STEEPEST[function])

    def _slope(self, call):
        """The derivative of an activation: what its backward kernel makes of ones."""
        arguments = {
            name: np.empty_like(self._arrays[buffer])
            if buffer.array is None and name not in ("z", "out")
            else self._arrays[buffer]
            for name, buffer in call.arguments.items()
        }
        arguments["d_out"] = np.ones_like(arguments["d_out"])
        call.kernel(**arguments)
        return arguments["d_z"]


def begin_recording(network, data, state):
    """Prepare to record a fit, and measure where it starts.

    Parameters
    ----------
    network : Network
        What is trained.

    data : TrainingData
        The samples.

    state : TrainingState
        Gets ``initial_flow``, and gaps for the epochs that were not recorded.

    Returns
    -------
    probe : GradientProbe
    """
    probe = GradientProbe(network, data, state.key)
    fill_gaps(network, state.history, state.epoch)
    if state.initial_flow is None:
        flow = probe.measure()
        state.initial_flow = flow | {"loss": probe.loss + network.penalty()}
    return probe


def update_ratios(network, before):
    """How far each layer's kernels moved, as a share of their norm before.

    Parameters
    ----------
    network : Network
        The network after an update.

    before : ndarray of shape (n_parameters,)
        Its parameters before.

    Returns
    -------
    ratios : ndarray of shape (n_layers,)
    """
    ranges = network.kernel_ranges()
    with np.errstate(all="ignore"):
        change = _norms(network.parameters - before, ranges)
        # kernels that were zero moved infinitely far, or, at rest, not at all
        return np.where(change > 0, change / _norms(before, ranges), change)


def fill_gaps(network, history, n_epochs):
    """Add entries of NaN for epochs that were done without recording.

    Parameters
    ----------
    network : Network
        Whose layers are recorded.

    history : dict of str to Series
        What was recorded; gets as many entries as there are epochs.

    n_epochs : int
        The epochs done.
    """
    nothing = np.full(len(network.kernel_ranges()), np.nan)
    for name in FLOW_NAMES:
        entries = history.setdefault(name, Series())
        entries.extend([nothing] * (n_epochs - len(entries)))


def _sample(data, stream):
    rows = np.flatnonzero(data.weight)
    if len(rows) > PROBE_ROWS:
        rows = np.sort(stream.at(_PROBING, 0).choice(rows, PROBE_ROWS, replace=False))
    weight = data.weight[rows] / data.weight[rows].sum()
    return replace(data, x=data.x[rows], target=data.target[rows], weight=weight)


def _output_gradients(network, program):
    """For each layer, the buffer of the gradient with respect to its outputs."""
    writers = {
        buffer.name: call
        for call in program.calls
        for buffer in (call.arguments[key] for key in call.kernel.writes)
        if buffer is not None
    }
    return {
        layer: _summed(writers[f"{layer}.d_{name}"], writers)
        for layer, name in network.kernel_names()
        if f"{layer}.d_{name}" in writers
    }


def _summed(call, writers):
    """The gradient of outputs that a kernel's gradient sums up, at once or in parts."""
    while "d_out" not in call.arguments and "sums" in call.arguments:
        call = writers[call.arguments["sums"].name]
    return call.arguments.get("d_out")


def _slopes(network, program):
    """For each layer, the activation behind it: its name, and the call of its derivative.

    An activation belongs to the layer with a kernel before it.
    """
    calls = {
        call.arguments["d_z"].name: call
        for call in program.calls
        if call.kernel.__name__.endswith("_backward") and hasattr(call.kernel, "formula")
    }
    ranges, owner, found = network.kernel_ranges(), None, {}
    for name, _ in network.layers:
        owner = name if name in ranges else owner
        call = calls.get(f"{name}.d_z")
        if call is not None and owner is not None:
            function = call.kernel.__name__.removesuffix("_backward")
            found.setdefault(owner, (function, call))
    return found


def _norms(vector, ranges):
    return np.array([_norm(vector[part]) for part in ranges.values()])


def _norm(array):
    # not BLAS: its sum would depend on the number of threads
    return np.sqrt(np.sum(np.square(array, dtype=np.float64)))
