"""Where things are in an image: mirrored, cut out, moved.

Whole images and rows are moved, not pixels, wherever it can be done: three bytes at a time are slow on every device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from lilliput.data.augment.values import as_floats
from lilliput.data.batches import Batch, Draws
from lilliput.data.residence import send
from lilliput.errors import RecipeError

_MOST_MARGIN = 1.5
_LEAST_WINDOW = 0.25


def flip(batch: Batch, draws: Draws, *, alternate: bool = False) -> Batch:
    """Mirror left and right, each image with probability 1/2. Paper: §4.3.

    With ``alternate`` an image is mirrored in every other epoch, which half of them begin with: so two epochs show
    both of its sides (K. Jordan 2024, arXiv:2404.00498, section 3.6).
    """
    mirrored = draws.alternating() if alternate else draws.chance(0.5)
    images = batch.images.permute(0, 2, 3, 1)
    flipped, plain = _in_words(images.flip(2)), _in_words(images)
    chosen = torch.where(mirrored[:, None], flipped, plain).view(images.dtype).view(images.shape)
    return batch._replace(images=chosen.permute(0, 3, 1, 2), boxes=None)


def _in_words(images: Tensor) -> Tensor:
    """Whole images as rows of eight bytes at a time, or of single values where that does not come out even."""
    rows = images.flatten(1)
    is_even = rows.shape[1] * rows.element_size() % 8 == 0
    return rows.view(torch.int64) if is_even else rows


def box_crop(batch: Batch, draws: Draws, *, probability: float) -> Batch:
    """Cut an image with a bounding box down to the box's surroundings, enlarged to the old size. Paper: §7.

    The window has the image's shape. It is 1 to 1.5 times as wide and high as the smallest that holds the box, at least
    a quarter of the image and at most all of it, and lies at a random place where it holds the box. Gives floats in
    0..1; images without a box, and those the draw passes over, keep their pixels.
    """
    chance, growth = draws.chance(probability), draws.uniform(1, _MOST_MARGIN)
    places = torch.stack([draws.uniform(0, 1), draws.uniform(0, 1)], 1)
    if batch.boxes is None:
        return batch
    images = as_floats(batch.images)
    size = send(torch.tensor([images.shape[3], images.shape[2]]), images.device)
    # All in shares of the image's width and height.
    low, high = batch.boxes[:, :2] / size, (batch.boxes[:, 2:] + 1) / size
    side = ((high - low).amax(1) * growth).clamp(_LEAST_WINDOW, 1)[:, None].expand(-1, 2)
    first, last = (high - side).clamp(min=0), torch.minimum(low, 1 - side)
    corner = first + places * (last - first)
    chosen = chance & (batch.boxes[:, 0] >= 0)
    cut = torch.where(chosen[:, None, None, None], _window(images, corner, side), images)
    return batch._replace(images=cut, boxes=None)


def resized_crop(batch: Batch, draws: Draws, *, least_area: float) -> Batch:
    """Cut out ``least_area`` to all of the image, 3/4 to 4/3 as wide as high, enlarged to the old size. Gives floats.

    Szegedy et al. 2014, arXiv:1409.4842, section 6. Bilinear, as torchvision's; a window that would be wider or higher
    than the image is cut to it, where torchvision draws again.
    """
    area, bias = draws.uniform(least_area, 1), draws.uniform(-1, 1)
    ratio = (bias * math.log(4 / 3)).exp()
    side = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 1).clamp(max=1)
    corner = torch.stack([draws.uniform(0, 1), draws.uniform(0, 1)], 1) * (1 - side)
    cut = _window(as_floats(batch.images), corner, side)
    return batch._replace(images=cut, boxes=None)


def _window(images: Tensor, corner: Tensor, side: Tensor) -> Tensor:
    """The windows at ``corner``, of width and height ``side``: float[b,2] both, shares of the image's."""
    centre = 2 * corner + side - 1  # sampled counts from -1 to 1
    zoom = torch.diag_embed(side)
    return sampled(images, torch.cat([zoom, centre[:, :, None]], 2), outside="border")


def sampled(images: Tensor, matrices: Tensor, *, outside: str, mode: str = "bilinear") -> Tensor:
    """float[b,3,h,w]: each pixel taken from where ``matrices`` float[b,2,3] say, blended from the nearest four.

    Places count from -1 to 1, from edge to edge; ``outside`` are "zeros", black, or the nearest of the "border". With
    the ``mode`` "nearest" a pixel is the nearest one alone.
    """
    if not len(images):  # affine_grid refuses them
        return images
    grid = affine_grid(matrices, list(images.shape), align_corners=False)
    found = grid_sample(images, grid, mode, outside, align_corners=False)
    return found.contiguous(memory_format=torch.channels_last)


def crop(batch: Batch, draws: Draws, *, pixels: int) -> Batch:
    """Reflect ``pixels`` outward at every edge, then cut the old size out at a random place. Paper: §7.

    Raises: RecipeError when the images have too few pixels to reflect.
    """
    images = batch.images
    count, channels, height, width = images.shape
    if pixels >= min(height, width):
        raise RecipeError(
            f"augment.crop_pixels = {pixels}: images of {height}x{width} have too few to mirror",
            f"at most {min(height, width) - 1}",
        )
    rows = images.permute(0, 2, 3, 1)
    left, right = _mirror_index(width, pixels, images.device).split([pixels + width, pixels])
    sides = rows.index_select(2, left[:pixels]), rows.index_select(2, right)
    widened = torch.cat([sides[0], rows, sides[1]], 2)
    # Every piece of a row that is as long as a row of the result, as a view: [place of its first pixel, w * 3].
    wide = width + 2 * pixels
    places = max(0, count * height * wide - width + 1)
    pieces = widened.as_strided((places, width * channels), (channels, 1))
    down, across = draws.integers(0, 2 * pixels), draws.integers(0, 2 * pixels)
    # The rows above and below are mirrored by taking those that are there once more.
    chosen = _mirror_index(height, pixels, images.device)[down[:, None] + _count(height, images)]
    first = (_count(count, images)[:, None] * height + chosen) * wide + across[:, None]
    cut = pieces.index_select(0, first.flatten()).view(count, height, width, channels)
    return batch._replace(images=cut.permute(0, 3, 1, 2), boxes=None)


def _mirror_index(length: int, pixels: int, device: torch.device) -> Tensor:
    places = torch.arange(-pixels, length + pixels, device=device).abs()
    return torch.where(places >= length, 2 * (length - 1) - places, places)


def _count(number: int, images: Tensor) -> Tensor:
    return torch.arange(number, device=images.device)
