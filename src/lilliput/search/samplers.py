"""How the next point is chosen, and when a trial is given up early: Optuna's samplers and pruners by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from optuna import Trial
from optuna.distributions import BaseDistribution
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from lilliput.search.space import Parameter, Scalar, Space

REDUCTION = 3


class GridPoint(BaseSampler):
    """Gives one point of a grid; which one a trial gets is settled by its place among the trials."""

    def __init__(self, point: Mapping[str, Scalar]) -> None:
        self.point = point

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """None: every parameter is looked up by itself."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The point's own value."""
        return self.point[param_name]


def sampler_for(name: str, space: Space, seed: int, number: int, place: int) -> BaseSampler:
    """The sampler of one trial: seeded by its ``number``, so that no two processes draw alike.

    ``place`` is how many trials were begun before it, retries apart; it picks the point of a grid.
    """
    mixed = (seed * 1_000_003 + number * 7919) % 2**32
    return SAMPLERS[name](space, mixed, place)


def pruner_for(name: str, steps: int) -> BasePruner:
    """The pruner for trials that report ``steps`` times at most."""
    return PRUNERS[name](steps)


def suggest(trial: Trial, parameter: Parameter) -> None:
    """Have the study's sampler choose this parameter's value for a trial."""
    name, low, high = parameter.name, parameter.low, parameter.high
    if parameter.choices:
        trial.suggest_categorical(name, parameter.choices)
    elif parameter.is_whole:
        step = int(parameter.step) or 1
        trial.suggest_int(name, int(low), int(high), log=parameter.log, step=step)
    else:
        trial.suggest_float(name, low, high, log=parameter.log, step=parameter.step or None)


def _grid(space: Space, seed: int, place: int) -> BaseSampler:
    grid = space.grid()
    return GridPoint(grid[place % len(grid)])  # beyond the grid are only surplus trials


def _asha(steps: int) -> BasePruner:
    # Rungs end at the full training and go down by thirds, four of them at most: 1, 3, 9 of 9 steps.
    return SuccessiveHalvingPruner(
        min_resource=max(1, steps // REDUCTION**3), reduction_factor=REDUCTION
    )


def _hyperband(steps: int) -> BasePruner:
    return HyperbandPruner(
        min_resource=max(1, steps // REDUCTION**3),
        max_resource=max(1, steps),
        reduction_factor=REDUCTION,
    )


SAMPLERS: dict[str, Callable[[Space, int, int], BaseSampler]] = {
    "tpe": lambda space, seed, place: TPESampler(seed=seed),
    "random": lambda space, seed, place: RandomSampler(seed=seed),
    "grid": _grid,
}

PRUNERS: dict[str, Callable[[int], BasePruner]] = {
    "none": lambda steps: NopPruner(),
    "asha": _asha,
    "hyperband": _hyperband,
    "median": lambda steps: MedianPruner(n_startup_trials=5, n_warmup_steps=steps // 5),
}
