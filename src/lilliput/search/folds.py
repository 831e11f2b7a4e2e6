"""What a trial really does: train on all folds but one, judge on that one, for every fold in turn. Paper: §6.1.

Images held out of *train* are all that is ever looked at; the official validation images have no part in a search.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lilliput.data.pack import Pack
from lilliput.data.selection import drop_digest
from lilliput.experiment import Runtime, run_steps
from lilliput.recipe import Recipe
from lilliput.results.history import Epoch
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run
from lilliput.search.settings import StudySettings
from lilliput.search.space import Space, with_values
from lilliput.search.study import run_study
from lilliput.search.timing import Timings
from lilliput.search.trial import Proposal, Report, Result


@dataclass
class Folds:
    """An Objective: the mean accuracy over ``folds`` folds, or, with 0 folds, on the share ``holdout`` of train."""

    pack: Pack
    folds: int = 0
    holdout: float = 0.0
    device: str = "auto"
    command: str = ""
    _timings: Timings = field(default_factory=Timings)

    def __call__(self, proposal: Proposal) -> Generator[object]:
        """Train every fold; a Report after each epoch of each.

        Steps count on over the folds: epoch e of fold f is step (f - 1) * epochs + e. The value there is the mean of
        the folds begun so far, so trials are compared at equal steps with an equal history.
        """
        count = max(self.folds, 1)
        epochs = proposal.recipe.training.epochs
        accuracies: list[float] = []
        parts: list[Predictions] = []
        for fold in range(1, count + 1):
            folder = proposal.folder / (f"fold-{fold}" if self.folds else "heldout")
            accuracy = 0.0
            with closing(self._train(proposal.recipe, fold, folder)) as events:
                for event in events:
                    yield event
                    if isinstance(event, Epoch):
                        accuracy = event.val_accuracy
                        step = (fold - 1) * epochs + event.epoch
                        mean = float(np.mean([*accuracies, accuracy]))
                        yield Report(step, count * epochs, mean)
            accuracies.append(accuracy)
            run = Run.open(folder)
            parts.append(run.predictions("heldout"))
            shutil.rmtree(run.checkpoints_path, ignore_errors=True)
        together = out_of_fold(parts, self.pack["train"].names)
        together.save(proposal.folder / "heldout.npz")
        yield Result(float(np.mean(accuracies)), tuple(accuracies), len(together))

    def recipe_of(self, recipe: Recipe, fold: int) -> Recipe:
        """The recipe that holds this fold out."""
        held: dict[str, Any] = {"data.holdout": self.holdout, "data.folds": 0, "data.fold": 1}
        if self.folds:
            held = {"data.holdout": 0.0, "data.folds": self.folds, "data.fold": fold}
        return with_values(recipe, held)

    def _train(self, recipe: Recipe, fold: int, folder: Path) -> Generator[object]:
        # The same network on the same machine need not be timed again in every fold of every trial.
        timed = self._timings.settled(self.recipe_of(recipe, fold))
        with closing(
            run_steps(timed, self.pack, folder, device=self.device, command=self.command)
        ) as events:
            for event in events:
                if isinstance(event, Runtime):
                    self._timings.keep(recipe, event.to_json())
                yield event


def search_steps(
    settings: StudySettings, recipe: Recipe, space: Space, pack: Pack, device: str = "auto"
) -> Generator[object]:
    """Work on a study of real trainings on ``pack``; see :func:`run_study`.

    Raises: LilliputError of every kind.
    """
    judge = Folds(pack, settings.folds, settings.holdout, device)
    data = " ".join(filter(None, [pack.fingerprint, drop_digest(recipe.data)]))
    return run_study(settings, recipe, space, judge, data)


def out_of_fold(parts: Sequence[Predictions], order: Sequence[str]) -> Predictions:
    """The predictions of several folds as one, in the order in which ``order`` names the images."""
    names = [name for part in parts for name in part.names]
    row = {name: number for number, name in enumerate(order)}
    places = np.argsort([row[name] for name in names], kind="stable")
    return Predictions(
        np.concatenate([part.probabilities for part in parts])[places],
        np.concatenate([part.labels for part in parts])[places],
        tuple(names[place] for place in places),
    )
