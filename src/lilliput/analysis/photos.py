"""Rows of pictures with what a network made of each: the common ground of every gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from lilliput.analysis.style import BAD, GOOD, GRID, INK, MUTED, WIDTH_INCHES, short_name

COLUMNS = 7  # as many fit a figure of the house's width with captions that can be read
_SIDE, _GAP = 0.08, 0.07
_TILE = (WIDTH_INCHES - 2 * _SIDE - (COLUMNS - 1) * _GAP) / COLUMNS
_TITLE, _HEADING, _CAPTION, _BETWEEN, _FOOT = 0.42, 0.24, 0.13, 0.13, 0.26
_LETTERS = 13


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture uint8[h,w,3]; ``is_right`` marks it right or wrong, None not at all; ``remark`` stands below all.

    ``box`` frames a part of it: left, top, right and bottom edge in pixels.
    """

    image: NDArray[np.uint8]
    caption: str = ""
    is_right: bool | None = None
    remark: str = ""
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class PhotoRow:
    """Up to :data:`COLUMNS` pictures under a heading, with a quiet remark at its other end. Either may be empty."""

    heading: str
    remark: str
    photos: Sequence[Photo]


def draw_photos(title: str, rows: Sequence[PhotoRow], note: str) -> Figure:
    """The rows below each other; ``note`` says at the foot what is to be seen."""
    tops = list(accumulate((_height(row) for row in rows), initial=_TITLE))
    height = tops[-1] + _FOOT
    figure = Figure(figsize=(WIDTH_INCHES, height))
    FigureCanvasAgg(figure)
    # One pair of axes over the whole figure, in inches from its upper left corner.
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.text(_SIDE, 0.26, title, fontsize=10.5, fontweight="bold", va="baseline")
    for top, row in zip(tops, rows, strict=False):
        _draw_row(axes, top, row)
    axes.text(_SIDE, height - 0.1, note, fontsize=7.5, color=MUTED, va="baseline")
    axes.set(xlim=(0, WIDTH_INCHES), ylim=(height, 0))
    return figure


def _height(row: PhotoRow) -> float:
    lines = max((2 if p.remark else 1 if p.caption else 0 for p in row.photos), default=0)
    return (_HEADING if row.heading else 0.0) + _TILE + lines * _CAPTION + _BETWEEN


def _draw_row(axes: Axes, top: float, row: PhotoRow) -> None:
    if row.heading:
        base, right = top + _HEADING - 0.08, WIDTH_INCHES - _SIDE
        axes.text(_SIDE, base, short_name(row.heading, 40), fontsize=9, va="baseline", color=INK)
        axes.text(right, base, row.remark, fontsize=8, va="baseline", ha="right", color=MUTED)
        top += _HEADING
    for column, photo in enumerate(row.photos[:COLUMNS]):
        _draw_photo(axes, _SIDE + column * (_TILE + _GAP), top, photo)


def _draw_photo(axes: Axes, left: float, top: float, photo: Photo) -> None:
    right, bottom = left + _TILE, top + _TILE
    axes.imshow(
        photo.image, extent=(left, right, bottom, top), interpolation="lanczos", aspect="auto"
    )
    colour = INK if photo.is_right is None else GOOD if photo.is_right else BAD
    edge = GRID if photo.is_right is None else colour
    axes.add_patch(Rectangle((left, top), _TILE, _TILE, fill=False, edgecolor=edge, linewidth=1.2))
    if photo.box is not None:
        _draw_box(axes, left, top, photo)
    if photo.is_right is not None:
        _draw_mark(axes, right - 0.075, top + 0.075, photo.is_right)
    for line, text, ink in ((0, photo.caption, colour), (1, photo.remark, MUTED)):
        place = ((left + right) / 2, bottom + 0.115 + 0.115 * line)
        words = short_name(text, _LETTERS)
        axes.text(*place, words, fontsize=6.5, ha="center", va="baseline", color=ink)


def _draw_box(axes: Axes, left: float, top: float, photo: Photo) -> None:
    height, width = photo.image.shape[:2]
    x0, y0, x1, y1 = photo.box or (0, 0, width, height)
    corner = (left + _TILE * x0 / width, top + _TILE * y0 / height)
    size = (_TILE * (x1 - x0) / width, _TILE * (y1 - y0) / height)
    # Dark below light, so that it is seen on any picture.
    for colour, thickness in ((INK, 1.6), ("white", 0.7)):
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=thickness))


def _draw_mark(axes: Axes, x: float, y: float, is_right: bool) -> None:
    # A tick or a cross, drawn: colour alone does not tell everyone, and not every font has the signs.
    axes.add_patch(Circle((x, y), 0.066, facecolor=GOOD if is_right else BAD, edgecolor="white"))
    looks = {"color": "white", "linewidth": 1.1}
    if is_right:
        axes.plot([x - 0.032, x - 0.008, x + 0.034], [y + 0.002, y + 0.028, y - 0.028], **looks)
    else:
        for slope in (1, -1):
            axes.plot([x - 0.026, x + 0.026], [y - 0.026 * slope, y + 0.026 * slope], **looks)
