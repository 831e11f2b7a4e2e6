"""What light does to a picture: shade on a thing, its shadow, its glow, and the camera that took it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from lilliput.data.toy.pen import SIZE, SUPERSAMPLING, Glow, Pen, Pose

NOISE = (1.0, 5.0)
"""Standard deviation of the camera's noise, in grey levels, from the best picture to the worst. More is harder."""

_Y, _X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / (SIZE - 1)
_COVERED = 0.25


class Layer(NamedTuple):
    """A painted thing: ``colour`` float32[64, 64, 3] in 0 .. 255, ``cover`` float32[64, 64] in 0 .. 1."""

    colour: np.ndarray
    cover: np.ndarray
    glows: Sequence[Glow]


def paint(draw: Callable[[Pen], None], pose: Pose, random: np.random.Generator) -> Layer:
    """Draw a thing large, then scale it down."""
    pen = Pen(pose, random)
    draw(pen)
    small = np.asarray(pen.canvas.reduce(SUPERSAMPLING), np.float32)
    cover = small[..., 3] / 255
    return Layer(small[..., :3] / np.maximum(cover, 1 / 255)[..., None], cover, pen.glows)


def bounds(cover: np.ndarray) -> tuple[int, int, int, int] | None:
    """First and last column and row that a mask covers by a quarter of a pixel: ``x0, y0, x1, y1`` in 0 .. 63."""
    columns = np.flatnonzero((cover >= _COVERED).any(axis=0))
    rows = np.flatnonzero((cover >= _COVERED).any(axis=1))
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def blur(field: np.ndarray, radius: float) -> np.ndarray:
    """A soft copy of a field in 0 .. 1."""
    image = Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def slope(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much a field rises per pixel downwards and to the right; 0 at the edges."""
    down, right = np.zeros_like(field), np.zeros_like(field)
    down[1:-1] = (field[2:] - field[:-2]) / 2
    right[:, 1:-1] = (field[:, 2:] - field[:, :-2]) / 2
    return down, right


def place(pixels: np.ndarray, layer: Layer, sun: tuple[float, float], rest: str) -> None:
    """Put a thing with its shadow onto a picture, in place; ``sun`` points towards the light."""
    shadow = _SHADOWS[rest](layer.cover, sun)
    if shadow is not None:
        pixels *= (1 - shadow * (1 - layer.cover))[..., None]
    pixels += layer.cover[..., None] * (_rounded(layer, sun) - pixels)


def _rounded(layer: Layer, sun: tuple[float, float]) -> np.ndarray:
    """Shade a thing as if it were thick in the middle."""
    extent = float(np.sqrt(layer.cover.sum()))
    radius = max(1.0, extent / 9)
    down, right = slope(blur(layer.cover, radius))
    facing = -(right * sun[0] + down * sun[1]) * radius * 2.2
    return np.clip(layer.colour * (1 + 0.5 * facing)[..., None], 0, 255)


def _beneath(cover: np.ndarray, sun: tuple[float, float]) -> np.ndarray | None:
    """The shadow of a thing that stands: a soft ellipse about its foot."""
    box = bounds(cover)
    if box is None:
        return None
    x0, _, x1, y1 = box
    foot = cover[max(0, y1 - 3) : y1 + 1].max(axis=0) > 0.3
    columns = np.flatnonzero(foot)
    left, right = (int(columns[0]), int(columns[-1])) if len(columns) else (x0, x1)
    wide = max(2.0, (right - left) * 0.62) / SIZE
    middle = (left + right) / 2 / SIZE - sun[0] * 0.35 * wide
    distance = ((_X - middle) / wide) ** 2 + ((_Y - y1 / SIZE) / (0.16 * wide + 0.02)) ** 2
    return 0.5 * np.exp(-distance)


def _beside(cover: np.ndarray, sun: tuple[float, float]) -> np.ndarray:
    """The shadow of a thing that lies flat: itself, moved away from the light."""
    soft = blur(cover, 1.6)
    return 0.55 * np.roll(soft, (round(-sun[1] * 2.4), round(-sun[0] * 2.4)), axis=(0, 1))


def _reflected(cover: np.ndarray, sun: tuple[float, float]) -> np.ndarray | None:
    """The dark reflection below a thing that swims."""
    box = bounds(cover)
    if box is None:
        return None
    water = box[3]
    mirror = np.zeros_like(cover)
    rows = min(SIZE - 1 - water, water + 1, 14)
    mirror[water + 1 : water + 1 + rows] = cover[water + 1 - rows : water + 1][::-1]
    return 0.4 * blur(mirror, 1.0)


def _nothing(cover: np.ndarray, sun: tuple[float, float]) -> None:
    return None


def shine(pixels: np.ndarray, glows: Sequence[Glow]) -> None:
    """Add the light of every glow, in place."""
    for glow in glows:
        distance = ((_X - glow.x) ** 2 + (_Y - glow.y) ** 2) / max(1e-4, glow.radius**2)
        halo = np.exp(-4 * distance) * (1 - pixels.mean(axis=2) / 330)
        pixels += 0.75 * halo[..., None] * np.array(glow.colour, np.float32)


def photograph(
    pixels: np.ndarray, sun: tuple[float, float], random: np.random.Generator
) -> np.ndarray:
    """Exposure, contrast, a tinge, light from one side and noise; returns uint8[64, 64, 3]."""
    exposure, contrast = random.uniform(0.8, 1.14), random.uniform(0.82, 1.12)
    warmth = random.uniform(-0.06, 0.06)
    tinge = np.array([1 + warmth, 1 + random.uniform(-0.02, 0.02), 1 - warmth], np.float32)
    side = 1 + random.uniform(0, 0.28) * ((_X - 0.5) * sun[0] + (_Y - 0.5) * sun[1])
    grain = random.uniform(*NOISE) * random.standard_normal((SIZE, SIZE, 1), dtype=np.float32)
    shown = (pixels * tinge * (exposure * side)[..., None] - 128) * contrast + 128 + grain
    return np.clip(shown, 0, 255).astype(np.uint8)


_SHADOWS: dict[str, Callable[[np.ndarray, tuple[float, float]], np.ndarray | None]] = {
    "stands": _beneath,
    "lies": _beside,
    "swims": _reflected,
    "flies": _nothing,
}
