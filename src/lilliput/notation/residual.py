"""The words that add what comes in to what they make of it. Each is made of other words."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from lilliput.notation.layers import BN, SE, AvgPool, Conv, Layer, Shape

Layers = tuple[Layer, ...]


@dataclass(frozen=True)
class Block(Layer):
    """``body`` of what comes in, plus its ``shortcut``; both of what ``before`` makes of it. Then ReLU, if it is to be.

    What comes in is added as it is where the shapes agree, else through normalised filters of 1x1 (He et al. 2015,
    arXiv:1512.03385, option B).
    """

    filter_pixels: int
    filters: int
    stride: int = 1
    averages: bool = False
    """The shortcut averages 2x2 pixels, where its filters would pass three of four by (ResNet-D: He et al. 2018,
    arXiv:1812.01187, Figure 2c)."""
    reduction: int = 0
    """Of the squeeze-and-excite layer that the body ends with; 0: there is none."""

    ends_with_relu: ClassVar[bool] = True

    def __str__(self) -> str:
        options = f",S{self.stride}" if self.stride > 1 else ""
        options += self._own_options()
        options += ",D" if self.averages else ""
        options += f",SE{self.reduction}" if self.reduction else ""
        return f"{type(self).__name__}(F{self.filter_pixels}-{self.filters}{options})"

    def before(self, maps: int) -> Layers:
        """What body and shortcut both begin with, given so many maps."""
        return ()

    @abstractmethod
    def body(self, maps: int) -> Layers:
        """The way that learns the difference."""

    def shortcut(self, maps: int) -> Layers:
        """The way around it; empty where nothing is to be done."""
        if not self.reshapes(maps):
            return ()
        if self.averages and self.stride == 2:
            return (AvgPool(keeps_edge=True), self._fitting(1))
        return (self._fitting(self.stride),)

    def reshapes(self, maps: int) -> bool:
        """Whether what comes out has another shape than what comes in."""
        return self.stride > 1 or maps != self.filters

    def output(self, shape: Shape) -> Shape:
        return _through((*self.before(shape[0]), *self.body(shape[0])), shape)

    def parameters(self, shape: Shape) -> int:
        return sum(layer.parameters(taken) for layer, taken in self._all(shape))

    def multiply_adds(self, shape: Shape) -> int:
        return sum(layer.multiply_adds(taken) for layer, taken in self._all(shape))

    def _fitting(self, stride: int) -> Layer:
        return Conv(1, self.filters, "", batch_norm=True, stride=stride)

    def _excited(self, layers: Layers) -> Layers:
        return (*layers, SE(self.reduction)) if self.reduction else layers

    def _own_options(self) -> str:
        return ""

    def _all(self, shape: Shape) -> list[tuple[Layer, Shape]]:
        before, maps = self.before(shape[0]), shape[0]
        behind = _through(before, shape)
        ways = (self.body(maps), behind), (self.shortcut(maps), behind)
        return [
            pair
            for layers, taken in ((before, shape), *ways)
            for pair in _with_shapes(layers, taken)
        ]


@dataclass(frozen=True)
class Residual(Block):
    """``Residual(F3-64)``: what comes in, plus two convolutions of it; then ReLU. Paper: §7.

    Both have 64 filters of 3x3 and batch normalisation, the first ReLU too (He et al. 2015, arXiv:1512.03385).
    ``Residual(F3-64,S2,D,SE16)``: the first has stride 2, the shortcut averages, the body ends with SE(16).
    """

    def body(self, maps: int) -> Layers:
        first = Conv(self.filter_pixels, self.filters, "ReLU", batch_norm=True, stride=self.stride)
        second = Conv(self.filter_pixels, self.filters, "", batch_norm=True)
        return self._excited((first, second))


@dataclass(frozen=True)
class Bottleneck(Block):
    """``Bottleneck(F3-256)``: what comes in, plus three convolutions of it; then ReLU.

    1x1 to a quarter of the 256 maps, 3x3, 1x1 to all of them, each normalised (He et al. 2015, arXiv:1512.03385).
    ``Bottleneck(F3-256,S2,G32,W128)``: the one in the middle has stride 2, 32 groups (Xie et al. 2016,
    arXiv:1611.05431) and 128 maps; D and SE as in Residual.
    """

    groups: int = 1
    width: int = 0
    """Maps in the middle; 0: a quarter of ``filters``."""

    @property
    def inner(self) -> int:
        """How many maps there are in the middle."""
        return self.width or max(1, self.filters // 4)

    def body(self, maps: int) -> Layers:
        middle = Conv(self.filter_pixels, self.inner, "ReLU", True, self.groups, self.stride)
        last = Conv(1, self.filters, "", batch_norm=True)
        return self._excited((Conv(1, self.inner, "ReLU", batch_norm=True), middle, last))

    def _own_options(self) -> str:
        groups = f",G{self.groups}" if self.groups > 1 else ""
        return groups + (f",W{self.width}" if self.width else "")


@dataclass(frozen=True)
class PreAct(Block):
    """``PreAct(F3-64)``: what comes in, plus two convolutions of it, each normalised and with ReLU before it.

    What is added stays as it is: the last of such layers wants ``BNReLU`` behind it (He et al. 2016, arXiv:1603.05027;
    wide ones: Zagoruyko and Komodakis 2016, arXiv:1605.07146). Where the shape changes, the shortcut's filters see what
    has been normalised. S, D and SE as in Residual.
    """

    ends_with_relu: ClassVar[bool] = False

    def before(self, maps: int) -> Layers:
        return (BN("ReLU"),) if self.reshapes(maps) else ()

    def body(self, maps: int) -> Layers:
        first = Conv(self.filter_pixels, self.filters, "", stride=self.stride)
        second = (BN("ReLU"), Conv(self.filter_pixels, self.filters, ""))
        begin = () if self.reshapes(maps) else (BN("ReLU"),)
        return self._excited((*begin, first, *second))

    def _fitting(self, stride: int) -> Layer:
        return Conv(1, self.filters, "", stride=stride)


def _with_shapes(layers: Layers, shape: Shape) -> list[tuple[Layer, Shape]]:
    """Each layer with the shape that it takes in."""
    pairs = []
    for layer in layers:
        pairs.append((layer, shape))
        shape = layer.output(shape)
    return pairs


def _through(layers: Layers, shape: Shape) -> Shape:
    for layer in layers:
        shape = layer.output(shape)
    return shape
