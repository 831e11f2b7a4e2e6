"""Convolutions, some of them as products of matrices."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear, pad

SMALL_MAP = 36
"""Up to so many pixels a map is small."""


class Convolution(nn.Conv2d):
    """A convolution; filters are odd, ``padding`` half of them, so that with stride 1 maps keep their size.

    It is taken as a product of matrices where that is faster (docs/experiments.md): on a processor, channels last, with
    stride 1 and filters of one pixel, or with larger ones on small maps in bf16 where the processor has matrix
    instructions for it. The results differ by rounding alone.
    """

    def forward(self, input: Tensor) -> Tensor:
        """float[b,filters,h,w] of float[b,c,h,w]."""
        if not self._is_product(input):
            return super().forward(input)
        rows = input.permute(0, 2, 3, 1)
        if self.kernel_size == (1, 1):
            maps = linear(rows, self.weight.flatten(1), self.bias)
        else:
            maps = _SmallMaps.apply(
                rows.bfloat16(), self.weight.bfloat16().permute(0, 2, 3, 1)
            ).unflatten(0, rows.shape[:3])
            maps = maps if self.bias is None else maps + self.bias.bfloat16()
        return maps.permute(0, 3, 1, 2)

    def _is_product(self, input: Tensor) -> bool:
        return (
            (self.kernel_size == (1, 1) or (_is_small(input) and has_matrix_instructions()))
            and self.groups == 1
            and self.stride == (1, 1)
            and input.device.type == "cpu"
            and input.is_contiguous(memory_format=torch.channels_last)
        )


@cache
def has_matrix_instructions() -> bool:
    """Whether the processor multiplies matrices of bf16 (AMX); with vectors alone convolutions are faster."""
    # Older versions of torch do not tell.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16"))


def _is_small(input: Tensor) -> bool:
    """Whether these are small maps, and products round to bf16."""
    is_bf16 = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return is_bf16 and 0 < input[:, 0].numel() <= len(input) * SMALL_MAP


class _SmallMaps(torch.autograd.Function):
    """A convolution of rows [b,h,w,c] with filters [f,k,k,c] gives [b*h*w,f].

    All that a filter sees at a pixel is laid out in one row first, which is multiplied by all filters.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, filters: Tensor) -> Tensor:
        seen = _seen(rows, filters.shape[1])
        ctx.save_for_backward(seen, filters)
        ctx.shape = rows.shape
        return seen @ filters.flatten(1).T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore
        seen, filters = ctx.saved_tensors
        (gradient,) = grad_outputs
        of_filters = gradient.T @ seen
        # A convolution too: of the gradient, with the filters turned by 180 degrees and their sides exchanged.
        turned = filters.flip(1, 2).permute(1, 2, 0, 3).flatten(0, 2)
        images, height, width, _ = ctx.shape
        around = _seen(gradient.reshape(images, height, width, len(filters)), filters.shape[1])
        return (around @ turned).view(ctx.shape), of_filters.view_as(filters)


def _seen(rows: Tensor, pixels: int) -> Tensor:
    """float[b*h*w,pixels*pixels*c]: the surroundings of every pixel of float[b,h,w,c], zero beyond the edges."""
    images, height, width, maps = rows.shape
    edge = pixels // 2
    padded = pad(rows, (0, 0, edge, edge, edge, edge))
    down, right = padded.stride()[1:3]
    windows = (images, height, width, pixels, pixels * maps)
    strides = (padded.stride(0), down, right, down, 1)
    return padded.as_strided(windows, strides).reshape(images * height * width, -1)
