"""How many images every subset of an ensemble's members gets right: all 2^n of them at once. Paper: §6.2, Fig. 7.

The members are cut into two halves. A subset is a part ``a`` of the first half and a part ``b`` of the second, and the
lead of the true class over class c in it is U[c, a] + V[c, b], the sums of the leads within each part. The subset is
right when no class is ahead, that is when V[c, b] > -U[c, a] for every c: a comparison of two short vectors, each with
each, instead of a sum over members for each of the 2^n subsets. Few images need all their classes: those that trail the
truth in every member can be left out, and once most subsets are wrong only the others are followed up.

Scores are rounded to a grid so fine (2^-48 for 16 members' probabilities) that float64 adds them without error, so the
order of the members cannot matter; equal scores go to the lowest class index, as argmax does. An ensemble's own
accuracy is that of the predictions it stores, which are float32: two classes nearer than that are equal there but
not here, so an image of a near tie may count differently. What `ensemble` reports of a method is of what it stores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import UsageError

MOST_MEMBERS = 20
_CHUNK_IMAGES = 250
_FOLLOW_BELOW = 0.08  # share of subsets still right below which they are followed up one by one
_LOOK_EVERY, _FOLLOW_CLASSES = (
    4,
    16,
)  # classes between two looks; classes tried at once on what is left

Score = Callable[[NDArray[np.floating]], NDArray[np.float64]]
Floats = NDArray[np.float64]


def count_right(
    probabilities: Sequence[NDArray[np.float32]], labels: NDArray[np.int64], score: Score
) -> NDArray[np.int64]:
    """Images that each subset labels right: int64[2^n], where bit i of the index says that member i takes part.

    ``probabilities`` are the n members' float32[images, classes], ``labels`` int64[images] without unknown ones;
    a subset's answer is the class with the highest sum of ``score(probabilities)``. Index 0, the empty subset, is 0.
    Raises: UsageError for more than MOST_MEMBERS members.
    """
    members = len(probabilities)
    if members > MOST_MEMBERS:
        raise UsageError(
            f"{members} runs have {2**members - 1:,} subsets; at most {MOST_MEMBERS} can be compared",
            "leave the weakest out",
        )
    starts = range(0, len(labels), _CHUNK_IMAGES)

    def count(worker: int) -> NDArray[np.int64]:
        total = np.zeros(2**members, np.int64)
        for start in starts[worker::workers]:
            chunk = slice(start, start + _CHUNK_IMAGES)
            scores = _on_grid(np.stack([score(one[chunk]) for one in probabilities], axis=1))
            for image, label in zip(scores, labels[chunk].tolist(), strict=True):
                _add_right(total, image, label)
        return total

    workers = max(1, min(os.cpu_count() or 1, len(starts)))
    with ThreadPoolExecutor(workers) as pool:  # numpy lets go of the interpreter while it compares
        total = sum(pool.map(count, range(workers)), np.zeros(2**members, np.int64))
    total[0] = 0
    return total


def _on_grid(scores: Floats) -> Floats:
    """Scores [images, n, classes] rounded so that sums of n differences of them are exact in float64."""
    largest = max(1.0, float(np.abs(scores).max(initial=0)))
    grid = 2.0 ** (53 - ceil(log2(2 * largest * scores.shape[1])))
    return np.rint(scores * grid) / grid


def _add_right(total: NDArray[np.int64], scores: Floats, label: int) -> None:
    """Add 1 to every subset that labels one image right; ``scores`` float64[n, classes]."""
    lead = (
        scores[:, label : label + 1] - scores
    ).T  # [classes, n]; equal scores go to the lower class
    wins_ties = np.arange(len(lead)) > label
    ahead = np.where(wins_ties[:, None], lead < 0, lead <= 0)
    ahead[label] = False
    rivals = np.flatnonzero(ahead.any(axis=1))
    rivals = rivals[np.argsort(lead[rivals].sum(axis=1))]  # the strongest first
    half = scores.shape[0] // 2
    have = _partial_sums(lead[rivals, half:])
    need = -_partial_sums(lead[rivals, :half])
    strict = ~wins_ties[rivals]
    need[strict] = np.nextafter(
        need[strict], np.inf
    )  # more than x is at least the next number after x
    right = np.ones((have.shape[1], need.shape[1]), bool)
    meets = np.empty_like(right)
    for rank in range(len(rivals)):
        np.greater_equal(have[rank][:, None], need[rank][None, :], out=meets)
        right &= meets
        if rank % _LOOK_EVERY == 0 and np.count_nonzero(right) < _FOLLOW_BELOW * right.size:
            total[_follow(right, have[rank + 1 :], need[rank + 1 :])] += 1
            return
    total += right.ravel()


def _follow(right: NDArray[np.bool_], have: Floats, need: Floats) -> NDArray[np.intp]:
    """The subsets still ``right`` after the remaining rivals, by index."""
    left = np.flatnonzero(right)
    for first in range(0, len(have), _FOLLOW_CLASSES):
        if not left.size:
            break
        some = slice(first, first + _FOLLOW_CLASSES)
        b, a = np.divmod(left, right.shape[1])
        meets = np.take(have[some], b, axis=1) >= np.take(need[some], a, axis=1)
        left = left[meets.all(axis=0)]
    return left


def _partial_sums(lead: Floats) -> Floats:
    """Sums over every subset of the columns: [classes, m] -> [classes, 2^m], bit i of the index for column i."""
    classes, members = lead.shape
    sums = np.zeros((classes, 2**members))
    for member in range(members):
        size = 2**member
        np.add(sums[:, :size], lead[:, member : member + 1], out=sums[:, size : 2 * size])
    return sums
