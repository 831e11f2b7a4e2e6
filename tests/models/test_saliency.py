from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

from lilliput.errors import MissingExtraError, UsageError
from lilliput.models.build import build_model
from lilliput.models.saliency import METHODS, saliency, saliency_maps
from lilliput.notation import parse

captum = pytest.importorskip("captum")


def network() -> nn.Sequential:
    plan = parse("ConvReLU(F3-4) -> MaxPool -> FCReLU(8) -> FC(3)")
    return build_model(plan, torch.full((3, 16, 16), 0.5), torch.ones(3, 16, 16), seed=1).eval()


class Corner(nn.Module):
    """Looks at the upper left quarter alone."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        part = images[:, :, :8, :8].flatten(1).sum(1, keepdim=True) * self.weight
        return torch.cat([part, -part], dim=1)


@pytest.mark.parametrize("method", METHODS)
def test_only_what_the_network_looks_at_is_lit(method: str) -> None:
    images = torch.randint(100, 256, (3, 3, 16, 16), dtype=torch.uint8)
    maps = saliency(Corner(), images, torch.tensor([0, 1, 0]), method=method)
    assert maps.shape == (3, 16, 16)
    assert (maps[:, :8, :8] > 0).all()
    assert not maps[:, 8:].any()
    assert not maps[:, :, 8:].any()


@pytest.mark.parametrize("method", METHODS)
def test_maps_lie_in_zero_to_one_and_leave_the_network_as_it_was(method: str) -> None:
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pictures = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    maps = saliency_maps(model, pictures, np.arange(20) % 3, method=method)
    assert (maps.shape, maps.dtype) == ((20, 16, 16), np.float32)
    assert maps.min() >= 0
    assert maps.max(axis=(1, 2)) == pytest.approx(np.ones(20))
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert np.array_equal(maps, saliency_maps(model, pictures, np.arange(20) % 3, method=method))


def test_integrated_gradients_start_at_the_mean_image() -> None:
    # At the mean image the network is given nothing, so there is nothing to explain.
    mean = np.full((1, 16, 16, 3), 127.5).astype(np.uint8)
    other = np.full((1, 16, 16, 3), 255, np.uint8)
    from captum import attr

    model = network()
    sizes = []
    for picture in (mean, other):
        pixels = torch.tensor(picture).permute(0, 3, 1, 2).float() / 255
        found = METHODS["integrated"](attr, model, pixels.requires_grad_(), torch.tensor([1]))
        sizes.append(float(found.detach().abs().sum()))
    assert sizes[0] < 0.02 * sizes[1]


def test_no_pictures_have_no_maps() -> None:
    nothing = np.empty((0, 16, 16, 3), np.uint8)
    assert saliency_maps(network(), nothing, np.empty(0, np.int64)).shape == (0, 16, 16)


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(UsageError, match="gradiant") as caught:
        saliency_maps(
            network(), np.zeros((1, 16, 16, 3), np.uint8), np.zeros(1, int), method="gradiant"
        )
    assert "gradient" in caught.value.hint


def test_without_captum_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(MissingExtraError) as caught:
        saliency_maps(network(), np.zeros((1, 16, 16, 3), np.uint8), np.zeros(1, np.int64))
    assert "'explain'" in str(caught.value)
    assert "explain" in caught.value.hint
