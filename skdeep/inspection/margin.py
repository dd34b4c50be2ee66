"""The decision line of a linear classifier, its margins and its support vectors."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted, validate_data

from skdeep.inspection.plotting import import_pyplot
from skdeep.validation.inputs import convert_input, sum_duplicates
from skdeep.validation.messages import plain


class MarginDisplay:
    """The plane of two features with what a support vector machine made of it.

    Use `from_estimator` to make one.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        The samples, in the two features that are shown.

    loss : ndarray of shape (n_samples,)
        The hinge loss of each.

    positive : ndarray of bool of shape (n_samples,)
        Which samples are of the class on the side above zero.

    coef : ndarray of shape (2,)
        The coefficients of the two features.

    intercept : float
        The intercept, with what the other features add at their means.

    support : ndarray of int
        The numbers of the support vectors.

    class_names : tuple of str
        The name of the class below zero, and of the one above.

    feature_names : tuple of str
        The names of the two features.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.

    figure_ : matplotlib Figure
        The figure of it.

    points_ : list of matplotlib PathCollection
        The samples of both classes, coloured by their hinge loss.

    support_ : matplotlib PathCollection or None
        The rings around the support vectors.

    lines_ : list of matplotlib Line2D
        The decision line, and the margins at -1 and 1.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_iris
    >>> from skdeep import LinearSVM
    >>> from skdeep.inspection import MarginDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> X, y = X[:, :2], y == 0
    >>> display = MarginDisplay.from_estimator(LinearSVM().fit(X, y), X, y)
    >>> len(display.lines_)
    3
    """

    def __init__(
        self,
        *,
        points,
        loss,
        positive,
        coef,
        intercept,
        support,
        class_names,
        feature_names,
    ):
        self.points = points
        self.loss = loss
        self.positive = positive
        self.coef = coef
        self.intercept = intercept
        self.support = support
        self.class_names = class_names
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, features=None, target=None, ax=None, colorbar=True
    ):
        """Plot a fitted linear classifier and samples.

        Parameters
        ----------
        estimator : LinearSVM
            A fitted linear classifier.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples. Support vectors are ringed where these are the samples that the
            estimator was fitted to.

        y : array-like of shape (n_samples,)
            Their classes.

        features : pair of int or str, or None, default=None
            The two features to show, by number or by name; not needed where there are
            only two. The line is drawn where the other features are at their means.

        target : class label or None, default=None
            For more than two classes: the one whose machine is shown.

        ax : matplotlib Axes or None, default=None
            Where to draw; None for a new figure.

        colorbar : bool, default=True
            Whether to explain the colours by a bar.

        Returns
        -------
        display : MarginDisplay

        Raises
        ------
        ImportError
            Where matplotlib is not installed.

        ValueError
            Where it is not clear which two features, or which class, to show.
        """
        import_pyplot()
        check_is_fitted(estimator)
        names = getattr(estimator, "feature_names_in_", None)
        X = validate_data(
            estimator, sum_duplicates(convert_input(X)), accept_sparse="csr", reset=False
        )
        y = np.asarray(y)
        if len(y) != X.shape[0]:
            raise ValueError(f"X has {X.shape[0]} samples, but y has {len(y)}.")
        pair = _two_features(features, X.shape[1], names)
        row, own = _machine(estimator, target)
        positive = y == own
        known = np.isin(y, estimator.classes_)
        if not known.all():
            raise ValueError(
                f"y has classes that the estimator was not fitted to: "
                f"{np.unique(y[~known])}. Known are {estimator.classes_}."
            )
        coef = estimator.coef_[row].astype(np.float64)
        z = X @ coef + estimator.intercept_[row]
        means = np.asarray(X.mean(axis=0)).ravel()
        others = np.delete(np.arange(len(coef)), pair)
        points = X[:, pair].toarray() if issparse(X) else X[:, pair]
        negative = (
            str(next(c for c in estimator.classes_ if c != own))
            if len(estimator.classes_) == 2
            else f"not {own}"
        )
        display = cls(
            points=points,
            loss=np.maximum(0.0, 1.0 - np.where(positive, z, -z)),
            positive=positive,
            coef=coef[pair],
            intercept=float(estimator.intercept_[row] + means[others] @ coef[others]),
            support=_support_among(estimator, row, X),
            class_names=(negative, str(own)),
            feature_names=tuple(
                f"feature {i}" if names is None else str(names[i]) for i in pair
            ),
        )
        return display.plot(ax=ax, colorbar=colorbar)

    def plot(self, *, ax=None, colorbar=True, cmap="viridis"):
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None for a new figure.

        colorbar : bool, default=True
            Whether to explain the colours by a bar.

        cmap : str or matplotlib Colormap, default="viridis"
            The colours of the hinge loss.

        Returns
        -------
        display : MarginDisplay
        """
        pyplot = import_pyplot()
        ax = pyplot.subplots()[1] if ax is None else ax
        top = max(float(self.loss.max(initial=0.0)), 1e-12)
        self.points_ = []
        for rows, marker, name in zip(
            (~self.positive, self.positive), "os", self.class_names, strict=True
        ):
            points = ax.scatter(
                *self.points[rows].T, c=self.loss[rows], marker=marker, cmap=cmap,
                vmin=0.0, vmax=top, edgecolors="black", linewidths=0.4, label=name,
            )  # fmt: skip
            self.points_.append(points)
        self.support_ = None
        if len(self.support):
            self.support_ = ax.scatter(
                *self.points[self.support].T, s=110, facecolors="none",
                edgecolors="tab:red", label="support vectors",
            )  # fmt: skip
        limits = ax.get_xlim(), ax.get_ylim()
        self.lines_ = [
            self._draw_line(ax, level, style, *limits)
            for level, style in ((0.0, "-"), (-1.0, "--"), (1.0, "--"))
        ]
        ax.set(
            xlim=limits[0],
            ylim=limits[1],
            xlabel=self.feature_names[0],
            ylabel=self.feature_names[1],
        )
        ax.legend(loc="best")
        if colorbar:
            ax.figure.colorbar(self.points_[-1], ax=ax, label="hinge loss")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_line(self, ax, level, style, x_limits, y_limits):
        """The points where the decision function is `level`, across the axes."""
        a, b = self.coef
        rest = level - self.intercept
        if abs(b) * np.ptp(y_limits) >= abs(a) * np.ptp(x_limits) and b:
            x = np.array(x_limits)
            y = (rest - a * x) / b
        elif a:
            y = np.array(y_limits)
            x = (rest - b * y) / a
        else:  # both features count nothing: there is no line
            x = y = np.array([np.nan, np.nan])
        return ax.plot(x, y, style, color="black", linewidth=1.2)[0]


def _two_features(features, n_features, names):
    if features is None:
        if n_features != 2:
            raise ValueError(
                f"X has {n_features} features, and two can be shown: choose them with "
                "features=(0, 1), by number or by name."
            )
        return [0, 1]
    known = [] if names is None else list(names)
    numbers = []
    for feature in features:
        if isinstance(feature, str):
            if feature not in known:
                raise ValueError(
                    f"There is no feature {feature!r}. Known are {plain(known)}."
                )
            feature = known.index(feature)
        if not -n_features <= feature < n_features:
            raise ValueError(f"There is no feature {feature}: X has {n_features}.")
        numbers.append(int(feature) % n_features)
    if len(numbers) != 2 or numbers[0] == numbers[1]:
        raise ValueError(f"features must be two different ones. Got {plain(features)!r}.")
    return numbers


def _machine(estimator, target):
    """The row of coefficients to show, and the class on its side above zero."""
    classes = estimator.classes_
    if len(classes) == 2:
        if target is not None and target != classes[1]:
            raise ValueError(
                f"With two classes the machine of {plain(classes[1])!r} is shown; target "
                f"is {plain(target)!r}. Leave it out."
            )
        return 0, classes[1]
    if target is None or target not in classes:
        raise ValueError(
            "With more than two classes there is a machine for each: choose one with "
            f"target=. The classes are {classes.tolist()}; target is {plain(target)!r}."
        )
    row = int(np.flatnonzero(classes == target)[0])
    return row, classes[row]


def _support_among(estimator, row, X):
    """The numbers of the samples that are support vectors of the machine shown."""
    support = getattr(estimator, "support_", np.empty(0, dtype=np.intp))
    if not len(support):
        return support
    dual = estimator.dual_coef_[[row]]
    own = np.flatnonzero(dual.toarray() if issparse(dual) else dual)
    support = support[own]
    if len(support) and support.max() >= X.shape[0]:
        return np.empty(0, dtype=np.intp)
    difference = X[support] - estimator.support_vectors_[own]
    same = difference.nnz == 0 if issparse(difference) else not np.any(difference)
    return support if same else np.empty(0, dtype=np.intp)
