"""Runs and ensembles side by side: how good each is, what their recipes differ in, which differences are real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np

from lilliput.analysis.alignment import aligned_predictions
from lilliput.analysis.paired import PairedDifference, holm, paired_difference, right_of
from lilliput.results.ensemble import Ensemble
from lilliput.results.metrics import Z_95, Evaluation, Interval, evaluate, wilson_interval
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run

_SIGNIFICANT = 0.05


@dataclass(frozen=True, eq=False, kw_only=True)
class Compared:
    """One result and its numbers, with 95 % intervals: Wilson's for shares, the normal one for the mean loss."""

    name: str
    path: str
    evaluation: Evaluation
    top5_interval: Interval
    loss_interval: Interval


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two results on the same images. ``p_corrected`` is Holm's over all pairs; of one pair it is the same as ``p``."""

    first: str
    second: str
    paired: PairedDifference
    p_corrected: float

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would explain the difference in fewer than 5 % of such comparisons."""
        return self.p_corrected < _SIGNIFICANT


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """``results`` as they were named, ``pairs`` every two of them.

    ``recipes`` maps each key on which the recipes differ to its value in each result, None where it has none; an
    ensemble shows what its members agree on.
    """

    split: str
    images: int
    results: tuple[Compared, ...]
    recipes: dict[str, tuple[object, ...]]
    pairs: tuple[Pair, ...]


def compare_results(results: Sequence[Run | Ensemble], split: str = "val") -> Comparison:
    """Compare two or more runs or ensembles on their stored predictions of ``split``.

    Raises: UsageError for fewer than two; RunError naming the one that lacks predictions or differs, and how.
    """
    predictions = aligned_predictions(results, split)
    names = _names(results)
    right = [right_of(one) for one in predictions]
    both = list(combinations(range(len(results)), 2))
    paired = [paired_difference(right[a], right[b]) for a, b in both]
    corrected = holm([one.p for one in paired])
    return Comparison(
        split=split,
        images=len(predictions[0]),
        results=tuple(
            _compared(name, result, one)
            for name, result, one in zip(names, results, predictions, strict=True)
        ),
        recipes=_recipe_differences(results),
        pairs=tuple(
            Pair(first=names[a], second=names[b], paired=one, p_corrected=p)
            for (a, b), one, p in zip(both, paired, corrected, strict=True)
        ),
    )


def _names(results: Sequence[Run | Ensemble]) -> list[str]:
    names = [one.name for one in results]
    return names if len(set(names)) == len(names) else [str(one.path) for one in results]


def _compared(name: str, result: Run | Ensemble, predictions: Predictions) -> Compared:
    evaluation = evaluate(predictions, result.classes)
    return Compared(
        name=name,
        path=str(result.path),
        evaluation=evaluation,
        top5_interval=wilson_interval(round(evaluation.top5 * evaluation.n), evaluation.n),
        loss_interval=_loss_interval(predictions, evaluation.loss),
    )


def _loss_interval(predictions: Predictions, mean: float) -> Interval:
    n = len(predictions)
    true = predictions.probabilities[np.arange(n), predictions.labels].astype(np.float64)
    losses = -np.log(np.maximum(true, np.finfo(np.float32).tiny))
    reach = Z_95 * float(losses.std(ddof=1)) / sqrt(n) if n > 1 else float("nan")
    return mean - reach, mean + reach


def _recipe_differences(results: Sequence[Run | Ensemble]) -> dict[str, tuple[object, ...]]:
    tables = [_settings(one) for one in results]
    keys = dict.fromkeys(key for table in tables for key in table)
    rows = {key: tuple(table.get(key) for table in tables) for key in keys if key != "name"}
    return {key: row for key, row in rows.items() if any(value != row[0] for value in row)}


def _settings(result: Run | Ensemble) -> dict[str, object]:
    if isinstance(result, Run):
        return dict(_flat(result.recipe))
    members = [dict(_flat(member.recipe)) for member in result.members]
    first = members[0]
    agreed = {
        key: value
        for key, value in first.items()
        if all(other.get(key) == value for other in members)
    }
    kind = f"{result.method} of {len(members)}"
    return {"ensemble": kind, **agreed}


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
