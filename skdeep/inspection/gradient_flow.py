"""A report on how gradients flow through a network: vanishing, exploding, or healthy."""

from textwrap import fill

import numpy as np

from skdeep.estimators.inside import check_is_network, network_to_measure, training_of
from skdeep.inspection.plotting import import_pyplot
from skdeep.layers import BatchNorm
from skdeep.layers.activation import activation_name
from skdeep.training.gradient_recording import (
    DEAD_SLOPE,
    FLOW_NAMES,
    SATURATED_SHARE,
    GradientProbe,
)

#: A layer starves where the gradient of its outputs is below this share of the last
#: layer's: a plain step moves it a hundred times less.
VANISHING_GAIN = 1e-2
#: The gradient explodes where it is above this multiple of the last layer's. Sound
#: networks of 20 layers reach 150 while they train well, and with batch normalization at
#: the start; at 1000, a step that suits one end destroys the other.
EXPLODING_GAIN = 1e3
#: A step that changes kernels by more than they are.
EXPLODING_UPDATE = 1.0
#: A loss above this multiple of the first.
EXPLODING_LOSS = 10.0
#: Shares of dead units and saturated outputs that are worth a word.
MANY_DEAD, MANY_SATURATED = 0.5, 0.5
#: Steps are usually about a thousandth of the weights (Karpathy, notes to CS231n).
SMALL_UPDATE, LARGE_UPDATE = 1e-5, 1e-1

_BOUNDED = ("logistic", "tanh")


class GradientFlowReport:
    """How gradients flow through a network, from its last layer to its first.

    Backpropagation multiplies the gradient by a matrix and a slope at every layer. Where
    the products shrink it, the first layers starve; where they grow it, they explode.
    The report compares each layer's gradient with that of the last layer, whose gradient
    comes directly from the loss.

    Make one with `from_estimator`; print it to read it.

    Parameters
    ----------
    layers : list of str
        The names of the layers with kernels, from input to output.

    history : dict of str to ndarray of shape (n_measurements, n_layers)
        What was measured, by the names of ``history_``: before training, and after each
        epoch.

    losses : sequence of float
        The loss at each measurement.

    diverged : bool, default=False
        Whether training diverged.

    activation : str or None, default=None
        The activation of the hidden layers, for the advice.

    batch_norm : bool, default=False
        Whether there is batch normalization, for the advice.

    Attributes
    ----------
    verdict : {"vanishing", "exploding", "healthy"}
        Exploding: training diverged, the loss grew tenfold, a step changed weights by
        more than they were, or the gradient grows more than 1000 times on its way back.
        Vanishing: it shrinks more than 100 times on its way to some layer. What is seen
        before training and what is typical of it (the median) both count for exploding;
        the latter for vanishing.

    reasons : list of str
        Why.

    gains : ndarray of shape (n_layers,)
        The gradient's norm with respect to each layer's outputs, over that of the last
        layer: the median of all measurements.

    starving_layers, exploding_layers, dead_layers, saturated_layers : list of str
        The layers that the gradient hardly reaches; where it explodes; most of whose
        units are dead, with a slope below 0.001 for all samples of the probe; most of
        whose outputs are saturated, with less than a twentieth of the steepest slope.

    advice : list of str
        What to try, the most promising first.

    References
    ----------
    Hochreiter (1991). "Untersuchungen zu dynamischen neuronalen Netzen".
    Glorot and Bengio (2010). "Understanding the difficulty of training deep feedforward
    neural networks". AISTATS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdeep import MLPClassifier
    >>> from skdeep.inspection import GradientFlowReport
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier((30,) * 10, activation="logistic", random_state=0)
    >>> report = GradientFlowReport.from_estimator(model, X / 16, y)  # before training
    >>> report.verdict
    'vanishing'
    """

    def __init__(
        self, layers, history, losses, diverged=False, activation=None, batch_norm=False
    ):
        self.layers = list(layers)
        self.history = history
        self.losses = np.asarray(losses, dtype=float)
        self.diverged = diverged
        self.activation = activation
        self.batch_norm = batch_norm
        ratios = self._ratios()
        self.gains = _median(ratios)
        # what NaN is compared with is never exceeded: NaN in the gradient counts, though
        infinite = ~np.isfinite(history["output_gradient_norm"]).all(axis=0)
        self.exploding_layers = self._names(
            np.fmax(self.gains, ratios[0]) > EXPLODING_GAIN, infinite
        )
        self.starving_layers = self._names(self.gains < VANISHING_GAIN)
        dead, saturated = (
            _median(history[name]) for name in ("dead_fraction", "saturated_fraction")
        )
        self.dead_layers = self._names(dead > MANY_DEAD)
        self.saturated_layers = self._names(saturated > MANY_SATURATED)
        self.reasons = self._exploding_reasons()
        if self.reasons:
            self.verdict = "exploding"
        elif self.starving_layers:
            self.verdict = "vanishing"
            self.reasons = [self._vanishing_reason()]
        else:
            self.verdict = "healthy"
        self.advice = self._advice()

    @classmethod
    def from_estimator(cls, estimator, X=None, y=None, sample_weight=None):
        """Report on an estimator: on a fit that was recorded, or on the network as it is.

        Parameters
        ----------
        estimator : estimator
            A network estimator. Without data it must have been fitted with
            ``record="gradients"``. With data, a fitted one is measured as it is, one that
            is not fitted with the weights that a fit would start from. It does not change.

        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Samples to measure on, as `fit` takes them; up to 512 of them are used.

        y : array-like, default=None
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Their weights.

        Returns
        -------
        report : GradientFlowReport

        Raises
        ------
        ValueError
            Where there are neither records nor data.
        """
        check_is_network(estimator)
        if X is None:
            network, measured, losses, diverged = _recorded(estimator)
        else:
            network, measured, losses = _measured(estimator, X, y, sample_weight)
            diverged = False
        return cls(
            list(network.kernel_ranges()),
            measured,
            losses,
            diverged,
            _activation_of(estimator),
            any(isinstance(layer, BatchNorm) for _, layer in network.layers),
        )

    # --- what it means ------------------------------------------------------------

    def _ratios(self):
        gradient = self.history["output_gradient_norm"]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = gradient / gradient[:, -1:]
        return np.where(gradient[:, -1:] > 0, ratios, np.nan)

    def _names(self, *conditions):
        chosen = np.any(conditions, axis=0)
        return [n for n, here in zip(self.layers, chosen, strict=True) if here]

    def _exploding_reasons(self):
        reasons = []
        if self.diverged:
            reasons.append(
                "Training diverged: the cost, or the weights, grew beyond all bounds."
            )
        first, worst = self.losses[0], np.nanmax(self.losses)
        if worst > EXPLODING_LOSS * max(abs(first), 1.0):
            reasons.append(f"The loss grew from {first:.3g} to {worst:.3g}.")
        if self.exploding_layers:
            largest = np.nanmax(self._ratios(), initial=0.0)
            reasons.append(
                f"The gradient is up to {largest:.2g} times that of the last layer, in "
                f"{_list(self.exploding_layers)}."
            )
        updates = _median(self.history["update_ratio"])
        wild = self._names(np.isfinite(updates) & (updates > EXPLODING_UPDATE))
        if wild:
            reasons.append(
                f"A step changes the weights by {np.nanmax(updates[updates < np.inf]):.2g} "
                f"times their norm, in {_list(wild)}."
            )
        return reasons

    def _vanishing_reason(self):
        least = np.nanmin(self.gains)
        small = "nothing of the gradient reaches"
        if least > 0:
            small = f"as little as {least:.1e} of the last layer's gradient reaches"
        return f"{small} {_list(self.starving_layers)}.".capitalize()

    def _advice(self):
        if self.verdict == "vanishing":
            advice = self._advice_on_vanishing()
        elif self.verdict == "exploding":
            advice = self._advice_on_exploding()
        else:
            advice = []
        if self.dead_layers and "relu" in (self.activation or "relu"):
            advice.append(
                "Dead units: activation='leaky_relu' or 'elu', whose slopes are never "
                "zero; a lower learning_rate."
            )
        if self.saturated_layers:
            advice.append(
                "Saturated units: scale the features (StandardScaler), smaller initial "
                "weights, batch_norm=True."
            )
        updates = _median(self.history["update_ratio"])
        if self.verdict == "healthy" and np.nanmax(updates, initial=0.0) > LARGE_UPDATE:
            advice.append("Large steps: a lower learning_rate, if the loss is unsteady.")
        if self.verdict == "healthy" and np.nanmin(updates, initial=1.0) < SMALL_UPDATE:
            advice.append(
                "Small steps: a higher learning_rate; learning_rate_range_test finds one."
            )
        return advice

    def _advice_on_vanishing(self):
        advice = []
        if self.activation in _BOUNDED:
            advice.append("activation='relu', whose slope is 1 where a unit is active.")
        if not self.batch_norm:
            advice.append("batch_norm=True, which keeps every layer's outputs at size 1.")
        advice.append(
            "kernel_initializer='auto' (He for the ReLU family), if it is another now."
        )
        advice.append("Fewer hidden layers.")
        return advice

    def _advice_on_exploding(self):
        advice = ["Scale the features, and a regression's target (StandardScaler)."]
        advice.append(
            "kernel_initializer='auto' (He for the ReLU family), if it is another now."
        )
        if not self.batch_norm:
            advice.append("batch_norm=True, which keeps every layer's outputs at size 1.")
        advice.append("gradient_clip_norm=1.0, against single huge steps.")
        advice.append("A lower learning_rate; learning_rate_range_test finds one.")
        return advice

    # --- what a person reads ------------------------------------------------------

    def __str__(self):
        lines = [f"Gradient flow: {self.verdict}"]
        lines += [fill(reason, 88) for reason in self.reasons]
        lines += ["", *self._table()]
        if self.starving_layers:
            lines.append(f"Starving: {_list(self.starving_layers)}.")
        if self.exploding_layers:
            lines.append(f"Exploding: {_list(self.exploding_layers)}.")
        if self.dead_layers:
            lines.append(
                f"Mostly dead (slope below {DEAD_SLOPE} for every sample): "
                f"{_list(self.dead_layers)}."
            )
        if self.saturated_layers:
            lines.append(
                f"Mostly saturated (below {SATURATED_SHARE:.0%} of the steepest slope): "
                f"{_list(self.saturated_layers)}."
            )
        if self.advice:
            lines += ["", "What to try:"]
            lines += [
                fill(text, 88, initial_indent="- ", subsequent_indent="  ")
                for text in self.advice
            ]
        return "\n".join(lines)

    def __repr__(self):
        return f"<{type(self).__name__}: {self.verdict}, {len(self.layers)} layers>"

    def _table(self):
        columns = {
            "of last layer's": self.gains,
            "gradient/weights": _median(self._relative_gradients()),
            "step/weights": _median(self.history["update_ratio"]),
            "dead": _median(self.history["dead_fraction"]),
            "saturated": _median(self.history["saturated_fraction"]),
        }
        width = max(len("layer"), *map(len, self.layers))
        lines = [f"{'layer':{width}}" + "".join(f"  {name:>16}" for name in columns)]
        for i, layer in enumerate(self.layers):
            cells = [_cell(name, values[i]) for name, values in columns.items()]
            lines.append(f"{layer:{width}}" + "".join(f"  {cell:>16}" for cell in cells))
        return lines

    def _relative_gradients(self):
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.history["gradient_norm"] / self.history["weight_norm"]

    def plot(self, axes=None):
        """Draw each layer's gradient, relative to the last layer's, and its activity.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes or None, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        axes : ndarray of two matplotlib Axes

        Raises
        ------
        ImportError
            Where Matplotlib is not installed.
        """
        pyplot = import_pyplot()
        if axes is None:
            _, axes = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
        flow, activity = np.ravel(axes)
        self._plot_gains(flow)
        places = np.arange(len(self.layers))
        for name, shift in (("dead", -0.2), ("saturated", 0.2)):
            shares = _median(self.history[f"{name}_fraction"])
            activity.bar(places + shift, np.nan_to_num(shares), 0.4, label=name)
        activity.set(ylim=(0, 1), ylabel="share of units, of outputs", title="Activity")
        activity.legend()
        for ax in (flow, activity):
            ax.set_xticks(places, self.layers, rotation=90, fontsize="small")
        return np.ravel(axes)

    def _plot_gains(self, ax):
        pyplot = import_pyplot()
        ratios = np.ma.masked_invalid(self._ratios())
        ratios = np.ma.masked_less_equal(ratios, 0)
        chosen = np.unique(np.linspace(0, len(ratios) - 1, 6).astype(int))
        for number in chosen:
            color = pyplot.get_cmap("viridis")(number / max(len(ratios) - 1, 1))
            label = f"epoch {number}" if number else "at the start"
            ax.plot(ratios[number], color=color, label=label)
        ax.axhline(VANISHING_GAIN, color="gray", linestyle=":")
        ax.axhline(EXPLODING_GAIN, color="gray", linestyle="--")
        ax.set_yscale("log")
        ax.set(ylabel="gradient / that of the last layer", title=f"Flow: {self.verdict}")
        ax.legend(fontsize="small")


def _recorded(estimator):
    """The network, the history, the losses, and whether training diverged."""
    trained = hasattr(estimator, "network_")
    network, state = training_of(estimator) if trained else (None, None)
    if state is None or state.initial_flow is None:
        raise ValueError(
            "Nothing was recorded of this estimator's training: fit it with "
            'record="gradients", or pass X and y to measure the network as it is.'
        )
    initial, history = state.initial_flow, estimator.history_
    n_layers = len(initial["weight_norm"])
    seen = ~np.isnan(np.reshape(history["weight_norm"], (-1, n_layers))).all(axis=1)
    measured = {
        name: np.vstack(
            [
                initial.get(name, np.full(n_layers, np.nan)),
                np.reshape(history[name], (-1, n_layers))[seen],
            ]
        )
        for name in FLOW_NAMES
    }
    losses = np.concatenate([[initial["loss"]], np.array(history.get("loss", []))[seen]])
    return network, measured, losses, state.ending == "diverged"


def _measured(estimator, X, y, sample_weight):
    """The network, one measurement of it, and its loss."""
    if y is None:
        raise ValueError("X was given without y: pass both, or neither.")
    network, key, data = network_to_measure(estimator, X, y, sample_weight)
    probe = GradientProbe(network, data, key)
    flow = {name: values[np.newaxis] for name, values in probe.measure().items()}
    flow["update_ratio"] = np.full_like(flow["weight_norm"], np.nan)
    return network, flow, [probe.loss]


def _median(values):
    """The median of each column, of those that are numbers."""
    usable = ~np.isnan(values).all(axis=0)
    result = np.full(values.shape[1], np.nan)
    result[usable] = np.nanmedian(values[:, usable], axis=0)
    return result


def _list(names):
    if len(names) < 4:
        return ", ".join(names)
    return f"{names[0]}, {names[1]}, … {names[-1]} ({len(names)} layers)"


def _cell(name, value):
    if np.isnan(value):
        return "-"
    return f"{value:.0%}" if name in ("dead", "saturated") else f"{value:.1e}"


def _activation_of(estimator):
    activation = getattr(estimator, "activation", None)
    return None if activation is None else activation_name(activation)
