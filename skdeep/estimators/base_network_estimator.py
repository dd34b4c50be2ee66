"""What all network estimators share: validation, the flow of `fit`, and what is learned."""

import copy
from abc import ABC, abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from skdeep.averaging import AVERAGES, WeightAveraging, get_averaging
from skdeep.engine.network import Network
from skdeep.estimators.checked_data import check_training_data, check_validation_data
from skdeep.estimators.learned import LearnedAttributes, learned_attributes
from skdeep.estimators.network_inputs import Inputs
from skdeep.estimators.training_plan import (
    check_batch,
    check_smooth,
    descent_options,
    has_stopped_early,
    network_settings,
    stopping_rule,
    warn_of_ended_plan,
    warn_stopped_early,
    watched_value,
)
from skdeep.estimators.validation_data import hold_out, validation_on
from skdeep.initializers import INITIALIZERS, Initializer
from skdeep.layers.activation import ACTIVATIONS, Activation
from skdeep.layers.prelu import PReLU
from skdeep.optimizers import LBFGS, OPTIMIZERS, Optimizer, get_optimizer
from skdeep.schedules import SCHEDULES, Schedule, get_schedule
from skdeep.training.averaged_weights import keep_average, warn_without_average
from skdeep.training.lbfgs import minimize_lbfgs
from skdeep.training.monitor import Monitor
from skdeep.training.state import TrainingState
from skdeep.training.tasks import FitTasks, no_callbacks
from skdeep.training.trainer import descend
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.messages import plain
from skdeep.validation.named_parameters import NamedParameters

_METADATA = "sample_weight", "X_val", "y_val", "sample_weight_val"
_SHARE = Interval(Real, 0, 1, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")


def learns_in_batches(estimator):
    """Whether an estimator has `partial_fit`; for L-BFGS it has not."""
    if isinstance(estimator.optimizer, LBFGS) or estimator.optimizer == "lbfgs":
        raise AttributeError(
            "partial_fit needs an optimizer that works on mini-batches, not L-BFGS."
        )
    return True


class BaseNetworkEstimator(
    LearnedAttributes, CallbackSupportMixin, NamedParameters, BaseEstimator, ABC
):
    """Base of all estimators that train a network.

    A subclass says which layers it has; a classifier or regressor says how targets are
    encoded and how outputs become predictions.
    """

    _parameter_constraints = {
        "activation": [StrOptions(set(ACTIVATIONS)), Activation, PReLU],
        "optimizer": [StrOptions(set(OPTIMIZERS)), Optimizer],
        "learning_rate": [StrOptions({"auto"}), _POSITIVE],
        "learning_rate_schedule": [StrOptions(set(SCHEDULES)), Schedule],
        "batch_size": [
            StrOptions({"auto", "full"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "dropout": [_SHARE, "array-like"],
        "input_dropout": [_SHARE],
        "weight_decay": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "l1_penalty": [Interval(Real, 0, None, closed="left")],
        "max_norm": [_POSITIVE, None],
        "batch_norm": ["boolean"],
        "gradient_clip_norm": [_POSITIVE, None],
        "gradient_clip_value": [_POSITIVE, None],
        "weight_averaging": [StrOptions(set(AVERAGES)), WeightAveraging, None],
        "kernel_initializer": [StrOptions({"auto", *INITIALIZERS}), Initializer],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "tol": [Interval(Real, 0, None, closed="left")],
        "monitor": [StrOptions({"loss", *get_scorer_names()}), callable],
        "shuffle": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "record": [StrOptions({"gradients"}), None],
        "verbose": ["verbose"],
    }
    _named_objects = {
        "optimizer": OPTIMIZERS,
        "learning_rate_schedule": SCHEDULES,
        "weight_averaging": AVERAGES,
        "kernel_initializer": INITIALIZERS,
    }

    # --- what subclasses say ------------------------------------------------------

    @abstractmethod
    def _new_targets(self):
        """What is to learn what the targets are, from the parameters of today."""

    def _new_inputs(self):
        """What is to learn what the samples are, from the parameters of today."""
        return Inputs()

    @abstractmethod
    def _layers(self, inputs, n_outputs):
        """The layers, as (name, layer) pairs, for such inputs and so many outputs."""

    def _augmentation(self, input_shape):
        """What changes the inputs of every batch at random."""
        return ()

    def _averaging(self):
        """The average of the weights that is predicted with, or None."""
        return get_averaging(self.weight_averaging)

    def _tasks(self, X, y, metadata):
        """What tells callbacks of a fit to these data."""
        return FitTasks(self, X, y, metadata)

    # --- fitting ------------------------------------------------------------------

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training data. A C-contiguous float32 or float64 array is not copied.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights. With `batch_size="full"`, a weight of k is the same
            as the sample k times.

        X_val : {array-like, sparse matrix} of shape (n_validation, n_features), \
                default=None
            Validation data, for the validation curves and early stopping.

        y_val : array-like, default=None
            The targets of the validation data.

        sample_weight_val : array-like of shape (n_validation,), default=None
            The weights of the validation data.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        KeyboardInterrupt
            Where the user interrupts training (Ctrl-C). The estimator is fitted, with
            the best weights so far: it can predict, and with ``warm_start=True`` the
            next `fit` goes on. Any other error leaves the estimator as it was.
        """
        goes_on = self.warm_start and hasattr(self, "n_iter_")
        validation = (X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, validation, goes_on=goes_on)

    def _fit(self, X, y, weight, validation, *, goes_on, partial=False, classes=None):
        metadata = dict(zip(_METADATA, (weight, *validation), strict=True))
        tasks = self._tasks(X, y, metadata)
        data = self._check_data(
            X, y, weight, first=not goes_on, classes=classes, partial=partial
        )
        inputs, targets = self._inputs, self._targets = data.inputs, data.targets
        validation = check_validation_data(self, inputs, targets, *validation)
        network, state = self._continued(data) if goes_on else self._started(data)
        self.network_, self._training_state = network, state
        tasks.begin("partial_fit" if partial else "fit", 1 if partial else self.max_iter)
        if validation is None and self.early_stopping and not partial:
            strata = targets.strata(data.y)
            held_out = hold_out(data.weight, strata, self.validation_fraction, state.key)
            tasks.leave_out(held_out)
            validation, data = data.rows(held_out), data.without(held_out)
        try:
            if partial and has_stopped_early(self, state):
                state.ending = "no_improvement"
                warn_stopped_early(state)
            elif data.weight.any():  # else a batch of partial_fit that says nothing
                self._train(data, validation, tasks, partial)
            self._learned(keep_state=partial or self.warm_start)
            tasks.end(network, state)
        except KeyboardInterrupt as interrupt:
            if state.ending:  # else training has not begun, or is to be undone
                self._learned(keep_state=True)
                interrupt.add_note(
                    f"Training was interrupted after epoch {state.epoch}. The best "
                    "weights so far were kept: the estimator is fitted, and with "
                    "warm_start=True fit goes on."
                )
            raise
        return self

    def _keeps_interrupted_fit(self, before):
        state = vars(self).get("_training_state")
        return state is not before.get("_training_state") and bool(state.ending)

    def _check_data(self, X, y, weight, *, first, classes=None, partial=False):
        inputs = self._new_inputs() if first else self._inputs
        targets = self._new_targets()
        if not first:
            targets.going_on_from(self._targets)
        return check_training_data(
            self, inputs, targets, X, y, weight,
            first=first, classes=classes, partial=partial,
        )  # fmt: skip

    def _started(self, data):
        """A new network, and the state of a training that has not begun."""
        settings = network_settings(self, self._averaging())
        layers = self._layers(data.inputs, data.targets.n_outputs)
        random_state = check_random_state(self.random_state)
        key = random_state.randint(np.iinfo(np.int64).max, size=2, dtype=np.int64)
        network = Network(
            layers,
            data.loss,
            get_optimizer(self.optimizer),
            input_shape=data.inputs.samples(data.X).shape[1:],
            dtype=data.inputs.dtype,
            settings=settings,
        )
        network.initialize(key)
        state = TrainingState(key=tuple(map(int, key)))
        keep_average(network, state, settings)
        return network, state

    def _continued(self, data):
        """Copies of the network and the state of the last fit, to go on from there."""
        network, state = self.network_.copy(), self._training_state.copy()
        layers = self._layers(data.inputs, data.targets.n_outputs)
        before, now = repr(plain(list(network.layers))), repr(plain(layers))
        if before != now:
            raise ValueError(
                "The layers changed since the last fit, so training cannot go on from "
                f"it. They were {before}; they would be {now}. Set "
                "warm_start=False to start anew."
            )
        optimizer = get_optimizer(self.optimizer)
        same = optimizer is network.optimizer  # a name stands for one object
        if not same and repr(optimizer) != repr(network.optimizer):
            state.begin_optimizer()
        settings = network_settings(self, self._averaging())
        keep_average(network, state, settings)
        network.loss, network.optimizer = data.loss, optimizer
        network.settings = settings
        state.start()
        return network, state

    def _train(self, data, validation, tasks, partial):
        network, state = self.network_, self._training_state
        samples = data.for_network(network.dtype)
        schedule = get_schedule(self.learning_rate_schedule)
        watches = self.early_stopping and validation is not None
        watched = watched_value(self, watches)
        rule = stopping_rule(
            self, network.optimizer, schedule, watches=watches, partial=partial
        )
        if partial and schedule.planned:
            warn_of_ended_plan(self, state)
        validate = None
        if validation is not None:
            fitted = self._fitted_after(network, state)
            validate = validation_on(validation, fitted, self.monitor)
        if validation is not None or not partial:
            state.watch(watched)
        monitor = Monitor(network, state, rule, tasks, validate, watched, self.verbose)
        n_rows = np.count_nonzero(samples.weight)
        augmentation = self._augmentation(data.inputs.shape)
        if isinstance(network.optimizer, LBFGS):
            check_smooth(self, network, augmentation)
            check_batch(self, network, n_rows)
            minimize_lbfgs(network, samples, state, monitor, self.record)
        else:
            options = descent_options(
                self, network, schedule, state, n_rows, augmentation, partial=partial
            )
            descend(network, samples, options, state, monitor)
        if not partial:
            monitor.check_outcome()
            warn_without_average(network, state)
            if state.ending == "no_improvement":
                state.waited = 0  # whatever comes next is waited for anew

    def _learned(self, *, keep_state):
        learned = learned_attributes(
            self.network_, self._training_state, keep_state=keep_state
        )
        vars(self).update(learned)

    def _attributes_after(self, network, state):
        """The attributes of an estimator whose fit had stopped here, for callbacks."""
        learned = learned_attributes(network, state, keep_state=False)
        return vars(self) | learned | no_callbacks()

    def _fitted_after(self, network, state):
        """An estimator whose fit had stopped here.

        Of the user's class and parameters, as scorers may ask for both: a subclass may
        predict, or score, in a way of its own.
        """
        twin = copy.copy(self)
        twin.__dict__ = self._attributes_after(network, state)
        return twin

    # --- predicting ---------------------------------------------------------------

    def _raw_outputs(self, X):
        if not hasattr(self, "n_iter_"):  # asking first takes a tenth off one row's time
            check_is_fitted(self)
        return self.network_.raw_outputs(self._samples(X))

    def _samples(self, X):
        """A user's X, checked, as the network takes it."""
        return self._inputs.samples(self._inputs.check(self, X))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_iter_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
