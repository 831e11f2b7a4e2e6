"""Recipe and pack in, run folder out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from lilliput.data.pack import Pack
from lilliput.errors import LilliputError, RecipeError, RunError, TrainingError
from lilliput.evaluation import evaluate_run, load_model
from lilliput.experiment import (
    Runtime,
    Step,
    run_experiment,
    run_steps,
)
from lilliput.recipe import Recipe
from lilliput.results.history import Epoch
from lilliput.results.metrics import log_loss, top_k_accuracy
from lilliput.results.run import Run
from lilliput.training import loop, validation
from lilliput.training.validation import predict_selection
from lilliput.training.weights import read_tensors


@pytest.fixture
def finished(whole: Run, tmp_path: Path) -> Run:
    """The whole run, as a copy that may be spoiled."""
    shutil.copytree(whole.path, tmp_path / "run")
    return Run.open(tmp_path / "run")


def test_without_standardising_pixels_stay_as_they_are(
    recipe: Callable[..., Recipe], tiny_pack: Pack, tmp_path: Path
) -> None:
    one = recipe(model={**recipe().model.model_dump(), "standardize": False})
    model = load_model(run_experiment(one, tiny_pack, tmp_path / "run", device="cpu"))
    images = torch.from_numpy(np.array(tiny_pack["val"].images[:2])).permute(0, 3, 1, 2)
    torch.testing.assert_close(model[0](images), images.float() / 255)
    usual = load_model(run_experiment(recipe(), tiny_pack, tmp_path / "usual", device="cpu"))
    assert (usual[0](images) - images.float() / 255).abs().max() > 0.1


def test_the_folder_holds_everything(whole: Run, tiny_pack: Pack) -> None:
    assert whole.is_finished
    assert [epoch.epoch for epoch in whole.history] == [1, 2]
    assert [tuple(one) for one in whole.classes] == [tuple(one) for one in tiny_pack.classes]
    assert whole.splits_predicted == ("val",)
    metadata = whole.weights_metadata()
    assert metadata.keys() == {"plan", "classes", "image_size", "lilliput", "views"}
    assert json.loads(metadata["views"]) == ["plain"]
    assert json.loads(whole.weights_metadata()["image_size"]) == [16, 16]
    assert whole.environment["runtime"]["precision"] == "fp32"
    assert len(list(whole.checkpoints_path.iterdir())) == 2
    assert "Epoch(epoch=2" in whole.log_path.read_text()


def test_events_come_in_order_and_the_command_is_kept(
    tiny_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    events = run_steps(recipe(), tiny_pack, tmp_path / "r", device="cpu", command="lilliput train")
    kinds = [type(event) for event in events]
    assert kinds == [Runtime, *[Step] * 5, Epoch, *[Step] * 5, Epoch]
    assert Run.open(tmp_path / "r").environment["command"] == "lilliput train"


def test_torchs_and_numpys_own_random_numbers_are_left_alone(
    tiny_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    before, drawn = torch.get_rng_state(), np.random.get_state()[1].copy()
    one = recipe(training={"epochs": 1, "precision": "auto", "memory_format": "auto"})
    run = run_experiment(one, tiny_pack, tmp_path / "run", device="cpu")
    load_model(run)
    assert torch.equal(before, torch.get_rng_state())
    assert (drawn == np.random.get_state()[1]).all()


def test_another_seed_gives_another_network(
    whole: Run, tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    other = run_experiment(recipe(seed=2), tiny_pack, tmp_path / "run", device="cpu")
    assert same(other)["weights"] != same(whole)["weights"]


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"plan": " -> ".join(["MaxPool"] * 6) + " -> FC(4)"}},
        {"data": {"classes": 5}},
        {"data": {"limit": 2}},
    ],
)
def test_a_recipe_that_the_pack_cannot_serve_leaves_no_folder(
    changes: dict, tiny_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    with pytest.raises(LilliputError):
        run_experiment(recipe(**changes), tiny_pack, tmp_path / "run", device="cpu")
    with pytest.raises(LilliputError):
        run_experiment(recipe(), tiny_pack, tmp_path / "run", device="cuda:77")
    assert list(tmp_path.iterdir()) == []


def assert_whole_checkpoints(folder: Path) -> list[str]:
    paths = sorted((folder / "checkpoints").glob("*"))
    for path in paths:
        tensors, _ = read_tensors(path)
        assert all(bool(tensor.isfinite().all()) for tensor in tensors.values()), path.name
    return [path.name[:14] for path in paths]


def test_a_diverging_training_never_saves_what_is_no_number(
    tiny_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    one = recipe(
        seed=9,
        optimizer={"learning_rate": 1e8},
        training={"checkpoint_seconds": 0.0, "epochs": 20},
    )
    with pytest.raises(TrainingError, match=r"epoch \d+, step \d+ at the latest, seed 9"):
        run_experiment(one, tiny_pack, tmp_path / "run", device="cpu")
    assert_whole_checkpoints(tmp_path / "run")
    assert "stopped: " in (tmp_path / "run" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("poisoned", "kept"),
    [
        (8, ["00002-00000001", "00002-00000002"]),
        (10, ["00002-00000003", "00002-00000004"]),
    ],
)
def test_weights_spoiled_by_a_step_of_a_finite_loss_are_never_saved(
    poisoned: int,
    kept: list[str],
    tiny_pack: Pack,
    recipe: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = 0
    step = loop.train_step

    def spoiling(
        model: torch.nn.Module, *rest: object, **settings: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal taken
        taken += 1
        result = step(model, *rest, **settings)
        if taken == poisoned:
            next(iter(model.parameters())).data[0] = torch.nan
        return result

    monkeypatch.setattr(loop, "train_step", spoiling)
    one = recipe(training={"checkpoint_seconds": 0.0})
    with pytest.raises(TrainingError, match="weights are no longer numbers"):
        run_experiment(one, tiny_pack, tmp_path / "run", device="cpu")
    assert assert_whole_checkpoints(tmp_path / "run") == kept
    run = Run.open(tmp_path / "run")
    assert len(run.history) == 1
    assert not run.weights_path.exists()


def test_leaving_a_diverged_training_saves_nothing_bad(
    tiny_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    one = recipe(optimizer={"learning_rate": 1e30})
    events = run_steps(one, tiny_pack, tmp_path / "run", device="cpu")
    with pytest.raises(TrainingError), closing(events):
        for event in events:
            if isinstance(event, Step) and event.step == 4:
                break
    assert assert_whole_checkpoints(tmp_path / "run") == []


def test_evaluating_agrees_with_the_last_epoch(finished: Run, tiny_pack: Pack) -> None:
    stored = finished.predictions("val")
    again = evaluate_run(finished, tiny_pack)
    assert again.probabilities.tobytes() == stored.probabilities.tobytes()
    assert (again.names, again.labels.tolist()) == (stored.names, stored.labels.tolist())
    assert top_k_accuracy(again, 1) == finished.history[-1].val_accuracy
    assert log_loss(again) == finished.history[-1].val_loss


def test_other_views_are_not_stored(finished: Run, tiny_pack: Pack) -> None:
    stored = finished.predictions("val").probabilities
    other = evaluate_run(finished, tiny_pack, views=["plain", "flip"])
    assert not np.array_equal(other.probabilities, stored)
    assert np.array_equal(finished.predictions("val").probabilities, stored)


def test_another_split_is_stored_beside(finished: Run, tiny_pack: Pack) -> None:
    assert len(evaluate_run(finished, tiny_pack, "train").labels) == 48
    assert finished.splits_predicted == ("train", "val")


def test_a_run_from_a_machine_with_another_device_is_evaluated_on_this_one(
    finished: Run, tiny_pack: Pack
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    environment = finished.environment
    environment["runtime"]["device"] = "cuda"
    finished.save_environment(environment)
    judged = evaluate_run(finished, tiny_pack)
    assert top_k_accuracy(judged, 1) == finished.history[-1].val_accuracy


def test_held_out_images(
    tiny_pack: Pack, other_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    run = run_experiment(recipe(data={"holdout": 0.25}), tiny_pack, tmp_path / "run", device="cpu")
    assert run.splits_predicted == ("heldout",)
    stored = run.predictions("heldout")
    assert np.bincount(stored.labels).tolist() == [3, 3, 3, 3]
    again = evaluate_run(run, tiny_pack, "heldout")
    assert again.probabilities.tobytes() == stored.probabilities.tobytes()
    assert top_k_accuracy(again, 1) == run.history[-1].val_accuracy
    assert len(evaluate_run(run, tiny_pack, "val").labels) == 16
    with pytest.raises(RunError, match="held images out of"):
        evaluate_run(run, other_pack, "heldout")


def test_folds_hold_out_all_of_train_once(
    tiny_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    plain = {"model": {"plan": "FC(4)"}, "training": {"epochs": 1}}
    names: list[str] = []
    for fold in (1, 2, 3):
        one = recipe(data={"folds": 3, "fold": fold, "limit": 8}, **plain)
        run = run_experiment(one, tiny_pack, tmp_path / f"fold-{fold}", device="cpu")
        stored = run.predictions("heldout")
        assert np.bincount(stored.labels).tolist() == [4, 4, 4, 4]
        again = evaluate_run(run, tiny_pack, "heldout")
        assert again.probabilities.tobytes() == stored.probabilities.tobytes()
        names += stored.names
    assert sorted(names) == sorted(tiny_pack["train"].names)


def test_a_box_crop_without_any_box_is_a_wrong_recipe(
    tiny_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"augment\.box_crop = 0\.5: no training image"):
        run_experiment(recipe(augment={"box_crop": 0.5}), tiny_pack, tmp_path / "run", device="cpu")


def test_what_was_learned_when_agrees_with_the_history(whole: Run, tiny_pack: Pack) -> None:
    record = whole.learning
    assert record is not None
    assert record.names == tiny_pack["train"].names
    assert record.right.shape == (2, 48)
    accuracies = [epoch.train_accuracy for epoch in whole.history]
    np.testing.assert_allclose(record.right.mean(1), accuracies)
    assert 0 < record.right.mean() < 1


def test_what_was_learned_is_told_of_the_right_images(
    tiny_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    """A network that hardly moves, without anything random in it, has the same images right at any time."""
    one = recipe(
        model={"dropout": 0.0},
        augment={"flip": False, "crop_pixels": 0, "brightness": 0.0},
        optimizer={"learning_rate": 1e-30},
    )
    run = run_experiment(one, tiny_pack, tmp_path / "run", device="cpu")
    train = evaluate_run(run, tiny_pack, "train")
    right = train.probabilities.argmax(1) == train.labels
    assert run.learning is not None
    assert run.learning.names == train.names
    assert 0 < right.sum() < 48
    for row in run.learning.right:
        np.testing.assert_array_equal(row, right)


def test_some_of_the_classes(tiny_pack: Pack, recipe: Callable, tmp_path: Path) -> None:
    run = run_experiment(recipe(data={"classes": 2}), tiny_pack, tmp_path / "run", device="cpu")
    assert [one.id for one in run.classes] == ["n00", "n02"]
    judged = evaluate_run(run, tiny_pack)
    assert judged.probabilities.shape == (8, 2)
    assert np.bincount(judged.labels).tolist() == [4, 4]
    assert top_k_accuracy(judged, 1) == run.history[-1].val_accuracy


def test_what_cannot_be_evaluated_is_refused(
    finished: Run, tiny_pack: Pack, other_pack: Pack, recipe: Callable, tmp_path: Path
) -> None:
    for split in ("test", "heldout"):
        with pytest.raises(RunError, match=f"no split '{split}'") as caught:
            evaluate_run(finished, tiny_pack, split)
        assert "train, val" in caught.value.hint
    other = run_experiment(
        recipe(model={"plan": "FC(6)"}, training={"epochs": 1}),
        other_pack,
        tmp_path / "o",
        device="cpu",
    )
    with pytest.raises(RunError, match="other classes"):
        evaluate_run(other, tiny_pack)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not weights at all"),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(
            path.read_bytes().replace(b"ConvReLU(F3-6)", b"ConvReLU(F3-7)")
        ),
        lambda path: path.write_bytes(
            path.read_bytes().replace(b"ConvReLU(F3-6)", b"ConvReLU?F3-6)")
        ),
        lambda path: path.write_bytes(path.read_bytes().replace(b"[16, 16]", b"   16   ")),
        lambda path: path.write_bytes(path.read_bytes().replace(b"[16, 16]", b'["a", 1]')),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"plan"', b'"plum"')),
    ],
)
def test_damaged_weights_are_refused(
    spoil: Callable[[Path], object], finished: Run, tiny_pack: Pack
) -> None:
    spoil(finished.weights_path)
    with pytest.raises(RunError, match=r"weights"):
        load_model(finished)
    with pytest.raises(RunError):
        evaluate_run(finished, tiny_pack)


def test_the_loaded_network_takes_the_packs_pixels(whole: Run, tiny_pack: Pack) -> None:
    model = load_model(whole)
    assert not model.training
    images = torch.tensor(np.array(tiny_pack["val"].images)).permute(0, 3, 1, 2)
    with torch.no_grad():
        probabilities = model(images).softmax(1).numpy()
    np.testing.assert_allclose(probabilities, whole.predictions("val").probabilities, atol=1e-6)


def test_the_validation_images_are_asked_once_per_epoch(
    tiny_pack: Pack, recipe: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def count(*arguments):
        asked.append(arguments)
        return predict_selection(*arguments)

    monkeypatch.setattr(validation, "predict_selection", count)
    run = run_experiment(recipe(), tiny_pack, tmp_path / "run", device="cpu")
    assert len(asked) == len(run.history)
    assert top_k_accuracy(run.predictions("val"), 1) == run.history[-1].val_accuracy


def test_a_finished_network_is_shown_larger_images(
    tiny_pack: Pack, recipe: Callable, same: Callable, tmp_path: Path
) -> None:
    plan = "Resize(8) -> ConvBNReLU(F3-6) -> GlobalPool -> FC(4)"
    larger = {"evaluation": {"image_pixels": 12}}
    one = recipe(model={"plan": plan, "dropout": 0.0}, **larger)
    run = run_experiment(one, tiny_pack, tmp_path / "run", device="cpu")
    plain = run_experiment(
        recipe(model={"plan": plan, "dropout": 0.0}), tiny_pack, tmp_path / "plain", device="cpu"
    )
    assert run.weights_metadata()["plan"] == plan.replace("8", "12", 1)
    tensors = [read_tensors(each.weights_path)[0] for each in (run, plain)]
    assert all(torch.equal(tensor, tensors[1][name]) for name, tensor in tensors[0].items())
    asked = evaluate_run(run, tiny_pack).probabilities
    np.testing.assert_array_equal(asked, run.predictions("val").probabilities)
    assert not np.allclose(asked, plain.predictions("val").probabilities)
    assert run.history[0].val_loss == plain.history[0].val_loss  # in training as it is trained
    assert run.history[1].val_loss != plain.history[1].val_loss
    # Stopped behind its last epoch, it finishes as if it had not been.
    with closing(run_steps(one, tiny_pack, tmp_path / "stopped", device="cpu")) as events:
        list(islice(events, 13))
    assert same(run_experiment(one, tiny_pack, tmp_path / "stopped", resume=True)) == same(run)


@pytest.mark.parametrize(
    ("plan", "match"),
    [
        ("ConvReLU(F3-6) -> GlobalPool -> FC(4)", "begin with Resize"),
        ("Resize(8) -> ConvReLU(F3-6) -> FC(4)", "with GlobalPool"),
    ],
)
def test_a_plan_of_one_size_is_shown_no_other(plan: str, match: str, recipe: Callable) -> None:
    with pytest.raises(ValueError, match=match):
        recipe(model={"plan": plan, "dropout": 0.0}, evaluation={"image_pixels": 12})
