"""The hardest images that each cause is suggested for, as one figure. Paper: §1.2, Fig. 1."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lilliput.analysis.audit.findings import Findings, SplitFindings
from lilliput.analysis.audit.suspicions import CAUSES
from lilliput.analysis.photos import COLUMNS, Photo, PhotoRow, draw_photos


def draw_causes(findings: Findings) -> Figure | None:
    """A row of pictures per cause, of val if it was looked at; None when no cause is suggested for any image."""
    one = findings.of("val") or findings.splits[0]
    rows = [
        _row(letter, cause, one, findings)
        for letter, cause in zip("abcd", CAUSES, strict=True)
        if one.causes[cause].any()
    ]
    if not rows:
        return None
    note = "hardest first; below each: its class, in grey what it is taken for; framed: its bounding box"
    return draw_photos(f"Why images may be hard ({one.split})", rows, note)


def _row(letter: str, cause: str, one: SplitFindings, findings: Findings) -> PhotoRow:
    flags, hardest = one.causes[cause], one.evidence.hardest
    photos = [_photo(one, findings, int(place)) for place in hardest[flags[hardest]][:COLUMNS]]
    return PhotoRow(f"({letter}) {CAUSES[cause]}", f"{int(flags.sum()):,} images", photos)


def _photo(one: SplitFindings, findings: Findings, place: int) -> Photo:
    evidence, pictures = one.evidence, findings.pack[one.split]
    row, guess = int(evidence.rows[place]), int(evidence.predicted[place])
    names = [each.name for each in findings.pack.classes]
    x0, y0, x1, y1 = (int(side) for side in pictures.boxes[row])
    return Photo(
        np.asarray(pictures.images[row]),
        caption=names[evidence.labels[place]],
        remark=names[guess] if guess >= 0 else "",
        box=None if x0 < 0 else (x0, y0, x1 + 1, y1 + 1),
    )
