"""What a study leaves in its folder: study.json and the best recipes, written anew after every trial."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from lilliput.recipe import Recipe
from lilliput.results.atomic import write_text
from lilliput.results.study import FILE, FORMAT
from lilliput.search.ledger import OUTCOME, STOPPED, SURPLUS
from lilliput.search.space import Space, with_values

MIN_TRIALS_FOR_IMPORTANCE = 10  # of fewer, a forest makes up what it says
_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


@dataclass(frozen=True)
class Recorder:
    """Writes what the storage knows about a study; several processes may, each writes all of it."""

    study: optuna.Study
    folder: Path
    recipe: Recipe
    space: Space
    facts: dict[str, Any]
    best: int

    def write(self, wanted: int, *, with_importance: bool = False) -> None:
        """Write study.json and the best recipes. Raises: StorageError."""
        trials = [
            trial
            for trial in self.study.get_trials(deepcopy=False)
            if trial.state in _STATES and trial.user_attrs.get(OUTCOME) != SURPLUS
        ]
        best = self._best(trials)
        document = {
            "format": FORMAT,
            **self.facts,
            "space": dict(self.space.table),
            "logarithmic": [p.name for p in self.space.parameters if p.log],
            "wanted": wanted,
            "best": [trial.number for trial in best],
            "importance": self._importance(trials) if with_importance else {},
            "trials": [self._entry(trial) for trial in trials],
        }
        write_text(self.folder / FILE, _as_text(document))
        self._write_recipes(best)

    def _best(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """The best complete trials, of equal parameters only the first."""
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        ranked = sorted(complete, key=lambda trial: (-(trial.value or 0.0), trial.number))
        different: dict[str, FrozenTrial] = {}
        for trial in ranked:
            different.setdefault(json.dumps(trial.params, sort_keys=True), trial)
        return list(different.values())[: self.best]

    def _write_recipes(self, best: Sequence[FrozenTrial]) -> None:
        for place, trial in enumerate(best, start=1):
            values = {
                "name": f"{self.recipe.name}-best-{place}",
                "data.holdout": 0.0,
                "data.folds": 0,
                "data.fold": 1,
                **self.space.values(trial.params),
            }
            assert trial.value is not None
            head = (
                f"# Number {place} of the study {json.dumps(self.facts['name'])}: trial {trial.number}, "
                f"{100 * trial.value:.2f} % of the held-out images.\n"
            )
            text = with_values(self.recipe, values).to_toml()
            path = self.folder / f"best-{place}.toml"
            if not path.is_file() or path.read_text(encoding="utf-8") != head + text:
                write_text(path, head + text)
        for stale in self.folder.glob("best-*.toml"):
            place = stale.stem.removeprefix("best-")
            if place.isdecimal() and int(place) > len(best):
                stale.unlink(missing_ok=True)

    def _importance(self, trials: Sequence[FrozenTrial]) -> dict[str, float]:
        """Parameter -> share of the variance of the accuracy, by fANOVA; empty when there is too little to tell."""
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        values = {trial.value for trial in complete}
        if len(complete) < MIN_TRIALS_FOR_IMPORTANCE or len(values) < 2:
            return {}
        shares = get_param_importances(self.study, evaluator=FanovaImportanceEvaluator(seed=1))
        return {name: float(share) for name, share in shares.items()}

    def _entry(self, trial: FrozenTrial) -> dict[str, Any]:
        attributes = trial.user_attrs
        is_complete = trial.state == TrialState.COMPLETE
        return {
            "number": trial.number,
            "state": _STATES[trial.state],
            "value": trial.value if is_complete else None,
            "parameters": trial.params,
            "changes": self.space.changes(trial.params) if trial.params else [],
            "curve": sorted(trial.intermediate_values.items()),
            "started": _iso(trial.datetime_start),
            "seconds": trial.duration.total_seconds() if trial.duration else None,
            "folder": f"trials/{trial.number:04}",
            "fold_values": attributes.get("fold_values", []),
            "images": attributes.get("images", 0),
            "reason": _reason(trial),
            "host": attributes.get("host", ""),
        }


def _as_text(document: Mapping[str, Any]) -> str:
    """JSON with a line per key, and a line per trial."""
    lines = []
    for key, value in document.items():
        text = json.dumps(value, ensure_ascii=False)
        if key == "trials" and value:
            text = (
                "[\n  " + ",\n  ".join(json.dumps(one, ensure_ascii=False) for one in value) + "\n]"
            )
        lines.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _reason(trial: FrozenTrial) -> str:
    if trial.state != TrialState.FAIL:
        return trial.user_attrs.get("reason", "")
    is_stopped = trial.user_attrs.get(OUTCOME) == STOPPED
    return "stopped; queued again" if is_stopped else "its worker died; queued again"


def _iso(moment: datetime | None) -> str:
    return moment.astimezone().isoformat(timespec="seconds") if moment else ""
