"""Several runs as one: every method side by side, every subset, and the ensemble folder of the one that is asked for.

From stored predictions only. Whatever is chosen (a subset, weights) is chosen on images held out of the training of
all members, and judged on the asked split. Where the members have no such images in common, the split is cut in two:
what is chosen on one half is judged on the other, both ways, so that no number is flattered by the choice.
Paper: §6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lilliput.analysis.alignment import aligned_predictions
from lilliput.analysis.choosing import (
    CHOOSERS,
    SUBSET_METHODS,
    Weights,
    best_index,
    subset_sizes,
    subset_weights,
)
from lilliput.analysis.diversity import diversity
from lilliput.analysis.findings import Candidate, Findings, SubsetTable
from lilliput.analysis.paired import paired_difference, right_of
from lilliput.analysis.subsets import count_right
from lilliput.errors import RunError, UsageError, did_you_mean
from lilliput.results.combine import METHODS, combine, first_difference
from lilliput.results.ensemble import Ensemble, Part, distinct_names, refuse_occupied
from lilliput.results.metrics import evaluate
from lilliput.results.predictions import UNLABELLED, Predictions
from lilliput.results.run import Run

MEMBERS = ("all", "chosen")
_HALVES_SEED = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Fold:
    """All members' predictions to choose by, and others to judge by: those of ``rows`` int64 of the split.

    ``right_choosing`` and ``right_judging`` int64[2^n] count what every subset gets right of either.
    """

    choose: tuple[Predictions, ...]
    judge: tuple[Predictions, ...]
    rows: NDArray[np.int64]
    right_choosing: NDArray[np.int64]
    right_judging: NDArray[np.int64]


def make_ensemble(
    findings: Findings, folder: Path, *, method: str = "mean", members: str = "all"
) -> Ensemble:
    """Write the ensemble of the runs that ``findings`` are about into ``folder``, which must be free.

    Runs of weight 0 stay out. Beside the judged split, every split that all members have predicted is combined too.
    Raises: RunError when something is in the way; StorageError.
    """
    refuse_occupied(folder)
    made = findings.candidate(method, members)
    parts = [
        Part(run, weight)
        for run, weight in zip(findings.runs, made.weights.tolist(), strict=True)
        if weight > 0
    ]
    facts = {
        "method": method,
        "chosen_on": findings.chosen_on if made.is_chosen else None,
        "results": findings.facts(),
    }
    predictions = {
        **_combined_splits(parts, method, findings.split),
        findings.split: made.predictions,
    }
    table = findings.subsets.to_csv(findings.names)
    return Ensemble.create(folder, parts, facts, predictions, table)


def study_ensemble(
    runs: Sequence[Run], *, split: str = "val", method: str = "mean", members: str = "all"
) -> Findings:
    """Judge every method on the runs' stored predictions of ``split``, and every subset under ``method``.

    Weighted and greedy ensembles are means; their subsets are those of the mean.
    Raises: UsageError; RunError naming the run that lacks something or differs, and how.
    """
    check_request(method, members)
    predictions = aligned_predictions(runs, split)
    _require_weights(runs)
    subset_method = method if method in SUBSET_METHODS else "mean"
    folds, why_halves = _folds(runs, predictions, split, subset_method)
    alone = tuple(evaluate(one, run.classes) for run, one in zip(runs, predictions, strict=True))
    best = predictions[int(np.argmax([one.top1 for one in alone]))]
    asked = dict.fromkeys([*((one, "all") for one in CHOOSERS), (subset_method, "chosen")])
    return Findings(
        runs=tuple(runs),
        names=tuple(distinct_names([run.name for run in runs])),
        split=split,
        chosen_on=f"{split} halves" if why_halves else "heldout",
        why_halves=why_halves,
        alone=alone,
        candidates=tuple(_judge(*kind, folds, best, runs[0].classes) for kind in asked),
        subsets=_subset_table(subset_method, folds),
        diversity=diversity(predictions),
    )


def check_request(method: str, members: str) -> None:
    """Raises: UsageError when no ensemble is made like that."""
    if method not in METHODS:
        raise UsageError(f"there is no method '{method}'", did_you_mean(method, METHODS))
    if members not in MEMBERS:
        raise UsageError(f"there are no members '{members}'", did_you_mean(members, MEMBERS))
    if members == "chosen" and method not in SUBSET_METHODS:
        raise UsageError(
            f"the method {method} chooses among the runs by itself", "leave --members out"
        )


def _require_weights(runs: Sequence[Run]) -> None:
    if unfinished := [str(run.path) for run in runs if not run.weights_path.is_file()]:
        raise RunError(
            f"no weights yet in {', '.join(unfinished)}",
            "finish the training: lilliput train ... --resume",
        )


def _combined_splits(parts: Sequence[Part], method: str, judged: str) -> dict[str, Predictions]:
    """The ensemble's predictions of every further split that its members have predicted, image by image alike."""
    shared = set.intersection(*(set(part.run.splits_predicted) for part in parts)) - {judged}
    combined = {}
    for split in sorted(shared):
        predictions = [part.run.predictions(split) for part in parts]
        if not any(first_difference(predictions[0], one) for one in predictions):
            combined[split] = combine(predictions, [part.weight for part in parts], method)
    return combined


def _folds(
    runs: Sequence[Run], predictions: Sequence[Predictions], split: str, method: str
) -> tuple[list[Fold], str]:
    """What to choose on and what to judge on, and why it is halves of the split, if it is."""
    heldout, why_halves = _common_heldout(runs, split)
    if heldout:
        rows = np.arange(len(predictions[0]))
        sides, order = [tuple(heldout), tuple(predictions)], [(0, 1, rows)]
    else:
        one, other = _halves(predictions[0].labels)
        sides = [tuple(_take(p, rows) for p in predictions) for rows in (one, other)]
        order = [(0, 1, other), (1, 0, one)]
    right = [_count(method, side) for side in sides]
    folds = [
        Fold(
            choose=sides[a],
            judge=sides[b],
            rows=rows,
            right_choosing=right[a],
            right_judging=right[b],
        )
        for a, b, rows in order
    ]
    return folds, why_halves


def _common_heldout(runs: Sequence[Run], split: str) -> tuple[list[Predictions], str]:
    if split == "heldout":
        return [], "the held-out images are what is judged on"
    without = [run.name for run in runs if "heldout" not in run.splits_predicted]
    if len(without) == len(runs):
        return [], "the runs have held no images out"
    if without:
        return [], f"no predictions of held-out images in {', '.join(without)}"
    heldout = [run.predictions("heldout") for run in runs]
    for run, one in zip(runs, heldout, strict=True):
        if problem := first_difference(one, heldout[0]):
            return [], f"{run.name} and {runs[0].name} held out different images: {problem}"
    if not len(heldout[0]) or (heldout[0].labels == UNLABELLED).any():
        return [], "the held-out images have no labels"
    return heldout, ""


def _halves(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two halves of the rows, each with half of every class."""
    if len(labels) < 2:
        raise RunError("one image is too few to choose and to judge on", "name a larger split")
    order = np.random.default_rng(_HALVES_SEED).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    return np.sort(order[::2]), np.sort(order[1::2])


def _take(predictions: Predictions, rows: NDArray[np.int64]) -> Predictions:
    names = tuple(predictions.names[row] for row in rows.tolist())
    return Predictions(predictions.probabilities[rows], predictions.labels[rows], names)


def _count(method: str, members: Sequence[Predictions]) -> NDArray[np.int64]:
    arrays = [one.probabilities for one in members]
    return count_right(arrays, members[0].labels, METHODS[method].score)


def _judge(
    method: str,
    members: str,
    folds: Sequence[Fold],
    best_run: Predictions,
    classes: Sequence[tuple[str, str]],
) -> Candidate:
    probabilities = np.empty_like(best_run.probabilities)
    by_fold = [_weights(method, members, [fold]) for fold in folds]
    for fold, weights in zip(folds, by_fold, strict=True):
        probabilities[fold.rows] = combine(fold.judge, weights.tolist(), method).probabilities
    predictions = Predictions(probabilities, best_run.labels, best_run.names)
    return Candidate(
        method=method,
        members=members,
        weights=by_fold[0] if len(folds) == 1 else _weights(method, members, folds),
        predictions=predictions,
        evaluation=evaluate(predictions, classes),
        gain=paired_difference(right_of(predictions), right_of(best_run)),
    )


def _weights(method: str, members: str, folds: Sequence[Fold]) -> Weights:
    """What the choice on all that these folds choose on comes to."""
    count = len(folds[0].choose)
    if members == "chosen":
        right = np.sum([fold.right_choosing for fold in folds], axis=0)
        return subset_weights(best_index(right), count)
    return CHOOSERS[method]([_joined(folds, member) for member in range(count)])


def _joined(folds: Sequence[Fold], member: int) -> Predictions:
    parts = [fold.choose[member] for fold in folds]
    if len(parts) == 1:
        return parts[0]
    return Predictions(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.labels for part in parts]),
        tuple(name for part in parts for name in part.names),
    )


def _subset_table(method: str, folds: Sequence[Fold]) -> SubsetTable:
    images = sum(len(fold.rows) for fold in folds)
    sizes = subset_sizes(len(folds[0].right_judging))
    by_choice = []
    for size in range(1, int(sizes.max()) + 1):
        chosen = [best_index(fold.right_choosing, sizes == size) for fold in folds]
        right = [fold.right_judging[best] for fold, best in zip(folds, chosen, strict=True)]
        by_choice.append(int(np.sum(right)) / images)
    return SubsetTable(
        method=method,
        right=np.sum([fold.right_judging for fold in folds], axis=0),
        images=images,
        by_choice=tuple(by_choice),
    )
