"""Brightness, contrast, saturation and hue."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from lilliput.data.batches import Batch, Draws

# How bright red, green and blue look (ITU-R BT.601), as in a JPEG's grey; and the two axes of YIQ's colours.
_GREY = (0.299, 0.587, 0.114)
_IN_PHASE = (0.595716, -0.274453, -0.321263)
_QUADRATURE = (0.211456, -0.522591, 0.311135)
# So many pixels are multiplied at once by as many copies of their image's matrix: one by one takes five times as long.
_TOGETHER = 4


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
