"""Whatever Lilliput has written, opened by what the folder holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.errors import RunError
from lilliput.results.ensemble import ENSEMBLE_FILE, Ensemble
from lilliput.results.run import Run

if TYPE_CHECKING:
    from lilliput.results.ablation import Ablation
    from lilliput.results.study import Study


def open_result(path: str | Path) -> Run | Ensemble | Study | Ablation:
    """The run, ensemble, study or ablation in a folder. Raises: RunError when it is none of them, or damaged."""
    folder = Path(path)
    for file, opened in _OPENERS.items():
        if (folder / file).is_file():
            return opened(folder)
    hint = "runs, ensembles, studies and ablations are folders that lilliput train, ensemble, search and ablate write"
    if not folder.exists():
        raise RunError(f"there is nothing at {folder}", hint)
    if (folder / _PACK_FILE).is_file():
        raise RunError(f"{folder} is a pack, not a result", hint)
    raise RunError(
        f"{folder} holds no result: no {', no '.join(_OPENERS)}",
        hint,
    )


def open_classifier(path: str | Path) -> Run | Ensemble:
    """A folder whose content labels images: a run or an ensemble. Raises: RunError saying what it is instead."""
    result = open_result(path)
    if isinstance(result, (Run, Ensemble)):
        return result
    raise RunError(
        f"{path} is {_WORDS[type(result).__name__]}, not a run or an ensemble",
        f"name runs inside it or trained from it: below {path}",
    )


def is_ours(folder: str | Path) -> bool:
    """Whether a folder is a pack or a result of any kind, however damaged."""
    return any((Path(folder) / file).is_file() for file in (*_OPENERS, _PACK_FILE))


_PACK_FILE = "manifest.json"
_WORDS = {"Study": "a study", "Ablation": "an ablation"}


def _open_study(folder: Path) -> Study:
    from lilliput.results.study import Study

    return Study.open(folder)


def _open_ablation(folder: Path) -> Ablation:
    from lilliput.results.ablation import Ablation

    return Ablation.open(folder)


_OPENERS: dict[str, Callable[[Path], Run | Ensemble | Study | Ablation]] = {
    ENSEMBLE_FILE: Ensemble.open,
    "study.json": _open_study,
    "ablation.json": _open_ablation,
    "recipe.toml": Run.open,
}
