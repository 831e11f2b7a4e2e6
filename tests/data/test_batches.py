from __future__ import annotations

import numpy as np
import pytest
import torch

from lilliput.data.augment import flip
from lilliput.data.batches import Batch, Batches, Draws, epoch_order, step_seed
from lilliput.data.pack import Pack
from lilliput.data.selection import Selection, select_split

CPU = torch.device("cpu")


@pytest.fixture
def training(tiny_pack: Pack) -> Selection:
    return select_split(tiny_pack, "train", np.arange(4))


def equal(some: Batch, other: Batch) -> bool:
    return torch.equal(some.images, other.images) and torch.equal(some.targets, other.targets)


def test_an_order_is_a_permutation_of_seed_and_epoch() -> None:
    order = epoch_order(1, 1, 100)
    np.testing.assert_array_equal(np.sort(order), np.arange(100))
    np.testing.assert_array_equal(order, epoch_order(1, 1, 100))
    others = [epoch_order(2, 1, 100), epoch_order(1, 2, 100), epoch_order(2, 2, 100)]
    assert len({tuple(o) for o in (order, *others)}) == 4


def test_every_step_has_a_seed_of_its_own() -> None:
    seeds = {step_seed(s, e, t) for s in range(5) for e in range(5) for t in range(20)}
    assert len(seeds) == 500
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(("batch_images", "steps"), [(48, 1), (16, 3), (13, 4), (100, 1)])
def test_an_epoch_shows_every_image_once(
    training: Selection, batch_images: int, steps: int
) -> None:
    batches = Batches(training, 4, batch_images=batch_images, seed=1)
    shown = list(batches.epoch(1))
    assert len(shown) == len(batches) == steps
    images = torch.cat([batch.images for batch in shown])
    order = epoch_order(1, 1, 48)
    expected = training.images(order).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(images.numpy(), expected)
    targets = torch.cat([batch.targets for batch in shown])
    np.testing.assert_array_equal(
        targets.numpy(), np.eye(4, dtype=np.float32)[training.labels[order]]
    )
    boxes = torch.cat([batch.boxes for batch in shown])
    np.testing.assert_array_equal(boxes.numpy(), training.boxes(order))
    assert images.dtype == torch.uint8
    assert shown[0].images.is_contiguous(memory_format=torch.channels_last)


def test_an_epoch_goes_on_in_its_middle(training: Selection) -> None:
    def steps(first: int) -> list[Batch]:
        batches = Batches(training, 4, batch_images=9, seed=1, augmentations=(flip,))
        return list(batches.epoch(2, first))

    whole, rest = steps(0), steps(4)
    assert len(rest) == 2
    assert all(equal(some, other) for some, other in zip(whole[4:], rest, strict=True))
    assert steps(6) == []


def test_an_images_turn_comes_in_every_second_epoch(training: Selection) -> None:
    """Whatever its place in the epoch, and however often its training was broken off."""

    def turns(epoch: int, first_step: int = 0) -> dict[int, bool]:
        seen: list[bool] = []

        def note(batch: Batch, draws: Draws) -> Batch:
            seen.extend(draws.alternating().tolist())
            return batch

        batches = Batches(training, 4, batch_images=9, seed=1, augmentations=(note,))
        for _ in batches.epoch(epoch, first_step):
            pass
        return dict(zip(epoch_order(1, epoch, 48)[9 * first_step :].tolist(), seen, strict=True))

    first, second, third = turns(1), turns(2), turns(3)
    assert first == third
    assert first == {image: not turn for image, turn in second.items()}
    assert 12 < sum(first.values()) < 36
    later = turns(2, 3)
    assert later == {image: second[image] for image in later}


def test_augmentations_follow_one_another_with_the_same_draws(training: Selection) -> None:
    seen = []

    def note(batch: Batch, draws: Draws) -> Batch:
        seen.append(draws.uniform(0, 1))
        return batch._replace(images=batch.images + 1)

    plain = next(Batches(training, 4, batch_images=5, seed=1).epoch(1))
    twice = Batches(training, 4, batch_images=5, seed=1, augmentations=(note, note))
    batch = next(twice.epoch(1))
    assert torch.equal(batch.images, plain.images + 2)
    draws = Draws(step_seed(1, 1, 0), 5, slice(None), CPU)
    assert [s.tolist() for s in seen] == [draws.uniform(0, 1).tolist() for _ in range(2)]


@pytest.mark.parametrize("processes", [2, 4])
def test_the_draws_of_all_processes_are_the_draws_of_one(processes: int) -> None:
    def drawn(part: slice) -> list[torch.Tensor]:
        draws = Draws(3, 24, part, CPU)
        return [draws.uniform(-1, 2), draws.integers(0, 8), draws.chance(0.5), draws.uniform(0, 1)]

    size = 24 // processes
    parts = [drawn(slice(rank * size, (rank + 1) * size)) for rank in range(processes)]
    for whole, *sliced in zip(drawn(slice(None)), *parts, strict=True):
        assert torch.equal(whole, torch.cat(sliced))


def test_draws_are_where_they_should_be() -> None:
    draws = Draws(1, 20_000, slice(None), CPU)
    uniform = draws.uniform(-2, 3)
    assert -2 <= uniform.min() < -1.99
    assert 2.99 < uniform.max() <= 3
    assert draws.integers(2, 5).unique().tolist() == [2, 3, 4, 5]
    assert abs(draws.chance(0.3).float().mean() - 0.3) < 0.02
    assert not draws.chance(0).any()


def test_drawing_leaves_the_rest_of_the_world_alone(training: Selection) -> None:
    before = torch.get_rng_state()
    list(Batches(training, 4, batch_images=9, seed=1, augmentations=(flip,)).epoch(1))
    assert torch.equal(before, torch.get_rng_state())
