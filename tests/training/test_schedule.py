from __future__ import annotations

import pytest

from lilliput.recipe import ScheduleRecipe
from lilliput.training.schedule import SCHEDULES, learning_rate_factor


def factor(progress: float, epochs: int = 30, **settings) -> float:
    return learning_rate_factor(ScheduleRecipe(**settings), progress, epochs)


@pytest.mark.parametrize(
    ("progress", "expected"), [(0, 1), (9.999, 1), (10, 0.85), (19.99, 0.85), (20, 0.7225)]
)
def test_the_papers_rate_falls_by_15_percent_every_10_epochs(
    progress: float, expected: float
) -> None:
    assert factor(progress) == pytest.approx(expected, rel=1e-12)


def test_other_steps() -> None:
    assert factor(4, factor=0.5, every_epochs=2) == 0.25


def test_constant() -> None:
    assert {factor(p, name="constant") for p in (0, 3.5, 29.9)} == {1.0}


def test_cosine_falls_from_1_over_a_half_to_0() -> None:
    values = [factor(p, name="cosine") for p in (0, 15, 30)]
    assert values == pytest.approx([1, 0.5, 0], abs=1e-12)


def test_one_cycle_rises_to_1_at_the_end_of_its_warmup_and_falls_to_0() -> None:
    values = [factor(p, 10, name="one-cycle", warmup=0.2) for p in (0, 1, 2, 6, 10)]
    assert values == pytest.approx([1 / 25, (1 + 1 / 25) / 2, 1, 0.5, 0])
    assert factor(0, 10, name="one-cycle", warmup=0.0) == 1


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_stays_between_0_and_1(name: str) -> None:
    values = [factor(step / 7, 30, name=name) for step in range(30 * 7)]
    assert all(0 <= value <= 1 for value in values)
