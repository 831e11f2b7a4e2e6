"""95 % intervals by the bootstrap: of a mean and of a rank correlation. Shares have Wilson's (``results.metrics``).

The draws are seeded, so that the same numbers always carry the same interval.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

_SEED, _DRAWS = 20151123, 2000
_TAILS = (0.025, 0.975)


class Estimate(NamedTuple):
    """A number and its 95 % interval; all three nan where there is too little to compute it from."""

    value: float
    low: float
    high: float

    @property
    def is_known(self) -> bool:
        """Whether there was enough to compute it from."""
        return bool(np.isfinite(self.value))


UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


def resamples(n: int, times: int) -> Iterator[NDArray[np.int64]]:
    """``times`` samples of ``n`` out of ``n`` with replacement, each int64[n]."""
    random = np.random.default_rng([_SEED, n])
    for _ in range(times):
        yield random.integers(0, n, n)


def mean(values: NDArray[np.float64]) -> Estimate:
    """The mean of float[n] and its percentile interval; nan values are left out."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return UNKNOWN
    again = [values[chosen].mean() for chosen in resamples(len(values), _DRAWS)]
    low, high = np.quantile(again, _TAILS)
    return Estimate(float(values.mean()), float(low), float(high))


def rank_correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> Estimate:
    """Spearman's correlation of float[n] with float[n] and its percentile interval; pairs with a nan are left out."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return UNKNOWN
    value = float(_pearson(rankdata(x)[None], rankdata(y)[None])[0])
    chosen = np.stack(list(resamples(len(x), _DRAWS)))
    again = _pearson(rankdata(x[chosen], axis=1), rankdata(y[chosen], axis=1))
    low, high = np.quantile(again[np.isfinite(again)], _TAILS)
    return Estimate(value, float(low), float(high))


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    spread = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    product = (x * y).sum(axis=1)
    return np.divide(product, spread, out=np.full(len(x), np.nan), where=spread > 0)
