from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lilliput.errors import UsageError
from lilliput.models.build import build_model
from lilliput.models.predict import VIEWS, predict
from lilliput.notation import parse


@pytest.fixture
def model() -> nn.Sequential:
    plan = parse("ConvReLU(F3-4) -> FCReLU(8) -> Dropout(0.5) -> FC(5)")
    return build_model(plan, torch.full((3, 8, 8), 0.5), torch.full((3, 8, 8), 0.3))


@pytest.fixture
def images() -> Tensor:
    return torch.rand(7, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("view", ["plain", "flip"])
def test_probabilities_are_the_softmax_of_every_view(
    model: nn.Sequential, images: Tensor, view: str
) -> None:
    found = predict(model, images.split(3), views=[view])
    seen = images.flip(3) if view == "flip" else images
    expected = model.eval()(seen).softmax(1).detach()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.shape == (7, 5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)


def test_a_shift_moves_the_image_towards_two_corners() -> None:
    images = torch.arange(3 * 64 * 64).reshape(1, 3, 64, 64)
    pictures = VIEWS["shift"](images)
    assert len(pictures) == 4
    moved = [(2, 2), (-2, -2)]
    for picture, mirrored, (down, right) in zip(pictures[:2], pictures[2:], moved, strict=True):
        inner = images.roll((down, right), (2, 3))[:, :, 2:-2, 2:-2]
        assert torch.equal(picture[:, :, 2:-2, 2:-2], inner)
        assert torch.equal(mirrored, picture.flip(3))
    edges = pictures[0][0, 0, :3, 10] - 8  # moved down and right by 2: rows 2, 1, 0
    assert torch.equal(edges, images[0, 0, [2, 1, 0], 0])


def test_views_are_averaged(model: nn.Sequential, images: Tensor) -> None:
    plain, flip, both = (
        predict(model, [images], views=views) for views in (["plain"], ["flip"], ["plain", "flip"])
    )
    np.testing.assert_allclose(both, (plain + flip) / 2, atol=1e-6)
    assert np.abs(plain - flip).max() > 1e-3


def test_the_sizes_of_the_batches_do_not_matter(model: nn.Sequential, images: Tensor) -> None:
    whole, parts = predict(model, [images]), predict(model, images.split(2))
    np.testing.assert_allclose(whole, parts, atol=1e-6)


def test_bf16_is_nearly_the_same(model: nn.Sequential, images: Tensor) -> None:
    found = predict(model, [images], bf16=True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, predict(model, [images]), atol=0.03)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(model: nn.Sequential, images: Tensor, training: bool) -> None:
    model.train(training)
    predict(model, [images])
    assert {module.training for module in model.modules()} == {training}

    def broken():
        yield images
        raise OSError

    with pytest.raises(OSError):
        predict(model, broken())
    assert model.training == training


def test_an_unknown_view_names_the_nearest(model: nn.Sequential) -> None:
    with pytest.raises(UsageError) as caught:
        predict(model, [], views=["flipp"])
    assert caught.value.hint == "did you mean 'flip'?"
