from __future__ import annotations

from itertools import islice

import pytest
import torch

from lilliput.benchmark.plain import Pictures, plain_network, plain_steps, vary
from lilliput.data.pack import Pack
from lilliput.data.selection import select
from lilliput.notation import parse
from lilliput.recipe import AugmentRecipe, load_recipe

PICTURE = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_what_is_not_to_vary_stays() -> None:
    assert torch.equal(vary(PICTURE, AugmentRecipe()), PICTURE)


def test_half_of_the_pictures_are_mirrored() -> None:
    torch.manual_seed(1)
    varied = [vary(PICTURE, AugmentRecipe(flip=True)) for _ in range(200)]
    mirrored = sum(torch.equal(one, PICTURE.flip(2)) for one in varied)
    assert 70 < mirrored < 130
    assert all(torch.equal(one, PICTURE) or torch.equal(one, PICTURE.flip(2)) for one in varied)


def test_a_crop_keeps_the_size_and_takes_no_new_colours() -> None:
    torch.manual_seed(1)
    cut = vary(PICTURE, AugmentRecipe(crop_pixels=3))
    assert cut.shape == PICTURE.shape
    assert set(cut.flatten().tolist()) <= set(PICTURE.flatten().tolist())


@pytest.mark.parametrize("key", ["brightness", "contrast", "saturation"])
def test_colours_change_within_bounds(key: str) -> None:
    torch.manual_seed(1)
    varied = vary(PICTURE, AugmentRecipe.model_validate({key: 0.5}))
    assert not torch.equal(varied, PICTURE)
    assert varied.min() >= 0 and varied.max() <= 1


def test_pictures_come_standardised(tiny_pack: Pack) -> None:
    recipe = load_recipe("m1")
    training = select(tiny_pack, recipe.data, recipe.seed).training
    pictures = Pictures(training.images(slice(None)), training.labels, recipe.augment)
    images = torch.stack([pictures[i][0] for i in range(len(pictures))])
    torch.testing.assert_close(images.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(images.std((0, 2, 3)), torch.ones(3), atol=1e-3, rtol=0)


def test_layers_stay_in_the_order_of_the_plan() -> None:
    network = plain_network(parse("ConvReLU(F3-4) -> MaxPool -> FC(2)"), 8, 8)
    names = [type(module).__name__ for module in network]
    assert names == ["Convolution", "ReLU", "MaxPool2d", "Flatten", "Linear"]
    assert network(torch.rand(5, 3, 8, 8)).shape == (5, 2)


def test_a_network_that_whitens_is_measured_too(tiny_pack: Pack) -> None:
    plan = "model.plan=Resize(8) -> Whiten(F2-4,S2) -> Conv(F3-4) -> BNSiLU -> GlobalPool -> FC(4)"
    recipe = load_recipe("m1", [plan, "model.dropout=0.0", "augment.flip=alternate"])
    dataset = select(tiny_pack, recipe.data, recipe.seed)
    assert next(plain_steps(dataset, recipe, torch.device("cpu"))) == 48


def test_steps_go_on_beyond_an_epoch(tiny_pack: Pack) -> None:
    plan = "model.plan=ConvReLU(F3-4) -> MaxPool -> FC(4)"
    recipe = load_recipe("m1", [plan, "model.dropout=0.0", "training.batch_images=32"])
    dataset = select(tiny_pack, recipe.data, recipe.seed)
    steps = plain_steps(dataset, recipe, torch.device("cpu"))
    assert list(islice(steps, 3)) == [32, 16, 32]
