"""Runs and ensembles side by side: their predictions of the same images and classes, or what stands against it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from lilliput.errors import RunError, UsageError
from lilliput.results.combine import first_difference
from lilliput.results.ensemble import Ensemble
from lilliput.results.predictions import UNLABELLED, Predictions
from lilliput.results.run import Run

_SAME_SPLIT = "predict the same split of the same data with both"
_SAME_HELDOUT = (
    "the seed draws what is held out: train both with one data.holdout_seed, or judge them on val: "
    "lilliput evaluate RUN"
)


def aligned_predictions(results: Sequence[Run | Ensemble], split: str) -> list[Predictions]:
    """The stored predictions of ``split`` of each, all of the same labelled images and the same classes.

    Raises: UsageError for fewer than two, or one named twice; RunError naming the first that differs and how, or every
    one that has no predictions of the split, with the commands that make them; RunError when there is no image.
    """
    if len(results) < 2:
        raise UsageError("one result alone cannot be compared or combined", "name at least two")
    places = [one.path.resolve() for one in results]
    for number, result in enumerate(results):
        if places[number] in places[:number]:
            raise UsageError(f"{result.path} is named twice", "name every result once")
    _require_same_classes(results)
    _require_predictions(results, split)
    predictions = [one.predictions(split) for one in results]
    first = results[0]
    for result, one in zip(results, predictions, strict=True):
        if one.num_classes != len(result.classes):
            raise RunError(
                f"the predictions of {split} in {result.path} are of {one.num_classes} classes, "
                f"not {len(result.classes)}",
                "make them again: lilliput evaluate RUN --data PACK",
            )
        if problem := first_difference(one, predictions[0]):
            raise RunError(
                f"{result.path} and {first.path} were not asked about the same images of {split}: {problem}",
                _SAME_HELDOUT if split == "heldout" else _SAME_SPLIT,
            )
    _require_labels(predictions[0], split)
    return predictions


def _require_labels(predictions: Predictions, split: str) -> None:
    if not len(predictions):
        raise RunError(
            f"the predictions of {split} are of no image", "name a split that has some, such as val"
        )
    if (predictions.labels == UNLABELLED).any():
        raise RunError(
            f"not every image of {split} has a known label",
            "compare on a labelled split, such as val",
        )


def _require_same_classes(results: Sequence[Run | Ensemble]) -> None:
    first = results[0]
    expected = [one.id for one in first.classes]
    for result in results[1:]:
        classes = [one.id for one in result.classes]
        if classes != expected:
            raise RunError(
                f"{result.path} and {first.path} tell different classes apart: "
                + _class_difference(classes, expected),
                "name results of the same data and the same data.classes",
            )


def _class_difference(these: Sequence[str], those: Sequence[str]) -> str:
    if len(these) != len(those):
        return f"{len(these)} against {len(those)}"
    place = next(i for i, (a, b) in enumerate(zip(these, those, strict=True)) if a != b)
    return f"number {place + 1} is '{these[place]}' in one and '{those[place]}' in the other"


def _require_predictions(results: Sequence[Run | Ensemble], split: str) -> None:
    missing = [one for one in results if split not in one.splits_predicted]
    if missing:
        names = ", ".join(str(one.path) for one in missing)
        commands = (
            shlex.join(["lilliput", "evaluate", str(one.path), "--split", split]) for one in missing
        )
        raise RunError(f"no predictions of {split} in {names}", "make them: " + "; ".join(commands))
