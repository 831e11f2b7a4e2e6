"""The command line's verbs for Python: ``run = lilliput.train("m1", "tiny-imagenet-200.zip")``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.errors import RunError
from lilliput.results import metrics
from lilliput.results.run import Run

if TYPE_CHECKING:
    from lilliput.data.pack import Pack
    from lilliput.recipe import Recipe
    from lilliput.results.metrics import Evaluation
    from lilliput.results.predictions import Predictions

RUNS = Path("runs")


def train(
    recipe: str | Path | Recipe,
    data: str | Path | Pack,
    *,
    run: str | Path | None = None,
    overrides: Sequence[str] = (),
    device: str = "auto",
    resume: bool = False,
) -> Run:
    """Train ``recipe`` (a shipped name, a TOML file, a Recipe) on ``data`` (a Pack, its folder, or a source).

    Without ``run`` the folder is ``runs/RECIPE-NUMBER``. ``overrides`` are ``"training.epochs=3"`` and the like.
    Raises: LilliputError.
    """
    from lilliput.data.pack import Pack
    from lilliput.data.prepare import open_data
    from lilliput.experiment import run_experiment
    from lilliput.recipe import load_recipe

    if isinstance(recipe, (str, Path)):
        recipe = load_recipe(recipe, overrides)
    elif overrides:
        recipe = recipe.changed(overrides)
    with run_folder(recipe.name, run, resume=resume) as folder:
        pack = data if isinstance(data, Pack) else open_data(data)
        return run_experiment(recipe, pack, folder, device=device, resume=resume)


def evaluate(
    run: str | Path | Run,
    *,
    split: str = "val",
    data: str | Path | Pack | None = None,
    views: Sequence[str] | None = None,
) -> Evaluation:
    """Judge a run on a labelled split; see :func:`predictions_of` for what ``data`` and ``views`` do.

    Raises: LilliputError.
    """
    run = run if isinstance(run, Run) else Run.open(Path(run))
    return metrics.evaluate(predictions_of(run, split=split, data=data, views=views), run.classes)


def predictions_of(
    run: Run,
    *,
    split: str = "val",
    data: str | Path | Pack | None = None,
    views: Sequence[str] | None = None,
) -> Predictions:
    """The run's stored predictions of ``split``; the network computes and stores them where there are none yet.

    ``data`` or ``views`` ask for computing them anew. Without ``data`` the pack the run was trained on is used.
    Raises: RunError when that pack is gone.
    """
    if data is None and views is None and split in run.splits_predicted:
        return run.predictions(split)
    from lilliput.data.pack import Pack
    from lilliput.data.prepare import open_data

    pack = data if isinstance(data, Pack) else open_data(data or _trained_on(run))
    from lilliput.experiment import evaluate_run

    return evaluate_run(run, pack, split, views)


@contextmanager
def run_folder(recipe_name: str, named: str | Path | None, *, resume: bool) -> Iterator[Path]:
    """The folder a training belongs in: the one named; to resume, the newest of this recipe; else ``RECIPE-NUMBER``.

    A number taken by a training that never began is given back.
    Raises: RunError when there is nothing to resume.
    """
    if named is not None:
        yield Path(named)
    elif resume:
        yield _newest(recipe_name)
    else:
        folder = Run.next_folder(RUNS, recipe_name)
        try:
            yield folder
        except BaseException:
            with suppress(OSError):  # which is what it raises for a folder with something in it
                folder.rmdir()
                RUNS.rmdir()
            raise


def _newest(recipe_name: str) -> Path:
    stem = Run.folder_stem(recipe_name)
    # A folder without a recipe was claimed by a training that never began.
    begun = [path.parent for path in RUNS.glob("*/recipe.toml") if _number(path.parent, stem)]
    if not begun:
        raise RunError(
            f"there is no run of '{recipe_name}' below {RUNS} to resume",
            "start one without --resume, or name its folder: --run DIR",
        )
    return max(begun, key=lambda path: _number(path, stem))


def _number(folder: Path, stem: str) -> int:
    rest = folder.name.removeprefix(f"{stem}-")
    return int(rest) if rest.isdecimal() else 0


def _trained_on(run: Run) -> Path:
    recorded = run.environment.get("data", {}).get("path", "")
    path = Path(recorded)
    if not recorded or not (path / "manifest.json").is_file():
        raise RunError(
            f"the data {run.name} was trained on is no longer at {path}"
            if recorded
            else f"{run.name} does not say where the data lies that it was trained on",
            "name it: --data PACK_OR_SOURCE",
        )
    return path
