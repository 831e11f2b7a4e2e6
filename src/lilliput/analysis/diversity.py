"""How differently the members of an ensemble err: what an average can gain from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.results.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """Two symmetric matrices float64[n, n] over the members.

    ``disagreement`` is the share of images on which two predict different classes; ``error_correlation`` is Pearson's
    correlation of being wrong, in [-1, 1], nan where a member is right on all images or on none.
    """

    disagreement: NDArray[np.float64]
    error_correlation: NDArray[np.float64]


def diversity(members: Sequence[Predictions]) -> Diversity:
    """Compare every two members on the same labelled images."""
    predicted = np.stack([one.probabilities.argmax(axis=1) for one in members])
    wrong = (predicted != members[0].labels).astype(np.float64)
    return Diversity(
        disagreement=np.array([(predicted != one).mean(axis=1) for one in predicted]),
        error_correlation=_correlation(wrong),
    )


def _correlation(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = rows - rows.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1))
    product = np.outer(spread, spread)
    covariance = centred @ centred.T / rows.shape[1]
    unknown = np.full_like(covariance, np.nan)
    correlation = np.divide(covariance, product, out=unknown, where=product > 0)
    return np.clip(correlation, -1, 1)
