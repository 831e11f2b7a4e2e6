"""The causes the paper names for classes being easy or hard, measured: scale, colour and shape. Paper: §5.3.

Every class gets two numbers per cause, all measured on the very images whose accuracy they are held against:

    scale    the median share of the picture inside the box, and the spread of it (deviation of its logarithm)
    colour   how alike the colour histograms are, and the spread of the mean colour (in levels of 0..255)
    shape    how alike the edges inside the boxes are, and the spread of the boxes' shape (of log width/height)

How alike means: the mean similarity of two pictures of the class, in 0..1 (``analysis.descriptors``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lilliput.analysis.descriptors import describe, likeness, measure_boxes
from lilliput.analysis.intervals import Estimate, rank_correlation
from lilliput.analysis.located import main_located
from lilliput.analysis.style import INK, MUTED, TRAIN, WIDTH_INCHES, new_axes
from lilliput.data.pack import Pack
from lilliput.results.folder import Predicted
from lilliput.results.metrics import ClassAccuracy, evaluate

Floats = NDArray[np.float64]
_LEAST_CLASSES = 4
# Measure -> (its words on the axis, the factor that makes it readable).
MEASURES: dict[str, tuple[str, float]] = {
    "object_scale": ("object's share of picture, %", 100),
    "colour_likeness": ("likeness of colours, %", 100),
    "edge_likeness": ("likeness of edges in box, %", 100),
    "scale_spread": ("spread of scale", 1),
    "colour_spread": ("spread of mean colour", 1),
    "box_shape_spread": ("spread of box shape", 1),
}


@dataclass(frozen=True, kw_only=True)
class CauseNumbers:
    """Per class, in ``per_class``'s order, each measure float64[k] by name (nan where it cannot be told).

    ``correlations`` are Spearman's with the accuracy over the classes, with bootstrap intervals.
    """

    split: str
    per_class: tuple[ClassAccuracy, ...]
    measures: dict[str, Floats]
    correlations: dict[str, Estimate]


def cause_numbers(result: Predicted, pack: Pack) -> CauseNumbers | None:
    """The causes over the classes that have images; None with fewer than four of them, or nothing labelled.

    Raises: RunError when the pack is not the one that was predicted.
    """
    located = main_located(result, pack)
    if located is None:
        return None
    per_class = evaluate(located.predictions, result.classes).per_class
    tested = np.flatnonzero([one.n > 0 for one in per_class])
    if len(tested) < _LEAST_CLASSES:
        return None
    labels, k = located.predictions.labels, len(per_class)
    look = describe(located.pictures, located.rows)
    boxes = measure_boxes(located.pictures, located.rows)
    colours = 255 * look.mean_colours.astype(np.float64)
    spread = [_per_class(colours[:, channel], labels, k, np.std) for channel in range(3)]
    measures = {
        "object_scale": _per_class(boxes.area, labels, k, np.median),
        "colour_likeness": likeness(look.colours, labels, k),
        "edge_likeness": likeness(look.edges, labels, k),
        "scale_spread": _per_class(np.log(boxes.area), labels, k, np.std),
        "colour_spread": np.sqrt(sum(one**2 for one in spread)),
        "box_shape_spread": _per_class(boxes.aspect, labels, k, np.std),
    }
    measures = {name: values[tested] for name, values in measures.items()}
    kept = tuple(per_class[i] for i in tested)
    accuracy = np.array([one.accuracy for one in kept])
    correlations = {name: rank_correlation(values, accuracy) for name, values in measures.items()}
    return CauseNumbers(
        split=located.split, per_class=kept, measures=measures, correlations=correlations
    )


def _per_class(
    values: Floats, labels: NDArray[np.int64], k: int, measure: Callable[[Floats], np.floating]
) -> Floats:
    # Fewer than two known values tell nothing about a class.
    known = np.isfinite(values)
    groups = (values[known & (labels == number)] for number in range(k))
    return np.array([measure(group) if len(group) > 1 else np.nan for group in groups])


def cause_table(numbers: CauseNumbers) -> list[list[object]]:
    """Under a heading three rows that hold each measure's correlation and its interval, then a row per class."""
    names = list(MEASURES)
    table: list[list[object]] = [["split", "id", "name", "images", "accuracy", *names]]
    for part in ("value", "low", "high"):
        found = [getattr(numbers.correlations[name], part) for name in names]
        title = "rank correlation" if part == "value" else f"rank correlation, {part}"
        table.append([numbers.split, "", title, "", "", *found])
    for i, one in enumerate(numbers.per_class):
        values = [float(numbers.measures[name][i]) for name in names]
        table.append([numbers.split, one.id, one.name, one.n, one.accuracy, *values])
    return table


def draw_causes(numbers: CauseNumbers) -> Figure:
    """Accuracy against each measure, a dot per class, with its correlation; a column per cause."""
    height = 4.35
    figure, first = new_axes(height)
    first.remove()
    left, right, bottom, top, gap_x, gap_y = 0.1, 0.985, 0.16, 0.805, 0.045, 0.165
    wide = (right - left - 2 * gap_x) / 3
    high = (top - bottom - gap_y) / 2
    accuracy = np.array([one.accuracy for one in numbers.per_class])
    for number, name in enumerate(MEASURES):
        row, column = divmod(number, 3)
        place = (left + column * (wide + gap_x), top - high - row * (high + gap_y), wide, high)
        _draw_panel(figure.add_axes(place), numbers, name, accuracy, is_first=column == 0)
    for column, cause in enumerate(("Scale", "Colour", "Shape")):
        x = left + column * (wide + gap_x)
        figure.text(x, top + 0.065, cause, fontsize=9, fontweight="bold", color=INK)
    title = f"What makes a class easy or hard ({numbers.split}, {len(accuracy)} classes)"
    note = "\N{GREEK SMALL LETTER RHO}: rank correlation over the classes, with its 95 % interval; every dot is a class"
    figure.text(0.09 / WIDTH_INCHES, 0.1 / height, note, fontsize=7.5, color=MUTED)
    figure.text(0.09 / WIDTH_INCHES, 1 - 0.26 / height, title, fontsize=10.5, fontweight="bold")
    return figure


def _draw_panel(
    axes: Axes, numbers: CauseNumbers, name: str, accuracy: Floats, *, is_first: bool
) -> None:
    words, factor = MEASURES[name]
    axes.scatter(
        factor * numbers.measures[name], 100 * accuracy, s=9, color=TRAIN, alpha=0.45, lw=0
    )
    estimate = numbers.correlations[name]
    text = "not known"
    if estimate.is_known:
        value, low, high = (f"{x:+.2f}".replace("-", "\N{MINUS SIGN}") for x in estimate)
        text = f"\N{GREEK SMALL LETTER RHO} {value} ({low} .. {high})"
    axes.set_title(text, fontsize=7.5, fontweight="normal", color=INK, pad=4)
    axes.set_xlabel(words, fontsize=7.5, labelpad=2)
    axes.tick_params(labelsize=7, length=2)
    axes.locator_params(axis="x", nbins=4)
    axes.set_ylim(-3, max(20, 100 * float(np.nanmax(accuracy)) * 1.08))
    axes.locator_params(axis="y", nbins=5)
    axes.tick_params(axis="y", length=0, labelleft=is_first)
    if is_first:
        axes.set_ylabel("accuracy, %", fontsize=7.5, color=MUTED, labelpad=2)
