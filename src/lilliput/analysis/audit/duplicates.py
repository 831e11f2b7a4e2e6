"""The same photograph twice, within a split and across splits: by a perceptual hash, then by the pixels. numpy only.

The hash of a picture is 64 bits: whether each of the 8 x 8 lowest frequencies of its grey values is above their median
(the usual pHash). Pairs whose hashes differ in up to :data:`MOST_BITS` bits are all found, none is missed: hashes cut
into one block more than bits may differ agree in at least one whole block, so only those that share a block are
compared. Such a pair is a near-duplicate if its pixels are alike too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lilliput.data.pack import Pack

MOST_BITS = 6
LEAST_CORRELATION = 0.9  # of the pixels of a near-duplicate, each channel's mean taken off
_FREQUENCIES, _BATCH, _PAIRS_AT_ONCE = 8, 2000, 4000
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Duplicate:
    """Two pictures, each a split and its row there; ``bits`` of their hashes differ, ``correlation`` is the pixels'."""

    first: tuple[str, int]
    second: tuple[str, int]
    bits: int
    correlation: float


def find_duplicates(pack: Pack) -> list[Duplicate]:
    """Every near-duplicate of a pack over all its splits, the most alike first."""
    splits = {name: pack[name].images for name in pack.splits}
    starts = dict(zip(splits, np.cumsum([0, *map(len, splits.values())]).tolist(), strict=False))
    hashes = np.concatenate([hash_images(images) for images in splits.values()])
    pairs = near_pairs(hashes, MOST_BITS)
    alike = np.concatenate([np.empty(0), *_correlations(splits, starts, pairs)])
    pairs, alike = pairs[alike >= LEAST_CORRELATION], alike[alike >= LEAST_CORRELATION]
    bits = np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]])
    order = np.lexsort((pairs[:, 1], pairs[:, 0], bits, -alike.round(4)))
    return [
        Duplicate(
            first=_place(starts, int(pairs[i, 0])),
            second=_place(starts, int(pairs[i, 1])),
            bits=int(bits[i]),
            correlation=float(alike[i]),
        )
        for i in order
    ]


def hash_images(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The 64-bit hashes uint64[n] of pictures uint8[n,h,w,3]."""
    down, across = _cosines(images.shape[1]), _cosines(images.shape[2])
    hashes = np.empty(len(images), np.uint64)
    powers = np.uint64(1) << np.arange(64, dtype=np.uint64)
    for start in range(0, len(images), _BATCH):
        grey = images[start : start + _BATCH].astype(np.float32) @ _GREY
        low = (down @ grey @ across.T).reshape(len(grey), -1)
        bits = low > np.median(low, axis=1, keepdims=True)
        hashes[start : start + _BATCH] = (bits * powers).sum(axis=1, dtype=np.uint64)
    return hashes


def near_pairs(hashes: NDArray[np.uint64], most: int) -> NDArray[np.int64]:
    """All pairs (i < j) of hashes that differ in up to ``most`` bits: int64[p, 2], sorted."""
    edges = np.linspace(0, 64, most + 2).round().astype(int)
    found = [np.empty(0, np.int64)]
    n = len(hashes)
    for low, high in pairwise(edges.tolist()):
        block = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        for first, second in _same_block(block):
            near = np.bitwise_count(hashes[first] ^ hashes[second]) <= most
            a, b = first[near], second[near]
            found.append(np.minimum(a, b) * n + np.maximum(a, b))
    keys = np.unique(np.concatenate(found))
    return np.stack([keys // max(n, 1), keys % max(n, 1)], axis=1)


def _same_block(
    block: NDArray[np.uint64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    # Sorted by block, those of one block stand together: every one meets the one 1, 2, 3 ... places on.
    order = np.argsort(block, kind="stable")
    block = block[order]
    left = np.arange(len(block))
    for step in range(1, len(block)):
        left = left[left + step < len(block)]
        left = left[block[left] == block[left + step]]
        if not len(left):
            return
        yield order[left], order[left + step]


def _correlations(
    splits: Mapping[str, NDArray[np.uint8]], starts: Mapping[str, int], pairs: NDArray[np.int64]
) -> Iterator[NDArray[np.float64]]:
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        part = pairs[start : start + _PAIRS_AT_ONCE]
        first, second = (_centred(_take(splits, starts, part[:, side])) for side in (0, 1))
        product = (first * second).sum(axis=(1, 2, 3), dtype=np.float64)
        power = np.sqrt((first**2).sum(axis=(1, 2, 3)) * (second**2).sum(axis=(1, 2, 3)))
        # Two pictures of one single colour each are the same picture if anything is.
        yield np.divide(product, power, out=np.ones(len(part)), where=power > 0)


def _centred(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = images.astype(np.float32)
    return values - values.mean(axis=(1, 2), keepdims=True)


def _take(
    splits: Mapping[str, NDArray[np.uint8]], starts: Mapping[str, int], numbers: NDArray[np.int64]
) -> NDArray[np.uint8]:
    shape = next(iter(splits.values())).shape[1:]
    taken = np.empty((len(numbers), *shape), np.uint8)
    for name, images in splits.items():
        inside = (numbers >= starts[name]) & (numbers < starts[name] + len(images))
        taken[inside] = images[numbers[inside] - starts[name]]
    return taken


def _place(starts: Mapping[str, int], number: int) -> tuple[str, int]:
    name = [name for name, start in starts.items() if start <= number][-1]
    return name, number - starts[name]


def _cosines(pixels: int) -> NDArray[np.float32]:
    """The first 8 basis vectors of the cosine transform: float32[8, pixels]."""
    places = (np.arange(pixels) + 0.5) * np.pi / pixels
    return np.cos(np.arange(_FREQUENCIES)[:, None] * places).astype(np.float32)
