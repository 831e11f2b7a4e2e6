"""Stopped anywhere, by a request or a kill, and resumed: the same to the last bit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from lilliput.data.pack import Pack
from lilliput.errors import RunError
from lilliput.experiment import run_experiment, run_steps
from lilliput.results.run import Run

EVENTS = 13  # a runtime, ten steps, two epochs


def stop_after(events: Iterator, count: int) -> None:
    with closing(events):
        for _ in islice(events, count):
            pass


@pytest.mark.parametrize("count", range(EVENTS + 1))
def test_stopped_after_any_event_and_resumed(
    count: int, whole: Run, tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    if count:
        stop_after(run_steps(recipe(), tiny_pack, folder, device="cpu"), count)
        assert not (folder / "weights.safetensors").exists()
        run_experiment(recipe(), tiny_pack, folder, resume=True)
    else:
        run_experiment(recipe(), tiny_pack, folder, device="cpu")
    assert same(Run.open(folder)) == same(whole)


def test_stopped_after_every_single_event(
    whole: Run, tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    stop_after(run_steps(recipe(), tiny_pack, folder, device="cpu"), 2)
    for _ in range(EVENTS):
        stop_after(run_steps(recipe(), tiny_pack, folder, resume=True), 2)
    run_experiment(recipe(), tiny_pack, folder, resume=True)
    assert same(Run.open(folder)) == same(whole)


# Forks a training for every kill, for PyTorch is loaded slowly. Nothing of PyTorch's has run before the fork.
PROGRAM = """
import os, random, signal, sys, torch
from pathlib import Path
from lilliput.data.pack import Pack
from lilliput.experiment import run_steps
from lilliput.recipe import load_recipe

torch.set_num_threads(1)
pack, recipe, folder, kills = sys.argv[1:]
draw = random.Random(recipe)

def train(resume, pipe):
    events = run_steps(
        load_recipe(recipe), Pack.open(pack), Path(folder), device="cpu", resume=resume
    )
    for event in events:
        os.write(pipe, b".")

for kill in range(int(kills)):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        train(kill > 0, writing)
        os._exit(0)
    os.close(writing)
    os.read(reading, 1)  # it has begun
    for _ in range(draw.randint(0, 9)):
        os.read(reading, 1)
    for _ in range(draw.randint(0, 20000)):  # somewhere within the next step
        pass
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    os.close(reading)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("seconds", "kills"), [(0.0, 5), (120.0, 2)])
def test_killed_at_random_and_resumed(
    seconds: float, kills: int, tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    one = recipe(training={"epochs": 12, "checkpoint_seconds": seconds})
    file, folder = tmp_path / "recipe.toml", tmp_path / "run"
    file.write_text(one.to_toml())
    words = [str(tiny_pack.path), str(file), str(folder), str(kills)]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (folder / "weights.safetensors").exists()
    broken = run_experiment(one, tiny_pack, folder, resume=True)
    unbroken = run_experiment(one, tiny_pack, tmp_path / "whole", device="cpu")
    assert same(broken) == same(unbroken)


def test_a_damaged_checkpoint_is_passed_over_with_a_line_in_the_log(
    whole: Run, tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    one = recipe(training={"checkpoint_seconds": 0.0})
    stop_after(run_steps(one, tiny_pack, folder, device="cpu"), 9)
    newest = max((folder / "checkpoints").iterdir())
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 16
    newest.write_bytes(content)
    run = run_experiment(one, tiny_pack, folder, resume=True)
    assert newest.name in run.log_path.read_text()
    assert same(run) == same(whole)


def test_resuming_with_something_else_shows_every_difference(
    whole: Run, tiny_pack: Pack, other_pack: Pack, recipe: Callable
) -> None:
    other = recipe(seed=5, optimizer={"learning_rate": 0.5})
    with pytest.raises(RunError) as caught:
        run_experiment(other, other_pack, whole.path, resume=True)
    message = str(caught.value)
    assert "seed: 1, now 5" in message
    assert "optimizer.learning_rate: 0.02, now 0.5" in message
    assert f"data: {tiny_pack.fingerprint[:16]}, now {other_pack.fingerprint[:16]}" in message
    assert message.count("\n") == 3


def test_the_differences_come_before_what_the_new_recipe_cannot_do(
    whole: Run, tiny_pack: Pack, recipe: Callable
) -> None:
    with pytest.raises(RunError, match=r"data\.classes: 0, now 99"):
        run_experiment(recipe(data={"classes": 99}), tiny_pack, whole.path, resume=True)


def test_resuming_a_finished_run_changes_no_file(
    whole: Run, tiny_pack: Pack, recipe: Callable
) -> None:
    def content() -> dict[Path, tuple[bytes, int]]:
        files = [path for path in whole.path.rglob("*") if path.is_file()]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    before = content()
    assert len(list(run_steps(recipe(), tiny_pack, whole.path, resume=True))) == 1
    assert content() == before


def test_resuming_where_nothing_is(tiny_pack: Pack, recipe: Callable, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run at"):
        run_experiment(recipe(), tiny_pack, tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


def test_beginning_where_a_run_is(whole: Run, tiny_pack: Pack, recipe: Callable) -> None:
    with pytest.raises(RunError, match="already holds something") as caught:
        run_experiment(recipe(), tiny_pack, whole.path, device="cpu")
    assert "--resume" in caught.value.hint
