"""How a study is run, and what its users' wishes come to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from lilliput.errors import UsageError, did_you_mean
from lilliput.search.design import folder_name
from lilliput.search.samplers import PRUNERS, SAMPLERS
from lilliput.search.space import Space

STUDIES = Path("studies")
_HOLDOUT = 0.1


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """How a study is run. ``storage`` is the address of a database; empty means a journal file in ``folder``.

    A worker that has given no sign for ``stale_seconds`` is taken for dead, and its trial begun again.
    """

    name: str
    folder: Path
    trials: int
    folds: int = 0
    holdout: float = 0.0
    sampler: str = "tpe"
    pruner: str = "none"
    storage: str = ""
    best: int = 5
    heartbeat_seconds: float = 10.0
    stale_seconds: float = 90.0
    poll_seconds: float = 1.0


class Wishes(TypedDict, total=False):
    """What a user may ask of a search; every wish may be left out, or be None.

    ``study`` is its name, the recipe's if none is given; ``to`` its folder, ``studies/NAME`` if none is named. With
    ``folds`` every trial is trained on K folds in turn; else the share ``holdout`` of train, a tenth, judges it.
    ``trials`` must be given but for the sampler grid, which has a number of its own.
    """

    trials: int | None
    folds: int
    holdout: float | None
    storage: str | None
    study: str | None
    sampler: str
    pruner: str
    best: int
    to: Path | str | None


def choose_settings(space: Space, recipe_name: str, wishes: Wishes) -> StudySettings:
    """What was asked for, and for the rest what suits it.

    Raises: UsageError for what no study can be.
    """
    folds, holdout = wishes.get("folds", 0), wishes.get("holdout")
    if folds and holdout is not None:
        raise UsageError("--folds and --holdout are two ways to judge", "give one of them")
    if folds == 1 or folds < 0:
        raise UsageError(f"--folds {folds}: 2 folds at least", "or --holdout 0.1")
    if holdout is not None and not 0 < holdout < 1:
        raise UsageError(f"--holdout {holdout}: a share between 0 and 1", "--holdout 0.1")
    trials, sampler, best = (
        wishes.get("trials"),
        wishes.get("sampler", "tpe"),
        wishes.get("best", 5),
    )
    if sampler == "grid" and trials is None:
        trials = len(space.grid())
    if trials is None or trials < 1 or best < 1:
        raise UsageError("a search needs --trials and --best of 1 at least", "--trials 20")
    study, to = wishes.get("study"), wishes.get("to")
    settings = StudySettings(
        name=recipe_name if study is None else study,
        folder=Path(to) if to else _default_folder(recipe_name, study),
        trials=trials,
        folds=folds,
        holdout=0.0 if folds else (holdout or _HOLDOUT),
        sampler=sampler,
        pruner=wishes.get("pruner", "none"),
        storage=wishes.get("storage") or "",
        best=best,
    )
    check_settings(settings, space)
    return settings


def check_settings(settings: StudySettings, space: Space) -> None:
    """Raises: UsageError for what no study can be."""
    if settings.trials < 1:
        raise UsageError("a search needs --trials, 1 at least")
    for option, value, known in (
        ("--sampler", settings.sampler, SAMPLERS),
        ("--pruner", settings.pruner, PRUNERS),
    ):
        if value not in known:
            raise UsageError(f"there is no {option} {value}", did_you_mean(value, known))
    if settings.sampler == "grid" and settings.trials > (points := len(space.grid())):
        raise UsageError(
            f"the grid of {space.name} has {points} points, not {settings.trials}",
            f"--trials {points} searches all of it",
        )


def _default_folder(recipe_name: str, asked: str | None) -> Path:
    """Where a study of this name belongs. Raises: UsageError when the user's is no folder's name."""
    plain = folder_name(recipe_name if asked is None else asked)
    if asked is not None and asked != plain:
        raise UsageError(
            f"--study {asked!r} is no name for a folder",
            f"--study {plain}, or name its folder as well: --to DIR",
        )
    return STUDIES / plain
