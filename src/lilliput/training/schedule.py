"""Learning-rate curves: pure functions of how far the training is."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

from lilliput.recipe import ScheduleRecipe


def learning_rate_factor(recipe: ScheduleRecipe, progress: float, epochs: int) -> float:
    """What the highest learning rate is multiplied by after ``progress`` epochs (a fraction) of ``epochs``: 0 to 1."""
    return SCHEDULES[recipe.name](recipe, progress, epochs)


def _constant(recipe: ScheduleRecipe, progress: float, epochs: int) -> float:
    return 1.0


def _step(recipe: ScheduleRecipe, progress: float, epochs: int) -> float:
    """Paper: §5.1, times 0.85 every 10 epochs."""
    return recipe.factor ** int(progress // recipe.every_epochs)


def _cosine(recipe: ScheduleRecipe, progress: float, epochs: int) -> float:
    """Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts."""
    return (1 + cos(pi * progress / epochs)) / 2


def _one_cycle(recipe: ScheduleRecipe, progress: float, epochs: int) -> float:
    """Smith and Topin 2018, arXiv:1708.07120, in straight lines: up from 1/25 of the peak, then down to 0."""
    start, done = 1 / 25, progress / epochs
    if done < recipe.warmup:
        return start + (1 - start) * done / recipe.warmup
    return (1 - done) / (1 - recipe.warmup)


SCHEDULES: dict[str, Callable[[ScheduleRecipe, float, int], float]] = {
    "step": _step,
    "cosine": _cosine,
    "one-cycle": _one_cycle,
    "constant": _constant,
}
"""Every schedule by its name in a recipe."""
