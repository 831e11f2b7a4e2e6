"""Things that belong to no class and stand about: the 'other prominent subjects' of Paper §5.3."""

from __future__ import annotations

import math
from collections.abc import Callable

from lilliput.data.toy.pen import Pen, chance, hsv, pick, tint, vary


def bowl(pen: Pen) -> None:
    """A bowl with something in it."""
    random = pen.random
    glaze = hsv(random.random(), random.uniform(0.1, 0.7), random.uniform(0.5, 0.95))
    pen.sector(0, -0.1, 0.95, 0.8, (0, 180), glaze)
    pen.box(-0.35, 0.58, 0.35, 0.74, tint(glaze, -0.3))
    pen.ellipse(0, -0.1, 0.95, 0.26, tint(glaze, 0.25))
    soup = pick(
        random, ((190, 70, 40), (230, 200, 120), (110, 140, 70), (240, 235, 225), (120, 75, 50))
    )
    pen.ellipse(0, -0.08, 0.82, 0.19, soup)


def plate(pen: Pen) -> None:
    """A plate from above."""
    rim = vary(pen.random, pick(pen.random, ((245, 243, 238), (180, 205, 220), (225, 190, 160))))
    pen.ellipse(0, 0, 0.96, 0.96, rim)
    pen.ellipse(0, 0, 0.9, 0.9, tint(rim, 0.3))
    pen.ellipse(0, 0, 0.66, 0.66, tint(rim, -0.12))
    pen.ellipse(0, 0, 0.62, 0.62, rim)


def pot(pen: Pen) -> None:
    """A cooking pot."""
    metal = vary(
        pen.random, pick(pen.random, ((150, 155, 160), (70, 72, 78), (190, 60, 45), (50, 90, 110)))
    )
    pen.stroke([(-0.98, -0.2), (0.98, -0.2)], 0.12, tint(metal, -0.4))
    pen.box(-0.78, -0.42, 0.78, 0.72, metal, 0.1)
    pen.ellipse(0, -0.42, 0.78, 0.2, tint(metal, 0.3))
    pen.ellipse(0, -0.4, 0.68, 0.15, tint(metal, -0.5))
    pen.polygon([(-0.55, -0.2), (-0.4, -0.2), (-0.4, 0.66), (-0.55, 0.66)], tint(metal, 0.35))


def cup(pen: Pen) -> None:
    """A cup."""
    glaze = hsv(pen.random.random(), pen.random.uniform(0.1, 0.7), pen.random.uniform(0.6, 0.95))
    pen.stroke(
        [(0.45, -0.3), (0.9, -0.25), (0.85, 0.3), (0.4, 0.35)], 0.14, tint(glaze, -0.2), curved=True
    )
    pen.polygon([(-0.6, -0.55), (0.6, -0.55), (0.46, 0.7), (-0.46, 0.7)], glaze)
    pen.ellipse(0, -0.55, 0.6, 0.16, tint(glaze, 0.3))
    pen.ellipse(0, -0.53, 0.5, 0.11, (92, 58, 40))


def apple(pen: Pen) -> None:
    """An apple, or an orange, or a plum."""
    skin = vary(
        pen.random, pick(pen.random, ((200, 40, 40), (130, 170, 60), (240, 140, 40), (110, 50, 90)))
    )
    pen.ellipse(0, 0.05, 0.75, 0.7, skin)
    pen.ellipse(-0.28, -0.22, 0.18, 0.12, tint(skin, 0.5), turn=-0.6)
    pen.stroke([(0, -0.6), (0.1, -0.85)], 0.08, (90, 60, 40))


def pebble(pen: Pen) -> None:
    """A stone."""
    stone = vary(pen.random, (145, 140, 132))
    pen.blob([(-0.8, 0.2), (-0.4, -0.5), (0.4, -0.6), (0.85, 0.0), (0.5, 0.55), (-0.4, 0.6)], stone)
    pen.ellipse(-0.15, -0.3, 0.3, 0.12, tint(stone, 0.4), turn=-0.2)


def flower(pen: Pen) -> None:
    """A flower on its stalk."""
    petal = hsv(pen.random.random(), pen.random.uniform(0.3, 0.8), 0.92)
    pen.stroke([(0, 0), (0.06, 0.5), (0, 0.97)], 0.08, (70, 130, 60), curved=True)
    pen.ellipse(0.22, 0.6, 0.22, 0.09, (80, 140, 65), turn=-0.5)
    for part in range(6):
        angle = part * math.tau / 6
        pen.ellipse(0.32 * math.cos(angle), -0.45 + 0.32 * math.sin(angle), 0.22, 0.22, petal)
    pen.ellipse(0, -0.45, 0.18, 0.18, (240, 190, 50))


def ball(pen: Pen) -> None:
    """A striped ball."""
    first = hsv(pen.random.random(), 0.75, 0.9)
    pen.ellipse(0, 0, 0.85, 0.85, first)
    pen.ellipse(0, 0, 0.45, 0.85, (248, 244, 236))
    if chance(pen.random, 0.5):
        pen.ellipse(0, 0, 0.16, 0.85, first)


def bush(pen: Pen) -> None:
    """A round bush or the top of a tree."""
    leaf = vary(pen.random, (60, 118, 58), 0.12)
    pen.stroke([(0, 0.3), (0, 0.97)], 0.2, (96, 68, 46))
    for x, y, size in ((-0.4, 0.15, 0.5), (0.4, 0.15, 0.5), (0, -0.3, 0.62), (-0.25, -0.2, 0.4)):
        pen.ellipse(x, y, size, size, tint(leaf, pen.random.uniform(-0.15, 0.15)))


def bird(pen: Pen) -> None:
    """A bird far off."""
    ink = pick(pen.random, ((50, 50, 58), (245, 245, 245)))
    pen.stroke(
        [(-0.95, -0.3), (-0.4, -0.42), (0, 0.1), (0.4, -0.42), (0.95, -0.3)], 0.2, ink, curved=True
    )


ON_THE_TABLE: tuple[Callable[[Pen], None], ...] = (bowl, pot, cup, apple, plate)
OUT_OF_DOORS: tuple[Callable[[Pen], None], ...] = (bush, flower, pebble, ball)
IN_THE_AIR: tuple[Callable[[Pen], None], ...] = (bird,)
IN_THE_SAND: tuple[Callable[[Pen], None], ...] = (pebble, ball)
