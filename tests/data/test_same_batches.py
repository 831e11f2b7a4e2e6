"""A recipe gives the very same batches in every version: old runs go on, and can be repeated."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from lilliput.data.augment import augmentations
from lilliput.data.batches import Batches
from lilliput.data.pack import Split
from lilliput.data.selection import Selection
from lilliput.recipe import load_recipe


def noise(count: int = 100) -> Selection:
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
    labels = random.integers(0, 200, count).astype(np.int64)
    boxes = np.full((count, 4), -1, np.int16)
    split = Split(pixels, labels, boxes, tuple(map(str, range(count))))
    return Selection(split, np.arange(count), labels)


# As version 0.1.0 gave them before its augmentations were several files.
CHECKSUMS = {
    "m1": 0xE1F18FDA,
    "speedrun-39": 0xF66F4221,
    "speedrun-60": 0x4D7FD44D,
    "toy-a": 0x91837E8B,
}


@pytest.mark.parametrize("recipe", CHECKSUMS)
def test_two_epochs_of_a_shipped_recipe_are_what_they_were(recipe: str) -> None:
    asked = load_recipe(recipe)
    made = augmentations(asked.augment, asked.training.epochs)
    batches = Batches(noise(), 200, batch_images=32, seed=4, augmentations=made)
    checksum = 0
    for epoch in (1, 2):
        for batch in batches.epoch(epoch):
            pixels = batch.images.permute(0, 2, 3, 1).contiguous().numpy()
            assert pixels.dtype == np.uint8
            for values in (pixels, batch.targets.numpy()):
                checksum = zlib.crc32(values.tobytes(), checksum)
    assert checksum == CHECKSUMS[recipe]
