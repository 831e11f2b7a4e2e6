"""The four things that make an image hard by the paper's Fig. 1, suggested from boxes and descriptors. Paper: §1.2.

    small       (a) the object is too small: its box is among the smallest tenth
    cropped     (b) the object was cropped out: its box reaches an edge of the picture and is among the smallest quarter
                of its class, so that less of the object can be seen than usual
    background  (c) the label is from the background: there is no box; or the box is among the smallest quarter, and the
                colours around it are more like those of the class it is taken for than of its own
    unlike      (d) it is unlike the rest of its class: its colours and edges are among the twentieth that is least like
                the others of its class, measured against how alike that class is

The thresholds are shares of the set, so that they mean the same on any data. These are suggestions: what is the matter
with a picture only a person can say. ``found_in`` tells how much more often each is found among the hardest images.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lilliput.analysis.audit.evidence import Evidence
from lilliput.analysis.descriptors import (
    Boxes,
    Look,
    class_means,
    describe,
    likeness_to_others,
    measure_boxes,
)
from lilliput.data.pack import Pack
from lilliput.results.metrics import Interval, wilson_interval

Flags = NDArray[np.bool_]
SMALL, LITTLE, UNLIKE = 0.10, 0.25, 0.05
HARD = 0.10  # the hardest share of images, which the causes are counted in

CAUSES: dict[str, str] = {
    "small": "object too small",
    "cropped": "object cropped out",
    "background": "label from the background",
    "unlike": "unlike its class",
}


class Found(NamedTuple):
    """How often a cause is suggested among the hardest tenth and among all other images; intervals are Wilson's."""

    hardest: float
    hardest_interval: Interval
    others: float
    others_interval: Interval


def suspect(evidence: Evidence, pack: Pack) -> dict[str, Flags]:
    """Which images each cause is suggested for: bool[n] by the names of :data:`CAUSES`."""
    split, k = pack[evidence.split], len(pack.classes)
    boxes, look = measure_boxes(split, evidence.rows), describe(split, evidence.rows)
    labels = evidence.labels
    return {
        "small": boxes.are_known & (boxes.area <= _quantile(boxes.area, SMALL)),
        "cropped": _cropped(boxes, labels, k),
        "background": _background(boxes, look, evidence, k),
        "unlike": _unlike(look, labels, k),
    }


def found_in(evidence: Evidence, flags: Flags) -> Found:
    """How often it is suggested among the hardest tenth, and among the rest."""
    hard = evidence.hardness > 1 - HARD
    counts = [(int(flags[part].sum()), int(part.sum())) for part in (hard, ~hard)]
    shares = [found / n if n else float("nan") for found, n in counts]
    (low, high) = (wilson_interval(found, n) for found, n in counts)
    return Found(shares[0], low, shares[1], high)


def _cropped(boxes: Boxes, labels: NDArray[np.int64], k: int) -> Flags:
    small_for_class = np.zeros(len(labels), bool)
    order = np.argsort(labels, kind="stable")
    edges = np.searchsorted(labels[order], np.arange(k + 1))
    for start, end in pairwise(edges.tolist()):
        own = order[start:end]
        if len(own) > 3:
            small_for_class[own] = boxes.area[own] <= _quantile(boxes.area[own], LITTLE)
    return small_for_class & (boxes.edges_touched > 0)


def _background(boxes: Boxes, look: Look, evidence: Evidence, k: int) -> Flags:
    # Pictures of a set without any boxes are not all labelled by their background.
    missing = ~boxes.are_known & boxes.are_known.any()
    little = boxes.are_known & (boxes.area <= _quantile(boxes.area, LITTLE))
    predicted, labels = evidence.predicted, evidence.labels
    wrong = little & (predicted >= 0) & (predicted != labels)
    typical = class_means(look.colours, labels, k)
    around = look.surroundings[wrong].astype(np.float64)
    to_own = (around * typical[labels[wrong]]).sum(axis=1)
    to_other = (around * typical[predicted[wrong]]).sum(axis=1)
    driven = np.zeros(len(labels), bool)
    driven[np.flatnonzero(wrong)[to_other > to_own]] = True
    return missing | driven


def _unlike(look: Look, labels: NDArray[np.int64], k: int) -> Flags:
    distance = np.zeros(len(labels))
    for descriptors in (look.colours, look.edges):
        alike = likeness_to_others(descriptors, labels, k)
        counts = np.maximum(np.bincount(labels, minlength=k), 1)
        known = np.nan_to_num(alike)
        centre = np.bincount(labels, known, k) / counts
        spread = np.sqrt(np.bincount(labels, (known - centre[labels]) ** 2, k) / counts)
        usual = np.maximum(spread[labels], 1e-9)
        distance += np.where(np.isfinite(alike), (centre[labels] - alike) / usual, 0)
    return (distance > 0) & (distance >= _quantile(distance, 1 - UNLIKE))


def _quantile(values: NDArray[np.float64], share: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, share)) if len(known) else float("nan")
