"""What figures share: labels that do not overlap, names that fit, drawings that stand in any page."""

from __future__ import annotations

import re
from itertools import pairwise

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.analysis.style import (
    INK,
    figure_style,
    new_axes,
    percent,
    short_name,
    spread,
    to_inline_svg,
    to_png,
)


@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(1, 50)), min_size=1, max_size=8))
def test_labels_keep_their_order_and_their_room(labels: list[tuple[float, float]]):
    wanted = sorted(place for place, _ in labels)
    room = [size for _, size in labels]
    places = spread(wanted, room)
    for (a, b), (room_a, room_b) in zip(pairwise(places), pairwise(room), strict=True):
        assert b - a >= (room_a + room_b) / 2 - 1e-6


def test_labels_with_room_stay_where_they_are():
    assert spread([0, 20, 40], [10, 10, 10]) == [0, 20, 40]
    assert spread([5, 5], [10, 10]) == [0, 10]


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("school bus", "school bus"),
        ("brown bear, bruin, Ursus arctos", "brown bear"),
        ("two\nlines\tand\x00more", "two lines and more"),
        ("x" * 40, "x" * 23 + "\N{HORIZONTAL ELLIPSIS}"),
        ("\udcff!", "!"),
        ("", ""),
    ],
)
def test_short_names(name: str, short: str):
    assert short_name(name) == short


def test_percent():
    assert percent(0.2384) == "23.8 %"
    assert percent(float("nan")) == "\N{EN DASH}"


def test_style_leaves_no_trace():
    before = dict(mpl.rcParams)
    with figure_style():
        new_axes(3)
    assert dict(mpl.rcParams) == before


HOSTILE = '<script>alert(1)</script> $x_{ style="fill: #1b1f24" id="a" \N{SNOWMAN} 猫'


def hostile_svg(key: str) -> str:
    with figure_style():
        figure, axes = new_axes(3)
        axes.plot([0, 1], [0, 1], color=INK)
        axes.set_title(HOSTILE)
        return to_inline_svg(figure, HOSTILE, key)


def test_inline_svg_is_inert():
    svg = hostile_svg("a")
    assert "<script" not in svg
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x_{" in svg
    assert "<?xml" not in svg
    assert "://" not in svg
    assert 'style="fill: #1b1f24" id="a"' in svg.replace("&quot;", '"')


def test_inline_svg_takes_the_colours_of_the_page():
    assert "stroke: var(--ink)" in hostile_svg("a")


def test_ids_differ_between_figures():
    def ids(svg: str) -> set[str]:
        tags = re.findall(r"<[^<>]+>", svg)
        return {name for tag in tags for name in re.findall(r'\sid="([^"]+)"', tag)}

    assert ids(hostile_svg("a"))
    assert not ids(hostile_svg("a")) & ids(hostile_svg("b"))
    for name in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', hostile_svg("a")):
        assert "".join(name) in ids(hostile_svg("a"))


def test_png_of_a_script_without_a_font_gives_no_warning():
    with figure_style():
        figure, axes = new_axes(3)
        axes.set_title(HOSTILE)
        assert to_png(figure).startswith(b"\x89PNG")
