"""Named architectures: a new one is one more line here."""

from __future__ import annotations

from typing import NamedTuple


class ZooEntry(NamedTuple):
    """A network by name: its notation for 200 classes and where it comes from."""

    name: str
    notation: str
    source: str


_TABLE = "Ting, Convolutional Neural Network for the Tiny ImageNet Challenge, Table 1"
_RESIDUAL = "He et al. 2015 (arXiv:1512.03385), Table 1; for small images: 3x3 filters of stride 1 first, and no pooling"
_GROUPED = "Xie et al. 2016 (arXiv:1611.05431), Table 1; begun like resnet18"
_WIDE = "Zagoruyko and Komodakis 2016 (arXiv:1605.07146), Table 1"
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
        ZooEntry("resnet18", "ConvBNReLU(F3-64) -> Residual(F3-64) x2 -> Residual(F3-128,S2) -> Residual(F3-128) -> Residual(F3-256,S2) -> Residual(F3-256) -> Residual(F3-512,S2) -> Residual(F3-512) -> GlobalPool -> FC(200)", _RESIDUAL),
        ZooEntry("resnet34", "ConvBNReLU(F3-64) -> Residual(F3-64) x3 -> Residual(F3-128,S2) -> Residual(F3-128) x3 -> Residual(F3-256,S2) -> Residual(F3-256) x5 -> Residual(F3-512,S2) -> Residual(F3-512) x2 -> GlobalPool -> FC(200)", _RESIDUAL),
        ZooEntry("resnet50", "ConvBNReLU(F3-64) -> Bottleneck(F3-256) x3 -> Bottleneck(F3-512,S2) -> Bottleneck(F3-512) x3 -> Bottleneck(F3-1024,S2) -> Bottleneck(F3-1024) x5 -> Bottleneck(F3-2048,S2) -> Bottleneck(F3-2048) x2 -> GlobalPool -> FC(200)", _RESIDUAL),
        ZooEntry("resnet101", "ConvBNReLU(F3-64) -> Bottleneck(F3-256) x3 -> Bottleneck(F3-512,S2) -> Bottleneck(F3-512) x3 -> Bottleneck(F3-1024,S2) -> Bottleneck(F3-1024) x22 -> Bottleneck(F3-2048,S2) -> Bottleneck(F3-2048) x2 -> GlobalPool -> FC(200)", _RESIDUAL),
        ZooEntry("resnext50", "ConvBNReLU(F3-64) -> Bottleneck(F3-256,G32,W128) x3 -> Bottleneck(F3-512,S2,G32,W256) -> Bottleneck(F3-512,G32,W256) x3 -> Bottleneck(F3-1024,S2,G32,W512) -> Bottleneck(F3-1024,G32,W512) x5 -> Bottleneck(F3-2048,S2,G32,W1024) -> Bottleneck(F3-2048,G32,W1024) x2 -> GlobalPool -> FC(200)", _GROUPED),
        ZooEntry("wrn-28-10", "Conv(F3-16) -> PreAct(F3-160) x4 -> PreAct(F3-320,S2) -> PreAct(F3-320) x3 -> PreAct(F3-640,S2) -> PreAct(F3-640) x3 -> BNReLU -> GlobalPool -> FC(200)", _WIDE),
    )
}
# fmt: on
