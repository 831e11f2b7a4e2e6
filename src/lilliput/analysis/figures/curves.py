"""Loss and accuracy over the epochs. Paper: Fig. 2 and 3."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from lilliput.analysis.style import (
    INK,
    MUTED,
    TRAIN,
    VALIDATION,
    Ending,
    label_endings,
    new_axes,
    percent,
)
from lilliput.errors import NotationError
from lilliput.notation import ZOO, parse
from lilliput.results.run import Run

# Table 1's accuracies. They come from the challenge's server, whose test labels were never published.
PAPER_ACCURACY = {"m1": 0.238, "m2": 0.286, "m3": 0.342, "m4": 0.393}
_PAPER_CLASSES = 200

Series = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class CurveNumbers:
    """Five series, each float64[epochs]; accuracies are fractions; what was not measured is nan.

    ``paper_accuracy`` is the paper's for the same network on the same 200 classes, else None.
    """

    epochs: Series
    train_loss: Series
    val_loss: Series
    train_accuracy: Series
    val_accuracy: Series
    paper_accuracy: float | None


def curve_numbers(run: Run) -> CurveNumbers | None:
    """The history as series; None before the first epoch has ended."""
    history = run.history
    if not history:
        return None

    def series(name: str) -> Series:
        return np.array([getattr(epoch, name) for epoch in history], dtype=np.float64)

    return CurveNumbers(
        epochs=series("epoch"),
        train_loss=series("train_loss"),
        val_loss=series("val_loss"),
        train_accuracy=series("train_accuracy"),
        val_accuracy=series("val_accuracy"),
        paper_accuracy=paper_accuracy(run),
    )


def paper_accuracy(run: Run) -> float | None:
    """What the paper reports for this run's network; None if it has none, or the data is not its 200 classes."""
    if len(run.classes) != _PAPER_CLASSES:
        return None
    plan = str(run.recipe.get("model", {}).get("plan"))
    plans = {parse(ZOO[name].notation): accuracy for name, accuracy in PAPER_ACCURACY.items()}
    with suppress(NotationError):
        return plans.get(parse(ZOO[plan].notation if plan in ZOO else plan))
    return None


def draw_loss(numbers: CurveNumbers) -> Figure:
    """Training and validation loss over the epochs. Paper: Fig. 2."""
    figure, axes = new_axes(3.0)
    axes.set_title("Loss")
    endings = [
        *_draw_line(axes, numbers.epochs, numbers.train_loss, "training", TRAIN, "{:.2f}".format),
        *_draw_line(
            axes, numbers.epochs, numbers.val_loss, "validation", VALIDATION, "{:.2f}".format
        ),
    ]
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    _finish(axes, numbers, endings)
    _note_what_is_not_finite(axes, numbers)
    return figure


def draw_accuracy(numbers: CurveNumbers) -> Figure:
    """Training and validation accuracy over the epochs, with the paper's level. Paper: Fig. 3."""
    figure, axes = new_axes(3.0)
    axes.set_title("Accuracy")
    endings = [
        *_draw_line(axes, numbers.epochs, numbers.train_accuracy, "training", TRAIN, percent),
        *_draw_line(axes, numbers.epochs, numbers.val_accuracy, "validation", VALIDATION, percent),
    ]
    if numbers.paper_accuracy is not None:
        level = numbers.paper_accuracy
        axes.axhline(level, color=MUTED, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1.5)
        endings.append(Ending(level, f"paper {percent(level)}\n(test server)", MUTED))
    axes.margins(y=0.08)
    axes.set_ylim(bottom=0, top=min(1.02, max(axes.get_ylim()[1], 0.02)))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    _finish(axes, numbers, endings)
    return figure


def _draw_line(
    axes: Axes,
    epochs: Series,
    values: Series,
    name: str,
    colour: str,
    write: Callable[[float], str],
) -> list[Ending]:
    """The finite points joined by a line with a dot at its end; returns the label of that end, if there is one."""
    known = np.isfinite(values)
    if not known.any():
        return []
    x, y = epochs[known], values[known]
    axes.plot(x, y, color=colour)
    axes.plot(x[-1], y[-1], "o", color=colour, markersize=4.5, clip_on=False)
    return [Ending(float(y[-1]), f"{name}\n{write(float(y[-1]))}", colour)]


def _finish(axes: Axes, numbers: CurveNumbers, endings: list[Ending]) -> None:
    first, last = numbers.epochs[0], numbers.epochs[-1]
    axes.set_xlim((first - 0.5, first + 0.5) if first == last else (first, last))
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    label_endings(axes, endings)


def _note_what_is_not_finite(axes: Axes, numbers: CurveNumbers) -> None:
    lost = ~np.isfinite(numbers.train_loss)
    if lost.any():
        text = f"training loss is not a number at epoch {int(numbers.epochs[np.argmax(lost)])}"
        axes.text(0.98, 0.95, text, transform=axes.transAxes, ha="right", va="top", color=INK)
