from __future__ import annotations

import numpy as np
import pytest

from lilliput.analysis.intervals import mean, rank_correlation

RANDOM = np.random.default_rng(0)


def test_a_mean_lies_in_its_interval_which_is_about_two_standard_errors() -> None:
    values = RANDOM.normal(5, 2, 400)
    estimate = mean(values)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.low < estimate.value < estimate.high
    assert estimate.high - estimate.low == pytest.approx(4 * 1.96 / 20, rel=0.15)


def test_the_interval_is_the_same_every_time() -> None:
    values = RANDOM.normal(size=30)
    assert mean(values) == mean(values)
    assert rank_correlation(values, values**2) == rank_correlation(values, values**2)


def test_rank_correlation_sees_order_not_size() -> None:
    x = RANDOM.normal(size=60)
    assert rank_correlation(x, np.exp(3 * x)).value == pytest.approx(1)
    assert rank_correlation(x, -x).high == pytest.approx(-1)
    unrelated = rank_correlation(x, RANDOM.normal(size=60))
    assert unrelated.low < 0 < unrelated.high


def test_rank_correlation_agrees_with_scipy_on_ties() -> None:
    from scipy.stats import spearmanr

    x, y = RANDOM.integers(0, 5, (2, 80)).astype(float)
    assert rank_correlation(x, y).value == pytest.approx(spearmanr(x, y).statistic)


def test_too_little_is_not_known() -> None:
    assert not mean(np.array([1.0, np.nan])).is_known
    assert not rank_correlation(np.arange(3.0), np.arange(3.0)).is_known
    assert not rank_correlation(np.ones(10), np.arange(10.0)).is_known
    x = np.array([np.nan, 1, 2, 3, 4])
    assert rank_correlation(x, np.arange(5.0)).value == pytest.approx(1)
