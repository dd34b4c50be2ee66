"""Data augmentation: what it does to a batch, and that only training batches see it."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skdeep import ConvNetClassifier, ConvNetRegressor, SequentialClassifier
from skdeep.augmentation import (
    Cutout,
    Mixup,
    RandomCrop,
    RandomFlip,
    RandomShift,
    check_versions,
)
from skdeep.engine.batch import BatchPlan, TrainingData, write_batch
from skdeep.engine.program import ROWS, Buffer, Calls, Program, TrainingStep
from skdeep.kernels import PhiloxStream
from skdeep.layers import Conv, Dense

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


# --- all versions, for predictions ------------------------------------------------

COUNTED = [
    (RandomFlip(), 2),
    (RandomFlip("vertical", probability=0.2), 2),
    (RandomFlip(probability=1.0), 1),
    (RandomCrop(1), 9),
    (RandomShift(0.3, 0.4), 25),
    (RandomShift(0.2, 0.2, fill="nearest"), 9),
]
each_counted = pytest.mark.parametrize(
    ("augmentation", "count"), COUNTED, ids=lambda value: repr(value)[:40]
)


@each_counted
@pytest.mark.parametrize("shape", [IMAGE, SIGNAL], ids=["image", "signal"])
def test_versions_are_what_training_draws(augmentation, count, shape):
    x, _, data = batch(augmentation, shape=shape, n=1500)
    versions = augmentation.versions(shape)
    assert sum(share for share, _ in versions) == pytest.approx(1)
    if shape == IMAGE:
        assert len(versions) == count
    drawn = np.zeros(len(versions))
    for number, (share, change) in enumerate(versions):
        same = (change(data.x) == x).reshape(len(x), -1).all(axis=1)
        drawn[number] = same.mean()
        # five standard deviations
        assert abs(drawn[number] - share) < 5 * np.sqrt(share * (1 - share) / 1500) + 1e-12
    assert drawn.sum() == pytest.approx(1)  # nothing else is ever drawn


def test_versions_of_several_are_all_combinations():
    versions = check_versions((RandomFlip(probability=0.25), RandomCrop(1)), IMAGE)
    assert len(versions) == 18
    shares = sorted(share for share, _ in versions)
    np.testing.assert_allclose(shares, [0.25 / 9] * 9 + [0.75 / 9] * 9)
    image = np.arange(60.0).reshape(1, *IMAGE) + 1
    moved = shifted(image[0, :, ::-1], -1, 1)
    assert sum(np.array_equal(change(image)[0], moved) for _, change in versions) == 1


def image_model(**parameters):
    options = {"hidden_layer_sizes": (), "max_iter": 2, "random_state": 0}
    return ConvNetClassifier((4,), **options | parameters)


@pytest.mark.parametrize("kind", [ConvNetClassifier, ConvNetRegressor])
def test_predictions_are_of_the_mean_of_the_raw_outputs(kind, digits):
    X, y = digits[0][:100].reshape(-1, 8, 8, 1), digits[1][:100]
    model = kind((4,), max_iter=2, random_state=0).fit(X, y)
    raw = model.network_.raw_outputs
    model.set_params(test_time_augmentation=(RandomFlip(probability=0.25),))
    expected = 0.75 * raw(X) + 0.25 * raw(np.ascontiguousarray(X[:, :, ::-1]))
    if kind is ConvNetRegressor:
        np.testing.assert_allclose(model.predict(X), expected[:, 0], rtol=1e-12)
        return
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), expected.argmax(axis=1))
    p = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), p, rtol=1e-9)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(p), rtol=1e-6)


def test_mirror_images_are_predicted_alike():
    X = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 3), dtype=np.uint8)
    model = image_model(test_time_augmentation=(RandomFlip(),)).fit(X, np.arange(30) % 3)
    p, mirrored = model.predict_proba(X), model.predict_proba(X[:, :, ::-1])
    np.testing.assert_allclose(mirrored, p, rtol=1e-5)
    # and training has nothing to do with it
    plain = image_model().fit(X, np.arange(30) % 3)
    np.testing.assert_array_equal(plain.network_.parameters, model.network_.parameters)


def test_blocks_of_rows_do_not_matter(monkeypatch):
    X = np.random.default_rng(0).normal(size=(50, 6, 6, 1))
    model = image_model(test_time_augmentation=(RandomCrop(1),)).fit(X, np.arange(50) % 3)
    expected = model.decision_function(X)
    monkeypatch.setattr("skdeep.estimators.images._ROWS", 7)
    np.testing.assert_allclose(model.decision_function(X), expected, rtol=1e-10)
    np.testing.assert_allclose(model.decision_function(X[:1]), expected[:1], rtol=1e-10)


def test_rows_of_a_table_and_stacks_of_layers_have_versions_too(digits):
    X, y = digits[0][:60], digits[1][:60]
    model = image_model(input_shape=(8, 8), test_time_augmentation=(RandomFlip(),))
    raw = model.fit(X, y).network_.raw_outputs
    images = X.reshape(-1, 8, 8, 1)
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    np.testing.assert_allclose(
        model.decision_function(X), (raw(images) + raw(mirrored)) / 2, rtol=1e-12
    )
    stack = SequentialClassifier(
        [Conv(2)], test_time_augmentation=[RandomFlip()], max_iter=1
    )
    stack.fit(images, y)
    np.testing.assert_allclose(
        stack.predict_proba(mirrored), stack.predict_proba(images), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("augmentation", "error", "message"),
    [
        ((Cutout(),), ValueError, "Cutout cannot be counted"),
        ((Mixup(),), ValueError, "Mixup cannot be counted"),
        ((RandomFlip("sideways"),), ValueError, "direction"),
        (("flip",), TypeError, "test_time_augmentation must be a tuple"),
        ((RandomCrop(20),), ValueError, "1681 versions of each sample"),
        ((RandomCrop(2**50),), ValueError, "versions of each sample"),
        ((RandomCrop(5), RandomCrop(5)), ValueError, "14641 versions of each sample"),
    ],
)
def test_what_cannot_be_averaged_over_is_told_of_in_fit(
    augmentation, error, message, digits
):
    X, y = digits[0][:50].reshape(-1, 8, 8), digits[1][:50]
    with pytest.raises(error, match=message):
        image_model(test_time_augmentation=augmentation).fit(X, y)


def test_an_estimator_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        image_model(test_time_augmentation=(RandomFlip(),)).predict(np.ones((2, 8, 8)))
