"""Linear support vector machines: solved exactly, or trained like a network."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from skdeep.estimators.linear_svm_network import (
    HingeNetwork,
    TubeNetwork,
    check_known_classes,
)
from skdeep.estimators.linear_svm_solutions import (
    measure_classes,
    measure_regression,
    solve_classes,
    solve_crammer_singer,
    solve_regression,
    warn_of_gap,
)
from skdeep.optimizers import LBFGS, OPTIMIZERS, Optimizer
from skdeep.solvers.solve import EXACT_SOLVERS

_EXACT = ("auto", *EXACT_SOLVERS)


def _learns_in_batches(estimator):
    optimizer = estimator.optimizer
    if isinstance(optimizer, str) and optimizer in _EXACT:
        raise AttributeError(
            "partial_fit needs a stochastic optimizer, such as optimizer='sgd' or "
            f"'adam'; {optimizer!r} solves for all samples at once."
        )
    if isinstance(optimizer, LBFGS) or optimizer == "lbfgs":
        raise AttributeError(
            "partial_fit needs an optimizer that works on mini-batches, not L-BFGS."
        )
    return True


class _LinearSVMBase(BaseEstimator):
    """What the classifier and the regressor share."""

    _parameter_constraints = {
        "C": [Interval(Real, 0, None, closed="neither")],
        "optimizer": [StrOptions({*_EXACT, *OPTIMIZERS}), Optimizer],
        "fit_intercept": ["boolean"],
        "weight_decay": [Interval(Real, 0, None, closed="neither"), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "learning_rate": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "batch_size": [
            StrOptions({"auto", "full"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @property
    def _exact(self):
        return isinstance(self.optimizer, str) and self.optimizer in _EXACT

    def _validate(self, X, y, *, reset, **options):
        return validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            reset=reset,
            **options,
        )

    def _cost(self, sample_weight):
        """C, or what stands for it."""
        if self.weight_decay is None:
            return float(self.C)
        if self.C != 1.0:
            raise ValueError(
                f"C={self.C} and weight_decay={self.weight_decay} were both given, but "
                "weight_decay=d is another way to say C=1/(n*d), where n is the sum of "
                "the sample weights: give one of them."
            )
        return 1.0 / (float(sample_weight.sum()) * self.weight_decay)

    def _check_exact_options(self):
        if self.dropout:
            raise ValueError(
                f"dropout={self.dropout} has no meaning for the exact optimizer "
                f"{self.optimizer!r}. Set dropout=0, or train with a stochastic "
                "optimizer such as 'adam'."
            )
        if self.optimizer == "interior_point" and self.loss.startswith("squared"):
            raise ValueError(
                f"optimizer='interior_point' is for losses that are not squared, but "
                f"loss is {self.loss!r}. Use 'newton' or 'auto'."
            )

    def _network_options(self, C, total):
        """The hyperparameters of the one-layer network with the same objective.

        Its cost is the weighted mean of the loss plus weight_decay / 2 ||w||^2.
        """
        return {
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "max_iter": self.max_iter,
            "tol": self.tol,
            "input_dropout": self.dropout,
            "weight_decay": 1.0 / (C * total),
            "fit_intercept": self.fit_intercept,
            "random_state": self.random_state,
            "verbose": self.verbose,
        }

    def _learn_network(self, network, dtype):
        """Take over what a network has learned."""
        self._network = network
        self.n_iter_ = network.n_iter_
        self.loss_curve_ = network.loss_curve_
        coef = network.coefs_[0].T.astype(dtype)
        intercept = network.intercepts_[0] if self.fit_intercept else np.zeros(len(coef))
        for name in ("support_", "support_vectors_", "n_support_", "dual_coef_"):
            vars(self).pop(name, None)
        return coef, np.asarray(intercept, dtype=dtype)

    def _learn_dual(self, X, dual):
        """Take over the support vectors: the samples with a dual coefficient."""
        dual = np.atleast_2d(dual)
        self.support_ = np.flatnonzero(dual.any(axis=0)).astype(np.int32)
        self.support_vectors_ = X[self.support_]
        self.dual_coef_ = np.ascontiguousarray(dual[:, self.support_], dtype=X.dtype)
        for name in ("_network", "loss_curve_"):
            vars(self).pop(name, None)

    def _linear(self, X):
        check_is_fitted(self)
        X = validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False
        )
        z = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return z[:, 0] if z.ndim == 2 and z.shape[1] == 1 else z

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LinearSVM(ClassifierMixin, _LinearSVMBase):
    """A linear support vector machine, solved exactly and with a certificate.

    Minimizes ``||w||^2 / 2 + C * sum_i s_i loss(y_i (x_i . w + b))`` over w and b, with
    s the samples' weights and the loss ``max(0, 1 - m)`` or its square. The intercept b
    is not penalized. More than two classes are one machine each, against the rest, or
    one machine for all (Crammer and Singer).

    Parameters
    ----------
    C : float, default=1.0
        What an error costs: large values fit the training data more closely.

    loss : {"hinge", "squared_hinge"}, default="hinge"
        What is paid for a sample on the wrong side of its margin.

    optimizer : {"auto", "interior_point", "newton", "coordinate_descent"}, or a \
stochastic one ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", \
"nadam", "amsgrad", "lbfgs"), or Optimizer, default="auto"
        The first four solve exactly; ``"auto"`` chooses by loss, shape and sparsity. The
        others train a network of one layer with the same objective, in mini-batches.

    multi_class : {"ovr", "crammer_singer"}, default="ovr"
        How more than two classes are told apart: each from the rest by a machine of its
        own, or all by one machine, for the hinge loss only.

    fit_intercept : bool, default=True
        Whether there is an intercept.

    weight_decay : float or None, default=None
        Where given, stands for ``C = 1 / (n * weight_decay)``, with n the sum of the
        samples' weights: the objective is then ``weight_decay / 2 ||w||^2`` plus the
        mean loss.

    dropout : float, default=0.0
        The share of inputs that is zeroed at random while training, in [0, 1). For
        stochastic optimizers only.

    learning_rate : "auto" or float, default="auto"
        The learning rate of a stochastic optimizer; ``"auto"`` is its own.

    batch_size : "auto", "full" or int, default="auto"
        The samples in a mini-batch of a stochastic optimizer; ``"auto"`` is
        min(200, n_samples).

    max_iter : int, default=1000
        The largest number of iterations of an exact optimizer (for coordinate descent
        an iteration is an epoch), or of epochs of a stochastic one.

    tol : float, default=1e-6
        The relative duality gap above which an exact optimizer warns. It goes on to
        full precision where it can. For stochastic ones, the smallest improvement of
        the cost that counts.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply those of the samples.

    n_jobs : int or None, default=None
        The threads over which the classes are spread, where each has its own machine.
        The result does not depend on it.

    random_state : int, RandomState instance or None, default=None
        Decides the order of the samples and dropout of stochastic optimizers. Exact
        ones always give the same result.

    verbose : int, default=0
        Whether a stochastic optimizer prints a line after each epoch.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        The coefficients w; one row for two classes.

    intercept_ : ndarray of shape (1,) or (n_classes,)
        The intercepts b.

    classes_ : ndarray of shape (n_classes,)
        The classes.

    support_ : ndarray of shape (n_support,)
        The numbers of the support vectors: the samples that coefficients depend on. For
        more than two classes, those of any machine. Exact optimizers only, like all
        that follows up to `dual_coef_`.

    support_vectors_ : {ndarray, sparse matrix} of shape (n_support, n_features)
        The support vectors.

    n_support_ : ndarray of shape (n_classes,)
        How many support vectors each class has.

    dual_coef_ : ndarray of shape (1, n_support) or (n_classes, n_support)
        The coefficients of the support vectors: ``coef_ = dual_coef_ @
        support_vectors_``. For two classes y times the dual variable. A machine of one
        of many classes has zeros where a support vector is not its own.

    margin_ : float or ndarray of shape (n_classes,)
        The distance of the margins from the decision line, ``1 / ||w||``, in units of
        the features; for one machine per class, of each.

    objective_ : float or ndarray of shape (n_classes,)
        The objective that was reached; for one machine per class, of each.

    duality_gap_ : float or ndarray of shape (n_classes,)
        How far the objective is from the optimum, at most, as a share of it. For
        stochastic optimizers an upper bound that may be loose.

    n_iter_ : int
        The number of iterations: the most of any machine.

    n_features_in_ : int
        The number of features.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of the features, where X had names.

    See Also
    --------
    LinearSVMRegressor : Support vector regression.
    sklearn.svm.LinearSVC : Penalizes the intercept; has no support vectors.

    References
    ----------
    Cortes and Vapnik (1995). "Support-vector networks". Machine Learning 20.
    Crammer and Singer (2001). "On the algorithmic implementation of multiclass
    kernel-based vector machines". JMLR 2.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skdeep import LinearSVM
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LinearSVM().fit(X, y)  # exact, without scaling
    >>> bool(model.duality_gap_ < 1e-6), bool(model.score(X, y) > 0.95)
    (True, True)
    >>> len(model.support_vectors_) < len(X)
    True
    """

    _parameter_constraints = {
        **_LinearSVMBase._parameter_constraints,
        "loss": [StrOptions({"hinge", "squared_hinge"})],
        "multi_class": [StrOptions({"ovr", "crammer_singer"})],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        C=1.0,
        *,
        loss="hinge",
        optimizer="auto",
        multi_class="ovr",
        fit_intercept=True,
        weight_decay=None,
        dropout=0.0,
        learning_rate="auto",
        batch_size="auto",
        max_iter=1000,
        tol=1e-6,
        class_weight=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.C = C
        self.loss = loss
        self.optimizer = optimizer
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # --- fitting ------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Find the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training data.

        y : array-like of shape (n_samples,)
            The classes.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights: k means the same as the sample k times.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        X, y = self._validate(X, y, reset=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"LinearSVM needs samples of at least 2 classes, but y has 1 class: "
                f"{self.classes_[0]!r}."
            )
        weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        C = self._cost(weight)
        cost = C * weight * self._class_weights(y, codes, weight)[codes]
        self._check_weights(codes, cost)
        self._check_multi_class()
        machines = (
            self._fit_exactly(X, codes, cost)
            if self._exact
            else self._train(X, y, codes, weight, cost, C)
        )
        self._learn(machines)
        if self._exact:
            warn_of_gap(machines, self.classes_, self.tol, self.max_iter)
        return self

    def _fit_exactly(self, X, codes, cost):
        self._check_exact_options()
        arguments = {
            "intercept": self.fit_intercept,
            "tol": self.tol,
            "max_iter": self.max_iter,
        }
        if self._joint():
            machine, dual = solve_crammer_singer(X, codes, cost, **arguments)
            machines = [machine]
        else:
            positive = range(len(self.classes_)) if len(self.classes_) > 2 else [1]
            machines, dual = solve_classes(
                X,
                codes,
                cost,
                positive,
                squared=self.loss == "squared_hinge",
                solver=self.optimizer,
                n_jobs=self.n_jobs,
                crammer_singer=self.multi_class == "crammer_singer",
                **arguments,
            )
        self.coef_ = np.vstack([machine.w for machine in machines]).astype(X.dtype)
        self.intercept_ = np.hstack([machine.b for machine in machines]).astype(X.dtype)
        self._learn_dual(X, dual)
        counts = np.bincount(codes[self.support_], minlength=len(self.classes_))
        self.n_support_ = counts.astype(np.int32)
        return machines

    def _train(self, X, y, codes, weight, cost, C):
        network = HingeNetwork(
            **self._hinge_options(C, float(weight.sum())),
            class_weight=self.class_weight,
        )
        network.fit(X, y, sample_weight=weight.astype(X.dtype))
        self.coef_, self.intercept_ = self._learn_network(network, X.dtype)
        return measure_classes(
            X, codes, cost, self.coef_, self.intercept_,
            squared=self.loss == "squared_hinge", free=self.fit_intercept,
            joint=self._joint(), n_iter=self.n_iter_,
        )  # fmt: skip

    def _hinge_options(self, C, total):
        n_machines = len(self.classes_) if len(self.classes_) > 2 else 1
        options = self._network_options(C, total)
        if self._joint():
            return options | {"loss": "multiclass_hinge"}
        if self.multi_class == "crammer_singer":
            options["weight_decay"] /= 2  # two classes: see solve_classes
        # the network's loss is the mean over the machines
        options["weight_decay"] /= n_machines
        return options | {"loss": self.loss}

    def _learn(self, machines):
        """Keep what the machines report: numbers for one, arrays for many."""
        for name in ("margin", "objective", "duality_gap"):
            values = np.array([getattr(machine, name) for machine in machines])
            setattr(self, f"{name}_", values if len(values) > 1 else float(values[0]))
        self.n_iter_ = max(machine.n_iter for machine in machines)

    @available_if(_learns_in_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch on these samples only, with a stochastic optimizer.

        `C` counts the samples of the first call; with a stream of batches, give
        `weight_decay` instead, which does not depend on their number.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        y : array-like of shape (n_samples,)
            Their classes.

        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come: needed in the first call.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights.

        Returns
        -------
        self : object
            The estimator after another epoch.
        """
        network = vars(self).get("_network")
        X, y = self._validate(X, y, reset=network is None)
        check_classification_targets(y)
        if network is None:
            self.classes_ = check_known_classes(self, classes)
            self._check_multi_class()
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
            options = self._hinge_options(self._cost(weight), float(weight.sum()))
            network = HingeNetwork(**options, class_weight=self.class_weight)
        network.partial_fit(X, y, classes=classes, sample_weight=sample_weight)
        self.coef_, self.intercept_ = self._learn_network(network, X.dtype)
        norms = np.linalg.norm(self.coef_.astype(np.float64), axis=1)
        with np.errstate(divide="ignore"):
            margin = 1.0 / norms
        self.margin_ = margin if len(margin) > 1 else float(margin[0])
        for name in ("objective_", "duality_gap_"):  # of samples that are gone
            vars(self).pop(name, None)
        return self

    def _joint(self):
        return self.multi_class == "crammer_singer" and len(self.classes_) > 2

    def _check_multi_class(self):
        if self.multi_class != "crammer_singer":
            return
        if self.loss != "hinge":
            raise ValueError(
                "multi_class='crammer_singer' is defined for loss='hinge', but loss is "
                f"{self.loss!r}. Use multi_class='ovr' with it."
            )
        if self._exact and self._joint() and self.optimizer not in ("auto", "newton"):
            raise ValueError(
                "multi_class='crammer_singer' is solved by optimizer='newton' (or "
                f"'auto'), or by a stochastic one, not by {self.optimizer!r}."
            )

    def _class_weights(self, y, codes, weight):
        if self.class_weight != "balanced":
            return compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        present = np.flatnonzero(np.bincount(codes, weights=weight))
        rows = weight > 0
        weights = np.ones(len(self.classes_))
        weights[present] = compute_class_weight(
            "balanced",
            classes=self.classes_[present],
            y=y[rows],
            sample_weight=weight[rows],
        )
        return weights

    def _check_weights(self, codes, cost):
        totals = np.bincount(codes, weights=cost, minlength=len(self.classes_))
        if not totals.all():
            without = self.classes_[totals == 0].tolist()
            raise ValueError(
                f"All samples of class {', '.join(map(repr, without))} have the weight "
                "zero, by sample_weight or class_weight. Every class needs a weight "
                "above zero: leave the class out of y, or give it one."
            )

    # --- predicting ---------------------------------------------------------------

    def decision_function(self, X):
        """The signed distances from the decision lines, in margins.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes one number a sample, above zero for the second class.
        """
        return self._linear(X)

    def predict(self, X):
        """The class of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return self.classes_[(scores > 0).astype(np.intp)]
        return self.classes_[scores.argmax(axis=1)]


class LinearSVMRegressor(RegressorMixin, _LinearSVMBase):
    """Linear support vector regression, solved exactly and with a certificate.

    Minimizes ``||w||^2 / 2 + C * sum_i s_i loss(|y_i - x_i . w - b|)`` over w and b, with
    s the samples' weights and the loss ``max(0, e - epsilon)`` or its square: errors
    inside a tube of width epsilon cost nothing.

    Parameters
    ----------
    C : float, default=1.0
        What an error costs: large values fit the training data more closely.

    epsilon : float, default=0.0
        Half the height of the tube, in units of the target.

    loss : {"epsilon_insensitive", "squared_epsilon_insensitive"}, \
default="epsilon_insensitive"
        What is paid for a sample outside of the tube.

    optimizer : {"auto", "interior_point", "newton", "coordinate_descent"}, or a \
stochastic one ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", \
"nadam", "amsgrad", "lbfgs"), or Optimizer, default="auto"
        As in `LinearSVM`.

    fit_intercept : bool, default=True
        Whether there is an intercept.

    weight_decay : float or None, default=None
        Where given, stands for ``C = 1 / (n * weight_decay)``.

    dropout : float, default=0.0
        The share of inputs that is zeroed at random, for stochastic optimizers only.

    learning_rate : "auto" or float, default="auto"
        The learning rate of a stochastic optimizer.

    batch_size : "auto", "full" or int, default="auto"
        The samples in a mini-batch of a stochastic optimizer.

    max_iter : int, default=1000
        The largest number of iterations or epochs.

    tol : float, default=1e-6
        The relative duality gap above which an exact optimizer warns; for stochastic
        ones, the smallest improvement of the cost that counts.

    random_state : int, RandomState instance or None, default=None
        Decides the order of the samples and dropout of stochastic optimizers.

    verbose : int, default=0
        Whether a stochastic optimizer prints a line after each epoch.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        The coefficients.

    intercept_ : ndarray of shape (1,)
        The intercept.

    support_ : ndarray of shape (n_support,)
        The numbers of the support vectors: the samples on the tube or outside. Exact
        optimizers only, like the next two.

    support_vectors_ : {ndarray, sparse matrix} of shape (n_support, n_features)
        The support vectors.

    dual_coef_ : ndarray of shape (1, n_support)
        Their coefficients: ``coef_ = dual_coef_[0] @ support_vectors_``.

    objective_ : float
        The objective that was reached.

    duality_gap_ : float
        How far it is from the optimum, at most, as a share of it.

    n_iter_ : int
        The number of iterations.

    n_features_in_ : int
        The number of features.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        The names of the features, where X had names.

    See Also
    --------
    LinearSVM : The classifier.

    References
    ----------
    Smola and Schölkopf (2004). "A tutorial on support vector regression".

    Examples
    --------
    >>> import numpy as np
    >>> from skdeep import LinearSVMRegressor
    >>> X = np.arange(10.0).reshape(-1, 1)
    >>> model = LinearSVMRegressor(C=10, epsilon=0.5).fit(X, 2 * X.ravel() + 1)
    >>> model.coef_.round(3), model.support_
    (array([1.889]), array([0, 9], dtype=int32))
    """

    _parameter_constraints = {
        **_LinearSVMBase._parameter_constraints,
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "loss": [StrOptions({"epsilon_insensitive", "squared_epsilon_insensitive"})],
    }

    def __init__(
        self,
        C=1.0,
        *,
        epsilon=0.0,
        loss="epsilon_insensitive",
        optimizer="auto",
        fit_intercept=True,
        weight_decay=None,
        dropout=0.0,
        learning_rate="auto",
        batch_size="auto",
        max_iter=1000,
        tol=1e-6,
        random_state=None,
        verbose=0,
    ):
        self.C = C
        self.epsilon = epsilon
        self.loss = loss
        self.optimizer = optimizer
        self.fit_intercept = fit_intercept
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Find the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The training data.

        y : array-like of shape (n_samples,)
            The targets.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights: k means the same as the sample k times.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        X, y = self._validate(X, y, reset=True, y_numeric=True)
        y = y.astype(np.float64)
        weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        C = self._cost(weight)
        squared = self.loss.startswith("squared")
        if self._exact:
            self._check_exact_options()
            machine, dual = solve_regression(
                X, y, C * weight, self.epsilon, squared=squared, solver=self.optimizer,
                intercept=self.fit_intercept, tol=self.tol, max_iter=self.max_iter,
            )  # fmt: skip
            self.coef_ = machine.w.astype(X.dtype)
            self.intercept_ = np.array([machine.b], dtype=X.dtype)
            self._learn_dual(X, dual)
        else:
            network = self._make_network(C, weight)
            network.fit(X, y.astype(X.dtype), sample_weight=weight.astype(X.dtype))
            self._learn_regression(network, X.dtype)
            machine = measure_regression(
                X, y, C * weight, self.epsilon, self.coef_, self.intercept_,
                squared=squared, free=self.fit_intercept, n_iter=self.n_iter_,
            )  # fmt: skip
        self.objective_ = machine.objective
        self.duality_gap_ = machine.duality_gap
        self.n_iter_ = machine.n_iter
        if self._exact:
            warn_of_gap([machine], None, self.tol, self.max_iter)
        return self

    @available_if(_learns_in_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on these samples only, with a stochastic optimizer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        y : array-like of shape (n_samples,)
            Their targets.

        sample_weight : array-like of shape (n_samples,), default=None
            The samples' weights.

        Returns
        -------
        self : object
            The estimator after another epoch.
        """
        network = vars(self).get("_network")
        X, y = self._validate(X, y, reset=network is None, y_numeric=True)
        if network is None:
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
            network = self._make_network(self._cost(weight), weight)
        network.partial_fit(X, y, sample_weight=sample_weight)
        self._learn_regression(network, X.dtype)
        for name in ("objective_", "duality_gap_"):  # of samples that are gone
            vars(self).pop(name, None)
        return self

    def _make_network(self, C, weight):
        return TubeNetwork(
            **self._network_options(C, float(weight.sum())),
            epsilon=self.epsilon,
            squared=self.loss.startswith("squared"),
        )

    def _learn_regression(self, network, dtype):
        coef, self.intercept_ = self._learn_network(network, dtype)
        self.coef_ = coef[0]

    def predict(self, X):
        """The targets of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        return self._linear(X)
