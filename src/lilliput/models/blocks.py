"""One module per word of the notation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, pad

from lilliput.models.convolution import Convolution
from lilliput.models.shared import BatchNorm, SeededDropout
from lilliput.notation import (
    BN,
    FC,
    SE,
    AvgPool,
    Block,
    BlurPool,
    Bottleneck,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    MaxPool,
    PreAct,
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


class MapMeans(nn.Module):
    """The mean of each map: float[b,c] of float[b,c,h,w]."""

    def forward(self, values: Tensor) -> Tensor:
        """Summed as the values lie in memory, so that the gradient lies like them; torch's own pooling loses the order,
        and the layer before then takes four times as long (docs/experiments.md)."""
        if values.is_contiguous(memory_format=torch.channels_last):
            return values.permute(0, 2, 3, 1).flatten(1, 2).mean(1)
        return values.flatten(2).mean(2)


class BlurredPool(nn.Module):
    """Every second pixel of maps smoothed by 1-2-1 both ways, edges mirrored: two means of 2x2 in a row are that."""

    def forward(self, values: Tensor) -> Tensor:
        """float[b,c,ceil(h/2),ceil(w/2)] of float[b,c,h,w]."""
        return avg_pool2d(avg_pool2d(pad(values, (1, 1, 1, 1), mode="reflect"), 2, 1), 2)


class SqueezeExcite(nn.Module):
    """Every map times a share that two layers make of the means of all maps."""

    def __init__(self, maps: int, neurons: int) -> None:
        super().__init__()
        self.means = MapMeans()
        self.squeeze = nn.Linear(maps, neurons)
        self.excite = nn.Linear(neurons, maps)

    def forward(self, values: Tensor) -> Tensor:
        """float[b,c,h,w] of the same."""
        shares = self.excite(torch.relu(self.squeeze(self.means(values)))).sigmoid()
        return values * shares[:, :, None, None]


class ResidualBlock(nn.Module):
    """``body`` of what comes in, plus ``shortcut`` of it, both after ``before``; then ReLU, if ``ends_with_relu``."""

    def __init__(
        self,
        before: nn.Module,
        body: nn.Sequential,
        shortcut: nn.Module,
        *,
        ends_with_relu: bool,
    ) -> None:
        super().__init__()
        self.before = before
        self.body = body
        self.shortcut = shortcut
        self.ends_with_relu = ends_with_relu

    def forward(self, values: Tensor) -> Tensor:
        """float[b,filters,ceil(h/stride),ceil(w/stride)] of float[b,c,h,w]."""
        values = self.before(values)
        total = self.body(values) + self.shortcut(values)
        return torch.relu_(total) if self.ends_with_relu else total


def _conv(layer: Conv, shape: Shape) -> list[nn.Module]:
    modules: list[nn.Module] = [
        Convolution(
            shape[0],
            layer.filters,
            layer.filter_pixels,
            stride=layer.stride,
            padding=layer.filter_pixels // 2,
            groups=layer.groups,
            bias=bool(layer.nonlinearity) and not layer.batch_norm,
        )
    ]
    if layer.batch_norm:
        modules.append(BatchNorm(layer.filters))
    if layer.nonlinearity:
        modules.append(NONLINEARITIES[layer.nonlinearity]())
    return modules


def _norm(layer: BN, shape: Shape) -> list[nn.Module]:
    return [BatchNorm(shape[0]), NONLINEARITIES[layer.nonlinearity]()]


def _block(layer: Block, shape: Shape) -> list[nn.Module]:
    before, behind = _in_order(layer.before(shape[0]), shape)
    body, _ = _in_order(layer.body(shape[0]), behind)
    shortcut, _ = _in_order(layer.shortcut(shape[0]), behind)
    return [ResidualBlock(before, body, shortcut, ends_with_relu=layer.ends_with_relu)]


def _in_order(layers: Sequence[Layer], shape: Shape) -> tuple[nn.Sequential, Shape]:
    """The modules of layers, one after the other, and the shape that comes out."""
    modules: list[nn.Module] = []
    for layer in layers:
        modules += BLOCKS[type(layer)](layer, shape)
        shape = layer.output(shape)
    return nn.Sequential(*modules), shape


def _resize(layer: Resize, shape: Shape) -> list[nn.Module]:
    return [ResizedImages(layer.pixels)]


def _whiten(layer: Whiten, shape: Shape) -> list[nn.Module]:
    return [Whitening(layer, shape[0])]


def _max_pool(layer: MaxPool, shape: Shape) -> list[nn.Module]:
    return [nn.MaxPool2d(2)]


def _avg_pool(layer: AvgPool, shape: Shape) -> list[nn.Module]:
    return [nn.AvgPool2d(2, ceil_mode=layer.keeps_edge, count_include_pad=False)]


def _blur_pool(layer: BlurPool, shape: Shape) -> list[nn.Module]:
    return [BlurredPool()]


def _excite(layer: SE, shape: Shape) -> list[nn.Module]:
    return [SqueezeExcite(shape[0], layer.neurons(shape[0]))]


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
    Residual: _block,
    Bottleneck: _block,
    PreAct: _block,
    SE: _excite,
    Resize: _resize,
    Whiten: _whiten,
    MaxPool: _max_pool,
    AvgPool: _avg_pool,
    BlurPool: _blur_pool,
    GlobalPool: _global_pool,
    FC: _fc,
    Dropout: _dropout,
}
"""The modules of each word, given the shape that comes in."""
