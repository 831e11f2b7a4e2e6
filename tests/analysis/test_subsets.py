"""Counting all subsets at once gives what adding up each of them gives, to the last image."""

from __future__ import annotations

import numpy as np
import pytest

from lilliput.analysis.subsets import MOST_MEMBERS, count_right
from lilliput.errors import UsageError
from lilliput.results.combine import METHODS


def naive(probabilities, labels, method: str):
    """Every subset added up member by member, argmax of the sum."""
    members, score = len(probabilities), METHODS[method].score
    right = np.zeros(2**members, np.int64)
    for index in range(1, 2**members):
        taken = [score(probabilities[i]) for i in range(members) if index >> i & 1]
        right[index] = np.count_nonzero(np.mean(taken, axis=0).argmax(axis=1) == labels)
    return right


def members(n: int, images: int, classes: int, *, skill: float = 1.0, seed: int = 0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, images)
    logits = random.normal(size=(images, classes)) + random.normal(size=(n, images, classes))
    logits[:, np.arange(images), labels] += skill
    odds = np.exp(logits)
    return list((odds / odds.sum(axis=2, keepdims=True)).astype(np.float32)), labels


@pytest.mark.parametrize("method", ["mean", "logits", "majority"])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
def test_it_counts_as_the_plain_sum_does(n: int, method: str):
    probabilities, labels = members(n, 130, 17, seed=n)
    found = count_right(probabilities, labels, METHODS[method].score)
    np.testing.assert_array_equal(found, naive(probabilities, labels, method))
    assert 0 < found[-1] < 130


@pytest.mark.parametrize("skill", [-3.0, 0.0, 6.0])
def test_neither_hopeless_nor_perfect_members_disturb_it(skill: float):
    probabilities, labels = members(6, 300, 40, skill=skill)
    found = count_right(probabilities, labels, METHODS["mean"].score)
    np.testing.assert_array_equal(found, naive(probabilities, labels, "mean"))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_equal_sums_go_to_the_lowest_class(n: int):
    # Eighths add without rounding, so that many sums are equal, at the first place, the second and the last.
    random = np.random.default_rng(n)
    eighths = random.multinomial(8, [0.25] * 4, size=(n, 400)) / 8
    probabilities, labels = list(eighths.astype(np.float32)), random.integers(0, 4, 400)
    best = np.sort(np.mean(probabilities, axis=0), axis=1)
    assert np.count_nonzero(best[:, -1] == best[:, -2]) > 20
    found = count_right(probabilities, labels, METHODS["mean"].score)
    np.testing.assert_array_equal(found, naive(probabilities, labels, "mean"))


def test_the_order_of_the_members_does_not_matter():
    # Thirds and the like have no exact sums in floating point; the grid makes equal what is equal on paper.
    third = np.array([[1, 1, 1], [3, 2, 1], [1, 2, 3], [2, 1, 3]], np.float32) / [
        [3],
        [6],
        [6],
        [6],
    ]
    probabilities = [third[[i]].astype(np.float32) for i in range(4)]
    for label in range(3):
        labels = np.array([label])
        forward = count_right(probabilities, labels, METHODS["mean"].score)
        backward = count_right(probabilities[::-1], labels, METHODS["mean"].score)
        assert forward[-1] == backward[-1]
        assert [forward[1 << i] for i in range(4)] == [backward[1 << (3 - i)] for i in range(4)]


def test_saturated_probabilities_and_zeros_are_counted():
    sure = np.eye(4, dtype=np.float32)
    probabilities = [sure[[0, 1, 2, 3]], sure[[0, 0, 2, 1]], sure[[3, 1, 2, 0]]]
    labels = np.array([0, 1, 2, 3])
    for method in ("mean", "logits", "majority"):
        found = count_right(probabilities, labels, METHODS[method].score)
        np.testing.assert_array_equal(found, naive(probabilities, labels, method))


def test_no_images_give_zeros():
    nothing = [np.zeros((0, 3), np.float32)] * 2
    assert count_right(nothing, np.zeros(0, np.int64), METHODS["mean"].score).tolist() == [0] * 4


def test_too_many_members_are_refused_before_any_work():
    one = np.full((1, 2), 0.5, np.float32)
    with pytest.raises(UsageError, match="2,097,151 subsets; at most 20"):
        count_right([one] * (MOST_MEMBERS + 1), np.array([0]), METHODS["mean"].score)


def test_thousands_of_subsets_agree_with_a_sample_of_sums():
    probabilities, labels = members(13, 60, 50)
    found = count_right(probabilities, labels, METHODS["mean"].score)
    for index in np.random.default_rng(1).integers(1, 2**13, 60).tolist():
        total = sum(probabilities[i].astype(np.float64) for i in range(13) if index >> i & 1)
        assert found[index] == np.count_nonzero(total.argmax(axis=1) == labels)
