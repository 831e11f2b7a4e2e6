"""What a policy may do to an image, each with a strength of its own per image: as torchvision does it to one image.

Bytes in, bytes out: uint8[b,3,h,w], and a strength float[b] whose meaning and range each function says.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from lilliput.data.augment.places import sampled

# How bright red, green and blue look, to as many digits as torchvision has.
_GREY = (0.2989, 0.587, 0.114)


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Every pixel times ``factor``, 0 and up."""
    return _looked_up(images, factor[:, None, None] * _levels(images))


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Pixels away from the image's mean grey by ``factor``, 0 and up."""
    mean = _grey(images).flatten(1).mean(1)[:, None, None]
    return _looked_up(images, torch.lerp(mean, _levels(images), factor[:, None, None]))


def colour(images: Tensor, factor: Tensor) -> Tensor:
    """Pixels away from their own grey by ``factor``, 0 and up."""
    return _to_bytes(torch.lerp(_grey(images), images.float(), factor[:, None, None, None]))


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Pixels away from those of a smoothed image by ``factor``, 0 and up; those at the edges stay."""
    kernel = torch.ones(3, 1, 3, 3, device=images.device) / 13
    kernel[:, :, 1, 1] = 5 / 13
    values = images.float()
    smooth = values.clone()
    if min(images.shape[2:]) > 2:
        smooth[:, :, 1:-1, 1:-1] = conv2d(values, kernel, groups=3).round_()
    return _to_bytes(torch.lerp(smooth, values, factor[:, None, None, None]))


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """The highest ``bits`` of every byte, 0 to 8."""
    return _looked_up(
        images, _levels(images) // (step := (2.0 ** (8 - bits))[:, None, None]) * step
    )


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Bytes from the ``threshold`` on, 0 to 255, as 255 less themselves."""
    levels = _levels(images)
    return _looked_up(images, torch.where(levels >= threshold[:, None, None], 255 - levels, levels))


def autocontrast(images: Tensor, strength: Tensor) -> Tensor:
    """Every colour from its darkest to its brightest stretched to 0..255; ``strength`` does not matter."""
    flat = images.flatten(2)
    low, high = flat.amin(2, keepdim=True).float(), flat.amax(2, keepdim=True).float()
    is_flat = low == high
    low, unit = torch.where(is_flat, 0, low), torch.where(is_flat, 1, (high - low) * (1 / 255))
    return _looked_up(images, (_levels(images) - low) / unit)


def equalize(images: Tensor, strength: Tensor) -> Tensor:
    """Every colour's bytes spread so that each range of them is as frequent; ``strength`` does not matter."""
    flat = images.flatten(2).long()
    counts = torch.zeros(*flat.shape[:2], 256, dtype=torch.long, device=images.device)
    counts.scatter_add_(2, flat, torch.ones_like(flat))
    brightest = counts.gather(2, flat.amax(2, keepdim=True))
    step = (flat.shape[2] - brightest) // 255
    below = counts.cumsum(2) - counts
    levels = (below + step // 2) // step.clamp(min=1)
    return _looked_up(images, torch.where(step == 0, _levels(images), levels.float()))


def unchanged(images: Tensor, strength: Tensor) -> Tensor:
    """As it is."""
    return images


def shear_x(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Rows drawn aside: the further down, the further; by ``pixels`` float[b] per row."""
    # About the upper left corner, which lies at (-1, -1).
    height, width = size
    slope = pixels * height / width
    return _matrices(pixels, xy=slope, x=slope)


def shear_y(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Columns drawn down: the further right, the further; by ``pixels`` float[b] per column."""
    height, width = size
    slope = pixels * width / height
    return _matrices(pixels, yx=slope, y=slope)


def translate_x(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Moved to the right by ``pixels`` float[b], whole ones."""
    return _matrices(pixels, x=-2 * pixels.trunc() / size[1])


def translate_y(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Moved down by ``pixels`` float[b], whole ones."""
    return _matrices(pixels, y=-2 * pixels.trunc() / size[0])


def rotate(degrees: Tensor, size: tuple[int, int]) -> Tensor:
    """Turned about the middle, against the clock, by ``degrees`` float[b]."""
    height, width = size
    sine, cosine = degrees.deg2rad().sin(), degrees.deg2rad().cos()
    return _matrices(
        degrees, xx=cosine, xy=-sine * height / width, yx=sine * width / height, yy=cosine
    )


def moved(images: Tensor, matrices: Tensor) -> Tensor:
    """Images whose every pixel is the nearest to where ``matrices`` float[b,2,3] say; black where there is none."""
    return sampled(images.float(), matrices, outside="zeros", mode="nearest").to(torch.uint8)


def _matrices(like: Tensor, **entries: Tensor) -> Tensor:
    """float[b,2,3] that keep everything but for ``entries``, named by row (x, y) and column (x, y, or nothing)."""
    whole = torch.eye(2, 3, device=like.device).repeat(len(like), 1, 1)
    for name, values in entries.items():
        row, column = "xy".index(name[0]), "xy".index(name[1]) if len(name) > 1 else 2
        whole[:, row, column] = values
    return whole


def _levels(images: Tensor) -> Tensor:
    """float[1,1,256]: 0 to 255."""
    return torch.arange(256.0, device=images.device).view(1, 1, 256)


def _looked_up(images: Tensor, levels: Tensor) -> Tensor:
    """The images with every byte replaced by what stands in its place in ``levels`` float[b, 1 or 3, 256]."""
    table = _to_bytes(levels.expand(len(images), 3, 256))
    return table.gather(2, images.flatten(2).long()).view(images.shape)


def _grey(images: Tensor) -> Tensor:
    """float[b,1,h,w]: how bright each pixel looks, in whole numbers."""
    weights = torch.tensor(_GREY, device=images.device)[:, None, None]
    return (images * weights).sum(1, keepdim=True).floor_()


def _to_bytes(values: Tensor) -> Tensor:
    return values.clamp(0, 255).to(torch.uint8)
