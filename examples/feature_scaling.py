"""Feature scaling: what each scaler does to a skewed column, and what a network gains.

Run it with: python examples/feature_scaling.py

The columns of a real table, the breast cancer data, are put on scales from thousandths to
thousands, and one is skewed with outliers. The same network is trained on them without
scaling and with each scaler, and the epochs are counted until its training cost is below
0.1.

It prints a table, and saves feature_scaling.png where Matplotlib is installed.
"""

import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skdeep import MLPClassifier
from skdeep.preprocessing import (
    LogScaler,
    MaxAbsScaler,
    MeanScaler,
    MinMaxScaler,
    QuantileScaler,
    RobustScaler,
    StandardScaler,
    UnitNormScaler,
)

EPOCHS, TARGET = 150, 0.1
SCALERS = {
    "none": None,
    "standard": StandardScaler(),
    "min-max": MinMaxScaler(),
    "mean": MeanScaler(),
    "max-abs": MaxAbsScaler(),
    "robust": RobustScaler(),
    "robust, smooth clip": RobustScaler(smooth_clip=3.0),
    "unit norm": UnitNormScaler(),
    "log": LogScaler(),
    "quantile, uniform": QuantileScaler(n_quantiles=100),
    "quantile, normal": QuantileScaler(n_quantiles=100, output_distribution="normal"),
}

# some of them do not get there, which is the point
warnings.filterwarnings("ignore", category=ConvergenceWarning)

rng = np.random.default_rng(0)
X, y = load_breast_cancer(return_X_y=True)
X = X / X.std(axis=0) * 10.0 ** rng.uniform(-3, 3, X.shape[1])
X[:, 0] = np.exp(X[:, 0] / X[:, 0].std())  # skewed
X[rng.choice(len(X), 5, replace=False), 0] *= 100  # and with outliers
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, stratify=y, random_state=0
)


def train(scaler):
    """The loss curve, and the accuracy on the test data."""
    Z_train, Z_test = X_train, X_test
    if scaler is not None:
        Z_train, Z_test = scaler.fit_transform(X_train), scaler.transform(X_test)
    model = MLPClassifier(
        (32,), batch_size=32, max_iter=EPOCHS, n_iter_no_change=EPOCHS, random_state=0
    )
    model.fit(Z_train, y_train)
    return np.array(model.loss_curve_), model.score(Z_test, y_test)


curves, scores = {}, {}
for name, scaler in SCALERS.items():
    curves[name], scores[name] = train(scaler)

print(f"Epochs until the cost is below {TARGET}, of at most {EPOCHS}:\n")
print(f"{'scaler':22}{'epochs':>8}{'final cost':>12}{'test accuracy':>15}")
for name, curve in curves.items():
    reached = np.flatnonzero(curve < TARGET)
    epochs = str(reached[0] + 1) if len(reached) else "never"
    print(f"{name:22}{epochs:>8}{curve[-1]:12.3g}{scores[name]:15.3f}")


def draw(pyplot):
    """Histograms of the skewed column, and loss curves."""
    figure, axes = pyplot.subplots(3, 4, figsize=(14, 9), layout="constrained")
    *panels, costs = axes.flat
    for ax, (name, scaler) in zip(panels, SCALERS.items(), strict=True):
        column = (X if scaler is None else scaler.fit_transform(X))[:, 0]
        ax.hist(column, bins=60)
        ax.set(title=name, yscale="log")
        dashes = "--" if "quantile" in name else "-"  # there are ten colours
        costs.plot(np.arange(1, EPOCHS + 1), curves[name], dashes, label=name)
    costs.set(title="cost", xlabel="epoch", yscale="log", ylim=(1e-3, 10))
    costs.legend(fontsize="xx-small", ncols=2)
    figure.savefig("feature_scaling.png", dpi=120)
    print("\nSaved feature_scaling.png.")


try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    print('\nFor a picture: pip install "scikit-deep[plot]"')
else:
    draw(pyplot)
