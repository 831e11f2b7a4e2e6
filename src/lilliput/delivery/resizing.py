"""Resize as matrix products: what torch does to bytes on the CPU, bit for bit, in arithmetic that any format knows.

``interpolate`` of bytes with ``antialias=True`` is not the interpolation of floats. Its weights are whole numbers below
2^15 over a power of two; columns are scaled first, then rows, and each time the sums are rounded to bytes.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_WEIGHT_LIMIT = 1 << 15
_MOST_BITS = 22
# 255 times weights that sum to 2^16, and a half: every sum on the way is below 2^24, where float32 knows whole numbers.
_EXACT_IN_FLOAT32 = 16


class ExactResize(nn.Module):
    """Images of ``size`` (height, width) made ``pixels`` high and wide, as ``interpolate`` makes bytes on the CPU."""

    def __init__(self, size: tuple[int, int], pixels: int) -> None:
        super().__init__()
        height, width = size
        # torch leaves out the pass along a side that has the wanted length.
        self.columns = nn.Identity() if width == pixels else _Pass(width, pixels, is_rows=False)
        self.rows = nn.Identity() if height == pixels else _Pass(height, pixels, is_rows=True)

    def forward(self, images: Tensor) -> Tensor:
        """uint8[b,3,pixels,pixels] of uint8[b,3,h,w]."""
        return self.rows(self.columns(images))


class _Pass(nn.Module):
    """One side of the images scaled, the result rounded to bytes."""

    weight: Tensor

    def __init__(self, length: int, pixels: int, *, is_rows: bool) -> None:
        super().__init__()
        weight, bits = fixed_point_weights(length, pixels)
        self.is_rows = is_rows
        self.one = float(1 << bits)
        self.dtype = torch.float32 if bits <= _EXACT_IN_FLOAT32 else torch.float64
        matrix = torch.from_numpy(weight if is_rows else np.ascontiguousarray(weight.T))
        self.register_buffer("weight", matrix.to(self.dtype))

    def forward(self, images: Tensor) -> Tensor:
        values = images.to(self.dtype)
        sums = self.weight @ values if self.is_rows else values @ self.weight
        return ((sums + self.one / 2) / self.one).floor().clamp(max=255).to(torch.uint8)


def fixed_point_weights(length: int, pixels: int) -> tuple[NDArray[np.float64], int]:
    """What each of ``length`` pixels counts in each of ``pixels``, as whole numbers float64[pixels,length] over 2^bits.

    Weights fall linearly to 0 at the distance of one pixel of the coarser side.
    """
    scale = length / pixels
    reach = max(scale, 1.0)
    centres = scale * (np.arange(pixels)[:, None] + 0.5)
    places = np.arange(length)[None, :] + 0.5
    # Which pixels count is decided by their edges, cut to whole numbers.
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + reach + 0.5).astype(np.int64), length)
    counts = (places > first) & (places < last)
    weights = np.where(counts, np.maximum(1 - np.abs(places - centres) / reach, 0), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    bits = 0
    while bits < _MOST_BITS and int(0.5 + weights.max() * (1 << (bits + 1))) < _WEIGHT_LIMIT:
        bits += 1
    return np.floor(weights * (1 << bits) + 0.5), bits
