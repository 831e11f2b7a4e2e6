"""Where the network looked, and how much of it was at the object; from what ``lilliput explain`` left in the run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lilliput.analysis.descriptors import box_masks
from lilliput.analysis.intervals import Estimate, mean
from lilliput.analysis.photos import COLUMNS, Photo, PhotoRow, draw_photos
from lilliput.analysis.style import percent
from lilliput.results.folder import Predicted
from lilliput.results.saliency import Saliency

_MOST_ROWS = 2  # of pictures; each has a row of maps below it


@dataclass(frozen=True, kw_only=True)
class SaliencyNumbers:
    """How much of what the network looked at was the object, over the pictures that have a box.

    ``at_object`` is the mean share of the maps inside the boxes, ``box_area`` the mean share of the picture that the
    boxes take: what ``at_object`` would be of a network that looks everywhere alike.
    """

    saliency: Saliency
    classes: tuple[str, ...]
    at_object: Estimate
    box_area: Estimate


def saliency_numbers(result: Predicted) -> SaliencyNumbers | None:
    """None while nothing was explained. Raises: RunError when the file is damaged."""
    saliency = Saliency.load(result.path)
    if saliency is None or not len(saliency):
        return None
    inside = box_masks(saliency.boxes, *saliency.maps.shape[1:])
    known = (saliency.boxes[:, 0] >= 0) & (saliency.maps.sum(axis=(1, 2)) > 0)
    maps, inside = saliency.maps[known].astype(np.float64), inside[known]
    total = maps.sum(axis=(1, 2))
    return SaliencyNumbers(
        saliency=saliency,
        classes=tuple(one.name for one in result.classes),
        at_object=mean((maps * inside).sum(axis=(1, 2)) / total),
        box_area=mean(inside.mean(axis=(1, 2))),
    )


def draw_saliency(numbers: SaliencyNumbers) -> Figure:
    """Pictures, and below each the same one lit only where the network looked; right predictions first."""
    saliency = numbers.saliency
    right = saliency.predicted == saliency.labels
    rows: list[PhotoRow] = []
    for is_right, words in ((True, "Right"), (False, "Wrong")):
        chosen = np.flatnonzero(right == is_right)[: COLUMNS * _MOST_ROWS // 2]
        if len(chosen):
            rows += [
                PhotoRow(words, "the surest first", _pictures(numbers, chosen)),
                PhotoRow("", "", [Photo(lit) for lit in light(saliency, chosen)]),
            ]
    note = "below each picture: the part its prediction rests on"
    if numbers.at_object.is_known:
        value, low, high = numbers.at_object
        area = percent(numbers.box_area.value, 0)
        note = (
            f"{percent(value, 0)} ({100 * low:.0f}\N{EN DASH}{percent(high, 0)}) of what it looks at lies in the"
            f" object's box, which is {area} of the picture"
        )
    return draw_photos("What the predictions rest on", rows, note)


def light(saliency: Saliency, chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The pictures uint8[m,h,w,3], dark where the map is 0 and unchanged where it is 1; maps softened a little."""
    maps = saliency.maps[chosen]
    for axis in (1, 2):  # a binomial filter: single pixels of a gradient say little
        shifted = np.concatenate(
            [maps.take([0], axis), maps, maps.take([-1], axis)], axis=axis
        ).swapaxes(0, axis)
        maps = (0.25 * shifted[:-2] + 0.5 * shifted[1:-1] + 0.25 * shifted[2:]).swapaxes(0, axis)
    top = np.maximum(maps.max(axis=(1, 2), keepdims=True, initial=0), 1e-9)
    strength = 0.05 + 0.95 * (maps / top) ** 0.7
    return np.rint(saliency.images[chosen] * strength[..., None]).astype(np.uint8)


def _pictures(numbers: SaliencyNumbers, chosen: NDArray[np.int64]) -> list[Photo]:
    saliency, names = numbers.saliency, numbers.classes
    return [
        Photo(
            saliency.images[i],
            names[saliency.predicted[i]],
            bool(saliency.predicted[i] == saliency.labels[i]),
            "" if saliency.predicted[i] == saliency.labels[i] else names[saliency.labels[i]],
        )
        for i in chosen
    ]
