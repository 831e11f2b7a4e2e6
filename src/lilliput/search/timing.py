"""How a network was found to train fastest, kept for all its trainings: timed anew, they could differ in arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lilliput.recipe import Recipe
from lilliput.search.space import with_values

# Each with what leaves it open.
_OPEN = {"precision": "auto", "memory_format": "auto", "threads": 0, "step": "auto"}
# The plan, the images of a batch, and what the recipe itself says about each of _OPEN.
_Network = tuple[Any, ...]


@dataclass
class Timings:
    """What the first training of every network and batch size chose where its recipe says auto."""

    _chosen: dict[_Network, Mapping[str, Any]] = field(default_factory=dict)

    def settled(self, recipe: Recipe) -> Recipe:
        """The recipe with what is known in place of auto; nothing else of it changes."""
        known = self._chosen.get(_network(recipe), {})
        asked = recipe.training
        wanted = [
            key for key, auto in _OPEN.items() if key in known and getattr(asked, key) == auto
        ]
        return with_values(recipe, {f"training.{key}": known[key] for key in wanted})

    def keep(self, recipe: Recipe, runtime: Mapping[str, Any]) -> None:
        """Remember what the first training of ``recipe`` ran as: a Runtime as environment.json records it."""
        self._chosen.setdefault(_network(recipe), runtime)


def _network(recipe: Recipe) -> _Network:
    training = recipe.training
    return recipe.model.plan, training.batch_images, *(getattr(training, key) for key in _OPEN)
