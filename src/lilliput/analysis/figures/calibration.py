"""Whether the network is right as often as it is sure: a reliability diagram with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from lilliput.analysis.intervals import Estimate, resamples
from lilliput.analysis.style import (
    BAND,
    INK,
    MUTED,
    TRAIN,
    new_axes,
    percent,
)
from lilliput.results.folder import Predicted, main_predictions
from lilliput.results.metrics import Interval, wilson_interval
from lilliput.results.predictions import UNLABELLED

_BINS, _DRAWS = 15, 400


@dataclass(frozen=True, kw_only=True)
class Bin:
    """The images whose highest probability lies in (``low``, ``high``]; ``interval`` is Wilson's of ``accuracy``."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class CalibrationNumbers:
    """``bins`` are those with images. ``error`` is the expected calibration error, ``surplus`` confidence - accuracy.

    The interval of ``error`` is the basic bootstrap's: an error of this kind is never below 0, so resampling alone
    makes it larger, which the basic bootstrap takes back.
    """

    split: str
    n: int
    bins: tuple[Bin, ...]
    error: Estimate
    surplus: float


def calibration_numbers(result: Predicted) -> CalibrationNumbers | None:
    """Confidence against accuracy on the main labelled split; None when nothing labelled was predicted."""
    found = main_predictions(result)
    if found is None:
        return None
    split, predictions = found
    known = predictions.labels != UNLABELLED
    probabilities = predictions.probabilities[known]
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == predictions.labels[known]
    place = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    bins = []
    for number in range(_BINS):
        inside = place == number
        n, correct = int(inside.sum()), int(right[inside].sum())
        if n:
            sure = float(confidence[inside].mean())
            bins.append(
                Bin(
                    low=number / _BINS,
                    high=(number + 1) / _BINS,
                    n=n,
                    confidence=sure,
                    accuracy=correct / n,
                    interval=wilson_interval(correct, n),
                )
            )
    gap = confidence - right
    return CalibrationNumbers(
        split=split,
        n=len(gap),
        bins=tuple(bins),
        error=_expected_error(place, gap),
        surplus=float(gap.mean()),
    )


def _expected_error(place: NDArray[np.int64], gap: NDArray[np.float64]) -> Estimate:
    def error(chosen: NDArray[np.int64] | slice) -> float:
        sums = np.bincount(place[chosen], weights=gap[chosen], minlength=_BINS)
        return float(np.abs(sums).sum() / len(gap))

    value = error(slice(None))
    again = [error(chosen) for chosen in resamples(len(gap), _DRAWS)]
    low, high = np.quantile(again, (0.025, 0.975))
    return Estimate(value, max(0.0, 2 * value - float(high)), max(0.0, 2 * value - float(low)))


def calibration_table(numbers: CalibrationNumbers) -> Sequence[Sequence[object]]:
    """A row per bin under a heading."""
    rows = [
        [numbers.split, b.low, b.high, b.n, b.confidence, b.accuracy, *b.interval]
        for b in numbers.bins
    ]
    return [["split", "from", "to", "images", "confidence", "accuracy", "low", "high"], *rows]


def draw_calibration(numbers: CalibrationNumbers) -> Figure:
    """Accuracy against confidence with 95 % intervals, the diagonal of a calibrated network, and where images lie."""
    height = 3.6
    figure, axes = new_axes(height, right=0.97)
    left, wide = 0.14, 0.81
    axes.set_position((left, 0.31, wide, 1 - 0.4 / height - 0.31))
    counts = figure.add_axes((left, 0.125, wide, 0.13), sharex=axes)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.1, linestyle=(0, (4, 3)))
    x = [one.confidence for one in numbers.bins]
    y = np.array([one.accuracy for one in numbers.bins])
    ends = np.array([one.interval for one in numbers.bins]).reshape(-1, 2)
    axes.vlines(x, ends[:, 0], ends[:, 1], color=TRAIN, linewidth=1.3)
    axes.plot(x, y, color=TRAIN, marker="o", markersize=4.5, linewidth=1.4)
    axes.set(
        xlim=(0, 1), ylim=(0, 1), title=f"Is it right as often as it is sure? ({numbers.split})"
    )
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.set_ylabel("accuracy")
    _write_verdict(axes, numbers)
    edges = [one.low for one in numbers.bins]
    shares = [one.n / numbers.n for one in numbers.bins]
    counts.bar(edges, shares, width=1 / _BINS, align="edge", color=BAND, edgecolor="none")
    counts.grid(visible=False)
    counts.set(xlabel="confidence: the highest probability", yticks=[])
    counts.set_ylabel("images", labelpad=4, fontsize=8)
    for one in (axes.xaxis, axes.yaxis):
        one.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    return figure


def _write_verdict(axes: Axes, numbers: CalibrationNumbers) -> None:
    value, low, high = numbers.error
    word = "too sure" if numbers.surplus > 0 else "too modest"
    lines = [
        f"calibration error {percent(value)} ({100 * low:.1f}\N{EN DASH}{percent(high)})",
        f"on average {percent(abs(numbers.surplus))} {word}",
    ]
    text = "\n".join(lines)
    axes.text(0.99, 0.1, text, ha="right", va="center", fontsize=8.5, color=INK)
    axes.text(0.52, 0.6, "calibrated", ha="right", fontsize=8, color=MUTED)
