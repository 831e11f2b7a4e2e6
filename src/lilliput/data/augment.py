"""Augmentations: whole batches at once, every image by its own draw, on the device.

Each takes a batch and the step's draws and gives a new batch of the same shape. Paper: §4.3 mirroring; §7 colour
jitter, random cropping and the use of bounding boxes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from lilliput.data.batches import Augmentation, Batch, Draws
from lilliput.errors import RecipeError
from lilliput.recipe import AugmentRecipe

# How bright red, green and blue look (ITU-R BT.601), as in a JPEG's grey.
_GREY = (0.299, 0.587, 0.114)
_MOST_MARGIN = 1.5
_LEAST_WINDOW = 0.25


def flip(batch: Batch, draws: Draws) -> Batch:
    """Mirror left and right, each image with probability 1/2. Paper: §4.3."""
    mirrored = draws.chance(0.5)[:, None, None, None]
    images = torch.where(mirrored, batch.images.flip(3), batch.images)
    return batch._replace(images=images, boxes=None)


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
    images = batch.images if batch.images.is_floating_point() else batch.images.float() / 255
    size = torch.tensor([images.shape[3], images.shape[2]], device=images.device)
    # All in shares of the image's width and height.
    low, high = batch.boxes[:, :2] / size, (batch.boxes[:, 2:] + 1) / size
    side = ((high - low).amax(1) * growth).clamp(_LEAST_WINDOW, 1)[:, None]
    first, last = (high - side).clamp(min=0), torch.minimum(low, 1 - side)
    corner = first + places * (last - first)
    chosen = chance & (batch.boxes[:, 0] >= 0)
    cut = torch.where(chosen[:, None, None, None], _window(images, corner, side), images)
    return batch._replace(images=cut, boxes=None)


def _window(images: Tensor, corner: Tensor, side: Tensor) -> Tensor:
    """The windows at ``corner`` float[b,2] (x, y), ``side`` float[b,1] wide and high (shares of the image)."""
    centre = 2 * corner + side - 1  # grid_sample counts from -1 to 1
    zoom = torch.diag_embed(side.expand(-1, 2))
    grid = affine_grid(torch.cat([zoom, centre[:, :, None]], 2), list(images.shape), False)
    sampled = grid_sample(images, grid, "bilinear", "border", align_corners=False)
    return sampled.contiguous(memory_format=torch.channels_last)


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
    padded = _reflect(images.permute(0, 2, 3, 1), pixels)
    # Every window of the padded image, as a view [b, offset y, offset x, h, w, 3]; indexing copies one per image.
    image, row, column, channel = padded.stride()
    places = 2 * pixels + 1
    windows = padded.as_strided(
        (count, places, places, height, width, channels),
        (image, row, column, row, column, channel),
    )
    down, right = draws.integers(0, 2 * pixels), draws.integers(0, 2 * pixels)
    cut = windows[torch.arange(count, device=images.device), down, right]
    return batch._replace(images=cut.permute(0, 3, 1, 2), boxes=None)


def _reflect(images: Tensor, pixels: int) -> Tensor:
    """uint8 or float [b,h,w,c], reflected at all four edges; ``torch.nn.functional.pad`` cannot do it to bytes."""
    if images.is_floating_point():
        return (
            pad(images.permute(0, 3, 1, 2), (pixels,) * 4, "reflect")
            .permute(0, 2, 3, 1)
            .contiguous()
        )
    height, width = images.shape[1:3]
    rows = _mirror_index(height, pixels, images.device)
    columns = _mirror_index(width, pixels, images.device)
    return images.index_select(1, rows).index_select(2, columns)


def _mirror_index(length: int, pixels: int, device: torch.device) -> Tensor:
    places = torch.arange(-pixels, length + pixels, device=device).abs()
    return torch.where(places >= length, 2 * (length - 1) - places, places)


def jitter(
    batch: Batch,
    draws: Draws,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> Batch:
    """Change brightness, contrast, saturation and hue, in this order, by up to the given amounts. Paper: §7.

    All four are linear in the colours, so they are one 3x3 matrix and one offset per image. Gives floats in 0..1.
    """
    images = batch.images
    if not images.is_floating_point():
        images = images.float() / 255
    count, device = len(images), images.device
    identity = torch.eye(3, device=device).expand(count, 3, 3)
    grey = torch.tensor(_GREY, device=device).expand(3, 3)

    def factor(amount: float) -> Tensor:
        return draws.uniform(1 - amount, 1 + amount)[:, None, None]

    bright, steep, vivid = factor(brightness), factor(contrast), factor(saturation)
    turned = _hue_rotation(draws.uniform(-hue, hue) * 2 * math.pi)
    mean_grey = (images.mean(dim=(2, 3)) * torch.tensor(_GREY, device=device)).sum(1)[:, None]
    colour = turned @ (vivid * identity + (1 - vivid) * grey)
    matrix = colour * steep * bright
    offset = (colour @ ((1 - steep) * bright * mean_grey[:, None]).expand(count, 3, 1))[:, :, 0]
    pixels = images.permute(0, 2, 3, 1).flatten(1, 2)
    changed = torch.baddbmm(offset[:, None, :], pixels, matrix.transpose(1, 2)).clamp_(0, 1)
    height, width = images.shape[2:]
    return batch._replace(images=changed.unflatten(1, (height, width)).permute(0, 3, 1, 2))


def _hue_rotation(angles: Tensor) -> Tensor:
    """float32[b,3,3]: turn colours about the grey axis (a rotation of YIQ's I and Q), which keeps their grey."""
    to_yiq = torch.tensor(
        [_GREY, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)],
        device=angles.device,
    )
    turn = torch.zeros(len(angles), 3, 3, device=angles.device)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = angles.cos()
    turn[:, 2, 1] = angles.sin()
    turn[:, 1, 2] = -angles.sin()
    return torch.linalg.inv(to_yiq) @ turn @ to_yiq


def _box_crop(recipe: AugmentRecipe) -> Augmentation | None:
    return partial(box_crop, probability=recipe.box_crop) if recipe.box_crop else None


def _crop(recipe: AugmentRecipe) -> Augmentation | None:
    return partial(crop, pixels=recipe.crop_pixels) if recipe.crop_pixels else None


def _flip(recipe: AugmentRecipe) -> Augmentation | None:
    return flip if recipe.flip else None


def _jitter(recipe: AugmentRecipe) -> Augmentation | None:
    amounts = recipe.model_dump(include={"brightness", "contrast", "saturation", "hue"})
    return partial(jitter, **amounts) if any(amounts.values()) else None


AUGMENTATIONS: dict[str, Callable[[AugmentRecipe], Augmentation | None]] = {
    "box_crop": _box_crop,
    "crop": _crop,
    "flip": _flip,
    "jitter": _jitter,
}
"""Every augmentation in the order it is applied: from the recipe to what it does, or None where it is off."""


def augmentations(recipe: AugmentRecipe) -> tuple[Augmentation, ...]:
    """What a recipe switches on, in order."""
    made = (make(recipe) for make in AUGMENTATIONS.values())
    return tuple(augmentation for augmentation in made if augmentation)
