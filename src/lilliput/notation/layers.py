"""The words of the notation: what each one does to shapes and costs. No torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from math import prod

Shape = tuple[int, ...]
"""(channels, height, width) of an image or a stack of feature maps; (neurons,) after a fully connected layer."""

NONLINEARITIES = ("ReLU", "LeakyReLU", "Tanh", "SiLU")


class UnfitError(ValueError):
    """A shape that a layer cannot take in; ``expected`` is what it could."""

    def __init__(self, problem: str, expected: str = "a larger image or less pooling") -> None:
        super().__init__(problem)
        self.expected = expected


class Layer(ABC):
    """One word of the notation. ``str(layer)`` is the word as it is written."""

    @abstractmethod
    def output(self, shape: Shape) -> Shape:
        """What comes out when ``shape`` goes in. Raises: UnfitError when ``shape`` cannot go in."""

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
    ``ConvBN(F3-64)`` ends there. ``Conv(F3-128)`` is the filters alone, without biases: what follows normalises.
    ``ConvBNReLU(F3-64,S2)`` looks at every second pixel of every second row, the first of each included.
    ``ConvBNReLU(F3-128,G4)`` cuts the maps into 4 groups, each seen by its own quarter of the filters (Xie et al. 2016,
    arXiv:1611.05431).
    """

    filter_pixels: int
    filters: int
    nonlinearity: str
    batch_norm: bool = False
    groups: int = 1
    stride: int = 1

    def __str__(self) -> str:
        norm = "BN" if self.batch_norm else ""
        stride = f",S{self.stride}" if self.stride > 1 else ""
        groups = f",G{self.groups}" if self.groups > 1 else ""
        return (
            f"Conv{norm}{self.nonlinearity}(F{self.filter_pixels}-{self.filters}{stride}{groups})"
        )

    def output(self, shape: Shape) -> Shape:
        channels, height, width = image(shape)
        if channels % self.groups:
            problem = f"{channels} maps cannot be cut into {self.groups} groups"
            raise UnfitError(problem, f"a multiple of {self.groups} maps before it")
        return (self.filters, -(-height // self.stride), -(-width // self.stride))

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
        return image(shape)

    def parameters(self, shape: Shape) -> int:
        return 2 * shape[0]


@dataclass(frozen=True)
class Resize(Layer):
    """``Resize(32)``: the image made 32x32 pixels. A recipe may begin with smaller ones (``training.image_pixels``)."""

    pixels: int

    def __str__(self) -> str:
        return f"Resize({self.pixels})"

    def output(self, shape: Shape) -> Shape:
        return (image(shape)[0], self.pixels, self.pixels)


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
        channels, height, width = image(shape)
        if min(height, width) < self.stride:
            raise UnfitError(f"its input is {height}x{width} pixels")
        directions = channels * self.filter_pixels**2
        if self.filters > directions:
            problem = f"a patch has only {directions} directions, not {self.filters}"
            raise UnfitError(problem, f"at most {directions} filters, or larger ones")
        return (self.filters, height // self.stride, width // self.stride)

    def multiply_adds(self, shape: Shape) -> int:
        return prod(self.output(shape)) * self.filter_pixels**2 * shape[0]


@dataclass(frozen=True)
class MaxPool(Layer):
    """``MaxPool``: the largest of every 2x2 pixels, stride 2; an odd last row or column is left out. Paper: Table 1."""

    def __str__(self) -> str:
        return "MaxPool"

    def output(self, shape: Shape) -> Shape:
        channels, height, width = image(shape)
        if height < 2 or width < 2:
            raise UnfitError(f"nothing is left to pool: its input is {height}x{width} pixels")
        return (channels, height // 2, width // 2)


@dataclass(frozen=True)
class AvgPool(Layer):
    """``AvgPool``: the mean of every 2x2 pixels, stride 2; an odd last row or column is left out.

    With ``keeps_edge`` the mean of what there is of such a row or column is kept, as beside filters of stride 2.
    """

    keeps_edge: bool = False

    def __str__(self) -> str:
        return "AvgPool"

    def output(self, shape: Shape) -> Shape:
        if self.keeps_edge:
            return _halved(shape)
        return MaxPool().output(shape)


@dataclass(frozen=True)
class BlurPool(Layer):
    """``BlurPool``: every second pixel of the maps smoothed by 1-2-1, edges mirrored (Zhang 2019, arXiv:1904.11486).

    Nothing jumps when the image moves by a pixel. Its smoothing counts as nothing.
    """

    def __str__(self) -> str:
        return "BlurPool"

    def output(self, shape: Shape) -> Shape:
        _, height, width = image(shape)
        if height < 2 or width < 2:
            raise UnfitError(f"nothing is left to pool: its input is {height}x{width} pixels")
        return _halved(shape)


@dataclass(frozen=True)
class SE(Layer):
    """``SE(16)``: every map times a share of 0 to 1 that follows from the means of all maps.

    By two fully connected layers, the first with a sixteenth as many neurons as there are maps, at least one, and ReLU
    ("squeeze and excite", Hu et al. 2017, arXiv:1709.01507).
    """

    reduction: int

    def __str__(self) -> str:
        return f"SE({self.reduction})"

    def neurons(self, maps: int) -> int:
        """How many neurons the first of its layers has."""
        return max(1, maps // self.reduction)

    def output(self, shape: Shape) -> Shape:
        return image(shape)

    def parameters(self, shape: Shape) -> int:
        maps, neurons = shape[0], self.neurons(shape[0])
        return neurons * (maps + 1) + maps * (neurons + 1)

    def multiply_adds(self, shape: Shape) -> int:
        return 2 * shape[0] * self.neurons(shape[0])


@dataclass(frozen=True)
class GlobalPool(Layer):
    """``GlobalPool``: the mean of each map, one neuron per map (Lin et al. 2013, arXiv:1312.4400)."""

    def __str__(self) -> str:
        return "GlobalPool"

    def output(self, shape: Shape) -> Shape:
        return (image(shape)[0],)


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


def image(shape: Shape) -> tuple[int, int, int]:
    """A shape as that of maps. Raises: UnfitError when it is flat."""
    if len(shape) != 3:
        problem = "it needs an image, but what comes in is already flat"
        raise UnfitError(problem, "it before GlobalPool and the fully connected layers")
    return shape[0], shape[1], shape[2]


def _halved(shape: Shape) -> Shape:
    channels, height, width = image(shape)
    return (channels, -(-height // 2), -(-width // 2))
