"""A sweep finds a rate that trains, and none among hopeless ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from lilliput.data.pack import Pack
from lilliput.experiment import RatePoint, Runtime, Sweep, rate_steps, run_experiment
from lilliput.recipe import Recipe
from lilliput.results.rate_sweep import RateSweep


def swept(recipe: Recipe, pack: Pack, sweep: Sweep) -> RateSweep:
    runtime, *points = rate_steps(recipe, pack, sweep, device="cpu")
    assert isinstance(runtime, Runtime)
    assert all(isinstance(point, RatePoint) for point in points)
    rates, losses = ([getattr(p, name) for p in points] for name in ("learning_rate", "loss"))
    return RateSweep(np.array(rates), np.array(losses), len(points) < sweep.steps)


@pytest.fixture
def plain(recipe: Callable) -> Callable[..., Recipe]:
    """A recipe whose sweep is little else than its rate."""
    return lambda **changes: recipe(
        model={"dropout": 0.0},
        augment={"brightness": 0.0},
        schedule={"name": "constant"},
        **changes,
    )


def test_the_suggested_rate_trains(plain: Callable, tiny_pack: Pack, tmp_path) -> None:
    found = swept(plain(), tiny_pack, Sweep(1e-4, 100.0, 100))
    assert found.suggestion is not None
    assert found.diverged
    assert found.suggestion < found.rates[-1] / 3
    one = plain(
        optimizer={"learning_rate": found.suggestion}, training={"epochs": 10, "batch_images": 10}
    )
    history = run_experiment(one, tiny_pack, tmp_path / "run", device="cpu").history
    assert history[-1].train_loss < 0.7 * found.smoothed[0]
    # A hundredth of it would not have got there in the same time.
    slow = plain(
        optimizer={"learning_rate": found.suggestion / 100},
        training={"epochs": 10, "batch_images": 10},
    )
    slower = run_experiment(slow, tiny_pack, tmp_path / "slow", device="cpu").history
    assert history[-1].train_loss < slower[-1].train_loss - 0.2


@pytest.mark.parametrize("sweep", [Sweep(1e3, 1e9, 30), Sweep(1e-12, 1e-10, 30)])
def test_no_hopeless_rate_is_suggested(plain: Callable, tiny_pack: Pack, sweep: Sweep) -> None:
    assert swept(plain(), tiny_pack, sweep).suggestion is None


def test_the_same_recipe_sweeps_the_same_and_leaves_the_world_alone(
    recipe: Callable, tiny_pack: Pack
) -> None:
    before = torch.get_rng_state()
    one, two = (swept(recipe(), tiny_pack, Sweep(1e-3, 1e-1, 20)) for _ in range(2))
    assert one.losses.tolist() == two.losses.tolist()
    assert len(one.losses) == 20
    assert one.rates[[0, -1]].tolist() == pytest.approx([1e-3, 1e-1])
    assert torch.equal(before, torch.get_rng_state())
