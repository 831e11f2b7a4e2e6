"""Images turned, moved, scaled and sheared, all at once."""

from __future__ import annotations

import torch
from torch import Tensor

from lilliput.data.augment.places import sampled
from lilliput.data.augment.values import as_floats
from lilliput.data.batches import Batch, Draws


def affine(
    batch: Batch,
    draws: Draws,
    *,
    rotate_degrees: float = 0.0,
    translate: float = 0.0,
    scale: float = 0.0,
    shear_degrees: float = 0.0,
) -> Batch:
    """Shear, turn, scale and move every image, in this order, by up to the given amounts. Gives floats in 0..1.

    Shears go aside and down, each by up to ``shear_degrees`` of its own; turns and scales are about the middle, a scale
    from 1 - ``scale`` to 1 + ``scale``; ``translate`` is in shares of the image's width and height. Bilinear, and black
    where nothing is left, as torchvision's affine with that interpolation.
    """
    degrees = draws.uniform(-rotate_degrees, rotate_degrees)
    right, down = draws.uniform(-translate, translate), draws.uniform(-translate, translate)
    factor = draws.uniform(1 - scale, 1 + scale)
    aside = draws.uniform(-shear_degrees, shear_degrees)
    downward = draws.uniform(-shear_degrees, shear_degrees)
    height, width = batch.images.shape[2:]
    matrices = sources(
        degrees, torch.stack([right, down], 1), factor, aside, downward, (height, width)
    )
    moved = sampled(as_floats(batch.images), matrices, outside="zeros")
    return batch._replace(images=moved, boxes=None)


def sources(
    degrees: Tensor,
    moved: Tensor,
    factor: Tensor,
    aside: Tensor,
    downward: Tensor,
    size: tuple[int, int],
) -> Tensor:
    """float[b,2,3]: where in the old image each pixel of the new one lies, both counted from -1 to 1.

    ``degrees`` (with the clock), ``aside`` and ``downward`` (shears, in degrees) and ``factor`` are float[b]; ``moved``
    is float[b,2], right and down in shares of the image; ``size`` is height and width.
    """
    height, width = size
    one, none = torch.ones_like(degrees), torch.zeros_like(degrees)
    angle, across, along = (one.deg2rad() for one in (degrees, aside, downward))
    # Every step undone, the last one first.
    turned = _matrix(angle.cos(), angle.sin(), -angle.sin(), angle.cos())
    down = _matrix(one, none, along.tan(), one)
    right = _matrix(one, across.tan(), none, one)
    undone = right @ down @ turned / factor[:, None, None]
    # A turn is one of pixels, not of shares of an image that is wider than high.
    sides = torch.stack([one * width, one * height], 1)
    undone = undone * sides[:, None, :] / sides[:, :, None]
    return torch.cat([undone, undone @ (-2 * moved[:, :, None])], 2)


def _matrix(xx: Tensor, xy: Tensor, yx: Tensor, yy: Tensor) -> Tensor:
    return torch.stack([xx, xy, yx, yy], 1).view(-1, 2, 2)
