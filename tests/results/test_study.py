from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lilliput.errors import RunError
from lilliput.results.study import Study


def write(folder: Path, **changes: Any) -> Path:
    trials = [
        {"number": 0, "state": "complete", "value": 0.25, "curve": [[1, 0.2], [2, 0.25]], "images": 400,
         "parameters": {"optimizer.l2": 0.001}, "folder": "trials/0000", "host": "here"},
        {"number": 1, "state": "pruned", "value": None, "curve": [[1, 0.1]], "reason": "given up"},
        {"number": 3, "state": "complete", "value": 0.3},
    ]  # fmt: skip
    document = {"format": 1, "name": "m3", "recipe": "m3", "trials": trials, "best": [3, 0]}
    folder.mkdir(exist_ok=True)
    (folder / "study.json").write_text(json.dumps(document | changes), encoding="utf-8")
    return folder


def test_it_reads_trials_and_the_best_of_them(tmp_path: Path) -> None:
    study = Study.open(write(tmp_path))
    assert [trial.number for trial in study.best] == [3, 0]
    assert [path.name for path in study.best_recipes] == ["best-1.toml", "best-2.toml"]
    assert study.trials[0].curve == ((1, 0.2), (2, 0.25))
    low, high = study.trials[0].interval or (1, 0)
    assert low < 0.25 < high and high - low < 0.1
    assert study.trials[1].interval is None
    assert study.trials[2].interval is None  # nobody knows of how many images
    assert study.importance == {}


def test_predictions_of_another_machine_are_asked_for_there(tmp_path: Path) -> None:
    study = Study.open(write(tmp_path))
    with pytest.raises(RunError) as caught:
        study.predictions(study.trials[0])
    assert "here" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "of format 2"),
        ({"trials": [{"number": 0, "state": "odd"}]}, "odd"),
        ({"best": [7]}, "not among"),
        ({"trials": None}, "damaged"),
        ({"trials": [{"state": "complete"}], "best": []}, "damaged"),
    ],
)
def test_damage_is_named(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=said):
        Study.open(write(tmp_path, **changes))


def test_what_is_no_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a study"):
        Study.open(tmp_path)
    (tmp_path / "study.json").write_text('{"format": 1, "na', encoding="utf-8")
    with pytest.raises(RunError, match="damaged"):
        Study.open(tmp_path)
