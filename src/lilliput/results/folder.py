"""What the folders of results have in common: figures, a report, stored predictions and the verdict they give."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lilliput.results.metrics import Evaluation, evaluate
from lilliput.results.predictions import Predictions

# The split that a verdict is spoken on: the official validation set where there is one.
_PREFERENCE = ("val", "heldout")


class ClassName(NamedTuple):
    """One class: ``id`` is its folder in the source (n02123045), ``name`` is for people (tabby cat)."""

    id: str
    name: str


@dataclass(frozen=True)
class ResultFolder:
    """The folder of a result of any kind."""

    path: Path

    @property
    def figures_path(self) -> Path:
        """The folder ``figures``."""
        return self.path / "figures"

    @property
    def report_path(self) -> Path:
        """``report.html``."""
        return self.path / "report.html"


class Predicted(ResultFolder, ABC):
    """A result that has labelled images, alone or as one of several networks: a run or an ensemble."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called: the folder's own name."""

    @property
    @abstractmethod
    def classes(self) -> tuple[ClassName, ...]:
        """The classes in the order of the predictions' columns."""

    @property
    def splits_predicted(self) -> tuple[str, ...]:
        """The splits whose predictions are stored, sorted."""
        return tuple(sorted(file.stem for file in (self.path / "predictions").glob("*.npz")))

    def predictions(self, split: str) -> Predictions:
        """The stored predictions of ``split``. Raises: RunError when there are none or they are damaged."""
        return Predictions.load(self._predictions_path(split))

    def save_predictions(self, split: str, predictions: Predictions) -> None:
        """Store, or replace, the predictions of ``split``. Raises: StorageError."""
        predictions.save(self._predictions_path(split))

    def _predictions_path(self, split: str) -> Path:
        return self.path / "predictions" / f"{split}.npz"


def main_predictions(result: Predicted) -> tuple[str, Predictions] | None:
    """The split a verdict is spoken on (val, else heldout, else any with labels) and its predictions."""
    stored = result.splits_predicted
    order = [*(s for s in _PREFERENCE if s in stored), *(s for s in stored if s not in _PREFERENCE)]
    for split in order:
        predictions = result.predictions(split)
        if predictions.is_labelled:
            return split, predictions
    return None


def main_evaluation(result: Predicted) -> tuple[str, Evaluation] | None:
    """The split a verdict is spoken on and the verdict; None while nothing labelled has been predicted."""
    found = main_predictions(result)
    return (found[0], evaluate(found[1], result.classes)) if found else None
