from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from lilliput.analysis.audit.duplicates import find_duplicates, hash_images, near_pairs

RANDOM = np.random.default_rng(3)


def pictures(n: int, size: tuple[int, int] = (64, 64)) -> np.ndarray:
    """Soft random pictures with as much detail as the hash looks at."""
    coarse = RANDOM.integers(0, 256, (n, 12, 12, 3), dtype=np.uint8)
    soft = [Image.fromarray(one).resize(size[::-1], Image.Resampling.BICUBIC) for one in coarse]
    return np.stack([np.asarray(one) for one in soft])


@pytest.mark.parametrize("most", [0, 1, 4, 6])
def test_all_near_pairs_are_found_and_no_others(most: int) -> None:
    hashes = RANDOM.integers(0, 2**64, 150, dtype=np.uint64)
    # A chain in which each differs from the one before in two bits, anywhere.
    for i in range(100, 150):
        flips = RANDOM.choice(64, 2, replace=False)
        hashes[i] = hashes[i - 1] ^ np.uint64((1 << int(flips[0])) | (1 << int(flips[1])))
    hashes[7] = hashes[99]
    expected = [
        [i, j]
        for i, j in combinations(range(150), 2)
        if (int(hashes[i]) ^ int(hashes[j])).bit_count() <= most
    ]
    assert near_pairs(hashes, most).tolist() == expected
    assert [7, 99] in expected


def test_few_hashes_have_no_pairs() -> None:
    assert near_pairs(np.empty(0, np.uint64), 4).shape == (0, 2)
    assert near_pairs(np.array([5], np.uint64), 4).shape == (0, 2)


def test_the_hash_survives_brightness_and_noise_but_not_another_picture() -> None:
    images = pictures(20)
    noisy = np.clip(images * 0.8 + 20 + RANDOM.normal(0, 3, images.shape), 0, 255).astype(np.uint8)
    first, again = hash_images(images), hash_images(noisy)
    assert np.bitwise_count(first ^ again).max() <= 6
    others = [int(np.bitwise_count(a ^ b)) for a, b in combinations(first, 2)]
    assert np.median(others) > 20


def test_the_hash_takes_any_size() -> None:
    images = pictures(1, (32, 64))
    assert hash_images(images[:0]).shape == (0,)
    taller = hash_images(images.repeat(2, axis=1))
    assert np.bitwise_count(hash_images(images) ^ taller)[0] <= 4


def test_a_test_picture_that_is_a_training_picture_is_found(pack) -> None:
    found = find_duplicates(pack)
    assert [(one.first, one.second) for one in found] == [(("train", 0), ("test", 0))]
    assert found[0].bits == 0
    assert found[0].correlation == pytest.approx(1)
