"""Convolutions, some of them as products of matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

SMALL_MAP = 36
"""Up to so many pixels a map is small."""


class Convolution(nn.Conv2d):
    """A convolution of stride 1 whose maps keep their size, with filters of odd size.

    It is taken as a product of matrices where that is faster (docs/experiments.md): on a processor, channels last, with
    filters of one pixel, or in bf16 with larger ones on small maps. The results differ by rounding alone.
    """

    def forward(self, input: Tensor) -> Tensor:
        """float[b,filters,h,w] of float[b,c,h,w]."""
        if not self._is_product(input):
            return super().forward(input)
        rows = input.permute(0, 2, 3, 1)
        if self.kernel_size == (1, 1):
            return linear(rows, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)
        dtype = torch.get_autocast_dtype("cpu")
        maps = _SmallMaps.apply(rows.to(dtype), self.weight.to(dtype).permute(0, 2, 3, 1))
        maps = maps if self.bias is None else maps + self.bias.to(dtype)
        return maps.permute(0, 3, 1, 2)

    def _is_product(self, input: Tensor) -> bool:
        is_small = input.shape[2:].numel() <= SMALL_MAP and torch.is_autocast_enabled("cpu")
        return (
            (self.kernel_size == (1, 1) or is_small)
            and self.groups == 1
            and input.device.type == "cpu"
            and input.is_contiguous(memory_format=torch.channels_last)
        )


class _SmallMaps(torch.autograd.Function):
    """A convolution of rows [b,h,w,c] with filters [f,k,k,c]; all that a filter sees is laid out beside it first."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, filters: Tensor) -> Tensor:
        seen = _seen(rows, filters.shape[1])
        ctx.save_for_backward(seen, filters)
        return (seen @ filters.flatten(1).T).view(*rows.shape[:3], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        seen, filters = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        of_filters = gradient.flatten(0, 2).T @ seen
        # Every pixel's gradient is what those filters see that saw it, each at the mirrored place.
        mirrored = filters.flip(1, 2).permute(1, 2, 0, 3).flatten(0, 2)
        of_rows = _seen(gradient, filters.shape[1]) @ mirrored
        return of_rows.view(*gradient.shape[:3], -1), of_filters.view_as(filters)


def _seen(rows: Tensor, pixels: int) -> Tensor:
    """float[b*h*w,pixels*pixels*c]: the surroundings of every pixel of float[b,h,w,c], zero beyond the edges."""
    images, height, width, maps = rows.shape
    edge = pixels // 2
    padded = pad(rows, (0, 0, edge, edge, edge, edge))
    down, right = padded.stride()[1:3]
    windows = (images, height, width, pixels, pixels * maps)
    strides = (padded.stride(0), down, right, down, 1)
    return padded.as_strided(windows, strides).reshape(images * height * width, -1)
