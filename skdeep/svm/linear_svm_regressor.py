"""Linear support vector regression: solved exactly, or trained like a network."""

import copy
from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight

from skdeep.svm.base_linear_svm import (
    BaseLinearSVM,
    dual_attributes,
    learns_in_batches,
)
from skdeep.svm.one_layer_network import (
    MachineTasks,
    TubeNetwork,
    check_batch_weight,
    network_options,
    run_epochs,
)
from skdeep.svm.output_certificate import certify_regression
from skdeep.svm.solutions import measure_regression, solve_regression
from skdeep.svm.solvers.hinge import EpsilonInsensitive, SquaredEpsilonInsensitive
from skdeep.svm.solvers.interrupt import Solves
from skdeep.svm.solvers.preparation import choose_units
from skdeep.validation.all_or_nothing import all_or_nothing
from skdeep.validation.inputs import convert_input
from skdeep.validation.stored_parameters import stores_parameters

_LOSSES = {
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
}


class LinearSVMRegressor(RegressorMixin, BaseLinearSVM):
    """Linear support vector regression, solved exactly and with a certificate.

    Minimizes ``||w||^2 / 2 + C * sum_i s_i loss(|y_i - x_i . w - b|)`` over w and b, with
    s the samples' weights and the loss ``max(0, e - epsilon)`` or its square: errors
    up to epsilon, inside the tube, cost nothing.

    Parameters
    ----------
    C : float, default=1.0
        What an error costs: large values fit the training data more closely.

    epsilon : float, default=0.0
        The largest error that costs nothing: half the height of the tube, in units of the
        target.

    loss : {"epsilon_insensitive", "squared_epsilon_insensitive"}, \
default="epsilon_insensitive"
        What is paid for a sample outside of the tube.

    optimizer : {"auto", "interior_point", "newton", "coordinate_descent"}, or a \
stochastic one ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", \
"nadam", "amsgrad", "lbfgs", "lion"), or Optimizer, default="auto"
        As in `LinearSVM`.

    fit_intercept : bool, default=True
        Whether there is an intercept.

    weight_decay : float or None, default=None
        Where given, stands for ``C = 1 / (n * weight_decay)``.

    dropout : float, default=0.0
        The share of inputs that is zeroed at random, for stochastic optimizers only.

    learning_rate : "auto" or float, default="auto"
        The learning rate of a stochastic optimizer; ``"auto"`` as in `LinearSVM`.

    batch_size : "auto", "full" or int, default="auto"
        The samples in a mini-batch of a stochastic optimizer.

    max_iter : int, default=1000
        The largest number of iterations or epochs.

    tol : float, default=1e-6
        The relative duality gap that an exact optimizer must reach, as in `LinearSVM`;
        for stochastic ones, the smallest improvement of the cost that counts.

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
        **BaseLinearSVM._parameter_constraints,
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "loss": [StrOptions(set(_LOSSES))],
    }

    @stores_parameters
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
    ): ...

    @all_or_nothing
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
        X, y = self._validate(X, y, reset=True, y_numeric=True)
        y = y.astype(np.float64)
        weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        C = self._cost(weight)
        with np.errstate(over="ignore"):
            cost = C * weight
        loss = self._row_loss
        choose_units(X, cost, loss, targets=y)  # or refuse at once
        self._learn()  # what callbacks see has nothing of the last fit
        fit = self._fit_exactly if self._exact else self._train
        machine, learned, interrupt = fit(X, y, weight, C, tasks)
        machine = certify_regression(machine, X, y, cost, loss)
        self._learn(
            **learned, objective_=machine.objective, duality_gap_=machine.duality_gap
        )
        self._end(tasks, interrupt, [machine])
        return self

    def _fit_exactly(self, X, y, weight, C, tasks):
        self._check_exact_options()
        tasks.begin("fit", 0)
        solves = Solves()
        machine, dual = solve_regression(
            X, y, C * weight, solves, loss=self._row_loss, solver=self.optimizer,
            intercept=self.fit_intercept, tol=self.tol, max_iter=self.max_iter,
        )  # fmt: skip
        solves.check_begun([machine])
        learned = {
            "coef_": machine.w,
            "intercept_": np.array([machine.b]),
            "n_iter_": machine.n_iter,
        }
        learned |= dual_attributes(X, dual)
        self._learn(  # kept where an interrupt comes now
            **learned, objective_=machine.objective, duality_gap_=machine.duality_gap
        )
        return machine, learned, solves.interrupt

    def _train(self, X, y, weight, C, tasks):
        network = self._make_network(X, y, weight, C)
        interrupt = run_epochs(network.fit, network, tasks, X, y - network.centre, weight)
        learned = self._learned_by(network)
        self._learn(**learned)  # an interrupt from now on costs the certificate only
        machine = measure_regression(
            X, y, C * weight, learned["coef_"], learned["intercept_"],
            loss=self._row_loss, free=self.fit_intercept, n_iter=learned["n_iter_"],
        )  # fmt: skip
        return machine, learned, interrupt

    @available_if(learns_in_batches)
    @all_or_nothing
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

        Raises
        ------
        KeyboardInterrupt
            Where the user interrupts the epoch. Any other error leaves the estimator as
            it was.
        """
        tasks = MachineTasks(self, X, y, sample_weight)
        network = copy.copy(vars(self).get("_network"))
        first = network is None
        sample_weight = convert_input(sample_weight, name="sample_weight")
        X, y = self._validate(X, y, reset=first, y_numeric=True)
        y = y.astype(np.float64)
        weight = check_batch_weight(sample_weight, X, first)
        if first:
            network = self._make_network(X, y, weight, self._cost(weight))
        interrupt = run_epochs(
            network.partial_fit, network, tasks, X, y - network.centre, weight
        )
        self._learn(**self._learned_by(network))
        self._end(tasks, interrupt)
        return self

    @property
    def _row_loss(self):
        """What an error costs."""
        return _LOSSES[self.loss](self.epsilon)

    def _make_network(self, X, y, weight, C):
        squared = self._row_loss.degree == 2
        # a free intercept takes up any shift of the targets
        centre = float(np.average(y, weights=weight)) if self.fit_intercept else 0.0
        # errors far from zero cost no steeper than small ones: further to go
        far = float(np.average(np.abs(y - centre), weights=weight))
        size = 1.0 if squared else far or 1.0
        decay = 1.0 / (C * float(weight.sum()))
        return TubeNetwork(
            **network_options(self, X, weight, decay, curvature=2.0 / size),
            epsilon=self.epsilon,
            squared=squared,
            centre=centre,
        )

    def _learned_by(self, network):
        learned = network.learned()
        return learned | {"coef_": learned["coef_"][0]}

    def predict(self, X):
        """The targets of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            In float64.
        """
        return self._outputs(X)
