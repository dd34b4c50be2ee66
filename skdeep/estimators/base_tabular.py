"""What the estimators of tables share: preparation, training, and what models weigh."""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from time import perf_counter

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, _fit_context, is_classifier
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import _safe_indexing, check_array, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import (
    _num_samples,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from skdeep.engine.threads import single_threaded_blas, thread_limit
from skdeep.estimators.blending import Blend, Unseen, select
from skdeep.estimators.checked_data import NAMES_OF_VALIDATION, has_validation_data
from skdeep.estimators.members import (
    SHARE_OF_NETWORKS,
    Clock,
    as_task,
    say_what_is_kept,
    train,
)
from skdeep.estimators.tabular_folds import make_folds
from skdeep.estimators.tabular_members import (
    LINEAR,
    TREES,
    Member,
    MemberInputs,
    Rows,
    linear_model,
    mean_outputs,
    network,
    tree_model,
)
from skdeep.estimators.tabular_plan import (
    PERIODIC,
    PIECEWISE,
    PLAIN,
    PRESETS,
    SMALL_TABLE,
    make_plan,
    operations,
)
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.messages import naming
from skdeep.validation.notices import warn_user
from skdeep.validation.sample_weight import check_sample_weight

_AUTO = StrOptions({"auto"})
_COUNT = Interval(Integral, 1, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_EMBEDDINGS = {
    "auto": (PERIODIC, PIECEWISE, PLAIN),
    "periodic": (PERIODIC,),
    "piecewise": (PIECEWISE,),
    None: (PLAIN,),
}
_OTHERS = {None: (), "linear": (LINEAR,), "trees": (LINEAR, TREES)}
_ASKED = "n_members", "n_epochs", "n_cv", "batch_size"
_SEEDS = 2**31 - 1
# A time limit takes networks away before it takes more epochs.
_FEWEST_EPOCHS = 8


class BaseTabular(CallbackSupportMixin, BaseEstimator, ABC):
    """What both estimators share; a subclass knows what targets are."""

    _parameter_constraints = {
        "preset": [StrOptions(set(PRESETS))],
        "time_limit": [_POSITIVE, None],
        "n_members": [_COUNT, _AUTO],
        "n_epochs": [_COUNT, "array-like", _AUTO],
        "n_cv": [
            Options(Integral, {0}),
            Interval(Integral, 2, None, closed="left"),
            HasMethods(["split", "get_n_splits"]),
            _AUTO,
        ],
        "numeric_embedding": [StrOptions({"auto", "periodic", "piecewise"}), None],
        "blend": [StrOptions({"linear", "trees"}), None],
        "hidden_layer_sizes": ["array-like", _COUNT],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "learning_rate": [_POSITIVE],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [_COUNT, _AUTO],
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "max_onehot": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    # --- what subclasses say ------------------------------------------------------

    @abstractmethod
    def _learn_target(self, y, weight):
        """Learn what targets are; return them as members take them, and their weights."""

    @abstractmethod
    def _encode_target(self, y, weight):
        """Targets of validation data, and their weights."""

    @abstractmethod
    def _losses(self, target, outputs):
        """The loss of each sample, by which models are weighed."""

    @abstractmethod
    def _loss(self, target, outputs, weight):
        """The mean loss of what users get in the end: schedules are compared by it."""

    @abstractmethod
    def _learn_errors(self, target, outputs, weight, fold):
        """Learn from predictions of rows that were set aside how far they are off.

        `fold` is None for validation data.
        """

    @abstractmethod
    def _know_no_errors(self):
        """Set what `_learn_errors` would have learned, where no rows were set aside."""

    @abstractmethod
    def _presented(self, outputs):
        """Blended outputs in the user's units."""

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
        groups=None,
    ):
        """Train on a table.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            The table, as it is: see `skdeep.preprocessing.TabularPreprocessor`.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights. Those without weight are not there.

        X_val : data frame or array-like of shape (n_validation, n_features), default=None
            Validation data. The blend's weights come from them instead of from folds, and
            no rows are set aside.

        y_val : array-like, default=None
            The targets of the validation data.

        sample_weight_val : array-like of shape (n_validation,), default=None
            The weights of the validation data.

        groups : array-like of shape (n_samples,), default=None
            Rows of one group are never in different folds.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        KeyboardInterrupt
            Where the user interrupts training (Ctrl-C). The estimator is fitted with the
            members that were complete, if there is one. Any other error leaves the
            estimator as it was.
        """
        clock = Clock(self.time_limit)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        X, y = _indexable(X), _indexable(y)
        check_consistent_length(X, y, groups)
        check_array(np.zeros((_num_samples(y), 1)))  # refuses tables without rows
        context = self._init_callback_context("fit", 0, None, sequential_subtasks=False)
        given = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
        context.call_on_fit_task_begin(estimator=self, **given)
        generator = check_random_state(self.random_state)
        all_weights = check_sample_weight(sample_weight, np.empty((_num_samples(y), 1)))
        present = np.flatnonzero(all_weights)
        target, weight = self._learn_target(
            _safe_indexing(y, present), all_weights[present]
        )
        rows = self._learn_table(_safe_indexing(X, present), target, weight, generator)
        validation = self._check_validation(X_val, y_val, sample_weight_val)
        groups = None if groups is None else column_or_1d(groups)[present]
        plan, folds = self._plan(rows, groups, validation, generator)
        seed = generator.randint(_SEEDS)
        if clock.runs:
            plan = self._within(plan, rows, clock, seed)
        members, interrupt = self._train(
            rows, plan, folds, validation, clock, context, seed
        )
        blend = self._best_blend(rows, folds, members, validation)
        self.members_, self.weights_ = blend.members, blend.weights
        self.n_epochs_ = blend.n_epochs
        unseen = blend.unseen
        if unseen is None:
            self._know_no_errors()
        else:
            self._learn_errors(unseen.target, unseen.outputs, unseen.weight, unseen.fold)
        self._keep_out_of_fold(unseen, present, all_weights, y)
        context.call_on_fit_task_end(estimator=self, **given)
        if interrupt is not None:
            say_what_is_kept(interrupt, len(members))
            raise interrupt
        return self

    def _keeps_interrupted_fit(self, before):
        return vars(self).get("members_") is not before.get("members_")

    def _learn_table(self, X, target, weight, generator):
        """Learn to make numbers of the table; return its rows as members take them."""
        # here, as all scalers take a tenth of the time of `import skdeep`
        from skdeep.preprocessing import TabularPreprocessor

        self.preprocessor_ = TabularPreprocessor(
            self.categorical_features,
            max_onehot=self.max_onehot,
            target_type=self._target_type,
            # single precision saves no time there
            dtype="float64" if len(target) < SMALL_TABLE else "float32",
            random_state=generator.randint(_SEEDS),
        )
        Z = self.preprocessor_.fit_transform(X, target, weight)
        kinds = (*_EMBEDDINGS[self.numeric_embedding], *_OTHERS[self.blend])
        n_numeric = self.preprocessor_.n_numeric_
        self._inputs = MemberInputs(kinds, n_numeric, Z.shape[1] - n_numeric).fit(Z, weight)
        return Rows(self._inputs.of(Z), target, weight)

    def _check_validation(self, X_val, y_val, sample_weight_val):
        """Rows of validation data as members take them, or None."""
        if not has_validation_data(X_val, y_val, sample_weight_val):
            return None
        with naming(NAMES_OF_VALIDATION):
            Z = self.preprocessor_.transform(X_val)
            check_consistent_length(Z, y_val)
            weight = check_sample_weight(sample_weight_val, Z)
            return Rows(self._inputs.of(Z), *self._encode_target(y_val, weight))

    def _plan(self, rows, groups, validation, generator):
        """What to train, and the folds as pairs of training and validation rows."""
        kinds = _EMBEDDINGS[self.numeric_embedding]
        inputs, hidden = self._inputs, _widths(self.hidden_layer_sizes)
        n, classifies = len(rows.target), is_classifier(self)
        costs = [
            operations(n, inputs.n_numeric, inputs.n_passing, self._n_outputs, kind, hidden)
            for kind in kinds
        ]
        asked = {name: getattr(self, name) for name in _ASKED}
        if asked["n_epochs"] != "auto":
            asked["n_epochs"] = _schedules(self.n_epochs)
        splitter = asked["n_cv"] if hasattr(asked["n_cv"], "get_n_splits") else None
        if splitter is not None:
            asked["n_cv"] = splitter.get_n_splits(rows.target, rows.target, groups)
        if validation is not None:
            asked["n_cv"], splitter = 0, None
        plan = make_plan(
            PRESETS[self.preset], kinds, costs, n, dropout=self.dropout, asked=asked
        )
        folds = make_folds(
            splitter or plan.n_cv,
            rows.target,
            groups,
            generator.randint(_SEEDS),
            classifies=classifies,
        )
        if len(plan.n_epochs) > 1 and not folds and validation is None:
            raise ValueError(
                f"n_epochs={list(plan.n_epochs)} are compared on rows that are set aside, "
                f"but of {n} rows none are: set n_cv to 5, pass X_val and y_val, or give "
                "one number."
            )
        return replace(plan, n_cv=len(folds)), folds

    def _network(self, kind, n_epochs, plan, n_rows, seed):
        options = {
            "hidden_layer_sizes": _widths(self.hidden_layer_sizes),
            "dropout": plan.dropout,
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
            "batch_size": plan.batch_size,
            "n_epochs": n_epochs,
        }
        n_numeric, classifies = self._inputs.n_numeric, is_classifier(self)
        return network(kind, options, n_numeric, n_rows, seed, classifies=classifies)

    def _within(self, plan, rows, clock, seed):
        """The plan, with as many epochs as there is time for in each network.

        All networks of few epochs are worth more than few of many, down to a point.
        """
        first, more = (self._seconds(plan, rows, seed, n) for n in (1, 4))
        an_epoch = max((more - first) / 3, 1e-6)
        start = max(first - an_epoch, 0.0)
        networks = plan.tasks(())
        asked = np.array(plan.n_epochs)
        seconds = SHARE_OF_NETWORKS * max(clock.left(), 0.0)
        share = seconds * min(thread_limit(), len(networks)) / len(networks)
        enough = min(_FEWEST_EPOCHS, asked.mean())
        of_all, of_one = ((t - start) / an_epoch for t in (share, seconds))
        affordable = max(of_all, min(enough, of_one)) / asked.mean()
        if affordable >= 1:
            return plan
        n_epochs = np.unique(np.maximum((asked * affordable).astype(int), 1)).tolist()
        warn_user(
            f"time_limit={self.time_limit} is too short for {_words(plan.n_epochs)} epochs "
            f"of {len(networks)} networks: each gets {_words(n_epochs)}. Allow more time, "
            "or choose preset='fast'."
        )
        return replace(plan, n_epochs=tuple(n_epochs))

    def _seconds(self, plan, rows, seed, n_epochs):
        """How long the first network takes for some epochs on all rows."""
        kind = plan.kinds[0]
        model = self._network(kind, n_epochs, plan, len(rows.target), seed)
        start = perf_counter()
        model.fit(rows.x[kind], rows.target, sample_weight=rows.weight)
        return perf_counter() - start

    def _train(self, rows, plan, folds, validation, clock, context, seed):
        """Train the models of a plan; the members, and an interrupt or None."""
        others = _OTHERS[self.blend] if folds or validation is not None else ()
        tasks = plan.tasks(others)
        seeds = np.random.RandomState(seed).randint(_SEEDS, size=len(tasks)).tolist()
        subtasks = [context.subcontext("member", task_id=i) for i in range(len(tasks))]

        def fit(number, end_at):
            kind, fold, n_epochs = tasks[number]
            part = rows if fold is None else rows.take(folds[fold][0])
            subtask = subtasks[number]
            if kind in others:
                subtask.call_on_fit_task_begin(estimator=self)
                model = self._fit_other(kind, part, seeds[number])
                subtask.call_on_fit_task_end(estimator=self)
                return Member(kind, fold, model)
            n = len(part.target)
            model = self._network(kind, n_epochs, plan, n, seeds[number])
            with as_task(subtask, self, model, end_at):
                model.fit(
                    part.x[kind],
                    part.target,
                    sample_weight=part.weight,
                    **_validation_of(kind, validation),
                )
            return Member(kind, fold, model, n_epochs)

        results, interrupt = train([partial(fit, i) for i in range(len(tasks))], clock)
        members = [member for member in results if member is not None]
        if not any(member.kind in plan.kinds for member in members):
            raise interrupt  # nothing to predict with
        if interrupt is None and len(members) < len(tasks):
            left = Counter(task.kind for task in tasks)
            left.subtract(member.kind for member in members)
            left = ", ".join(f"{n} {kind}" for kind, n in left.items() if n)
            warn_user(
                f"time_limit={self.time_limit} ended training after {len(members)} of "
                f"{len(tasks)} models. Left out: {left}. Allow more time, or choose "
                "preset='fast'."
            )
        # of what is no network, all are needed: they are not weighed by part of the folds
        whole = {k for k in others if sum(m.kind == k for m in members) == 1 + len(folds)}
        return [m for m in members if m.kind in {*plan.kinds, *whole}], interrupt

    def _fit_other(self, kind, rows, seed):
        """Fit a model that is no network."""
        if kind == LINEAR:
            model = linear_model(is_classifier(self))
        else:
            model = tree_model(is_classifier(self), self._n_outputs, seed)
        # the quantiles of trees take far longer with weights
        weight = None if (rows.weight == 1).all() else rows.weight
        with single_threaded_blas():  # a BLAS cuts its sums by its number of threads
            return model.fit(rows.x[kind], rows.target, sample_weight=weight)

    # --- blending -----------------------------------------------------------------

    def _best_blend(self, rows, folds, members, validation):
        """The blend of the members of one schedule: of the one with the least loss."""
        schedules = sorted({m.n_epochs for m in members if m.n_epochs is not None})
        blends = [
            self._blend(
                rows, folds, [m for m in members if m.n_epochs in (None, n)], validation, n
            )
            for n in schedules
        ]
        return min(blends, key=lambda blend: blend.loss)

    def _blend(self, rows, folds, members, validation, n_epochs):
        """Weigh members by rows that were set aside."""
        kinds = [k for k in self._inputs.kinds if any(m.kind == k for m in members)]
        networks = _EMBEDDINGS[self.numeric_embedding]
        first = np.array([int(k in networks) for k in kinds])
        if validation is not None:
            means = mean_outputs(members, validation.x, self._n_outputs)
            outputs = [means[kind] for kind in kinds]
            target, weight, fold = validation.target, validation.weight, None
            held_out = np.arange(len(target))
        else:
            outputs, fold = self._out_of_fold(rows, folds, members, kinds)
            held_out = np.flatnonzero(fold >= 0)
            outputs = [output[held_out] for output in outputs]
            target, weight = rows.target[held_out], rows.weight[held_out]
            fold = fold[held_out]
        weights, unseen, loss = first / first.sum(), None, np.inf
        if len(held_out):
            weights = select(partial(self._losses, target), outputs, weight, first)
            blended = sum(w * o for w, o in zip(weights, outputs, strict=True))
            unseen = Unseen(held_out, target, blended, weight, fold)
            loss = self._loss(target, blended, weight)
        by_kind = dict(zip(kinds, weights.tolist(), strict=True))
        members = [m for m in members if by_kind[m.kind] > 0]
        return Blend(members, by_kind, n_epochs, unseen, loss)

    def _out_of_fold(self, rows, folds, members, kinds):
        """Outputs for rows in complete folds, and the fold of each row or -1."""
        fold_of_row = np.full(len(rows.target), -1)
        outputs = [np.zeros((len(rows.target), self._n_outputs)) for _ in kinds]
        for fold in _complete_folds(members, len(folds)):
            held_out = folds[fold][1]
            fold_of_row[held_out] = fold
            of_fold = [member for member in members if member.fold == fold]
            means = mean_outputs(of_fold, rows.take(held_out).x, self._n_outputs)
            for output, kind in zip(outputs, kinds, strict=True):
                output[held_out] = means[kind]
        return outputs, fold_of_row

    def _keep_out_of_fold(self, unseen, present, sample_weight, y):
        """Keep the out-of-fold predictions of a user's rows, and their score."""
        self.oof_prediction_ = self.oof_score_ = None
        if unseen is None or unseen.fold is None:
            return
        predicted = self._presented(unseen.outputs)
        rows = present[unseen.rows]
        all_rows = np.full((len(sample_weight), *predicted.shape[1:]), np.nan)
        all_rows[rows] = predicted
        self.oof_prediction_ = all_rows
        y = _safe_indexing(y, rows)
        self.oof_score_ = self._score(y, predicted, sample_weight[rows])

    # --- predicting ---------------------------------------------------------------

    def _blended(self, X):
        """The weighted mean of what the members give, in float64."""
        check_is_fitted(self, "members_")
        x = self._inputs.of(self.preprocessor_.transform(X))
        return self._mean_of(self.members_, x)

    def _mean_of(self, members, x):
        means = mean_outputs(members, x, self._n_outputs)
        return sum(self.weights_[kind] * mean for kind, mean in means.items())

    @property
    def n_features_in_(self):
        return self._of_preprocessor("n_features_in_")

    @property
    def feature_names_in_(self):
        return self._of_preprocessor("feature_names_in_")

    def _of_preprocessor(self, name):
        if not hasattr(self, "preprocessor_"):
            raise AttributeError(f"{type(self).__name__} has no {name} before fit.")
        return getattr(self.preprocessor_, name)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "members_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags


def _indexable(X):
    """Data whose rows can be taken: frames and arrays as they are."""
    if issparse(X):
        check_array(X)  # refuses it in scikit-learn's words
    known = hasattr(X, "shape") or isinstance(X, list | tuple)  # frames have shapes, too
    return X if known else np.asarray(X)


def _widths(hidden_layer_sizes):
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes)).tolist()
    wrong = [s for s in sizes if not isinstance(s, int) or s < 1]
    if wrong:
        raise ValueError(
            f"hidden_layer_sizes must be whole numbers of at least 1, got {sizes}."
        )
    return sizes


def _schedules(n_epochs):
    """Numbers of epochs, the fewest first."""
    numbers = np.atleast_1d(np.asarray(n_epochs)).tolist()
    wrong = not numbers or [n for n in numbers if not isinstance(n, int) or n < 1]
    if wrong:
        raise ValueError(
            f"n_epochs must be 'auto', a whole number of at least 1 or several, got "
            f"{n_epochs!r}."
        )
    return tuple(sorted(set(numbers)))


def _words(numbers):
    return ", ".join(map(str, numbers))


def _complete_folds(members, n_folds):
    """The folds that have a member of each kind there is."""
    kinds = {m.kind for m in members}
    done = [{m.kind for m in members if m.fold == fold} for fold in range(n_folds)]
    return [fold for fold in range(n_folds) if done[fold] == kinds]


def _validation_of(kind, validation):
    """Validation data as a network's `fit` takes it."""
    if validation is None:
        return {}
    return {
        "X_val": validation.x[kind],
        "y_val": validation.target,
        "sample_weight_val": validation.weight,
    }


def type_of_result(X):
    """float32 for an array of that type, else float64."""
    return np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64
