"""Numbers that judge predictions: accuracy with its interval, loss, calibration, and all of it per class.

numpy only. Images whose label is unknown (-1) are left out of every number. When several classes share a probability,
the one with the lowest index is taken to be predicted first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import RunError
from lilliput.results.predictions import UNLABELLED, Predictions

Interval = tuple[float, float]

Z_95 = 1.959963984540054  # the standard normal distribution leaves 2.5 % above this


@dataclass(frozen=True, kw_only=True)
class ClassAccuracy:
    """How many of one class's ``n`` images were labelled right; ``interval`` is Wilson's, 95 %."""

    id: str
    name: str
    correct: int
    n: int
    accuracy: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The verdict on one split. All but ``n`` and ``loss`` are fractions in [0, 1].

    ``interval`` is Wilson's 95 % interval of ``top1``; ``loss`` is the mean of -log(probability of the true
    class), in nats; ``calibration_error`` is the expected one over 15 bins. Up to five classes, ``top5`` is 1.
    """

    top1: float
    top5: float
    n: int
    interval: Interval
    loss: float
    calibration_error: float
    per_class: tuple[ClassAccuracy, ...]


def evaluate(predictions: Predictions, classes: Sequence[tuple[str, str]]) -> Evaluation:
    """Judge ``predictions``; ``classes`` are the (id, name) pairs of the k columns.

    Raises: RunError when no image has a label, or the classes do not fit the columns.
    """
    if len(classes) != predictions.num_classes:
        raise RunError(
            f"the predictions are of {predictions.num_classes} classes, but {len(classes)} are named",
            "the predictions belong to another run: predict again with lilliput evaluate RUN",
        )
    known = _labelled(predictions)
    matrix = confusion_matrix(known)
    n, correct = len(known), int(np.trace(matrix))
    return Evaluation(
        top1=correct / n,
        top5=top_k_accuracy(known, 5),
        n=n,
        interval=wilson_interval(correct, n),
        loss=log_loss(known),
        calibration_error=calibration_error(known),
        per_class=_per_class(matrix, classes),
    )


def top_k_accuracy(predictions: Predictions, k: int) -> float:
    """Share of images whose true class is among the ``k`` most probable ones (all of them when there are fewer)."""
    known = _labelled(predictions)
    columns = np.arange(known.num_classes)
    labels = known.labels[:, None]
    true = np.take_along_axis(known.probabilities, labels, axis=1)
    ahead = (known.probabilities > true) | ((known.probabilities == true) & (columns < labels))
    return float((ahead.sum(axis=1) < k).mean())


def wilson_interval(correct: int, n: int) -> Interval:
    """The 95 % interval of a share, by Wilson's score: honest near 0 and 1 and for few images. (0, 1) when ``n`` is 0.

    >>> low, high = wilson_interval(43, 50)
    >>> round(low, 3), round(high, 3)
    (0.738, 0.93)
    """
    if n == 0:
        return 0.0, 1.0
    share, z2 = correct / n, Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z_95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    # Rounding must not push the bound past the share itself when all or none are right.
    return min(share, max(0.0, centre - reach)), max(share, min(1.0, centre + reach))


def log_loss(predictions: Predictions) -> float:
    """Mean of -log(probability of the true class); a probability of 0 counts as float32's smallest normal, 1.2e-38."""
    known = _labelled(predictions)
    true = known.probabilities[np.arange(len(known)), known.labels].astype(np.float64)
    return float(-np.log(np.maximum(true, np.finfo(np.float32).tiny)).mean())


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """Counts int64[k, k]: row = true class, column = predicted class."""
    known = _labelled(predictions)
    k = known.num_classes
    predicted = known.probabilities.argmax(axis=1)
    return np.bincount(known.labels * k + predicted, minlength=k * k).reshape(k, k)


def calibration_error(predictions: Predictions, bins: int = 15) -> float:
    """Expected calibration error: |accuracy - confidence| in equal bins of confidence, weighted by their images."""
    known = _labelled(predictions)
    confidence = known.probabilities.max(axis=1).astype(np.float64)
    right = known.probabilities.argmax(axis=1) == known.labels
    # Bins are open below and closed above, so a confidence of exactly 1 falls into the last one.
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    surplus = np.bincount(place, weights=right - confidence, minlength=bins)
    return float(np.abs(surplus).sum() / len(known))


def _labelled(predictions: Predictions) -> Predictions:
    known = predictions.labels != UNLABELLED
    if known.all() and len(predictions):
        return predictions
    if not known.any():
        raise RunError(
            "none of the images has a known label", "evaluate a labelled split: --split val"
        )
    names = tuple(name for name, keep in zip(predictions.names, known, strict=True) if keep)
    return Predictions(predictions.probabilities[known], predictions.labels[known], names)


def _per_class(
    matrix: NDArray[np.int64], classes: Sequence[tuple[str, str]]
) -> tuple[ClassAccuracy, ...]:
    rows = zip(classes, np.diag(matrix).tolist(), matrix.sum(axis=1).tolist(), strict=True)
    return tuple(
        ClassAccuracy(
            id=id,
            name=name,
            correct=correct,
            n=n,
            accuracy=correct / n if n else float("nan"),
            interval=wilson_interval(correct, n),
        )
        for (id, name), correct, n in rows
    )
