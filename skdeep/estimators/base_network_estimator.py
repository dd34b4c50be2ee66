"""What all network estimators share: validation, the flow of `fit`, and what is learned."""

import copy
import math
from abc import ABC, abstractmethod
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from skdeep.averaging import AVERAGES, WeightAveraging, get_averaging
from skdeep.engine.batch import TrainingData
from skdeep.engine.network import Network, Settings
from skdeep.estimators.learned import LearnedAttributes, learned_attributes
from skdeep.estimators.validation_data import hold_out, validation_on
from skdeep.initializers import INITIALIZERS, Initializer
from skdeep.layers.activation import ACTIVATIONS, Activation
from skdeep.layers.prelu import PReLU
from skdeep.optimizers import LBFGS, OPTIMIZERS, Optimizer, get_optimizer
from skdeep.schedules import SCHEDULES, Schedule, get_schedule
from skdeep.training.averaged_weights import keep_average, warn_without_average
from skdeep.training.lbfgs import minimize_lbfgs
from skdeep.training.monitor import Monitor, StoppingRule
from skdeep.training.state import TrainingState, name_of
from skdeep.training.tasks import FitTasks, no_callbacks
from skdeep.training.trainer import DescentOptions, descend
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.inputs import convert_input, sum_duplicates
from skdeep.validation.messages import naming, plain
from skdeep.validation.named_parameters import NamedParameters
from skdeep.validation.notices import warn_user

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


def of_size_one(weight):
    """Weights times a power of two that brings the largest to [1, 2), to lose no digits.

    Only the proportions of weights matter, whatever their type can hold.
    """
    largest = weight.max(initial=0.0)
    return weight if largest == 0.0 else np.ldexp(weight, 1 - np.frexp(largest)[1])


def number_type(X):
    """The type of a network's numbers for some X: bytes become float32."""
    return np.dtype(np.float32) if X.dtype == np.uint8 else X.dtype


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
    def _layers(self, n_outputs):
        """The layers, as (name, layer) pairs, for so many outputs."""

    def _data_options(self, dtypes):
        """What scikit-learn's validation accepts as X, given types of floating point."""
        return {"accept_sparse": "csr", "dtype": dtypes}

    def _augmentation(self):
        """What changes the inputs of every batch at random."""
        return ()

    def _learn_input(self, X):
        """Learn what the samples are from the first X."""

    def _as_samples(self, X):
        """X as the network takes it."""
        return X

    @abstractmethod
    def _present_target(self, y):
        """A user's y without what scikit-learn's validation would let through."""

    @abstractmethod
    def _learn_target(self, y, classes, first):
        """Check y and learn its type: classes, and number of outputs."""

    @abstractmethod
    def _training_loss(self, y, sample_weight, dtype):
        """The loss that is minimized, for such targets, in numbers of a type."""

    @abstractmethod
    def _encode_target(self, y, dtype):
        """The targets as the loss takes them, and a `OneHot` or None."""

    def _learn_class_weights(self, y, sample_weight, partial):
        """Learn from training targets what `_class_weights` gives."""

    def _class_weights(self, y):
        """A factor for each sample's weight."""
        return 1.0

    def _check_weighted_target(self, y, weight):
        """Raise a ValueError where too little is left of y without zero weights."""

    def _strata(self, y):
        """What the validation split keeps the proportions of, if anything."""
        return None

    def _named_loss(self, losses, default):
        """The loss of the parameter `loss`, checked."""
        if isinstance(self.loss, str):
            return losses[default if self.loss == "auto" else self.loss]
        self.loss._validate_params()
        task = self.loss.task
        if task not in (None, self._task):
            raise ValueError(
                f"{type(self.loss).__name__} is a loss for {task}, which "
                f"{type(self).__name__} does not do. Use one of {sorted(losses)}, or a "
                f"subclass of skdeep.losses.Loss whose task is {self._task!r} or None."
            )
        return self.loss

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
        first = not goes_on
        metadata = dict(zip(_METADATA, (weight, *validation), strict=True))
        tasks = self._tasks(X, y, metadata)
        X, y, sample_weight, weight = self._check_data(
            X, y, weight, classes, first, partial
        )
        validation = self._check_validation([number_type(X)], *validation)
        self.network_, self._training_state = network, state = self._prepare(X, first)
        tasks.begin("partial_fit" if partial else "fit", 1 if partial else self.max_iter)
        if validation is None and self.early_stopping and not partial:
            strata = self._strata(y)
            held_out = hold_out(weight, strata, self.validation_fraction, state.key)
            tasks.leave_out(held_out)
            validation = X[held_out], y[held_out], sample_weight[held_out]
            weight[held_out] = 0.0
        try:
            if partial and self._has_stopped_early(state):
                self._warn_stopped_early(state)
            elif weight.any():  # else a batch of partial_fit that says nothing
                target, one_hot = self._encode_target(y, network.dtype)
                data = TrainingData(self._as_samples(X), target, weight, one_hot)
                self._train(data, validation, tasks, partial)
            self._learned(keep_state=partial or self.warm_start)
            tasks.end()
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

    def _tasks(self, X, y, metadata):
        """What tells callbacks of a fit to these data."""
        return FitTasks(self, X, y, metadata)

    def _check_data(self, X, y, weight, classes, first, partial):
        X, y = self._validate_input(
            sum_duplicates(convert_input(X)),
            self._present_target(y),
            dtypes=[np.float64, np.float32] if first else self._dtypes(),
            order="C",
            multi_output=True,
            y_numeric=self._y_numeric,
            reset=first,
        )
        if first:
            self._learn_input(X)
        y = self._learn_target(y, classes, first)
        sample_weight = _check_sample_weight(
            convert_input(weight, name="sample_weight"),
            X,
            dtype=np.float64,
            ensure_non_negative=True,
            allow_all_zero_weights=partial,
        )
        sample_weight = of_size_one(sample_weight)
        self._learn_class_weights(y, sample_weight, partial)
        weight = sample_weight * self._class_weights(y)
        weight = of_size_one(weight).astype(number_type(X))
        self._loss = self._training_loss(y, sample_weight, number_type(X))
        if not partial:
            self._check_weighted_target(y, weight)
        return X, y, sample_weight, weight

    def _prepare(self, X, first):
        """The network and the training state: new ones, or those of the last call."""
        optimizer = get_optimizer(self.optimizer)
        settings = self._settings()
        layers = self._layers(self._n_outputs)
        if first:
            random_state = check_random_state(self.random_state)
            key = random_state.randint(np.iinfo(np.int64).max, size=2, dtype=np.int64)
            network = Network(
                layers,
                self._loss,
                optimizer,
                input_shape=self._as_samples(X).shape[1:],
                dtype=number_type(X),
                settings=settings,
            )
            network.initialize(key)
            state = TrainingState(key=tuple(map(int, key)))
            keep_average(network, state, settings)
            return network, state
        # copies: what fails leaves the old ones as they were
        network, state = self.network_.copy(), self._training_state.copy()
        before, now = repr(plain(list(network.layers))), repr(plain(layers))
        if before != now:
            raise ValueError(
                "The layers changed since the last fit, so training cannot go on from "
                f"it. They were {before}; they would be {now}. Set "
                "warm_start=False to start anew."
            )
        same = optimizer is network.optimizer  # a name stands for one object
        if not same and repr(optimizer) != repr(network.optimizer):
            state.begin_optimizer()
        keep_average(network, state, settings)
        network.loss, network.optimizer = self._loss, optimizer
        network.settings = settings
        state.start()
        return network, state

    def _settings(self):
        decay = self.weight_decay
        if decay == "auto":
            decay = get_optimizer(self.optimizer).default_weight_decay
        return Settings(
            weight_decay=float(decay),
            l1_penalty=float(self.l1_penalty),
            max_norm=self.max_norm,
            gradient_clip_norm=self.gradient_clip_norm,
            gradient_clip_value=self.gradient_clip_value,
            weight_averaging=self._averaging(),
        )

    def _averaging(self):
        """The average of the weights that is predicted with, or None."""
        return get_averaging(self.weight_averaging)

    def _train(self, data, validation, tasks, partial):
        network, state = self.network_, self._training_state
        lbfgs = isinstance(network.optimizer, LBFGS)
        watches = self.early_stopping and validation is not None
        # L-BFGS knows a minimum when it sees one, and whoever calls partial_fit knows
        # when to stop: they need no rule for the training loss.
        patient = (lbfgs or partial) and not watches
        schedule = get_schedule(self.learning_rate_schedule)
        if partial and schedule.planned:
            self._check_plan(state)
        rule = StoppingRule(
            max_epochs=1 if partial else self.max_iter,
            tol=self.tol,
            n_iter_no_change=math.inf if patient else self.n_iter_no_change,
            restore_best=watches,
            pauses=partial,
            planned=schedule.planned and not lbfgs,
        )
        watched = "loss"
        if watches:
            by_name = isinstance(self.monitor, str)
            watched = f"validation {self.monitor if by_name else name_of(self.monitor)}"
        validate = None if validation is None else validation_on(self, *validation)
        if validation is not None or not partial:
            state.watch(watched)
        monitor = Monitor(network, state, rule, tasks, validate, watched, self.verbose)
        if lbfgs:
            self._check_smooth()
            self._check_batch(np.count_nonzero(data.weight))
            minimize_lbfgs(network, data, state, monitor, self.record)
        else:
            options = self._descent_options(data, state, schedule, partial)
            descend(network, data, options, state, monitor)
        if not partial:
            monitor.check_outcome()
            warn_without_average(network, state)
            if state.ending == "no_improvement":
                state.waited = 0  # whatever comes next is waited for anew

    def _has_stopped_early(self, state):
        """Whether the patience of earlier calls of partial_fit is used up."""
        watches = self.early_stopping and state.watched != "loss"
        return watches and state.waited > self.n_iter_no_change

    def _warn_stopped_early(self, state):
        state.ending = "no_improvement"
        warn_user(
            f"Early stopping ended training: the {state.watched} had not improved for "
            f"{state.waited} calls. The {state.best_name()} "
            "are kept, and partial_fit changes nothing any more. To train on from them, "
            "set early_stopping=False or a larger n_iter_no_change; to start anew, call "
            "fit.",
            ConvergenceWarning,
        )

    def _check_plan(self, state):
        """Warn, once, where partial_fit goes on after the schedule's end."""
        ended = state.epoch >= self.max_iter
        if ended and not state.told_plan_ended:
            warn_user(
                f"learning_rate_schedule={self.learning_rate_schedule!r} is planned for "
                f"max_iter={self.max_iter} epochs, which are done: from now on the "
                "learning rate stays at its last value, which is near zero. Set max_iter "
                "to the number of calls that are to come in all, or use a schedule that "
                "has no end, such as 'constant' or 'inverse_scaling'."
            )
        state.told_plan_ended = ended

    def _check_smooth(self):
        if any(layer.is_random for _, layer in self.network_.layers):
            raise ValueError(
                "optimizer='lbfgs' needs a loss that is the same at every evaluation, "
                "so dropout and input_dropout must be 0. Use another optimizer, such "
                "as 'adam', to train with dropout."
            )
        refused = {
            "l1_penalty": (0, "a cost without kinks"),
            "max_norm": (None, "weights without limits"),
            "weight_averaging": (None, "no average, as it has no steps that wander"),
        }
        for name, (off, wanted) in refused.items():
            value = getattr(self, name)
            if value not in (off, "auto"):
                raise ValueError(
                    f"optimizer='lbfgs' needs {wanted}: {name} must be {off}, but it is "
                    f"{plain(value)!r}. Use another optimizer, such as 'adam', with {name}."
                )

    def _descent_options(self, data, state, schedule, partial):
        rate = self.learning_rate
        batch_size = self._batch_rows(np.count_nonzero(data.weight))
        self._check_batch(batch_size)
        coming = 1 if partial else self.max_iter
        return DescentOptions(
            batch_size=batch_size,
            shuffle=self.shuffle,
            learning_rate=(
                self.network_.optimizer.learning_rate if rate == "auto" else rate
            ),
            schedule=schedule,
            planned_epochs=max(state.first_epoch + coming, self.max_iter),
            augmentation=self._augmentation(),
            renew_statistics=not partial,
            record=self.record,
        )

    def _check_batch(self, rows):
        """Raise a ValueError where batches are too small for batch normalization."""
        if rows >= self.network_.least_rows:
            return
        small = "batch_size is 1: set it to 2 or more"
        if self.batch_size != 1:
            small = "there is only 1 sample to train on: give more at a time"
        raise ValueError(
            "Batch normalization learns nothing from batches of one sample, whose mean is "
            f"the sample itself. Here {small}, or set batch_norm=False "
            "(or leave BatchNorm out: LayerNorm looks at no other samples)."
        )

    def _batch_rows(self, n):
        if self.batch_size == "auto":
            return min(200, n)
        if self.batch_size == "full":
            return n
        if self.batch_size > n:
            warn_user(
                f"Got batch_size={self.batch_size} larger than the number of training "
                f"samples, {n}. It is going to be clipped to {n}."
            )
        return min(self.batch_size, n)

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

    def _check_validation(self, dtypes, X_val, y_val, sample_weight_val):
        if X_val is None:
            if y_val is None and sample_weight_val is None:
                return None
            raise ValueError("y_val or sample_weight_val was given without X_val.")
        if y_val is None:
            raise ValueError("X_val was given without y_val: pass both, or neither.")
        names = {"X": "X_val", "y": "y_val", "sample_weight": "sample_weight_val"}
        with naming(names):
            X, y = self._validate_input(
                X_val,
                self._present_target(y_val),
                dtypes=dtypes,
                multi_output=True,
                y_numeric=self._y_numeric,
                reset=False,
            )
            y = self._learn_target(y, None, first=False)
            weight = convert_input(sample_weight_val, name="sample_weight")
            weight = _check_sample_weight(weight, X, ensure_non_negative=True)
        return X, y, of_size_one(weight)

    # --- predicting ---------------------------------------------------------------

    def _raw_outputs(self, X):
        if not hasattr(self, "n_iter_"):  # asking first takes a tenth off one row's time
            check_is_fitted(self)
        return self.network_.raw_outputs(self._network_input(X))

    def _network_input(self, X):
        """A user's X, checked, as the network takes it."""
        return self._as_samples(self._validate_input(X, dtypes=self._dtypes(), reset=False))

    def _validate_input(self, X, *y, dtypes, reset, **options):
        """What a user gave, checked; X in one of the types of floating point."""
        options = self._data_options(dtypes) | options
        y = [
            convert_input(labels, name="y") if issparse(labels) else labels for labels in y
        ]
        return validate_data(self, convert_input(X), *y, reset=reset, **options)

    def _dtypes(self):
        return [self.network_.dtype]

    def __sklearn_is_fitted__(self):
        return hasattr(self, "n_iter_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
