"""An ensemble as a chapter: what it gains, every subset, every method, how its members differ."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lilliput.analysis.figures import FIGURES
from lilliput.analysis.figures.subsets import subset_numbers
from lilliput.analysis.report.blocks import (
    Block,
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
from lilliput.analysis.report.run import class_table, pair_table
from lilliput.analysis.report.words import between, images, judged, paper_words, points, table_of
from lilliput.analysis.style import percent
from lilliput.errors import RunError
from lilliput.results.ensemble import Ensemble
from lilliput.results.folder import main_evaluation
from lilliput.results.metrics import Evaluation, evaluate

_METHODS = {
    "mean": "mean of probabilities",
    "logits": "mean of logits",
    "majority": "majority vote",
    "weighted": "weighted mean",
    "greedy": "greedy choice, mean",
}


# What the last column of the sizes' table says.
_BY_CHOICE = (
    "Which subset of a size is the most accurate is known only after the fact. By choice is what one could have had: "
    "the accuracy of the subset that did best on other images."
)


def tell_ensemble(ensemble: Ensemble, place: Place) -> Chapter:
    """The chapter of an ensemble. Raises: RunError when it is damaged."""
    try:
        return _told(ensemble, place)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{ensemble.path} is damaged: its results cannot be read ({error!r})",
            "make the ensemble again",
        ) from error


def _told(ensemble: Ensemble, place: Place) -> Chapter:
    found = main_evaluation(ensemble)
    sections = _sections(ensemble, found, place)
    return Chapter(
        key=place.key,
        word="ensemble",
        name=ensemble.name,
        extent=f"{len(ensemble.weights)} networks",
        split=found[0] if found else "",
        evaluation=found[1] if found else None,
        verdict=_verdict(ensemble, found),
        sections=tuple(section for section in sections if section.blocks),
    )


def _verdict(ensemble: Ensemble, found: tuple[str, Evaluation] | None) -> Verdict:
    count, method = len(ensemble.weights), _METHODS.get(ensemble.method, ensemble.method)
    if found is None:
        return Verdict(share=None, lead="Not evaluated yet: no labelled split is predicted.")
    split, evaluation = found
    lead = f"of {images(split, evaluation.n)} labelled right by {count} networks together (split {split})"
    subsets = subset_numbers(ensemble)
    paper = subsets.paper_accuracy if subsets else None
    notes = [paper_words(paper, "six variations of this network")] if paper is not None else []
    if ensemble.chosen_on:
        notes.append(
            f"Members or weights were chosen on {ensemble.chosen_on}; no image is judged by what was chosen on it."
        )
    own = _own_row(ensemble)
    gain = [("against its best run", points(own["gain"]))] if own and "gain" in own else []
    facts = [*judged(evaluation), *gain, ("method", method), ("networks", str(count))]
    interval = evaluation.interval
    return Verdict(
        share=evaluation.top1, lead=lead, interval=interval, paper=paper, facts=facts, notes=notes
    )


def _sections(
    ensemble: Ensemble, found: tuple[str, Evaluation] | None, place: Place
) -> Iterator[Section]:
    drawn = draw_sections(ensemble, FIGURES, place)
    every = [*drawn.pop("Every ensemble of the runs"), *_sizes(ensemble)]
    yield Section(title="Every ensemble of the runs", blocks=every)
    yield Section(title="Ways to combine them", blocks=list(_methods(ensemble)))
    yield Section(title="Members", blocks=[_members(ensemble, found[0] if found else "")])
    yield Section(title="Diversity", blocks=drawn.pop("Diversity"))
    yield Section(title="How to reproduce it", blocks=[_commands(ensemble)])
    if found and not place.is_brief:
        drawn["Classes"].insert(1, class_table(*found))
        drawn["Confusions"][1:1] = pair_table(ensemble)
    for title, blocks in drawn.items():
        yield Section(title=title, blocks=blocks)
    recipes: list[Block] = []
    for run in ensemble.members:
        recipes += [Note(text=run.name), Text(text=run.recipe_toml.strip())]
    yield Section(title="Recipes of the members", blocks=recipes, is_folded=True)


def _sizes(ensemble: Ensemble) -> Iterator[Block]:
    columns = [
        number("networks"),
        number("subsets"),
        number("mean"),
        number("least"),
        number("most"),
        number("by choice"),
    ]
    rows = []
    for one in _listed(ensemble, "sizes"):
        shares = [
            Cell(percent(one[name]), one[name]) for name in ("mean", "least", "most", "by_choice")
        ]
        rows.append([Cell(f"{one['size']}"), Cell(f"{one['subsets']:,}", one["subsets"]), *shares])
    if rows:
        yield Table(title="By size", columns=columns, rows=rows, is_wide=False)
        yield Note(text=_BY_CHOICE)


def _methods(ensemble: Ensemble) -> Iterator[Block]:
    columns = [
        Column("method"),
        number("networks"),
        number("top-1"),
        number("95 % interval"),
        number("top-5"),
        number("log loss"),
        number("against the best run"),
        number("its 95 % interval"),
        number("p"),
    ]
    rows = [_method_row(one) for one in _listed(ensemble, "methods")]
    if rows:
        yield Table(title="", columns=columns, rows=rows)


def _method_row(one: Mapping[str, Any]) -> list[Cell]:
    chosen = ", chosen runs" if one["members"] == "chosen" else ""
    low, high = one["gain_interval"]
    return [
        Cell(_METHODS.get(one["method"], str(one["method"])) + chosen),
        Cell(str(len(one["weights"]))),
        Cell(percent(one["accuracy"]), one["accuracy"]),
        Cell(between(one["interval"]), one["interval"][0]),
        Cell(percent(one["top5"]), one["top5"]),
        Cell(f"{one['loss']:.3f}", one["loss"]),
        Cell(points(one["gain"]), one["gain"]),
        Cell(f"{100 * low:+.1f} .. {100 * high:+.1f}", low),
        Cell("< 0.001" if one["p"] < 0.001 else f"{one['p']:.3f}", one["p"]),
    ]


def _members(ensemble: Ensemble, split: str) -> Block:
    columns = [
        Column("network"),
        number("weight"),
        number("top-1"),
        number("95 % interval"),
        Column("recipe"),
        Column("architecture"),
    ]
    rows = []
    for run, weight in zip(ensemble.members, ensemble.weights, strict=True):
        alone = (
            evaluate(run.predictions(split), run.classes) if split in run.splits_predicted else None
        )
        recipe = run.recipe
        rows.append(
            [
                Cell(run.name),
                Cell(f"{weight:.3f}", weight),
                Cell(percent(alone.top1), alone.top1) if alone else Cell("\N{EN DASH}", -1.0),
                Cell(between(alone.interval), alone.interval[0])
                if alone
                else Cell("\N{EN DASH}", -1.0),
                Cell(str(recipe.get("name", ""))),
                Cell(str(table_of(recipe, "model").get("plan", ""))),
            ]
        )
    return Table(title="", columns=columns, rows=rows)


def _commands(ensemble: Ensemble) -> Block:
    runs = [str(one.get("run", "RUN")) for one in _listed(ensemble, "runs")] or ["RUN..."]
    own = _own_row(ensemble)
    members = str(own["members"]) if own else "all"
    words = ["lilliput", "ensemble", *runs, "--method", ensemble.method, "--members", members]
    again = ["lilliput", "evaluate", str(ensemble.path)]
    return Commands(
        lines=[
            ("From its runs", shlex.join(words)),
            ("Its numbers once more", shlex.join(again)),
        ]
    )


def _own_row(ensemble: Ensemble) -> Mapping[str, Any] | None:
    """The row of the methods' table that this ensemble is made by."""
    names = {run.name for run in ensemble.members}
    same = [one for one in _listed(ensemble, "methods") if one["method"] == ensemble.method]
    return next((one for one in same if set(one["weights"]) == names), None)


def _listed(ensemble: Ensemble, name: str) -> Sequence[Mapping[str, Any]]:
    found = ensemble.results.get(name)
    return found if isinstance(found, list) else []
