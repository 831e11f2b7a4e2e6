"""Which classes a network knows and which it does not. Paper: §5.3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from lilliput.analysis.style import BAD, GOOD, INK, MUTED, TRAIN, new_axes, percent, short_name
from lilliput.results.folder import Predicted, main_evaluation, main_predictions
from lilliput.results.metrics import ClassAccuracy, Evaluation, confusion_matrix, evaluate

_MOST_BARS, _EXTREMES = 30, 10
_ROW_INCHES, _ABOVE_INCHES, _BELOW_INCHES = 0.205, 0.58, 0.3


@dataclass(frozen=True, kw_only=True)
class ClassNumbers:
    """The classes that have images, best first, and the accuracy over all of them; ``split`` is where."""

    split: str
    classes: tuple[ClassAccuracy, ...]
    top1: float


def class_numbers(result: Predicted) -> ClassNumbers | None:
    """Accuracy per class on the main labelled split; None when nothing labelled was predicted."""
    found = main_evaluation(result)
    if found is None:
        return None
    split, evaluation = found
    return ClassNumbers(split=split, classes=ranked(evaluation), top1=evaluation.top1)


def ranked(evaluation: Evaluation) -> tuple[ClassAccuracy, ...]:
    """The classes that have images, most accurate first; equals by name."""
    tested = (one for one in evaluation.per_class if one.n)
    return tuple(sorted(tested, key=lambda one: (-one.accuracy, one.name, one.id)))


def class_table(result: Predicted) -> list[list[object]] | None:
    """A row per class in the classes' own order, under a heading: accuracy, interval, what it is taken for most."""
    found = main_predictions(result)
    if found is None:
        return None
    split, predictions = found
    matrix = confusion_matrix(predictions)
    np.fill_diagonal(matrix, 0)
    classes = result.classes
    table: list[list[object]] = [
        [
            "split",
            "id",
            "name",
            "images",
            "correct",
            "accuracy",
            "low",
            "high",
            "mistaken_for",
            "times",
        ]
    ]
    for number, one in enumerate(evaluate(predictions, classes).per_class):
        rival = int(matrix[number].argmax())
        times = int(matrix[number, rival])
        taken_for = classes[rival].name if times else ""
        counts = [one.n, one.correct, one.accuracy, *one.interval]
        table.append([split, one.id, one.name, *counts, taken_for, times])
    return table


def draw_classes(numbers: ClassNumbers) -> Figure:
    """A bar per class with its 95 % interval: all of them, or the best and the worst ten of more than thirty."""
    everyone = numbers.classes
    if len(everyone) <= _MOST_BARS:
        return _draw_groups([(everyone, TRAIN)], f"Accuracy per class ({numbers.split})", numbers)
    extremes = [(everyone[:_EXTREMES], GOOD), (everyone[-_EXTREMES:], BAD)]
    title = f"Best and worst {_EXTREMES} of {len(everyone)} classes ({numbers.split})"
    return _draw_groups(extremes, title, numbers)


def _draw_groups(
    groups: Sequence[tuple[Sequence[ClassAccuracy], str]], title: str, numbers: ClassNumbers
) -> Figure:
    gap = 0.9
    rows = sum(len(group) for group, _ in groups) + gap * (len(groups) - 1)
    figure, axes = new_axes(rows * _ROW_INCHES + _ABOVE_INCHES + _BELOW_INCHES, right=0.9)
    start = 0.0
    for group, colour in groups:
        _draw_bars(axes, start, group, colour)
        start += len(group) + gap
    _mark_mean(axes, numbers.top1)
    names = [short_name(one.name) for group, _ in groups for one in group]
    left = 0.04 + 0.0142 * max(map(len, names), default=0)
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=max(0.1, left), top=1 - _ABOVE_INCHES / height, bottom=_BELOW_INCHES / height
    )
    # The title starts where the names do, not where the bars do.
    figure.text(0.02, 1 - 0.26 / height, title, fontsize=10.5, fontweight="bold")
    highest = max((one.interval[1] for group, _ in groups for one in group), default=1.0)
    fifths = min(5, int(5 * highest) + 1)
    axes.set(xlim=(0, fifths / 5), ylim=(rows - 0.35, -0.65), yticks=[])
    axes.set_xticks(np.linspace(0, fifths / 5, fifths + 1))
    axes.set_xticklabels([f"{20 * tick} %" for tick in range(fifths + 1)])
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)
    return figure


def _draw_bars(axes: Axes, start: float, group: Sequence[ClassAccuracy], colour: str) -> None:
    places = start + np.arange(len(group))
    shares = np.array([one.accuracy for one in group])
    axes.barh(places, shares, height=0.68, color=colour, linewidth=0)
    for place, one in zip(places, group, strict=True):
        low, high = one.interval
        axes.plot([low, high], [place, place], color=INK, linewidth=1.1)
        _write(axes, -0.012, place, short_name(one.name), ha="right", color=INK)
        _write(axes, 1.012, place, percent(one.accuracy, 0), ha="left", color=MUTED)


def _write(axes: Axes, x: float, y: float, text: str, **looks: Any) -> None:
    where = blended_transform_factory(axes.transAxes, axes.transData)
    axes.text(x, y, text, transform=where, va="center_baseline", fontsize=9, **looks)


def _mark_mean(axes: Axes, top1: float) -> None:
    axes.axvline(top1, color=MUTED, linewidth=1.1, linestyle=(0, (4, 3)), zorder=0.9)
    where = blended_transform_factory(axes.transData, axes.transAxes)
    side = "left" if top1 < 0.15 else "center"
    text = f"all classes {percent(top1)}"
    axes.text(top1, 1, text, transform=where, ha=side, va="bottom", fontsize=8.5, color=MUTED)
