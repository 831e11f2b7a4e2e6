"""A contact sheet: pictures, and what a classifier takes each of them for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from lilliput.analysis.style import (
    BAND,
    GRID,
    INK,
    MUTED,
    PHOTOS_DPI,
    TRAIN,
    on_one_line,
    percent,
    short_name,
    write_figure,
)

LEAST_COLUMNS, MOST_COLUMNS = 4, 8  # as wide as its title; no wider than a page
MOST = MOST_COLUMNS**2
# Inches.
_SIDE, _HEAD, _FOOT = 0.14, 0.5, 0.22
_TILE, _GAP, _WORDS, _BETWEEN = 0.86, 0.11, 0.36, 0.13
_BAR, _PERCENT = 0.032, 0.32


@dataclass(frozen=True, eq=False)
class Contact:
    """A picture uint8[h,w,3], the class it is taken for, that class's probability, and the file's name."""

    image: NDArray[np.uint8]
    class_name: str
    probability: float
    file: str


def write_sheet(path: Path, contacts: Sequence[Contact], title: str, left_out: int = 0) -> None:
    """Write the sheet as PNG: at most :data:`MOST` pictures; ``left_out`` are those that are not among ``contacts``.

    Raises: StorageError.
    """
    shown = contacts[:MOST]
    more = left_out + len(contacts) - len(shown)
    write_figure(path, lambda: draw_sheet(shown, title, more), PHOTOS_DPI)


def draw_sheet(contacts: Sequence[Contact], title: str, left_out: int = 0) -> Figure | None:
    """The pictures row by row, each above its class and a bar as long as its probability; None without pictures."""
    if not contacts:
        return None
    columns = min(max(ceil(sqrt(len(contacts))), LEAST_COLUMNS), MOST_COLUMNS)
    row_height = _TILE + _WORDS + _BETWEEN
    width = 2 * _SIDE + columns * _TILE + (columns - 1) * _GAP
    height = _HEAD + ceil(len(contacts) / columns) * row_height + _FOOT
    figure = Figure(figsize=(width, height), dpi=PHOTOS_DPI)  # text is measured as it is written
    FigureCanvasAgg(figure)
    # One pair of axes over the whole figure, in inches from its upper left corner.
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    heading = {"fontsize": 11, "fontweight": "bold"}
    _write(axes, (_SIDE, 0.3), on_one_line(title), width - 2 * _SIDE, **heading)
    for place, contact in enumerate(contacts):
        row, column = divmod(place, columns)
        left, top = _SIDE + column * (_TILE + _GAP), _HEAD + row * row_height
        _draw_contact(axes, left, top, contact)
    words = "the most probable class"
    words += f"; {left_out:,} more pictures are left out" if left_out else " and its probability"
    _write(axes, (_SIDE, height - 0.14), words, width - 2 * _SIDE, fontsize=7.5, color=MUTED)
    axes.set(xlim=(0, width), ylim=(height, 0))
    return figure


def _draw_contact(axes: Axes, left: float, top: float, contact: Contact) -> None:
    right, bottom = left + _TILE, top + _TILE
    axes.imshow(
        contact.image, extent=(left, right, bottom, top), interpolation="lanczos", aspect="auto"
    )
    axes.add_patch(Rectangle((left, top), _TILE, _TILE, fill=False, edgecolor=BAND, linewidth=0.6))
    name = short_name(contact.class_name, 40)
    _write(axes, (left, bottom + 0.14), name, _TILE, fontsize=7, color=INK)
    length, base = _TILE - _PERCENT, bottom + 0.215
    for colour, share in ((GRID, 1.0), (TRAIN, contact.probability)):
        bar = Rectangle((left, base), length * share, _BAR, facecolor=colour, linewidth=0)
        axes.add_patch(bar)
    place = (right, base + _BAR / 2)
    looks = {"fontsize": 6.5, "color": MUTED}
    axes.text(*place, percent(contact.probability, 0), ha="right", va="center_baseline", **looks)
    file = on_one_line(contact.file)
    _write(axes, (left, bottom + 0.365), file, _TILE, fontsize=5.5, color=MUTED)


def _write(axes: Axes, place: tuple[float, float], text: str, room: float, **looks: Any) -> None:
    """Write text on its base line, cut to ``room`` inches."""
    written = axes.text(*place, text, va="baseline", **looks)
    figure = axes.get_figure(root=True)
    assert figure is not None
    width = written.get_window_extent().width / figure.dpi
    if width <= room:
        return
    text = text[: ceil(len(text) * room / width)]
    while written.get_window_extent().width / figure.dpi > room and len(text) > 1:
        text = text[:-1].rstrip()
        written.set_text(text + "\N{HORIZONTAL ELLIPSIS}")
