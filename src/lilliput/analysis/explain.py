"""Which pictures an explanation shows, and where it is kept. The maps need a network: ``models.saliency``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.analysis.located import main_located, require_trained_on, telling_examples
from lilliput.data.pack import Pack
from lilliput.errors import RunError, UsageError
from lilliput.results.run import Run
from lilliput.results.saliency import Saliency


@dataclass(frozen=True, eq=False, kw_only=True)
class ChosenPictures:
    """m pictures to explain: pixels uint8[m,h,w,3], boxes int16[m,4], labels and predicted classes int64[m]."""

    names: tuple[str, ...]
    images: NDArray[np.uint8]
    boxes: NDArray[np.int16]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]


def choose_pictures(run: Run, pack: Pack, most: int) -> ChosenPictures:
    """Up to ``most`` pictures of the run's main labelled split, half right and half wrong, the surest of each.

    Raises: UsageError when ``most`` is below 1; RunError when nothing labelled was predicted, or the pack is not the
    one that was predicted.
    """
    if most < 1:
        raise UsageError(f"{most} images cannot be explained", "--images 12")
    require_trained_on(run, pack)
    located = main_located(run, pack)
    if located is None:
        raise RunError(
            f"{run.path} holds no predictions of labelled images",
            f"make them: lilliput evaluate {run.path} --data PACK",
        )
    chosen = telling_examples(located.predictions, most)
    rows = located.rows[chosen]
    return ChosenPictures(
        names=tuple(located.predictions.names[i] for i in chosen),
        images=located.pictures.images[rows],
        boxes=np.asarray(located.pictures.boxes)[rows],
        labels=located.predictions.labels[chosen],
        predicted=located.predictions.probabilities[chosen].argmax(axis=1),
    )


def store_maps(
    run: Run, chosen: ChosenPictures, maps: NDArray[np.float32], method: str
) -> Saliency:
    """Keep the pictures and their maps float32[m,h,w] as the run's ``saliency.npz``. Raises: StorageError."""
    saliency = Saliency(
        names=chosen.names,
        maps=maps,
        images=chosen.images,
        boxes=chosen.boxes,
        labels=chosen.labels,
        predicted=chosen.predicted,
        method=method,
    )
    saliency.save(run.path)
    return saliency
