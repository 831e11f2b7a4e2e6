"""Pixels as bytes 0..255 or floats 0..1."""

from __future__ import annotations

import torch
from torch import Tensor


def as_floats(images: Tensor) -> Tensor:
    """float[b,3,h,w] in 0..1 of the same or of bytes."""
    return images if images.is_floating_point() else images.float() / 255


def as_bytes(images: Tensor) -> Tensor:
    """uint8[b,3,h,w] of the same or of floats in 0..1."""
    if not images.is_floating_point():
        return images
    return (images * 255).round_().clamp_(0, 255).to(torch.uint8)
