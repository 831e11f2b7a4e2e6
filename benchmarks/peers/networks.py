"""The paper's M1 and M4 (Table 1) for everyone who takes a PyTorch module."""

from __future__ import annotations

from torch import nn

from task import CLASSES


def m1() -> nn.Sequential:
    """3 x 64 x 64 in, 200 out; three convolutions."""
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(32 * 8 * 8, 256), nn.ReLU(inplace=True)),
        nn.Linear(256, CLASSES),
    )


def m4() -> nn.Sequential:
    """3 x 64 x 64 in, 200 out; six convolutions."""
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(inplace=True)),
        *(nn.Conv2d(32, 32, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        nn.Flatten(),
        *(nn.Linear(128 * 8 * 8, 256), nn.ReLU(inplace=True)),
        nn.Linear(256, CLASSES),
    )


def make_network(name: str) -> nn.Sequential:
    """With the weights everyone begins with: He et al.'s normal ones, biases 0."""
    network = {"m1": m1, "m4": m4}[name]()
    layers = [layer for layer in network if isinstance(layer, (nn.Conv2d, nn.Linear))]
    for layer in layers:
        gain = "linear" if layer is layers[-1] else "relu"
        nn.init.kaiming_normal_(layer.weight, nonlinearity=gain)
        nn.init.zeros_(layer.bias)
    return network
