"""Things out of doors: school bus, sailboat, starfish, goldfish, lighthouse, hot-air balloon, umbrella."""

from __future__ import annotations

import math
from itertools import pairwise

from lilliput.data.toy.pen import Colour, Pen, chance, hsv, pick, tint, vary

_INK: Colour = (34, 32, 36)
_GLASS: Colour = (62, 84, 104)


def school_bus(pen: Pen) -> None:
    """Paper §5.3: 'a shade of yellow', large, 'usually rectangular'. The easy class."""
    random = pen.random
    yellow = vary(random, (246, 186, 28), 0.05)
    if chance(random, 0.3):
        _bus_front(pen, yellow)
        return
    pen.move(0, 0.34)
    dark = tint(yellow, -0.2)
    pen.box(-0.99, 0.24, 0.99, 0.42, _INK, 0.05)
    pen.box(-0.98, -0.58, 0.7, 0.36, yellow, 0.1)
    pen.box(0.55, -0.06, 0.98, 0.36, yellow, 0.09)
    pen.box(-0.9, -0.58, 0.62, -0.5, tint(yellow, 0.4), 0.04)
    windows = int(random.integers(4, 7))
    step = 1.3 / windows
    for number in range(windows):
        left = -0.9 + number * step
        pen.box(left, -0.42, left + step * 0.82, -0.1, _GLASS, 0.03)
        pen.polygon(
            [
                (left + 0.02, -0.24),
                (left + step * 0.4, -0.42),
                (left + step * 0.6, -0.42),
                (left + 0.02, -0.14),
            ],
            tint(_GLASS, 0.4),
        )
    pen.polygon([(0.45, -0.42), (0.6, -0.42), (0.68, -0.08), (0.45, -0.08)], tint(_GLASS, 0.15))
    for y in (0.02, 0.16):
        pen.stroke([(-0.96, y), (0.66, y)], 0.04, _INK)
    pen.polygon([(0.72, 0.02), (0.96, 0.06), (0.96, 0.1), (0.72, 0.06)], dark)
    pen.ellipse(0.93, 0.18, 0.05, 0.07, (255, 248, 210))
    pen.ellipse(-0.96, 0.12, 0.03, 0.05, (220, 40, 30))
    if chance(random, 0.5):
        pen.ellipse(0.36, 0.09, 0.1, 0.1, (215, 35, 35))
    for x in (-0.56, 0.6):
        pen.sector(x, 0.38, 0.26, 0.28, (180, 360), dark)
        pen.ellipse(x, 0.42, 0.2, 0.2, _INK)
        pen.ellipse(x, 0.42, 0.09, 0.09, (170, 170, 172))


def _bus_front(pen: Pen, yellow: Colour) -> None:
    for x in (-0.6, 0.6):
        pen.box(x - 0.16, 0.5, x + 0.16, 0.94, _INK, 0.06)
    pen.box(-0.82, -0.92, 0.82, 0.72, yellow, 0.18)
    pen.box(-0.56, -0.86, 0.56, -0.68, _INK, 0.05)
    for x in (-0.68, 0.68):
        pen.ellipse(x, -0.76, 0.08, 0.08, (225, 60, 35))
    for left in (-0.7, 0.04):
        pen.box(left, -0.58, left + 0.66, -0.02, _GLASS, 0.06)
        pen.polygon(
            [(left + 0.1, -0.08), (left + 0.4, -0.54), (left + 0.54, -0.54), (left + 0.24, -0.08)],
            tint(_GLASS, 0.4),
        )
    pen.box(-0.4, 0.14, 0.4, 0.5, (60, 60, 62), 0.05)
    for y in (0.22, 0.32, 0.42):
        pen.stroke([(-0.36, y), (0.36, y)], 0.03, (150, 150, 150))
    for x in (-0.6, 0.6):
        pen.ellipse(x, 0.32, 0.13, 0.13, (255, 250, 220))
        pen.ellipse(x, 0.32, 0.06, 0.06, (225, 225, 200))
    pen.box(-0.88, 0.6, 0.88, 0.78, _INK, 0.06)


def sailboat(pen: Pen) -> None:
    """Two sails and a hull."""
    random = pen.random
    hull = vary(
        random,
        pick(random, ((150, 85, 50), (245, 245, 240), (40, 70, 130), (185, 45, 45), (60, 60, 66))),
    )
    sail = pick(
        random, ((250, 248, 240), (250, 248, 240), (245, 215, 160), hsv(random.random(), 0.7, 0.85))
    )
    mast = random.uniform(-0.12, 0.12)
    pen.stroke([(mast, 0.5), (mast, -0.97)], 0.05, (100, 70, 45))
    reach = random.uniform(0.5, 0.8)
    main = [
        (mast + 0.05, -0.9),
        (mast + 0.4 * reach, -0.3),
        (mast + reach, 0.36),
        (mast + 0.05, 0.36),
    ]
    pen.polygon(main, sail)
    if chance(random, 0.4):
        band = hsv(random.random(), 0.75, 0.8)
        pen.polygon(
            [
                (mast + 0.05, -0.2),
                (mast + 0.46 * reach, -0.2),
                (mast + 0.64 * reach, 0.05),
                (mast + 0.05, 0.05),
            ],
            band,
        )
    pen.polygon(
        [
            (mast - 0.05, -0.78),
            (mast - 0.05, 0.36),
            (mast - reach * 0.85, 0.36),
            (mast - reach * 0.4, -0.1),
        ],
        tint(sail, -0.12),
    )
    pen.polygon([(-0.92, 0.46), (0.95, 0.42), (0.62, 0.86), (-0.66, 0.86)], hull)
    pen.polygon([(-0.92, 0.46), (0.95, 0.42), (0.9, 0.52), (-0.85, 0.55)], tint(hull, 0.45))
    if chance(random, 0.4):
        pen.polygon([(mast, -0.97), (mast + 0.25, -0.9), (mast, -0.84)], (215, 50, 50))


def starfish(pen: Pen) -> None:
    """Five arms, thick or thin."""
    random = pen.random
    skin = vary(
        random,
        pick(
            random,
            (
                (232, 120, 52),
                (222, 92, 92),
                (200, 150, 95),
                (150, 90, 150),
                (235, 160, 80),
                (70, 110, 170),
            ),
        ),
    )
    waist = random.uniform(0.3, 0.46)
    outline = []
    for arm in range(5):
        angle = arm * math.tau / 5 - math.pi / 2
        reach = random.uniform(0.86, 1.0)
        bend = random.uniform(-0.12, 0.12)
        for offset, radius in ((-0.14, reach * 0.9), (0.14, reach * 0.9), (math.pi / 5, waist)):
            turned = angle + offset + (bend if radius > waist else 0)
            outline.append((radius * math.cos(turned), radius * math.sin(turned)))
    pen.blob(outline, skin)
    pen.blob([(x * 0.72, y * 0.72) for x, y in outline], tint(skin, 0.14))
    for arm in range(5):
        angle = arm * math.tau / 5 - math.pi / 2
        for radius in (0.22, 0.4, 0.56, 0.7):
            size = 0.075 - 0.055 * radius
            pen.ellipse(
                radius * math.cos(angle), radius * math.sin(angle), size, size, tint(skin, 0.6)
            )


def goldfish(pen: Pen) -> None:
    """Orange as a rule; a few are white or dark."""
    random = pen.random
    scale = vary(
        random,
        pick(
            random,
            (
                (246, 128, 24),
                (246, 128, 24),
                (240, 90, 40),
                (250, 165, 60),
                (240, 225, 210),
                (70, 60, 62),
            ),
        ),
    )
    fin = tint(scale, 0.25)
    spread = random.uniform(0.42, 0.68)
    pen.blob(
        [
            (0.42, 0.0),
            (0.7, -spread),
            (0.98, -spread * 0.9),
            (0.8, 0.0),
            (0.98, spread),
            (0.7, spread),
        ],
        fin,
    )
    for y in (-0.5, -0.2, 0.2, 0.5):
        pen.stroke([(0.5, y * 0.2), (0.88, y * spread * 1.6)], 0.025, tint(scale, -0.1))
    pen.blob([(-0.4, -0.3), (-0.1, -0.74), (0.3, -0.6), (0.35, -0.2)], fin)
    pen.blob([(-0.15, 0.3), (0.0, 0.66), (0.22, 0.6), (0.2, 0.2)], fin)
    plump = random.uniform(0.4, 0.52)
    pen.blob(
        [
            (-0.95, 0.02),
            (-0.7, -plump * 0.72),
            (-0.25, -plump),
            (0.25, -plump * 0.6),
            (0.58, -0.06),
            (0.58, 0.08),
            (0.25, plump * 0.6),
            (-0.25, plump),
            (-0.7, plump * 0.72),
        ],
        scale,
    )
    pen.ellipse(-0.25, plump * 0.5, 0.4, plump * 0.35, tint(scale, 0.35))
    for x, y in ((-0.1, -0.12), (0.14, -0.12), (0.02, 0.06), (0.26, 0.06), (-0.22, 0.06)):
        pen.ellipse(x, y, 0.07, 0.06, tint(scale, -0.16))
    pen.ellipse(-0.62, -0.1, 0.12, 0.12, (250, 250, 245))
    pen.ellipse(-0.64, -0.1, 0.065, 0.065, _INK)
    pen.stroke([(-0.92, 0.1), (-0.8, 0.13)], 0.035, tint(scale, -0.5))


def lighthouse(pen: Pen) -> None:
    """A striped tower with a light on top: the candle's big cousin."""
    random = pen.random
    stripe = vary(random, pick(random, ((200, 45, 42), (200, 45, 42), (45, 70, 125), (50, 50, 54))))
    white = (246, 243, 236)
    foot, head, top = random.uniform(0.3, 0.4), random.uniform(0.19, 0.24), -0.42
    bands = int(random.integers(3, 6))
    for number in range(bands):
        upper, lower = (top + (0.94 - top) * part / bands for part in (number, number + 1))
        wide = [head + (foot - head) * (y - top) / (0.94 - top) for y in (upper, lower)]
        colour = stripe if number % 2 == 0 else white
        pen.polygon(
            [(-wide[0], upper), (wide[0], upper), (wide[1], lower), (-wide[1], lower)], colour
        )
        pen.polygon(
            [(wide[0] * 0.4, upper), (wide[0], upper), (wide[1], lower), (wide[1] * 0.4, lower)],
            tint(colour, -0.2),
        )
    pen.box(-0.07, 0.68, 0.07, 0.94, _INK, 0.03)
    for y in (-0.1, 0.3):
        pen.box(-0.06, y, 0.03, y + 0.13, _GLASS)
    pen.box(-0.3, top - 0.05, 0.3, top + 0.04, _INK)
    pen.box(-0.17, -0.74, 0.17, top - 0.05, (255, 238, 160))
    for x in (-0.17, 0.0, 0.17):
        pen.stroke([(x, -0.74), (x, top - 0.05)], 0.035, _INK)
    pen.polygon([(-0.24, -0.72), (0.24, -0.72), (0.0, -0.97)], stripe)
    if chance(random, 0.6):
        pen.glow(0, -0.6, random.uniform(0.4, 0.8), (255, 225, 140))


def hot_air_balloon(pen: Pen) -> None:
    """Gores in two or three colours over a basket."""
    random = pen.random
    first = hsv(random.random(), random.uniform(0.6, 0.9), random.uniform(0.7, 0.95))
    second = pick(random, ((250, 240, 215), (250, 200, 60), hsv(random.random(), 0.75, 0.85)))
    third = pick(random, (first, second, hsv(random.random(), 0.7, 0.9)))
    side = ((0.0, -0.98), (0.42, -0.9), (0.7, -0.58), (0.72, -0.25), (0.5, 0.12), (0.22, 0.46))

    def gore(share: float) -> list[tuple[float, float]]:
        return [(x * share, y) for x, y in side]

    edges = (-1.0, -0.78, -0.36, 0.12, 0.56, 0.88, 1.0)
    for number, (left, right) in enumerate(pairwise(edges)):
        colour = (first, second, third, second)[number % 4]
        pen.polygon(gore(left) + gore(right)[::-1], tint(colour, -0.05 * number))
    if chance(random, 0.35):
        pen.polygon([(-0.72, -0.36), (0.72, -0.36), (0.67, -0.16), (-0.67, -0.16)], third)
    for x in (-0.13, 0.13):
        pen.stroke([(x * 1.5, 0.44), (x, 0.74)], 0.025, (70, 55, 45))
    pen.box(-0.16, 0.72, 0.16, 0.97, vary(random, (150, 100, 58)), 0.04)
    pen.stroke([(-0.16, 0.75), (0.16, 0.75)], 0.05, (100, 66, 40))


def umbrella(pen: Pen) -> None:
    """Open, in any colour, plain or in two colours."""
    random = pen.random
    cloth = hsv(random.random(), random.uniform(0.5, 0.9), random.uniform(0.55, 0.95))
    second = pick(
        random, (cloth, tint(cloth, 0.35), (245, 240, 230), hsv(random.random(), 0.7, 0.8))
    )
    wood = pick(random, ((92, 58, 36), (40, 40, 46), (160, 120, 80)))
    pen.stroke([(0, -0.9), (0, 0.72)], 0.07, wood)
    hook = [(0, 0.7), (0.02, 0.86), (0.13, 0.94), (0.25, 0.86), (0.27, 0.74)]
    pen.stroke(hook, 0.08, tint(wood, 0.15), curved=True)
    rim = 0.08
    edges = [-0.98, -0.62, -0.2, 0.2, 0.62, 0.98]
    pen.sector(0, rim, 0.98, 0.92, (180, 360), cloth)
    for number, (left, right) in enumerate(pairwise(edges)):
        shade = (tint(cloth, 0.1), second, tint(cloth, 0.05), second, tint(cloth, -0.18))[number]
        middle = (left + right) / 2
        sweep = [(left, rim), (left * 0.93, -0.3), (left * 0.55, -0.68), (0, -0.84)]
        back = [(right * 0.55, -0.68), (right * 0.93, -0.3), (right, rim), (middle, rim - 0.13)]
        pen.polygon(sweep + back, shade)
    pen.stroke([(0, -0.8), (0, -0.96)], 0.05, wood)
