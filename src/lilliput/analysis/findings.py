"""What is found out about several runs together: as values, as JSON and as a table of every subset."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lilliput.analysis.choosing import CHOOSERS, Weights, everyone, subset_sizes
from lilliput.analysis.diversity import Diversity
from lilliput.analysis.paired import PairedDifference
from lilliput.results.metrics import Evaluation, wilson_interval
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run

SUBSET_COLUMNS = ("size", "members", "correct", "n", "accuracy", "low", "high")


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """One way to combine the runs, judged.

    ``members`` is ``"all"`` or ``"chosen"``. ``weights`` are those of the final ensemble: one per run, 0 for who is
    left out, summing to 1. ``gain`` is over the best run.
    """

    method: str
    members: str
    weights: Weights
    predictions: Predictions
    evaluation: Evaluation
    gain: PairedDifference

    @property
    def is_chosen(self) -> bool:
        """Whether its runs or weights were chosen by looking at labels."""
        return self.members == "chosen" or CHOOSERS[self.method] is not everyone

    @property
    def size(self) -> int:
        """How many runs take part."""
        return int(np.count_nonzero(self.weights))


@dataclass(frozen=True, eq=False, kw_only=True)
class SubsetTable:
    """Every subset of the runs under one method; subsets are numbered as by ``count_right``.

    ``right`` int64[2^n] counts right answers of ``images``. ``by_choice`` is the share that is right when the best
    subset of each size, from 1 to n, is chosen on other images.
    """

    method: str
    right: NDArray[np.int64]
    images: int
    by_choice: tuple[float, ...]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many runs each subset has: int64[2^n]."""
        return subset_sizes(len(self.right))

    def by_size(self) -> list[dict[str, float]]:
        """Of the subsets of each size: their number, and mean, least and most accuracy. Paper: Fig. 7."""
        rows = []
        for size, by_choice in enumerate(self.by_choice, start=1):
            accuracy = self.right[self.sizes == size] / self.images
            rows.append(
                {
                    "size": size,
                    "subsets": len(accuracy),
                    "mean": float(accuracy.mean()),
                    "least": float(accuracy.min()),
                    "most": float(accuracy.max()),
                    "by_choice": by_choice,
                }
            )
        return rows

    def to_csv(self, names: Sequence[str]) -> str:
        """A line per subset, by size, with its 95 % interval."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(SUBSET_COLUMNS)
        sizes = self.sizes
        for index in np.argsort(sizes, kind="stable")[1:].tolist():
            right = int(self.right[index])
            members = " + ".join(name for i, name in enumerate(names) if index >> i & 1)
            low, high = wilson_interval(right, self.images)
            shares = [f"{share:.6f}" for share in (right / self.images, low, high)]
            writer.writerow([sizes[index], members, right, self.images, *shares])
        return text.getvalue()


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """All that is found out about some runs together; ``names`` are the runs', each its own.

    ``chosen_on`` is ``"heldout"``, or halves of the split, with the reason in ``why_halves``.
    """

    runs: tuple[Run, ...]
    names: tuple[str, ...]
    split: str
    chosen_on: str
    why_halves: str
    alone: tuple[Evaluation, ...]
    candidates: tuple[Candidate, ...]
    subsets: SubsetTable
    diversity: Diversity

    @property
    def best_run(self) -> int:
        """The most accurate run on the very images the ensembles are judged on: the hardest to beat."""
        return int(np.argmax([one.top1 for one in self.alone]))

    def candidate(self, method: str, members: str) -> Candidate:
        """The candidate of this method and choice of members."""
        return next(c for c in self.candidates if (c.method, c.members) == (method, members))

    def facts(self) -> dict[str, Any]:
        """All of it as plain JSON values; what is not known is None."""
        return {
            "split": self.split,
            "images": self.subsets.images,
            "chosen_on": self.chosen_on,
            "why_halves": self.why_halves,
            "runs": [
                {"name": name, "run": str(run.path), **_evaluation_facts(one)}
                for name, run, one in zip(self.names, self.runs, self.alone, strict=True)
            ],
            "best_run": self.names[self.best_run],
            "methods": [self._candidate_facts(one) for one in self.candidates],
            "subset_method": self.subsets.method,
            "sizes": self.subsets.by_size(),
            "diversity": {
                "disagreement": _matrix(self.diversity.disagreement),
                "error_correlation": _matrix(self.diversity.error_correlation),
            },
        }

    def _candidate_facts(self, one: Candidate) -> dict[str, Any]:
        weights = zip(self.names, one.weights.tolist(), strict=True)
        return {
            "method": one.method,
            "members": one.members,
            "is_chosen": one.is_chosen,
            "weights": {name: weight for name, weight in weights if weight},
            **_evaluation_facts(one.evaluation),
            "gain": one.gain.difference,
            "gain_interval": list(one.gain.interval),
            "p": one.gain.p,
        }


def _evaluation_facts(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "accuracy": evaluation.top1,
        "interval": list(evaluation.interval),
        "top5": evaluation.top5,
        "loss": evaluation.loss,
    }


def _matrix(values: NDArray[np.float64]) -> list[list[float | None]]:
    return [[one if isfinite(one) else None for one in row] for row in values.tolist()]
