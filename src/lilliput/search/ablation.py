"""What one change to a recipe does: every value trained with several seeds, all else equal.

:func:`ablation_steps` trains what is not trained yet, so that a broken ablation simply goes on.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lilliput.data.selection import drop_digest
from lilliput.errors import RunError, UsageError
from lilliput.overrides import differences
from lilliput.recipe import Recipe, load_recipe
from lilliput.results.ablation import FILE, Ablation, Value
from lilliput.results.metrics import top_k_accuracy
from lilliput.results.run import Run
from lilliput.search.design import Design, Variant, folder_name, recipe_of
from lilliput.search.timing import Timings

if TYPE_CHECKING:
    from lilliput.data.pack import Pack
    from lilliput.experiment import Runtime, Step
    from lilliput.results.history import Epoch


@dataclass(frozen=True)
class Training:
    """The next training begins: ``number`` counts from 1 to ``total``, those already done included."""

    title: str
    epochs: int
    number: int
    total: int
    folder: Path


class _Job(NamedTuple):
    value: Variant
    seed: int
    recipe: Recipe
    folder: Path


def run_ablation(design: Design, pack: Pack, folder: Path, *, device: str = "auto") -> Ablation:
    """Train everything a design asks for that ``folder`` does not hold yet. Raises: LilliputError of every kind."""
    for _ in ablation_steps(design, pack, folder, device=device):
        pass
    return Ablation.open(folder)


def ablation_steps(
    design: Design, pack: Pack, folder: Path, *, device: str = "auto"
) -> Generator[Training | Runtime | Step | Epoch]:
    """:func:`run_ablation` seen from inside: a Training, then what :func:`run_steps` tells of it, and so on.

    Finished runs are passed over, half ones resumed; ablation.json is written after every run. Whoever leaves the loop
    early leaves a checkpoint behind. What the first run was timed to be fastest in, all others of its plan and batch
    size are trained in.
    Raises: RunError when ``folder`` holds another ablation.
    """
    ablation = _begin(design, pack, Path(folder))
    jobs = list(_jobs(design, ablation))
    timings = Timings()
    for job in jobs:
        _check_drop_list(job)
        _keep_timing(timings, job)
    ablation = _measured(ablation)
    for number, job in enumerate(jobs, start=1):
        if _is_done(job.folder, ablation.split):
            continue
        title = f"{job.value.name}, seed {job.seed}"
        yield Training(title, job.recipe.training.epochs, number, len(jobs), job.folder)
        yield from train_once(_settled(timings, job), pack, job.folder, device=device)
        _keep_timing(timings, job)
        ablation = _measured(ablation)


def train_once(
    recipe: Recipe, pack: Pack, folder: Path, *, device: str = "auto"
) -> Generator[Runtime | Step | Epoch]:
    """Train ``recipe`` into ``folder`` unless that is done; a half-done run goes on, a stillborn one is begun anew.

    Raises: LilliputError of every kind.
    """
    from lilliput.experiment import run_steps  # here, because PyTorch takes seconds to load

    begun = (folder / "recipe.toml").is_file()
    if folder.is_dir() and not begun:
        shutil.rmtree(folder)  # killed while its first files were written
    yield from run_steps(recipe, pack, folder, device=device, resume=begun)


def _begin(design: Design, pack: Pack, folder: Path) -> Ablation:
    """The ablation in ``folder``, begun or taken up again, with every recipe of it checked."""
    seeds = tuple(range(1, design.seeds + 1))
    first = recipe_of(design, design.values[0], seeds[0])
    names = _folder_names([value.name for value in design.values])
    values = []
    for value, name in zip(design.values, names, strict=True):
        recipe_of(design, value, seeds[0])
        runs = tuple(f"runs/{name}-{seed}" for seed in seeds)
        values.append(
            Value(name=value.name, changes=value.changes, runs=runs, accuracy=(nan,) * len(seeds))
        )
    ablation = Ablation(
        path=folder,
        name=design.name,
        claim=design.claim,
        recipe=design.recipe,
        base=first.model_dump(mode="json"),
        fingerprint=pack.fingerprint,
        seeds=seeds,
        split="heldout" if first.data.holds_out else "val",
        values=tuple(values),
    )
    if (folder / FILE).is_file():
        _check_same(Ablation.open(folder), ablation)
    elif folder.is_dir() and any(folder.iterdir()):
        raise RunError(f"{folder} already holds something else", "name another folder: --to DIR")
    return ablation


def _check_same(old: Ablation, new: Ablation) -> None:
    """More seeds and more values are welcome; fewer, another recipe or other data is another ablation."""
    changed = differences(old.base, new.base)
    if old.fingerprint != new.fingerprint:
        changed.append(f"data: {old.fingerprint[:16]}, now {new.fingerprint[:16]}")
    if lost := [str(seed) for seed in old.seeds if seed not in new.seeds]:
        changed.append(
            f"seed {', '.join(lost)}: trained there, now left out (--seeds {max(old.seeds)})"
        )
    kept = {value.name for value in new.values}
    if lost := [value.name for value in old.values if value.name not in kept]:
        changed.append(f"value {'; '.join(lost)}: there, now left out")
    before = {value.name: value.changes for value in old.values}
    for value in new.values:
        if before.get(value.name, value.changes) != value.changes:
            changed.append(f"{value.name}: {before[value.name]}, now {value.changes}")
    if changed:
        listing = "".join(f"\n  {line}" for line in changed)
        raise RunError(
            f"{old.path} was begun with something else:{listing}",
            "go on with what it began with (more values and seeds are welcome), or name another folder: --to DIR",
        )


def _jobs(design: Design, ablation: Ablation) -> Iterator[_Job]:
    # Seed by seed, so that an ablation that is stopped has compared all values at least once.
    for place, seed in enumerate(ablation.seeds):
        for variant, value in zip(design.values, ablation.values, strict=True):
            folder = ablation.path / value.runs[place]
            yield _Job(variant, seed, recipe_of(design, variant, seed), folder)


def _check_drop_list(job: _Job) -> None:
    """Raises: RunError when a run that was begun left out what another list said; run_steps checks only half runs."""
    if not job.recipe.data.drop:
        return
    recorded = _recorded(job).get("data", {}).get("drop_sha256")
    if recorded is not None and recorded != (now := drop_digest(job.recipe.data)):
        raise RunError(
            f"{job.folder} was trained without the images of another {job.recipe.data.drop}: "
            f"it was {str(recorded)[:16]}, now {now[:16]}",
            "put the former list back, or name another folder: --to DIR",
        )


def _keep_timing(timings: Timings, job: _Job) -> None:
    """Remember what a run that was begun, by this command or one before, runs in."""
    if runtime := _recorded(job).get("runtime"):
        timings.keep(job.recipe, runtime)


def _settled(timings: Timings, job: _Job) -> Recipe:
    """The job's recipe without a new timing; of a run that was begun, as it was begun."""
    if not (job.folder / "recipe.toml").is_file():
        return timings.settled(job.recipe)
    own, began = Timings(), load_recipe(job.folder / "recipe.toml")
    own.keep(job.recipe, began.training.model_dump())
    return own.settled(job.recipe)


def _recorded(job: _Job) -> Mapping[str, Any]:
    """A run's environment.json; empty while the training has not begun."""
    begun = (job.folder / "recipe.toml").is_file() and (job.folder / "environment.json").is_file()
    return Run.open(job.folder).environment if begun else {}


def _measured(ablation: Ablation) -> Ablation:
    """The ablation with the accuracies of all runs that are done, saved."""
    values = tuple(
        replace(value, accuracy=tuple(_accuracy(ablation, run) for run in value.runs))
        for value in ablation.values
    )
    ablation = replace(ablation, values=values)
    ablation.save()
    return ablation


def _accuracy(ablation: Ablation, run: str) -> float:
    folder = ablation.path / run
    if not _is_done(folder, ablation.split):
        return nan
    accuracy = top_k_accuracy(Run.open(folder).predictions(ablation.split), 1)
    return accuracy if isfinite(accuracy) else nan


def _is_done(folder: Path, split: str) -> bool:
    if not (folder / "recipe.toml").is_file() or not (folder / "environment.json").is_file():
        return False
    run = Run.open(folder)
    return run.is_finished and split in run.splits_predicted


def _folder_names(names: Sequence[str]) -> list[str]:
    """A folder name for each; Raises: UsageError when two values are called alike."""
    stems = [folder_name(name) for name in names]
    for place, stem in enumerate(stems):
        if stem in stems[:place]:
            raise UsageError(
                f"two values are called '{names[place]}'", "give every value a name of its own"
            )
    return stems
