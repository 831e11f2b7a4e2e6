"""What a picture looks like, as a few numbers: its colours, its edges, its box. numpy only, batch by batch.

Descriptors are rows of length 1, so that the product of two of them is a similarity in 0..1: for colours it is
Bhattacharyya's coefficient of the two histograms, for edges the cosine of the two gradient histograms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.data.pack import Split

Floats = NDArray[np.float64]
Descriptors = NDArray[np.float32]

_BATCH = 1000
_LEVELS = 4  # per colour channel: 64 colours
_SIDE, _CELLS, _DIRECTIONS = (
    32,
    4,
    8,
)  # an object is seen at 32 x 32, in 4 x 4 cells of 8 directions
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class Look:
    """The descriptors of n pictures.

    ``colours`` float32[n, 64] of the whole picture, ``surroundings`` the same of what lies outside the box (all 0 where
    there is nothing outside, or no box); ``edges`` float32[n, 128] of what lies inside the box (the whole picture
    where there is none); ``mean_colours`` float32[n, 3] in 0..1.
    """

    colours: Descriptors
    surroundings: Descriptors
    edges: Descriptors
    mean_colours: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of n pictures; nan where there is none.

    ``area`` is the share of the picture in 0..1, ``aspect`` the log of width over height, ``edges_touched`` how many
    of the picture's four edges the box reaches (0 without a box).
    """

    area: Floats
    aspect: Floats
    edges_touched: NDArray[np.int64]

    @property
    def are_known(self) -> NDArray[np.bool_]:
        """bool[n]: which pictures have a box."""
        return np.isfinite(self.area)


def describe(split: Split, rows: NDArray[np.int64]) -> Look:
    """The descriptors of some pictures of a split, in the order of ``rows``."""
    parts = [_describe(images, boxes) for images, boxes in _batches(split, rows)]
    if not parts:
        parts = [_describe(split.images[:0], split.boxes[:0])]
    return Look(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def measure_boxes(split: Split, rows: NDArray[np.int64]) -> Boxes:
    """Size, shape and place of the boxes of some pictures of a split."""
    boxes = np.asarray(split.boxes)[rows].astype(np.float64)
    height, width = split.images.shape[1:3]
    known = boxes[:, 0] >= 0
    wide, high = boxes[:, 2] - boxes[:, 0] + 1, boxes[:, 3] - boxes[:, 1] + 1
    touched = (boxes[:, :2] <= 0).sum(axis=1)
    touched += (boxes[:, 2] >= width - 1).astype(int) + (boxes[:, 3] >= height - 1)
    return Boxes(
        area=np.where(known, wide * high / (width * height), np.nan),
        aspect=np.where(known, np.log(np.maximum(wide, 1) / np.maximum(high, 1)), np.nan),
        edges_touched=np.where(known, touched, 0),
    )


def box_masks(boxes: NDArray[np.int16], height: int, width: int) -> NDArray[np.bool_]:
    """bool[n, h, w]: what lies inside each box of int16[n, 4]; the whole picture where there is no box."""
    x0, y0, x1, y1 = (boxes[:, side, None].astype(int) for side in range(4))
    across = (np.arange(width) >= x0) & (np.arange(width) <= x1)
    down = (np.arange(height) >= y0) & (np.arange(height) <= y1)
    return (down[:, :, None] & across[:, None, :]) | (boxes[:, 0] < 0)[:, None, None]


def class_means(descriptors: Descriptors, labels: NDArray[np.int64], k: int) -> Floats:
    """The mean descriptor of every class: float64[k, d]; 0 for a class without pictures."""
    counts = np.bincount(labels, minlength=k)
    present = np.flatnonzero(counts)
    means = np.zeros((k, descriptors.shape[1]))
    if len(present):
        order = np.argsort(labels, kind="stable")
        starts = (np.cumsum(counts) - counts)[present]
        sums = np.add.reduceat(descriptors[order].astype(np.float64), starts, axis=0)
        means[present] = sums / counts[present, None]
    return means


def likeness(descriptors: Descriptors, labels: NDArray[np.int64], k: int) -> Floats:
    """How alike two pictures of a class are on average, float64[k] in 0..1; nan for fewer than two pictures.

    It is the mean similarity over all pairs of the class, which for rows of length 1 follows from their mean alone.
    """
    n = np.bincount(labels, minlength=k).astype(np.float64)
    squared = (class_means(descriptors, labels, k) ** 2).sum(axis=1)
    own = np.bincount(
        labels, weights=(descriptors.astype(np.float64) ** 2).sum(axis=1), minlength=k
    )
    pairs = n * (n - 1)
    return np.divide(n**2 * squared - own, pairs, out=np.full(k, np.nan), where=pairs > 0)


def likeness_to_others(descriptors: Descriptors, labels: NDArray[np.int64], k: int) -> Floats:
    """How alike each picture is to the others of its class on average, float64[n]; nan where it is the only one."""
    n = np.bincount(labels, minlength=k)[labels].astype(np.float64)
    rows = descriptors.astype(np.float64)
    to_mean = (rows * class_means(descriptors, labels, k)[labels]).sum(axis=1)
    others = n * to_mean - (rows**2).sum(axis=1)
    return np.divide(others, n - 1, out=np.full(len(n), np.nan), where=n > 1)


def _batches(
    split: Split, rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int16]]]:
    for start in range(0, len(rows), _BATCH):
        chosen = rows[start : start + _BATCH]
        yield split.images[chosen], np.asarray(split.boxes)[chosen]


def _describe(images: NDArray[np.uint8], boxes: NDArray[np.int16]) -> tuple[Descriptors, ...]:
    height, width = images.shape[1:3]
    # For colours about 32 x 32 pixels tell enough.
    step = max(1, min(height, width) // _SIDE)
    part = images[:, ::step, ::step]
    whole, outside = _colours(part, box_masks(boxes, height, width)[:, ::step, ::step])
    means = part.mean(axis=(1, 2), dtype=np.float32) / 255
    return _unit(np.sqrt(whole)), _unit(np.sqrt(outside)), _edges(_objects(images, boxes)), means


def _colours(
    images: NDArray[np.uint8], inside: NDArray[np.bool_]
) -> tuple[Descriptors, Descriptors]:
    level = images // (256 // _LEVELS)
    code = (level[..., 0] * _LEVELS + level[..., 1]) * _LEVELS + level[..., 2]
    bins = _LEVELS**3
    code = code.astype(np.int64) + bins * np.arange(len(images))[:, None, None]
    size = (len(images), bins)
    whole = np.bincount(code.ravel(), minlength=size[0] * bins).reshape(size)
    outside = np.bincount(code[~inside], minlength=size[0] * bins).reshape(size)
    return whole.astype(np.float32), outside.astype(np.float32)


def _objects(images: NDArray[np.uint8], boxes: NDArray[np.int16]) -> NDArray[np.float32]:
    """What is inside each box in grey, by nearest neighbours at 32 x 32: float32[b, 32, 32] in 0..255."""
    height, width = images.shape[1:3]
    whole = np.array([0, 0, width - 1, height - 1], np.int16)
    x0, y0, x1, y1 = np.where(boxes[:, :1] < 0, whole, boxes).astype(np.float64).T[:, :, None]
    steps = (np.arange(_SIDE) + 0.5) / _SIDE
    xs = np.clip((x0 + (x1 - x0 + 1) * steps).astype(np.int64), 0, width - 1)
    ys = np.clip((y0 + (y1 - y0 + 1) * steps).astype(np.int64), 0, height - 1)
    number = np.arange(len(images))[:, None, None]
    return images[number, ys[:, :, None], xs[:, None, :]].astype(np.float32) @ _GREY


def _edges(grey: NDArray[np.float32]) -> Descriptors:
    """Histograms of the gradients' directions in 4 x 4 cells: float32[b, 128]. A flat picture has all 0."""
    down, across = np.gradient(grey, axis=(1, 2)) if len(grey) else (grey, grey)
    strength = np.hypot(across, down)
    angle = np.arctan2(down, across)
    angle = np.where(
        angle < 0, angle + np.float32(np.pi), angle
    )  # dark to bright or bright to dark: one edge
    direction = np.minimum((angle * (_DIRECTIONS / np.pi)).astype(np.int8), _DIRECTIONS - 1)
    cell = np.repeat(np.eye(_CELLS, dtype=np.float32), _SIDE // _CELLS, axis=1)
    sums = [cell @ np.where(direction == one, strength, 0) @ cell.T for one in range(_DIRECTIONS)]
    return _unit(np.sqrt(np.stack(sums, axis=-1)).reshape(len(grey), _CELLS * _CELLS * _DIRECTIONS))


def _unit(rows: NDArray[np.float32]) -> Descriptors:
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
