"""Ensembles: one estimator trained several times, whose predictions are averaged."""

from abc import ABC, abstractmethod
from functools import partial
from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    RegressorMixin,
    _fit_context,
    clone,
    is_classifier,
    is_regressor,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import _safe_indexing, check_random_state, get_tags, indexable
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from skdeep.engine.threads import single_threaded_blas
from skdeep.estimators.members import Clock, as_task, say_what_is_kept, train
from skdeep.estimators.mlp import MLPClassifier, MLPRegressor
from skdeep.training.tasks import no_callbacks
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.stored_parameters import stores_parameters

_SEEDS = np.iinfo(np.int32).max


class _Ensemble(CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator, ABC):
    """What both ensembles share; a subclass averages, and knows which members it takes."""

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _member(self):
        """What the members are clones of."""

    @abstractmethod
    def _check_member(self, member):
        """Raise a ValueError where members cannot be averaged."""

    @abstractmethod
    def _learn(self, members, X):
        """Learn from fitted members what is to be known to average them."""

    # --- fitting ------------------------------------------------------------------

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, **fit_params):
        """Train all members.

        Parameters
        ----------
        X : array-like or sparse matrix
            The training data, whatever the members take: it is handed on as it is.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights, for members that take them.

        **fit_params : dict
            What else the `fit` of the members takes, such as `X_val` and `y_val`. With
            ``sklearn.set_config(enable_metadata_routing=True)``, what they request.

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
        member = self._member()
        self._check_member(member)
        if sample_weight is not None:
            fit_params["sample_weight"] = sample_weight
        context = self._init_callback_context(
            "fit", max_subtasks=self.n_members, sequential_subtasks=False
        )
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        given = {"X": X, "y": y, "metadata": metadata}
        context.call_on_fit_task_begin(estimator=self, **given)
        seeds = check_random_state(self.random_state).randint(_SEEDS, size=self.n_members)
        members = [_with_seed(member, seed) for seed in seeds.tolist()]
        members, interrupt = self._train(members, X, y, fit_params, context)
        if not members:
            raise interrupt  # nothing to predict with
        self._learn(members, X)
        self.estimators_ = members
        context.call_on_fit_task_end(
            estimator=self, reconstruction_attributes=no_callbacks, **given
        )
        if interrupt is not None:
            say_what_is_kept(interrupt, len(members))
            raise interrupt
        return self

    def _train(self, members, X, y, fit_params, context):
        """Train members beside each other; those that are complete, and an interrupt."""
        if get_config()["enable_metadata_routing"]:
            fit_params = process_routing(self, "fit", **fit_params)["estimator"]["fit"]
        subtasks = [context.subcontext("member", task_id=i) for i in range(len(members))]

        def fit(member, subtask, end_at):
            # a BLAS with several threads would cut its sums in another way
            with single_threaded_blas(), as_task(subtask, self, member, end_at):
                return member.fit(X, y, **fit_params)

        fits = [partial(fit, *pair) for pair in zip(members, subtasks, strict=True)]
        results, interrupt = train(fits, Clock(None))
        return [member for member in results if member is not None], interrupt

    def _keeps_interrupted_fit(self, before):
        return vars(self).get("estimators_") is not before.get("estimators_")

    def get_metadata_routing(self):
        """What scikit-learn's metadata routing asks: the members are who takes metadata.

        Returns
        -------
        routing : MetadataRouter
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self)
        return router.add(estimator=self._member(), method_mapping=to_fit)

    # --- predicting ---------------------------------------------------------------

    def _outputs(self, method, X):
        """What a method of each member gives."""
        check_is_fitted(self)
        # one after the other, as each may take all threads for many rows
        return [getattr(member, method)(X) for member in self.estimators_]

    @property
    def n_features_in_(self):
        return self._of_members("n_features_in_")

    @property
    def feature_names_in_(self):
        return self._of_members("feature_names_in_")

    def _of_members(self, name):
        if not hasattr(self, "estimators_"):
            raise AttributeError(f"{type(self).__name__} has no {name} before fit.")
        return getattr(self.estimators_[0], name)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimators_")

    def __sklearn_tags__(self):
        tags, of_member = super().__sklearn_tags__(), get_tags(self._member())
        tags.input_tags, tags.target_tags = of_member.input_tags, of_member.target_tags
        tags.non_deterministic = of_member.non_deterministic
        return tags


class EnsembleClassifier(ClassifierMixin, _Ensemble):
    """A classifier trained several times, whose probabilities are averaged.

    All members learn from all samples. They differ by their random numbers, in networks
    the initial weights and the order of the samples, and so by what they make of the
    samples that they are not sure of. Their mean is right more often than one of them, and
    is less sure where it is wrong.

    Parameters
    ----------
    estimator : classifier with `predict_proba`, default=None
        What is trained: a network, a pipeline that ends with one, or any other. None is
        `MLPClassifier()`. It is not changed; the members are clones.

    n_members : int, default=8
        How many times.

    random_state : int, RandomState instance or None, default=None
        Decides the members' random numbers: each parameter of `estimator` whose name ends
        with ``random_state`` is replaced. With an int, the first members of a larger
        ensemble are those of a smaller one.

    Attributes
    ----------
    estimators_ : list of classifiers
        The fitted members. To fit a clone of one on the same data gives the same.

    classes_ : ndarray of shape (n_classes,)
        The classes, or the numbers of the labels.

    n_features_in_ : int
        The features of X, where members know them, as the next one.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if all are text.

    See Also
    --------
    EnsembleRegressor : The same for numbers instead of classes.
    TabularClassifier : Different networks for tables, which are weighed by unseen rows.
    sklearn.ensemble.BaggingClassifier : Members that see different samples or features.

    Notes
    -----
    Members are trained beside each other, one in each thread that
    `threadpoolctl.threadpool_limits`, `OMP_NUM_THREADS` or joblib allow; their data is not
    copied. The result is the same for any number of threads. scikit-learn's
    ``BaggingClassifier(bootstrap=False)`` averages such members, too, but of tables alone,
    and hands on validation data by metadata routing alone.

    References
    ----------
    Hansen and Salamon (1990). Neural network ensembles. *IEEE Transactions on Pattern
    Analysis and Machine Intelligence* 12 (10).

    Lakshminarayanan, Pritzel and Blundell (2017). Simple and scalable predictive
    uncertainty estimation using deep ensembles. *NeurIPS*.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skdeep import EnsembleClassifier, MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = EnsembleClassifier(MLPClassifier((50,)), n_members=4, random_state=0)
    >>> model = model.fit(X_train, y_train)
    >>> len(model.estimators_)
    4
    >>> bool(model.score(X_test, y_test) > 0.95)
    True
    """

    @stores_parameters
    def __init__(self, estimator=None, *, n_members=8, random_state=None): ...

    def _member(self):
        return MLPClassifier() if self.estimator is None else self.estimator

    def _check_member(self, member):
        name = type(member).__name__
        if not is_classifier(member):
            raise ValueError(
                f"EnsembleClassifier needs a classifier, but estimator is a {name}. For "
                "regressors there is EnsembleRegressor."
            )
        if not hasattr(member, "predict_proba"):
            raise ValueError(
                f"EnsembleClassifier averages probabilities, but this {name} has no "
                "predict_proba. Take a classifier that has: a network whose loss gives "
                "probabilities, such as 'cross_entropy', or "
                "sklearn.calibration.CalibratedClassifierCV around the one you have."
            )

    def _learn(self, members, X):
        # a matrix as y may have been labels, or distributions over classes
        sample = _safe_indexing(indexable(X)[0], [0])
        self._predicts_labels = np.ndim(members[0].predict(sample)) == 2

    @property
    def classes_(self):
        return self._of_members("classes_")

    def predict_proba(self, X):
        """The probability of each class: the mean of what the members give.

        Parameters
        ----------
        X : array-like or sparse matrix
            The samples, as the members take them.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Of the members' type. For multilabel targets the probability of each label.
        """
        return _for_each_output(_mean_of_their_type, self._outputs("predict_proba", X))

    def predict_log_proba(self, X):
        """The logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like or sparse matrix
            The samples, as the members take them.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            As small as they are: networks give a finite number for a probability that
            their type cannot hold. Other members may give zero; where all do, it is -inf.
        """
        check_is_fitted(self)
        if not hasattr(self.estimators_[0], "predict_log_proba"):
            return _for_each_output(_log_mean, self._outputs("predict_proba", X))
        # not the logarithm of the mean, which has no digits of small probabilities
        return _for_each_output(_log_mean_exp, self._outputs("predict_log_proba", X))

    def predict(self, X):
        """The most likely class of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix
            The samples, as the members take them.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The classes; for multilabel targets 1 where a label applies.
        """
        p = self.predict_proba(X)
        if isinstance(p, list):
            columns = zip(self.classes_, p, strict=True)
            return np.stack([classes[q.argmax(axis=1)] for classes, q in columns], axis=1)
        if self._predicts_labels:
            return (p > 0.5).astype(np.int64)
        return self.classes_[p.argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags = get_tags(self._member()).classifier_tags
        return tags


class EnsembleRegressor(RegressorMixin, _Ensemble):
    """A regressor trained several times, whose predictions are averaged.

    All members learn from all samples. They differ by their random numbers, in networks
    the initial weights and the order of the samples. The squared error of their mean is
    that of one of them, on average, less the variance between them.

    Parameters
    ----------
    estimator : regressor, default=None
        What is trained: a network, a pipeline that ends with one, or any other. None is
        `MLPRegressor()`. It is not changed; the members are clones.

    n_members : int, default=8
        How many times.

    random_state : int, RandomState instance or None, default=None
        Decides the members' random numbers: each parameter of `estimator` whose name ends
        with ``random_state`` is replaced. With an int, the first members of a larger
        ensemble are those of a smaller one.

    Attributes
    ----------
    estimators_ : list of regressors
        The fitted members. To fit a clone of one on the same data gives the same.

    n_features_in_ : int
        The features of X, where members know them, as the next one.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if all are text.

    See Also
    --------
    EnsembleClassifier : The same for classes instead of numbers.
    TabularRegressor : Different networks for tables, which are weighed by unseen rows.
    sklearn.ensemble.BaggingRegressor : Members that see different samples or features.

    Notes
    -----
    Members are trained beside each other, one in each thread that
    `threadpoolctl.threadpool_limits`, `OMP_NUM_THREADS` or joblib allow; their data is not
    copied. The result is the same for any number of threads. scikit-learn's
    ``BaggingRegressor(bootstrap=False)`` averages such members, too, but of tables alone,
    and hands on validation data by metadata routing alone.

    The error of a mean (Krogh and Vedelsby 1995): for each sample, with the predictions
    f_k and their mean f, (f - y)^2 = mean((f_k - y)^2) - mean((f_k - f)^2).

    References
    ----------
    Krogh and Vedelsby (1995). Neural network ensembles, cross validation, and active
    learning. *NIPS*.

    Lakshminarayanan, Pritzel and Blundell (2017). Simple and scalable predictive
    uncertainty estimation using deep ensembles. *NeurIPS*.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdeep import EnsembleRegressor, MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = make_pipeline(StandardScaler(), MLPRegressor((20,), max_iter=100))
    >>> model = EnsembleRegressor(network, n_members=4, random_state=0)
    >>> model = model.fit(X, (y - y.mean()) / y.std())
    >>> mean, spread = model.predict(X, return_std=True)
    >>> mean.shape, spread.shape
    ((442,), (442,))
    """

    @stores_parameters
    def __init__(self, estimator=None, *, n_members=8, random_state=None): ...

    def _member(self):
        return MLPRegressor() if self.estimator is None else self.estimator

    def _check_member(self, member):
        if not is_regressor(member):
            raise ValueError(
                f"EnsembleRegressor needs a regressor, but estimator is a "
                f"{type(member).__name__}. For classifiers there is EnsembleClassifier."
            )

    def _learn(self, members, X):
        """Nothing: their predictions are averaged as they are."""

    def predict(self, X, return_std=False):
        """The targets of each sample: the mean of what the members predict.

        Parameters
        ----------
        X : array-like or sparse matrix
            The samples, as the members take them.

        return_std : bool, default=False
            Whether to return the standard deviation between members as well. It says how
            far they disagree, which they do away from the training data, and nothing of
            the noise in the targets: it is not the error to expect.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Of the members' type.

        std : ndarray of the same shape
            Where `return_std` is True.
        """
        outputs = self._outputs("predict", X)
        if not return_std:
            return _mean_of_their_type(outputs)
        mean, dtype = _mean(outputs), _type_of(outputs)
        variance = _mean([(output - mean) ** 2 for output in outputs])
        return mean.astype(dtype), np.sqrt(variance).astype(dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags = get_tags(self._member()).regressor_tags
        return tags


# --- members --------------------------------------------------------------------------


def _with_seed(estimator, seed):
    """A clone whose random numbers, its parts' as well, a seed decides."""
    member, generator = clone(estimator), check_random_state(seed)
    names = [name for name in sorted(member.get_params()) if _is_random_state(name)]
    member.set_params(**{name: generator.randint(_SEEDS) for name in names})
    return member


def _is_random_state(name):
    return name == "random_state" or name.endswith("__random_state")


# --- averages -------------------------------------------------------------------------


def _for_each_output(average, outputs):
    """An average of arrays; of lists, of an array for each output, a list."""
    if isinstance(outputs[0], list):
        return [average(arrays) for arrays in zip(*outputs, strict=True)]
    return average(outputs)


def _mean(arrays):
    """The mean of arrays in float64, summed one after the other.

    np.mean has another order of summation for a single row than for many.
    """
    total = np.zeros(np.shape(arrays[0]))
    for array in arrays:
        total += array
    return total / len(arrays)


def _type_of(arrays):
    """The type of the mean of arrays: theirs, where it is one of real numbers."""
    return np.result_type(np.float32, *arrays)


def _mean_of_their_type(arrays):
    return _mean(arrays).astype(_type_of(arrays))


def _log_mean(arrays):
    with np.errstate(divide="ignore"):
        return np.log(_mean(arrays)).astype(_type_of(arrays))


def _log_mean_exp(arrays):
    """The logarithm of a mean, from the logarithms."""
    total = np.full(np.shape(arrays[0]), -np.inf)
    for array in arrays:
        total = np.logaddexp(total, array)
    mean = total - np.log(len(arrays))
    return np.minimum(mean, 0.0).astype(_type_of(arrays))  # rounding may lift it above
