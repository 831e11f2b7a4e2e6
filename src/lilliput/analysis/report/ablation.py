"""An ablation as a chapter: what each value comes to over the seeds, and how far it is from the first."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from math import isfinite

import tomli_w
from matplotlib.figure import Figure

from lilliput.analysis.figures.ablation import ablation_numbers, draw_ablation
from lilliput.analysis.report.blocks import (
    Cell,
    Chapter,
    Column,
    Commands,
    Note,
    Section,
    Table,
    Text,
    Verdict,
    number,
)
from lilliput.analysis.report.drawing import Place, draw_sections
from lilliput.analysis.report.words import SPLIT_WORDS, between, points
from lilliput.analysis.style import percent
from lilliput.results.ablation import Ablation, Value

_DASH = "\N{EN DASH}"
_HOW = (
    "The differences are to the first value, paired by seed; their intervals and the means' are 95 % t-intervals over "
    "the seeds, and p is the paired t-test's. With few seeds they are wide: that is the truth about few seeds."
)


def tell_ablation(ablation: Ablation, place: Place) -> Chapter:
    """The chapter of an ablation; of one in progress, what there is so far."""
    seeds = len(ablation.seeds)
    return Chapter(
        key=place.key,
        word="ablation",
        name=ablation.name,
        recipe=ablation.recipe,
        extent=f"{len(ablation.values)} values, {seeds} {'seed' if seeds == 1 else 'seeds'}",
        verdict=_verdict(ablation),
        sections=tuple(s for s in _sections(ablation, place) if s.blocks),
    )


def _verdict(ablation: Ablation) -> Verdict:
    done = sum(isfinite(one) for value in ablation.values for one in value.accuracy)
    planned = len(ablation.values) * len(ablation.seeds)
    notes = [] if ablation.is_finished else [f"Not finished: {done} of {planned} runs are done."]
    judged = SPLIT_WORDS.get(ablation.split, ablation.split)
    lead = ablation.claim or f"{ablation.recipe}, changed in {len(ablation.values)} ways"
    facts = [
        ("values", str(len(ablation.values))),
        ("seeds", ", ".join(map(str, ablation.seeds))),
        ("judged on", judged),
    ]
    return Verdict(share=None, lead=lead, facts=facts, notes=notes)


def _sections(ablation: Ablation, place: Place) -> Iterator[Section]:
    drawn = draw_sections(ablation, {"ablation": _figure}, place)
    blocks = [*drawn.pop("What each change does"), _table(ablation), Note(text=_HOW)]
    yield Section(title="What each change does", blocks=blocks)
    for title, more in drawn.items():
        yield Section(title=title, blocks=more)
    words = ["lilliput", "ablate", ablation.name, "--data", "DATA", "--to", str(ablation.path)]
    again = Commands(lines=[("The same command goes on where it stopped", shlex.join(words))])
    yield Section(title="How to reproduce it", blocks=[again])
    base = Text(text=tomli_w.dumps(dict(ablation.base)).strip())
    yield Section(title="Recipe that was changed", blocks=[base], is_folded=True)


def _figure(ablation: Ablation) -> Figure | None:
    numbers = ablation_numbers(ablation)
    return draw_ablation(numbers) if numbers else None


def _table(ablation: Ablation) -> Table:
    columns = [
        Column("value"),
        Column("changes"),
        number("mean"),
        number("spread"),
        number("95 % interval"),
        number("difference"),
        number("its 95 % interval"),
        number("p"),
        *(number(f"seed {seed}") for seed in ablation.seeds),
    ]
    return Table(title="", columns=columns, rows=[_row(ablation, one) for one in ablation.values])


def _row(ablation: Ablation, value: Value) -> list[Cell]:
    spread, difference = value.spread, ablation.difference(value)
    is_first = value is ablation.values[0]
    low, high = difference.interval
    return [
        Cell(value.name),
        Cell(" ".join(value.changes) or "none"),
        _cell(spread.mean, percent(spread.mean)),
        _cell(spread.deviation, f"{100 * spread.deviation:.1f} points"),
        _cell(spread.interval[0], between(spread.interval)),
        Cell(_DASH, 0.0) if is_first else _cell(difference.mean, points(difference.mean)),
        Cell(_DASH, 0.0) if is_first else _cell(low, f"{100 * low:+.1f} .. {100 * high:+.1f}"),
        Cell(_DASH, 1.0) if is_first else _cell(difference.p, f"{difference.p:.3f}"),
        *(_cell(one, percent(one)) for one in value.accuracy),
    ]


def _cell(number: float, text: str) -> Cell:
    """What is not known yet is a dash, below everything."""
    return Cell(text, number) if isfinite(number) else Cell(_DASH, -1e9)
