"""The images a network is most wrong about. Paper: §1.2 and Fig. 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lilliput.analysis.located import Located, main_located
from lilliput.analysis.photos import COLUMNS, Photo, PhotoRow, draw_photos
from lilliput.data.pack import Pack
from lilliput.results.folder import ClassName, Predicted

_ROWS = 4


@dataclass(frozen=True, kw_only=True)
class HardestNumbers:
    """``chosen`` int64[m] are places in the predictions, ``losses`` float64[m] (nats) falls."""

    located: Located
    classes: tuple[ClassName, ...]
    chosen: NDArray[np.int64]
    losses: NDArray[np.float64]


def hardest_numbers(
    result: Predicted, pack: Pack, most: int = _ROWS * COLUMNS
) -> HardestNumbers | None:
    """The images with the highest loss on the main labelled split; None when nothing labelled was predicted.

    Raises: RunError when the pack is not the one that was predicted.
    """
    located = main_located(result, pack)
    if located is None:
        return None
    predictions = located.predictions
    true = predictions.probabilities[np.arange(len(predictions)), predictions.labels]
    chosen = np.argsort(true, kind="stable")[:most]
    losses = -np.log(np.maximum(true[chosen].astype(np.float64), np.finfo(np.float32).tiny))
    return HardestNumbers(located=located, classes=result.classes, chosen=chosen, losses=losses)


def draw_hardest(numbers: HardestNumbers) -> Figure:
    """The images, hardest first; below each its class, and in grey what it is taken for."""
    located, names = numbers.located, [one.name for one in numbers.classes]
    predicted = located.predictions.probabilities[numbers.chosen].argmax(axis=1)
    labels = located.predictions.labels[numbers.chosen]
    photos = [
        Photo(image, names[truth], None, names[guess])
        for image, truth, guess in zip(
            located.images(numbers.chosen), labels, predicted, strict=True
        )
    ]
    rows = [PhotoRow("", "", photos[i : i + COLUMNS]) for i in range(0, len(photos), COLUMNS)]
    note = "highest loss first; below each: what it is, and in grey what it is taken for"
    return draw_photos(f"The hardest images ({located.split})", rows, note)
