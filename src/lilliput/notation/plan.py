"""A parsed architecture: its layers in order, followed through shapes and costs. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from lilliput.errors import NotationError
from lilliput.notation.layers import FC, Dropout, GlobalPool, Layer, Resize, Shape, UnfitError

ARROW = " -> "


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

    def with_images_of(self, pixels: int) -> Plan:
        """The same network, which begins with Resize, for images resized to another size; 0 changes nothing."""
        if not pixels:
            return self
        if not isinstance(self.layers[0], Resize):
            raise TypeError(
                f"a plan for images of any size begins with Resize, not {self.layers[0]}"
            )
        return Plan((Resize(pixels), *self.layers[1:]))

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
        except UnfitError as error:
            column = sum(len(str(before)) + len(ARROW) for before in plan.layers[:number]) + 1
            raise NotationError(str(plan), column, f"{layer}: {error}", error.expected) from error
        traces.append(
            LayerTrace(layer, output, layer.parameters(shape), layer.multiply_adds(shape))
        )
        shape = output
    return tuple(traces)
