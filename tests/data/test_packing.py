from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lilliput.data.packing import fit_box
from lilliput.data.sources.source import NO_BOX

SIDE = st.integers(1, 300)


@st.composite
def boxed(draw: st.DrawFn) -> tuple[tuple[int, int, int, int], int, int]:
    width, height = draw(SIDE), draw(SIDE)
    x = sorted(draw(st.tuples(st.integers(0, width - 1), st.integers(0, width - 1))))
    y = sorted(draw(st.tuples(st.integers(0, height - 1), st.integers(0, height - 1))))
    return (x[0], y[0], x[1], y[1]), width, height


@given(boxed(), SIDE)
def test_boxes_stay_inside_and_ordered(case: tuple, size: int) -> None:
    box, width, height = case
    x0, y0, x1, y1 = found = fit_box(box, width, height, size)
    assert found == NO_BOX or (0 <= x0 <= x1 < size and 0 <= y0 <= y1 < size)


@given(boxed())
def test_boxes_of_pictures_of_the_right_size_stay(case: tuple) -> None:
    box, width, _ = case
    inside = (box[0], min(box[1], width - 1), box[2], min(box[3], width - 1))
    assert fit_box(inside, width, width, width) == inside


@given(SIDE, SIDE, SIDE)
def test_the_whole_picture_stays_the_whole_picture(width: int, height: int, size: int) -> None:
    box = (0, 0, width - 1, height - 1)
    assert fit_box(box, width, height, size) == (0, 0, size - 1, size - 1)


def test_boxes_follow_cut_and_scale() -> None:
    assert fit_box((50, 0, 99, 49), 200, 100, 50) == (0, 0, 24, 24)
    assert fit_box((0, 0, 49, 99), 200, 100, 50) == NO_BOX  # cut away
    assert fit_box((40, 10, 60, 20), 200, 100, 100) == (0, 10, 10, 20)
    assert fit_box((3, 3, 3, 3), 32, 32, 64) == (6, 6, 7, 7)
    assert fit_box(NO_BOX, 32, 32, 64) == NO_BOX
