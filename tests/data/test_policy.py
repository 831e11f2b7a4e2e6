"""Changes of whole batches beside torchvision's of single images, where it is installed; and what holds for all."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lilliput.data.augment import operations as op
from lilliput.data.augment.policy import STRONGEST, WIDE, rand_augment, trivial_augment
from lilliput.data.batches import Batch, Draws

CPU = torch.device("cpu")
TONES = {name: change for name, change in WIDE.items() if not change.moves}
MOVES = {name: change for name, change in WIDE.items() if change.moves}


def pictures(count: int = 6, height: int = 17, width: int = 20) -> Tensor:
    random = torch.Generator().manual_seed(5)
    noise = torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8, generator=random)
    noise[0] = noise[0] // 4 + 70  # a narrow range,
    noise[1] = 33  # one colour,
    noise[2, :, :, 1] = 200  # a colour that is flat,
    noise[3, 5:] = 0  # and many of one kind
    return noise.permute(0, 3, 1, 2)


def theirs(name: str, image: Tensor, amount: float) -> Tensor:
    """torchvision's result for one image."""
    functional: Any = pytest.importorskip("torchvision.transforms.v2.functional")
    degrees = math.degrees(math.atan(amount))
    plain = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
    calls = {
        "unchanged": lambda: image,
        "brightness": lambda: functional.adjust_brightness(image, amount),
        "colour": lambda: functional.adjust_saturation(image, amount),
        "contrast": lambda: functional.adjust_contrast(image, amount),
        "sharpness": lambda: functional.adjust_sharpness(image, amount),
        "posterize": lambda: functional.posterize(image, int(amount)),
        "solarize": lambda: functional.solarize(image, amount),
        "autocontrast": lambda: functional.autocontrast(image),
        "equalize": lambda: functional.equalize(image),
        "shear_x": lambda: functional.affine(
            image, **{**plain, "shear": [degrees, 0.0]}, center=[0, 0]
        ),
        "shear_y": lambda: functional.affine(
            image, **{**plain, "shear": [0.0, degrees]}, center=[0, 0]
        ),
        "translate_x": lambda: functional.affine(image, **{**plain, "translate": [int(amount), 0]}),
        "translate_y": lambda: functional.affine(image, **{**plain, "translate": [0, int(amount)]}),
        "rotate": lambda: functional.rotate(image, amount),
    }
    return calls[name]()


def amounts(name: str) -> list[float]:
    change = WIDE[name]
    found = [
        change.low,
        *(change.low + share * (change.high - change.low) for share in (0.13, 0.5, 1)),
    ]
    if change.is_whole:
        found = [round(one) for one in found]
    if change.signed:
        found += [2 * change.low - one for one in found]
    return found


@pytest.mark.parametrize("name", TONES)
def test_tones_are_torchvisions(name: str) -> None:
    images = pictures().contiguous()
    for amount in amounts(name):
        ours = TONES[name].change(images, torch.full((len(images),), float(amount)))
        for image, changed in zip(images, ours, strict=True):
            difference = (changed.int() - theirs(name, image, amount).int()).abs()
            # Where they blend, a sum may be rounded to the other side of a whole number.
            most = (
                1
                if name in ("brightness", "colour", "contrast", "sharpness", "autocontrast")
                else 0
            )
            assert difference.max() <= most, amount
            assert difference.float().mean() < 0.02, amount


@pytest.mark.parametrize("name", MOVES)
def test_moves_are_torchvisions(name: str) -> None:
    images = pictures()
    for amount in amounts(name):
        matrices = MOVES[name].change(torch.full((len(images),), float(amount)), (17, 20))
        ours = op.moved(images, matrices)
        for image, changed in zip(images, ours, strict=True):
            # Between two pixels either may be the nearest.
            differs = (changed != theirs(name, image, amount)).any(0)
            assert differs.float().mean() <= 0.02, amount


@pytest.mark.parametrize(
    ("name", "amount", "expected"),
    [
        ("translate_x", 1.9, [0, 1, 2, 0, 4, 5, 0, 7, 8]),
        ("translate_y", -1.2, [4, 5, 6, 7, 8, 9, 0, 0, 0]),
        ("rotate", 90.0, [3, 6, 9, 2, 5, 8, 1, 4, 7]),
        ("shear_x", 0.0, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_which_way_things_move(name: str, amount: float, expected: list[int]) -> None:
    image = torch.arange(1, 10, dtype=torch.uint8).view(1, 1, 3, 3).expand(1, 3, 3, 3)
    (moved,) = op.moved(image, MOVES[name].change(torch.tensor([amount]), (3, 3)))
    assert moved.flatten(1).tolist() == [expected] * 3


def draws(images: int, seed: int = 1, part: slice = slice(None)) -> Draws:
    return Draws(seed, images, part, CPU)


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_a_policy_gives_bytes_in_the_memory_of_the_images(kind: torch.dtype) -> None:
    images = pictures(40)
    given = images if kind == torch.uint8 else images.float() / 255
    batch = Batch(given, torch.eye(40), torch.zeros(40, 4, dtype=torch.int16))
    for policy in (trivial_augment, lambda b, d: rand_augment(b, d, operations=2, magnitude=9)):
        changed = policy(batch, draws(40))
        assert changed.images.dtype == torch.uint8
        assert changed.images.shape == images.shape
        assert changed.images.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(changed.targets, batch.targets) and changed.boxes is None
        assert torch.equal(given, images if kind == torch.uint8 else images.float() / 255)
        same = policy(batch._replace(images=images), draws(40)).images
        assert torch.equal(changed.images, same)
        differ = (changed.images != images).flatten(1).any(1)
        assert 20 < differ.sum() < 40 if policy is trivial_augment else differ.sum() > 20
        other = policy(batch, draws(40, seed=2)).images
        assert not torch.equal(changed.images, other)


@pytest.mark.parametrize("count", [0, 1])
def test_a_policy_takes_few_images_or_none(count: int) -> None:
    batch = Batch(pictures()[:count], torch.zeros(count, 3))
    assert trivial_augment(batch, draws(count)).images.shape == batch.images.shape
    many = rand_augment(batch, draws(count), operations=8, magnitude=STRONGEST)
    assert many.images.shape == batch.images.shape


def test_what_happens_to_an_image_does_not_depend_on_who_has_the_others() -> None:
    images = pictures(24)
    for policy in (trivial_augment, lambda b, d: rand_augment(b, d, operations=3, magnitude=12)):
        whole = policy(Batch(images, torch.zeros(24, 2)), draws(24)).images
        parts = [slice(0, 7), slice(7, 20), slice(20, 24)]
        own = [
            policy(Batch(images[one], torch.zeros(24, 2)[one]), draws(24, part=one)).images
            for one in parts
        ]
        assert torch.equal(torch.cat(own), whole)


def test_every_change_and_every_strength_comes_up() -> None:
    found = draws(40_000).integers_here(0, len(WIDE) - 1)
    assert torch.bincount(found).min() > 2500
    strengths = draws(40_000).integers_here(0, STRONGEST)
    assert torch.bincount(strengths).min() > 1000 and len(torch.bincount(strengths)) == 31
