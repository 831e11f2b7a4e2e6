from __future__ import annotations

from math import nan

import pytest

from lilliput.reproduce.evidence import (
    BEATEN,
    MET,
    MISSED,
    NOT_TESTED,
    UNDECIDED,
    against,
    between,
    direction,
    points,
    points_between,
    share,
)


@pytest.mark.parametrize(
    ("interval", "counts", "verdict"),
    [
        ((0.40, 0.42), True, BEATEN),
        ((0.40, 0.42), False, NOT_TESTED),
        ((0.38, 0.40), True, MET),
        ((0.30, 0.32), True, MISSED),
        ((0.30, 0.32), False, NOT_TESTED),
    ],
)
def test_a_share_against_the_papers(
    interval: tuple[float, float], counts: bool, verdict: str
) -> None:
    assert against(0.393, interval, counts=counts) == verdict


@pytest.mark.parametrize(
    ("interval", "counts", "verdict"),
    [
        ((0.01, 0.03), True, MET),
        ((0.01, 0.03), False, NOT_TESTED),
        ((-0.01, 0.03), False, NOT_TESTED),
        ((-0.01, 0.03), True, UNDECIDED),
        ((-0.03, -0.01), True, MISSED),
        ((-0.03, -0.01), False, NOT_TESTED),
        ((0.01, 0.01), True, UNDECIDED),
        ((nan, nan), True, NOT_TESTED),
    ],
)
def test_whether_something_helps(interval: tuple[float, float], counts: bool, verdict: str) -> None:
    assert direction(interval, counts=counts) == verdict


def test_numbers_as_the_page_writes_them() -> None:
    assert share(0.393) == "39.3 %"
    assert share(nan) == "\N{EN DASH}"
    assert between((0.38, 0.401)) == "38.0 to 40.1 %"
    assert between((nan, nan)) == points_between((nan, nan)) == ""
    assert points(0.005) == "+0.50 points"
    assert points(-0.0) == "+0.00 points"
    assert points_between((-0.01, 0.02)) == "-1.00 to +2.00"
