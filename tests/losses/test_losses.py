"""Every loss has the gradient of its value, counts weights, and stays finite."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils._param_validation import InvalidParameterError

from skdeep import losses
from skdeep.engine.program import ROWS, Buffer, Calls, Program, Scope
from skdeep.losses import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    Focal,
    FormulaLoss,
    Loss,
)

# What is tested: the losses by name, resolved, and others by parameters.
CLASSIFICATION = {
    f"{name}-{kind}": (loss.resolve(kind), kind)
    for name, loss in CLASSIFICATION_LOSSES.items()
    for kind in ("binary", "multiclass", "multilabel-indicator")
    # the divergence is between distributions over two or more classes
    if not (name == "kl_divergence" and kind != "multiclass")
} | {
    f"focal_{gamma}-{kind}": (Focal(gamma).resolve(kind), kind)
    for gamma in (0.0, 0.5, 1.0, 2.0)
    for kind in ("binary", "multiclass", "multilabel-indicator")
}
REGRESSION = {
    **REGRESSION_LOSSES,
    "huber_0.3": losses.Huber(0.3),
    "quantile_0.9": losses.Quantile(0.9),
}
ALL = CLASSIFICATION | {name: (loss, "regression") for name, loss in REGRESSION.items()}

each_loss = pytest.mark.parametrize("name", sorted(ALL))
seeds = st.integers(0, 2**32 - 1)


def draw(name, n, n_outputs, seed, dtype=np.float64):
    """Targets of the loss's kind, and outputs away from the loss's kinks."""
    loss, kind = ALL[name]
    generator = np.random.default_rng(seed)
    if kind == "binary":
        n_outputs = 1
    z = generator.normal(scale=2, size=(n, n_outputs))
    if kind == "multiclass":
        target = np.eye(n_outputs)[generator.integers(n_outputs, size=n)]
    elif kind == "regression":
        target = generator.poisson(2, size=z.shape).astype(float)
        error = z - target
        for kink in (0, -1, 1, -0.3, 0.3):  # of |e|, and of Huber's loss
            error = np.where(np.abs(error - kink) < 0.01, kink + 0.02, error)
        z = target + error
    else:
        target = generator.integers(2, size=z.shape).astype(float)
    if "hinge" in name:
        z = np.where(np.abs(np.abs(z) - 1) < 0.01, z * 1.05, z)
    return loss, target.astype(dtype), z.astype(dtype)


def evaluate(loss, target, z, weight):
    """What the loss's call in a training step writes: losses and weighted gradient."""
    arrays = {"z": z, "target": target, "weight": weight}
    buffers = {
        name: Buffer(name, (ROWS, *array.shape[1:]), array=array)
        for name, array in arrays.items()
    }
    calls = Calls()
    values, d_z = loss.emit(Scope("loss", calls), **buffers)
    program = Program(calls, z.dtype)
    memory = program.allocate(len(z))
    for buffer, array in memory.items():
        if buffer.array is None:
            array[...] = np.nan if array.dtype.kind == "f" else True
    program.bind(memory, len(z)).run()
    return memory[values], memory[d_z]


@each_loss
@settings(max_examples=10, deadline=None)
@given(st.integers(1, 7), st.integers(1, 5), seeds)
def test_gradient_equals_central_differences(name, n, n_outputs, seed):
    loss, target, z = draw(name, n, n_outputs, seed)
    gradient = loss.gradient(target, z)
    differences, h = np.empty_like(z), 1e-5
    for j in range(z.shape[1]):
        step = np.zeros_like(z)
        step[:, j] = h
        differences[:, j] = loss.value(target, z + step) - loss.value(target, z - step)
    differences /= 2 * h
    # a single class or a margin that is met has no gradient at all
    error = np.linalg.norm(gradient - differences)
    assert error <= 1e-6 * max(np.linalg.norm(differences), 1e-3)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_multiply_the_gradient_and_not_the_losses(name, dtype):
    loss, target, z = draw(name, 6, 3, 0, dtype)
    weight = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 2.0], dtype)
    values, d_z = evaluate(loss, target, z, weight)
    plain, gradient = loss.value(target, z), loss.gradient(target, z)
    np.testing.assert_array_equal(values, plain)
    np.testing.assert_allclose(d_z, gradient * weight[:, np.newaxis], rtol=1e-6)
    assert d_z.dtype == values.dtype == dtype


@each_loss
def test_a_rows_loss_does_not_depend_on_other_rows(name):
    loss, target, z = draw(name, 8, 3, 1)
    together = loss.value(target, z)
    alone = [loss.value(target[i : i + 1], z[i : i + 1])[0] for i in range(8)]
    np.testing.assert_allclose(together, alone, rtol=1e-14, atol=1e-15)


@each_loss
def test_losses_of_no_rows_are_empty(name):
    loss, target, z = draw(name, 1, 3, 0)
    assert loss.value(target[:0], z[:0]).shape == (0,)
    assert loss.gradient(target[:0], z[:0]).shape == (0, z.shape[1])


@each_loss
def test_float32_equals_float64_but_for_rounding(name):
    loss, target, z = draw(name, 20, 3, 2)
    # integers of eighths are the same number in both, on the same side of every kink
    z = np.round(z * 8) / 8
    single = loss.value(target.astype(np.float32), z.astype(np.float32))
    d_single = loss.gradient(target.astype(np.float32), z.astype(np.float32))
    np.testing.assert_allclose(single, loss.value(target, z), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(d_single, loss.gradient(target, z), rtol=1e-4, atol=1e-5)


@each_loss
@settings(max_examples=10, deadline=None)
@given(st.integers(1, 7), st.integers(1, 5), seeds)
def test_losses_are_never_negative(name, n, n_outputs, seed):
    loss, target, z = draw(name, n, n_outputs, seed)
    assert loss.value(target, z).min() >= -1e-12


@pytest.mark.parametrize("name", sorted(ALL.keys() - {"poisson"}))
@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 100), (np.float64, 1000)])
def test_large_outputs_give_finite_losses_and_gradients(name, dtype, size):
    loss, kind = ALL[name]
    if kind == "binary":
        target, z = [[0], [0], [1], [1]], [[-size], [size], [-size], [size]]
    elif kind == "multiclass":
        target = np.eye(3)
        z = [[size, -size, 0], [size, -size, 0], [size, size, size]]
    else:
        target = [[0, 1], [1, 0], [0, 1]]
        z = [[size, size], [-size, -size], [-size, size]]
    target, z = np.array(target, dtype), np.array(z, dtype)
    assert np.isfinite(loss.value(target, z)).all()
    assert np.isfinite(loss.gradient(target, z)).all()


def test_every_name_gives_a_loss_with_its_task():
    assert {loss.task for loss in CLASSIFICATION_LOSSES.values()} == {"classification"}
    assert {loss.task for loss in REGRESSION_LOSSES.values()} == {"regression"}


@pytest.mark.parametrize(
    "loss",
    [
        losses.Huber(delta=0),
        losses.Quantile(quantile=1.0),
        losses.Quantile(quantile=0.0),
        losses.Focal(gamma=-1),
    ],
    ids=repr,
)
def test_parameters_outside_their_domain_are_refused(loss):
    with pytest.raises(InvalidParameterError):
        loss._validate_params()


# --- a user's own loss ------------------------------------------------------------


class FourthPower(Loss):
    def value(self, target, z):
        return np.mean((z - target) ** 4, axis=1)

    def gradient(self, target, z):
        return 4 * (z - target) ** 3 / z.shape[1]


def test_a_users_loss_is_weighted_like_those_built_in():
    target, z = np.random.default_rng(0).normal(size=(2, 5, 2))
    weight = np.linspace(0, 1, 5)
    values, d_z = evaluate(FourthPower(), target, z, weight)
    np.testing.assert_allclose(values, np.mean((z - target) ** 4, axis=1))
    np.testing.assert_allclose(d_z, weight[:, np.newaxis] * 2 * (z - target) ** 3)


def test_a_loss_without_a_value_or_a_gradient_says_what_is_missing():
    z = np.zeros((1, 1))
    with pytest.raises(NotImplementedError, match="Loss must define value"):
        Loss().value(z, z)
    with pytest.raises(NotImplementedError, match="Loss must define gradient"):
        Loss().gradient(z, z)


def test_every_loss_is_on_the_page_of_losses():
    page = (Path(__file__).resolve().parents[2] / "docs" / "loss-functions.md").read_text()
    every = CLASSIFICATION_LOSSES | REGRESSION_LOSSES
    named = {type(loss): name for name, loss in every.items()}
    for name in losses.__all__:
        kind = getattr(losses, name)
        # what a loss becomes for a type of target is no choice of a user
        resolved = name.startswith(("Softmax", "Sigmoid"))
        if isinstance(kind, type) and kind not in (Loss, FormulaLoss) and not resolved:
            assert f"| `{named.get(kind, name)}" in page, f"{name} is not in a table"
