"""The linear support vector machine: solved exactly, or trained like a network."""

import copy
from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from skdeep.svm.base_linear_svm import (
    BaseLinearSVM,
    dual_attributes,
    learns_in_batches,
)
from skdeep.svm.one_layer_network import (
    HingeNetwork,
    MachineTasks,
    check_batch_weight,
    check_known_classes,
    known_codes,
    network_options,
    run_epochs,
)
from skdeep.svm.output_certificate import certify_classes
from skdeep.svm.solutions import (
    margin,
    measure_classes,
    reported,
    solve_classes,
    solve_crammer_singer,
)
from skdeep.svm.solvers.hinge import Hinge, SquaredHinge
from skdeep.svm.solvers.interrupt import Solves
from skdeep.svm.solvers.preparation import choose_units
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.class_weight import class_weight_vector
from skdeep.validation.inputs import convert_input
from skdeep.validation.messages import plain
from skdeep.validation.stored_parameters import stores_parameters

_LOSSES = {"hinge": Hinge(), "squared_hinge": SquaredHinge()}


class LinearSVM(ClassifierMixin, BaseLinearSVM):
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
"nadam", "amsgrad", "lbfgs", "lion"), or Optimizer, default="auto"
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
        The learning rate of a stochastic optimizer. ``"auto"`` is the optimizer's own,
        but for ``"sgd"``, ``"momentum"`` and ``"nesterov"`` by name it follows from
        the data (with `partial_fit`, from those of the first call), so that they need
        no scaling: half of one over the expected smoothness [3]_, with features
        divided by one number that makes them as large as the intercept's.

    batch_size : "auto", "full" or int, default="auto"
        The samples in a mini-batch of a stochastic optimizer; ``"auto"`` is
        min(200, n_samples).

    max_iter : int, default=1000
        The largest number of iterations of an exact optimizer (for coordinate descent
        an iteration is an epoch), or of epochs of a stochastic one.

    tol : float, default=1e-6
        The relative duality gap that an exact optimizer must reach; it warns where it
        does not. With 1e-6 or less it goes on to full precision, where it can: then
        support vectors are exact. With more it stops at that gap, which takes less
        time (but for squared hinge by Newton's method, whose last step is exact). For
        stochastic ones, the smallest improvement of the cost that counts.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, which multiply those of the samples: finite numbers, zero
        or above. Classes that are not named have the weight 1. ``"balanced"`` gives all
        classes the same sum of weights.

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

    dual_coef_ : ndarray of shape (1, n_support) or csr_array of (n_classes, n_support)
        The coefficients of the support vectors: ``coef_ = dual_coef_ @
        support_vectors_``. For two classes y times the dual variable. For more it is
        sparse: a machine has entries for its own support vectors only.

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
    .. [1] Cortes and Vapnik (1995). "Support-vector networks". Machine Learning 20.
    .. [2] Crammer and Singer (2001). "On the algorithmic implementation of multiclass
       kernel-based vector machines". JMLR 2.
    .. [3] Gower, Loizou, Qian, Sailanbayev, Shulgin and Richtarik (2019). "SGD: General
       analysis and improved rates". ICML.

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
        **BaseLinearSVM._parameter_constraints,
        "loss": [StrOptions(set(_LOSSES))],
        "multi_class": [StrOptions({"ovr", "crammer_singer"})],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "n_jobs": [Integral, None],
    }

    @stores_parameters
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
    ): ...

    # --- fitting ------------------------------------------------------------------

    @all_or_nothing
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

        Raises
        ------
        KeyboardInterrupt
            Where the user interrupts the fit (Ctrl-C). If there was a solution by then,
            the estimator is fitted with the best one so far, and `duality_gap_` says
            how far that is from the optimum, at most. Any other error leaves the
            estimator as it was.
        """
        tasks = MachineTasks(self, X, y, sample_weight)
        sample_weight = convert_input(sample_weight, name="sample_weight")
        X, y = self._validate(X, y, reset=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"LinearSVM needs samples of at least 2 classes, but y has 1 class: "
                f"{plain(self.classes_[0])!r}."
            )
        weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        C = self._cost(weight)
        by_class = class_weight_vector(self.class_weight, self.classes_, y, weight)
        with np.errstate(over="ignore"):
            weight = weight * by_class[codes]
            cost = C * weight
        self._check_weights(codes, cost)
        choose_units(X, cost, self._row_loss)  # or refuse at once
        self._check_multi_class()
        self._learn()  # what callbacks see has nothing of the last fit
        fit = self._fit_exactly if self._exact else self._train
        machines, learned, interrupt = fit(X, codes, weight, C, tasks)
        machines = certify_classes(
            machines, X, codes, cost, self._row_loss,
            joint=self._joint(), penalty=self._penalty(),
        )  # fmt: skip
        self._learn(**learned, **reported(machines))
        self._end(tasks, interrupt, machines)
        return self

    def _fit_exactly(self, X, codes, weight, C, tasks):
        self._check_exact_options()
        tasks.begin("fit", 0)
        solves = Solves()
        arguments = {
            "intercept": self.fit_intercept,
            "tol": self.tol,
            "max_iter": self.max_iter,
        }
        if self._joint():
            machine, dual = solve_crammer_singer(X, codes, C * weight, solves, **arguments)
            machines = [machine]
        else:
            positive = range(len(self.classes_)) if len(self.classes_) > 2 else [1]
            machines, dual = solve_classes(
                X,
                codes,
                C * weight,
                positive,
                solves,
                loss=self._row_loss,
                solver=self.optimizer,
                n_jobs=self.n_jobs,
                crammer_singer=self.multi_class == "crammer_singer",
                **arguments,
            )
        solves.check_begun(machines)
        learned = {
            "coef_": np.vstack([machine.w for machine in machines]),
            "intercept_": np.hstack([machine.b for machine in machines]),
            "n_iter_": max(machine.n_iter for machine in machines),
            **dual_attributes(X, dual),
        }
        counts = np.bincount(codes[learned["support_"]], minlength=len(self.classes_))
        learned["n_support_"] = counts.astype(np.int32)
        self._learn(**learned, **reported(machines))  # kept where an interrupt comes now
        return machines, learned, solves.interrupt

    def _train(self, X, codes, weight, C, tasks):
        network = HingeNetwork(**self._hinge_options(X, weight, C))
        interrupt = run_epochs(network.fit, network, tasks, X, codes, weight)
        learned = self._learned_by(network)
        self._learn(**learned)  # an interrupt from now on costs the certificate only
        scale = 0.5 / self._penalty()
        machines = measure_classes(
            X, codes, scale * C * weight, learned["coef_"], learned["intercept_"],
            loss=self._row_loss, free=self.fit_intercept,
            joint=self._joint(), n_iter=learned["n_iter_"],
        )  # fmt: skip
        machines = [replace(m, objective=m.objective / scale) for m in machines]
        return machines, learned, interrupt

    def _penalty(self):
        """The weight of ||w||^2 in the objective of each machine."""
        halved = self.multi_class == "crammer_singer" and not self._joint()
        return 0.25 if halved else 0.5  # see solve_classes

    def _hinge_options(self, X, weight, C):
        decay = 1.0 / (C * float(weight.sum()))
        if self._joint():
            # a sample moves two rows of coefficients: twice the square of one's slope
            options = network_options(self, X, weight, decay, curvature=4.0)
            return options | {"loss": "multiclass_hinge"}
        if self.multi_class == "crammer_singer":
            decay /= 2  # two classes: see solve_classes
        # the network's loss is the mean over the machines
        n_machines = len(self.classes_) if len(self.classes_) > 2 else 1
        options = network_options(
            self, X, weight, decay / n_machines, curvature=2.0 / n_machines
        )
        return options | {"loss": self.loss}

    @available_if(learns_in_batches)
    @all_or_nothing
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

        Raises
        ------
        KeyboardInterrupt
            Where the user interrupts the epoch. Any other error leaves the estimator as
            it was.
        """
        tasks = MachineTasks(self, X, y, sample_weight)
        network = copy.copy(vars(self).get("_network"))
        first = network is None
        if first:
            vars(self).pop("classes_", None)  # an exact fit's
        sample_weight = convert_input(sample_weight, name="sample_weight")
        X, y = self._validate(X, y, reset=first)
        check_classification_targets(y)
        self.classes_ = check_known_classes(self, classes)
        codes = known_codes(y, self.classes_)
        weight = check_batch_weight(sample_weight, X, first)
        C = self._cost(weight) if first else None
        weight = weight * self._batch_class_weights(y, weight)[codes]
        if first:
            self._check_multi_class()
            network = HingeNetwork(**self._hinge_options(X, weight, C))
        numbers = np.arange(len(self.classes_))
        interrupt = run_epochs(
            network.partial_fit, network, tasks, X, codes, weight, classes=numbers
        )
        learned = self._learned_by(network)
        coef = learned["coef_"]
        self._learn(**learned, margin_=margin(coef, joint=self._joint()))
        self._end(tasks, interrupt)
        return self

    def _batch_class_weights(self, y, weight):
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all samples at once, which partial_fit "
                "does not have. Pass a dict, such as compute_class_weight from "
                "sklearn.utils.class_weight gives for a part of the data."
            )
        return class_weight_vector(self.class_weight, self.classes_, y, weight)

    @property
    def _row_loss(self):
        """What the error of a row costs."""
        return _LOSSES[self.loss]

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
            For two classes one number a sample, above zero for the second class. In
            float64, and the same bits for any number of threads.
        """
        return self._outputs(X)

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
