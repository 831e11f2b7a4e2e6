"""The contact sheet: as wide as it needs to be, every text inside, and a word about what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from lilliput.analysis.sheet import (
    LEAST_COLUMNS,
    MOST,
    MOST_COLUMNS,
    Contact,
    draw_sheet,
    write_sheet,
)
from lilliput.analysis.style import figure_style

NAMES = ("ant", "W" * 40, "$x$ <b>", "suspension bridge, of any kind", "\x1b[31m\n")


def contacts(count: int) -> list[Contact]:
    image = np.zeros((8, 8, 3), np.uint8)
    return [Contact(image, NAMES[i % 5], i / count, f"{i}\n\udcff,{'x' * i}") for i in range(count)]


@pytest.mark.parametrize(("count", "columns"), [(1, 4), (16, 4), (17, 5), (64, 8)])
def test_it_is_about_square(count: int, columns: int) -> None:
    with figure_style():
        figure = draw_sheet(contacts(count), "What it sees")
    assert figure is not None
    assert len(figure.axes[0].images) == count
    lefts = {image.get_extent()[0] for image in figure.axes[0].images}
    assert len(lefts) == min(count, columns)
    assert LEAST_COLUMNS <= columns <= MOST_COLUMNS


def test_every_text_stays_inside_and_clear_of_its_neighbour() -> None:
    with figure_style():
        figure = draw_sheet(contacts(20), "What " + "a-long-name-" * 20 + " sees", 1234567)
        assert figure is not None
        texts = [one for one in figure.findobj(Text) if one.get_text()]
        boxes = [one.get_window_extent() for one in texts]
    width, height = figure.bbox.width, figure.bbox.height
    assert all(box.x0 >= 0 and box.x1 <= width and 0 <= box.y0 < box.y1 <= height for box in boxes)
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    crossing = [(a, b) for a, b in pairs if a.x0 < b.x1 - 1 and b.x0 < a.x1 - 1 and a.overlaps(b)]
    assert all(min(a.y1, b.y1) - max(a.y0, b.y0) < 8 for a, b in crossing)  # descenders may touch


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    with figure_style():
        figure = draw_sheet(contacts(3), "", 1234)
        assert draw_sheet([], "nothing") is None
    assert figure is not None
    assert any("1,234 more pictures" in one.get_text() for one in figure.findobj(Text))
    write_sheet(tmp_path / "sheet.png", contacts(MOST + 1), "What it sees")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 1500
