"""The figures of a run or an ensemble. Each file computes its numbers apart from drawing them, so that they can be
tested and reused.

A maker takes a run or an ensemble and gives a figure, or None while it does not hold what the figure is drawn from.
Pictures take the pack too. Tables are the same numbers as rows under a heading, for other programs.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from lilliput.analysis.figures.calibration import (
    calibration_numbers,
    calibration_table,
    draw_calibration,
)
from lilliput.analysis.figures.causes import cause_numbers, cause_table, draw_causes
from lilliput.analysis.figures.classes import class_numbers, class_table, draw_classes
from lilliput.analysis.figures.confusion import (
    confusion_numbers,
    draw_confusion,
    draw_pairs,
    pair_pictures,
    pair_table,
)
from lilliput.analysis.figures.curves import curve_numbers, draw_accuracy, draw_loss
from lilliput.analysis.figures.diversity import diversity_numbers, draw_diversity
from lilliput.analysis.figures.filters import draw_filters, filter_numbers, filter_table
from lilliput.analysis.figures.galleries import draw_galleries, gallery_numbers
from lilliput.analysis.figures.hardest import draw_hardest, hardest_numbers
from lilliput.analysis.figures.saliency import draw_saliency, saliency_numbers
from lilliput.analysis.figures.subsets import draw_subsets, subset_numbers
from lilliput.analysis.style import PHOTOS_DPI, write_figure
from lilliput.data.pack import Pack
from lilliput.results.atomic import write_bytes
from lilliput.results.folder import Predicted
from lilliput.results.run import Run

Rows = Sequence[Sequence[object]]
FigureMaker = Callable[[Predicted], Figure | None]
TableMaker = Callable[[Predicted], Rows | None]


class Picture(NamedTuple):
    """What needs the pictures themselves: its numbers, or None while there are none, and what is made of them."""

    numbers: Callable[[Predicted, Pack], Any]
    draw: Callable[[Any], Figure | None]
    tabulate: Callable[[Any], Rows] | None = None


def save_figures(result: Predicted) -> list[Path]:
    """Draw every figure it has the numbers for into its ``figures`` folder, as PNG, and write the tables, as CSV.

    Raises: RunError when it is damaged; StorageError.
    """
    folder = result.figures_path
    written: list[Path] = []
    for name, make in FIGURES.items():
        written += write_figure(folder / f"{name}.png", partial(make, result))
    for name, tabulate in TABLES.items():
        written += _save_table(folder / f"{name}.csv", tabulate(result))
    return written


def save_pictures(result: Predicted, pack: Pack) -> list[Path]:
    """Draw what needs the pictures themselves into its ``figures`` folder, as PNG, and write their tables, as CSV.

    Raises: RunError when it is damaged, or the pack is not the one that was predicted; StorageError.
    """
    folder = result.figures_path
    written: list[Path] = []
    for name, picture in PICTURES.items():
        numbers = picture.numbers(result, pack)
        if numbers is not None:
            written += write_figure(
                folder / f"{name}.png", partial(picture.draw, numbers), PHOTOS_DPI
            )
            if picture.tabulate:
                written += _save_table(folder / f"{name}.csv", picture.tabulate(numbers))
    return written


def _save_table(path: Path, rows: Rows | None) -> list[Path]:
    if not rows:
        return []
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    # A class may be called anything, even by bytes that are no text.
    write_bytes(path, text.getvalue().encode("utf-8", "replace"))
    return [path]


def _loss(result: Predicted) -> Figure | None:
    numbers = curve_numbers(result) if isinstance(result, Run) else None
    return draw_loss(numbers) if numbers else None


def _accuracy(result: Predicted) -> Figure | None:
    numbers = curve_numbers(result) if isinstance(result, Run) else None
    return draw_accuracy(numbers) if numbers else None


def _filters(result: Predicted) -> Figure | None:
    numbers = filter_numbers(result) if isinstance(result, Run) else None
    return draw_filters(numbers) if numbers else None


def _classes(result: Predicted) -> Figure | None:
    numbers = class_numbers(result)
    return draw_classes(numbers) if numbers else None


def _confusion(result: Predicted) -> Figure | None:
    numbers = confusion_numbers(result)
    return draw_confusion(numbers) if numbers else None


def _calibration(result: Predicted) -> Figure | None:
    numbers = calibration_numbers(result)
    return draw_calibration(numbers) if numbers else None


def _saliency(result: Predicted) -> Figure | None:
    numbers = saliency_numbers(result)
    return draw_saliency(numbers) if numbers else None


def _filter_table(result: Predicted) -> Rows | None:
    numbers = filter_numbers(result) if isinstance(result, Run) else None
    return filter_table(numbers) if numbers else None


def _pair_table(result: Predicted) -> Rows | None:
    numbers = confusion_numbers(result)
    return pair_table(numbers) if numbers else None


def _calibration_table(result: Predicted) -> Rows | None:
    numbers = calibration_numbers(result)
    return calibration_table(numbers) if numbers else None


def _subsets(result: Predicted) -> Figure | None:
    numbers = subset_numbers(result)
    return draw_subsets(numbers) if numbers else None


def _diversity(result: Predicted) -> Figure | None:
    numbers = diversity_numbers(result)
    return draw_diversity(numbers) if numbers else None


FIGURES: dict[str, FigureMaker] = {
    "loss": _loss,
    "accuracy": _accuracy,
    "filters": _filters,
    "classes": _classes,
    "confusion": _confusion,
    "calibration": _calibration,
    "saliency": _saliency,
    "subsets": _subsets,
    "diversity": _diversity,
}

PICTURES: dict[str, Picture] = {
    "best-classes": Picture(gallery_numbers, partial(draw_galleries, best=True)),
    "worst-classes": Picture(gallery_numbers, partial(draw_galleries, best=False)),
    "causes": Picture(cause_numbers, draw_causes, cause_table),
    "confused-pairs": Picture(pair_pictures, lambda found: draw_pairs(*found)),
    "hardest": Picture(hardest_numbers, draw_hardest),
}

TABLES: dict[str, TableMaker] = {
    "classes": class_table,
    "confusion": _pair_table,
    "calibration": _calibration_table,
    "filters": _filter_table,
}
