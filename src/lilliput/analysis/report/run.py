"""A run as a chapter: verdict, learning, how to make it again, filters, classes, confusions, hard images."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from lilliput.analysis.figures import FIGURES
from lilliput.analysis.figures.classes import ranked
from lilliput.analysis.figures.confusion import confusion_numbers
from lilliput.analysis.figures.curves import paper_accuracy
from lilliput.analysis.report.blocks import (
    Block,
    Cell,
    Chapter,
    Column,
    Commands,
    Facts,
    Section,
    Table,
    Text,
    Verdict,
    number,
)
from lilliput.analysis.report.drawing import Place, draw_sections
from lilliput.analysis.report.words import (
    between,
    duration,
    images,
    judged,
    paper_words,
    plain,
    table_of,
)
from lilliput.analysis.style import percent
from lilliput.results.folder import Predicted, main_evaluation
from lilliput.results.metrics import Evaluation
from lilliput.results.run import Run


def tell_run(run: Run, place: Place) -> Chapter:
    """The chapter of a run; of one in progress, what there is so far. Raises: RunError when it is damaged."""
    recipe, found = run.recipe, main_evaluation(run)
    return Chapter(
        key=place.key,
        word="run",
        name=run.name,
        recipe=str(recipe.get("name", "")),
        plan=_plan(run),
        extent=f"{_epochs(run)} epochs",
        split=found[0] if found else "",
        evaluation=found[1] if found else None,
        verdict=_verdict(run, found),
        sections=tuple(section for section in _sections(run, found, place) if section.blocks),
    )


def _verdict(run: Run, found: tuple[str, Evaluation] | None) -> Verdict:
    epochs, notes = _epochs(run), []
    if not run.is_finished:
        lacks = "" if run.weights_path.is_file() else ", no weights yet"
        notes.append(f"This run is not finished: {epochs} epochs{lacks}.")
    if found is None:
        lead = "Not evaluated yet: no predictions of a labelled split are stored."
        return Verdict(share=None, lead=lead, facts=[("epochs", epochs)], notes=notes)
    split, evaluation = found
    paper = paper_accuracy(run)
    if paper is not None:
        notes.insert(0, paper_words(paper, "this network"))
    return Verdict(
        share=evaluation.top1,
        lead=f"of {images(split, evaluation.n)} labelled right (split {split})",
        interval=evaluation.interval,
        paper=paper,
        facts=[*judged(evaluation), ("epochs", epochs), *_training_facts(run)],
        notes=notes,
    )


def _sections(run: Run, found: tuple[str, Evaluation] | None, place: Place) -> Iterator[Section]:
    drawn = draw_sections(run, FIGURES, place)
    if found and not place.is_brief:
        drawn["Classes"].insert(1, class_table(*found))
        drawn["Confusions"][1:1] = pair_table(run)
    environment = run.environment
    reproduce = Commands(lines=tuple(_commands(run, environment, place.is_brief)))
    yield Section(title="Learning", blocks=drawn.pop("Learning"))
    yield Section(title="How to reproduce it", blocks=[reproduce])
    for title, blocks in drawn.items():
        yield Section(title=title, blocks=blocks)
    yield Section(title="Recipe", blocks=[Text(text=run.recipe_toml.strip())], is_folded=True)
    rows = [(k, plain(k, v)) for k, v in environment.items() if k not in ("classes", "command")]
    yield Section(title="Environment", blocks=[Facts(rows=rows)], is_folded=True)


def class_table(split: str, evaluation: Evaluation) -> Block:
    """Every class that has images, best first."""
    classes = ranked(evaluation)
    rows = [
        [
            Cell(one.name),
            Cell(percent(one.accuracy), one.accuracy),
            Cell(between(one.interval), one.interval[0]),
            Cell(f"{one.correct} / {one.n}", one.correct),
            Cell(one.id),
        ]
        for one in classes
    ]
    columns = [
        Column("class"),
        number("accuracy"),
        number("95 % interval"),
        number("right"),
        Column("id"),
    ]
    title = f"All {len(classes)} classes, best first ({split})"
    return Table(title=title, columns=columns, rows=rows, is_framed=True, is_wide=False)


def pair_table(result: Predicted) -> list[Block]:
    """The most frequent confusions, if there are any."""
    numbers = confusion_numbers(result)
    if numbers is None or not numbers.pairs:
        return []
    rows = [
        [
            Cell(numbers.classes[one.truth].name),
            Cell(numbers.classes[one.guess].name),
            Cell(percent(one.times / one.n), one.times / one.n),
            Cell(between(one.interval), one.interval[0]),
            Cell(f"{one.times} / {one.n}", one.times),
        ]
        for one in numbers.pairs
    ]
    columns = [
        Column("images of"),
        Column("taken for"),
        *map(number, ("share", "95 % interval", "times")),
    ]
    title = f"The {len(rows)} most frequent confusions ({numbers.split})"
    return [Table(title=title, columns=columns, rows=rows, is_framed=True, is_wide=False)]


def _plan(run: Run) -> str:
    if run.weights_path.is_file() and (plan := run.weights_metadata().get("plan")):
        return plan
    model = table_of(run.recipe, "model")
    return str(model.get("plan") or model.get("notation") or "")


def _epochs(run: Run) -> str:
    planned, done = table_of(run.recipe, "training").get("epochs"), len(run.history)
    return f"{done}" if planned in (None, done) else f"{done} of {planned}"


def _training_facts(run: Run) -> Iterator[tuple[str, str]]:
    history = run.history
    if not history:
        return
    speeds = sorted(epoch.images_per_second for epoch in history)
    yield "training time", duration(sum(epoch.seconds for epoch in history))
    yield "images / second", f"{speeds[len(speeds) // 2]:,.0f}"
    peak = max(epoch.peak_memory_bytes for epoch in history)
    if peak > 0:
        yield "peak memory", f"{peak / 1e9:.1f} GB"


def _commands(run: Run, environment: dict[str, Any], is_brief: bool) -> Iterator[tuple[str, str]]:
    command = environment.get("command")
    if isinstance(command, list):
        command = shlex.join(map(str, command))
    if command:
        yield "As it was run", str(command)
    data = shlex.quote(str(table_of(environment, "data").get("path", "DATA")))
    recipe = shlex.quote(str(run.recipe_path))
    yield "From the recipe in its folder", f"lilliput train {recipe} --data {data}"
    folder = shlex.quote(str(run.path))
    yield "Its numbers once more", f"lilliput evaluate {folder}"
    if is_brief:
        yield "Its classes, confusions and hard images", f"lilliput report {folder}"
