"""Repeated samples are merged, and the others come in an order of their own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from skdeep.engine.batch import OneHot, TrainingData
from skdeep.training import distinct
from skdeep.training.distinct import distinct_samples

pytestmark = pytest.mark.tiny

seeds = st.integers(0, 2**32 - 1)
property_test = settings(max_examples=60, deadline=None)
each_format = pytest.mark.parametrize("make", [np.asarray, csr_array])


def draw(n, width, seed):
    """Samples of few values, so that many are the same, some without weight."""
    generator = np.random.default_rng(seed)
    x = generator.integers(-1, 2, (n, width)) / 2.0
    target = generator.integers(0, 2, (n, 1)).astype(float)
    return x, target, generator.integers(0, 4, n).astype(float)


def naive(x, target, weight):
    """The sum of the weights of each distinct sample that has some."""
    sums = {}
    for row, y, w in zip(x, target, weight, strict=True):
        if w:
            key = (*row, *np.atleast_1d(y))
            sums[key] = sums.get(key, 0) + w
    return sums


def merged(x, target, weight, make=np.asarray):
    """What `distinct_samples` makes of samples: rows in order, with their weights."""
    rows, sums = distinct_samples(TrainingData(make(x), target, weight))
    flat = target.reshape(len(target), -1)
    samples = [(*x[i], *flat[i]) for i in rows]
    assert (weight[rows] > 0).all()
    return samples, sums


@each_format
@property_test
@given(st.integers(1, 30), st.integers(1, 4), seeds)
def test_repeated_samples_are_merged_and_their_weights_summed(make, n, width, seed):
    x, target, weight = draw(n, width, seed)
    weight[0] = 1
    samples, sums = merged(x, target, weight, make)
    assert len(set(samples)) == len(samples)
    assert dict(zip(samples, sums, strict=True)) == naive(x, target, weight)


@each_format
@property_test
@given(st.integers(1, 30), st.integers(1, 4), seeds)
def test_the_order_does_not_depend_on_the_order_of_the_input(make, n, width, seed):
    x, target, weight = draw(n, width, seed)
    weight[0] = 1
    shuffled = np.random.default_rng(seed).permutation(n)
    first, sums = merged(x, target, weight, make)
    second, other = merged(x[shuffled], target[shuffled], weight[shuffled], make)
    assert first == second
    np.testing.assert_array_equal(sums, other)


@property_test
@given(seeds)
def test_sums_of_weights_do_not_depend_on_the_order_of_the_input(seed):
    """To the last bit, although sums of these weights round."""
    weight = np.random.default_rng(seed).random(9)
    x, target = np.ones((9, 2)), np.ones((9, 1))
    shuffled = np.random.default_rng(seed).permutation(9)
    _, sums = merged(x, target, weight)
    _, other = merged(x, target, weight[shuffled])
    np.testing.assert_array_equal(sums, other)


def test_sparse_and_dense_samples_come_in_the_same_order():
    x, target, weight = draw(30, 4, 0)
    dense, sparse = merged(x, target, weight), merged(x, target, weight, csr_array)
    assert dense[0] == sparse[0]
    np.testing.assert_array_equal(dense[1], sparse[1])


def test_zeros_that_a_sparse_matrix_stores_do_not_matter():
    stored = csr_array((np.array([1.0, 0.0, 1.0]), [0, 1, 0], [0, 2, 3]), shape=(2, 2))
    rows, sums = distinct_samples(TrainingData(stored, np.zeros((2, 1)), np.ones(2)))
    assert len(rows) == 1
    np.testing.assert_array_equal(sums, [2])


def test_positive_and_negative_zero_are_the_same():
    x = np.array([[0.0, 1.0], [-0.0, 1.0]])
    samples, sums = merged(x, np.zeros((2, 1)), np.ones(2))
    assert len(samples) == 1
    np.testing.assert_array_equal(sums, [2])


def test_samples_with_different_targets_are_kept_apart():
    x = np.ones((3, 2))
    samples, sums = merged(x, np.array([[1.0], [2.0], [1.0]]), np.ones(3))
    assert sorted(samples) == [(1, 1, 1), (1, 1, 2)]
    assert sorted(sums) == [1, 2]


def test_the_same_numbers_in_other_columns_are_another_sample():
    x = np.array([[1.0, 2.0], [2.0, 1.0]])
    samples, _ = merged(x, np.zeros((2, 1)), np.ones(2))
    assert len(samples) == 2


def test_targets_may_be_numbers_of_classes():
    x = np.array([[1.0], [1.0], [2.0], [1.0]])
    rows, sums = distinct_samples(
        TrainingData(x, np.array([0, 1, 0, 0]), np.ones(4), one_hot=OneHot(2))
    )
    assert dict(zip(rows.tolist(), sums.tolist(), strict=True)) == {0: 2, 1: 1, 2: 1}


def test_float32_samples_are_told_apart_by_their_last_bit():
    x = np.array([[1.0], [np.nextafter(np.float32(1), np.float32(2))]], np.float32)
    samples, _ = merged(x, np.zeros((2, 1)), np.ones(2))
    assert len(samples) == 2


@pytest.mark.parametrize("block_entries", [1, 7, 10**6])
def test_the_size_of_hashed_blocks_does_not_matter(monkeypatch, block_entries):
    x, target, weight = draw(30, 3, 0)
    expected = merged(x, target, weight)
    monkeypatch.setattr(distinct, "_BLOCK_ENTRIES", block_entries)
    actual = merged(x, target, weight)
    assert actual[0] == expected[0]
    np.testing.assert_array_equal(actual[1], expected[1])


# --- when hashes collide ----------------------------------------------------------


@pytest.fixture
def colliding_hashes(monkeypatch):
    def no_hash(x, seed=0):
        return np.zeros(x.shape[0], np.uint64)

    monkeypatch.setattr(distinct, "_hash_rows", no_hash)


@each_format
@pytest.mark.parametrize("seed", range(5))
def test_different_samples_of_the_same_hash_are_kept_apart(colliding_hashes, make, seed):
    x, target, weight = draw(20, 2, seed)
    samples, sums = merged(x, target, weight, make)
    total = {}
    for sample, w in zip(samples, sums, strict=True):
        total[sample] = total.get(sample, 0) + w
    # a sample may be listed twice, but nothing is lost and nothing confused
    assert total == naive(x, target, weight)


@each_format
def test_repeated_samples_of_one_hash_are_merged(colliding_hashes, make):
    x = np.array([[1.0, 2.0]] * 3)
    samples, sums = merged(x, np.zeros((3, 1)), np.ones(3), make)
    assert len(samples) == 1
    np.testing.assert_array_equal(sums, [3])
