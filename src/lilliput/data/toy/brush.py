"""What the backgrounds are painted with: blends, smooth noise, polygons."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from lilliput.data.toy.pen import SIZE, SUPERSAMPLING, Colour, Point

Field = np.ndarray
"""float32[64, 64]."""

DOWN = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None]
"""float32[64, 1]: 0 at the top, 1 at the bottom."""

RIGHT = DOWN.T
"""float32[1, 64]: 0 at the left, 1 at the right."""

STEPS = [step / 15 for step in range(16)]
"""Sixteen even steps from 0 to 1."""

_RING = [(math.cos(part * math.tau / 14), math.sin(part * math.tau / 14)) for part in range(14)]


def blend(top: Colour, bottom: Colour, curve: float = 1.0) -> np.ndarray:
    """From one colour at the top to another at the bottom."""
    share = (DOWN**curve)[..., None]
    ramp = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share
    return np.repeat(ramp, SIZE, axis=1)


def noise(random: np.random.Generator, rows: int, columns: int | None = None) -> Field:
    """Smooth noise in about -1 .. 1 with the given number of bumps down and across."""
    grid = random.random((rows, columns or rows), dtype=np.float32) * 2 - 1
    return np.asarray(Image.fromarray(grid).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def fill(
    ground: np.ndarray, shapes: Sequence[Sequence[Point]], colour: Colour, strength: float = 1.0
) -> None:
    """Paint polygons (corners as fractions of the picture) over ``ground``, in place."""
    if not shapes:
        return
    pixels = SIZE * SUPERSAMPLING
    mask = Image.new("L", (pixels, pixels))
    draw = ImageDraw.Draw(mask)
    for shape in shapes:
        draw.polygon([part * pixels for point in shape for part in point], fill=255)
    mix(ground, np.asarray(mask.reduce(SUPERSAMPLING), np.float32) * (strength / 255), colour)


def mix(ground: np.ndarray, share: Field, colour: Colour) -> None:
    """Blend a colour over ``ground`` by a share in 0 .. 1 per pixel, in place."""
    ground += share[..., None] * (np.array(colour, np.float32) - ground)


def below(level: float) -> Field:
    """1 below a level (a fraction of the height), 0 above it."""
    return np.repeat((level < DOWN[:, 0]).astype(np.float32)[:, None], SIZE, axis=1)


def disc(x: float, y: float, radius: float) -> list[Point]:
    """A round polygon."""
    return [(x + radius * cos, y + radius * sin) for cos, sin in _RING]


def rectangle(x0: float, y0: float, x1: float, y1: float) -> list[Point]:
    """An upright rectangle."""
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def ridge(random: np.random.Generator, level: float, height: float) -> list[Point]:
    """A line of hills that reaches down to the bottom of the picture."""
    phase, waves = random.uniform(0, math.tau), random.uniform(3, 9)
    crest = [(x, level + height * math.sin(phase + waves * x)) for x in STEPS]
    return [(0.0, 1.0), *crest, (1.0, 1.0)]
