from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from lilliput.data.batches import Batch, Batches
from lilliput.data.pack import Pack
from lilliput.data.residence import Mapped, Residence, Resident, fits, one_ahead, reside, send
from lilliput.data.selection import Selection, select_split

CPU = torch.device("cpu")
KINDS: list[Callable[[Selection, torch.device], Residence]] = [Resident, Mapped]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture
def selection(tiny_pack: Pack) -> Selection:
    """Every second image, so that places and rows differ."""
    return select_split(tiny_pack, "train", np.arange(4)).take(np.arange(0, 48, 2))


def check(residence: Residence, selection: Selection) -> None:
    wanted = [np.array([5, 0, 23, 5]), slice(20, 40), np.arange(24)[::-1].copy(), np.array([7])]
    found = list(residence.batches(iter(wanted)))
    assert len(found) == len(wanted)
    for images, places in zip(found, wanted, strict=True):
        assert images.dtype == torch.uint8
        assert images.is_contiguous(memory_format=torch.channels_last)
        expected = selection.images(places).transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(images.cpu().numpy(), expected)
    assert list(residence.batches([])) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_residence_hands_out_the_images_at_the_places(
    kind: Callable[[Selection, torch.device], Residence], selection: Selection
) -> None:
    check(kind(selection, CPU), selection)


def test_a_resident_selection_is_read_in_portions(
    selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lilliput.data.residence._CHUNK", 5)
    check(Resident(selection, CPU), selection)


def test_what_is_handed_out_may_be_changed(selection: Selection) -> None:
    for kind in KINDS:
        residence = kind(selection, CPU)
        for images in residence.batches([np.arange(3)]):
            images.zero_()
        check(residence, selection)


def test_pixels_fit_into_half_of_the_free_memory(selection: Selection) -> None:
    needed = selection.images(slice(None)).nbytes
    assert fits(selection, 2 * needed)
    assert not fits(selection, 2 * needed - 1)


def test_a_cpu_reads_from_the_disk(selection: Selection) -> None:
    assert isinstance(reside(selection, CPU), Mapped)


def test_batches_are_the_same_wherever_the_pixels_live(
    selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def epoch() -> list[Batch]:
        return list(Batches(selection, 4, batch_images=9, seed=1).epoch(2, 1))

    mapped = epoch()
    monkeypatch.setattr("lilliput.data.batches.reside", Resident)
    for some, other in zip(mapped, epoch(), strict=True):
        assert torch.equal(some.images, other.images)
        assert torch.equal(some.targets, other.targets)


def test_one_item_is_made_ahead() -> None:
    made: list[int] = []

    def items(count: int) -> Iterator[int]:
        for number in range(count):
            made.append(number)
            yield number

    seen = [(item, len(made)) for item in one_ahead(items(4))]
    assert seen == [(0, 2), (1, 3), (2, 4), (3, 4)]
    assert list(one_ahead([])) == []
    assert list(one_ahead([1])) == [1]


def test_what_is_sent_arrives() -> None:
    values = torch.arange(5)
    assert send(values, CPU) is values


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_gets_the_images_at_the_places(
    kind: Callable[[Selection, torch.device], Residence], selection: Selection
) -> None:
    check(kind(selection, torch.device("cuda")), selection)


@pytest.mark.gpu
@needs_gpu
def test_a_gpu_keeps_what_fits(selection: Selection, monkeypatch: pytest.MonkeyPatch) -> None:
    device = torch.device("cuda")
    assert isinstance(reside(selection, device), Resident)
    monkeypatch.setattr("lilliput.data.residence.SHARE", 0.0)
    assert isinstance(reside(selection, device), Mapped)


@pytest.mark.gpu
@needs_gpu
def test_a_gpu_is_never_waited_for(selection: Selection, monkeypatch: pytest.MonkeyPatch) -> None:
    from lilliput.data.augment import augmentations
    from lilliput.recipe import AugmentRecipe

    recipe = AugmentRecipe(
        box_crop=0.5, crop_pixels=2, flip=True, brightness=0.2, contrast=0.2, hue=0.1
    )
    for kind in KINDS:
        monkeypatch.setattr("lilliput.data.batches.reside", kind)
        batches = Batches(
            selection,
            4,
            batch_images=8,
            seed=1,
            augmentations=augmentations(recipe),
            device=torch.device("cuda"),
        )
        list(batches.epoch(1))  # whatever is made once
        torch.cuda.set_sync_debug_mode("error")
        try:
            list(batches.epoch(2))
        finally:
            torch.cuda.set_sync_debug_mode("default")
