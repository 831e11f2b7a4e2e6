"""The audit as one offline HTML page: pictures inside it, no script, names as text whatever they hold."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from lilliput.analysis.audit.findings import Findings, SplitFindings
from lilliput.analysis.audit.suspicions import CAUSES, found_in
from lilliput.analysis.style import percent
from lilliput.data.pack import Split
from lilliput.results.metrics import Interval

PAGE_BYTES = 7_000_000
_HARDEST, _PER_CAUSE, _LABELS, _PAIRS = 56, 14, 35, 36
_LONGEST_SIDE, _QUALITY = 128, 88


@dataclass(frozen=True, kw_only=True)
class Card:
    """One picture as the page shows it: what it is, what it was taken for, what may be the matter.

    ``box`` are left, top, width and height of its box in percent of the picture, or None.
    """

    address: str
    name: str
    truth: str
    taken_for: str
    remark: str
    causes: tuple[str, ...] = ()
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class CauseRow:
    """A cause with its explanation, how often it is found, and some pictures."""

    name: str
    letter: str
    what: str
    images: int
    hardest: str
    others: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two near-duplicates; ``differ`` when they are of different classes, ``leaks`` when of different splits."""

    first: Card
    second: Card
    differ: bool
    leaks: bool
    likeness: str


@dataclass(frozen=True, kw_only=True)
class SplitPage:
    """What the page tells about one split."""

    split: str
    images: int
    judged: str
    hardest: tuple[Card, ...]
    causes: tuple[CauseRow, ...]
    label_count: int
    labels: tuple[Card, ...]


_WHAT = {
    "small": "The box is among the smallest tenth of the split.",
    "cropped": "The box reaches the picture's edge and is among the smallest quarter of its class.",
    "background": "There is no box; or it is among the smallest quarter, and the colours around it are more like those "
    "of the class the image is taken for than of its own. The prediction being wrong is part of this, so some of the "
    "difference is by design.",
    "unlike": "Colours and edges are among the twentieth that is least like the rest of the class.",
}


class _Album:
    """Pictures of one pack as data addresses, counted so that the page stays small."""

    def __init__(self, findings: Findings) -> None:
        self.splits: Mapping[str, Split] = {
            name: findings.pack[name] for name in findings.pack.splits
        }
        self.classes = [one.name for one in findings.pack.classes]
        self.bytes = 0

    @property
    def is_full(self) -> bool:
        return self.bytes > PAGE_BYTES

    def address(self, split: str, row: int) -> str:
        picture = Image.fromarray(np.asarray(self.splits[split].images[row]))
        picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=_QUALITY)
        text = "data:image/jpeg;base64," + b64encode(buffer.getvalue()).decode()
        self.bytes += len(text)
        return text

    def box(self, split: str, row: int) -> tuple[float, float, float, float] | None:
        height, width = self.splits[split].images.shape[1:3]
        x0, y0, x1, y1 = (int(side) for side in self.splits[split].boxes[row])
        if x0 < 0:
            return None
        left, top = 100 * x0 / width, 100 * y0 / height
        return left, top, 100 * (x1 - x0 + 1) / width, 100 * (y1 - y0 + 1) / height


def render(findings: Findings) -> str:
    """The page."""
    album = _Album(findings)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Pairs first: they are few, and the room is for the rest.
    pairs = list(_pairs(findings, album))
    drop = findings.droplist
    page = environment.get_template("page.html.jinja").render(
        title=findings.pack.path.resolve().name,
        runs=[Path(run).resolve().name for run in findings.runs],
        left_out=findings.left_out,
        drop_count=len(drop.chosen),
        drop_remarks=drop.remarks,
        causes=CAUSES,
        pairs=pairs,
        pair_count=len(findings.duplicates),
        leaks=sum(one.first[0] != one.second[0] for one in findings.duplicates),
        splits=[_split_page(one, album) for one in findings.splits],
    )
    return page.lstrip()


def _split_page(one: SplitFindings, album: _Album) -> SplitPage:
    evidence = one.evidence
    judged = int((evidence.judged > 0).sum())
    right = (evidence.predicted == evidence.labels) & (evidence.judged > 0)
    words = f"{judged:,} predicted by networks that had not trained on them"
    if judged:
        words += f", {percent(right.sum() / judged)} of them rightly"
    hardest = evidence.hardest
    return SplitPage(
        split=one.split,
        images=len(evidence),
        judged=words,
        hardest=_cards(one, album, hardest[:_HARDEST]),
        causes=tuple(_cause_rows(one, album, hardest)),
        label_count=len(one.labels),
        labels=_cards(one, album, one.labels[:_LABELS]),
    )


def _cause_rows(
    one: SplitFindings, album: _Album, hardest: NDArray[np.int64]
) -> Iterable[CauseRow]:
    for letter, (name, title) in zip("abcd", CAUSES.items(), strict=True):
        flags = one.causes[name]
        found = found_in(one.evidence, flags)
        yield CauseRow(
            name=title,
            letter=letter,
            what=_WHAT[name],
            images=int(flags.sum()),
            hardest=_share(found.hardest, found.hardest_interval),
            others=_share(found.others, found.others_interval),
            cards=_cards(one, album, hardest[flags[hardest]][:_PER_CAUSE]),
        )


def _cards(
    one: SplitFindings, album: _Album, places: NDArray[np.int64] | Sequence[int]
) -> tuple[Card, ...]:
    return tuple(_card(one, album, int(place)) for place in places if not album.is_full)


def _card(one: SplitFindings, album: _Album, place: int) -> Card:
    evidence = one.evidence
    row = int(evidence.rows[place])
    guess = int(evidence.predicted[place])
    loss, late = evidence.measures["loss"][place], evidence.measures["learned_late"][place]
    remarks = [f"loss {loss:.1f}"] if np.isfinite(loss) else []
    remarks += (
        [f"learned after {percent(late, 0)}" if late < 1 else "never learned"]
        if np.isfinite(late)
        else []
    )
    return Card(
        address=album.address(one.split, row),
        name=evidence.names[place],
        truth=album.classes[evidence.labels[place]],
        taken_for=album.classes[guess] if guess >= 0 else "",
        remark=", ".join(remarks),
        causes=tuple(CAUSES[name] for name, flags in one.causes.items() if flags[place]),
        box=album.box(one.split, row),
    )


def _pairs(findings: Findings, album: _Album) -> Iterable[Pair]:
    def card(split: str, row: int) -> Card:
        pictures = album.splits[split]
        truth = "" if pictures.labels is None else album.classes[pictures.labels[row]]
        address = album.address(split, row)
        return Card(
            address=address, name=pictures.names[row], truth=truth, taken_for="", remark=split
        )

    # What matters most first: other classes, then other splits, then the most alike.
    pairs = [
        (first.truth != second.truth and "" not in (first.truth, second.truth), one, first, second)
        for one in findings.duplicates[: 4 * _PAIRS]
        for first, second in [(card(*one.first), card(*one.second))]
    ]
    pairs.sort(key=lambda pair: (not pair[0], pair[1].first[0] == pair[1].second[0]))
    for differ, one, first, second in pairs[:_PAIRS]:
        leaks = one.first[0] != one.second[0]
        likeness = f"{one.bits} of 64 bits differ, correlation {one.correlation:.3f}"
        yield Pair(first=first, second=second, differ=differ, leaks=leaks, likeness=likeness)


def _share(share: float, interval: Interval) -> str:
    low, high = interval
    return f"{percent(share)} ({100 * low:.1f}\N{EN DASH}{percent(high)})"
