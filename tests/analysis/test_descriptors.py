from __future__ import annotations

import numpy as np
import pytest

from lilliput.analysis.descriptors import (
    box_masks,
    class_means,
    describe,
    likeness,
    likeness_to_others,
    measure_boxes,
)
from lilliput.data.pack import Split

NO_BOX = [-1, -1, -1, -1]


def split_of(images: np.ndarray, boxes: list[list[int]] | None = None) -> Split:
    n = len(images)
    found = np.array(boxes or [NO_BOX] * n, np.int16)
    return Split(images.astype(np.uint8), np.zeros(n, np.int64), found, tuple(map(str, range(n))))


def stripes(angle: float, size: int = 64) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    wave = 127 + 120 * np.sin(0.7 * (x * np.cos(angle) + y * np.sin(angle)))
    return np.repeat(wave[..., None], 3, axis=2)


def test_colours_are_alike_whatever_the_place() -> None:
    red, blue = np.zeros((2, 64, 64, 3))
    red[..., 0] = blue[..., 2] = 200
    half = red.copy()
    half[:, 32:] = blue[:, 32:]
    turned = half[:, ::-1]
    look = describe(split_of(np.stack([red, blue, half, turned])), np.arange(4))
    alike = look.colours @ look.colours.T
    assert alike[0, 1] == pytest.approx(0)
    assert alike[2, 3] == pytest.approx(1)
    assert alike[0, 2] == pytest.approx(np.sqrt(0.5))
    assert look.mean_colours[0].tolist() == pytest.approx([200 / 255, 0, 0])


def test_edges_tell_directions_and_not_brightness() -> None:
    pictures = np.stack([stripes(0.2), stripes(0.2) * 0.5, stripes(0.2 + np.pi / 2)])
    edges = describe(split_of(pictures), np.arange(3)).edges
    assert edges[0] @ edges[1] > 0.98
    assert edges[0] @ edges[2] < 0.6


def test_edges_are_those_inside_the_box() -> None:
    picture = stripes(0.0)
    other = np.full_like(picture, 90)
    other[:, :32] = picture[:, :32]
    look = describe(split_of(np.stack([picture, other]), [[0, 0, 31, 63]] * 2), np.arange(2))
    assert look.edges[0] @ look.edges[1] == pytest.approx(1)


def test_surroundings_are_what_is_outside_the_box() -> None:
    picture = np.zeros((64, 64, 3))
    picture[..., 2] = 200
    picture[16:48, 16:48] = [200, 0, 0]
    boxes = [[16, 16, 47, 47], [0, 0, 63, 63], NO_BOX]
    look = describe(split_of(np.stack([picture] * 3), boxes), np.arange(3))
    assert (look.surroundings[0] > 0).sum() == 1
    assert not look.surroundings[1:].any()


@pytest.mark.parametrize("shape", [(1, 1), (7, 33), (16, 16), (100, 60)])
def test_pictures_of_any_size_are_described(shape: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *shape, 3))
    look = describe(split_of(images), np.array([2, 0]))
    assert look.colours.shape == (2, 64)
    assert look.edges.shape == (2, 128)
    assert np.isfinite(look.edges).all()
    assert describe(split_of(images), np.empty(0, np.int64)).colours.shape == (0, 64)


def test_likeness_is_the_mean_over_all_pairs() -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(9, 5)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.array([0, 2, 0, 0, 2, 1, 0, 2, 2])
    pairs = [
        rows[i] @ rows[j]
        for i in range(9)
        for j in range(9)
        if i != j and labels[i] == labels[j] == 0
    ]
    alike = likeness(rows, labels, 4)
    assert alike[0] == pytest.approx(np.mean(pairs), abs=1e-6)
    assert np.isnan(alike[[1, 3]]).all()
    others = [rows[0] @ rows[j] for j in (2, 3, 6)]
    to_others = likeness_to_others(rows, labels, 4)
    assert to_others[0] == pytest.approx(np.mean(others), abs=1e-6)
    assert np.isnan(to_others[5])
    assert np.allclose(class_means(rows, labels, 4)[2], rows[labels == 2].mean(axis=0), atol=1e-6)


def test_boxes_are_measured_with_both_ends_inside() -> None:
    boxes = measure_boxes(
        split_of(np.zeros((3, 10, 20, 3)), [[0, 0, 19, 9], [2, 3, 5, 4], NO_BOX]), np.arange(3)
    )
    assert boxes.area[:2].tolist() == [1, 8 / 200]
    assert boxes.aspect[1] == pytest.approx(np.log(2))
    assert boxes.edges_touched.tolist() == [4, 0, 0]
    assert boxes.are_known.tolist() == [True, True, False]


def test_masks_cover_the_box_or_everything() -> None:
    masks = box_masks(np.array([[1, 0, 2, 1], NO_BOX], np.int16), 3, 4)
    assert masks[0].sum() == 4
    assert masks[0, 1, 2]
    assert masks[1].all()
