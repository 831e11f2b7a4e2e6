"""Images turned, moved, scaled and sheared, beside torchvision's of single images where it is installed."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lilliput.data.augment import affine
from lilliput.data.augment.affine import sources
from lilliput.data.augment.places import sampled
from lilliput.data.batches import Batch, Draws

CPU = torch.device("cpu")
CASES = {
    "nothing": (0.0, (0.0, 0.0), 1.0, (0.0, 0.0)),
    "turned": (33.0, (0.0, 0.0), 1.0, (0.0, 0.0)),
    "moved": (0.0, (3.5, -2.25), 1.0, (0.0, 0.0)),
    "larger": (0.0, (0.0, 0.0), 1.3, (0.0, 0.0)),
    "sheared aside": (0.0, (0.0, 0.0), 1.0, (20.0, 0.0)),
    "sheared down": (0.0, (0.0, 0.0), 1.0, (0.0, -15.0)),
    "all at once": (-71.0, (-4.0, 2.5), 0.8, (12.0, -25.0)),
}
"""Degrees with the clock, pixels right and down, a factor, degrees aside and down."""


def pictures(count: int = 3, height: int = 17, width: int = 24) -> Tensor:
    random = torch.Generator().manual_seed(5)
    return torch.rand(count, height, width, 3, generator=random).permute(0, 3, 1, 2)


def done(images: Tensor, case: tuple[float, tuple, float, tuple]) -> Tensor:
    """Lilliput's, every image by the same amounts."""
    degrees, (right, down), factor, (aside, downward) = case
    count, _, height, width = images.shape
    amounts = [torch.full((count,), one) for one in (degrees, factor, aside, downward)]
    shares = torch.tensor([[right / width, down / height]]).expand(count, 2)
    matrices = sources(amounts[0], shares, *amounts[1:], (height, width))
    return sampled(images, matrices, outside="zeros")


@pytest.mark.parametrize("name", CASES)
def test_affine_is_torchvisions(name: str) -> None:
    functional: Any = pytest.importorskip("torchvision.transforms.v2.functional")
    degrees, moved, factor, shears = CASES[name]
    images = pictures()
    ours = done(images, CASES[name])
    for image, changed in zip(images, ours, strict=True):
        theirs = functional.affine(
            image,
            angle=degrees,
            translate=list(moved),
            scale=factor,
            shear=list(shears),
            interpolation=functional.InterpolationMode.BILINEAR,
        )
        torch.testing.assert_close(changed, theirs, rtol=0, atol=1e-4)


def pixel_at(image: Tensor, x: float, y: float) -> Tensor:
    """float[3]: the blend of the four pixels around a place, whose own middles lie at halves; black outside."""
    height, width = image.shape[1:]
    left, top = math.floor(x - 0.5), math.floor(y - 0.5)
    total = torch.zeros(3)
    for column in (left, left + 1):
        for row in (top, top + 1):
            weight = (1 - abs(x - 0.5 - column)) * (1 - abs(y - 0.5 - row))
            if 0 <= column < width and 0 <= row < height:
                total += weight * image[:, row, column]
    return total


@pytest.mark.parametrize("name", CASES)
def test_a_pixel_goes_where_the_steps_take_it_one_by_one(name: str) -> None:
    """Sheared down after aside, turned, scaled, moved: undone here by hand, pixel by pixel."""
    degrees, (right, down), factor, (aside, downward) = CASES[name]
    (image,) = pictures(1, 7, 10)
    (changed,) = done(image[None], CASES[name])
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    for row in range(7):
        for column in range(10):
            x, y = (column + 0.5 - 5 - right) / factor, (row + 0.5 - 3.5 - down) / factor
            x, y = cosine * x + sine * y, cosine * y - sine * x
            y += x * math.tan(math.radians(downward))
            x += y * math.tan(math.radians(aside))
            expected = pixel_at(image, x + 5, y + 3.5)
            torch.testing.assert_close(changed[:, row, column], expected, rtol=0, atol=1e-4)


def test_a_quarter_turn_goes_with_the_clock() -> None:
    image = torch.arange(1.0, 10).view(1, 1, 3, 3).expand(1, 3, 3, 3)
    (turned,) = done(image, (90.0, (0, 0), 1.0, (0, 0)))
    torch.testing.assert_close(turned[0], torch.tensor([[7.0, 4, 1], [8, 5, 2], [9, 6, 3]]))


def test_every_image_is_moved_by_its_own_draw_and_no_further_than_asked() -> None:
    spot = torch.zeros(400, 3, 33, 33)
    spot[:, :, 16, 16] = 1
    moved = affine(Batch(spot, torch.zeros(400, 2)), Draws(1, 400, slice(None), CPU), translate=0.2)
    assert moved.images.is_contiguous(memory_format=torch.channels_last) and moved.boxes is None
    weights = moved.images[:, 0]
    torch.testing.assert_close(weights.sum((1, 2)), torch.ones(400))
    places = torch.arange(33.0) - 16
    for direction in (1, 2):
        shift = (weights.sum(3 - direction) * places).sum(1) / 33
        assert shift.abs().max() <= 0.2 + 1e-5
        assert shift.min() < -0.19 and shift.max() > 0.19


@pytest.mark.parametrize("count", [0, 1])
def test_few_images_or_none_are_taken(count: int) -> None:
    batch = Batch((255 * pictures(count)).to(torch.uint8), torch.zeros(count, 2))
    draws = Draws(1, count, slice(None), CPU)
    asked = {"rotate_degrees": 180.0, "translate": 0.99, "scale": 0.99, "shear_degrees": 60.0}
    result = affine(batch, draws, **asked).images
    assert result.shape == batch.images.shape and result.isfinite().all()
