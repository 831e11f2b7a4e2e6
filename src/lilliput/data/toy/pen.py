"""A pen that draws in a thing's own coordinates: x to the right, y down, the thing within about -1 .. 1."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageDraw

SIZE = 64
"""Width and height of a picture, in pixels, as in Tiny ImageNet."""

SUPERSAMPLING = 4
"""Things are drawn this many times larger and then scaled down: smooth edges, true coverage masks."""

Colour = tuple[int, int, int]
Point = tuple[float, float]
_Item = TypeVar("_Item")

_CIRCLE = np.array([(math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, 36, False)])
_ARC = np.linspace(0, 1, 20)
_SPLINE = np.linspace(0, 1, 6, endpoint=False)[:, None, None]


class Pose(NamedTuple):
    """Where a thing is: centre and half its extent as fractions of the picture, its turn in radians."""

    x: float
    y: float
    scale: float
    turn: float = 0.0
    mirrored: bool = False


class Glow(NamedTuple):
    """A source of light inside a thing; centre and radius as fractions of the picture."""

    x: float
    y: float
    radius: float
    colour: Colour


class Pen:
    """Draws filled shapes onto a transparent canvas, placed by a :class:`Pose`."""

    def __init__(self, pose: Pose, random: np.random.Generator) -> None:
        pixels = SIZE * SUPERSAMPLING
        self.random = random
        # Colours multiplied by coverage, which is the same while shapes are opaque, and scales down without converting.
        self.canvas = Image.new("RGBa", (pixels, pixels))
        self.glows: list[Glow] = []
        self._draw = ImageDraw.Draw(self.canvas)
        self._pose = pose
        self._unit = pose.scale * pixels
        along = math.cos(pose.turn) * self._unit
        across = math.sin(pose.turn) * self._unit
        side = -1.0 if pose.mirrored else 1.0
        self._matrix = np.array([[along * side, across * side], [-across, along]])
        self._centre = np.array([pose.x * pixels, pose.y * pixels])

    def move(self, x: float, y: float) -> None:
        """Move the origin of everything drawn from here on."""
        self._centre = np.array([x, y]) @ self._matrix + self._centre

    def polygon(self, points: Sequence[Point] | np.ndarray, colour: Colour) -> None:
        """Fill a polygon."""
        placed = np.asarray(points, dtype=float) @ self._matrix + self._centre
        self._draw.polygon(placed.ravel().tolist(), fill=(*colour, 255))

    def blob(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill the smooth closed curve through ``points``."""
        self.polygon(smooth(points), colour)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, turn: float = 0.0
    ) -> None:
        """Fill an ellipse, turned by ``turn`` radians about its centre."""
        ring = _CIRCLE * (rx, ry)
        if turn:
            cos, sin = math.cos(turn), math.sin(turn)
            ring = ring @ np.array([[cos, sin], [-sin, cos]])
        self.polygon(np.add(ring, (x, y)), colour)

    def sector(
        self, x: float, y: float, rx: float, ry: float, span: tuple[float, float], colour: Colour
    ) -> None:
        """Fill the part of an ellipse between two angles in degrees, clockwise from the right."""
        angles = np.radians(span[0] + (span[1] - span[0]) * _ARC)
        self.polygon(np.stack([x + rx * np.cos(angles), y + ry * np.sin(angles)], axis=1), colour)

    def box(
        self, x0: float, y0: float, x1: float, y1: float, colour: Colour, corner: float = 0.0
    ) -> None:
        """Fill a rectangle with corners rounded by the radius ``corner``."""
        if not corner:
            self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)
            return
        quarter = len(_CIRCLE) // 4
        centres = [(x1, y1), (x0, y1), (x0, y0), (x1, y0)]
        inward = [(-corner, -corner), (corner, -corner), (corner, corner), (-corner, corner)]
        arcs = [
            _CIRCLE[number * quarter : (number + 1) * quarter + 1] * corner
            + (centre[0] + shift[0], centre[1] + shift[1])
            for number, (centre, shift) in enumerate(zip(centres, inward, strict=True))
        ]
        self.polygon(np.concatenate(arcs), colour)

    def stroke(
        self, points: Sequence[Point], width: float, colour: Colour, *, curved: bool = False
    ) -> None:
        """Draw a line with round joints and ends; ``curved`` makes it smooth."""
        path = smooth(points, closed=False) if curved else np.asarray(points, dtype=float)
        placed = path @ self._matrix + self._centre
        thickness = max(1.0, width * self._unit)
        fill = (*colour, 255)
        self._draw.line(placed.ravel().tolist(), fill=fill, width=round(thickness), joint="curve")
        radius = thickness / 2
        for x, y in (placed[0], placed[-1]):
            self._draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=fill)

    def glow(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Let light shine from a point; it is added to the finished picture."""
        pixels = SIZE * SUPERSAMPLING
        placed = np.array([x, y]) @ self._matrix + self._centre
        shine = radius * self._pose.scale
        self.glows.append(Glow(placed[0] / pixels, placed[1] / pixels, shine, colour))


def smooth(points: Sequence[Point], *, closed: bool = True) -> np.ndarray:
    """Points along the Catmull-Rom curve through ``points``."""
    knots = np.asarray(points, dtype=float)
    beyond = (knots[-1:], knots[:2]) if closed else (knots[:1], knots[-1:])
    ring = np.concatenate([beyond[0], knots, beyond[1]])
    before, start, end, after = ring[:-3], ring[1:-2], ring[2:-1], ring[3:]
    t = _SPLINE
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    path = curve.transpose(1, 0, 2).reshape(-1, 2)
    return path if closed else np.concatenate([path, knots[-1:]])


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue (a fraction of the wheel, red = 0), saturation and value (0 .. 1)."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(saturation, 1.0), min(value, 1.0))
    return round(red * 255), round(green * 255), round(blue * 255)


def tint(colour: Colour, amount: float) -> Colour:
    """Lighter for a positive ``amount`` (1 is white), darker for a negative one (-1 is black)."""
    goal = 255 if amount > 0 else 0
    red, green, blue = (round(part + (goal - part) * abs(amount)) for part in colour)
    return red, green, blue


def vary(random: np.random.Generator, colour: Colour, amount: float = 0.08) -> Colour:
    """A colour near ``colour``."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    shift = random.uniform(-amount, amount, 3).tolist()
    return hsv(hue + shift[0] * 0.3, max(0.0, saturation + shift[1]), max(0.05, value + shift[2]))


def pick(random: np.random.Generator, items: Sequence[_Item]) -> _Item:
    """One of ``items``, each as likely."""
    return items[int(random.integers(len(items)))]


def chance(random: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(random.random() < probability)
