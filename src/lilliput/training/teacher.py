"""Targets in which trained networks have a share: distillation (Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lilliput.data.batches import Augmentation, Batch, Draws
from lilliput.data.selection import DataSet, Selection
from lilliput.data.statistics import image_size
from lilliput.errors import RecipeError
from lilliput.recipe import TeacherRecipe
from lilliput.results.ensemble import Ensemble
from lilliput.results.open import open_classifier
from lilliput.results.run import Run
from lilliput.training.weights import read_network


class Lesson(NamedTuple):
    """What trained networks say: as the last of the augmentations, or as targets float32[n,k] of the training."""

    live: tuple[Augmentation, ...] = ()
    stored: NDArray[np.float32] | None = None


def lesson_of(recipe: TeacherRecipe, dataset: DataSet, device: torch.device) -> Lesson:
    """What a recipe's teacher says, empty without one.

    Raises: RecipeError when it knows other classes, or images of another size, or has no answers stored; RunError.
    """
    if not recipe.path or not recipe.share:
        return Lesson()
    if recipe.answers == "stored":
        return Lesson(stored=_stored(recipe, dataset))
    networks = []
    for weight, path in _members(recipe.path):
        model, metadata = read_network(path)
        if json.loads(metadata["image_size"]) != list(image_size(dataset.training)):
            raise _unfit(recipe, f"sees images of {metadata['image_size']} pixels")
        _check_classes(recipe, dataset, json.loads(metadata["classes"]))
        networks.append((weight, model.requires_grad_(False).to(device)))
    return Lesson(live=(Teacher(networks, recipe),))


def teacher_digest(recipe: TeacherRecipe) -> str:
    """SHA-256 of the weights of all its networks, one after the other. Raises: RunError."""
    digest = hashlib.sha256()
    for _, path in _members(recipe.path):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Teacher:
    """Gives the weighted mean of the networks' probabilities a share in every target."""

    def __init__(self, networks: Sequence[tuple[float, nn.Module]], recipe: TeacherRecipe) -> None:
        self._networks = networks
        self._recipe = recipe

    @torch.no_grad()
    def __call__(self, batch: Batch, draws: Draws) -> Batch:
        """The batch with other targets. An augmentation that draws nothing."""
        device = batch.images.device.type
        said = torch.zeros_like(batch.targets)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            for weight, model in self._networks:
                said += weight * model(batch.images).float().softmax(1)
        return batch._replace(targets=blended(batch.targets, said, self._recipe))


def blended(targets: Tensor, said: Tensor, recipe: TeacherRecipe) -> Tensor:
    """Targets float32[b,k] of which the recipe's share are the probabilities that the teacher ``said``, softened."""
    softened = said.clamp_min(1e-12) ** (1 / recipe.temperature)
    return torch.lerp(targets, softened / softened.sum(1, keepdim=True), recipe.share)


def _members(path: str) -> list[tuple[float, Path]]:
    """The files of weights of a teacher, each with its weight. Raises: RunError."""
    if Path(path).is_file():
        return [(1.0, Path(path))]
    opened = open_classifier(path)
    runs = opened.members if isinstance(opened, Ensemble) else (opened,)
    weights = opened.weights if isinstance(opened, Ensemble) else (1.0,)
    return [(weight, run.finished_weights()) for weight, run in zip(weights, runs, strict=True)]


def _stored(recipe: TeacherRecipe, dataset: DataSet) -> NDArray[np.float32]:
    if Path(recipe.path).is_file():
        raise _unfit(recipe, "is a file of weights, which holds no answers")
    opened: Run | Ensemble = open_classifier(recipe.path)
    _check_classes(recipe, dataset, [list(one) for one in opened.classes])
    if "train" not in opened.splits_predicted:
        raise RecipeError(
            f"teacher.path = {recipe.path} holds no answers to the training images",
            f"lilliput evaluate {recipe.path} --split train, or teacher.answers=live",
        )
    answers = opened.predictions("train")
    place = {name: row for row, name in enumerate(answers.names)}
    names = dataset.training.names
    if missing := next((name for name in names if name not in place), ""):
        raise _unfit(recipe, f"was not asked about {missing}")
    said = answers.probabilities[[place[name] for name in names]]
    labels = _one_hot(dataset.training, len(dataset.classes))
    return blended(labels, torch.from_numpy(said), recipe).numpy()


def _one_hot(selection: Selection, classes: int) -> Tensor:
    labels = torch.from_numpy(selection.labels)
    return torch.zeros(len(labels), classes).scatter_(1, labels[:, None], 1.0)


def _check_classes(recipe: TeacherRecipe, dataset: DataSet, known: Sequence[Sequence[str]]) -> None:
    if [one[0] for one in known] != [one.id for one in dataset.classes]:
        raise _unfit(recipe, "knows other classes")


def _unfit(recipe: TeacherRecipe, what: str) -> RecipeError:
    return RecipeError(
        f"teacher.path = {recipe.path} {what}",
        "name a run, or an ensemble, of the same classes and images",
    )
