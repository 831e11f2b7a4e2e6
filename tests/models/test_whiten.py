from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv2d

from lilliput.errors import NotationError
from lilliput.models.build import build_model, resize_images
from lilliput.models.whiten import whiten
from lilliput.notation import parse, trace

MEAN, SCALE = torch.full((3, 16, 16), 0.4), torch.full((3, 16, 16), 0.25)
PLAN = "Resize(12) -> Whiten(F4-20,S2) -> ConvReLU(F1-8) -> FC(5)"


def smooth_images(count: int) -> torch.Tensor:
    """Random images in which neighbours are alike, as in pictures."""
    noise = torch.rand(count, 3, 18, 18, generator=torch.Generator().manual_seed(1))
    kernel = torch.ones(3, 1, 3, 3) / 9
    return (255 * conv2d(noise, kernel, groups=3)).byte()


def test_whitened_patches_are_uncorrelated_and_the_strongest_come_first() -> None:
    images = smooth_images(300)
    model = build_model(parse(PLAN), MEAN, SCALE)
    whiten(model, images)
    values = model[:3](images)  # Resize, Standardize, Whiten
    inner = values[:, :, 1:-1, 1:-1].transpose(0, 1).flatten(1)  # no patch that is padded
    moments = inner @ inner.T / inner.shape[1]
    off = moments - torch.diag(moments.diagonal())
    assert off.abs().max() < 0.1
    assert (moments.diagonal() > 0.3).all() and (moments.diagonal() < 1.1).all()
    lengths = model[2].weight.flatten(1).norm(dim=1)
    assert (lengths.diff() > -1e-4).all()  # the stronger a direction, the less it is enlarged


def test_its_filters_are_kept_and_never_learned() -> None:
    model = build_model(parse(PLAN), MEAN, SCALE)
    assert not any(parameter.shape[-1] == 4 for parameter in model.parameters())
    whiten(model, smooth_images(50))
    other = build_model(parse(PLAN), MEAN, SCALE, seed=2)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other[2].weight, model[2].weight)


def test_a_network_with_resize_takes_images_of_other_sizes() -> None:
    plan = parse("Resize(12) -> Whiten(F4-20,S2) -> ConvBNReLU(F3-8) -> GlobalPool -> FC(5)")
    model = build_model(plan, MEAN, SCALE)
    whiten(model, smooth_images(50))
    seen = []
    model[2].register_forward_hook(lambda module, taken, given: seen.append(taken[0].shape[2]))
    model(smooth_images(2))
    resize_images(model, 8)
    model(smooth_images(2))
    assert seen == [12, 8]


def test_more_directions_than_a_patch_has_are_refused() -> None:
    with pytest.raises(NotationError, match="only 27 directions, not 28"):
        trace(parse("Whiten(F3-28,S1) -> FC(5)"))
    with pytest.raises(NotationError, match="4 maps cannot be cut into 3 groups"):
        trace(parse("ConvReLU(F3-4) -> ConvReLU(F3-6,G3) -> FC(5)"))
