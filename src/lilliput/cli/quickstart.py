"""The command ``quickstart``: from nothing to two trained networks and a report, as a first look at everything."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Json, answer, bold, duration, note, percent, program, table
from lilliput.cli.data import open_pack
from lilliput.cli.results import save_all_figures
from lilliput.cli.watch import watch
from lilliput.errors import Interrupted

if TYPE_CHECKING:
    from lilliput.data.pack import Pack
    from lilliput.results.metrics import Evaluation
    from lilliput.results.run import Run

RECIPES = ("toy-a", "toy-b")


def quickstart(
    *, data: str | None = None, to: Path = Path("quickstart"), json: Json = False
) -> None:
    """Draw a toy set, train two small networks, judge them and their average, write a report. A minute.

    Parameters
    ----------
    data
        Use this instead of the toy set, with one epoch of each network: tiny-imagenet-200.zip, or any source or pack.
    to
        Where everything goes; the next free of quickstart, quickstart-2 ... if it is taken.
    """
    from lilliput.analysis.report import write_report
    from lilliput.results.combine import combine
    from lilliput.results.metrics import evaluate

    started = time.monotonic()
    folder = _free(to)
    note(_heading(1, "the data"))
    pack = open_pack(data or "toy")
    note(_describe_pack(pack))
    overrides = [] if data is None else ["training.epochs=1"]
    runs = []
    for number, recipe in enumerate(RECIPES, start=2):
        note(_heading(number, f"a network: recipe {recipe}"))
        runs.append(_train(recipe, overrides, pack, folder))
    note(_heading(4, "the verdict, the figures and the report"))
    predictions = [run.predictions("val") for run in runs]
    verdicts = {
        run.name: evaluate(p, run.classes) for run, p in zip(runs, predictions, strict=True)
    }
    verdicts["their average"] = evaluate(combine(predictions), runs[0].classes)
    save_all_figures(folder)
    page = write_report(folder)
    seconds = time.monotonic() - started
    facts = {
        "folder": str(folder),
        "pack": str(pack.path),
        "runs": [str(run.path) for run in runs],
        "report": str(page),
        "seconds": seconds,
        "evaluations": {
            name: {"top1": v.top1, "top5": v.top5, "n": v.n, "interval": v.interval}
            for name, v in verdicts.items()
        },
    }
    answer(_story(verdicts, runs, pack, page, seconds), facts, as_json=json)


def _heading(number: int, what: str) -> str:
    return f"\n{number}/4  {what}"


def _free(to: Path) -> Path:
    folder, number = to, 1
    while folder.exists() and any(folder.iterdir()):
        number += 1
        folder = to.with_name(f"{to.name}-{number}")
    return folder


def _describe_pack(pack: Pack) -> str:
    counts = ", ".join(f"{name} {count:,}" for name, count in pack.counts.items())
    height, width = pack.image_size
    return f"{len(pack.classes)} classes, {height}x{width} pixels; images: {counts}"


def _train(recipe: str, overrides: list[str], pack: Pack, folder: Path) -> Run:
    from lilliput.experiment import run_steps
    from lilliput.recipe import load_recipe
    from lilliput.results.run import Run

    loaded = load_recipe(recipe, overrides)
    place = folder / "runs" / recipe
    stop = watch(run_steps(loaded, pack, place), epochs=loaded.training.epochs, title=loaded.name)
    if stop:
        error = Interrupted(
            f"what there is so far lies in {folder}", "start again: lilliput quickstart"
        )
        error.exit_code = stop.exit_code
        raise error
    return Run.open(place)


def _story(
    verdicts: dict[str, Evaluation], runs: list[Run], pack: Pack, page: Path, seconds: float
) -> str:
    rows = [
        [
            name,
            percent(v.top1),
            f"{percent(v.interval[0])} .. {percent(v.interval[1])}",
            percent(v.top5),
        ]
        for name, v in verdicts.items()
    ]
    header = [["", "TOP-1", "95 % INTERVAL", "TOP-5"]]
    first = shlex.quote(str(runs[0].path))
    data = shlex.quote(str(pack.path))
    n = next(iter(verdicts.values())).n
    places = [
        ["the report", f"{page}  (open it in a browser)"],
        ["the pack", str(pack.path)],
        *([f"run {run.name}", f"{run.path}  (figures/ in it)"] for run in runs),
    ]
    return "\n".join(
        [
            "",
            bold(
                f"Done in {duration(seconds)}. Share of the {n:,} validation images labelled right:"
            ),
            "",
            table(header + rows, right=(1, 2, 3), indent="  "),
            "",
            "Everything is here:",
            table(places, indent="  "),
            "",
            "Three things to try next:",
            f"  {program()} evaluate {first}",
            f"  {program()} models m4",
            f"  {program()} train m1 --data {data} training.epochs=5",
        ]
    )
