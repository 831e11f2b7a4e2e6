"""Is one classifier better than another on the same images? Paired tests of two lists of right and wrong.

numpy and scipy. Images that both get right, or both wrong, say nothing about which of the two is better; so everything
here follows from how many only the one and only the other gets right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from lilliput.results.metrics import Interval
from lilliput.results.predictions import Predictions

RESAMPLES = 20_000
_EXACT_UP_TO = (
    25  # images on which the two differ; above, the mid-p value is closer to the level it claims
)


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """How much more accurate the first of two classifiers is than the second, on the same ``n`` images.

    ``difference`` is of accuracies, in [-1, 1], with its 95 % bootstrap ``interval``; ``p`` is McNemar's, two-sided;
    ``only_first`` and ``only_second`` count the images that only the one gets right.
    """

    difference: float
    interval: Interval
    p: float
    only_first: int
    only_second: int
    n: int


def right_of(predictions: Predictions) -> NDArray[np.bool_]:
    """Which images are labelled right: bool[n]."""
    return predictions.probabilities.argmax(axis=1) == predictions.labels


def paired_difference(
    first: NDArray[np.bool_], second: NDArray[np.bool_], *, seed: int = 0
) -> PairedDifference:
    """Compare bool[n] with bool[n]: which images each gets right, in the same order. The same for the same seed."""
    n = len(first)
    ahead = int(np.count_nonzero(first & ~second))
    behind = int(np.count_nonzero(second & ~first))
    return PairedDifference(
        difference=(ahead - behind) / n,
        interval=_bootstrap(ahead, behind, n, seed),
        p=mcnemar(ahead, behind),
        only_first=ahead,
        only_second=behind,
        n=n,
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p of McNemar's test: exact on up to 25 images that the two differ on, mid-p on more.

    >>> round(mcnemar(2, 8), 4)
    0.1094
    """
    differ, fewer = only_first + only_second, min(only_first, only_second)
    p = 2 * float(binom.cdf(fewer, differ, 0.5))
    if differ > _EXACT_UP_TO:
        p -= float(binom.pmf(fewer, differ, 0.5))
    return min(1.0, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction for many tests at once: p values that keep their meaning however many there are.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    corrected = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    result = np.empty_like(p)
    result[order] = np.minimum(1.0, corrected)
    return result.tolist()


def _bootstrap(ahead: int, behind: int, n: int, seed: int) -> Interval:
    # Drawing n images anew, with replacement, and counting the three kinds is one draw of a multinomial.
    kinds = np.array([ahead, behind, n - ahead - behind]) / n
    drawn = np.random.default_rng(seed).multinomial(n, kinds, RESAMPLES)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / n, [2.5, 97.5])
    return float(low), float(high)
