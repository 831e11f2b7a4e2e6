"""Paired tests against what is known by hand or by brute force."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from lilliput.analysis.paired import holm, mcnemar, paired_difference


def test_mcnemar_is_the_exact_sign_test_on_few_images():
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 5) == 1
    for ahead, behind in ((0, 6), (2, 8), (9, 3), (1, 24)):
        differ, fewer = ahead + behind, min(ahead, behind)
        by_hand = 2 * sum(comb(differ, i) for i in range(fewer + 1)) / 2**differ
        assert mcnemar(ahead, behind) == pytest.approx(by_hand)


def test_mcnemar_is_mid_p_on_many():
    differ, fewer = 100, 40
    exact = 2 * sum(comb(differ, i) for i in range(fewer + 1)) / 2**differ
    assert mcnemar(40, 60) == mcnemar(60, 40) == pytest.approx(exact - comb(100, 40) / 2**100)
    assert mcnemar(50, 50) == pytest.approx(1)
    assert 0 < mcnemar(1000, 3000) < 1e-100


def test_mcnemar_keeps_its_level_when_nothing_differs():
    random = np.random.default_rng(0)
    p = [mcnemar(ahead, 200 - ahead) for ahead in random.binomial(200, 0.5, 2000).tolist()]
    assert 0.03 < np.mean(np.array(p) < 0.05) < 0.065


def test_the_interval_is_that_of_resampled_images():
    random = np.random.default_rng(3)
    first, second = random.random(400) < 0.6, random.random(400) < 0.5
    found = paired_difference(first, second)
    each = first.astype(int) - second.astype(int)
    drawn = each[random.integers(0, 400, (8000, 400))].mean(axis=1)
    assert found.difference == pytest.approx(each.mean())
    assert found.interval == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.006)
    assert found.interval[0] < found.difference < found.interval[1]
    assert found.only_first - found.only_second == each.sum()
    assert paired_difference(first, second) == found


def test_equal_classifiers_differ_by_nothing():
    right = np.array([True, False, True])
    found = paired_difference(right, right)
    assert (found.difference, found.interval, found.p) == (0, (0, 0), 1)


def test_holm_corrects_stepwise_and_keeps_the_order_given():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == [0.2]
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []
