"""Things of the house: wooden spoon, lemon, teapot, candle, ice cream."""

from __future__ import annotations

import math

from lilliput.data.toy.pen import Colour, Pen, chance, hsv, pick, tint, vary

_WOODS: tuple[Colour, ...] = (
    (222, 184, 135),
    (196, 149, 96),
    (160, 105, 60),
    (115, 70, 42),
    (235, 207, 160),
    (178, 110, 80),
)
_SCOOPS: tuple[Colour, ...] = (
    (250, 235, 205),
    (240, 150, 175),
    (110, 66, 45),
    (165, 215, 165),
    (245, 200, 110),
    (190, 150, 215),
)


def wooden_spoon(pen: Pen) -> None:
    """Paper §5.3: 'the shapes of the spoon in each picture vary greatly'. So do its wood and its company."""
    random = pen.random
    wood = vary(random, pick(random, _WOODS), 0.1)
    dark, light = tint(wood, -0.3), tint(wood, 0.25)
    thin = random.uniform(0.07, 0.12)
    pen.stroke([(0, -0.3), (0, 0.94)], thin * 1.3, dark)
    pen.stroke([(0, -0.3), (0, 0.94)], thin, wood)
    if chance(random, 0.25):
        paint = hsv(random.random(), 0.65, 0.8)
        pen.stroke([(0, 0.4), (0, 0.94)], thin * 1.3, paint)
    broad = random.uniform(0.24, 0.36)
    form = pick(random, ("spoon", "spoon", "round", "spatula", "slotted", "scoop"))
    if form in ("spatula", "slotted"):
        outline = [
            (-0.1, -0.2),
            (-broad, -0.5),
            (-broad, -0.9),
            (0, -0.98),
            (broad, -0.9),
            (broad, -0.5),
            (0.1, -0.2),
        ]
        pen.blob(outline, wood)
        for x in (-0.13, 0.0, 0.13) if form == "slotted" else ():
            pen.stroke([(x, -0.78), (x, -0.48)], 0.055, tint(wood, -0.6))
        return
    tall = {"spoon": 0.38, "round": broad, "scoop": 0.3}[form]
    top = -0.3 - tall
    pen.ellipse(0, top, broad, tall, wood)
    pen.ellipse(0.02, top + 0.02, broad * 0.76, tall * 0.78, dark)
    pen.ellipse(0.05, top + 0.08, broad * 0.6, tall * 0.58, tint(wood, -0.12))
    pen.ellipse(-broad * 0.3, top - tall * 0.4, broad * 0.16, tall * 0.2, light)


def lemon(pen: Pen) -> None:
    """Whole, with a leaf now and then, or cut open."""
    random = pen.random
    skin = vary(random, (250, 214, 38), 0.06)
    if chance(random, 0.3):
        _lemon_slice(pen, skin)
        return
    if chance(random, 0.5):
        leaf = vary(random, (70, 130, 50))
        pen.blob([(0.6, -0.2), (0.75, -0.62), (0.3, -0.85), (0.3, -0.5)], leaf)
        pen.stroke([(0.6, -0.3), (0.4, -0.72)], 0.03, tint(leaf, 0.3))
    plump = random.uniform(0.52, 0.66)
    pen.blob(
        [
            (-0.98, 0.02),
            (-0.76, -0.26),
            (-0.3, -plump),
            (0.3, -plump),
            (0.74, -0.26),
            (0.95, -0.04),
            (0.95, 0.1),
            (0.74, 0.3),
            (0.3, plump),
            (-0.3, plump),
            (-0.76, 0.28),
        ],
        skin,
    )
    pen.ellipse(0.1, 0.2, 0.62, plump * 0.6, tint(skin, -0.06))
    pen.ellipse(-0.25, -plump * 0.5, 0.32, 0.13, tint(skin, 0.55), turn=-0.25)
    pen.ellipse(0.93, 0.03, 0.05, 0.07, tint(skin, -0.35))


def _lemon_slice(pen: Pen, skin: Colour) -> None:
    pen.ellipse(0, 0, 0.82, 0.82, skin)
    pen.ellipse(0, 0, 0.73, 0.73, (252, 246, 215))
    for part in range(8):
        angle = part * math.pi / 4 + 0.2
        wedge = [(0.1, angle), (0.64, angle - 0.29), (0.68, angle), (0.64, angle + 0.29)]
        pen.polygon([(r * math.cos(a), r * math.sin(a)) for r, a in wedge], (250, 226, 90))
    pen.ellipse(-0.28, -0.3, 0.16, 0.09, (255, 250, 200), turn=-0.7)


def teapot(pen: Pen) -> None:
    """Round, with a short bent spout; any glaze."""
    random = pen.random
    glaze = hsv(random.random(), random.uniform(0.15, 0.75), random.uniform(0.5, 0.97))
    pen.move(0, 0.2)
    trim = pick(random, (tint(glaze, -0.4), tint(glaze, 0.5), (250, 245, 230), (190, 150, 70)))
    handle = [(0.48, -0.28), (0.78, -0.4), (0.95, -0.12), (0.84, 0.22), (0.5, 0.38)]
    pen.stroke(handle, 0.13, tint(glaze, -0.18), curved=True)
    pen.polygon(
        [
            (-0.4, 0.38),
            (-0.72, 0.12),
            (-0.84, -0.3),
            (-0.98, -0.36),
            (-0.92, -0.46),
            (-0.7, -0.36),
            (-0.58, -0.08),
            (-0.38, -0.05),
        ],
        tint(glaze, -0.1),
    )
    tall = random.uniform(0.5, 0.64)
    pen.box(-0.36, tall - 0.06, 0.36, tall + 0.14, tint(glaze, -0.3), 0.05)
    pen.ellipse(0, 0.08, 0.62, tall, glaze)
    if chance(random, 0.6):
        pen.sector(0, 0.08, 0.62, tall, (-8, 8), trim)
        pen.polygon([(-0.62, 0.0), (0.62, 0.0), (0.62, 0.16), (-0.62, 0.16)], trim)
    else:
        for x, y in ((-0.3, 0.1), (0.02, 0.2), (0.33, 0.1), (-0.14, -0.16), (0.18, -0.16)):
            pen.ellipse(x, y, 0.075, 0.075, trim)
    pen.ellipse(0, -tall * 0.76, 0.36, 0.13, tint(glaze, -0.28))
    pen.sector(0, -tall * 0.76, 0.33, 0.2, (180, 360), tint(glaze, 0.12))
    pen.ellipse(0, -tall * 0.76 - 0.25, 0.09, 0.09, trim)
    pen.ellipse(-0.28, -0.2, 0.12, 0.2, tint(glaze, 0.6), turn=0.5)


def candle(pen: Pen) -> None:
    """A flame that shines; stout or slim, on a dish or without."""
    random = pen.random
    wax = vary(
        random,
        pick(
            random,
            (
                (246, 238, 215),
                (190, 45, 45),
                (240, 205, 150),
                (110, 140, 110),
                (125, 110, 165),
                (235, 170, 160),
            ),
        ),
    )
    half = random.uniform(0.13, 0.34)
    top = random.uniform(-0.42, -0.1)
    if chance(random, 0.6):
        dish = vary(
            random, pick(random, ((180, 140, 60), (95, 95, 105), (210, 205, 195), (120, 75, 50)))
        )
        pen.ellipse(0, 0.88, 0.62, 0.12, dish)
        pen.ellipse(0, 0.85, 0.5, 0.08, tint(dish, -0.35))
    pen.box(-half, top, half, 0.88, wax, 0.04)
    pen.polygon(
        [(half * 0.35, top), (half, top), (half, 0.86), (half * 0.5, 0.88)], tint(wax, -0.2)
    )
    pen.ellipse(0, top, half, 0.07, tint(wax, 0.45))
    for x in random.uniform(-0.85, 0.85, int(random.integers(1, 4))):
        pen.stroke(
            [(x * half, top + 0.03), (x * half, top + random.uniform(0.15, 0.5))],
            0.07,
            tint(wax, 0.25),
        )
    pen.stroke([(0, top), (0, top - 0.12)], 0.035, (50, 40, 35))
    lean, tall = random.uniform(-0.08, 0.08), random.uniform(0.38, 0.54)
    for size, colour in ((1.0, (250, 140, 30)), (0.72, (255, 205, 70)), (0.4, (255, 250, 220))):
        wide, base = 0.14 * size, top - 0.06
        tip = (lean * size, base - tall * size)
        pen.blob(
            [
                (0, base),
                (-wide, base - 0.13 * size),
                (-wide * 0.5, base - 0.28 * size),
                tip,
                (wide * 0.6, base - 0.26 * size),
                (wide, base - 0.12 * size),
            ],
            colour,
        )
    pen.glow(0, top - 0.25, random.uniform(0.9, 1.5), (255, 180, 80))


def ice_cream(pen: Pen) -> None:
    """One to three scoops in a cone: a hot-air balloon seen by somebody hungry."""
    random = pen.random
    scoops = int(random.integers(1, 4))
    rim = -0.28 + 0.16 * scoops
    wafer = vary(random, (214, 156, 84), 0.06)
    half = random.uniform(0.3, 0.38)
    pen.polygon([(-half, rim), (half, rim), (0.03, 0.99), (-0.03, 0.99)], wafer)
    for step in range(1, 5):
        low, high = rim + (0.99 - rim) * step / 5, rim + (0.99 - rim) * (step - 1) / 5
        left, right = half * (1 - step / 5), half * (1 - (step - 1) / 5)
        for side in (-1, 1):
            pen.stroke([(-left * side, low), (right * side, high)], 0.025, tint(wafer, -0.3))
    radius = half * (1.2 if scoops == 1 else 1.05)
    places = {1: [(0, 0)], 2: [(0, 0), (0, 1)], 3: [(-0.55, 0), (0.55, 0), (0, 0.95)]}[scoops]
    for x, level in places:
        flavour = vary(random, pick(random, _SCOOPS), 0.05)
        cx, cy = x * radius, rim - radius * 0.55 - level * radius * 1.05
        pen.ellipse(cx, cy, radius, radius * 0.95, flavour)
        for drip in (-0.6, 0.0, 0.6):
            pen.ellipse(
                cx + drip * radius, cy + radius * 0.62, radius * 0.36, radius * 0.3, flavour
            )
        pen.ellipse(
            cx - radius * 0.35,
            cy - radius * 0.4,
            radius * 0.26,
            radius * 0.17,
            tint(flavour, 0.5),
            turn=-0.6,
        )
    if chance(random, 0.4):
        x, level = places[-1]
        y = rim - radius * 1.45 - level * radius * 1.05
        pen.stroke(
            [(x * radius, y), (x * radius + 0.12, y - 0.2)], 0.03, (80, 110, 50), curved=True
        )
        pen.ellipse(x * radius, y, 0.11, 0.11, (200, 25, 45))
