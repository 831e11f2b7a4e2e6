"""The study folder: what a search tried, how good each trial was, and the recipes that did best.

study.json             what was searched, and every trial so far
best-1.toml ...        recipes of the best trials, ready for ``lilliput train``
trials/0007/fold-1/    a run folder per fold (``heldout/`` without folds), and heldout.npz over all folds
journal.log            Optuna's own record, where the study is not kept in a database
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lilliput.errors import RunError
from lilliput.results.folder import ResultFolder
from lilliput.results.metrics import wilson_interval
from lilliput.results.predictions import Predictions

FILE = "study.json"
FORMAT = 1
_HINT = "a study is the folder that lilliput search writes, by default studies/NAME"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One point that was tried. ``state`` is complete, pruned, failed or running.

    ``value`` is the mean accuracy over the folds, a fraction, and None unless the trial is complete. ``curve`` holds
    (step, value) pairs: steps count the epochs on over the folds, the value is the mean of the folds begun so far.
    ``fold_values`` are the accuracies of the folds, ``images`` how many images they judged together. ``reason`` says
    why a trial ended early; ``host`` is the machine it was trained on.
    """

    number: int
    state: str
    value: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    curve: tuple[tuple[int, float], ...] = ()
    started: str = ""
    seconds: float | None = None
    folder: str = ""
    fold_values: tuple[float, ...] = ()
    images: int = 0
    reason: str = ""
    host: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of ``value`` (Wilson), over all images judged; None when there is no value."""
        if self.value is None or not self.images:
            return None
        return wilson_interval(round(self.value * self.images), self.images)


@dataclass(frozen=True)
class Study(ResultFolder):
    """A study folder, as it was when it was opened; a search that is still going on writes it anew after each trial."""

    facts: Mapping[str, Any]
    trials: tuple[Trial, ...]

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """The study in ``folder``. Raises: RunError saying what is missing or damaged."""
        path = Path(folder)
        file = path / FILE
        if not file.is_file():
            raise RunError(f"{path} is not a study: no {FILE}", _HINT)
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            if facts["format"] != FORMAT:
                raise RunError(f"{file} is of format {facts['format']}, not {FORMAT}")
            trials = tuple(_trial(entry) for entry in facts["trials"])
            known = {trial.number for trial in trials}
            if not set(facts["best"]) <= known or not isinstance(facts["name"], str):
                raise ValueError("the best trials are not among the trials")
        except OSError as error:
            raise RunError(f"cannot read {file}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RunError(
                f"{file} is damaged: {error!r}", "run the same search again: it is written anew"
            ) from error
        return cls(path, facts, trials)

    @property
    def name(self) -> str:
        """What the study is called."""
        return self.facts["name"]

    @property
    def recipe(self) -> str:
        """The name of the recipe that was varied."""
        return str(self.facts.get("recipe", ""))

    @property
    def folds(self) -> int:
        """How many folds each trial was trained on; 0 for one held-out share."""
        return int(self.facts.get("folds", 0))

    @property
    def best(self) -> tuple[Trial, ...]:
        """The best complete trials of different parameters, best first."""
        by_number = {trial.number: trial for trial in self.trials}
        return tuple(by_number[number] for number in self.facts["best"])

    @property
    def best_recipes(self) -> tuple[Path, ...]:
        """The recipes of the best trials, best first."""
        return tuple(self.path / f"best-{place}.toml" for place in range(1, len(self.best) + 1))

    @property
    def importance(self) -> dict[str, float]:
        """Parameter -> share of the accuracy's variance (fANOVA), largest first; empty until the search has ended."""
        return {str(key): float(value) for key, value in self.facts.get("importance", {}).items()}

    @property
    def logarithmic(self) -> frozenset[str]:
        """The parameters that are searched on a logarithmic scale."""
        return frozenset(self.facts.get("logarithmic", ()))

    def _repr_html_(self) -> str:
        from lilliput.results.notebook import study_html

        return study_html(self)

    def predictions(self, trial: Trial) -> Predictions:
        """What a complete trial said to the images held out, over all folds. Raises: RunError when it is not here."""
        path = self.path / trial.folder / "heldout.npz"
        if not path.is_file() and trial.state == "complete":
            raise RunError(
                f"trial {trial.number} left no predictions at {path}",
                f"it was trained on {trial.host or 'another machine'}: its folder is there",
            )
        return Predictions.load(path)


def _trial(entry: Mapping[str, Any]) -> Trial:
    if entry["state"] not in {"complete", "pruned", "failed", "running"}:
        raise ValueError(f"a trial is {entry['state']}")
    value = entry.get("value")
    return Trial(
        number=int(entry["number"]),
        state=entry["state"],
        value=None if value is None else float(value),
        parameters=dict(entry.get("parameters", {})),
        changes=tuple(entry.get("changes", ())),
        curve=tuple((int(step), float(height)) for step, height in entry.get("curve", ())),
        started=str(entry.get("started") or ""),
        seconds=entry.get("seconds"),
        folder=str(entry.get("folder", "")),
        fold_values=tuple(float(one) for one in entry.get("fold_values", ())),
        images=int(entry.get("images", 0)),
        reason=str(entry.get("reason", "")),
        host=str(entry.get("host", "")),
    )
