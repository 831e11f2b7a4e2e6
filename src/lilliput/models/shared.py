"""Layers that look beyond one image, and so must know when several processes share a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn


class Shared:
    """A layer that looks beyond one image: where several processes share a batch, it must know of the whole.

    ``batch_images`` is how many images the batch has over all processes, or 0 when this process has them all; ``part``
    says which of them it has. See ``share_batch`` in ``build``.
    """

    batch_images = 0
    part = slice(None)


class SeededDropout(Shared, nn.Module):
    """Dropout that draws from a generator of its own, so that a step can be repeated exactly. Paper: §4.4.

    It draws for the whole batch, so what is dropped does not depend on how many processes share it.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self._seed = 0
        self._generator: torch.Generator | None = None

    @property
    def generator(self) -> torch.Generator | None:
        """What it draws from; None before the first draw."""
        return self._generator

    def reseed(self, seed: int) -> None:
        """What is dropped next follows from ``seed`` alone."""
        self._seed = seed
        if self._generator is not None:
            self._generator.manual_seed(seed)

    def forward(self, values: Tensor) -> Tensor:
        """In training each value is 0 with probability ``rate``, else divided by 1 - rate; otherwise unchanged."""
        if not self.training or self.rate == 0:
            return values
        if self._generator is None or self._generator.device != values.device:
            self._generator = torch.Generator(values.device).manual_seed(self._seed)
        whole = self._room(values)
        kept = whole.bernoulli_(1 - self.rate, generator=self._generator)[self.part]
        return values * kept / (1 - self.rate)

    def _room(self, values: Tensor) -> Tensor:
        """Room for what is drawn for the whole batch."""
        return _of_all(values, self.batch_images) if self.batch_images else torch.empty_like(values)


class StochasticDepth(SeededDropout):
    """Drops all of an image's values or none of them, so that the block they end is passed by.

    Huang et al. 2016, arXiv:1603.09382; per image, and what is kept is divided by how often it is.
    """

    def _room(self, values: Tensor) -> Tensor:
        return values.new_empty(self.batch_images or len(values), *(1,) * (values.ndim - 1))


def _of_all(values: Tensor, images: int) -> Tensor:
    """Room for so many images like those of ``values``, in their memory format: drawn numbers fill it in that order."""
    is_last = not values.is_contiguous() and values.is_contiguous(memory_format=torch.channels_last)
    memory = torch.channels_last if is_last else torch.contiguous_format
    shape = (images, *values.shape[1:])
    return torch.empty(shape, dtype=values.dtype, device=values.device, memory_format=memory)


class BatchNorm(Shared, nn.BatchNorm2d):
    """Batch normalisation that lets a batch of one value per map pass, by the statistics of the batches before it.

    Such a batch (the last image of an epoch, its maps pooled to one pixel) has no deviation of its own. Where several
    processes share a batch, the statistics are those of the whole (torch's own SyncBatchNorm is for CUDA alone).
    """

    def forward(self, input: Tensor) -> Tensor:
        """float[b,c,h,w], every map with mean 0 and deviation 1 over the batch, times a factor, plus an offset."""
        if self.training and self.batch_images:
            return self._together(input)
        if self.training and input.numel() == input.shape[1]:
            return self.eval_forward(input)
        return super().forward(input)

    def eval_forward(self, input: Tensor) -> Tensor:
        """By the running statistics, whatever the mode."""
        return nn.functional.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )

    def _together(self, input: Tensor) -> Tensor:
        """By the statistics of the batch over all processes, each of which calls this at the same time."""
        values = self.batch_images * input.shape[2] * input.shape[3]
        if values == 1:
            return self.eval_forward(input)
        before, running_var, batches = self.running_mean, self.running_var, self.num_batches_tracked
        assert before is not None and running_var is not None and batches is not None
        assert self.momentum is not None
        # About the mean of the batches before, both sums can be taken at once and still keep their digits.
        about = input.float() - before[:, None, None]
        sums = torch.cat([about.sum((0, 2, 3)), about.square().sum((0, 2, 3))])
        mean, square = (_SumOverProcesses.apply(sums) / values).chunk(2)
        variance = (square - mean.square()).clamp(min=0)
        with torch.no_grad():
            batches += 1
            before += self.momentum * mean
            running_var += self.momentum * (variance * values / (values - 1) - running_var)
        factor = self.weight * torch.rsqrt(variance + self.eps)
        offset = self.bias - mean * factor
        return torch.addcmul(offset[:, None, None], about, factor[:, None, None]).to(input.dtype)


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; backwards, of its gradients, for each process has used the sum."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        values = values.clone()
        distributed.all_reduce(values)
        return values

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        gradient = gradient.clone()
        distributed.all_reduce(gradient)
        return gradient
