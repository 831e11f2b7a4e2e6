"""A parsed architecture: its layers, and what each one does to shapes and costs. No torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from decimal import Decimal
from math import prod
from typing import NamedTuple

from lilliput.errors import NotationError

Shape = tuple[int, ...]
"""(channels, height, width) of an image or a stack of feature maps; (neurons,) after a fully connected layer."""

ARROW = " -> "
NONLINEARITIES = ("ReLU", "LeakyReLU", "Tanh", "SiLU")


class Layer(ABC):
    """One word of the notation. ``str(layer)`` is the word as it is written."""

    @abstractmethod
    def output(self, shape: Shape) -> Shape:
        """What comes out when ``shape`` goes in. Raises: ValueError when ``shape`` cannot go in."""

    def parameters(self, shape: Shape) -> int:
        """How many numbers the layer learns, biases included."""
        return 0

    def multiply_adds(self, shape: Shape) -> int:
        """Multiplications with an addition for one image; biases, nonlinearities and pooling count nothing."""
        return 0


@dataclass(frozen=True)
class Conv(Layer):
    """``ConvReLU(F5-32)``: 32 filters of 5x5, padded so that the size stays, then the nonlinearity. Paper: Table 1.

    ``ConvBNReLU(F5-32)`` normalises each filter's maps over the batch in between, and so needs no biases (Ioffe and
    Szegedy 2015, arXiv:1502.03167). Trained, that is one factor and one offset per filter, which count as nothing.
    ``ConvBNReLU(F3-128,G4)`` cuts the maps into 4 groups, each seen by its own quarter of the filters (Xie et al. 2016,
    arXiv:1611.05431). ``Conv(F3-128)`` is the filters alone, without biases: what follows normalises.
    """

    filter_pixels: int
    filters: int
    nonlinearity: str
    batch_norm: bool = False
    groups: int = 1

    def __str__(self) -> str:
        norm = "BN" if self.batch_norm else ""
        groups = f",G{self.groups}" if self.groups > 1 else ""
        return f"Conv{norm}{self.nonlinearity}(F{self.filter_pixels}-{self.filters}{groups})"

    def output(self, shape: Shape) -> Shape:
        channels, height, width = _image(shape)
        if channels % self.groups:
            raise ValueError(f"{channels} maps cannot be cut into {self.groups} groups")
        return (self.filters, height, width)

    def parameters(self, shape: Shape) -> int:
        # A factor and an offset, or a bias, or nothing.
        own = 2 if self.batch_norm else int(bool(self.nonlinearity))
        return self.filters * (self.filter_pixels**2 * shape[0] // self.groups + own)

    def multiply_adds(self, shape: Shape) -> int:
        return prod(self.output(shape)) * self.filter_pixels**2 * shape[0] // self.groups


@dataclass(frozen=True)
class BN(Layer):
    """``BNReLU``: batch normalisation, then the nonlinearity; behind ``Conv(F3-64) -> MaxPool``, say.

    Normalising after pooling has a quarter of the values to work on (Jordan 2024, arXiv:2404.00498, section 3.1).
    """

    nonlinearity: str

    def __str__(self) -> str:
        return f"BN{self.nonlinearity}"

    def output(self, shape: Shape) -> Shape:
        return _image(shape)

    def parameters(self, shape: Shape) -> int:
        return 2 * shape[0]


@dataclass(frozen=True)
class Resize(Layer):
    """``Resize(32)``: the image made 32x32 pixels. A recipe may begin with smaller ones (``training.image_pixels``)."""

    pixels: int

    def __str__(self) -> str:
        return f"Resize({self.pixels})"

    def output(self, shape: Shape) -> Shape:
        return (_image(shape)[0], self.pixels, self.pixels)


@dataclass(frozen=True)
class Whiten(Layer):
    """``Whiten(F6-96,S4)``: every 6x6 patch, 4 pixels apart, as 96 uncorrelated numbers of deviation 1.

    They are the patch's coordinates along the strongest directions of the training images' patches, measured once and
    never learned (Page 2018, myrtle.ai; Jordan 2024, arXiv:2404.00498, section 3.2).
    """

    filter_pixels: int
    filters: int
    stride: int

    def __str__(self) -> str:
        return f"Whiten(F{self.filter_pixels}-{self.filters},S{self.stride})"

    def output(self, shape: Shape) -> Shape:
        channels, height, width = _image(shape)
        if min(height, width) < self.stride:
            raise ValueError(f"its input is {height}x{width} pixels")
        if self.filters > channels * self.filter_pixels**2:
            raise ValueError(
                f"a patch has only {channels * self.filter_pixels**2} directions, not {self.filters}"
            )
        return (self.filters, height // self.stride, width // self.stride)

    def multiply_adds(self, shape: Shape) -> int:
        return prod(self.output(shape)) * self.filter_pixels**2 * shape[0]


@dataclass(frozen=True)
class Residual(Layer):
    """``Residual(F3-64)``: what comes in, plus two convolutions of it; then ReLU. Paper: §7.

    Both have 64 filters of 3x3 and batch normalisation, the first ReLU too. What comes in is added as it is, or through
    64 normalised filters of 1x1 where it has another number of maps (He et al. 2015, arXiv:1512.03385, option B).
    """

    filter_pixels: int
    filters: int

    def __str__(self) -> str:
        return f"Residual(F{self.filter_pixels}-{self.filters})"

    def convolutions(self, shape: Shape) -> tuple[tuple[Conv, Shape], ...]:
        """The first, the second and, if there is one, the shortcut's convolution, each with the shape it takes in."""
        _, height, width = _image(shape)
        first = Conv(self.filter_pixels, self.filters, "ReLU", batch_norm=True)
        body = ((first, shape), (first, (self.filters, height, width)))
        if shape[0] == self.filters:
            return body
        return (*body, (replace(first, filter_pixels=1), shape))

    def output(self, shape: Shape) -> Shape:
        _, height, width = _image(shape)
        return (self.filters, height, width)

    def parameters(self, shape: Shape) -> int:
        return sum(conv.parameters(taken) for conv, taken in self.convolutions(shape))

    def multiply_adds(self, shape: Shape) -> int:
        return sum(conv.multiply_adds(taken) for conv, taken in self.convolutions(shape))


@dataclass(frozen=True)
class MaxPool(Layer):
    """``MaxPool``: the largest of every 2x2 pixels, stride 2; an odd last row or column is left out. Paper: Table 1."""

    def __str__(self) -> str:
        return "MaxPool"

    def output(self, shape: Shape) -> Shape:
        channels, height, width = _image(shape)
        if height < 2 or width < 2:
            raise ValueError(f"nothing is left to pool: its input is {height}x{width} pixels")
        return (channels, height // 2, width // 2)


@dataclass(frozen=True)
class GlobalPool(Layer):
    """``GlobalPool``: the mean of each map, one neuron per map (Lin et al. 2013, arXiv:1312.4400)."""

    def __str__(self) -> str:
        return "GlobalPool"

    def output(self, shape: Shape) -> Shape:
        return (_image(shape)[0],)


@dataclass(frozen=True)
class FC(Layer):
    """``FCReLU(256)``, ``FC(200)``: a fully connected layer; without a nonlinearity it may only come last."""

    neurons: int
    nonlinearity: str = ""

    def __str__(self) -> str:
        return f"FC{self.nonlinearity}({self.neurons})"

    def output(self, shape: Shape) -> Shape:
        return (self.neurons,)

    def parameters(self, shape: Shape) -> int:
        return self.neurons * (prod(shape) + 1)

    def multiply_adds(self, shape: Shape) -> int:
        return self.neurons * prod(shape)


@dataclass(frozen=True)
class Dropout(Layer):
    """``Dropout(0.5)``: in training, each value becomes 0 with this probability. Paper: §4.4."""

    rate: float

    def __str__(self) -> str:
        # Every digit, and none of the exponents that the notation cannot read.
        return f"Dropout({Decimal(repr(self.rate)):f})"

    def output(self, shape: Shape) -> Shape:
        return shape


@dataclass(frozen=True)
class Plan:
    """An architecture: what happens to an image, layer by layer. ``str(plan)`` is its canonical notation."""

    layers: tuple[Layer, ...]

    def __str__(self) -> str:
        return ARROW.join(map(str, self.layers))

    def with_classes(self, classes: int) -> Plan:
        """The same network for another number of classes: the last layer's neurons."""
        last = self.layers[-1]
        if not isinstance(last, FC):
            raise TypeError(f"a plan ends with FC, not {last}")
        return Plan((*self.layers[:-1], replace(last, neurons=classes)))

    def with_dropout(self, rate: float) -> Plan:
        """Dropout after every fully connected layer but the last, and after GlobalPool, which takes the place of one.

        Nothing changes for rate 0. Paper: §4.4.
        """
        if rate == 0:
            return self
        layers: list[Layer] = []
        for layer in self.layers:
            layers.append(layer)
            if isinstance(layer, (FC, GlobalPool)) and layer is not self.layers[-1]:
                layers.append(Dropout(rate))
        return Plan(tuple(layers))


class LayerTrace(NamedTuple):
    """What one layer gives and costs for one image."""

    layer: Layer
    shape: Shape
    parameters: int
    multiply_adds: int


def trace(plan: Plan, image: Shape = (3, 64, 64)) -> tuple[LayerTrace, ...]:
    """Follow an image of shape (channels, height, width) through the plan, without torch.

    Raises: NotationError pointing, in the canonical notation, at the layer that the image cannot pass.

    >>> from lilliput.notation import parse
    >>> [layer.shape for layer in trace(parse("ConvReLU(F5-16) -> MaxPool -> FC(200)"))]
    [(16, 64, 64), (16, 32, 32), (200,)]
    """
    traces: list[LayerTrace] = []
    shape = image
    for number, layer in enumerate(plan.layers):
        try:
            output = layer.output(shape)
        except ValueError as error:
            column = sum(len(str(before)) + len(ARROW) for before in plan.layers[:number]) + 1
            raise NotationError(
                str(plan), column, f"{layer}: {error}", "a larger image or less pooling"
            ) from error
        traces.append(
            LayerTrace(layer, output, layer.parameters(shape), layer.multiply_adds(shape))
        )
        shape = output
    return tuple(traces)


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError("it needs an image, but what comes in is already flat")
    return shape[0], shape[1], shape[2]
