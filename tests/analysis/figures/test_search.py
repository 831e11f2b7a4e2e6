from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lilliput.analysis.figures.search import (
    history_numbers,
    parallel_numbers,
    save_study_figures,
)
from lilliput.results.study import Study


def fabricate_study(folder: Path, count: int = 24, **changes: Any) -> Study:
    random = np.random.default_rng(1)
    entries = []
    for number in range(count):
        rate, kind = float(10 ** random.uniform(-3, -1)), ["ReLU", "Tanh"][number % 2]
        value = 0.3 - 0.05 * abs(np.log10(rate) + 2) - 0.02 * (kind == "Tanh")
        pruned = number % 6 == 5
        entries.append(
            {
                "number": number,
                "state": "pruned" if pruned else "complete",
                "value": None if pruned else value,
                "parameters": {"optimizer.learning_rate": rate, "model.plan.kind": kind},
                "curve": [[1, value / 2], [2, value]],
            }
        )
    ranked = sorted((e for e in entries if e["value"]), key=lambda e: -e["value"])
    document: dict[str, Any] = {
        "format": 1,
        "name": "made up",
        "logarithmic": ["optimizer.learning_rate"],
        "importance": {"optimizer.learning_rate": 0.8, "model.plan.kind": 0.2},
        "trials": entries,
        "best": [entry["number"] for entry in ranked[:3]],
    }
    folder.mkdir(exist_ok=True)
    (folder / "study.json").write_text(json.dumps(document | changes), encoding="utf-8")
    return Study.open(folder)


def test_the_best_so_far_never_falls(tmp_path: Path) -> None:
    numbers = history_numbers(fabricate_study(tmp_path))
    assert numbers is not None
    assert len(numbers.values) == 20 and len(numbers.pruned_values) == 4
    assert (np.diff(numbers.best) >= 0).all()
    assert numbers.best[-1] == numbers.values.max()


def test_axes_are_in_the_order_of_importance_and_on_their_scale(tmp_path: Path) -> None:
    study = fabricate_study(tmp_path)
    numbers = parallel_numbers(study)
    assert numbers is not None
    assert numbers.names == ("optimizer.learning_rate", "model.plan.kind", "accuracy")
    assert (np.diff(numbers.values) >= 0).all()
    assert numbers.heights.min() == 0 and numbers.heights.max() == 1
    rates = np.array([t.parameters["optimizer.learning_rate"] for t in study.trials if t.value])
    # A rate in the middle of the logarithms is in the middle of the axis.
    middle = np.exp((np.log(rates.min()) + np.log(rates.max())) / 2)
    order = np.argsort([t.value for t in study.trials if t.value])
    nearest = np.argmin(np.abs(np.log(rates[order] / middle)))
    assert numbers.heights[nearest, 0] == pytest.approx(0.5, abs=0.1)
    assert [text for _, text in numbers.marks[1]] == ["ReLU", "Tanh"]


def test_figures_are_pictures(tmp_path: Path) -> None:
    files = save_study_figures(fabricate_study(tmp_path))
    assert [file.name for file in files] == ["search.png", "parallel.png", "importance.png"]
    for file in files:
        picture = np.asarray(Image.open(file).convert("L"))
        assert picture.shape[1] > 600
        assert picture.std() > 10


def test_what_cannot_be_drawn_is_left_out(tmp_path: Path) -> None:
    study = fabricate_study(tmp_path, trials=[], best=[], importance={})
    assert save_study_figures(study) == []
    one = fabricate_study(tmp_path, 1, importance={})
    assert [file.stem for file in save_study_figures(one)] == ["search"]


def test_equal_trials_and_hostile_names_are_drawn(tmp_path: Path) -> None:
    entries = [
        {"number": n, "state": "complete", "value": 0.2, "parameters": {"model.plan.$x_^": "<b>$"}}
        for n in range(3)
    ]
    study = fabricate_study(tmp_path, trials=entries, best=[0], importance={"model.plan.$x_^": 1.0})
    assert len(save_study_figures(study)) == 3
