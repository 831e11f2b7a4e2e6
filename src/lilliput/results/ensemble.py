"""The ensemble folder: several runs that answer as one.

    ensemble.json     method, members with weights, classes, what they were chosen on, results
    members/NAME/     copies of the member runs, without their checkpoints
    predictions/      the ensemble's own, one .npz per split
    subsets.csv       the accuracy of every subset of the runs it was chosen from
    figures/  report.html

It stands on its own: the runs it was made of may be moved or deleted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lilliput.errors import RunError
from lilliput.results.atomic import atomic_folder, storage_errors, sync
from lilliput.results.combine import METHODS
from lilliput.results.folder import ClassName, Predicted
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run

ENSEMBLE_FILE = "ensemble.json"
_FORMAT = 1
_COPIED = ("recipe.toml", "environment.json", "history.csv", "log.txt", "weights.safetensors")


class Part(NamedTuple):
    """A run and what it counts in the ensemble."""

    run: Run
    weight: float


@dataclass(frozen=True)
class Ensemble(Predicted):
    """An ensemble folder. Whatever is damaged raises a RunError that names the file."""

    @classmethod
    def open(cls, folder: Path) -> Ensemble:
        """The ensemble in ``folder``. Raises: RunError saying what is missing or wrong."""
        ensemble = cls(Path(folder))
        hint = "an ensemble is the folder that lilliput ensemble writes"
        if not (ensemble.path / ENSEMBLE_FILE).is_file():
            raise RunError(f"{ensemble.path} is not an ensemble: no {ENSEMBLE_FILE}", hint)
        if ensemble.facts.get("format") != _FORMAT:
            raise RunError(
                f"{ensemble.path} is of format {ensemble.facts.get('format')}, known is {_FORMAT}",
                "a newer Lilliput wrote it",
            )
        return ensemble

    @classmethod
    def create(
        cls,
        folder: Path,
        parts: Sequence[Part],
        facts: Mapping[str, Any],
        predictions: Mapping[str, Predictions],
        subsets_csv: str = "",
    ) -> Ensemble:
        """Write an ensemble of ``parts`` into ``folder``, whole or not at all; ``facts`` go into ensemble.json.

        Raises: RunError when there is something in ``folder``; StorageError.
        """
        refuse_occupied(folder)
        names = distinct_names([part.run.name for part in parts])
        members = [
            {"name": name, "weight": part.weight, "run": str(part.run.path)}
            for name, part in zip(names, parts, strict=True)
        ]
        classes = [list(pair) for pair in parts[0].run.classes]
        document = {"format": _FORMAT, "members": members, "classes": classes, **facts}
        try:
            with atomic_folder(folder) as temporary:
                for name, part in zip(names, parts, strict=True):
                    _copy_run(part.run, temporary / "members" / name)
                for split, one in predictions.items():
                    one.save(temporary / "predictions" / f"{split}.npz")
                text = json.dumps(document, indent=2, allow_nan=False) + "\n"
                (temporary / ENSEMBLE_FILE).write_text(text, encoding="utf-8")
                if subsets_csv:
                    (temporary / "subsets.csv").write_text(subsets_csv, encoding="utf-8")
        except FileExistsError as error:
            raise _occupied(folder) from error
        return cls(folder)

    @property
    def name(self) -> str:
        """The folder's name, with ``ensemble-`` before a mere number."""
        name = self.path.resolve().name
        return f"ensemble-{name}" if name.isdecimal() else name

    @property
    def facts(self) -> dict[str, Any]:
        """What ``ensemble.json`` says."""
        place = self.path / ENSEMBLE_FILE
        try:
            facts = json.loads(place.read_text(encoding="utf-8"))
        except OSError as error:
            raise RunError(f"cannot read {place}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise RunError(f"{place} is damaged: {error}") from error
        if not isinstance(facts, dict):
            raise RunError(f"{place} is damaged: not a JSON object")
        return facts

    @property
    def results(self) -> dict[str, Any]:
        """What was found when it was made: methods, sizes, diversity; empty when nothing was."""
        results = self.facts.get("results")
        return results if isinstance(results, dict) else {}

    @property
    def method(self) -> str:
        """How the members' answers become one: a key of METHODS."""
        method = self.facts.get("method")
        if method not in METHODS:
            raise RunError(
                f"{self.path / ENSEMBLE_FILE} is damaged: no known method '{method}'",
                "known: " + ", ".join(METHODS),
            )
        return method

    @property
    def chosen_on(self) -> str | None:
        """The split the members or weights were chosen on, ``"val halves"`` say; None when nothing was chosen."""
        return self.facts.get("chosen_on")

    @property
    def members(self) -> tuple[Run, ...]:
        """The member runs, in this folder."""
        return tuple(Run.open(self.path / "members" / name) for name, _ in self._listed())

    @property
    def weights(self) -> tuple[float, ...]:
        """What each member counts; they sum to 1."""
        weights = [weight for _, weight in self._listed()]
        return tuple(weight / sum(weights) for weight in weights)

    @property
    def classes(self) -> tuple[ClassName, ...]:
        """The classes in the order of the columns."""
        try:
            return tuple(ClassName(str(id), str(name)) for id, name in self.facts["classes"])
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"{self.path / ENSEMBLE_FILE} is damaged: it names no classes"
            ) from error

    def predictions(self, split: str) -> Predictions:
        """The ensemble's stored predictions of ``split``. Raises: RunError when there are none or they are damaged.

        Where members or weights were chosen on halves of ``split`` itself, each half is predicted by what the other
        one chose, so that no number drawn from them is flattered by the choice.
        """
        return super().predictions(split)

    @property
    def subsets_path(self) -> Path:
        """``subsets.csv``."""
        return self.path / "subsets.csv"

    def _repr_html_(self) -> str:
        from lilliput.results.notebook import ensemble_html

        return ensemble_html(self)

    def _listed(self) -> list[tuple[str, float]]:
        try:
            listed = [(str(one["name"]), float(one["weight"])) for one in self.facts["members"]]
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"{self.path / ENSEMBLE_FILE} is damaged: it names no members"
            ) from error
        # A name that leads out of the folder, or weights that are none, come from no ensemble of ours.
        good = all(name == Path(name).name and name not in {"", ".."} for name, _ in listed)
        if not (listed and good and all(0 < weight < float("inf") for _, weight in listed)):
            raise RunError(f"{self.path / ENSEMBLE_FILE} is damaged: its members are not usable")
        return listed


def refuse_occupied(folder: Path) -> None:
    """Raises: RunError when there is something at ``folder``; StorageError."""
    with storage_errors(folder):
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
            raise _occupied(folder)


def next_ensemble(root: Path) -> Path:
    """The place ``root/N``, N one above the highest number taken. Nothing is made."""
    taken = (int(p.name) for p in root.glob("*") if p.name.isdecimal())
    return root / str(max(taken, default=0) + 1)


def _occupied(folder: Path) -> RunError:
    return RunError(f"{folder} already holds something", "name another place: --to DIR")


def distinct_names(names: Sequence[str]) -> list[str]:
    """Runs of different folders may have one name: the second ``m1-1`` becomes ``m1-1 (2)``."""
    distinct: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in distinct:
            number += 1
            candidate = f"{name} ({number})"
        distinct.append(candidate)
    return distinct


def _copy_run(run: Run, place: Path) -> None:
    place.mkdir(parents=True)
    files = [run.path / name for name in _COPIED]
    files += [run.path / "predictions" / f"{split}.npz" for split in run.splits_predicted]
    for file in files:
        if file.is_file():
            copy = place / file.relative_to(run.path)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, copy)
            sync(copy)
