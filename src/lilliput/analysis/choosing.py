"""Which members an ensemble takes and what each counts, judged on images that the verdict is not spoken on.

Every chooser takes the members' predictions of the same labelled images and gives weights float64[n] that sum to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lilliput.results.predictions import Predictions

Weights = NDArray[np.float64]
Chooser = Callable[[Sequence[Predictions]], Weights]

_EM_STEPS, _EM_STILL = 2000, 1e-7
_LEAST_WEIGHT = 1e-3  # less than this changes no answer worth having a member for
_GREEDY_ROUNDS = 30


def everyone(members: Sequence[Predictions]) -> Weights:
    """All members, each as much as the others. Paper: §6.1."""
    return np.full(len(members), 1 / len(members))


def best_index(right: NDArray[np.int64], among: NDArray[np.bool_] | None = None) -> int:
    """The subset with the most right answers, of equals the smallest; ``right`` int64[2^n] is as count_right gives it.

    ``among`` bool[2^n] says which may be chosen; all but the empty one if left out.
    """
    sizes = subset_sizes(len(right))
    allowed = sizes > 0 if among is None else among
    rank = right * (int(sizes.max()) + 1) - sizes
    return int(np.argmax(np.where(allowed, rank, np.iinfo(np.int64).min)))


def subset_sizes(subsets: int) -> NDArray[np.int64]:
    """How many members each of ``subsets`` = 2^n subsets has: int64[2^n]."""
    return np.bitwise_count(np.arange(subsets)).astype(np.int64)


def subset_weights(index: int, members: int) -> Weights:
    """Equal weights for the members whose bits are set."""
    taken = (index >> np.arange(members)) & 1
    return taken / taken.sum()


def least_loss(members: Sequence[Predictions]) -> Weights:
    """The weights of a mean of probabilities with the least log loss.

    Found by expectation and maximisation: the weights of a mixture of given distributions have one optimum.
    """
    rows = np.arange(len(members[0]))
    true = np.stack([one.probabilities[rows, one.labels] for one in members]).astype(np.float64)
    true = np.maximum(true, np.finfo(np.float32).tiny)
    weights = everyone(members)
    for _ in range(_EM_STEPS):
        share = weights[:, None] * true
        moved = (share / share.sum(axis=0)).mean(axis=1)
        still = np.abs(moved - weights).max() < _EM_STILL
        weights = moved
        if still:
            break
    weights = np.where(weights < _LEAST_WEIGHT, 0, weights)
    return weights / weights.sum()


def greedy(members: Sequence[Predictions]) -> Weights:
    """Grown one by one: whichever member makes the mean right most often joins, a member also more than once.

    Equals are told apart by their log loss; of 30 rounds the best, and of equals the earliest, is taken.
    Caruana and others, Ensemble selection from libraries of models, 2004.
    """
    labels, rows = members[0].labels, np.arange(len(members[0]))
    total = np.zeros_like(members[0].probabilities)
    joined: list[int] = []
    scores: list[tuple[int, float]] = []

    def judged(member: Predictions) -> tuple[int, float]:
        candidate = total + member.probabilities
        true = np.maximum(candidate[rows, labels] / (len(joined) + 1), np.finfo(np.float32).tiny)
        right = int(np.count_nonzero(candidate.argmax(axis=1) == labels))
        return right, float(np.log(true, dtype=np.float64).mean())

    for _ in range(_GREEDY_ROUNDS):
        score, first = max((judged(one), -number) for number, one in enumerate(members))
        joined.append(-first)
        scores.append(score)
        total += members[-first].probabilities
    best = max(range(len(scores)), key=lambda round: (scores[round], -round))
    return np.bincount(joined[: best + 1], minlength=len(members)) / (best + 1)


CHOOSERS: dict[str, Chooser] = {
    "mean": everyone,
    "logits": everyone,
    "weighted": least_loss,
    "greedy": greedy,
    "majority": everyone,
}
"""What each method makes of all the runs."""

SUBSET_METHODS = ("mean", "logits", "majority")
"""The methods that can start from the best subset of the runs instead; the others leave runs out by themselves."""
