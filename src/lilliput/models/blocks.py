"""One module per word of the notation."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import conv2d, interpolate

from lilliput.models.convolution import Convolution
from lilliput.notation import (
    BN,
    FC,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    MaxPool,
    Residual,
    Resize,
    Shape,
    Whiten,
)

LEAKY_SLOPE = (
    0.01  # the paper's small constant alpha (§4.2) is not given; this is the field's usual one
)


class Standardize(nn.Module):
    """Subtracts the mean image and divides by the scale. Paper: §4.3.

    Takes images [b,3,h,w], uint8 in 0..255 or float in 0..1.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.clone())
        self.register_buffer("scale", scale.clone())

    def forward(self, images: Tensor) -> Tensor:
        """float32[b,3,h,w], every feature with mean 0 and deviation 1 over the training images."""
        factor, offset = 1 / self.scale, -self.mean / self.scale
        unit = 1 / 255 if images.dtype == torch.uint8 else 1
        return torch.addcmul(
            _beside(images, offset), images.float(), _beside(images, factor), value=unit
        )


def _beside(images: Tensor, feature: Tensor) -> Tensor:
    """float[1,3,h,w] of [3,h,w] or [3,1,1], in memory as the images are: else combining them is many times as slow."""
    last = images.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    return feature.expand(1, *images.shape[1:]).contiguous(memory_format=layout)


class ResizedImages(nn.Module):
    """Images made ``pixels`` high and wide; bilinear, and smoothed before they shrink."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, images: Tensor) -> Tensor:
        """[b,3,pixels,pixels] of [b,3,h,w]; bytes stay bytes on the CPU, where that is several times faster."""
        if images.shape[2:] == (self.pixels, self.pixels):
            return images
        if images.dtype == torch.uint8 and images.device.type != "cpu":
            images = images.float() / 255
        return interpolate(images, (self.pixels, self.pixels), mode="bilinear", antialias=True)


class Whitening(nn.Module):
    """A convolution whose filters are measured on the training images (``models.whiten``) and never learned."""

    weight: Tensor

    def __init__(self, layer: Whiten, channels: int) -> None:
        super().__init__()
        shape = (layer.filters, channels, layer.filter_pixels, layer.filter_pixels)
        self.stride = layer.stride
        self.padding = (layer.filter_pixels - layer.stride) // 2
        self.register_buffer("weight", torch.zeros(shape))

    def forward(self, images: Tensor) -> Tensor:
        """float[b,filters,h/stride,w/stride] of float[b,channels,h,w]."""
        return conv2d(images, self.weight, stride=self.stride, padding=self.padding)


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
        whole = (
            _of_all(values, self.batch_images) if self.batch_images else torch.empty_like(values)
        )
        kept = whole.bernoulli_(1 - self.rate, generator=self._generator)[self.part]
        return values * kept / (1 - self.rate)


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


class MapMeans(nn.Module):
    """The mean of each map: float[b,c] of float[b,c,h,w]."""

    def forward(self, values: Tensor) -> Tensor:
        """Summed as the values lie in memory, so that the gradient lies like them; torch's own pooling loses the order,
        and the layer before then takes four times as long (docs/experiments.md)."""
        if values.is_contiguous(memory_format=torch.channels_last):
            return values.permute(0, 2, 3, 1).flatten(1, 2).mean(1)
        return values.flatten(2).mean(2)


class ResidualBlock(nn.Module):
    """What comes in (through ``shortcut``, if there is one) plus ``body`` of it; then ReLU."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, values: Tensor) -> Tensor:
        """float[b,filters,h,w] of float[b,c,h,w]."""
        return torch.relu_(self.body(values) + self.shortcut(values))


def _conv(layer: Conv, shape: Shape) -> list[nn.Module]:
    nonlinearity = [NONLINEARITIES[layer.nonlinearity]()] if layer.nonlinearity else []
    return [*_convolution(layer, shape), *nonlinearity]


def _convolution(layer: Conv, shape: Shape) -> list[nn.Module]:
    """The convolution, normalised if it is to be, before its nonlinearity."""
    convolution = Convolution(
        shape[0],
        layer.filters,
        layer.filter_pixels,
        padding=layer.filter_pixels // 2,
        groups=layer.groups,
        bias=bool(layer.nonlinearity) and not layer.batch_norm,
    )
    return [convolution, BatchNorm(layer.filters)] if layer.batch_norm else [convolution]


def _norm(layer: BN, shape: Shape) -> list[nn.Module]:
    return [BatchNorm(shape[0]), NONLINEARITIES[layer.nonlinearity]()]


def _residual(layer: Residual, shape: Shape) -> list[nn.Module]:
    first, second, *shortcut = layer.convolutions(shape)
    body = nn.Sequential(*_conv(*first), *_convolution(*second))
    around = nn.Sequential(*(module for conv in shortcut for module in _convolution(*conv)))
    return [ResidualBlock(body, around)]


def _resize(layer: Resize, shape: Shape) -> list[nn.Module]:
    return [ResizedImages(layer.pixels)]


def _whiten(layer: Whiten, shape: Shape) -> list[nn.Module]:
    return [Whitening(layer, shape[0])]


def _max_pool(layer: MaxPool, shape: Shape) -> list[nn.Module]:
    return [nn.MaxPool2d(2)]


def _global_pool(layer: GlobalPool, shape: Shape) -> list[nn.Module]:
    return [MapMeans()]


def _fc(layer: FC, shape: Shape) -> list[nn.Module]:
    modules: list[nn.Module] = [nn.Flatten()] if len(shape) == 3 else []
    modules.append(nn.Linear(prod(shape), layer.neurons))
    if layer.nonlinearity:
        modules.append(NONLINEARITIES[layer.nonlinearity]())
    return modules


def _dropout(layer: Dropout, shape: Shape) -> list[nn.Module]:
    return [SeededDropout(layer.rate)]


NONLINEARITIES: dict[str, Callable[[], nn.Module]] = {
    "ReLU": lambda: nn.ReLU(inplace=True),
    "LeakyReLU": lambda: nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
    "Tanh": nn.Tanh,
    "SiLU": nn.SiLU,  # in place it would be copied first, for its gradient
}
"""The paper's nonlinearities (§4.2), and x * sigmoid(x) (Elfwing et al. 2017, arXiv:1702.03118)."""

BLOCKS: dict[type[Layer], Callable[..., list[nn.Module]]] = {
    Conv: _conv,
    BN: _norm,
    Residual: _residual,
    Resize: _resize,
    Whiten: _whiten,
    MaxPool: _max_pool,
    GlobalPool: _global_pool,
    FC: _fc,
    Dropout: _dropout,
}
"""The modules of each word, given the shape that comes in."""
