"""Recognise photographs of 32 x 32 places: a residual network, trained in so many minutes.

Run it with: python examples/photographs.py --data cifar10-train.npz --minutes 30

The file holds photographs as JPEG: `jpeg`, the bytes one after the other, `ends`, where
each ends, `y`, the classes, and `names`. Some rows are set aside, and the accuracy is that
on them, or on the photographs of another such file (--test). Pillow has to be installed.

The time is measured first, that of a step of training on this machine; it says how many
epochs there are, and the schedule of the learning rate is laid out for these. All is done
within the minutes, from the opening of the photographs to the last epoch.
"""

import argparse
import io
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skdeep import ConvNetClassifier
from skdeep.augmentation import RandomCrop, RandomFlip
from skdeep.layers import BatchNorm
from skdeep.optimizers import SGD
from skdeep.schedules import OneCycle

# Up to so many minutes, the filters of the stages and the learning rate of a batch of 1024:
# a small network sees more epochs, but is soon at its limit.
SIZES = {3: ((32, 64, 128), 3.0), 12: ((48, 96, 192), 3.0), np.inf: ((64, 192, 256), 2.0)}
BATCH_SIZE = 128
# So many steps are measured, and three times as many: the difference is what steps take.
STEPS = 8
# Of the time, for what takes longer later.
SPARE = 0.03


def make_model(size, epochs, seed=0, verbose=0):
    filters, learning_rate = size
    return ConvNetClassifier(
        filters,
        architecture="resnet",
        whitening=2,
        activation="gelu",
        batch_norm=BatchNorm(shift_gain=8.0),
        output_scale=1 / 9,
        optimizer=SGD(momentum=0.85, nesterov=True),
        learning_rate=learning_rate * BATCH_SIZE / 1024,
        learning_rate_schedule=OneCycle(
            peak_fraction=0.23, div_factor=5, final_div_factor=20
        ),
        batch_size=BATCH_SIZE,
        max_iter=epochs,
        n_iter_no_change=np.inf,
        weight_decay=1.3e-3,
        label_smoothing=0.2,
        augmentation=(RandomFlip(), RandomCrop(padding=2)),
        test_time_augmentation=(RandomFlip(),),
        weight_averaging=None,
        random_state=seed,
        verbose=verbose,
    )


def photographs(path, rows=None):
    """The first photographs of a file as bytes, (rows, 32, 32, 3), and their classes."""
    from PIL import Image

    with np.load(path) as data:
        jpeg, ends, y = data["jpeg"], data["ends"][:rows], data["y"][:rows]
    pictures = [
        np.asarray(Image.open(io.BytesIO(jpeg[start:end].tobytes())).convert("RGB"))
        for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    return np.stack(pictures), y


def seconds_of_a_step(size, X, y):
    """The time of a step of training, without that of what comes before the first."""
    model = make_model(size, epochs=1).set_params(warm_start=True)
    steps, times = [], []
    for wanted in (STEPS, STEPS, 3 * STEPS):  # the first also allocates
        rows = min(wanted * BATCH_SIZE, len(X))
        start = time.perf_counter()
        model.fit(X[:rows], y[:rows])
        times.append(time.perf_counter() - start)
        steps.append(-(-rows // BATCH_SIZE))
    alone = times[2] / steps[2]  # with what comes before
    more = steps[2] - steps[1]
    return max((times[2] - times[1]) / more, alone / 2) if more else alone


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="cifar10-train.npz", help="what to train on")
    parser.add_argument("--test", help="what to measure on; else rows are set aside")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--epochs", type=int, help="instead of measuring how many fit")
    parser.add_argument("--held-back", type=int, default=5000, help="rows set aside")
    parser.add_argument("--rows", type=int, help="read the first so many rows only")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    start, cpu = time.perf_counter(), time.process_time()
    if not Path(arguments.data).exists():
        print(f"There is no {arguments.data}: pass the file of photographs with --data.")
        return
    try:
        X, y = photographs(arguments.data, arguments.rows)
    except ImportError:
        print("Pillow is missing, which opens the photographs: pip install pillow")
        return
    if arguments.test:
        X_test, y_test = photographs(arguments.test)
    else:
        X, X_test, y, y_test = train_test_split(
            X, y, test_size=arguments.held_back, stratify=y, random_state=0
        )
    warnings.simplefilter("ignore", ConvergenceWarning)

    size = next(s for most, s in SIZES.items() if arguments.minutes <= most)
    epochs = arguments.epochs
    if epochs is None:
        step = seconds_of_a_step(size, X, y)
        steps = -(-len(X) // BATCH_SIZE)
        left = 60 * arguments.minutes - (time.perf_counter() - start)
        epochs = max(1, int((1 - SPARE) * left / (steps * step)))
        print(f"A step takes {step:.3f} s: {epochs} epochs of {steps} steps.")
    model = make_model(size, epochs, arguments.seed, verbose=1).fit(X, y)
    minutes = (time.perf_counter() - start) / 60
    print(model.network_.summary())
    print(
        f"{len(X)} photographs, {epochs} epochs: {minutes:.1f} minutes, "
        f"{(time.process_time() - cpu) / 60:.1f} of all cores together"
    )
    start = time.perf_counter()
    accuracy = model.score(X_test, y_test)
    print(f"Accuracy on {len(X_test)} others: {accuracy:.4f}", end="")
    print(f" ({time.perf_counter() - start:.0f} s)")
    model.set_params(test_time_augmentation=())
    print(f"Without mirror images: {model.score(X_test, y_test):.4f}")


if __name__ == "__main__":
    main()
