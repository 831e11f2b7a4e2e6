"""Trainings that begin with what another one has learned."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
import torch

from lilliput.data.pack import Pack
from lilliput.data.prepare import prepare
from lilliput.errors import RecipeError, RunError
from lilliput.evaluation import load_model
from lilliput.experiment import run_experiment, run_steps
from lilliput.results.run import Run

from ..conftest import fabricate_pack

STILL = {"optimizer": {"learning_rate": 1e-30}}  # what it begins with is what it ends with


def started(recipe: Callable, start: Path | str, **changes: object) -> object:
    model = recipe().model.model_dump() | {"start": str(start)}
    return recipe(model=model, **changes)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_model(run).state_dict()


@pytest.mark.parametrize("of", ["folder", "file"])
def test_it_begins_with_everything_that_was_learned(
    of: str, whole: Run, recipe: Callable, tiny_pack: Pack, tmp_path: Path
) -> None:
    start = whole.path if of == "folder" else whole.weights_path
    run = run_experiment(started(recipe, start, **STILL), tiny_pack, tmp_path / "run", device="cpu")
    for name, tensor in weights(run).items():
        torch.testing.assert_close(tensor, weights(whole)[name], msg=name)
    digest = hashlib.sha256(whole.weights_path.read_bytes()).hexdigest()
    assert run.environment["start_sha256"] == digest


def test_other_classes_get_a_last_layer_of_their_own(
    whole: Run, recipe: Callable, tiny_pack: Pack, tmp_path: Path
) -> None:
    few = started(recipe, whole.path, data={"classes": 2}, **STILL)
    run = run_experiment(few, tiny_pack, tmp_path / "run", device="cpu")
    there, here = weights(whole), weights(run)
    *below, weight, bias = here
    for name in below:
        torch.testing.assert_close(here[name], there[name], msg=name)
    assert len(here[weight]) == len(here[bias]) == 2
    assert run.environment["data"]["classes"] == 4


def test_stopped_and_resumed_it_no_longer_needs_what_it_began_with(
    whole: Run, recipe: Callable, same: Callable, tiny_pack: Pack, tmp_path: Path
) -> None:
    start = tmp_path / "start.safetensors"
    shutil.copyfile(whole.weights_path, start)
    one = started(recipe, start)
    without = run_experiment(one, tiny_pack, tmp_path / "without", device="cpu")
    with closing(run_steps(one, tiny_pack, tmp_path / "run", device="cpu")) as events:
        list(islice(events, 4))
    start.unlink()
    resumed = run_experiment(one, tiny_pack, tmp_path / "run", resume=True)
    assert same(resumed) == same(without)


def test_killed_before_its_first_checkpoint_it_begins_there_again(
    whole: Run, recipe: Callable, same: Callable, tiny_pack: Pack, tmp_path: Path
) -> None:
    one = started(recipe, whole.path)
    without = run_experiment(one, tiny_pack, tmp_path / "without", device="cpu")
    with closing(run_steps(one, tiny_pack, tmp_path / "run", device="cpu")) as events:
        list(islice(events, 3))
    for checkpoint in Run.open(tmp_path / "run").checkpoints_path.iterdir():
        checkpoint.unlink()  # as if it had been killed before
    resumed = run_experiment(one, tiny_pack, tmp_path / "run", resume=True)
    assert same(resumed) == same(without)


def test_another_network_or_none_is_one_message(
    whole: Run, recipe: Callable, tiny_pack: Pack, tmp_path: Path
) -> None:
    def refused(one: object, problem: str, kind: type[Exception] = RecipeError) -> None:
        with pytest.raises(kind, match=problem):
            run_experiment(one, tiny_pack, tmp_path / "run", device="cpu")
        assert not (tmp_path / "run").exists()

    other = {"plan": "ConvReLU(F3-6) -> FC(4)", "start": str(whole.path)}
    refused(recipe(model=other), "has another network:\n  there: ConvReLU")
    plain = recipe().model.model_dump() | {"start": str(whole.path), "plan": "Resize(16) -> FC(4)"}
    refused(recipe(model=plain), "has another network")
    refused(started(recipe, tmp_path / "none"), "there are no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    refused(started(recipe, tmp_path / "text.safetensors"), "cannot be read as weights", RunError)


def test_another_size_of_images_is_one_message(
    whole: Run, recipe: Callable, tmp_path: Path
) -> None:
    fabricate_pack(tmp_path)
    larger = prepare(tmp_path / "source", tmp_path / "larger", size=32)
    with pytest.raises(RecipeError, match=r"was trained on images of .16, 16. pixels"):
        run_experiment(started(recipe, whole.path), larger, tmp_path / "run", device="cpu")
