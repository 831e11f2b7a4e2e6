"""The learning-rate sweep: a short training whose rate rises by the same factor from each step to the next."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from lilliput.data.batches import Batches, step_seed
from lilliput.models.build import seed_dropout
from lilliput.recipe import Recipe
from lilliput.training.loop import TrainingState, step_of
from lilliput.training.optimizer import set_rate
from lilliput.training.runtime import Runtime

# The loss runs away when the mean of the last few is this many times the lowest such mean before.
_RECENT, _RUNAWAY = 4, 2.0


class RatePoint(NamedTuple):
    """Step ``step`` of ``steps`` was taken with this rate; ``loss`` is that of its batch before the step."""

    step: int
    steps: int
    learning_rate: float
    loss: float


class Sweep(NamedTuple):
    """From which rate, to which, in how many steps."""

    low: float = 1e-4
    high: float = 10.0
    steps: int = 100

    def rate(self, step: int) -> float:
        """The rate of a step, counted from 0."""
        return self.low * (self.high / self.low) ** (step / (self.steps - 1))


def sweep_rates(
    state: TrainingState, batches: Batches, recipe: Recipe, runtime: Runtime, sweep: Sweep
) -> Iterator[RatePoint]:
    """Train from ``state`` through the rates, as many epochs as it takes; ends early when the loss runs away.

    All else is the recipe's: batches, augmentation, dropout, momentum, l2. The schedule is not asked.
    """
    losses: list[float] = []
    lowest = math.inf
    state.model.train()
    take_step = step_of(recipe)
    steps = ((epoch, step, b) for epoch in count(1) for step, b in enumerate(batches.epoch(epoch)))
    for number, (epoch, step, batch) in zip(range(sweep.steps), steps, strict=False):
        set_rate(state.optimizer, sweep.rate(number))
        seed_dropout(state.model, step_seed(recipe.seed, epoch, step))
        loss, _ = take_step(state.model, batch, state.optimizer, runtime)
        losses.append(loss.item())
        recent = sum(losses[-_RECENT:]) / len(losses[-_RECENT:])
        if not math.isfinite(losses[-1]) or recent > _RUNAWAY * lowest:
            return
        if number >= _RECENT - 1:
            lowest = min(lowest, recent)
        yield RatePoint(number + 1, sweep.steps, sweep.rate(number), losses[-1])
