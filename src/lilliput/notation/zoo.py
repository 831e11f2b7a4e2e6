"""Named architectures: a new one is one more line here."""

from __future__ import annotations

from typing import NamedTuple


class ZooEntry(NamedTuple):
    """A network by name: its notation for 200 classes and where it comes from."""

    name: str
    notation: str
    source: str


_TABLE = "Ting, Convolutional Neural Network for the Tiny ImageNet Challenge, Table 1"
# Ting names deeper residual networks as the next thing to try; this one has the 20 layers of He et al.'s smallest for
# small images (their section 4.2, n = 3), twice as wide, at about the cost of m4.
_DEEPER = "Ting, section 7, after He et al. 2015 (arXiv:1512.03385), section 4.2"

# fmt: off
ZOO: dict[str, ZooEntry] = {
    entry.name: entry
    for entry in (
        ZooEntry("m1", "ConvReLU(F5-16) -> MaxPool -> ConvReLU(F3-16) -> MaxPool -> ConvReLU(F3-32) -> MaxPool -> FCReLU(256) -> FC(200)", _TABLE),
        ZooEntry("m2", "ConvReLU(F5-32) -> ConvReLU(F5-32) -> MaxPool -> ConvReLU(F3-64) -> ConvReLU(F3-64) -> MaxPool -> FCReLU(256) -> FC(200)", _TABLE),
        ZooEntry("m3", "ConvReLU(F5-32) -> ConvReLU(F5-32) -> MaxPool -> ConvReLU(F3-64) -> MaxPool -> ConvReLU(F3-128) -> MaxPool -> FCReLU(256) -> FC(200)", _TABLE),
        ZooEntry("m4", "ConvReLU(F5-32) -> ConvReLU(F5-32) -> MaxPool -> ConvReLU(F3-64) -> ConvReLU(F3-64) -> MaxPool -> ConvReLU(F3-64) -> ConvReLU(F3-128) -> MaxPool -> FCReLU(256) -> FC(200)", _TABLE),
        ZooEntry("resnet", "ConvBNReLU(F5-32) -> MaxPool -> Residual(F3-32) -> Residual(F3-32) -> Residual(F3-32) -> MaxPool -> Residual(F3-64) -> Residual(F3-64) -> Residual(F3-64) -> MaxPool -> Residual(F3-128) -> Residual(F3-128) -> Residual(F3-128) -> GlobalPool -> FC(200)", _DEEPER),
    )
}
# fmt: on
