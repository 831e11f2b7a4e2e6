"""A small training whose every part a test may hold in its hands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lilliput.data.batches import Batches
from lilliput.data.pack import Pack
from lilliput.data.selection import select
from lilliput.data.statistics import pixel_statistics
from lilliput.models.build import build_model
from lilliput.recipe import Recipe
from lilliput.training.loop import TrainingState
from lilliput.training.optimizer import make_optimizer
from lilliput.training.runtime import Runtime


def recipe_with(**changes: Any) -> Recipe:
    """A tiny recipe; ``changes`` replace keys of its sections: ``training={"epochs": 2}``."""
    values: dict[str, Any] = {
        "name": "tiny",
        "model": {"plan": "ConvReLU(F3-6) -> MaxPool -> FCReLU(12) -> FC(4)", "dropout": 0.3},
        "optimizer": {"learning_rate": 0.02, "l2": 1e-3},
        "training": {"epochs": 2, "batch_images": 10, "precision": "fp32"},
    }
    for section, content in changes.items():
        old = values.get(section)
        values[section] = {**(old or {}), **content} if isinstance(content, dict) else content
    return Recipe.model_validate(values)


PLAIN = Runtime("cpu", "fp32", "contiguous", torch.get_num_threads())


def new_state(pack: Pack, recipe: Recipe, runtime: Runtime = PLAIN) -> TrainingState:
    """Where a training of the recipe begins."""
    dataset = select(pack, recipe.data, recipe.seed)
    plan = recipe.model.network(len(dataset.classes))
    statistics, rate = pixel_statistics(dataset.training), recipe.model.stochastic_depth
    model = runtime.place(build_model(plan, *statistics, seed=recipe.seed, stochastic_depth=rate))
    return TrainingState(
        model, make_optimizer(model, recipe.optimizer), torch.zeros(2, dtype=torch.float64)
    )


def new_batches(pack: Pack, recipe: Recipe) -> Batches:
    """The recipe's batches, not augmented."""
    dataset = select(pack, recipe.data, recipe.seed)
    return Batches(
        dataset.training,
        len(dataset.classes),
        batch_images=recipe.training.batch_images,
        seed=recipe.seed,
    )


@pytest.fixture
def make_recipe() -> Callable[..., Recipe]:
    return recipe_with


@pytest.fixture
def make_state(tiny_pack: Pack) -> Callable[..., TrainingState]:
    return lambda *args, **settings: new_state(tiny_pack, *args, **settings)


@pytest.fixture
def make_batches(tiny_pack: Pack) -> Callable[..., Batches]:
    return lambda recipe: new_batches(tiny_pack, recipe)


@pytest.fixture
def plain() -> Runtime:
    return PLAIN


@pytest.fixture
def small_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 5))
