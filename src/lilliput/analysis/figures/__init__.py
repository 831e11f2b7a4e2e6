"""The figures of a run. Each file computes its numbers apart from drawing them, so that they can be tested and reused.

A maker takes a run and gives a figure, or None while the run does not hold what it is drawn from.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure

from lilliput.analysis.figures.classes import class_numbers, draw_classes
from lilliput.analysis.figures.curves import curve_numbers, draw_accuracy, draw_loss
from lilliput.analysis.figures.filters import draw_filters, filter_numbers
from lilliput.analysis.style import figure_style, to_png
from lilliput.results.atomic import write_bytes
from lilliput.results.run import Run

FigureMaker = Callable[[Run], Figure | None]


def save_figures(run: Run) -> list[Path]:
    """Draw every figure the run has the numbers for into ``run/figures``, as PNG.

    Raises: RunError when the run is damaged; StorageError.
    """
    written = []
    for name, make in FIGURES.items():
        with figure_style():
            figure = make(run)
            picture = to_png(figure) if figure else None
        if picture:
            path = run.figures_path / f"{name}.png"
            write_bytes(path, picture)
            written.append(path)
    return written


def _loss(run: Run) -> Figure | None:
    numbers = curve_numbers(run)
    return draw_loss(numbers) if numbers else None


def _accuracy(run: Run) -> Figure | None:
    numbers = curve_numbers(run)
    return draw_accuracy(numbers) if numbers else None


def _filters(run: Run) -> Figure | None:
    numbers = filter_numbers(run)
    return draw_filters(numbers) if numbers else None


def _classes(run: Run) -> Figure | None:
    numbers = class_numbers(run)
    return draw_classes(numbers) if numbers else None


FIGURES: dict[str, FigureMaker] = {
    "loss": _loss,
    "accuracy": _accuracy,
    "filters": _filters,
    "classes": _classes,
}
