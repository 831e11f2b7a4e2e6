"""A training that learns from others: what its targets are, and that it can be stopped as any other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch

import lilliput
from lilliput.data.batches import Batches
from lilliput.data.pack import Pack
from lilliput.data.selection import DataSet, select
from lilliput.errors import RecipeError, RunError
from lilliput.evaluation import evaluate_run, load_model
from lilliput.experiment import run_experiment, run_steps
from lilliput.recipe import DataRecipe, TeacherRecipe
from lilliput.results.run import Run
from lilliput.training.teacher import lesson_of

CPU = torch.device("cpu")


@pytest.fixture
def learned(whole: Run, tmp_path: Path) -> Run:
    """A finished run that a test may ask about more images."""
    return Run.open(copytree(whole.path, tmp_path / "learned"))


@pytest.fixture
def dataset(tiny_pack: Pack) -> DataSet:
    return select(tiny_pack, DataRecipe(), 1)


def targets_of(recipe: TeacherRecipe, dataset: DataSet) -> tuple[np.ndarray, np.ndarray]:
    """The first epoch's targets, and the images they are of."""
    lesson = lesson_of(recipe, dataset, CPU)
    batches = Batches(
        dataset.training,
        len(dataset.classes),
        batch_images=10,
        seed=1,
        augmentations=lesson.live,
        targets=lesson.stored,
    )
    epoch = list(batches.epoch(1))
    targets = torch.cat([batch.targets for batch in epoch])
    return targets.numpy(), torch.cat([batch.images for batch in epoch]).numpy()


def softened(run: Run, images: np.ndarray, temperature: float) -> np.ndarray:
    with torch.no_grad():
        logits = load_model(run)(torch.from_numpy(images))
    said = logits.double().softmax(1) ** (1 / temperature)
    return (said / said.sum(1, keepdim=True)).numpy()


@pytest.mark.parametrize(("share", "temperature"), [(1.0, 1.0), (0.3, 4.0)])
def test_a_target_is_partly_what_the_teacher_says(
    share: float, temperature: float, whole: Run, dataset: DataSet
) -> None:
    recipe = TeacherRecipe(path=str(whole.path), share=share, temperature=temperature)
    labels, images = targets_of(TeacherRecipe(), dataset)
    targets, same_images = targets_of(recipe, dataset)
    np.testing.assert_array_equal(same_images, images)
    expected = share * softened(whole, images, temperature) + (1 - share) * labels
    np.testing.assert_allclose(targets, expected, atol=1e-5)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-5)


def test_stored_answers_are_the_live_ones_to_images_as_they_are(
    learned: Run, dataset: DataSet, tiny_pack: Pack
) -> None:
    evaluate_run(learned, tiny_pack, "train")
    live = TeacherRecipe(path=str(learned.path), temperature=2.0)
    stored = TeacherRecipe(path=str(learned.path), temperature=2.0, answers="stored")
    np.testing.assert_allclose(
        targets_of(stored, dataset)[0], targets_of(live, dataset)[0], atol=1e-5
    )


def test_an_ensemble_speaks_with_the_mean_of_its_members(
    whole: Run, recipe: Callable, dataset: DataSet, tiny_pack: Pack, tmp_path: Path
) -> None:
    other = run_experiment(recipe(seed=7), tiny_pack, tmp_path / "other", device="cpu")
    lilliput.ensemble([whole, other], to=tmp_path / "both")
    targets, _ = targets_of(TeacherRecipe(path=str(tmp_path / "both"), share=1.0), dataset)
    alone = [
        targets_of(TeacherRecipe(path=str(one.path), share=1.0), dataset)[0]
        for one in (whole, other)
    ]
    np.testing.assert_allclose(targets, np.mean(alone, axis=0), atol=1e-5)


@pytest.mark.parametrize("answers", ["live", "stored"])
def test_it_trains_and_goes_on_where_it_stopped(
    answers: str, learned: Run, recipe: Callable, same: Callable, tiny_pack: Pack, tmp_path: Path
) -> None:
    evaluate_run(learned, tiny_pack, "train")
    one = recipe(teacher={"path": str(learned.path), "answers": answers})
    undisturbed = run_experiment(one, tiny_pack, tmp_path / "undisturbed", device="cpu")
    with closing(run_steps(one, tiny_pack, tmp_path / "run", device="cpu")) as events:
        list(islice(events, 5))
    resumed = run_experiment(one, tiny_pack, tmp_path / "run", resume=True)
    assert same(resumed) == same(undisturbed)
    assert same(resumed)["weights"] != same(learned)["weights"]
    digest = hashlib.sha256(learned.weights_path.read_bytes()).hexdigest()
    assert resumed.environment["teacher_sha256"] == digest


def test_it_goes_on_with_the_same_teacher_alone(
    learned: Run, recipe: Callable, tiny_pack: Pack, tmp_path: Path
) -> None:
    one = recipe(teacher={"path": str(learned.path)})
    with closing(run_steps(one, tiny_pack, tmp_path / "run", device="cpu")) as events:
        list(islice(events, 5))
    other = run_experiment(recipe(seed=9), tiny_pack, tmp_path / "other", device="cpu")
    learned.weights_path.write_bytes(other.weights_path.read_bytes())
    with pytest.raises(RunError, match=f"the weights of {learned.path}"):
        run_experiment(one, tiny_pack, tmp_path / "run", resume=True)


def test_what_cannot_teach_is_one_message(
    recipe: Callable, tiny_pack: Pack, other_pack: Pack, tmp_path: Path
) -> None:
    def refused(error: type[Exception], match: str, pack: Pack = tiny_pack, **teacher: str) -> None:
        with pytest.raises(error, match=match):
            run_experiment(recipe(teacher=teacher), pack, tmp_path / "run", device="cpu")
        assert not (tmp_path / "run").exists()

    one = run_experiment(recipe(), tiny_pack, tmp_path / "one", device="cpu")
    refused(RecipeError, "holds no answers to the training", path=str(one.path), answers="stored")
    refused(RecipeError, "file of weights", path=str(one.weights_path), answers="stored")
    refused(RecipeError, "knows other classes|sees images", other_pack, path=str(one.path))
    refused(RunError, "no", path=str(tmp_path / "nowhere"))
    one.weights_path.unlink()
    refused(RunError, "no weights yet", path=str(one.path))
