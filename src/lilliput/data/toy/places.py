"""The backgrounds: where things stand, lie or float. Every place is float32[64, 64, 3] in 0 .. 255."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from lilliput.data.toy import props
from lilliput.data.toy.brush import (
    DOWN,
    RIGHT,
    STEPS,
    below,
    blend,
    disc,
    fill,
    mix,
    noise,
    rectangle,
    ridge,
)
from lilliput.data.toy.pen import (
    SIZE,
    Pen,
    Point,
    chance,
    hsv,
    pick,
    tint,
    vary,
)


class Backdrop(NamedTuple):
    """A painted place; ``horizon`` is where its ground begins (a fraction of the height)."""

    pixels: np.ndarray
    horizon: float


class Place(NamedTuple):
    """A kind of place: how to paint it, how things rest there, what else may be there."""

    paint: Callable[[np.random.Generator], Backdrop]
    rest: Literal["stands", "lies", "swims", "flies"]
    props: tuple[Callable[[Pen], None], ...]


def _air(random: np.random.Generator) -> np.ndarray:
    """A sky: blue, grey, or of the evening, with clouds or without."""
    mood = random.random()
    if mood < 0.62:
        high = vary(random, (72, 138, 208), 0.1)
        pixels = blend(high, tint(high, random.uniform(0.4, 0.75)))
    elif mood < 0.8:
        pixels = blend(vary(random, (168, 176, 186)), vary(random, (214, 216, 218)))
    else:
        pixels = blend(vary(random, (88, 82, 150)), vary(random, (250, 170, 110)), 1.2)
    if chance(random, 0.7):
        clouds = noise(random, int(random.integers(5, 9)), int(random.integers(3, 6)))
        clouds = clouds + 0.35 * noise(random, 16)
        mix(pixels, np.clip(clouds * 1.1 - 0.1, 0, 0.85) * (1.1 - DOWN), (252, 250, 248))
    return pixels


def sky(random: np.random.Generator) -> Backdrop:
    """Nothing but air, perhaps with hills far below."""
    pixels = _air(random)
    if chance(random, 0.35):
        fill(pixels, [ridge(random, random.uniform(0.84, 0.95), 0.03)], vary(random, (92, 122, 98)))
    return Backdrop(pixels, 1.0)


def sea(random: np.random.Generator) -> Backdrop:
    """Water up to a far horizon."""
    pixels = _air(random)
    horizon = random.uniform(0.45, 0.66)
    water = vary(random, pick(random, ((38, 98, 150), (40, 125, 140), (72, 104, 128))), 0.1)
    if chance(random, 0.35):
        fill(pixels, [ridge(random, horizon - 0.02, 0.04)], vary(random, (96, 116, 118)))
    depth = np.clip((DOWN - horizon) * SIZE, 0, 1) * np.ones_like(RIGHT)
    mix(pixels, depth, water)
    waves = noise(random, 34, 7) * depth
    mix(pixels, np.clip(waves, 0, 1) * 0.4, (225, 240, 245))
    mix(pixels, np.clip(-waves, 0, 1) * 0.35, tint(water, -0.5))
    return Backdrop(pixels, horizon)


def seabed(random: np.random.Generator) -> Backdrop:
    """Under water: rays of light, bubbles, weeds, sand."""
    water = vary(random, pick(random, ((36, 120, 160), (30, 130, 130), (50, 90, 150))), 0.1)
    pixels = blend(tint(water, 0.35), tint(water, -0.45))
    rays = np.sin((RIGHT * 9 + DOWN * random.uniform(-4, 4)) + random.uniform(0, 6)) * (1 - DOWN)
    mix(pixels, np.clip(rays, 0, 1) * 0.25, (230, 250, 250))
    fill(pixels, [ridge(random, random.uniform(0.8, 0.95), 0.03)], vary(random, (196, 176, 130)))
    weed = vary(random, (40, 110, 66))
    stalks = []
    for x in random.uniform(0, 1, int(random.integers(0, 5))).tolist():
        tall = random.uniform(0.2, 0.55)
        sway = [(x + 0.03 * math.sin(9 * t + 20 * x), 1 - tall * t) for t in STEPS[::2]]
        stalks.append(sway + [(a + 0.045, b) for a, b in sway[::-1]])
    fill(pixels, stalks, weed, 0.8)
    bubbles = random.uniform(0, 1, (int(random.integers(0, 7)), 3))
    fill(pixels, [disc(x, y, 0.01 + 0.02 * s) for x, y, s in bubbles], (220, 240, 245), 0.6)
    return Backdrop(pixels, 0.9)


def sand(random: np.random.Generator) -> Backdrop:
    """A beach from above, sometimes with the edge of the water."""
    grain = vary(random, (222, 198, 152), 0.07)
    pixels = blend(tint(grain, 0.1), tint(grain, -0.1))
    ripple = np.sin(DOWN * random.uniform(20, 45) + 2.2 * noise(random, 4))
    pixels *= (1 + 0.05 * ripple + 0.06 * noise(random, SIZE))[..., None]
    if chance(random, 0.4):
        edge = noise(random, 3) * 0.1 + random.uniform(0.15, 0.35)
        mix(pixels, np.clip((edge - DOWN) * 14, 0, 0.9), (70, 160, 180))
        mix(pixels, np.clip(1 - np.abs(edge - DOWN) * 28, 0, 0.9), (250, 252, 250))
    return Backdrop(pixels, 0.0)


def wood(random: np.random.Generator) -> Backdrop:
    """Boards seen from above."""
    board = vary(
        random,
        pick(random, ((176, 122, 74), (120, 78, 50), (206, 170, 122), (140, 136, 130))),
        0.08,
    )
    pixels = blend(board, tint(board, -0.08))
    grain = noise(random, SIZE, 3) * 0.09 + noise(random, 20, 2) * 0.06
    planks = int(random.integers(2, 6))
    place = DOWN * planks + random.random()
    shade = np.repeat(random.uniform(-0.1, 0.1, planks + 2)[place.astype(int)], SIZE, axis=1)
    gaps = np.exp(-(((place % 1.0) * SIZE / planks) ** 2) / 0.8) * 0.5
    pixels *= (1 + grain + shade - gaps)[..., None]
    return Backdrop(pixels.transpose(1, 0, 2).copy() if chance(random, 0.5) else pixels, 0.0)


def cloth(random: np.random.Generator) -> Backdrop:
    """A checked or striped cloth from above."""
    thread = hsv(random.random(), random.uniform(0.35, 0.75), random.uniform(0.6, 0.9))
    pixels = blend((246, 242, 234), (236, 232, 222))
    wide = random.uniform(0.1, 0.24)
    across = ((RIGHT + random.random()) % wide < wide / 2) * np.ones_like(DOWN)
    down = ((DOWN + random.random()) % wide < wide / 2) * np.ones_like(RIGHT)
    stripes = across * 0.45 + (down * 0.45 if chance(random, 0.7) else 0)
    mix(pixels, stripes.astype(np.float32), thread)
    pixels *= (1 + 0.06 * noise(random, 4) + 0.03 * noise(random, SIZE))[..., None]
    return Backdrop(pixels, 0.0)


def marble(random: np.random.Generator) -> Backdrop:
    """A plain or veined stone top from above."""
    stone = vary(
        random,
        pick(random, ((232, 230, 226), (120, 126, 130), (202, 190, 172), (64, 68, 74))),
        0.06,
    )
    pixels = blend(tint(stone, 0.1), tint(stone, -0.1))
    veins = np.abs(np.sin(5 * RIGHT + 4 * DOWN + 2.5 * noise(random, 5)))
    mix(pixels, np.clip(0.25 - veins, 0, 1).astype(np.float32) * 1.6, tint(stone, -0.35))
    return Backdrop(pixels, 0.0)


def kitchen(random: np.random.Generator) -> Backdrop:
    """A bright wall behind a table."""
    wall = hsv(random.random(), random.uniform(0.05, 0.4), random.uniform(0.7, 0.96))
    pixels = blend(wall, tint(wall, -0.14))
    style = random.random()
    if style < 0.35:
        wide = random.uniform(0.14, 0.24)
        lines = np.maximum((RIGHT % wide < 0.02), (DOWN % wide < 0.02)).astype(np.float32)
        mix(pixels, lines * 0.5, tint(wall, 0.6))
    elif style < 0.65:
        wide = random.uniform(0.08, 0.2)
        mix(pixels, (RIGHT % wide < wide / 2) * np.ones_like(DOWN) * 0.3, tint(wall, -0.4))
    return _with_table(random, pixels, random.uniform(0.6, 0.78))


def parlour(random: np.random.Generator) -> Backdrop:
    """A dim room in the evening."""
    wall = hsv(random.random(), random.uniform(0.25, 0.6), random.uniform(0.2, 0.45))
    pixels = blend(tint(wall, -0.35), wall)
    if chance(random, 0.4):
        left, top = random.uniform(0.0, 0.6), random.uniform(0.0, 0.15)
        fill(pixels, [rectangle(left, top, left + 0.36, top + 0.4)], tint(wall, -0.6))
        panes = [
            rectangle(left + 0.03 + dx, top + 0.03 + dy, left + 0.17 + dx, top + 0.19 + dy)
            for dx in (0, 0.16)
            for dy in (0, 0.18)
        ]
        fill(pixels, panes, vary(random, (50, 66, 116)))
    return _with_table(random, pixels, random.uniform(0.62, 0.8), dim=-0.45)


def _with_table(
    random: np.random.Generator, pixels: np.ndarray, edge: float, dim: float = 0.0
) -> Backdrop:
    top = vary(
        random,
        pick(
            random,
            ((176, 122, 74), (120, 78, 50), (222, 218, 210), (206, 170, 122), (92, 100, 106)),
        ),
    )
    top = tint(top, dim) if dim else top
    fill(pixels, [rectangle(0, edge, 1, 1)], top)
    fill(pixels, [rectangle(0, edge, 1, edge + 0.025)], tint(top, 0.3))
    grain = below(edge) * noise(random, 40, 3)
    pixels *= (1 + 0.07 * grain)[..., None]
    return Backdrop(pixels, edge)


def street(random: np.random.Generator) -> Backdrop:
    """Houses along a road."""
    pixels = _air(random)
    road = random.uniform(0.66, 0.78)
    x = random.uniform(-0.2, 0.0)
    panes: list[list[Point]] = []
    while x < 1:
        wide, tall = random.uniform(0.18, 0.4), random.uniform(0.2, 0.55)
        brick = vary(
            random,
            pick(random, ((170, 110, 90), (190, 180, 165), (140, 150, 160), (205, 175, 130))),
        )
        fill(pixels, [rectangle(x, road - tall, x + wide - 0.01, road)], brick)
        panes += [
            rectangle(a, b, a + 0.05, b + 0.07)
            for a in np.arange(x + 0.04, x + wide - 0.07, 0.1).tolist()
            for b in np.arange(road - tall + 0.05, road - 0.1, 0.14).tolist()
        ]
        x += wide
    fill(pixels, panes, pick(random, ((70, 84, 100), (230, 215, 160))), 0.85)
    if chance(random, 0.5):
        trees = [disc(a, road - 0.1, random.uniform(0.07, 0.14)) for a in random.uniform(0, 1, 3)]
        fill(pixels, trees, vary(random, (66, 110, 62)))
    fill(pixels, [rectangle(0, road, 1, 1)], vary(random, (98, 100, 106), 0.05))
    fill(pixels, [rectangle(0, road, 1, road + 0.04)], (176, 172, 164))
    dashes = [
        rectangle(a, 0.91, a + 0.14, 0.935) for a in np.arange(random.uniform(-0.2, 0), 1, 0.27)
    ]
    fill(pixels, dashes, (236, 230, 210))
    pixels *= (1 + 0.04 * noise(random, SIZE) * below(road))[..., None]
    return Backdrop(pixels, road)


def meadow(random: np.random.Generator) -> Backdrop:
    """Grass, hills, now and then flowers."""
    pixels = _air(random)
    horizon = random.uniform(0.4, 0.66)
    grass = vary(random, pick(random, ((104, 152, 66), (84, 132, 70), (150, 158, 80))), 0.08)
    fill(pixels, [ridge(random, horizon - 0.08, 0.05)], tint(grass, 0.25))
    fill(pixels, [ridge(random, horizon, 0.02)], grass)
    blades = noise(random, 12, SIZE) * below(horizon) * (0.08 + 0.2 * np.clip(DOWN - horizon, 0, 1))
    pixels *= (1 + blades)[..., None]
    dots = random.uniform(0, 1, (int(random.integers(0, 12)), 2))
    bloom = pick(random, ((250, 245, 235), (250, 215, 70), (230, 110, 150)))
    fill(pixels, [disc(a, horizon + 0.06 + b * 0.4, 0.012 + b * 0.01) for a, b in dots], bloom)
    return Backdrop(pixels, horizon)


def forest(random: np.random.Generator) -> Backdrop:
    """Trunks out of focus over a floor of leaves."""
    leaf = vary(random, (52, 88, 52), 0.1)
    pixels = blend(tint(leaf, 0.3), tint(leaf, -0.4))
    mix(pixels, np.clip(noise(random, 9), 0, 1) * 0.5, vary(random, (170, 190, 100)))
    bark = vary(random, (78, 60, 48))
    trunks: list[list[Point]] = []
    for x in random.uniform(0, 1, int(random.integers(1, 5))).tolist():
        wide = random.uniform(0.03, 0.09)
        trunks.append([(x, 0), (x + wide, 0), (x + wide * 1.3, 0.8), (x - wide * 0.3, 0.8)])
    fill(pixels, trunks, bark, 0.75)
    floor = vary(random, pick(random, ((112, 88, 56), (88, 104, 58), (130, 92, 54))))
    horizon = random.uniform(0.62, 0.76)
    fill(pixels, [ridge(random, horizon, 0.02)], floor)
    pixels *= (1 + 0.2 * noise(random, 30) * below(horizon))[..., None]
    return Backdrop(pixels, horizon)


def desert(random: np.random.Generator) -> Backdrop:
    """Dunes and rocks under a hot sky."""
    pixels = _air(random)
    horizon = random.uniform(0.5, 0.68)
    dune = vary(random, pick(random, ((222, 172, 112), (206, 142, 96), (230, 200, 150))), 0.06)
    if chance(random, 0.5):
        left = random.uniform(0, 0.7)
        mesa = [
            (left - 0.06, horizon),
            (left, horizon - 0.2),
            (left + 0.22, horizon - 0.2),
            (left + 0.3, horizon),
        ]
        fill(pixels, [mesa], tint(dune, -0.3))
    fill(pixels, [ridge(random, horizon, 0.03)], tint(dune, -0.1))
    fill(pixels, [ridge(random, horizon + 0.12, 0.05)], dune)
    pixels *= (1 + 0.05 * noise(random, SIZE) * below(horizon))[..., None]
    return Backdrop(pixels, horizon)


def leaf(random: np.random.Generator) -> Backdrop:
    """One large leaf, close up."""
    green = vary(random, pick(random, ((88, 146, 62), (64, 120, 70), (140, 168, 70))), 0.08)
    pixels = blend(tint(green, 0.15), tint(green, -0.25))
    slope, start = random.uniform(-0.6, 0.6), random.uniform(0.2, 0.8)
    rib = start + slope * (DOWN - 0.5)
    veins = np.sin((np.abs(RIGHT - rib) * 0.8 + DOWN) * random.uniform(28, 44))
    mix(pixels, np.clip(veins - 0.75, 0, 1) * 1.1, tint(green, 0.5))
    mix(pixels, np.clip(1 - np.abs(RIGHT - rib) * 40, 0, 0.8), tint(green, 0.55))
    pixels *= (1 + 0.06 * noise(random, 10))[..., None]
    return Backdrop(pixels, 0.0)


def night(random: np.random.Generator) -> Backdrop:
    """Stars and perhaps the moon over dark hills."""
    dark = vary(random, (22, 28, 66), 0.06)
    pixels = blend(dark, tint(dark, 0.25))
    stars = random.uniform(0, 1, (int(random.integers(8, 26)), 2))
    fill(pixels, [disc(a, b * 0.8, 0.007) for a, b in stars], (250, 246, 225))
    if chance(random, 0.4):
        fill(
            pixels,
            [disc(random.uniform(0.1, 0.9), random.uniform(0.1, 0.3), 0.08)],
            (246, 240, 210),
        )
    horizon = random.uniform(0.7, 0.85)
    fill(pixels, [ridge(random, horizon, 0.03)], tint(dark, -0.5))
    return Backdrop(pixels, horizon)


PLACES: dict[str, Place] = {
    "cloth": Place(cloth, "lies", props.ON_THE_TABLE),
    "desert": Place(desert, "stands", props.OUT_OF_DOORS),
    "forest": Place(forest, "stands", props.OUT_OF_DOORS),
    "kitchen": Place(kitchen, "stands", props.ON_THE_TABLE),
    "leaf": Place(leaf, "lies", props.IN_THE_SAND),
    "marble": Place(marble, "lies", props.ON_THE_TABLE),
    "meadow": Place(meadow, "stands", props.OUT_OF_DOORS),
    "night": Place(night, "stands", props.IN_THE_AIR),
    "parlour": Place(parlour, "stands", props.ON_THE_TABLE),
    "sand": Place(sand, "lies", props.IN_THE_SAND),
    "sea": Place(sea, "swims", props.IN_THE_AIR),
    "seabed": Place(seabed, "flies", props.IN_THE_SAND),
    "sky": Place(sky, "flies", props.IN_THE_AIR),
    "street": Place(street, "stands", props.OUT_OF_DOORS),
    "wood": Place(wood, "lies", props.ON_THE_TABLE),
}
