"""What a report is made of: a page has chapters, a chapter a verdict and sections, a section a few kinds of blocks.

Chapters are told in these words by Python and turned into HTML by one template, so a new kind of result needs no HTML
and every table, figure and command on the page looks and behaves the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from markupsafe import Markup

from lilliput.results.metrics import Evaluation, Interval


class Column(NamedTuple):
    """A column's heading; numbers stand flush right."""

    title: str
    is_number: bool = False


def number(title: str) -> Column:
    """The heading of a column of numbers."""
    return Column(title, is_number=True)


class Cell(NamedTuple):
    """What stands in a table: ``order`` is what it is sorted by (its text, if None), ``link`` an id of this page.

    ``span`` draws a bar from and to these shares of the cell's width.
    """

    text: str
    order: float | None = None
    span: Interval | None = None
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure drawn from numbers, as an ``<svg>`` element; ``is_wide`` takes the page's whole width."""

    kind: ClassVar = "chart"
    svg: Markup
    is_wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A stored picture, carried along as a ``data:`` address; ``alt`` is read out aloud. Sizes in pixels."""

    kind: ClassVar = "picture"
    address: str
    alt: str
    caption: str
    width: int
    height: int

    @property
    def is_wide(self) -> bool:
        """Whether half a page is too narrow for it."""
        return self.width > 1400


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows that a reader may sort; ``total`` stays below them; a long one scrolls in its frame when ``is_framed``."""

    kind: ClassVar = "table"
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] = ()
    is_framed: bool = False
    is_wide: bool = True


@dataclass(frozen=True, kw_only=True)
class Commands:
    """Commands to copy, each with what it does."""

    kind: ClassVar = "commands"
    lines: Sequence[tuple[str, str]]
    is_wide: bool = False


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and values."""

    kind: ClassVar = "facts"
    rows: Sequence[tuple[str, str]]
    is_wide: bool = True


@dataclass(frozen=True, kw_only=True)
class Text:
    """Text as it is written, such as a recipe."""

    kind: ClassVar = "text"
    text: str
    is_wide: bool = True


@dataclass(frozen=True, kw_only=True)
class Note:
    """A sentence or two."""

    kind: ClassVar = "note"
    text: str
    is_wide: bool = True


Block = Chart | Picture | Table | Commands | Facts | Text | Note


@dataclass(frozen=True, kw_only=True)
class Section:
    """Blocks under a heading; ``is_folded`` shows the heading alone until it is asked for more."""

    title: str
    blocks: Sequence[Block]
    is_folded: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether it takes the page's whole width: not if all it shows is one narrow thing."""
        shown = [block for block in self.blocks if block.kind != "note"]
        return self.is_folded or len(shown) != 1 or shown[0].is_wide


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The one number of a chapter: ``share`` (None while there is none), what it is of, and what stands beside it.

    ``paper`` is the paper's share where it is fair to show it: it becomes a mark on the scale.
    """

    share: float | None
    lead: str
    interval: Interval | None = None
    paper: float | None = None
    facts: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One result as the page tells it.

    ``key`` is its id on the page; ``word`` what it is (run, ensemble, study, ablation) and ``extent`` how much of it
    there is ("18 epochs"); ``plan`` the architecture, where there is a single one. ``evaluation`` is on ``split``.
    """

    key: str
    word: str
    name: str
    verdict: Verdict | None
    sections: Sequence[Section]
    recipe: str = ""
    plan: str = ""
    extent: str = ""
    split: str = ""
    evaluation: Evaluation | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """Everything the template needs: ``problems`` are (name, what is wrong) of what had to be left out.

    ``is_folded`` shows the chapters' names alone until they are asked for more.
    """

    title: str
    chapters: Sequence[Chapter]
    overview: Chapter | None = None
    problems: Sequence[tuple[str, str]] = ()
    is_folded: bool = False

    @property
    def contents(self) -> str:
        """How many of each kind: "1 ensemble, 3 runs"."""
        counts = Counter(chapter.word for chapter in self.chapters)
        return ", ".join(f"{n} {_plural(word, n)}" for word, n in counts.items())


def _plural(word: str, n: int) -> str:
    if n == 1:
        return word
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
