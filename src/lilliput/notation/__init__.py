"""The language of architectures: ``ConvReLU(F5-32) -> MaxPool -> FCReLU(256) -> FC(200)``. Pure Python."""

from lilliput.notation.layers import (
    BN,
    FC,
    NONLINEARITIES,
    SE,
    AvgPool,
    BlurPool,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    MaxPool,
    Resize,
    Shape,
    Whiten,
)
from lilliput.notation.parse import parse
from lilliput.notation.plan import LayerTrace, Plan, trace
from lilliput.notation.residual import Block, Bottleneck, PreAct, Residual
from lilliput.notation.zoo import ZOO, ZooEntry

__all__ = [
    "BN",
    "FC",
    "NONLINEARITIES",
    "SE",
    "ZOO",
    "AvgPool",
    "Block",
    "BlurPool",
    "Bottleneck",
    "Conv",
    "Dropout",
    "GlobalPool",
    "Layer",
    "LayerTrace",
    "MaxPool",
    "Plan",
    "PreAct",
    "Residual",
    "Resize",
    "Shape",
    "Whiten",
    "ZooEntry",
    "parse",
    "trace",
]
