"""Data augmentation: what it does to a batch, and that only training batches see it."""

import numpy as np
import pytest

from skdeep import ConvNetClassifier, SequentialClassifier
from skdeep.augmentation import Cutout, Mixup, RandomCrop, RandomFlip, RandomShift
from skdeep.engine.batch import BatchPlan, TrainingData, write_batch
from skdeep.engine.program import ROWS, Buffer, Calls, Program, TrainingStep
from skdeep.kernels import PhiloxStream
from skdeep.layers import Dense

pytestmark = pytest.mark.tiny

N, IMAGE, SIGNAL = 60, (6, 5, 2), (9, 2)
ALL = [RandomFlip(), RandomCrop(2), RandomShift(0.4, 0.4), Cutout(3), Mixup(1.0)]
each = pytest.mark.parametrize("augmentation", ALL, ids=lambda a: type(a).__name__)


def batch(*augmentation, shape=IMAGE, step=1, key=(1, 2), n=N):
    """The inputs and targets that a step of training sees, and the data."""
    generator = np.random.default_rng(0)
    data = TrainingData(
        generator.uniform(1, 2, (n, *shape)), generator.normal(size=(n, 3)), np.ones(n)
    )
    training = TrainingStep(
        stream=PhiloxStream(key),
        batch_size=n,
        step=Buffer("step", (1,), array=np.array([step])),
        learning_rate=None,
    )
    index, calls = Buffer("index", (ROWS,), array=np.arange(n)), Calls()
    plan = BatchPlan.of(data, n, False, augmentation)
    x, target, _ = write_batch(calls, training, plan, data, index)
    program = Program(calls, np.float64)
    arrays = program.allocate(n)
    program.bind(arrays, n).run()
    return arrays[x], arrays[target], data


def shifted(image, rows, columns):
    """An image moved down and to the right, with zeros behind it."""
    out = np.zeros_like(image)
    for r, c in np.ndindex(*image.shape[:2]):
        if 0 <= r + rows < image.shape[0] and 0 <= c + columns < image.shape[1]:
            out[r, c] = image[r + rows, c + columns]
    return out


# --- what each does ---------------------------------------------------------------


@pytest.mark.parametrize(("direction", "axis"), [("horizontal", 2), ("vertical", 1)])
def test_a_flip_turns_about_half_of_the_images_around(direction, axis):
    x, _, data = batch(RandomFlip(direction))
    turned = np.flip(data.x, axis)
    flipped = (x == turned).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(x[flipped], turned[flipped])
    np.testing.assert_array_equal(x[~flipped], data.x[~flipped])
    assert 0.3 < flipped.mean() < 0.7


@pytest.mark.parametrize(("probability", "expected"), [(0.0, 0), (1.0, N)])
def test_a_flip_has_the_probability_asked_for(probability, expected):
    x, _, data = batch(RandomFlip(probability=probability))
    assert (x[:, :, ::-1] == data.x).all(axis=(1, 2, 3)).sum() == expected


def test_a_signal_is_turned_around_in_time():
    x, _, data = batch(RandomFlip(probability=1.0), shape=SIGNAL)
    np.testing.assert_array_equal(x, data.x[:, ::-1])


@pytest.mark.parametrize(
    ("augmentation", "reach"), [(RandomCrop(2), (2, 2)), (RandomShift(0.5, 0.2), (3, 1))]
)
def test_crops_and_shifts_move_images_and_leave_zeros(augmentation, reach):
    x, _, data = batch(augmentation, n=400)
    seen = set()
    for image, original in zip(x, data.x, strict=True):
        for rows, columns in np.ndindex(2 * reach[0] + 1, 2 * reach[1] + 1):
            move = rows - reach[0], columns - reach[1]
            if np.array_equal(image, shifted(original, *move)):
                seen.add(move)
                break
        else:
            pytest.fail("an image was not moved as a whole")
    assert len(seen) == (2 * reach[0] + 1) * (2 * reach[1] + 1)  # every move, sometimes


def test_a_shift_can_repeat_what_is_nearest():
    x, _, data = batch(RandomShift(0.0, 0.4, fill="nearest"))
    for image, original in zip(x, data.x, strict=True):
        moves = [np.clip(np.arange(5) + move, 0, 4) for move in (-2, -1, 0, 1, 2)]
        assert any(np.array_equal(image, original[:, columns]) for columns in moves)


def test_a_signal_is_moved_along_its_length_only():
    x, _, data = batch(RandomCrop(3), shape=SIGNAL)
    for signal, original in zip(x, data.x, strict=True):
        moves = range(-3, 4)
        assert any(
            np.array_equal(signal[np.newaxis], shifted(original[np.newaxis], 0, move))
            for move in moves
        )


def test_cutout_puts_zeros_in_one_square():
    x, _, data = batch(Cutout(3), n=300)
    sizes = set()
    for image, original in zip(x, data.x, strict=True):
        out = (image == 0).all(axis=2)
        rows, columns = np.flatnonzero(out.any(axis=1)), np.flatnonzero(out.any(axis=0))
        assert out.sum() == len(rows) * len(columns) > 0
        assert np.ptp(rows) == len(rows) - 1
        assert np.ptp(columns) == len(columns) - 1
        np.testing.assert_array_equal(image[~out], original[~out])
        sizes.add((len(rows), len(columns)))
    assert max(sizes) == (3, 3)
    assert (2, 2) in sizes  # the border cuts some off


def test_mixup_mixes_inputs_and_targets_alike():
    x, target, data = batch(Mixup(1.0))
    x, originals = x.reshape(N, -1), data.x.reshape(N, -1)
    shares = []
    for i in range(N):
        # the share of itself and of one other that gives what is seen
        fits = []
        for j in range(N):
            if i == j:
                fits.append((np.inf, 1.0))
                continue
            direction = originals[i] - originals[j]
            share = (x[i] - originals[j]) @ direction / (direction @ direction)
            fits.append((np.abs(x[i] - originals[j] - share * direction).max(), share))
        j = int(np.argmin([error for error, _ in fits]))
        if fits[j][1] == pytest.approx(1.0):  # mixed with itself
            np.testing.assert_allclose(x[i], originals[i])
            continue
        shares.append(fits[j][1])
        expected = shares[-1] * data.target[i] + (1 - shares[-1]) * data.target[j]
        np.testing.assert_allclose(target[i], expected)
    np.testing.assert_allclose(shares, shares[0])  # one share a batch
    assert 0 < shares[0] < 1


def test_augmentations_act_one_after_the_other():
    x, _, data = batch(RandomFlip(probability=1.0), RandomFlip("vertical", probability=1.0))
    np.testing.assert_array_equal(x, data.x[:, ::-1, ::-1])


# --- seeds ------------------------------------------------------------------------


@each
def test_what_is_drawn_depends_on_the_key_and_the_step_alone(augmentation):
    x, target, _ = batch(augmentation)
    again, target_again, _ = batch(augmentation)
    np.testing.assert_array_equal(again, x)
    np.testing.assert_array_equal(target_again, target)
    assert not np.array_equal(batch(augmentation, step=2)[0], x)
    assert not np.array_equal(batch(augmentation, key=(1, 3))[0], x)


@each
def test_training_data_are_not_changed(augmentation):
    x, _, data = batch(augmentation)
    assert not np.array_equal(x, data.x)
    again = batch()[2]
    np.testing.assert_array_equal(data.x, again.x)
    np.testing.assert_array_equal(data.target, again.target)


# --- training ---------------------------------------------------------------------


def digits_model(**parameters):
    options = {"filters": (8,), "max_iter": 2, "random_state": 0}
    return ConvNetClassifier(**options | parameters)


@each
def test_only_training_batches_are_changed(augmentation, digits):
    X, y = digits[0][:300].reshape(-1, 8, 8), digits[1][:300]
    model = digits_model(augmentation=(augmentation,)).fit(X, y, X_val=X, y_val=y)
    assert model.validation_scores_[-1] == model.score(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    without = digits_model().fit(X, y)
    assert not np.array_equal(model.coefs_[0], without.coefs_[0])
    again = digits_model(augmentation=(augmentation,)).fit(X, y)
    np.testing.assert_array_equal(again.coefs_[0], model.coefs_[0])


def test_crops_generalize_to_moved_digits(digits):
    X, y = digits[0].reshape(-1, 8, 8), digits[1]
    moved = np.stack([shifted(x[..., np.newaxis], 1, 0)[..., 0] for x in X[1200:]])
    options = {"max_iter": 12, "learning_rate": 0.003}
    plain = digits_model(**options).fit(X[:1200], y[:1200])
    cropped = digits_model(**options, augmentation=(RandomCrop(1),))
    cropped.fit(X[:1200], y[:1200])
    assert cropped.score(moved, y[1200:]) > plain.score(moved, y[1200:]) + 0.1


@pytest.mark.parametrize(
    ("augmentation", "error", "message"),
    [
        (("flip",), TypeError, "objects of skdeep.augmentation"),
        ((RandomFlip("sideways"),), ValueError, "direction"),
        ((RandomCrop(-1),), ValueError, "padding"),
    ],
)
def test_wrong_augmentations_are_told_of_in_fit(augmentation, error, message, digits):
    X, y = digits[0][:50].reshape(-1, 8, 8), digits[1][:50]
    with pytest.raises(error, match=message):
        digits_model(augmentation=augmentation).fit(X, y)


def test_a_table_cannot_be_flipped(digits):
    model = SequentialClassifier([Dense(5)], augmentation=(RandomFlip(),))
    with pytest.raises(ValueError, match="RandomFlip changes images or signals"):
        model.fit(digits[0], digits[1])
