"""Pictures of the classes a network knows best and least. Paper: §5.3, Fig. 5 and 6."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lilliput.analysis.located import Located, main_located
from lilliput.analysis.photos import COLUMNS, Photo, PhotoRow, draw_photos
from lilliput.analysis.style import percent
from lilliput.data.pack import Pack
from lilliput.results.folder import ClassName, Predicted
from lilliput.results.metrics import ClassAccuracy, evaluate

_CLASSES = 5


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """One class with some of its images: ``chosen`` are places in the predictions, the most trusted image first."""

    accuracy: ClassAccuracy
    chosen: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class GalleryNumbers:
    """The best and the worst classes (the worst first in ``worst``), no class in both."""

    located: Located
    classes: tuple[ClassName, ...]
    best: tuple[Gallery, ...]
    worst: tuple[Gallery, ...]


def gallery_numbers(result: Predicted, pack: Pack) -> GalleryNumbers | None:
    """Up to five best and five worst classes on the main labelled split; None when nothing labelled was predicted.

    Raises: RunError when the pack is not the one that was predicted.
    """
    located = main_located(result, pack)
    if located is None:
        return None
    per_class = list(enumerate(evaluate(located.predictions, result.classes).per_class))
    tested = [(number, one) for number, one in per_class if one.n]
    tested.sort(key=lambda pair: (-pair[1].accuracy, pair[1].name, pair[1].id))
    most = min(_CLASSES, len(tested) // 2)

    def gallery(number: int, accuracy: ClassAccuracy) -> Gallery:
        return Gallery(accuracy=accuracy, chosen=_spread_of_trust(located, number))

    return GalleryNumbers(
        located=located,
        classes=result.classes,
        best=tuple(gallery(*pair) for pair in tested[:most]),
        worst=tuple(gallery(*pair) for pair in tested[: -most - 1 : -1]),
    )


def _spread_of_trust(located: Located, number: int) -> NDArray[np.int64]:
    """Images of a class evenly from the one the network trusts most to be of it to the one it trusts least."""
    own = np.flatnonzero(located.predictions.labels == number)
    trust = located.predictions.probabilities[own, number]
    own = own[np.argsort(-trust, kind="stable")]
    return own[np.linspace(0, len(own) - 1, min(COLUMNS, len(own))).round().astype(int)]


def draw_galleries(numbers: GalleryNumbers, *, best: bool) -> Figure | None:
    """A row of pictures per class, right and wrong ones marked. Paper: Fig. 5 (``best``) and Fig. 6."""
    galleries = numbers.best if best else numbers.worst
    if not galleries:
        return None
    rows = [
        PhotoRow(one.accuracy.name, _share(one.accuracy), _photos(numbers, one.chosen))
        for one in galleries
    ]
    title = f"The classes it knows {'best' if best else 'least'} ({numbers.located.split})"
    note = "left: the image it trusts most to be of the class, right: least; below: what it takes it for"
    return draw_photos(title, rows, note)


def _photos(numbers: GalleryNumbers, chosen: NDArray[np.int64]) -> list[Photo]:
    located = numbers.located
    predicted = located.predictions.probabilities[chosen].argmax(axis=1)
    right = predicted == located.predictions.labels[chosen]
    return [
        Photo(image, numbers.classes[k].name, bool(good))
        for image, k, good in zip(located.images(chosen), predicted, right, strict=True)
    ]


def _share(one: ClassAccuracy) -> str:
    low, high = one.interval
    interval = f"{100 * low:.0f}\N{EN DASH}{percent(high, 0)}"
    return f"{percent(one.accuracy, 0)} of {one.n} right ({interval})"
