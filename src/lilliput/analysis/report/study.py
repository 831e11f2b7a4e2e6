"""A study as a chapter: the best trial, how the search went, every trial, the recipes it ends in."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator

from lilliput.analysis.figures.search import STUDY_FIGURES
from lilliput.analysis.report.blocks import (
    Block,
    Cell,
    Chapter,
    Column,
    Commands,
    Facts,
    Section,
    Table,
    Verdict,
    number,
)
from lilliput.analysis.report.drawing import Place, draw_sections
from lilliput.analysis.report.words import between, duration, images, plain
from lilliput.analysis.style import percent
from lilliput.results.study import Study, Trial

_DASH = "\N{EN DASH}"
_FLATTERED = (
    "The best of many trials is partly the luckiest, so its value is flattered by the choice. Train its recipe "
    "anew and judge it on the official validation images to know how good it is."
)
_SAID_ELSEWHERE = {
    "format",
    "name",
    "recipe",
    "space",
    "trials",
    "best",
    "importance",
    "logarithmic",
}


def tell_study(study: Study, place: Place) -> Chapter:
    """The chapter of a study; of one in progress, what there is so far."""
    return Chapter(
        key=place.key,
        word="study",
        name=study.name,
        recipe=study.recipe,
        extent=f"{len(study.trials)} trials",
        verdict=_verdict(study),
        sections=tuple(s for s in _sections(study, place) if s.blocks),
    )


def _verdict(study: Study) -> Verdict:
    counts = Counter(trial.state for trial in study.trials)
    facts = [(f"{state} trials", str(n)) for state, n in counts.items()]
    if not study.best:
        return Verdict(share=None, lead="No trial is complete yet.", facts=facts)
    best = study.best[0]
    over = f", mean of {study.folds} folds" if study.folds else ""
    lead = (
        f"of {images('heldout', best.images)} labelled right by trial {best.number}, the best{over}"
    )
    seconds = sum(trial.seconds or 0.0 for trial in study.trials)
    return Verdict(
        share=best.value,
        lead=lead,
        interval=best.interval,
        facts=[*_interval(best), *facts, ("training time", duration(seconds))],
        notes=[_FLATTERED],
    )


def _interval(trial: Trial) -> Iterator[tuple[str, str]]:
    if trial.interval:
        yield "95 % interval", between(trial.interval)


def _sections(study: Study, place: Place) -> Iterator[Section]:
    drawn = draw_sections(study, STUDY_FIGURES, place)
    yield Section(title="How the search went", blocks=drawn.pop("How the search went"))
    yield Section(title="Best recipes", blocks=list(_recipes(study)))
    yield Section(title="All trials", blocks=[_trials(study)])
    lines = [
        (key, plain(key, value)) for key, value in study.facts.items() if key not in _SAID_ELSEWHERE
    ]
    space = [
        (key, plain(key, value)) for key, value in dict(study.facts.get("space") or {}).items()
    ]
    for title, blocks in drawn.items():
        yield Section(title=title, blocks=blocks)
    yield Section(title="Settings of the search", blocks=[Facts(rows=lines)], is_folded=True)
    yield Section(title="Search space", blocks=[Facts(rows=space)] if space else [], is_folded=True)


def _recipes(study: Study) -> Iterator[Block]:
    rows = [
        [
            Cell(path.name),
            Cell(str(trial.number)),
            _cell(trial.value, percent(trial.value or 0.0)),
            Cell(between(trial.interval), trial.interval[0])
            if trial.interval
            else Cell(_DASH, -1.0),
            Cell(" ".join(trial.changes)),
        ]
        for trial, path in zip(study.best, study.best_recipes, strict=True)
    ]
    if rows:
        columns = [Column("file"), *map(number, ("trial", "accuracy", "95 % interval"))]
        yield Table(title="", columns=[*columns, Column("changes")], rows=rows)
        train = shlex.join(["lilliput", "train", str(study.best_recipes[0]), "--data", "DATA"])
        yield Commands(lines=[("To train the best one anew", train)], is_wide=True)


def _trials(study: Study) -> Table:
    keys = list(dict.fromkeys(key for trial in study.trials for key in trial.parameters))
    best = {trial.number: place for place, trial in enumerate(study.best)}
    last = len(best)
    ordered = sorted(study.trials, key=lambda t: (best.get(t.number, last), -(t.value or -1.0)))
    has_remarks = any(trial.reason for trial in study.trials)
    columns = [
        number("trial"),
        Column("state"),
        number("accuracy"),
        number("95 % interval"),
        *map(number, keys),
        number("epochs"),
        number("time"),
        *([Column("remark")] if has_remarks else []),
    ]
    rows = [_row(trial, keys)[: len(columns)] for trial in ordered]
    return Table(title="", columns=columns, rows=rows, is_framed=True)


def _row(trial: Trial, keys: list[str]) -> list[Cell]:
    return [
        Cell(str(trial.number)),
        Cell(trial.state),
        _cell(trial.value, percent(trial.value) if trial.value is not None else ""),
        Cell(between(trial.interval), trial.interval[0]) if trial.interval else Cell(_DASH, -1.0),
        *(_parameter(key, trial) for key in keys),
        _cell(
            trial.curve[-1][0] if trial.curve else None,
            str(trial.curve[-1][0]) if trial.curve else "",
        ),
        _cell(trial.seconds, duration(trial.seconds or 0.0)),
        Cell(trial.reason),
    ]


def _parameter(key: str, trial: Trial) -> Cell:
    value = trial.parameters.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Cell(f"{value:.4g}", float(value))
    return Cell(_DASH if key not in trial.parameters else plain(key, value))


def _cell(value: float | None, text: str) -> Cell:
    return Cell(_DASH, -1.0) if value is None else Cell(text, value)
