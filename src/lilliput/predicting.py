"""What a run or an ensemble says about the images of a split: as it is stored, or asked of the networks anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.errors import PackError, RunError
from lilliput.results.combine import combine
from lilliput.results.ensemble import Ensemble
from lilliput.results.open import open_classifier
from lilliput.results.run import Run

if TYPE_CHECKING:
    from lilliput.data.pack import Pack
    from lilliput.results.predictions import Predictions


def predictions_of(
    result: Run | Ensemble,
    *,
    split: str = "val",
    data: str | Path | Pack | None = None,
    views: Sequence[str] | None = None,
) -> Predictions:
    """The stored predictions of ``split``; the networks compute and store them where there are none yet.

    ``data`` or ``views`` ask for computing them anew. Without ``data`` the pack the run was trained on is used.
    Raises: RunError when that pack is gone.
    """
    if data is None and views is None and split in result.splits_predicted:
        return result.predictions(split)
    from lilliput.data.prepare import open_data

    if isinstance(result, Ensemble):
        return _combined(result, split, None if data is None else open_data(data), views)
    pack = open_data(trained_on(result) if data is None else data)
    from lilliput.evaluation import evaluate_run

    return evaluate_run(result, pack, split, views)


def is_of(result: Run | Ensemble, pack: Pack) -> bool:
    """Whether it is the data that every network of ``result`` was trained on."""
    runs = result.members if isinstance(result, Ensemble) else (result,)
    return all(run.fingerprint == pack.fingerprint for run in runs)


def trained_on(run: Run) -> Path:
    """The pack a run was trained on. Raises: RunError when it is not known, or no longer there."""
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


def pack_of(result: Run | Ensemble) -> Pack | None:
    """The pack that a run, or an ensemble's first run, was trained on; None when it is gone, damaged, or replaced."""
    from lilliput.data.pack import Pack

    run = result if isinstance(result, Run) else result.members[0]
    data = run.environment.get("data")
    if not isinstance(data, dict) or not data.get("path"):
        return None
    try:
        pack = Pack.open(str(data["path"]))
    except PackError:
        return None
    return pack if pack.fingerprint == data.get("fingerprint") else None


def as_classifier(result: str | Path | Run | Ensemble) -> Run | Ensemble:
    """The run or ensemble itself, or the one in a folder. Raises: RunError."""
    return result if isinstance(result, (Run, Ensemble)) else open_classifier(result)


def as_run(run: str | Path | Run) -> Run:
    """The run itself, or the one in a folder. Raises: RunError when it is none, or an ensemble."""
    opened = as_classifier(run)
    if isinstance(opened, Ensemble):
        raise RunError(
            f"{opened.path} is an ensemble itself", f"name its members: {opened.path / 'members'}/*"
        )
    return opened


def _combined(
    ensemble: Ensemble,
    split: str,
    pack: Pack | None,
    views: Sequence[str] | None,
) -> Predictions:
    """What the members say, combined; stored when it is of the data they were trained on, unless that would replace
    predictions that no choice has flattered.
    """
    members = [
        predictions_of(member, split=split, data=pack, views=views) for member in ensemble.members
    ]
    predictions = combine(members, ensemble.weights, ensemble.method)
    is_own = views is None and (pack is None or is_of(ensemble, pack))
    if is_own and ensemble.chosen_on != f"{split} halves":
        ensemble.save_predictions(split, predictions)
    return predictions
