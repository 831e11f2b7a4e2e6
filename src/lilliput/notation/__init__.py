"""The language of architectures: ``ConvReLU(F5-32) -> MaxPool -> FCReLU(256) -> FC(200)``. Pure Python."""

from lilliput.notation.parse import parse
from lilliput.notation.plan import (
    BN,
    FC,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    LayerTrace,
    MaxPool,
    Plan,
    Residual,
    Resize,
    Shape,
    Whiten,
    trace,
)
from lilliput.notation.zoo import ZOO, ZooEntry

__all__ = [
    "BN",
    "FC",
    "ZOO",
    "Conv",
    "Dropout",
    "GlobalPool",
    "Layer",
    "LayerTrace",
    "MaxPool",
    "Plan",
    "Residual",
    "Resize",
    "Shape",
    "Whiten",
    "ZooEntry",
    "parse",
    "trace",
]
