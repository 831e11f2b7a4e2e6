from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from lilliput.errors import RunError, StorageError
from lilliput.results import atomic
from lilliput.training.checkpoint import load_checkpoint, save_checkpoint
from lilliput.training.loop import TrainingState, fit
from lilliput.training.runtime import Runtime


def validate(model: nn.Module, is_finished: bool) -> tuple[float, float]:
    return 1.0, 0.5


@pytest.fixture
def saved(
    tmp_path: Path,
    make_recipe: Callable,
    make_state: Callable,
    make_batches: Callable,
    plain: Runtime,
) -> tuple[TrainingState, list[Path]]:
    """A training after 8 events, and its checkpoints of the last three."""
    recipe = make_recipe()
    state = make_state(recipe)
    events = fit(state, make_batches(recipe), validate, recipe, plain)
    paths = []
    for number in range(8):
        next(events)
        if number >= 5:
            paths.append(save_checkpoint(tmp_path, state))
    return state, paths


@pytest.fixture
def fresh(make_recipe: Callable, make_state: Callable) -> Callable[[], TrainingState]:
    return lambda: make_state(make_recipe())


def test_all_of_the_state_comes_back(
    saved: tuple[TrainingState, list[Path]], tmp_path: Path, fresh: Callable
) -> None:
    state, _ = saved
    loaded = fresh()
    assert load_checkpoint(tmp_path, loaded) == []
    assert (loaded.epoch, loaded.step, loaded.seconds) == (2, 2, state.seconds)
    assert loaded.history == state.history
    assert torch.equal(loaded.sums, state.sums)
    assert torch.equal(loaded.right, state.right)
    assert loaded.learning is not None and state.learning is not None
    assert [row.tolist() for row in loaded.learning] == [row.tolist() for row in state.learning]
    assert len(loaded.learning) == 1
    for name, value in state.model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value)
    momenta = [s.optimizer.state_dict()["state"] for s in (state, loaded)]
    assert momenta[0].keys() == momenta[1].keys()
    assert len(momenta[0]) == 6
    for number, values in momenta[0].items():
        assert torch.equal(values["momentum_buffer"], momenta[1][number]["momentum_buffer"])


def test_one_from_before_the_learning_record_still_loads(
    tmp_path: Path,
    make_recipe: Callable,
    make_state: Callable,
    make_batches: Callable,
    plain: Runtime,
) -> None:
    recipe = make_recipe()
    state = make_state(recipe)
    events = fit(state, make_batches(recipe), validate, recipe, plain)
    for _ in range(3):
        next(events)
    state.learning = None  # such a checkpoint has neither rows nor a row in progress
    save_checkpoint(tmp_path, state)
    loaded = make_state(recipe)
    load_checkpoint(tmp_path, loaded)
    assert loaded.learning is None
    for _ in fit(loaded, make_batches(recipe), validate, recipe, plain):
        pass
    assert (loaded.learning, len(loaded.history)) == (None, 2)


def test_a_loaded_state_saves_to_the_same_bytes(
    saved: tuple[TrainingState, list[Path]], tmp_path: Path, fresh: Callable
) -> None:
    loaded = fresh()
    load_checkpoint(tmp_path, loaded)
    again = save_checkpoint(tmp_path / "again", loaded)
    assert again.name == saved[1][-1].name
    assert again.read_bytes() == saved[1][-1].read_bytes()


def test_the_newest_two_are_kept(saved: tuple[TrainingState, list[Path]], tmp_path: Path) -> None:
    assert sorted(tmp_path.iterdir()) == sorted(saved[1][1:])


def test_no_checkpoint_changes_nothing(tmp_path: Path, fresh: Callable) -> None:
    state = fresh()
    assert load_checkpoint(tmp_path / "none", state) == []
    assert (state.epoch, state.step) == (1, 0)


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    else:
        content[len(content) * int(how) // 100] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "empty", "0", "1", "30", "60", "99"])
def test_a_damaged_one_gives_way_to_the_one_before(
    how: str, saved: tuple[TrainingState, list[Path]], tmp_path: Path, fresh: Callable
) -> None:
    damage(saved[1][-1], how)
    state = fresh()
    (line,) = load_checkpoint(tmp_path, state)
    assert saved[1][-1].name in line
    assert (state.epoch, state.step) == (2, 1)
    # What comes next is not crowded out by the damaged one.
    state.step = 2
    save_checkpoint(tmp_path, state)
    assert len(list(tmp_path.iterdir())) == 2
    assert load_checkpoint(tmp_path, fresh()) == []


def test_a_whole_one_that_is_older_than_several_damaged_stays(
    tmp_path: Path, fresh: Callable
) -> None:
    state = fresh()
    save_checkpoint(tmp_path, state)
    for step in (7, 8):
        (tmp_path / f"00009-0000000{step}-0123456789abcdef.safetensors").write_bytes(b"spoiled")
    assert len(load_checkpoint(tmp_path, state)) == 2
    state.step = 1
    newest = save_checkpoint(tmp_path, state)
    assert newest.is_file()
    assert len(list(tmp_path.iterdir())) == 2


def test_all_damaged_is_an_error_and_nothing_is_removed(
    saved: tuple[TrainingState, list[Path]], tmp_path: Path, fresh: Callable
) -> None:
    for path in saved[1][1:]:
        damage(path, "50")
    with pytest.raises(RunError, match=r"no checkpoint in .* is whole"):
        load_checkpoint(tmp_path, fresh())
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_killed_process_left_is_cleared_away(
    saved: tuple[TrainingState, list[Path]], tmp_path: Path, fresh: Callable
) -> None:
    (tmp_path / ".00002-00000003-0.safetensors.abcd0123.partial").write_bytes(b"half")
    load_checkpoint(tmp_path, fresh())
    assert sorted(tmp_path.iterdir()) == sorted(saved[1][1:])


def test_another_network_is_refused(
    saved: tuple[TrainingState, list[Path]],
    tmp_path: Path,
    make_recipe: Callable,
    make_state: Callable,
) -> None:
    other = make_state(make_recipe(model={"plan": "ConvReLU(F3-7) -> MaxPool -> FC(4)"}))
    with pytest.raises(RunError, match="another network"):
        load_checkpoint(tmp_path, other)


@pytest.mark.parametrize("where", ["write_bytes", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_ones(
    where: str,
    saved: tuple[TrainingState, list[Path]],
    tmp_path: Path,
    fresh: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    state, paths = saved
    state.step += 1
    with monkeypatch.context() as patch:
        patch.setattr(Path if where == "write_bytes" else atomic.os, where, full)
        with pytest.raises(StorageError, match="no space left"):
            save_checkpoint(tmp_path, state)
    assert sorted(tmp_path.iterdir()) == sorted(paths[1:])
    assert load_checkpoint(tmp_path, fresh()) == []
