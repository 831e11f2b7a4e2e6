"""Predictions beside their pictures: what galleries and causes are drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.data.pack import Pack, Split
from lilliput.errors import RunError
from lilliput.results.ensemble import Ensemble
from lilliput.results.folder import Predicted, main_predictions
from lilliput.results.predictions import UNLABELLED, Predictions
from lilliput.results.run import Run


@dataclass(frozen=True, eq=False)
class Located:
    """Labelled predictions beside their pictures: image i of ``predictions`` is row ``rows[i]`` of ``pictures``.

    ``split`` is the predictions' own ("heldout"), ``pictures`` the split of the pack they are taken from ("train").
    """

    split: str
    predictions: Predictions
    pictures: Split
    rows: NDArray[np.int64]

    def images(self, chosen: NDArray[np.int64] | list[int]) -> NDArray[np.uint8]:
        """The pixels uint8[m,h,w,3] of some of the predicted images."""
        return self.pictures.images[self.rows[chosen]]


def main_located(result: Predicted, pack: Pack) -> Located | None:
    """The main predictions beside their pictures; None while nothing labelled has been predicted.

    Raises: RunError when the pack is not the one that was predicted.
    """
    found = main_predictions(result)
    return locate(result, pack, *found) if found else None


def locate(result: Predicted, pack: Pack, split: str, predictions: Predictions) -> Located:
    """The labelled ones of ``predictions`` beside their pictures.

    Raises: RunError when one of them is not in the pack under this name and class.
    """
    known = np.flatnonzero(predictions.labels != UNLABELLED)
    name = split if split in pack else "train"
    pictures = pack[name]
    place = {one.id: number for number, one in enumerate(pack.classes)}
    columns = np.array([place.get(one.id, UNLABELLED) for one in result.classes])
    labels = columns[predictions.labels[known]]
    # Two classes may both have a picture called 0.jpg, so that the class belongs to the key.
    truth = pictures.labels if pictures.labels is not None else np.full(len(pictures), UNLABELLED)
    row = {key: i for i, key in enumerate(zip(pictures.names, truth.tolist(), strict=True))}
    names = [predictions.names[i] for i in known]
    keys = zip(names, labels.tolist(), strict=True)
    rows = np.array([row.get(key, -1) for key in keys], dtype=np.int64)
    if (rows < 0).any():
        missing = names[int(np.argmin(rows))]
        raise RunError(
            f"{pack.path} is not the data of {result.name}: its split {name} has no {missing} of that class",
            "name the pack the run was trained on",
        )
    labelled = Predictions(
        predictions.probabilities[known], predictions.labels[known], tuple(names)
    )
    return Located(split, labelled, pictures, rows)


def require_trained_on(result: Predicted, pack: Pack) -> None:
    """Raises: RunError when a run, or a member of an ensemble, was trained on other data than this pack."""
    members = result.members if isinstance(result, Ensemble) else (result,)
    for run in members:
        if not isinstance(run, Run):
            continue
        trained_on = run.environment.get("data", {}).get("fingerprint", pack.fingerprint)
        if trained_on != pack.fingerprint:
            raise RunError(
                f"{pack.path} is not the data {run.path} was trained on: fingerprint {pack.fingerprint[:16]}, "
                f"not {str(trained_on)[:16]}",
                "name the pack it was trained on",
            )


def telling_examples(predictions: Predictions, most: int) -> NDArray[np.int64]:
    """Places of up to ``most`` labelled images, half right and half wrong, of as many classes as there are.

    Of either half the surest come first, the surest of every predicted class before the second surest of any.
    """
    sure = predictions.probabilities.max(axis=1)
    predicted = predictions.probabilities.argmax(axis=1)
    known = predictions.labels != UNLABELLED
    right = predicted == predictions.labels
    halves = [
        _of_many_classes(np.flatnonzero(known & right), sure, predicted),
        _of_many_classes(np.flatnonzero(known & ~right), sure, predicted),
    ]
    first = max(most - most // 2, most - len(halves[1]))
    chosen = halves[0][:first]
    return np.concatenate([chosen, halves[1][: most - len(chosen)]])


def _of_many_classes(
    places: NDArray[np.int64], sure: NDArray[np.float32], predicted: NDArray[np.int64]
) -> NDArray[np.int64]:
    places = places[np.argsort(-sure[places], kind="stable")]
    seen: dict[int, int] = {}
    turns = []
    for one in predicted[places].tolist():
        turns.append(seen.get(one, 0))
        seen[one] = turns[-1] + 1
    return places[np.argsort(np.array(turns, dtype=np.int64), kind="stable")]
