"""Tables as they are: the preparation, many networks, and what their predictions weigh."""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from time import perf_counter

import numpy as np
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    _fit_context,
    is_classifier,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import _safe_indexing, check_array, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    _num_samples,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from skdeep.engine.threads import single_threaded_blas
from skdeep.estimators.blending import (
    cross_entropies,
    select,
    squared_errors,
    temperature,
    with_temperature,
)
from skdeep.estimators.prediction_interval import cross_validation_plus
from skdeep.estimators.tabular_folds import make_folds
from skdeep.estimators.tabular_members import (
    LINEAR,
    SHARE_OF_NETWORKS,
    TREES,
    Clock,
    Inputs,
    Member,
    Rows,
    linear_model,
    mean_outputs,
    network,
    train,
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
from skdeep.preprocessing import TabularPreprocessor
from skdeep.preprocessing.table_columns import is_frame
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.class_weight import class_weight_vector
from skdeep.validation.inputs import convert_input
from skdeep.validation.messages import naming
from skdeep.validation.notices import warn_user
from skdeep.validation.stored_parameters import stores_parameters
from skdeep.validation.targets import present_classes, present_numbers

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
_NAMES_OF_VALIDATION = {"X": "X_val", "y": "y_val", "sample_weight": "sample_weight_val"}


_PARAMETERS = """
    preset : {{"fast", "default", "best"}}, default="default"
        How much is trained: see Notes. What other parameters say comes first.

    time_limit : float or None, default=None
        Seconds that `fit` may take, about. What there is no time for is left out, with a
        warning; one network is always trained, on fewer epochs if need be. The result
        depends on the machine then.

    n_members : int or "auto", default="auto"
        Networks that are trained on all rows, besides those of the folds.

    n_epochs : int or "auto", default="auto"
        The epochs of each network.

    n_cv : int, cross-validation splitter or "auto", default="auto"
        The folds. In each, one network of each embedding is trained without the rows of
        the fold, and predicts them. 0 sets no rows aside: networks have equal weights
        then, and there is no blend.

    numeric_embedding : {{"auto", "periodic", "piecewise"}} or None, default="auto"
        What each number becomes before the first dense layer: waves
        (`skdeep.layers.PeriodicEmbedding`), bins
        (`skdeep.preprocessing.PiecewiseLinearEncoder`), or, with None, itself. "auto"
        trains networks of all three.

    blend : {{"linear", "trees"}} or None, default="linear"
        What is weighed with the networks: a linear model; or that and scikit-learn's
        HistGradientBoosting.

    hidden_layer_sizes : int or array-like of int, default=(128, 128)
        The units of each hidden layer.

    dropout : float, default=0.1
        The share of hidden units that are left out in training, in [0, 1).

    learning_rate : float, default=0.006
        Of AdamW, at the beginning; it falls to zero as a cosine.

    weight_decay : float, default=0.02
        Of AdamW.

    batch_size : int or "auto", default="auto"
        The rows of a step. "auto" is a power of two near a twentieth of all, from 32 to
        256.

    categorical_features : "from_dtype", array-like of {{bool, int, str}} or None, \
            default="from_dtype"
        The columns of categories: a mask, or their places or names. Columns of a
        categorical type of pandas or Polars always are.

    max_onehot : int, default=30
        Categories of up to so many levels get a column for each; those of more become
        means of the target in other rows.
{class_weight}
    random_state : int, RandomState instance or None, default=None
        Decides all random numbers.
"""
_ATTRIBUTES = """
    members_ : list of Member
        The models: `kind`, `fold` (None where a model has seen all rows) and `estimator`,
        a fitted network with its curves (`estimator.loss_curve_`), or another model.

    weights_ : dict of str to float
        The weight of each kind of model; it is shared by those of one kind.

    preprocessor_ : TabularPreprocessor
        What makes numbers of a table.

    oof_prediction_ : ndarray of shape {oof} or None
        What was predicted of each row by members that had not seen it; NaN where there
        is no such prediction. None without folds.

    oof_score_ : float or None
        The {score} of `oof_prediction_`. The blend's few weights were chosen on the
        same rows.

    n_epochs_ : int
        The epochs of each network.

    n_features_in_ : int
        The columns of X.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if all are text.
"""


_NOTES = """
    Notes
    -----
    A `skdeep.preprocessing.TabularPreprocessor` makes numbers of the table. Networks with
    three embeddings of the numbers are trained with AdamW and a rate that falls as a
    cosine (as RealMLP is, Holzmüller et al. 2024): one of each on all rows, and one of
    each in each of five folds on all rows but those of the fold. What these say of the
    rows that they have not seen decides the weights of the embeddings and of a linear
    model (Caruana et al. 2004){calibration}. All of them predict together.

    The epochs follow from a budget of floating-point operations: 24 to 120 for 1e11 of
    them, about a second on two cores. "fast" spends a tenth, without folds; "best" ten
    times as much, in ten folds and with four networks of each embedding on all rows.
    Tables of fewer than 50 rows have no folds, and are learned as a whole, in float64;
    others in float32.

    Networks are trained beside each other, one in each thread that
    `threadpoolctl.threadpool_limits`, `OMP_NUM_THREADS` or joblib allow; the result is the
    same for any number of them. Warm starts and `partial_fit` there are none.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew and Ksikes (2004). Ensemble selection from libraries of
    models. *ICML*.

    Gorishniy, Rubachev and Babenko (2022). On embeddings for numerical features in tabular
    deep learning. *NeurIPS*.

    Holzmüller, Grinsztajn and Steinwart (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. *NeurIPS*.
"""


def _document(**words):
    """Fill in what the docstrings of both estimators share."""

    def fill(estimator):
        parts = {"parameters": _PARAMETERS, "attributes": _ATTRIBUTES, "notes": _NOTES}
        filled = {name: text.strip().format(**words) for name, text in parts.items()}
        estimator.__doc__ = estimator.__doc__.format(**filled)
        return estimator

    return fill


class _Tabular(CallbackSupportMixin, BaseEstimator, ABC):
    """What both estimators share; a subclass knows what targets are."""

    _parameter_constraints = {
        "preset": [StrOptions(set(PRESETS))],
        "time_limit": [_POSITIVE, None],
        "n_members": [_COUNT, _AUTO],
        "n_epochs": [_COUNT, _AUTO],
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
    def _learn_errors(self, target, outputs, weight, fold):
        """Learn from predictions of rows that were set aside how far they are off."""

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
        context = self._init_callback_context("fit", 0, None, sequential_subtasks=False)
        given = {"X": X, "y": y, "metadata": {"sample_weight": sample_weight}}
        context.call_on_fit_task_begin(estimator=self, **given)
        generator = check_random_state(self.random_state)
        all_weights = _checked_weight(sample_weight, _num_samples(y))
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
        self._learn_blend(rows, folds, members, validation)
        self._keep_out_of_fold(present, all_weights, y)
        self.n_epochs_ = plan.n_epochs
        context.call_on_fit_task_end(estimator=self, **given)
        if interrupt is not None:
            interrupt.add_note(
                f"Training was interrupted after {len(members)} members, with which the "
                "estimator is fitted."
            )
            raise interrupt
        return self

    def _keeps_interrupted_fit(self, before):
        return vars(self).get("members_") is not before.get("members_")

    def _learn_table(self, X, target, weight, generator):
        """Learn to make numbers of the table; return its rows as members take them."""
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
        self._inputs = Inputs(kinds, n_numeric, Z.shape[1] - n_numeric).fit(Z, weight)
        return Rows(self._inputs.of(Z), target, weight)

    def _check_validation(self, X_val, y_val, sample_weight_val):
        """Rows of validation data as members take them, or None."""
        if X_val is None:
            if y_val is None and sample_weight_val is None:
                return None
            raise ValueError("y_val or sample_weight_val was given without X_val.")
        if y_val is None:
            raise ValueError("X_val was given without y_val: pass both, or neither.")
        with naming(_NAMES_OF_VALIDATION):
            Z = self.preprocessor_.transform(X_val)
            check_consistent_length(Z, y_val)
            weight = _checked_weight(sample_weight_val, len(Z))
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
        return replace(plan, n_cv=len(folds)), folds

    def _network(self, kind, plan, n_rows, seed):
        options = {
            "hidden_layer_sizes": _widths(self.hidden_layer_sizes),
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
        }
        n_numeric, classifies = self._inputs.n_numeric, is_classifier(self)
        return network(kind, plan, options, n_numeric, n_rows, seed, classifies=classifies)

    def _within(self, plan, rows, clock, seed):
        """The plan, with as many epochs as a first network has time for."""
        kind = plan.kinds[0]
        model = self._network(kind, replace(plan, n_epochs=1), len(rows.target), seed)
        start = perf_counter()
        model.fit(rows.x[kind], rows.target, sample_weight=rows.weight)
        an_epoch = perf_counter() - start
        affordable = max(1, int(SHARE_OF_NETWORKS * clock.left() / an_epoch))
        if affordable >= plan.n_epochs:
            return plan
        warn_user(
            f"time_limit={self.time_limit} is too short for {plan.n_epochs} epochs of one "
            f"network, which take about {plan.n_epochs * an_epoch:.2g} seconds: it gets "
            f"{affordable}. Allow more time, or choose preset='fast'."
        )
        return replace(plan, n_epochs=affordable)

    def _train(self, rows, plan, folds, validation, clock, context, seed):
        """Train the models of a plan; the members, and an interrupt or None."""
        others = _OTHERS[self.blend] if folds or validation is not None else ()
        tasks = plan.tasks(others)
        seeds = np.random.RandomState(seed).randint(_SEEDS, size=len(tasks)).tolist()
        subtasks = [context.subcontext("member", task_id=i) for i in range(len(tasks))]

        def fit(number, end_at):
            kind, fold = tasks[number]
            part = rows if fold is None else rows.take(folds[fold][0])
            subtask = subtasks[number]
            subtask.call_on_fit_task_begin(estimator=self)
            if kind in others:
                model = self._fit_other(kind, part, seeds[number])
            else:
                model = self._network(kind, plan, len(part.target), seeds[number])
                model.set_callbacks(end_at)
                with subtask.propagate_callback_context(model):
                    model.fit(
                        part.x[kind],
                        part.target,
                        sample_weight=part.weight,
                        **_validation_of(kind, validation),
                    )
                model.set_callbacks()
            subtask.call_on_fit_task_end(estimator=self)
            return Member(kind, fold, model)

        results, interrupt = train([partial(fit, i) for i in range(len(tasks))], clock)
        members = [member for member in results if member is not None]
        if interrupt is not None and not members:
            raise interrupt
        if interrupt is None and len(members) < len(tasks):
            left = Counter(kind for kind, _ in tasks)
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

    def _learn_blend(self, rows, folds, members, validation):
        """Learn the weights from rows that were set aside, and how far they are off."""
        kinds = [k for k in self._inputs.kinds if any(m.kind == k for m in members)]
        networks = _EMBEDDINGS[self.numeric_embedding]
        weights = np.array([float(k in networks) for k in kinds])
        self._outputs_out_of_fold = None
        if validation is not None:
            held_out, target = np.arange(len(validation.target)), validation.target
            weight, fold = validation.weight, None
            means = mean_outputs(members, validation.x, self._n_outputs)
            outputs = [means[kind] for kind in kinds]
        else:
            target, weight = rows.target, rows.weight
            outputs, fold = self._out_of_fold(rows, folds, members, kinds)
            held_out = np.flatnonzero(fold >= 0)
        self._learn_errors(None, None, None, None)
        if len(held_out):
            target, weight = target[held_out], weight[held_out]
            outputs = [output[held_out] for output in outputs]
            fold = None if fold is None else fold[held_out]
            first = [int(k in networks) for k in kinds]
            weights = select(partial(self._losses, target), outputs, weight, first)
            blended = sum(w * o for w, o in zip(weights, outputs, strict=True))
            self._learn_errors(target, blended, weight, fold)
            self._outputs_out_of_fold = None if fold is None else (held_out, blended)
        weights = weights / weights.sum()
        self.weights_ = dict(zip(kinds, weights.tolist(), strict=True))
        self.members_ = [m for m in members if self.weights_[m.kind] > 0]

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

    def _keep_out_of_fold(self, present, sample_weight, y):
        """Keep the out-of-fold predictions of a user's rows, and their score."""
        self.oof_prediction_ = self.oof_score_ = None
        if self._outputs_out_of_fold is None:
            return
        held_out, outputs = self._outputs_out_of_fold
        del self._outputs_out_of_fold
        predicted = self._presented(outputs)
        rows = present[held_out]
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
        weights = {kind: self.weights_[kind] for kind in means}
        total = sum(weights.values())
        return sum(weight / total * means[kind] for kind, weight in weights.items())

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
    known = hasattr(X, "shape") or isinstance(X, list | tuple) or is_frame(X)
    return X if known else np.asarray(X)


def _checked_weight(sample_weight, n):
    return _check_sample_weight(
        convert_input(sample_weight, name="sample_weight"),
        np.empty((n, 1)),
        dtype=np.float64,
        ensure_non_negative=True,
        allow_all_zero_weights=False,
    )


def _widths(hidden_layer_sizes):
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes)).tolist()
    wrong = [s for s in sizes if not isinstance(s, int) or s < 1]
    if wrong:
        raise ValueError(
            f"hidden_layer_sizes must be whole numbers of at least 1, got {sizes}."
        )
    return sizes


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


def _type_of_result(X):
    """float32 for an array of that type, else float64."""
    return np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64


@_document(
    class_weight="""
    class_weight : dict, "balanced" or None, default=None
        What the weights of a class's samples are multiplied by; "balanced" makes all
        classes weigh the same.
""",
    oof="(n_samples, n_classes)",
    score="accuracy",
    calibration=", and how sure the\n    probabilities may be (Guo et al. 2017)",
)
class TabularClassifier(ClassifierMixin, _Tabular):
    """Classes from a table as it is, by networks that are weighed by unseen rows.

    Numbers, categories, booleans, dates and gaps need no preparation.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.

    temperature_ : float
        Probabilities are p^(1 / temperature_), normalized.

    {attributes}

    See Also
    --------
    TabularRegressor : The same for numbers instead of classes.
    MLPClassifier : One network, all of whose parameters are yours.

    {notes}

    Guo, Pleiss, Sun and Weinberger (2017). On calibration of modern neural networks.
    *ICML*.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import TabularClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = TabularClassifier(n_epochs=30, random_state=0).fit(X, y)
    >>> model.oof_score_ > 0.9
    True
    >>> model.predict_proba(X.head(2)).shape
    (2, 3)
    """

    _parameter_constraints = {
        **_Tabular._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }
    _target_type = "classes"

    @stores_parameters
    def __init__(
        self,
        *,
        preset="default",
        time_limit=None,
        n_members="auto",
        n_epochs="auto",
        n_cv="auto",
        numeric_embedding="auto",
        blend="linear",
        hidden_layer_sizes=(128, 128),
        dropout=0.1,
        learning_rate=6e-3,
        weight_decay=0.02,
        batch_size="auto",
        categorical_features="from_dtype",
        max_onehot=30,
        class_weight=None,
        random_state=None,
    ): ...

    def _learn_target(self, y, weight):
        y = _classes(y)
        self.classes_ = np.unique(y)
        self._n_outputs = len(self.classes_)
        if self._n_outputs < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes, but y has "
                f"{self._n_outputs} class: {self.classes_[0]}."
            )
        self._class_weights = class_weight_vector(
            self.class_weight, self.classes_, y, weight
        )
        return self._encode_target(y, weight)

    def _encode_target(self, y, weight):
        y = _classes(y)
        codes = np.minimum(np.searchsorted(self.classes_, y), self._n_outputs - 1)
        unknown = np.unique(y[self.classes_[codes] != y])
        if len(unknown):
            raise ValueError(
                f"y has classes that are not in classes_: {unknown}. Known are "
                f"{self.classes_}."
            )
        return codes, weight * self._class_weights[codes]

    def _losses(self, target, outputs):
        return cross_entropies(target, outputs)

    def _learn_errors(self, target, outputs, weight, fold):
        self.temperature_ = 1.0
        if target is not None:
            self.temperature_ = temperature(target, outputs, weight)

    def _presented(self, outputs):
        return with_temperature(outputs, self.temperature_)

    def _score(self, y, probabilities, weight):
        predicted = self.classes_[probabilities.argmax(axis=1)]
        return float(accuracy_score(y, predicted, sample_weight=weight))

    def predict_proba(self, X):
        """The probability of each class.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            A table with the columns of the one in `fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            float32 for an array of float32, else float64.
        """
        return self._presented(self._blended(X)).astype(_type_of_result(X))

    def predict_log_proba(self, X):
        """The logarithm of the probability of each class.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            A table with the columns of the one in `fit`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        p = self._presented(self._blended(X))
        return np.log(np.maximum(p, np.finfo(p.dtype).tiny)).astype(_type_of_result(X))

    def predict(self, X):
        """The most likely class of each sample.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            A table with the columns of the one in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        chosen = self._presented(self._blended(X)).argmax(axis=1)
        return self.classes_[chosen]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags


def _classes(y):
    """A user's classes as an array of one axis."""
    y = column_or_1d(present_classes(y), warn=True)
    check_classification_targets(y)
    return y


@_document(
    class_weight="",
    oof="(n_samples,) or (n_samples, n_targets)",
    score="R^2",
    calibration="",
)
class TabularRegressor(RegressorMixin, _Tabular):
    """Numbers from a table as it is, by networks that are weighed by unseen rows.

    Numbers, categories, booleans, dates and gaps need no preparation. One or many targets;
    they are standardized, and predictions stay within their range.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    See Also
    --------
    TabularClassifier : The same for classes instead of numbers.
    MLPRegressor : One network, all of whose parameters are yours.

    {notes}

    Barber, Candès, Ramdas and Tibshirani (2021). Predictive inference with the jackknife+.
    *Annals of Statistics* 49 (1).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdeep import TabularRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = TabularRegressor(n_epochs=30, random_state=0).fit(X, y)
    >>> model.oof_score_ > 0.4
    True
    >>> low, high = model.predict_interval(X, confidence_level=0.8).T
    >>> bool(((low < y) & (y < high)).mean() > 0.75)
    True
    """

    _target_type = "continuous"

    @stores_parameters
    def __init__(
        self,
        *,
        preset="default",
        time_limit=None,
        n_members="auto",
        n_epochs="auto",
        n_cv="auto",
        numeric_embedding="auto",
        blend="linear",
        hidden_layer_sizes=(128, 128),
        dropout=0.1,
        learning_rate=6e-3,
        weight_decay=0.02,
        batch_size="auto",
        categorical_features="from_dtype",
        max_onehot=30,
        random_state=None,
    ): ...

    def _learn_target(self, y, weight):
        y = _numbers(y)
        self._y_ndim = y.ndim
        y = y.reshape(len(y), -1)
        self._n_outputs = y.shape[1]
        self._target_mean = np.average(y, axis=0, weights=weight)
        spread = np.sqrt(np.average((y - self._target_mean) ** 2, axis=0, weights=weight))
        self._target_scale = np.where(spread > 0, spread, 1.0)
        target = self._standardized(y)
        self._target_range = target.min(axis=0), target.max(axis=0)
        return target, weight

    def _encode_target(self, y, weight):
        y = _numbers(y)
        if y.ndim != self._y_ndim or (y.ndim == 2 and y.shape[1] != self._n_outputs):
            raise ValueError(
                f"y has the shape {y.shape}, but y in fit had {self._n_outputs} targets."
            )
        return self._standardized(y.reshape(len(y), -1)), weight

    def _standardized(self, y):
        target = (y - self._target_mean) / self._target_scale
        return target[:, 0] if self._n_outputs == 1 else target

    def _losses(self, target, outputs):
        return squared_errors(target.reshape(outputs.shape), outputs)

    def _learn_errors(self, target, outputs, weight, fold):
        self._residuals = self._fold_of_residual = None
        if fold is not None:
            errors = target.reshape(outputs.shape) - self._clipped(outputs)
            self._residuals, self._fold_of_residual = np.abs(errors), fold

    def _clipped(self, outputs):
        """Outputs within the targets of training: beyond, nothing is known."""
        low, high = self._target_range
        return np.clip(outputs, low, high)

    def _presented(self, outputs):
        y = self._clipped(outputs) * self._target_scale + self._target_mean
        return y[:, 0] if self._y_ndim == 1 else y

    def _score(self, y, predicted, weight):
        if len(predicted) < 2:
            return float("nan")
        return float(r2_score(_numbers(y), predicted, sample_weight=weight))

    def predict(self, X):
        """The target of each sample, within the range of those in training.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            A table with the columns of the one in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            float32 for an array of float32, else float64.
        """
        return self._presented(self._blended(X)).astype(_type_of_result(X))

    def predict_interval(self, X, confidence_level=0.9):
        """An interval for the target of each sample, by CV+ (Barber et al. 2021).

        It is made of the absolute errors of all training rows in the folds that set them
        aside, around what the models of the same fold predict.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            A table with the columns of the one in `fit`.

        confidence_level : float, default=0.9
            The share of new targets that lie in their intervals, in (0, 1), where they
            come from the same source as the training rows.

        Returns
        -------
        intervals : ndarray of shape (n_samples, 2) or (n_samples, 2, n_targets)
            The lower and the upper end.

        Raises
        ------
        ValueError
            Where `fit` had no folds.
        """
        check_is_fitted(self, "members_")
        if not 0 < confidence_level < 1:
            raise ValueError(
                f"confidence_level must be in (0, 1), but it is {confidence_level}."
            )
        if self._residuals is None:
            raise ValueError(
                "predict_interval needs the errors of rows that were set aside, but fit "
                "had no folds: set n_cv to 5, with more rows than "
                f"{SMALL_TABLE} and without X_val."
            )
        x = self._inputs.of(self.preprocessor_.transform(X))
        folds, number = np.unique(self._fold_of_residual, return_inverse=True)
        predictions = np.array(
            [
                self._clipped(self._mean_of([m for m in self.members_ if m.fold == k], x))
                for k in folds
            ]
        )
        intervals = np.stack(
            [
                cross_validation_plus(
                    predictions[:, :, j], number, self._residuals[:, j], confidence_level
                )
                for j in range(self._n_outputs)
            ],
            axis=-1,
        )
        intervals = intervals * self._target_scale + self._target_mean
        return intervals[:, :, 0] if self._y_ndim == 1 else intervals

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _numbers(y):
    """A user's numbers as an array of one axis or two."""
    y = check_array(present_numbers(y), dtype=np.float64, ensure_2d=False, input_name="y")
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
