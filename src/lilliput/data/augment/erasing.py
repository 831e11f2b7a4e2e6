"""Rectangles that hide a part of an image."""

from __future__ import annotations

import math

import torch

from lilliput.data.batches import Batch, Draws

_LEAST_AREA, _MOST_AREA = 0.02, 1 / 3
_MOST_RATIO = 1 / 0.3


def erase(batch: Batch, draws: Draws, *, probability: float) -> Batch:
    """Cover a rectangle of an image with middle grey, with this ``probability`` (Zhong et al. 2017, arXiv:1708.04896).

    A fiftieth to a third of the image, 0.3 to 3.3 times as high as wide, all of it inside; a side that would be longer
    than the image is cut to it, where torchvision draws again.
    """
    images = batch.images
    height, width = images.shape[2:]
    chosen = draws.chance(probability)
    area = draws.uniform(_LEAST_AREA, _MOST_AREA) * height * width
    ratio = draws.uniform(-math.log(_MOST_RATIO), math.log(_MOST_RATIO)).exp()
    down = _covered(height, (area * ratio).sqrt(), draws)
    across = _covered(width, (area / ratio).sqrt(), draws)
    covered = (down[:, :, None] & across[:, None, :] & chosen[:, None, None])[:, None]
    grey = 0.5 if images.is_floating_point() else 128
    return batch._replace(images=images.clone().masked_fill_(covered, grey), boxes=None)


def _covered(size: int, length: torch.Tensor, draws: Draws) -> torch.Tensor:
    """bool[b,size]: a stretch of ``length`` float[b] pixels, to the nearest, at a random place."""
    length = length.round().clamp(1, size)
    first = (draws.uniform(0, 1) * (size - length + 1)).floor().clamp(max=size - 1)
    places = torch.arange(size, device=length.device)
    return (places >= first[:, None]) & (places < (first + length)[:, None])
