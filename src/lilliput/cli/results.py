"""Commands that read what a training left behind: ``evaluate`` and ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Json, Words, answer, bold, note, percent, table
from lilliput.cli.data import open_pack
from lilliput.errors import RunError
from lilliput.predicting import pack_of

if TYPE_CHECKING:
    from lilliput.data.pack import Pack
    from lilliput.results.ensemble import Ensemble
    from lilliput.results.metrics import ClassAccuracy, Evaluation
    from lilliput.results.run import Run

SHOWN_CLASSES = 5


def evaluate(
    run: Path,
    /,
    *,
    split: str = "val",
    data: str | None = None,
    views: Words | None = None,
    json: Json = False,
) -> None:
    """How good a trained network or an ensemble is: top-1, top-5, the best and the worst classes.

    Reads the stored predictions, or has the network make them where there are none. They are stored when they are of
    the data the run was trained on.

    Parameters
    ----------
    run
        A folder that `lilliput train` or `lilliput ensemble` has left.
    split
        Which images: val, train, or any other labelled split.
    data
        Pack or source to predict anew; without it, the stored predictions, or the pack
        the run was trained on.
    views
        Views of every image whose probabilities are averaged, such as `--views plain flip`.
    """
    from lilliput import api
    from lilliput.predicting import is_of
    from lilliput.results.open import open_classifier

    opened = open_classifier(run)
    pack = open_pack(data) if data else None
    verdict = api.evaluate(opened, split=split, data=pack, views=views)
    if pack and views is None and is_of(opened, pack):
        save_figures_of(opened, pack)
    answer(
        describe(verdict, title=f"{opened.name} on {split}" + (f" of {data}" if data else "")),
        {"run": str(run), "split": split, "data": data, "views": views, **facts(verdict)},
        as_json=json,
    )


def facts(verdict: Evaluation) -> dict[str, object]:
    """An evaluation as plain values: fractions, and nan where a class has no images."""
    return {
        "top1": verdict.top1,
        "top5": verdict.top5,
        "n": verdict.n,
        "interval": verdict.interval,
        "loss": verdict.loss,
        "per_class": [
            {
                "id": one.id,
                "name": one.name,
                "n": one.n,
                "correct": one.correct,
                "accuracy": one.accuracy,
                "interval": one.interval,
            }
            for one in verdict.per_class
        ],
    }


def describe(verdict: Evaluation, title: str) -> str:
    """An evaluation as a page of text."""
    low, high = verdict.interval
    lines = [
        bold(f"{title}: top-1 {percent(verdict.top1)}, top-5 {percent(verdict.top5)}"),
        f"{verdict.n:,} images; top-1 lies in {percent(low)} .. {percent(high)} (95 %); loss {verdict.loss:.3f}",
    ]
    ranked = sorted(
        (one for one in verdict.per_class if one.n), key=lambda one: one.accuracy, reverse=True
    )
    if len(ranked) <= 2 * SHOWN_CLASSES:
        return "\n".join([*lines, "", "Classes", _class_table(ranked)])
    best, worst = ranked[:SHOWN_CLASSES], ranked[: -SHOWN_CLASSES - 1 : -1]
    return "\n".join(
        [*lines, "", "Best classes", _class_table(best), "", "Worst classes", _class_table(worst)]
    )


def _class_table(classes: list[ClassAccuracy]) -> str:
    rows = [[percent(one.accuracy), f"{one.correct}/{one.n}", one.id, one.name] for one in classes]
    return table(rows, right=(0, 1), indent="  ")


def report(path: Path, /, *, json: Json = False) -> None:
    """One offline HTML page about a run, an ensemble, a study, an ablation, an audit, or a folder of them.

    The figures of runs and ensembles are left beside them as PNG files too.

    Parameters
    ----------
    path
        The folder of a result, or a folder with results one or two levels below it.
    """
    from lilliput.analysis.report import write_report

    note(f"drawing the report of {path} ...")
    figures = save_all_figures(path)  # first: the page carries the pictures among them
    page = write_report(path)
    text = "\n".join([str(page), *map(str, figures)])
    answer(text, {"report": str(page), "figures": [str(file) for file in figures]}, as_json=json)


def save_all_figures(path: Path) -> list[Path]:
    """Draw the figures of every run and ensemble at or below ``path`` into them; see :func:`save_figures_of`."""
    from lilliput.analysis.report import find_results
    from lilliput.results.ensemble import Ensemble
    from lilliput.results.open import open_result
    from lilliput.results.run import Run

    figures: list[Path] = []
    for folder in find_results(path):
        if (folder / "audit.json").is_file():
            continue  # its pictures are in a page of its own
        try:
            result = open_result(folder)
            if isinstance(result, (Run, Ensemble)):
                figures += save_figures_of(result, pack_of(result))
        except RunError as error:
            note(f"no figures of {folder}: {error}")
    return figures


def save_figures_of(result: Run | Ensemble, pack: Pack | None) -> list[Path]:
    """Draw the figures of a run or an ensemble into it; those that show pictures need the ``pack`` it predicted.

    What is damaged, or does not fit together, is named on the way, and its figures are left out.
    """
    from lilliput.analysis.figures import save_figures, save_pictures

    figures: list[Path] = []
    try:
        figures += save_figures(result)
        figures += save_pictures(result, pack) if pack else []
    except RunError as error:
        note(f"no figures of {result.path}: {error}")
    return figures
