"""Augmentations: whole batches at once, every image by its own draw, on the device.

Each takes a batch and the step's draws and gives a new batch of the same shape. Paper: §4.3 mirroring; §7 colour
jitter, random cropping and the use of bounding boxes.

Whole images and rows are moved, not pixels, wherever it can be done: three bytes at a time are slow on every device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from lilliput.data.batches import Augmentation, Batch, Draws
from lilliput.data.residence import send
from lilliput.errors import RecipeError
from lilliput.recipe import AugmentRecipe

# How bright red, green and blue look (ITU-R BT.601), as in a JPEG's grey; and the two axes of YIQ's colours.
_GREY = (0.299, 0.587, 0.114)
_IN_PHASE = (0.595716, -0.274453, -0.321263)
_QUADRATURE = (0.211456, -0.522591, 0.311135)
# So many pixels are multiplied at once by as many copies of their image's matrix: one by one takes five times as long.
_TOGETHER = 4
_MOST_MARGIN = 1.5
_LEAST_WINDOW = 0.25


def flip(batch: Batch, draws: Draws, *, alternate: bool = False) -> Batch:
    """Mirror left and right, each image with probability 1/2. Paper: §4.3.

    With ``alternate`` an image is mirrored in every other epoch, which half of them begin with: so two epochs show
    both of its sides (K. Jordan 2024, arXiv:2404.00498, section 3.6).
    """
    mirrored = draws.alternating() if alternate else draws.chance(0.5)
    images = batch.images.permute(0, 2, 3, 1)
    count = len(images)
    both = torch.cat([images, images.flip(2)]).flatten(1)
    places = torch.arange(count, device=images.device) + count * mirrored
    chosen = both.index_select(0, places).view(images.shape)
    return batch._replace(images=chosen.permute(0, 3, 1, 2), boxes=None)


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
    size = send(torch.tensor([images.shape[3], images.shape[2]]), images.device)
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
    if not len(images):  # affine_grid refuses them
        return images
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
    # Every window of the padded batch, as a view: [place of its first pixel, h, w * 3].
    tall, wide = padded.shape[1:3]
    corners = max(0, (count * tall - height) * wide + wide - width + 1)
    windows = padded.as_strided((corners, height, width * channels), (channels, wide * channels, 1))
    down, right = draws.integers(0, 2 * pixels), draws.integers(0, 2 * pixels)
    top = torch.arange(count, device=images.device) * tall + down
    cut = windows.index_select(0, top * wide + right).view(count, height, width, channels)
    return batch._replace(images=cut.permute(0, 3, 1, 2), boxes=None)


def _reflect(images: Tensor, pixels: int) -> Tensor:
    """uint8 or float [b,h,w,c], reflected at all four edges; ``torch.nn.functional.pad`` cannot do it to bytes."""
    height, width = images.shape[1:3]
    columns = _mirror_index(width, pixels, images.device)
    left, right = (
        images.index_select(2, columns[:pixels]),
        images.index_select(2, columns[-pixels:]),
    )
    rows = _mirror_index(height, pixels, images.device)
    return torch.cat([left, images, right], 2).index_select(1, rows)


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
    count, channels, height, width = images.shape
    full = 1 if images.is_floating_point() else 255
    together = math.gcd(height * width, _TOGETHER)
    shape = (count, height * width // together, together * channels)
    pixels = images.permute(0, 2, 3, 1).reshape(shape).float()

    bright, steep, vivid = (
        draws.uniform(1 - amount, 1 + amount)[:, None, None]
        for amount in (brightness, contrast, saturation)
    )
    angle = draws.uniform(-hue, hue)[:, None, None] * (2 * math.pi)
    grey, colour, turned = _parts(images.device)
    mixed = grey + vivid * (angle.cos() * colour + angle.sin() * turned)
    matrix = mixed * (bright * steep / full)
    mean = pixels.mean(1).view(count, together, channels).mean(1, keepdim=True)
    # Grey has no colour: an offset of grey is the same for red, green and blue, and the matrix leaves it as it is.
    offset = (1 - steep) * bright / full * (mean @ grey[:, :1])
    matrices = torch.kron(torch.eye(together, device=images.device), matrix)
    # baddbmm would write the offset to every pixel first.
    changed = torch.bmm(pixels, matrices).add_(offset).clamp_(0, 1)
    return batch._replace(images=changed.view(count, height, width, channels).permute(0, 3, 1, 2))


class _Parts(NamedTuple):
    """float32[3,3] each: what makes of a pixel (r, g, b), a row, its grey, its colour, and its colour turned by 90°.

    A pixel is the sum of the first two. Grey has no colour and colour no grey, so each can be changed alone. The colour
    wheel is that of YIQ's I and Q.
    """

    grey: Tensor
    colour: Tensor
    turned: Tensor


@cache
def _parts(device: torch.device) -> _Parts:
    to_yiq = torch.tensor([_GREY, _IN_PHASE, _QUADRATURE], dtype=torch.float64).T
    to_rgb = torch.linalg.inv(to_yiq)
    grey = to_yiq[:, :1] @ to_rgb[:1]
    colour = to_yiq[:, 1:] @ to_rgb[1:]
    turned = to_yiq[:, 1:2] @ to_rgb[2:] - to_yiq[:, 2:] @ to_rgb[1:2]
    return _Parts(*(part.float().to(device) for part in (grey, colour, turned)))


def smooth_labels(batch: Batch, draws: Draws, *, share: float) -> Batch:
    """Spread this share of every target evenly over the classes (Szegedy et al. 2015, arXiv:1512.00567, section 7).

    The loss of the training is then that of the smoothed targets; which class is right does not change.
    """
    return batch._replace(targets=batch.targets * (1 - share) + share / batch.targets.shape[1])


def _box_crop(recipe: AugmentRecipe) -> Augmentation | None:
    return partial(box_crop, probability=recipe.box_crop) if recipe.box_crop else None


def _crop(recipe: AugmentRecipe) -> Augmentation | None:
    return partial(crop, pixels=recipe.crop_pixels) if recipe.crop_pixels else None


def _flip(recipe: AugmentRecipe) -> Augmentation | None:
    return partial(flip, alternate=recipe.flip == "alternate") if recipe.flip else None


def _jitter(recipe: AugmentRecipe) -> Augmentation | None:
    amounts = recipe.model_dump(include={"brightness", "contrast", "saturation", "hue"})
    return partial(jitter, **amounts) if any(amounts.values()) else None


def _smooth_labels(recipe: AugmentRecipe) -> Augmentation | None:
    share = recipe.label_smoothing
    return partial(smooth_labels, share=share) if share else None


AUGMENTATIONS: dict[str, Callable[[AugmentRecipe], Augmentation | None]] = {
    "box_crop": _box_crop,
    "crop": _crop,
    "flip": _flip,
    "jitter": _jitter,
    "smooth_labels": _smooth_labels,
}
"""Every augmentation in the order it is applied: from the recipe to what it does, or None where it is off."""


def augmentations(recipe: AugmentRecipe) -> tuple[Augmentation, ...]:
    """What a recipe switches on, in order."""
    made = (make(recipe) for make in AUGMENTATIONS.values())
    return tuple(augmentation for augmentation in made if augmentation)
