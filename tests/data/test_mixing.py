"""Images mixed with others of their batch, cut out, and covered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lilliput.data.augment import augmentations, erase, mix, mixes, resized_crop
from lilliput.data.batches import Batch, Batches, Draws
from lilliput.data.pack import Split
from lilliput.data.selection import Selection
from lilliput.data.share import Share
from lilliput.recipe import AugmentRecipe

CPU = torch.device("cpu")


def draws(images: int, seed: int = 1, *, part: slice = slice(None), epoch: int = 1) -> Draws:
    return Draws(seed, images, part, CPU, epoch=epoch)


def numbered(count: int = 8, size: int = 32) -> Batch:
    """Images of one value each, so that what came from whom can be read off: bytes, 10 apart; a class for each."""
    values = torch.arange(count, dtype=torch.uint8)[:, None, None, None] * 10
    images = values.expand(count, size, size, 3).contiguous().permute(0, 3, 1, 2)
    return Batch(images, torch.eye(count), torch.zeros(count, 4, dtype=torch.int16))


def mixed(batch: Batch, draws: Draws, **changes: float) -> Batch:
    asked = {"mixup": 0.0, "cutmix": 0.0, "probability": 1.0, "until_epoch": 9} | changes
    return mix(batch, draws, **asked)  # pyrefly: ignore


def shares(batch: Batch) -> Tensor:
    return batch.targets.diagonal()


@pytest.mark.parametrize("alphas", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_targets_say_what_is_in_the_image(alphas: dict[str, float]) -> None:
    batch = numbered(200, 32)._replace(images=numbered(200).images % 200)
    result = mixed(batch, draws(200), **alphas)
    torch.testing.assert_close(result.targets.sum(1), torch.ones(200))
    assert result.boxes is None and result.images.dtype == torch.float32
    values = batch.images[:, 0, 0, 0].float() / 255
    before = values.roll(1)
    own = shares(result)
    means = result.images.mean((1, 2, 3))
    torch.testing.assert_close(means, own * values + (1 - own) * before)
    # The other class is that of the image before.
    assert torch.equal((result.targets > 0).sum(1) <= 2, torch.ones(200, dtype=torch.bool))
    places = torch.arange(200)
    others = result.targets[places, places - 1]
    torch.testing.assert_close(others, 1 - own)
    assert 0.3 < own.mean() < 0.7 and own.min() < 0.1 and own.max() > 0.9


def test_blended_pixels_are_all_between_and_pasted_ones_are_either() -> None:
    blended = mixed(numbered(), draws(8), mixup=1.0).images
    assert (blended.flatten(1).amax(1) - blended.flatten(1).amin(1)).max() < 1e-6
    pasted = mixed(numbered(), draws(8), cutmix=1.0).images * 255
    for number, image in enumerate(pasted):
        found = set(image.round().unique().int().tolist())
        assert found <= {10 * number, 10 * ((number - 1) % 8)}
    both = mixed(numbered(400), draws(400), mixup=1.0, cutmix=1.0).images
    spread = both.flatten(1).amax(1) - both.flatten(1).amin(1)
    assert 100 < (spread > 1e-6).sum() < 250


def test_a_pasted_rectangle_is_a_rectangle() -> None:
    images = mixed(numbered(60), draws(60), cutmix=1.0).images[:, 0] * 255
    for number, image in enumerate(images):
        other = (image - 10 * number % 256).abs() > 1
        rows, columns = other.any(1), other.any(0)
        assert torch.equal(other, rows[:, None] & columns[None])
        for line in (rows, columns):
            places = line.nonzero().flatten()
            assert not len(places) or len(places) == places[-1] - places[0] + 1


def test_some_images_are_left_alone_and_in_the_last_epochs_all() -> None:
    batch = numbered(400)
    some = shares(mixed(batch, draws(400), mixup=1.0, probability=0.25))
    assert 60 < (some < 1).sum() < 140
    last = mixed(batch, draws(400, epoch=10), mixup=1.0)
    assert torch.equal(last.images, batch.images.float() / 255)
    assert torch.equal(last.targets, batch.targets)
    recipe = AugmentRecipe(mixup=0.2, mixing_off_epochs=2)
    (mixing,) = augmentations(recipe, epochs=5)
    assert not torch.equal(mixing(batch, draws(400, epoch=3)).targets, batch.targets)
    assert torch.equal(mixing(batch, draws(400, epoch=4)).targets, batch.targets)


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("alpha", [1e-3, 100.0])
def test_few_images_and_extreme_alphas(count: int, alpha: float) -> None:
    result = mixed(numbered(count), draws(count), mixup=alpha, cutmix=alpha)
    assert result.images.isfinite().all() and result.targets.isfinite().all()
    many = mixed(numbered(25), draws(25), mixup=alpha, cutmix=alpha)
    assert many.targets.isfinite().all() and many.images.max() <= 1


def noise(count: int) -> Selection:
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (count, 12, 16, 3), dtype=np.uint8)
    boxes = np.tile(np.array([2, 3, 9, 8], np.int16), (count, 1))
    labels = random.integers(0, 5, count)
    split = Split(pixels, labels, boxes, tuple(map(str, range(count))))
    return Selection(split, np.arange(count), labels)


@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.parametrize("off_epochs", [0, 2])
def test_images_are_mixed_with_the_same_ones_in_any_number_of_processes(
    processes: int, off_epochs: int
) -> None:
    """The last batch has two images: some processes have one, which they mix with another's, and some none."""
    recipe = AugmentRecipe(
        box_crop=0.5,
        crop_pixels=2,
        flip="alternate",
        rotate_degrees=20.0,
        policy="trivial",
        erase=0.5,
        mixup=0.4,
        cutmix=1.0,
        mixing=0.8,
        mixing_off_epochs=off_epochs,
    )
    made = augmentations(recipe, epochs=2)
    whole = Batches(noise(38), 5, batch_images=12, seed=1, augmentations=made)
    shares = [Share(rank, processes) for rank in range(processes)]
    parts = [list(whole.shared(share, mixes=mixes(recipe)).epoch(2)) for share in shares]
    for step, batch in enumerate(whole.epoch(2)):
        own = [part[step] for part in parts]
        assert [len(one.images) for one in own] == [
            len(range(len(batch.images))[share.part(len(batch.images))]) for share in shares
        ]
        images, targets = (torch.cat([one[place] for one in own]) for place in (0, 1))
        torch.testing.assert_close(images, batch.images, rtol=0, atol=1e-6)
        torch.testing.assert_close(targets, batch.targets, rtol=0, atol=1e-6)
        assert (batch.targets.amax(1) < 1).any() == (off_epochs == 0 and step < 3) or step == 3


def test_a_part_of_a_batch_is_not_mixed_as_if_it_were_all() -> None:
    with pytest.raises(AssertionError, match="mixes=True"):
        mixed(numbered(4), draws(8, part=slice(0, 4)), mixup=1.0)


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_an_erased_rectangle_is_grey_and_as_large_as_it_says(kind: torch.dtype) -> None:
    images = torch.zeros(300, 3, 40, 30, dtype=kind).to(memory_format=torch.channels_last)
    result = erase(Batch(images, torch.zeros(300, 2)), draws(300), probability=0.5)
    assert result.images.dtype == kind
    assert result.images.is_contiguous(memory_format=torch.channels_last)
    grey = 128 if kind == torch.uint8 else 0.5
    covered = (result.images == grey).all(1)
    assert torch.equal(covered, (result.images != 0).any(1))
    is_covered = covered.flatten(1).any(1)
    assert 120 < is_covered.sum() < 180
    areas = covered[is_covered].flatten(1).float().mean(1)
    assert areas.min() > 0.01 and areas.max() < 0.36 and areas.std() > 0.05
    for one in covered[is_covered]:
        assert torch.equal(one, one.any(1)[:, None] & one.any(0)[None])
    # Any place may be covered, those at the edges too.
    places = covered.any(0)
    assert places.float().mean() > 0.98
    assert all(edge.any() for edge in (places[0], places[-1], places[:, 0], places[:, -1]))


def test_a_resized_crop_shows_a_part_at_the_old_size() -> None:
    # Brightness rises to the right: what is seen is a stretch of it, and how steep it is says how wide.
    ramp = torch.linspace(0, 1, 64).expand(500, 3, 64, 64)
    result = resized_crop(Batch(ramp, torch.zeros(500, 2)), draws(500), least_area=0.25).images
    assert result.shape == ramp.shape
    width = result[:, 0, 32, 60] - result[:, 0, 32, 3]
    assert (width > 0.3).all() and (width < 57 / 63 + 0.01).all() and width.std() > 0.1
    whole = resized_crop(Batch(ramp[:5], torch.zeros(5, 2)), Whole(), least_area=1).images
    torch.testing.assert_close(whole, ramp[:5])


class Whole(Draws):
    """Draws the middle of everything."""

    def __init__(self) -> None:
        super().__init__(1, 5, slice(None), CPU)

    def uniform(self, low: float, high: float) -> Tensor:
        return torch.full((5,), (low + high) / 2)
