"""One offline HTML page about a run, or about all runs below a folder.

A pure reader: everything on the page comes from the run folders, also the average of several runs, which is computed
from their stored predictions. The page loads nothing from anywhere and runs no script; names in it are text, whatever
they hold.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from lilliput.analysis.figures import FIGURES
from lilliput.analysis.figures.classes import main_evaluation, ranked
from lilliput.analysis.figures.curves import paper_accuracy
from lilliput.analysis.style import figure_style, percent, to_inline_svg
from lilliput.errors import RunError
from lilliput.notation import ZOO
from lilliput.results.atomic import write_bytes
from lilliput.results.metrics import ClassAccuracy, Evaluation, average, evaluate
from lilliput.results.run import Run

SPLIT_WORDS = {
    "val": "validation images",
    "heldout": "images held out of the training set",
    "train": "training images",
    "test": "test images",
}
_TITLES = {
    "loss": "Loss of training and validation over the epochs",
    "accuracy": "Accuracy of training and validation over the epochs",
    "filters": "First-layer filters",
    "classes": "Accuracy per class",
}
_OPEN_AT_MOST = 3  # runs told in full at once; with more, each is folded under its name


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One run as the page tells it; ``evaluation`` is None while nothing labelled has been predicted."""

    key: str
    name: str
    folder: str
    recipe_name: str
    notation: str
    epochs: str
    is_finished: bool
    training: tuple[tuple[str, str], ...]
    split: str
    evaluation: Evaluation | None
    classes: tuple[ClassAccuracy, ...]
    paper: float | None
    charts: dict[str, Markup]
    commands: tuple[tuple[str, str], ...]
    recipe_toml: str
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Average:
    """The mean of several runs' probabilities; ``gain`` is in top-1 against the best of them."""

    split: str
    members: int
    evaluation: Evaluation
    gain: float


def write_report(path: Path) -> Path:
    """Write ``report.html`` into ``path``: a run folder, or a folder with runs one or two levels below it.

    Of several runs, a damaged one is named on the page and left out; a single one must be whole.
    Raises: RunError when there is no run, or none that can be read; StorageError.
    """
    path = Path(path)
    folders = find_runs(path)
    if folders == [path]:
        runs, problems = [Run.open(path)], []
    else:
        runs, problems = _open_all(folders)
    chapters, told = [], []
    for run in runs:
        try:
            chapters.append(_tell(run, key=f"run-{len(chapters) + 1}"))
            told.append(run)
        except RunError as error:
            if folders == [path]:
                raise
            problems.append((run.name, str(error)))
    if not chapters:
        raise RunError(f"no run below {path} can be read: {problems[0][1]}", "train again")
    mean, why_not = _average(told, chapters)
    page = _template().render(
        split_words=SPLIT_WORDS,
        title=chapters[0].name if len(folders) == 1 else path.resolve().name,
        chapters=chapters,
        mean=mean,
        why_not=why_not,
        problems=problems,
        fold=len(chapters) > _OPEN_AT_MOST,
    )
    target = path / "report.html"
    # A file name may hold bytes that are no text; they become question marks.
    write_bytes(target, page.encode("utf-8", "replace"))
    return target


def find_runs(path: Path) -> list[Path]:
    """``path`` itself if it is a run, else the run folders one or two levels below it, in natural order.

    Raises: RunError when there is none.
    """
    if not path.is_dir():
        raise RunError(f"there is no folder {path}", "name a run folder, or a folder of runs")
    if (path / "recipe.toml").is_file():
        return [path]
    found = {file.parent for depth in ("*", "*/*") for file in path.glob(f"{depth}/recipe.toml")}
    if not found:
        raise RunError(f"there is no run in {path}", "train one: lilliput train m1 --data DATA")
    return sorted(found, key=_natural)


def _open_all(folders: Sequence[Path]) -> tuple[list[Run], list[tuple[str, str]]]:
    runs, problems = [], []
    for folder in folders:
        try:
            runs.append(Run.open(folder))
        except RunError as error:
            problems.append((folder.name, str(error)))
    return runs, problems


def _tell(run: Run, key: str) -> Chapter:
    recipe, environment = run.recipe, run.environment
    split, evaluation = main_evaluation(run) or ("", None)
    planned = _section(recipe, "training").get("epochs")
    done = len(run.history)
    return Chapter(
        key=key,
        name=run.name,
        folder=str(run.path),
        recipe_name=str(recipe.get("name", "")),
        notation=_notation(run),
        epochs=f"{done}" if planned in (None, done) else f"{done} of {planned}",
        is_finished=run.is_finished,
        training=tuple(_training_facts(run)),
        split=split,
        evaluation=evaluation,
        classes=ranked(evaluation) if evaluation else (),
        paper=paper_accuracy(run),
        charts=_draw(run, key),
        commands=tuple(_commands(run, environment)),
        recipe_toml=run.recipe_toml.strip(),
        environment=tuple(_environment_rows(environment)),
    )


def _average(runs: Sequence[Run], chapters: Sequence[Chapter]) -> tuple[Average | None, str]:
    """The runs' average, or None and why there is none (nothing to say when only one run was evaluated)."""
    evaluated = [
        (run, chapter) for run, chapter in zip(runs, chapters, strict=True) if chapter.evaluation
    ]
    if len(evaluated) < 2:
        return None, ""
    if len({chapter.split for _, chapter in evaluated}) > 1:
        return None, "the runs were evaluated on different splits"
    if len({run.classes for run, _ in evaluated}) > 1:
        return None, "the runs know different classes"
    split = evaluated[0][1].split
    try:
        mean = average([run.predictions(split) for run, _ in evaluated])
    except RunError as error:
        return None, str(error)
    evaluation = evaluate(mean, evaluated[0][0].classes)
    best = max(chapter.evaluation.top1 for _, chapter in evaluated if chapter.evaluation)
    return Average(
        split=split,
        members=len(evaluated),
        evaluation=evaluation,
        gain=evaluation.top1 - best,
    ), ""


def _draw(run: Run, key: str) -> dict[str, Markup]:
    charts = {}
    for name, make in FIGURES.items():
        with figure_style():
            figure = make(run)
            if figure:
                title = f"{_TITLES.get(name, name)}, {run.name}"
                charts[name] = Markup(to_inline_svg(figure, title, f"{key}-{name}"))
    return charts


def _notation(run: Run) -> str:
    if run.weights_path.is_file() and (plan := run.weights_metadata().get("plan")):
        return plan
    plan = str(_section(run.recipe, "model").get("plan", ""))
    return ZOO[plan].notation if plan in ZOO else plan


def _training_facts(run: Run) -> Iterator[tuple[str, str]]:
    history = run.history
    if not history:
        return
    speeds = sorted(epoch.images_per_second for epoch in history)
    yield "training time", _duration(sum(epoch.seconds for epoch in history))
    yield "images / second", f"{speeds[len(speeds) // 2]:,.0f}"
    peak = max(epoch.peak_memory_bytes for epoch in history)
    if peak > 0:
        yield "peak memory", f"{peak / 1e9:.1f} GB"


def _commands(run: Run, environment: dict[str, Any]) -> Iterator[tuple[str, str]]:
    command = environment.get("command")
    if isinstance(command, list):
        command = shlex.join(map(str, command))
    if command:
        yield "As it was run", str(command)
    data = shlex.quote(str(_section(environment, "data").get("path", "DATA")))
    recipe = shlex.quote(str(run.recipe_path))
    yield "From the recipe in its folder", f"lilliput train {recipe} --data {data}"
    yield "Its numbers once more", f"lilliput evaluate {shlex.quote(str(run.path))}"


def _environment_rows(environment: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in environment.items():
        if key not in ("classes", "command"):
            yield key, _plain(key, value)


def _plain(key: str, value: Any) -> str:
    if isinstance(value, dict):
        parts = (f"{name.replace('_', ' ')} {_plain(name, part)}" for name, part in value.items())
        return "\n".join(parts)
    if isinstance(value, list):
        return ", ".join(_plain(key, part) for part in value)
    if value is None or isinstance(value, bool):
        return {None: "not known", True: "yes", False: "no"}[value]
    if isinstance(value, int) and "memory" in key:
        return f"{value / 1e9:.1f} GB"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    if not 0 <= seconds < 1e9:
        return "not known"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def _section(parsed: dict[str, Any], name: str) -> dict[str, Any]:
    section = parsed.get(name)
    return section if isinstance(section, dict) else {}


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.findall(r"\d+|\D+", str(path))
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]


def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    return environment.get_template("report.html.jinja")
