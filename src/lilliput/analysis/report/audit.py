"""An audit as a chapter: what makes images hard, the hardest ones, labels that look wrong, near-duplicates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from lilliput.analysis.audit import CAUSES_FILE
from lilliput.analysis.report.blocks import (
    Block,
    Cell,
    Chapter,
    Column,
    Note,
    Section,
    Table,
    Verdict,
    number,
)
from lilliput.analysis.report.drawing import Place
from lilliput.analysis.report.words import SPLIT_WORDS
from lilliput.analysis.style import percent
from lilliput.errors import RunError

AUDIT_FILE = "audit.json"
_DASH = "\N{EN DASH}"


@dataclass(frozen=True)
class Audit:
    """An audit folder; ``facts`` are what its audit.json says."""

    path: Path
    facts: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Audit:
        """The audit in ``folder``. Raises: RunError when it is damaged."""
        file = folder / AUDIT_FILE
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{file} cannot be read: {error}", "make the audit again") from error
        return cls(folder, facts)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.resolve().name


def tell_audit(audit: Audit, place: Place) -> Chapter:
    """The chapter of an audit; most of its pictures are in its own page. Raises: RunError."""
    try:
        return Chapter(
            key=place.key,
            word="audit",
            name=audit.name,
            extent=f"{sum(one['images'] for one in audit.facts['splits'].values()):,} images",
            verdict=_verdict(audit),
            sections=tuple(_sections(audit, place)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"{audit.path / AUDIT_FILE} is damaged: {error!r}", "make the audit again"
        ) from error


def _verdict(audit: Audit) -> Verdict:
    facts = audit.facts
    looked = " and ".join(
        f"{one['images']:,} {SPLIT_WORDS.get(split, split)}"
        for split, one in facts["splits"].items()
    )
    wrong = sum(one["suspected_label_count"] for one in facts["splits"].values())
    return Verdict(
        share=None,
        lead=f"{looked}, seen through {', '.join(facts['runs'])}",
        facts=[
            ("labels that look wrong", f"{wrong:,}"),
            ("near-duplicates", f"{len(facts['duplicates']):,}"),
            ("images on the list to drop", f"{facts['drop']['images']:,}"),
        ],
        notes=[f"More pictures are in audit.html, in {audit.path}."],
    )


def _sections(audit: Audit, place: Place) -> Iterator[Section]:
    for split, one in audit.facts["splits"].items():
        blocks: list[Block] = [cause_table(one["causes"])]
        yield Section(title=f"Why images of {split} may be hard", blocks=blocks)
    picture = audit.path / CAUSES_FILE
    if picture.is_file():
        blocks = [place.album.take(picture, f"Images of each cause, {audit.name}")]
        yield Section(title="Images of each cause", blocks=blocks)
    for split, one in audit.facts["splits"].items():
        if one["hardest"]:
            hardest = _images(one["hardest"])
            yield Section(title=f"The hardest images of {split}", blocks=[hardest])
        if one["suspected_labels"]:
            note = Note(
                text=f"The first of {one['suspected_label_count']:,}, most suspicious first."
            )
            blocks = [_images(one["suspected_labels"]), note]
            yield Section(title=f"Labels of {split} that look wrong", blocks=blocks)
    if audit.facts["duplicates"]:
        yield Section(title="Pictures that are there twice", blocks=[_duplicates(audit)])


def cause_table(causes: Mapping[str, Any]) -> Table:
    """How often each cause is suggested, of the ``causes`` of one split in audit.json."""
    rows = [
        [
            Cell(name),
            _share(one["hardest"]),
            _share(one["others"]),
            Cell(f"{one['images']:,}", one["images"]),
        ]
        for name, one in causes.items()
    ]
    titles = ("among the hardest tenth", "among all others", "images")
    return Table(title="", columns=[Column("cause"), *map(number, titles)], rows=rows)


def _images(images: list[Mapping[str, Any]]) -> Table:
    rows = [
        [
            Cell(one["name"]),
            Cell(one["class"]),
            Cell(one["predicted"] or _DASH),
            Cell(f"{one['hardness']:.3f}", one["hardness"]),
            Cell(", ".join(one["causes"])),
        ]
        for one in images
    ]
    columns = [Column("image"), Column("its class"), Column("taken for"), number("hardness")]
    return Table(title="", columns=[*columns, Column("causes")], rows=rows, is_framed=True)


def _duplicates(audit: Audit) -> Table:
    rows = []
    for pair in audit.facts["duplicates"]:
        sides = (pair["first"], pair["second"])
        places = [Cell(f"{one['split']}: {one['name']}") for one in sides]
        classes = [Cell(one["class"] or _DASH) for one in sides]
        rows.append([places[0], classes[0], places[1], classes[1]])
    titles = ("picture", "its class", "and", "its class")
    return Table(title="", columns=[Column(title) for title in titles], rows=rows, is_framed=True)


def _share(share: float | None) -> Cell:
    if share is None or not isfinite(share):
        return Cell(_DASH, -1.0)
    return Cell(percent(share), share)
