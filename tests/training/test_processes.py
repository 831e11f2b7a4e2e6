from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from lilliput.data.batches import Batches
from lilliput.data.pack import Pack
from lilliput.data.selection import select
from lilliput.data.share import Share
from lilliput.errors import PackError, UsageError
from lilliput.experiment import follow_steps
from lilliput.models.build import share_batch
from lilliput.models.shared import SeededDropout
from lilliput.recipe import DataRecipe
from lilliput.results.run import Run
from lilliput.training.processes import ALONE, Group, lost
from lilliput.training.record import Beginning
from lilliput.training.runtime import Runtime


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("images", [1, 2, 6, 64])
def test_the_parts_are_all_the_images_in_order(size: int, images: int) -> None:
    shares = [Share(rank, size) for rank in range(size)]
    places = [place for share in shares for place in range(images)[share.part(images)]]
    assert places == list(range(images))
    assert sum(share.weight(images) for share in shares) == pytest.approx(size)


@pytest.mark.parametrize(
    ("images", "hint"), [(10, "batch_images=12 or 9"), (2, "batch_images=3"), (64, "66 or 63")]
)
def test_what_cannot_be_shared_equally_is_refused(images: int, hint: str) -> None:
    with pytest.raises(UsageError, match=f"batch_images = {images} .* 3 processes") as caught:
        Share(0, 3).refuse_uneven(images)
    assert caught.value.hint.endswith(hint)


def test_the_parts_of_a_batch_are_the_batch(tiny_pack: Pack) -> None:
    selection = select(tiny_pack, DataRecipe(), 1).training
    whole = Batches(selection, 4, batch_images=20, seed=1)
    parts = [whole.shared(Share(rank, 4)) for rank in range(4)]
    for step, (batch, *split) in enumerate(
        zip(whole.epoch(1), *(one.epoch(1) for one in parts), strict=True)
    ):
        assert len(batch.images) == whole.images_in(step)
        assert torch.equal(batch.images, torch.cat([one.images for one in split]))
        assert torch.equal(batch.targets, torch.cat([one.targets for one in split]))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_dropout_is_the_same_for_parts_of_a_batch(memory_format: torch.memory_format) -> None:
    values = torch.ones(7, 5, 4, 3).contiguous(memory_format=memory_format)
    layer = SeededDropout(0.5)
    layer.reseed(3)
    whole = layer(values)
    parts = []
    for rank in range(4):
        part = Share(rank, 4).part(7)
        share_batch(layer, 7, part)
        layer.reseed(3)
        parts.append(layer(values[part]))
    assert torch.equal(whole, torch.cat(parts))


def test_one_process_alone_has_nobody_to_ask() -> None:
    model = torch.nn.Linear(2, 2)
    assert ALONE.join(model) is model
    assert ALONE.is_first
    assert ALONE.agree(2) == 2
    assert ALONE.part(9) == slice(0, 9)
    assert ALONE.weight(9) == 1


def test_the_silent_are_heard_of() -> None:
    """Two processes that share a store, of which the second falls silent."""
    store = torch.distributed.HashStore()
    groups = [Group(rank, 2, store=store) for rank in range(2)]
    assert [group.beat() for group in groups * 5] == [None] * 10
    heard = [groups[0].beat() for _ in range(20)]
    assert heard[0] is None
    assert heard[-1] == 1
    assert [group.may_tell() for group in groups] == [True, False]


def test_what_is_said_of_the_gone() -> None:
    assert "process 2 of 4 is gone" in str(lost([2], 4))
    assert "processes 1, 2 of 4 are gone" in str(lost([1, 2], 4))
    assert "--resume" in lost([2], 4).hint


def test_other_data_than_that_of_the_first_process_is_refused(
    tiny_pack: Pack, other_pack: Pack, make_recipe: Callable, plain: Runtime
) -> None:
    class Follower(Group):
        def hand_out(self, value: object) -> Beginning:
            return Beginning(other_pack.fingerprint, plain.to_json(), None)

    with pytest.raises(PackError, match="process 1 trains on, is not the data of the first"):
        list(follow_steps(make_recipe(), tiny_pack, Follower(1, 2)))


@pytest.fixture(scope="module")
def runs(tiny_pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What ``worlds.py`` leaves."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    folder = tmp_path_factory.mktemp("worlds")
    program = Path(__file__).with_name("worlds.py")
    words = [sys.executable, str(program), str(tiny_pack.path), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    yield folder


def numbers(run: Run) -> list[float]:
    return [
        value
        for one in run.history
        for value in (one.train_loss, one.train_accuracy, one.val_loss, one.val_accuracy)
    ]


@pytest.mark.parametrize("name", ["same-2", "same-4", "left", "dead"])
def test_any_number_of_processes_gives_the_same_run(name: str, runs: Path) -> None:
    """Also when they stopped on the way and another number went on, or one was killed and one alone went on."""
    alone, several = Run.open(runs / "same-1"), Run.open(runs / name)
    assert several.is_finished
    assert numbers(several) == pytest.approx(numbers(alone), rel=1e-4)
    before, after = alone.weights(), several.weights()
    assert all(np.allclose(before[key], after[key], rtol=1e-3, atol=1e-4) for key in before)
    answers = several.predictions("val").probabilities
    assert answers == pytest.approx(alone.predictions("val").probabilities, abs=1e-3)
    assert several.learning is not None and alone.learning is not None
    assert np.array_equal(several.learning[0], alone.learning[0])


def test_the_run_says_how_many_processes_there_were(runs: Path) -> None:
    assert Run.open(runs / "same-4").environment["runtime"]["processes"] == 4
    assert Run.open(runs / "same-1").environment["runtime"]["processes"] == 1


def test_only_the_first_writes_and_nothing_is_left_half_written(runs: Path) -> None:
    assert not list(runs.rglob("*.partial"))
    log = (runs / "lost" / "log.txt").read_text()
    assert log.count("stopped: the loss is no longer a number") == 1
    assert (runs / "dead" / "log.txt").read_text().count("stopped: process 1 of 2 is gone") == 1
