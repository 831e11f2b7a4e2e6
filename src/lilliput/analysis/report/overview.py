"""Several results at a glance: a table of them, and the average of the runs among them."""

from __future__ import annotations

from collections.abc import Sequence

from lilliput.analysis.report.blocks import (
    Cell,
    Chapter,
    Column,
    Note,
    Section,
    Table,
    Verdict,
    number,
)
from lilliput.analysis.report.words import between, images, judged, points
from lilliput.analysis.style import percent
from lilliput.errors import RunError
from lilliput.results.combine import combine
from lilliput.results.metrics import Evaluation, Interval, evaluate
from lilliput.results.run import Run

_COLUMNS = (
    Column("name"),
    Column("what"),
    number("top-1"),
    Column(""),
    number("95 % interval"),
    number("top-5"),
    number("images"),
    number("extent"),
    Column("recipe"),
)
_HOW = (
    "The average is the mean of the probabilities the networks give to each class; it is computed here from their "
    "stored predictions."
)


def tell_overview(name: str, told: Sequence[tuple[object, Chapter]]) -> Chapter:
    """What the results, each with its chapter, come to together; an ensemble among them replaces the runs' average."""
    chapters = [chapter for _, chapter in told]
    runs = [(result, chapter) for result, chapter in told if isinstance(result, Run)]
    has_ensemble = any(chapter.word == "ensemble" for chapter in chapters)
    mean, why_not = (None, "") if has_ensemble else _average(runs)
    notes = [_HOW] if mean else []
    notes += [f"No average: {why_not}."] if why_not else []
    blocks = [_table(chapters, mean, len(runs)), *(Note(text=text) for text in notes)]
    return Chapter(
        key="overview",
        word="overview",
        name=name,
        verdict=_verdict(mean, runs),
        sections=[Section(title="Side by side", blocks=blocks)],
    )


def _verdict(mean: Evaluation | None, runs: Sequence[tuple[Run, Chapter]]) -> Verdict | None:
    if mean is None:
        return None
    told = [chapter for _, chapter in runs if chapter.evaluation]
    split, members = told[0].split, len(told)
    best = max(chapter.evaluation.top1 for chapter in told if chapter.evaluation)
    facts = judged(mean)
    facts[2] = ("against the best", points(mean.top1 - best))
    lead = f"of {images(split, mean.n)} labelled right by the average of {members} networks (split {split})"
    return Verdict(share=mean.top1, lead=lead, interval=mean.interval, facts=facts)


def _table(chapters: Sequence[Chapter], mean: Evaluation | None, members: int) -> Table:
    judged_ones = [chapter.evaluation for chapter in chapters if chapter.evaluation]
    reach = max((e.interval[1] for e in [*judged_ones, *([mean] if mean else [])]), default=1.0)
    rows = [
        [
            Cell(one.name, link=one.key),
            Cell(one.word),
            *_numbers(one.evaluation, reach),
            Cell(one.extent),
            Cell(one.recipe),
        ]
        for one in chapters
    ]
    total = (
        [Cell(f"average of {members}"), Cell(""), *_numbers(mean, reach), Cell(""), Cell("")]
        if mean
        else []
    )
    return Table(title="", columns=_COLUMNS, rows=rows, total=total)


def _numbers(evaluation: Evaluation | None, reach: float) -> list[Cell]:
    if evaluation is None:
        unknown = Cell("\N{EN DASH}", -1.0)
        return [unknown, Cell(""), unknown, unknown, unknown]
    low, high = evaluation.interval
    span: Interval = low / reach, high / reach
    return [
        Cell(percent(evaluation.top1), evaluation.top1),
        Cell("", span=span),
        Cell(between(evaluation.interval), low),
        Cell(percent(evaluation.top5), evaluation.top5),
        Cell(f"{evaluation.n:,}", evaluation.n),
    ]


def _average(runs: Sequence[tuple[Run, Chapter]]) -> tuple[Evaluation | None, str]:
    """The runs' average, or None and why there is none (nothing to say when fewer than two were evaluated)."""
    told = [(run, chapter) for run, chapter in runs if chapter.evaluation]
    if len(told) < 2:
        return None, ""
    if len({chapter.split for _, chapter in told}) > 1:
        return None, "the runs were evaluated on different splits"
    classes = told[0][0].classes
    if any(run.classes != classes for run, _ in told):
        return None, "the runs know different classes"
    try:
        mean = combine([run.predictions(chapter.split) for run, chapter in told])
    except RunError as error:
        return None, str(error)
    return evaluate(mean, classes), ""
