"""Things of the garden and the woods: cactus, ladybug, mushroom, watering can."""

from __future__ import annotations

from lilliput.data.toy.pen import Colour, Pen, chance, pick, tint, vary

_INK: Colour = (34, 32, 36)
_CAPS: tuple[Colour, ...] = (
    (200, 38, 34),
    (215, 80, 40),
    (140, 92, 58),
    (196, 160, 115),
    (150, 60, 75),
)


def ladybug(pen: Pen) -> None:
    """From above; red as a rule."""
    random = pen.random
    red = vary(random, pick(random, ((212, 36, 28), (212, 36, 28), (225, 85, 25), (235, 165, 30))))
    for side in (-1, 1):
        for y, foot in ((-0.3, -0.5), (0.05, 0.05), (0.4, 0.66)):
            pen.stroke(
                [(0.4 * side, y), (0.78 * side, foot - 0.06), (0.92 * side, foot + 0.1)], 0.06, _INK
            )
        pen.stroke([(0.1 * side, -0.8), (0.3 * side, -0.98)], 0.04, _INK)
    pen.ellipse(0, -0.62, 0.36, 0.28, _INK)
    for side in (-1, 1):
        pen.ellipse(0.2 * side, -0.68, 0.09, 0.08, (245, 245, 240))
    pen.ellipse(0, 0.12, 0.68, 0.74, red)
    pen.stroke([(0, -0.6), (0, 0.84)], 0.05, _INK)
    spots = ((0.32, -0.22, 0.14), (0.4, 0.2, 0.15), (0.22, 0.56, 0.12), (0.2, 0.1, 0.08))
    for x, y, size in spots[: int(random.integers(2, 5))]:
        for side in (-1, 1):
            pen.ellipse(x * side, y, size, size, _INK)
    pen.ellipse(-0.3, -0.34, 0.17, 0.09, tint(red, 0.6), turn=-0.7)


def cactus(pen: Pen) -> None:
    """A saguaro or a round one, in a pot or in the sand."""
    random = pen.random
    green = vary(random, pick(random, ((62, 128, 70), (88, 145, 80), (50, 105, 85))))
    ridge, light = tint(green, -0.28), tint(green, 0.3)
    base = 0.96
    if chance(random, 0.55):
        base = 0.5
        clay = vary(random, pick(random, ((190, 100, 62), (235, 225, 210), (90, 120, 160))))
        pen.polygon([(-0.4, 0.46), (0.4, 0.46), (0.3, 0.98), (-0.3, 0.98)], clay)
        pen.box(-0.46, 0.4, 0.46, 0.56, tint(clay, 0.15), 0.04)
    if chance(random, 0.3):
        _round_cactus(pen, green, base)
    else:
        half = random.uniform(0.17, 0.25)
        for side, y in ((-1, random.uniform(-0.1, 0.25)), (1, random.uniform(-0.25, 0.15))):
            reach = random.uniform(0.5, 0.68)
            pen.stroke(
                [(0, y), (reach * side, y), (reach * side, y - 0.42)],
                half * 1.1,
                tint(green, -0.08),
            )
            pen.stroke(
                [(reach * side - 0.04, y - 0.05), (reach * side - 0.04, y - 0.38)], 0.04, light
            )
        pen.box(-half, -0.92, half, base, green, half)
        for x in (-0.45, 0.4):
            pen.stroke([(x * half, -0.74), (x * half, base - 0.05)], 0.035, ridge)
        pen.stroke([(-0.05, -0.78), (-0.05, base - 0.06)], 0.045, light)
    if chance(random, 0.4):
        bloom = pick(random, ((235, 80, 140), (250, 205, 70), (245, 240, 245)))
        top = -0.92 if base > 0.6 else -0.8
        for x, y in ((-0.1, 0), (0.1, 0), (0, -0.08), (0, 0.06)):
            pen.ellipse(x, top + y, 0.09, 0.08, bloom)


def _round_cactus(pen: Pen, green: Colour, base: float) -> None:
    middle = base - 0.58
    pen.ellipse(0, middle, 0.62, 0.68, green)
    for rx in (0.48, 0.2):
        pen.ellipse(0, middle, rx, 0.66, tint(green, -0.22))
        pen.ellipse(0, middle, rx - 0.07, 0.65, green)
    for x in (-0.5, -0.3, -0.05, 0.2, 0.42):
        for y in (-0.3, 0.0, 0.3):
            pen.ellipse(x, middle + y, 0.03, 0.03, tint(green, 0.75))


def mushroom(pen: Pen) -> None:
    """A cap on a stem; its outline is near the umbrella's, its dots are the ladybug's."""
    random = pen.random
    if chance(random, 0.3):
        _one_mushroom(pen, 0.52, 0.45, 0.5)
        _one_mushroom(pen, -0.2, 0.0, 0.78)
    else:
        _one_mushroom(pen, 0.0, 0.0, 1.0)


def _one_mushroom(pen: Pen, x: float, y: float, scale: float) -> None:
    random = pen.random
    cap = vary(random, pick(random, _CAPS))
    stem = vary(random, (240, 226, 200), 0.05)
    broad, tall = random.uniform(0.72, 0.95), random.uniform(0.6, 0.95)
    thick = random.uniform(0.17, 0.3)

    def at(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x + px * scale, y + py * scale) for px, py in points]

    sides = [(-thick, -0.05), (-thick * 0.9, 0.5), (-thick * 1.4, 0.9), (0, 0.98)]
    pen.blob(at([*sides, (thick * 1.4, 0.9), (thick * 0.9, 0.5), (thick, -0.05)]), stem)
    pen.polygon(
        at([(thick * 0.2, 0), (thick, 0), (thick * 1.3, 0.9), (thick * 0.4, 0.94)]),
        tint(stem, -0.14),
    )
    pen.ellipse(x, y + 0.02 * scale, broad * scale, 0.2 * scale, tint(stem, -0.3))
    pen.ellipse(x, y - 0.01 * scale, broad * 0.9 * scale, 0.13 * scale, tint(stem, -0.12))
    pen.sector(x, y + 0.03 * scale, broad * scale, tall * scale, (180, 360), cap)
    pen.ellipse(
        x - 0.3 * scale,
        y - tall * 0.6 * scale,
        0.2 * scale,
        0.09 * scale,
        tint(cap, 0.4),
        turn=-0.5,
    )
    if chance(random, 0.65):
        for dx, dy, size in (
            (-0.55, -0.16, 0.1),
            (-0.12, -0.32, 0.14),
            (0.42, -0.2, 0.11),
            (0.2, -0.68, 0.11),
            (-0.34, -0.62, 0.09),
        ):
            spot = size * scale
            pen.ellipse(
                x + dx * broad * scale, y + dy * tall * scale, spot * 1.2, spot, (250, 240, 225)
            )


def watering_can(pen: Pen) -> None:
    """The teapot's double from the garden: straight sides, a long spout with a rose."""
    random = pen.random
    metal = pick(
        random,
        (
            (150, 160, 165),
            (70, 120, 85),
            (60, 110, 165),
            (190, 60, 55),
            (205, 160, 60),
            (120, 175, 175),
        ),
    )
    metal = vary(random, metal)
    pen.move(0, 0.16)
    dark = tint(metal, -0.28)
    pen.stroke(
        [(0.38, -0.35), (0.8, -0.45), (0.92, 0.0), (0.78, 0.35), (0.42, 0.48)],
        0.1,
        dark,
        curved=True,
    )
    pen.stroke([(-0.25, -0.28), (-0.2, -0.7), (0.15, -0.82), (0.4, -0.34)], 0.09, dark, curved=True)
    pen.polygon([(-0.3, 0.5), (-0.3, 0.12), (-0.82, -0.52), (-0.92, -0.44)], tint(metal, -0.12))
    pen.polygon([(-0.99, -0.42), (-0.7, -0.68), (-0.76, -0.42), (-0.86, -0.34)], tint(metal, 0.15))
    pen.stroke([(-0.98, -0.42), (-0.7, -0.67)], 0.07, dark)
    lean = random.uniform(0.0, 0.1)
    pen.polygon([(-0.4 + lean, -0.28), (0.44 - lean, -0.28), (0.48, 0.7), (-0.44, 0.7)], metal)
    pen.ellipse(0.02, 0.7, 0.46, 0.09, tint(metal, -0.1))
    pen.ellipse(0.02, -0.28, 0.42 - lean, 0.1, tint(metal, -0.55))
    pen.polygon([(-0.3, -0.2), (-0.18, -0.18), (-0.2, 0.66), (-0.32, 0.66)], tint(metal, 0.45))
    for y in (0.02, 0.52):
        pen.stroke([(-0.4, y), (0.46, y)], 0.04, dark)
