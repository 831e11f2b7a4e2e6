"""Two matrix products are what torch does to bytes."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import interpolate

from lilliput.delivery.resizing import ExactResize, fixed_point_weights


@pytest.mark.parametrize("height", [16, 33, 64])
@pytest.mark.parametrize("width", [17, 64])
@pytest.mark.parametrize("pixels", [3, 8, 16, 33, 48, 63, 64, 100])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_bytes_are_resized_as_torch_does_it_to_the_bit(
    height: int, width: int, pixels: int, memory: torch.memory_format
) -> None:
    generator = torch.Generator().manual_seed(height * width * pixels)
    images = torch.randint(0, 256, (3, 3, height, width), dtype=torch.uint8, generator=generator)
    images[0] = 255 * (images[0] > 127)  # whatever lies beyond a byte is cut
    images = images.contiguous(memory_format=memory)
    expected = interpolate(images, (pixels, pixels), mode="bilinear", antialias=True)
    found = ExactResize((height, width), pixels)(images)
    assert found.dtype == torch.uint8
    assert torch.equal(found, expected)


@pytest.mark.parametrize(("length", "pixels"), [(64, 48), (64, 3), (16, 48), (7, 7)])
def test_weights_are_whole_numbers_that_sum_to_one(length: int, pixels: int) -> None:
    weights, bits = fixed_point_weights(length, pixels)
    assert weights.shape == (pixels, length)
    assert (weights == weights.round()).all() and weights.max() < 1 << 15
    assert (abs(weights.sum(axis=1) / (1 << bits) - 1) < 1e-3).all()


def test_products_are_in_float32_where_that_is_exact() -> None:
    assert ExactResize((64, 64), 48).rows.weight.dtype == torch.float32
    assert ExactResize((64, 64), 3).rows.weight.dtype == torch.float64


def test_a_side_of_the_wanted_length_is_left_alone() -> None:
    resize = ExactResize((16, 20), 16)
    assert isinstance(resize.rows, torch.nn.Identity)
    assert not isinstance(resize.columns, torch.nn.Identity)
