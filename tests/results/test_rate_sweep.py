from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from lilliput.results.rate_sweep import RateSweep

RATES = np.geomspace(1e-4, 10, 100)


def sweep(losses: np.ndarray, *, noise: float = 0.05, diverged: bool = False) -> RateSweep:
    wavering = np.random.default_rng(1).normal(scale=noise, size=len(losses))
    return RateSweep(RATES[: len(losses)], losses + wavering, diverged)


def test_the_suggestion_is_where_the_loss_has_come_down() -> None:
    falling = 5 - 2 / (1 + (0.004 / RATES[:70]) ** 3)  # half the way down at 0.004
    found = sweep(falling).suggestion
    assert found is not None
    assert 0.005 < found < 0.03


def test_a_rate_at_which_the_loss_runs_away_is_not_suggested() -> None:
    losses = np.where(RATES < 0.5, 5 - np.log10(RATES / 1e-4), 8.0)[:78]
    found = sweep(losses, diverged=True).suggestion
    assert found is not None
    assert 0.05 < found < 0.5


@pytest.mark.parametrize("losses", [np.full(100, 5.3), np.linspace(5, 9, 30), np.full(1, 5.0)])
def test_nothing_is_suggested_where_the_loss_does_not_fall(losses: np.ndarray) -> None:
    assert sweep(losses).suggestion is None
    assert RateSweep(RATES[:0], RATES[:0], True).suggestion is None


def test_what_is_saved_says_it_all(tmp_path: Path) -> None:
    found = sweep(5 - 2 / (1 + (0.004 / RATES) ** 3))
    found.save(tmp_path / "lr")
    with (tmp_path / "lr" / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == found.losses.tolist()
    assert [float(row["learning_rate"]) for row in rows] == RATES.tolist()
    facts = json.loads((tmp_path / "lr" / "lr-find.json").read_text())
    assert facts["suggestion"] == found.suggestion
    assert len(facts["points"]) == 100
    RateSweep(RATES[:0], RATES[:0], True).save(tmp_path / "none")
