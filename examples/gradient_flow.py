"""Vanishing and exploding gradients: one network of 20 layers, trained in six ways.

Run it with: python examples/gradient_flow.py

A gradient is multiplied by a matrix and a slope at every layer on its way back. With
sigmoids the slopes are at most 1/4, and 20 of them leave nothing for the first layers.
With weights that are too large every product grows, and a single step throws the weights
far away, unless clipping keeps the step short; then it learns, but not as well. ReLU with
He's initial weights, or batch normalization, keep the products near one, and learn.

All six have one learning rate, which suits the healthy ones. At twice this rate ReLU
with He's weights gets a quarter to two thirds of the test digits right, as the seed will
have it: healthy gradients do not make a step safe that is too long for 20 layers.

It prints a table, a report on one network, and saves gradient_flow.png where Matplotlib
is installed.
"""

import warnings

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skdeep import MLPClassifier
from skdeep.initializers import Orthogonal
from skdeep.inspection import GradientFlowReport

LAYERS, UNITS, EPOCHS = 20, 50, 20
LARGE = {"kernel_initializer": Orthogonal(gain=2.0)}
NETWORKS = {
    "sigmoid, Glorot": {"activation": "logistic", "kernel_initializer": "glorot_uniform"},
    "sigmoid, batch norm": {"activation": "logistic", "batch_norm": True},
    "ReLU, Glorot": {"kernel_initializer": "glorot_uniform"},
    "ReLU, He": {"kernel_initializer": "he_uniform"},
    "ReLU, weights too large": LARGE,
    "the same, clipped": LARGE | {"gradient_clip_norm": 1.0},
}

# some of them do not learn, which is the point
warnings.filterwarnings("ignore", category=ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X.astype("float32") / 16, y, stratify=y, random_state=0
)


def train(options):
    model = MLPClassifier(
        (UNITS,) * LAYERS,
        optimizer="momentum",
        learning_rate=0.01,
        batch_size=50,
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS,
        record="gradients",
        random_state=1,
        **options,
    )
    return model.fit(X_train, y_train)


models = {name: train(options) for name, options in NETWORKS.items()}
reports = {name: GradientFlowReport.from_estimator(m) for name, m in models.items()}

print(f"{LAYERS} hidden layers of {UNITS} units, {EPOCHS} epochs on the digits.")
print("The gradient of the first layer's outputs, as a share of the last layer's:\n")
print(f"{'':26}{'at the start':>14}{'typical':>10}{'verdict':>12}{'test accuracy':>15}")
for name, report in reports.items():
    gradient = report.history["output_gradient_norm"][0]
    score = models[name].score(X_test, y_test)
    print(
        f"{name:26}{gradient[0] / gradient[-1]:14.0e}{report.gains[0]:10.0e}"
        f"{report.verdict:>12}{score:15.2f}"
    )

print("\nThe report on the first of them:\n")
print(reports["sigmoid, Glorot"])


def draw(pyplot):
    """Loss curves, and the gradient of each layer at the start and at the end."""
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    loss, start, typical = axes
    for name, report in reports.items():
        history = report.history["output_gradient_norm"]
        loss.plot(range(1, len(models[name].loss_curve_) + 1), models[name].loss_curve_)
        start.plot(history[0] / history[0, -1], label=name)
        typical.plot(report.gains)
    loss.set(ylim=(0, 3), xlabel="epoch", ylabel="cost", title="Cost")
    for ax, title in [(start, "Gradient flow at the start"), (typical, "In training")]:
        ax.set_yscale("log")
        ax.set(ylim=(1e-14, 1e5), xlabel="layer", title=title)
        ax.set_ylabel("gradient / that of the last layer")
    start.legend(fontsize="small")
    figure.savefig("gradient_flow.png", dpi=120)
    print("\nSaved gradient_flow.png.")


try:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    print('\nFor a picture: pip install "scikit-deep[plot]"')
else:
    draw(pyplot)
