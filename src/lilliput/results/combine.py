"""Several networks' predictions of the same images made into one. Paper: §6.1.

Every method is a score per image and class, the weighted mean of the members' scores, and the way back from that mean
to probabilities. The class with the highest mean score is the ensemble's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import RunError
from lilliput.results.predictions import Predictions

Scores = NDArray[np.float64]

# What a member's probabilities count beside its vote: too little to outdo a vote, even added over 20 members.
TIE_BREAK = 1 / 32
SMALLEST = float(np.finfo(np.float32).tiny)


class Method(NamedTuple):
    """``score`` turns probabilities float[n, k] into scores, ``finish`` a mean of scores into probabilities."""

    score: Callable[[NDArray[np.floating]], Scores]
    finish: Callable[[Scores], Scores]


def combine(
    predictions: Sequence[Predictions],
    weights: Sequence[float] | None = None,
    method: str = "mean",
) -> Predictions:
    """The members' predictions as one, all alike or by ``weights``, which need not sum to 1; those of weight 0 are out.

    Raises: RunError when the predictions are not of the same images, or no weight is above 0.
    """
    counts = [1.0] * len(predictions) if weights is None else weights
    chosen = [(one, weight) for one, weight in zip(predictions, counts, strict=True) if weight > 0]
    if not chosen:
        raise RunError("there are no predictions to combine", "name at least one run")
    first = chosen[0][0]
    for place, (other, _) in enumerate(chosen[1:], start=2):
        if problem := first_difference(first, other):
            raise RunError(
                f"predictions 1 and {place} cannot be combined: {problem}",
                "combine predictions of the same split of the same data",
            )
    rule = METHODS[method]
    # By the largest weight: members that all count alike are added exactly, so that equal classes stay equal.
    largest = max(weight for _, weight in chosen)
    whole = sum(weight / largest for _, weight in chosen)
    total = np.zeros(first.probabilities.shape)
    for one, weight in chosen:
        total += weight / largest * rule.score(one.probabilities)
    return Predictions(rule.finish(total / whole).astype(np.float32), first.labels, first.names)


def first_difference(one: Predictions, other: Predictions) -> str:
    """How two predictions fail to be of the same images and classes, in words; empty when they are."""
    if one.num_classes != other.num_classes:
        return f"{one.num_classes} classes against {other.num_classes}"
    if len(one) != len(other):
        return f"{len(one):,} images against {len(other):,}"
    for row, (a, b) in enumerate(zip(one.names, other.names, strict=True)):
        if a != b:
            return f"the names of row {row} differ ('{a}' and '{b}')"
    unequal = np.flatnonzero(one.labels != other.labels)
    if unequal.size:
        row = int(unequal[0])
        return f"the labels of row {row} differ ({one.labels[row]} and {other.labels[row]})"
    return ""


def _probabilities(probabilities: NDArray[np.floating]) -> Scores:
    return probabilities.astype(np.float64)


def _logarithms(probabilities: NDArray[np.floating]) -> Scores:
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))


def _votes(probabilities: NDArray[np.floating]) -> Scores:
    scores = probabilities * np.float64(TIE_BREAK)
    scores[np.arange(len(scores)), probabilities.argmax(axis=1)] += 1
    return scores


def _as_they_are(scores: Scores) -> Scores:
    return scores


def _softmax(scores: Scores) -> Scores:
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def _share(scores: Scores) -> Scores:
    return scores / (1 + TIE_BREAK)


METHODS: dict[str, Method] = {
    "mean": Method(_probabilities, _as_they_are),
    "logits": Method(_logarithms, _softmax),
    "weighted": Method(_probabilities, _as_they_are),
    "greedy": Method(_probabilities, _as_they_are),
    "majority": Method(_votes, _share),
}
"""mean: the paper's; logits: the mean of the log-probabilities, renormalised; weighted, greedy: a mean with weights
fitted or grown on other images; majority: a vote each, equal votes decided by the mean probability."""
