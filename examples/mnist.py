"""Recognise MNIST's digits: batch normalization, dropout, augmentation, averaged weights.

Run it with: python examples/mnist.py --data mnist.npz

The file holds X_train, y_train, X_test and y_test, images as bytes of 28 x 28.
"""

import argparse
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skdeep import SequentialClassifier
from skdeep.augmentation import RandomShift
from skdeep.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    SpatialDropout,
)


def block(filters):
    """Two convolutions with batch normalization, then pooling and dropout of channels."""
    convolution = [Conv(filters, use_bias=False, kernel_initializer="he_uniform")]
    normalized = [*convolution, BatchNorm(), Activation("relu")]
    return [*normalized, *normalized, MaxPool(), SpatialDropout(0.1)]


def make_model(epochs, verbose=0):
    return SequentialClassifier(
        [
            *block(32),
            *block(64),
            Flatten(),
            Dense(128, use_bias=False, kernel_initializer="he_uniform"),
            BatchNorm(),
            Activation("relu"),
            Dropout(0.4),
        ],
        augmentation=(RandomShift(0.08, 0.08),),
        optimizer="adamw",
        learning_rate=0.003,
        learning_rate_schedule="one_cycle",
        weight_decay=0.01,
        label_smoothing=0.05,
        batch_size=128,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=0,
        verbose=verbose,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist.npz", help="the file of images")
    parser.add_argument("--epochs", type=int, default=15)
    arguments = parser.parse_args()
    if not Path(arguments.data).exists():
        print(f"There is no {arguments.data}: pass the path of mnist.npz with --data.")
        return
    with np.load(arguments.data) as data:
        X_train, y_train = data["X_train"], data["y_train"]
        X_test, y_test = data["X_test"], data["y_test"]
    warnings.simplefilter("ignore", ConvergenceWarning)
    model = make_model(arguments.epochs, verbose=1)
    start = perf_counter()
    model.fit(X_train, y_train)
    print(f"{arguments.epochs} epochs in {perf_counter() - start:.0f} s")
    print(model.network_.summary())
    print(f"Test accuracy: {model.score(X_test, y_test):.4f}")


if __name__ == "__main__":
    main()
