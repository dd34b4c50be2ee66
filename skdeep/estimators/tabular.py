"""Tables as they are: classes and numbers, predicted by many small networks."""

import numpy as np
from sklearn.base import (
    ClassifierMixin,
    RegressorMixin,
)
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import (
    check_is_fitted,
    column_or_1d,
)

from skdeep.estimators.base_tabular import BaseTabular, type_of_result
from skdeep.estimators.blending import (
    cross_entropies,
    squared_errors,
    temperature,
    with_temperature,
)
from skdeep.estimators.class_targets import Classes
from skdeep.estimators.number_targets import Numbers
from skdeep.estimators.prediction_interval import cross_validation_plus
from skdeep.estimators.tabular_plan import (
    SMALL_TABLE,
)
from skdeep.validation.stored_parameters import stores_parameters

_PARAMETERS = """
    preset : {{"fast", "default", "best"}}, default="default"
        How much is trained: see Notes. What other parameters say comes first.

    time_limit : float or None, default=None
        Seconds that `fit` may take, about. What there is no time for is left out, with a
        warning; one network is always trained, on fewer epochs if need be. The result
        depends on the machine then.

    n_members : int or "auto", default="auto"
        Networks that are trained on all rows, besides those of the folds.

    n_epochs : int, array-like of int or "auto", default="auto"
        The epochs of each network. With several, all is trained with each of them, in
        which the learning rate falls to zero, and the rows that were set aside choose one.

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
        The epochs of each network in `members_`.

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
    cosine (as RealMLP is, Holzmüller et al. 2024): one of each on all rows, and
    two of each for each of five folds, without its rows. What these say of the
    rows that they have not seen decides the weights of the embeddings and of a linear
    model (Caruana et al. 2004){calibration}. All of them predict together.

    The epochs follow from a budget of floating-point operations: 24 to 56 for 9e10 of
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
class TabularClassifier(ClassifierMixin, BaseTabular):
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
        **BaseTabular._parameter_constraints,
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
        self._targets = Classes(type(self).__name__, "auto", class_weight=self.class_weight)
        y = self._targets.learn(self._one_axis(y))
        self.classes_ = self._targets.classes
        self._n_outputs = len(self.classes_)
        self._targets.learn_weights(y, weight, partial=False)
        weighed = weight * self._targets.weights(y)
        self._targets.check_weighted(y, weighed)
        # weights of classes say what counts more, not that there is more of all
        return self._codes(y), weighed * (weight.sum() / weighed.sum())

    def _encode_target(self, y, weight):
        y = self._targets.check(self._one_axis(y))
        return self._codes(y), weight * self._targets.weights(y)

    def _one_axis(self, y):
        return column_or_1d(self._targets.present(y), warn=True)

    def _codes(self, y):
        return np.searchsorted(self.classes_, y)

    def _losses(self, target, outputs):
        return cross_entropies(target, outputs)

    def _loss(self, target, outputs, weight):
        sure = with_temperature(outputs, temperature(target, outputs, weight))
        return np.average(self._losses(target, sure), weights=weight)

    def _learn_errors(self, target, outputs, weight, fold):
        self.temperature_ = temperature(target, outputs, weight)

    def _know_no_errors(self):
        self.temperature_ = 1.0

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
        return self._presented(self._blended(X)).astype(type_of_result(X))

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
        return np.log(np.maximum(p, np.finfo(p.dtype).tiny)).astype(type_of_result(X))

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


@_document(
    class_weight="",
    oof="(n_samples,) or (n_samples, n_targets)",
    score="R^2",
    calibration="",
)
class TabularRegressor(RegressorMixin, BaseTabular):
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
        self._targets = Numbers(type(self).__name__, "auto")
        y = self._columns(self._targets.learn(self._checked(y)))
        self._n_outputs = self._targets.n_outputs
        self._target_mean = np.average(y, axis=0, weights=weight)
        spread = np.sqrt(np.average((y - self._target_mean) ** 2, axis=0, weights=weight))
        self._target_scale = np.where(spread > 0, spread, 1.0)
        target = self._standardized(y)
        self._target_range = target.min(axis=0), target.max(axis=0)
        return target, weight

    def _encode_target(self, y, weight):
        y = self._columns(self._targets.check(self._checked(y)))
        return self._standardized(y), weight

    def _checked(self, y):
        y = self._targets.present(y)
        return check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")

    def _columns(self, y):
        return y.reshape(len(y), -1)

    def _standardized(self, y):
        target = (y - self._target_mean) / self._target_scale
        return target[:, 0] if self._n_outputs == 1 else target

    def _losses(self, target, outputs):
        return squared_errors(target.reshape(outputs.shape), outputs)

    def _loss(self, target, outputs, weight):
        return np.average(self._losses(target, self._clipped(outputs)), weights=weight)

    def _learn_errors(self, target, outputs, weight, fold):
        errors = target.reshape(outputs.shape) - self._clipped(outputs)
        self._residuals, self._fold_of_residual = np.abs(errors), fold

    def _know_no_errors(self):
        self._residuals = self._fold_of_residual = None

    def _clipped(self, outputs):
        """Outputs within the targets of training: beyond, nothing is known."""
        low, high = self._target_range
        return np.clip(outputs, low, high)

    def _presented(self, outputs):
        y = self._clipped(outputs) * self._target_scale + self._target_mean
        return self._targets.decode(y)

    def _score(self, y, predicted, weight):
        if len(predicted) < 2:
            return float("nan")
        return float(r2_score(self._checked(y), predicted, sample_weight=weight))

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
        return self._presented(self._blended(X)).astype(type_of_result(X))

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
        if self._fold_of_residual is None:
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
        return intervals[:, :, 0] if self._targets.ndim == 1 else intervals

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
