"""Stopped anywhere, by a request or a kill, and resumed: the same to the last bit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from lilliput import experiment
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
from lilliput import experiment
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


def test_resuming_a_finished_run_changes_no_file_and_looks_at_no_image(
    whole: Run, tiny_pack: Pack, recipe: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "select", None)
    monkeypatch.setattr(experiment, "pixel_statistics", None)

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


def test_beginning_where_a_run_is_is_refused_before_anything_is_tried(
    whole: Run, tiny_pack: Pack, recipe: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "pixel_statistics", None)
    monkeypatch.setattr(experiment, "choose_runtime", None)
    with pytest.raises(RunError, match="already holds something") as caught:
        run_experiment(recipe(), tiny_pack, whole.path, device="cpu")
    assert "--resume" in caught.value.hint


@pytest.mark.parametrize("count", [1, 4, 6, 7, 9, 12])
def test_batch_statistics_go_on_where_they_stopped(
    count: int, tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    plan = "ConvBNReLU(F3-4) -> MaxPool -> Residual(F3-6) -> GlobalPool -> FC(4)"
    one = recipe(model={"plan": plan}, data={"folds": 4, "fold": 2})
    unbroken = run_experiment(one, tiny_pack, tmp_path / "whole", device="cpu")
    assert unbroken.weights()["2.running_var"].std() > 0
    stop_after(run_steps(one, tiny_pack, tmp_path / "run", device="cpu"), count)
    broken = run_experiment(one, tiny_pack, tmp_path / "run", resume=True)
    found, expected = (same(run, "heldout") for run in (broken, unbroken))
    assert found == expected


def test_what_training_passes_by_goes_on_where_it_stopped(
    tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    plan = "ConvBNReLU(F3-4,S2) -> Residual(F3-4) x2 -> GlobalPool -> FC(4)"
    asked = {"plan": plan, "stochastic_depth": 0.5, "zero_init": True}
    one = recipe(model=asked)
    unbroken = same(run_experiment(one, tiny_pack, tmp_path / "whole", device="cpu"))
    stop_after(run_steps(one, tiny_pack, tmp_path / "run", device="cpu"), 7)
    assert same(run_experiment(one, tiny_pack, tmp_path / "run", resume=True)) == unbroken
    for key in ("stochastic_depth", "zero_init"):
        other = recipe(model={name: value for name, value in asked.items() if name != key})
        found = same(run_experiment(other, tiny_pack, tmp_path / key, device="cpu"))
        assert found["weights"] != unbroken["weights"]


def test_a_list_of_dropped_images_must_stay_what_it_was(
    tiny_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    file, folder = tmp_path / "drop.txt", tmp_path / "run"
    file.write_text("\n".join(tiny_pack["train"].names[:3]))
    one = recipe(data={"drop": str(file)})
    stop_after(run_steps(one, tiny_pack, folder, device="cpu"), 3)
    data = Run.open(folder).environment["data"]
    assert data["dropped"] == 3
    assert len(data["drop_sha256"]) == 64
    file.write_text(tiny_pack["train"].names[0])
    with pytest.raises(RunError, match=r"the content of .*drop\.txt: [0-9a-f]{16}, now") as caught:
        run_experiment(one, tiny_pack, folder, resume=True)
    assert str(caught.value).count("\n") == 1
    file.write_text("\n".join(tiny_pack["train"].names[:3]))
    run = run_experiment(one, tiny_pack, folder, resume=True)
    assert run.learning is not None
    assert run.learning.right.shape == (2, 45)


def test_a_run_from_before_a_key_existed_goes_on(
    tiny_pack: Pack, recipe: Callable, same: Callable, whole: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    stop_after(run_steps(recipe(), tiny_pack, folder, device="cpu"), 4)
    file = folder / "recipe.toml"
    younger = ("folds", "fold", "drop", "box_crop")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if line.split(" = ")[0] not in younger))
    assert same(run_experiment(recipe(), tiny_pack, folder, resume=True)) == same(whole)


def test_weights_that_cannot_be_read_are_written_anew(
    whole: Run, tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    run = run_experiment(recipe(), tiny_pack, folder, device="cpu")
    run.weights_path.write_bytes(run.weights_path.read_bytes()[:-100])
    run_experiment(recipe(), tiny_pack, folder, resume=True)
    assert same(Run.open(folder)) == same(whole)


def test_a_history_without_checkpoints_is_not_begun_anew(
    tiny_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    run = run_experiment(recipe(), tiny_pack, tmp_path / "run", device="cpu")
    run.weights_path.unlink()
    shutil.rmtree(run.checkpoints_path)
    before = run.history_path.read_bytes()
    with pytest.raises(RunError, match="no checkpoint to go on from"):
        run_experiment(recipe(), tiny_pack, run.path, resume=True)
    assert run.history_path.read_bytes() == before


@pytest.mark.parametrize("count", [3, 7, 12])
def test_an_average_goes_on_too(
    count: int, tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    training = recipe().training.model_dump() | {"average_decay": 0.8}
    averaged = recipe(training=training)
    without = run_experiment(averaged, tiny_pack, tmp_path / "without", device="cpu")
    folder = tmp_path / "run"
    stop_after(run_steps(averaged, tiny_pack, folder, device="cpu"), count)
    resumed = run_experiment(averaged, tiny_pack, folder, resume=True)
    assert same(resumed) == same(without)
    plain = run_experiment(recipe(), tiny_pack, tmp_path / "plain", device="cpu")
    assert same(plain)["weights"] != same(without)["weights"]


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "adamw", "l2": 0.0, "weight_decay": 0.1},
        {"name": "muon", "rest": "adamw", "sam": 0.05, "clip_norm": 1.0},
    ],
    ids=["adamw", "muon"],
)
def test_every_optimizer_goes_on_where_it_stopped(
    optimizer: dict, tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    one = recipe(optimizer=optimizer, training={"accumulate": 2})
    undisturbed = run_experiment(one, tiny_pack, tmp_path / "undisturbed", device="cpu")
    stop_after(run_steps(one, tiny_pack, tmp_path / "run", device="cpu"), 4)
    stop_after(run_steps(one, tiny_pack, tmp_path / "run", resume=True), 4)
    run_experiment(one, tiny_pack, tmp_path / "run", resume=True)
    assert same(Run.open(tmp_path / "run")) == same(undisturbed)
