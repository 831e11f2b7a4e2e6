"""The command ``search``, and what it shows while it works."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Json, answer, bold, duration, is_terminal, note, percent, table
from lilliput.cli.data import open_pack
from lilliput.cli.signals import StopRequest, stop_requests
from lilliput.errors import Interrupted

if TYPE_CHECKING:
    from rich.progress import Progress

    from lilliput.data.pack import Pack
    from lilliput.recipe import Recipe
    from lilliput.results.study import Study, Trial
    from lilliput.search.settings import StudySettings
    from lilliput.search.space import Space
    from lilliput.search.study import Ended, Started


def search(
    recipe: str,
    /,
    *overrides: str,
    data: str,
    space: str,
    trials: int | None = None,
    folds: int = 0,
    holdout: float | None = None,
    storage: str | None = None,
    study: str | None = None,
    sampler: str = "tpe",
    pruner: str = "none",
    best: int = 5,
    to: Path | None = None,
    device: str = "auto",
    json: Json = False,
) -> None:
    """Search for better values of a recipe, judged on images held out of train.

    The study folder holds study.json, the best recipes as best-1.toml ..., and a run per trial and fold. The same
    command again goes on with the study; started several times, on one machine or many, all work on it together. Ctrl-C
    puts the trial at hand back into the queue.

    Parameters
    ----------
    recipe
        A shipped recipe (m1, m2, m3, m4 ...) or a TOML file.
    overrides
        Changes to the recipe that hold for every trial, such as training.epochs=3 data.limit=20000.
    data
        A pack, a zip, a folder, a Parquet file, `tiny-imagenet` or `toy`.
    space
        What is varied: a shipped space (m3, m3-grid, architecture, augmentation, training) or a TOML file.
    trials
        How many trials are to finish, those of all processes and of earlier calls together; a grid has its own number.
    folds
        Train every trial on K stratified folds in turn, and judge it on all of them.
    holdout
        Instead of folds, hold this share of train out; 0.1 if neither is given.
    storage
        A database that several machines share, such as postgresql://user@host/database; a file in the folder if none.
    study
        The study's name; the recipe's if none is given. It names a folder, so no slashes, unless --to is given.
    sampler
        tpe learns from the trials before, random does not, grid tries every combination.
    pruner
        none, or give trials up early that look worse than others did: asha, hyperband, median.
    best
        How many of the best recipes are written.
    to
        The study's folder; studies/NAME if none is named.
    device
        auto, cpu, cuda, cuda:1, mps.
    """
    from lilliput.recipe import load_recipe
    from lilliput.search.settings import Wishes, choose_settings
    from lilliput.search.space import load_space

    loaded, varied = load_recipe(recipe, overrides), load_space(space)
    wishes: Wishes = {
        "trials": trials,
        "folds": folds,
        "holdout": holdout,
        "storage": storage,
        "study": study,
        "sampler": sampler,
        "pruner": pruner,
        "best": best,
        "to": to,
    }
    settings = choose_settings(varied, loaded.name, wishes)
    pack = open_pack(data)
    # Every corner of the space, before PyTorch is loaded.
    varied.check(loaded, pack.image_size, loaded.data.classes or len(pack.classes))
    if stop := _watch(settings, loaded, varied, pack, device):
        error = Interrupted("the trial at hand is back in the queue", "to go on: the same command")
        error.exit_code = stop.exit_code
        raise error
    _answer(settings.folder, as_json=json)


def _watch(
    settings: StudySettings, recipe: Recipe, space: Space, pack: Pack, device: str
) -> StopRequest:
    from lilliput.search.folds import search_steps  # last: PyTorch takes seconds to load

    note(f"searching {space.name} for {recipe.name} in {settings.folder}: {settings.trials} trials")
    events = search_steps(settings, recipe, space, pack, device)
    return watch_study(events, settings.trials, max(settings.folds, 1))


def watch_study(events: Generator[object], trials: int, folds: int) -> StopRequest:
    """Run a study to its end, or to the first stop signal; says which of the two it was."""
    with stop_requests() as stop, closing(events), Screen(trials, folds) as screen:
        for event in events:
            screen.show(event)
            if stop:
                break
    return stop


class Screen:
    """A line for every trial that ends; on a terminal, a bar over all trials that says where the one at hand is."""

    def __init__(self, trials: int, folds: int) -> None:
        self.trials = trials
        self.folds = folds
        self._bar: Progress | None = None
        self._trial: Started | None = None
        self._is_waiting = False

    def __enter__(self) -> Screen:
        if is_terminal():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task("", total=self.trials)
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, event: object) -> None:
        """Show one event of :func:`run_study`."""
        from lilliput.search.study import Ended, Started, Waiting
        from lilliput.search.trial import Report

        if isinstance(event, Started):
            self._trial, self._is_waiting = event, False
            if event.retry_of is not None:
                self._say(
                    f"trial {event.number} repeats trial {event.retry_of}, which was cut short"
                )
        elif isinstance(event, Report) and self._bar and self._trial:
            fold, epoch = divmod(event.step - 1, self._trial.epochs)
            where = f"fold {fold + 1}/{self.folds}, " if self.folds > 1 else ""
            text = f"trial {self._trial.number}, {where}epoch {epoch + 1}/{self._trial.epochs}"
            self._bar.update(self._bar.tasks[0].id, description=f"{text}: {percent(event.value)}")
        elif isinstance(event, Ended):
            self._ended(event)
        elif isinstance(event, Waiting) and not self._is_waiting:
            self._is_waiting = True
            self._say(f"waiting for {event.running} trials of other workers")

    def _ended(self, event: Ended) -> None:
        value = percent(event.value) if event.value is not None else event.state
        point = _point(self._trial.parameters) if self._trial else ""
        reason = f"  ({event.reason.splitlines()[0]})" if event.reason else ""
        done = f"{event.finished:>{len(str(self.trials))}}/{self.trials}"
        self._say(f"{done}  trial {event.number}  {value:>6}  {point}{reason}")
        if self._bar:
            self._bar.update(self._bar.tasks[0].id, completed=event.finished)

    def _say(self, line: str) -> None:
        if self._bar:
            self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            note(line)


def _answer(folder: Path, *, as_json: bool) -> None:
    from lilliput.analysis.figures.search import save_study_figures
    from lilliput.results.study import Study

    done = Study.open(folder)
    figures = save_study_figures(done)
    answer(
        _summary(done),
        {
            "study": str(folder),
            "trials": {state: _count(done, state) for state in ("complete", "pruned", "failed")},
            "best": [
                {
                    "trial": trial.number,
                    "value": trial.value,
                    "interval": trial.interval,
                    "parameters": dict(trial.parameters),
                    "recipe": str(recipe),
                }
                for trial, recipe in zip(done.best, done.best_recipes, strict=True)
            ],
            "importance": done.importance,
            "figures": [str(figure) for figure in figures],
        },
        as_json=as_json,
    )


def _summary(study: Study) -> str:
    counts = (
        f"{_count(study, 'complete')} trials complete, {_count(study, 'pruned')} given up early"
    )
    if not study.best:
        return bold(f"{study.name}: {counts}") + f"\nstudy   {study.path}"
    best = study.best[0]
    judged = f"{study.folds} folds" if study.folds else "held-out images"
    lines = [
        bold(f"{study.name}: best {percent(best.value or 0.0)} on {judged} of train; {counts}"),
        table([_row(place, trial) for place, trial in enumerate(study.best, 1)], right=(1, 2)),
        f"study   {study.path}  (figures/ in it)",
        f"next    lilliput train {shlex.quote(str(study.best_recipes[0]))} --data ...",
        "The best of many is flattered by having been chosen: judge it on val, once.",
    ]
    return "\n".join(lines)


def _row(place: int, trial: Trial) -> list[str]:
    low, high = trial.interval or (0.0, 1.0)
    seconds = duration(trial.seconds) if trial.seconds is not None else ""
    return [
        f"  best-{place}.toml",
        percent(trial.value or 0.0),
        f"{percent(low)} .. {percent(high)}",
        f"trial {trial.number}, {seconds}",
        _point(trial.parameters),
    ]


def _point(parameters: Mapping[str, object]) -> str:
    return "  ".join(f"{name.rpartition('.')[2]} {_short(v)}" for name, v in parameters.items())


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _count(study: Study, state: str) -> int:
    return sum(trial.state == state for trial in study.trials)
