"""One picture of the toy set, from nothing but (seed, split, class, index)."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from lilliput.data.toy.catalogue import THINGS, Thing
from lilliput.data.toy.light import Layer, blur, bounds, paint, photograph, place, shine, slope
from lilliput.data.toy.pen import Pose, chance, pick, tint, vary
from lilliput.data.toy.places import PLACES, Backdrop, Place

HARD_SHARE = 0.05
"""Share of pictures that are hard on purpose. Exact in any long enough run of indices."""

GREY_SHARE = 0.0175
"""Share of grey, one-channel files; Tiny ImageNet has 1.8 %."""

STRANGE_PLACE_SHARE = 0.12
"""Share of pictures where a thing is in a place that is not its home. More is harder."""

SPLITS = ("train", "val", "test")
HARD_CAUSES = ("tiny", "cropped", "background", "unlike")
"""Paper: Fig. 1: (a, e) scaled down; (b, f) cropped out; (c, g) label in the background; (d, h) unlike its class."""

_LEAST_PIXELS = 5
_ATTEMPTS = 10


class Picture(NamedTuple):
    """``pixels`` uint8[64, 64, 3]; ``box`` x0, y0, x1, y1 in 0 .. 63, both ends within the thing."""

    pixels: np.ndarray
    box: tuple[int, int, int, int]
    hard: str | None
    grey: bool


def draw_picture(seed: int, split: str, number: int, index: int) -> Picture:
    """Draw picture ``index`` of class ``number``; the same arguments give the same picture everywhere."""
    random = generator(seed, split, number, index)
    hard = hard_cause(seed, split, number, index)
    thing = THINGS[number]
    spot = PLACES[_where(thing, hard, random)]
    backdrop = spot.paint(random)
    angle = random.uniform(math.pi * 1.15, math.pi * 1.85)
    sun = (math.cos(angle), math.sin(angle))
    pixels = backdrop.pixels
    if hard != "background":
        _add_company(pixels, thing, spot, backdrop, sun, random)
    layer, pose = _visible(thing, hard, spot, backdrop, random)
    if hard == "unlike":
        layer = _unlike(layer, pixels, random)
    elif hard == "background":
        layer = layer._replace(colour=layer.colour * 0.6 + pixels.mean(axis=(0, 1)) * 0.4)
    place(pixels, layer, sun, spot.rest)
    shine(pixels, layer.glows)
    cover = layer.cover
    if hard == "background":
        cover = cover * (1 - _put_in_front(pixels, number, pose, sun, random).cover)
    box = bounds(cover)
    assert box is not None, "the thing is visible by construction"
    grey = spaced(GREY_SHARE, index, _phase(seed, split, number, salt=1)) is not None
    return Picture(photograph(pixels, sun, random), box, hard, grey)


def generator(seed: int, split: str, *numbers: int) -> np.random.Generator:
    """Randomness that depends on nothing but its key."""
    key = (seed, SPLITS.index(split), *numbers)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def hard_cause(seed: int, split: str, number: int, index: int) -> str | None:
    """Why a picture is hard, or None for most; the four causes take turns."""
    turn = spaced(HARD_SHARE, index, _phase(seed, split, number, salt=0))
    return None if turn is None else HARD_CAUSES[(turn + number) % len(HARD_CAUSES)]


def spaced(share: float, index: int, phase: float) -> int | None:
    """Pick a ``share`` of all indices, evenly: how many were picked before this one, or None if it is not picked."""
    before, after = math.floor(index * share + phase), math.floor((index + 1) * share + phase)
    return before if after > before else None


@cache
def _phase(seed: int, split: str, number: int, *, salt: int) -> float:
    return float(generator(seed, split, number, salt, 1).random())


def _where(thing: Thing, hard: str | None, random: np.random.Generator) -> str:
    strange = hard == "unlike" or chance(random, STRANGE_PLACE_SHARE)
    return pick(random, tuple(PLACES) if strange else thing.places)


def _pose(
    scale: float, turn: float, spot: Place, backdrop: Backdrop, random: np.random.Generator
) -> Pose:
    """A place for a thing of this scale: on the ground, on the water, or anywhere."""
    reach = min(scale * 0.85, 0.5)
    x = random.uniform(reach, 1 - reach)
    most = turn if spot.rest in ("lies", "flies") else min(turn, 16)
    if spot.rest == "stands":
        foot = random.uniform(max(backdrop.horizon + 0.07, 0.72), 0.98)
        y = foot - scale * 0.95
    elif spot.rest == "swims":
        foot = random.uniform(backdrop.horizon + 0.06, min(backdrop.horizon + 0.32, 0.97))
        y = max(foot - scale * 0.85, scale * 0.75)
    else:
        y = random.uniform(reach, 1 - reach)
    lean = math.radians(random.uniform(-most, most))
    return Pose(x, y, scale, lean, chance(random, 0.5))


def _visible(
    thing: Thing, hard: str | None, spot: Place, backdrop: Backdrop, random: np.random.Generator
) -> tuple[Layer, Pose]:
    """Paint a thing; if too little of it is in the picture, move it inwards until there is enough."""
    scale = random.uniform(*thing.scale)
    if hard == "tiny":
        scale = random.uniform(0.045, 0.07)
    elif hard == "background":
        scale = random.uniform(0.13, 0.18)
    pose = _pose(scale, thing.turn, spot, backdrop, random)
    if hard == "cropped":
        pose = _half_out(pose, random)
    elif hard == "background":
        pose = pose._replace(x=pick(random, (0.16, 0.84)))
    elif hard == "unlike":
        pose = pose._replace(turn=pose.turn + random.uniform(0.6, 1.4) * math.pi)
    for attempt in range(_ATTEMPTS):
        inward = attempt / _ATTEMPTS
        shifted = pose._replace(
            x=pose.x + (0.5 - pose.x) * inward, y=pose.y + (0.5 - pose.y) * inward
        )
        layer = paint(thing.draw, shifted, random)
        if (layer.cover > 0.5).sum() >= _LEAST_PIXELS:
            break
    return layer, shifted


def _half_out(pose: Pose, random: np.random.Generator) -> Pose:
    """Move a thing over an edge until about a quarter of it is left."""
    scale = max(pose.scale, 0.34)
    beyond = scale * random.uniform(0.4, 0.62)
    side = pick(random, ("left", "right", "bottom"))
    moved = {
        "left": (-beyond, pose.y),
        "right": (1 + beyond, pose.y),
        "bottom": (pose.x, 1 + beyond),
    }
    x, y = moved[side]
    return pose._replace(x=x, y=y, scale=scale)


def _add_company(
    pixels: np.ndarray,
    thing: Thing,
    spot: Place,
    backdrop: Backdrop,
    sun: tuple[float, float],
    random: np.random.Generator,
) -> None:
    """Put things of no class behind the thing."""
    if not chance(random, thing.company):
        return
    flying = spot.rest in ("flies", "swims")
    for _ in range(int(random.integers(1, 3))):
        scale = random.uniform(0.05, 0.1) if flying else random.uniform(0.14, 0.3)
        pose = _pose(scale, 10, spot, backdrop, random)
        if flying:
            pose = pose._replace(y=random.uniform(0.05, 0.4))
        place(pixels, paint(pick(random, spot.props), pose, random), sun, spot.rest)


def _put_in_front(
    pixels: np.ndarray,
    number: int,
    behind: Pose,
    sun: tuple[float, float],
    random: np.random.Generator,
) -> Layer:
    """Let a thing of another class be the picture's subject, beside the labelled one."""
    other = THINGS[(number + int(random.integers(1, len(THINGS)))) % len(THINGS)]
    x = 0.66 if behind.x < 0.5 else 0.34
    pose = Pose(x, 0.6, random.uniform(0.28, 0.34), random.uniform(-0.15, 0.15))
    layer = paint(other.draw, pose, random)
    place(pixels, layer, sun, "stands")
    return layer


def _unlike(layer: Layer, pixels: np.ndarray, random: np.random.Generator) -> Layer:
    """Show a thing as nobody expects it: in wrong colours, as a dark outline, or as a pencil drawing."""
    form = pick(random, ("colours", "silhouette", "drawing"))
    if form == "colours":
        order = pick(random, ((1, 2, 0), (2, 0, 1), (2, 1, 0)))
        return layer._replace(colour=layer.colour[..., order], glows=())
    ink = vary(random, (48, 46, 56))
    if form == "silhouette":
        return Layer(np.full_like(layer.colour, ink), layer.cover, ())
    paper = np.array(vary(random, (240, 234, 218), 0.04), np.float32)
    pixels[:] = paper
    grey = layer.colour.mean(axis=2) * layer.cover + 255 * (1 - layer.cover)
    down, right = slope(blur(grey / 255, 0.6))
    line = np.clip(np.hypot(down, right) * 4.5, 0, 1)[..., None]
    return Layer(paper * (1 - line) + np.array(tint(ink, 0.1)) * line, layer.cover, ())
