"""Measures of the data set itself. Paper: §1.1, §1.2."""

from __future__ import annotations

import numpy as np

from lilliput.analysis.descriptors import measure_boxes
from lilliput.analysis.intervals import mean
from lilliput.data.pack import Split
from lilliput.reproduce.evidence import (
    ELSEWHERE,
    NOT_TESTED,
    Answer,
    Evidence,
    between,
    held,
    share,
)

_ORIGINAL_PIXELS = (482, 418)


def classes(evidence: Evidence) -> Answer:
    """How many there are."""
    count = len(evidence.pack.classes)
    return Answer(str(count), held(count == 200))


def images_per_class(split: str, wanted: int, evidence: Evidence) -> Answer:
    """How many images of every class a labelled split has."""
    if split not in evidence.pack:
        return Answer("", NOT_TESTED, note=f"the data has no split {split}")
    part = evidence.pack[split]
    if part.labels is None:
        count, k = len(part), len(evidence.pack.classes)
        note = "unlabelled, so only the total can be counted"
        return Answer(f"{count:,} in all, unlabelled", held(count == wanted * k), note=note)
    counts = np.bincount(part.labels, minlength=len(evidence.pack.classes))
    least, most = int(counts.min()), int(counts.max())
    each = f"{least}" if least == most else f"{least} to {most}"
    return Answer(f"{each} ({len(part):,} in all)", held(least == most == wanted))


def boxes(evidence: Evidence) -> Answer:
    """How many images of train, val and test have a bounding box."""
    parts, truth = [], True
    for split in evidence.pack.splits:
        part = evidence.pack[split]
        with_box = float((np.asarray(part.boxes)[:, 0] >= 0).mean()) if len(part) else 0.0
        parts.append(f"{split} {share(with_box, 0)}")
        truth &= (with_box == 0) if split == "test" else (with_box > 0.99)
    return Answer(", ".join(parts), held(truth))


def picture_size(evidence: Evidence) -> Answer:
    """Height and width of every image."""
    height, width = evidence.pack.image_size
    return Answer(f"{height} x {width} pixels", held((height, width) == (64, 64)))


def shrinking(evidence: Evidence) -> Answer:
    """What making the average original square removes, and by how much it then shrinks: arithmetic."""
    long, short = _ORIGINAL_PIXELS
    lost, factor = 1 - short / long, short / evidence.pack.image_size[0]
    text = f"{share(lost)} removed, factor {factor:.1f}"
    return Answer(text, held(round(lost, 3) == 0.133 and round(factor, 1) == 6.5))


def object_scale(evidence: Evidence) -> Answer:
    """The mean share of the picture inside the box, in train."""
    areas = _areas(evidence.pack["train"])
    if not np.isfinite(areas).any():
        return Answer("", NOT_TESTED, note="the data has no bounding boxes")
    found = mean(areas)
    note = "ours is of the small pictures of these 200 classes; the paper quotes all of the original data set"
    return Answer(share(found.value), ELSEWHERE, between((found.low, found.high)), note)


def scoring(evidence: Evidence) -> Answer:
    """How many labels of test images are written for the server; nobody can score them any more."""
    place = evidence.place("submission")
    if not place or not (place / "submission.txt").is_file():
        return Answer("", ELSEWHERE, note="no submission has been written")
    with (place / "submission.txt").open(encoding="utf-8") as file:
        lines = sum(1 for _ in file)
    note = "the server is gone and its labels were never published: accuracies here are of official val"
    return Answer(f"{lines:,} labels written", ELSEWHERE, note=note)


def _areas(split: Split) -> np.ndarray:
    some = np.arange(0, len(split), max(1, len(split) // 20_000))
    return measure_boxes(split, some).area
