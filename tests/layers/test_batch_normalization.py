"""Batch normalization follows its formulas, with samples counted by their weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skdeep import (
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    SequentialClassifier,
    SequentialRegressor,
    kernels,
)
from skdeep.engine.network import Network
from skdeep.layers import Activation, BatchNorm, Conv, Dense, Residual
from skdeep.losses import SquaredError
from skdeep.optimizers import SGD

EPSILON = 1e-5
dtypes = st.sampled_from([np.float32, np.float64])
rows = st.integers(1, 9)
sizes = st.integers(1, 9)
seeds = st.integers(0, 2**32 - 1)
property_test = settings(max_examples=40, deadline=None)


class Batch:
    """One forward pass of the kernel and what it wrote."""

    def __init__(self, x, weight=None, scale=None, shift=None, epsilon=EPSILON, gain=1.0):
        n, width = x.shape
        self.gain = gain
        self.x = x
        self.weight = np.full(n, 1 / n, x.dtype) if weight is None else weight
        self.scale = np.ones(width, x.dtype) if scale is None else scale
        self.shift = np.zeros(width, x.dtype) if shift is None else shift
        self.epsilon = epsilon
        self.share = np.full(n, np.nan, x.dtype)
        self.normalized = np.full_like(x, np.nan)
        self.inverse_deviation = np.full(width, np.nan, x.dtype)
        self.out = np.full_like(x, np.nan)
        self.forward(np.zeros(width, x.dtype), np.ones(width, x.dtype))

    def forward(self, running_mean, running_variance, step=1, momentum=0.9, size=None):
        kernels.batch_norm_forward(
            self.x,
            self.weight,
            self.scale,
            self.shift,
            np.array([step]),
            len(self.x) if size is None else size,
            momentum,
            self.epsilon,
            self.gain,
            self.share,
            np.full_like(self.scale, np.nan),
            self.normalized,
            self.inverse_deviation,
            running_mean,
            running_variance,
            self.out,
        )
        self.running_mean, self.running_variance = running_mean, running_variance
        return self

    def backward(self, d_out):
        """The gradients with respect to x, scale and shift."""
        d_scale, d_shift = np.full((2, *self.scale.shape), np.nan, self.x.dtype)
        kernels.batch_norm_backward_parameters(
            d_out, self.normalized, self.gain, d_scale, d_shift
        )
        d_x = np.full_like(self.x, np.nan)
        kernels.batch_norm_backward_input(
            d_out,
            self.normalized,
            self.share,
            self.scale,
            self.inverse_deviation,
            d_scale,
            d_shift,
            self.gain,
            np.full_like(self.scale, np.nan),
            d_x,
        )
        return d_x, d_scale, d_shift


def draw(seed, *shapes, dtype=np.float64):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape).astype(dtype) for shape in shapes]


def assert_close(actual, expected, tolerance=None):
    tolerance = tolerance or (1e-3 if actual.dtype == np.float32 else 1e-10)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


# --- the forward pass -------------------------------------------------------------


@property_test
@given(rows, sizes, dtypes, seeds)
def test_equal_weights_give_the_plain_formula(n, width, dtype, seed):
    x, scale, shift = draw(seed, (n, width), width, width, dtype=dtype)
    batch = Batch(x, scale=scale, shift=shift, epsilon=0.1)
    normalized = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 0.1)
    assert_close(batch.out, scale * normalized + shift)


@property_test
@given(rows, sizes, dtypes, seeds)
def test_weights_give_the_weighted_mean_and_variance(n, width, dtype, seed):
    x, weight = draw(seed, (n, width), n, dtype=dtype)
    weight = np.abs(weight) + dtype(0.1)
    batch = Batch(x, weight, epsilon=0.1)
    mean = np.average(x, axis=0, weights=weight)
    variance = np.average((x - mean) ** 2, axis=0, weights=weight)
    assert_close(batch.out, (x - mean) / np.sqrt(variance + 0.1))


def test_a_weight_of_k_equals_k_copies_of_the_row():
    counts = np.array([1, 3, 2, 1, 5])
    x, scale, shift, d_out = draw(0, (5, 4), 4, 4, (5, 4))
    owner = np.repeat(np.arange(5), counts)
    weighted = Batch(x, counts / 12, scale, shift)
    repeated = Batch(x[owner], None, scale, shift)
    assert_close(weighted.out[owner], repeated.out, 1e-12)
    assert_close(weighted.running_mean, repeated.running_mean, 1e-12)
    assert_close(weighted.running_variance, repeated.running_variance, 1e-12)

    # a row's gradient is shared by its copies
    gradients = weighted.backward(d_out)
    d_x, d_scale, d_shift = repeated.backward((d_out / counts[:, np.newaxis])[owner])
    assert_close(gradients[0], np.add.reduceat(d_x, np.cumsum(counts) - counts), 1e-12)
    assert_close(gradients[1], d_scale, 1e-12)
    assert_close(gradients[2], d_shift, 1e-12)


def test_rows_without_weight_do_not_matter_to_the_others():
    (x,) = draw(1, (6, 3))
    weight = np.array([0.2, 0.0, 0.3, 0.5, 0.0, 0.0])
    strange = x.copy()
    strange[weight == 0] = 1e3
    used = weight > 0
    plain = Batch(x[used], weight[used])
    batch = Batch(strange, weight)
    assert_close(batch.out[used], plain.out, 1e-12)
    assert_close(batch.running_mean, plain.running_mean, 1e-12)
    assert_close(batch.running_variance, plain.running_variance, 1e-12)


def test_only_the_ratios_of_the_weights_matter():
    x, weight = draw(2, (6, 3), 6)
    weight = np.abs(weight)
    assert_close(Batch(x, weight).out, Batch(x, 7 * weight).out, 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_batch_of_one_row_gives_the_shift(dtype):
    x, scale, shift = draw(3, (1, 4), 4, 4, dtype=dtype)
    batch = Batch(x, scale=scale, shift=shift)
    np.testing.assert_array_equal(batch.out, [shift])
    assert all(np.isfinite(g).all() for g in batch.backward(np.ones_like(x)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_batch_without_any_weight_is_finite(dtype):
    (x,) = draw(4, (5, 3), dtype=dtype)
    batch = Batch(x, np.zeros(5, dtype))
    assert np.isfinite(batch.out).all()
    assert all(np.isfinite(g).all() for g in batch.backward(np.zeros_like(x)))


# --- the gradients ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["x", "scale", "shift"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_the_derivatives_of_the_forward_pass(name, weighted):
    x, scale, shift, d_out, weight = draw(5, (6, 3), 3, 3, (6, 3), 6)
    weight = weight**2 if weighted else np.full(6, 1 / 6)
    inputs = {"x": x, "weight": weight, "scale": scale, "shift": shift}
    position = ["x", "scale", "shift"].index(name)
    gradient = Batch(**inputs).backward(d_out)[position]

    differences = np.empty_like(gradient)
    for place in np.ndindex(gradient.shape):
        step = np.zeros_like(gradient)
        step[place] = 1e-5
        above, below = (
            np.sum(d_out * Batch(**inputs | {name: inputs[name] + s}).out)
            for s in (step, -step)
        )
        differences[place] = (above - below) / 2e-5
    error = np.linalg.norm(gradient - differences) / np.linalg.norm(differences)
    assert error <= 1e-6


# --- running averages -------------------------------------------------------------


def running_averages(batches, momentum=0.9, size=None):
    """The running mean and variance after some batches, one a step."""
    width = batches[0].x.shape[1]
    mean, variance = np.zeros(width), np.ones(width)
    for step, batch in enumerate(batches, 1):
        batch.forward(mean, variance, step, momentum, size)
    return mean, variance


@pytest.mark.parametrize("n_steps", [1, 2, 15])
@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.99])
def test_running_averages_of_equal_batches_are_the_batch_statistics(n_steps, momentum):
    (x,) = draw(6, (8, 3))
    mean, variance = running_averages([Batch(x)] * n_steps, momentum)
    assert_close(mean, x.mean(axis=0), 1e-13)
    assert_close(variance, x.var(axis=0), 1e-13)


def test_the_first_batches_count_alike_in_the_running_averages():
    xs = draw(7, *[(8, 3)] * 10)
    mean, variance = running_averages([Batch(x) for x in xs], momentum=0.9)
    assert_close(mean, np.mean([x.mean(axis=0) for x in xs], axis=0), 1e-13)
    assert_close(variance, np.mean([x.var(axis=0) for x in xs], axis=0), 1e-13)


def test_later_batches_replace_a_tenth_of_the_running_averages():
    x, mean, variance = draw(8, (8, 3), 3, 3)
    batch = Batch(x).forward(mean.copy(), variance.copy(), step=50, momentum=0.9)
    assert_close(batch.running_mean, 0.9 * mean + 0.1 * x.mean(axis=0), 1e-13)
    assert_close(batch.running_variance, 0.9 * variance + 0.1 * x.var(axis=0), 1e-13)


def test_a_partial_batch_counts_by_its_share_of_a_full_one():
    x, mean, variance = draw(9, (5, 3), 3, 3)
    batch = Batch(x).forward(mean.copy(), variance.copy(), step=50, momentum=0.9, size=20)
    update = 0.1 * 5 / 20
    assert_close(batch.running_mean, (1 - update) * mean + update * x.mean(axis=0), 1e-13)
    assert_close(
        batch.running_variance, (1 - update) * variance + update * x.var(axis=0), 1e-13
    )


# --- prediction -------------------------------------------------------------------


def infer(x, scale, shift, mean, variance, gain=1.0):
    out = np.full_like(x, np.nan)
    work = np.full_like(scale, np.nan)
    kernels.batch_norm_inference(x, scale, shift, mean, variance, EPSILON, gain, work, out)
    return out


@property_test
@given(st.integers(0, 9), sizes, dtypes, seeds)
def test_prediction_uses_the_running_averages(n, width, dtype, seed):
    x, scale, shift, mean, root = draw(seed, (n, width), *[width] * 4, dtype=dtype)
    variance = root**2 + dtype(0.1)
    expected = scale * (x - mean) / np.sqrt(variance + EPSILON) + shift
    assert_close(infer(x, scale, shift, mean, variance), expected)


def test_prediction_with_the_batch_statistics_equals_training():
    x, scale, shift = draw(10, (8, 3), 3, 3)
    batch = Batch(x, scale=scale, shift=shift)
    out = infer(x, scale, shift, x.mean(axis=0), x.var(axis=0))
    assert_close(out, batch.out, 1e-12)


def test_prediction_does_not_change_the_running_averages():
    layers = [
        ("dense", Dense(4)),
        ("norm", BatchNorm()),
        ("activation", Activation("relu")),
        ("output", Dense(1)),
    ]
    network = Network(layers, SquaredError(), SGD(), input_shape=(3,), dtype=np.float64)
    network.initialize((0, 0))
    network.statistics[...] = np.random.default_rng(0).random(network.statistics.shape)
    before = network.statistics.copy()
    (x,) = draw(11, (20, 3))
    first = network.raw_outputs(x)
    np.testing.assert_array_equal(network.statistics, before)
    np.testing.assert_array_equal(network.raw_outputs(x), first)


# --- batches too small to learn from ------------------------------------------------

NORMALIZED = [
    MLPClassifier((4,), batch_norm=True),
    MLPRegressor((4,), batch_norm=True),
    SequentialClassifier([Dense(4), BatchNorm()]),
    SequentialRegressor([Dense(5), Residual([Dense(5), Residual([BatchNorm()])])]),
    # one place, and a dense layer behind the convolution
    ConvNetClassifier(
        (2,), input_shape=(1, 5), kernel_size=(3,), hidden_layer_sizes=(), batch_norm=True
    ),
    ConvNetClassifier((2,), input_shape=(5, 1), hidden_layer_sizes=(3,), batch_norm=True),
]
each_normalized = pytest.mark.parametrize(
    "estimator", NORMALIZED, ids=lambda e: type(e).__name__
)


def table(n):
    x = np.random.default_rng(0).normal(size=(n, 5))
    return x, (np.arange(n) % 2).astype(float)


@each_normalized
def test_batches_of_one_sample_are_refused(estimator):
    x, y = table(9)
    with pytest.raises(ValueError, match=r"learns nothing .* batch_size is 1: set it"):
        clone(estimator).set_params(batch_size=1).fit(x, y)
    for optimizer in ("adam", "lbfgs"):
        model = clone(estimator).set_params(optimizer=optimizer, weight_averaging=None)
        weight = np.eye(9)[0]
        if not hasattr(estimator, "predict_proba"):  # a class needs a sample
            with pytest.raises(ValueError, match="only 1 sample to train on"):
                model.fit(x[:1], y[:1])
            with pytest.raises(ValueError, match="only 1 sample to train on"):
                model.fit(x, y, sample_weight=weight)
    classes = {"classes": [0, 1]} if hasattr(estimator, "predict_proba") else {}
    with pytest.raises(ValueError, match="only 1 sample to train on"):
        clone(estimator).partial_fit(x[:1], y[:1], **classes)


@pytest.mark.parametrize("layers", [[Conv(3), BatchNorm()], [Residual([BatchNorm()])]])
def test_one_image_is_enough_where_it_has_many_places(layers):
    x, _ = table(60)
    y = x[:, 0] > x[:, 1]
    model = SequentialClassifier(layers, input_shape=(5, 1), batch_size=1, random_state=0)
    model.set_params(learning_rate=0.02, max_iter=30)
    assert model.fit(x, y).score(x, y) > 0.9


@each_normalized
@pytest.mark.parametrize("batch_size", [2, 3, 4, 12])
@pytest.mark.parametrize("averaging", [None, "ema"])
def test_a_last_batch_of_one_sample_joins_the_batch_before(
    estimator, batch_size, averaging
):
    x, y = table(13)
    options = {"max_iter": 1, "random_state": 0, "shuffle": False}
    model = clone(estimator).set_params(
        **options, batch_size=batch_size, weight_averaging=averaging
    )
    model.fit(x, y)
    assert len(model.history_["learning_rate"]) == 12 // batch_size
    assert np.isfinite(model.network_.statistics).all()
    if batch_size == 12:
        whole = clone(model).set_params(batch_size="full").fit(x, y)
        np.testing.assert_array_equal(model.network_.parameters, whole.network_.parameters)
        np.testing.assert_array_equal(model.network_.statistics, whole.network_.statistics)


def test_a_joined_batch_counts_no_more_than_all_in_the_running_averages():
    x, y = table(13)
    layers = [("norm", BatchNorm(momentum=0.0))]
    model = SequentialRegressor(layers, batch_size=4, shuffle=False, max_iter=1)
    network = model.fit(x, y).network_
    np.testing.assert_allclose(network.view("norm", "running_mean"), x[8:].mean(axis=0))
    np.testing.assert_allclose(network.view("norm", "running_variance"), x[8:].var(axis=0))


def test_without_batch_normalization_a_last_batch_of_one_sample_is_one():
    x, y = table(13)
    model = MLPClassifier((4,), batch_size=4, max_iter=1).fit(x, y)
    assert len(model.history_["learning_rate"]) == 4


# --- a gain of the shift ----------------------------------------------------------


def test_a_gain_multiplies_the_shift_in_training_and_prediction():
    x, scale, shift, mean = draw(11, (8, 3), 3, 3, 3)
    plain, gained = (
        Batch(x, scale=scale, shift=s, gain=g) for s, g in [(5 * shift, 1.0), (shift, 5.0)]
    )
    assert_close(gained.out, plain.out, 1e-13)
    variance = mean**2 + 0.1
    assert_close(
        infer(x, scale, shift, mean, variance, gain=5.0),
        infer(x, scale, 5 * shift, mean, variance),
        1e-13,
    )


def test_the_gradient_of_a_shift_has_its_gain_and_others_have_not():
    x, scale, shift, d_out = draw(12, (8, 3), 3, 3, (8, 3))
    d_x, d_scale, d_shift = Batch(x, scale=scale, shift=5 * shift).backward(d_out)
    gained = Batch(x, scale=scale, shift=shift, gain=5.0).backward(d_out)
    assert_close(gained[0], d_x, 1e-12)
    assert_close(gained[1], d_scale, 1e-12)
    assert_close(gained[2], 5 * d_shift, 1e-12)


def test_a_step_of_sgd_moves_what_is_added_by_the_square_of_the_gain():
    x, y = table(12)

    def added(gain):
        layers = [("norm", BatchNorm(shift_gain=gain)), Activation("tanh")]
        model = SequentialRegressor(
            layers, optimizer="sgd", learning_rate=1e-3, max_iter=1, random_state=0
        )
        return gain * model.fit(x, y).network_.view("norm", "shift")

    np.testing.assert_allclose(added(8.0), 64 * added(1.0), rtol=1e-10)


@pytest.mark.parametrize("method", ["frozen", "with_plain_statistics"])
def test_other_forms_of_a_layer_keep_its_gain(method):
    assert getattr(BatchNorm(shift_gain=4.0), method)().shift_gain == 4.0
