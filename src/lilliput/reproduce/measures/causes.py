"""Measures of why classes and images are easy or hard. Paper: §1.2, §5.3."""

from __future__ import annotations

import numpy as np

from lilliput.analysis.descriptors import measure_boxes
from lilliput.analysis.located import main_located
from lilliput.reproduce.evidence import (
    MET,
    NOT_TESTED,
    NOTHING,
    UNDECIDED,
    Answer,
    Evidence,
    between,
    direction,
    held,
    points,
    points_between,
    share,
)
from lilliput.reproduce.work import read_json
from lilliput.results.metrics import Z_95

_CIRCULAR = ("background",)
_PART = 5  # the smallest fifth of the objects against the largest


def correlation(measure: str, evidence: Evidence, *, sign: int = 1) -> Answer:
    """Spearman's correlation, over the classes, of a measure with M4's accuracy.

    ``sign`` is -1 where less of it should be better.
    """
    if evidence.causes is None:
        return NOTHING
    found = evidence.causes.correlations[measure]
    if not found.is_known:
        return Answer(
            "", NOT_TESTED, note="the data does not show it (no boxes, or too few classes)"
        )
    ends = sorted((sign * found.low, sign * found.high))
    verdict = direction((ends[0], ends[1]), counts=evidence.budget("m4").is_enough)
    note = f"rank correlation with accuracy over {len(evidence.causes.per_class)} classes"
    return Answer(f"{found.value:+.2f}", verdict, f"{found.low:+.2f} to {found.high:+.2f}", note)


def two_classes(measure: str, more: str, less: str, evidence: Evidence) -> Answer:
    """A measure of two classes, the first of which should have more of it."""
    if evidence.causes is None:
        return NOTHING
    names = [one.name.split(",")[0].strip().lower() for one in evidence.causes.per_class]
    if more not in names or less not in names:
        return Answer("", NOT_TESTED, note=f"the data has no class {more} or {less}")
    values = evidence.causes.measures[measure]
    first, second = (100 * float(values[names.index(name)]) for name in (more, less))
    rank = int((values > values[names.index(more)]).sum()) + 1
    note = f"{more} has rank {rank} of {len(names)}"
    return Answer(f"{first:.0f} % against {second:.0f} %", held(first > second), note=note)


def small_objects(evidence: Evidence) -> Answer:
    """M4's accuracy on the fifth of the images with the largest objects, less that on the fifth with the smallest."""
    run = evidence.network("m4")
    located = main_located(run, evidence.pack) if run else None
    if located is None:
        return NOTHING
    area = measure_boxes(located.pictures, located.rows).area
    right = located.predictions.probabilities.argmax(axis=1) == located.predictions.labels
    known = np.flatnonzero(np.isfinite(area))
    count = len(known) // _PART
    if not count:
        return Answer("", NOT_TESTED, note="the data has no bounding boxes")
    ordered = right[known[np.argsort(area[known], kind="stable")]]
    small, large = float(ordered[:count].mean()), float(ordered[-count:].mean())
    reach = Z_95 * np.sqrt((small * (1 - small) + large * (1 - large)) / count)
    interval = (large - small - reach, large - small + reach)
    verdict = direction(interval, counts=evidence.budget("m4").is_enough)
    note = f"largest fifth {share(large)}, smallest {share(small)}; {count:,} images each"
    return Answer(points(large - small), verdict, points_between(interval), note)


def hard_cause(cause: str, evidence: Evidence) -> Answer:
    """How often the audit suggests the cause among the hardest tenth of the images, and among all others."""
    place = evidence.place("audit")
    if place is None:
        return NOTHING
    splits = read_json(place / "audit.json")["splits"]
    found = splits.get("val", next(iter(splits.values())))["causes"][cause]
    if not found["images"]:
        return Answer("none found", NOT_TESTED, note="the data does not show it")
    (low, high), (other_low, other_high) = found["hardest_interval"], found["others_interval"]
    text = f"{share(found['hardest'])} against {share(found['others'])}"
    if cause in _CIRCULAR:
        verdict, note = (
            UNDECIDED,
            "suggested only where a network was wrong, so found among the hard by construction",
        )
    else:
        verdict = MET if low > other_high else (held(False) if high < other_low else UNDECIDED)
        note = "how often it is suggested among the hardest tenth of val, and among the rest"
    if not evidence.budget("m4").is_enough:  # what networks near chance find hard is hard by chance
        verdict = NOT_TESTED
    interval = f"{between((low, high))}; {between((other_low, other_high))}"
    return Answer(text, verdict, interval, note)
