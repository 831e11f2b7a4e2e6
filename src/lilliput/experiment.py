"""The spine: recipe + pack -> run folder. Read this first."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from pathlib import Path

import torch
from torch import nn

import lilliput
from lilliput.data.augment import augmentations, mixes
from lilliput.data.batches import Batches
from lilliput.data.pack import Pack
from lilliput.data.selection import (
    DataSet,
    drop_digest,
    select,
)
from lilliput.data.statistics import (
    empty_statistics,
    image_size,
    pixel_statistics,
    sample_images,
)
from lilliput.errors import PackError, RecipeError, RunError
from lilliput.models.build import build_model
from lilliput.models.whiten import whiten
from lilliput.overrides import differences
from lilliput.recipe import Recipe, load_recipe
from lilliput.results.history import Epoch
from lilliput.results.run import Run, refuse_occupied
from lilliput.training.average import Average
from lilliput.training.checkpoint import load_checkpoint, newest_checkpoint
from lilliput.training.environment import Dropped, describe_environment
from lilliput.training.loop import Step, TrainingState
from lilliput.training.lr_find import RatePoint, Sweep, sweep_rates
from lilliput.training.optimizer import make_optimizer
from lilliput.training.probe import choose_runtime
from lilliput.training.processes import ALONE, Group, World
from lilliput.training.record import Beginning, Record, RunRecord, fit_recorded
from lilliput.training.runtime import Runtime, recorded_runtime
from lilliput.training.start import start_digest, start_from
from lilliput.training.teacher import lesson_of, teacher_digest
from lilliput.training.validation import Validation
from lilliput.training.weights import write_tensors

__all__ = [
    "Group",
    "RatePoint",
    "Runtime",
    "Step",
    "Sweep",
    "follow_steps",
    "rate_steps",
    "run_experiment",
    "run_steps",
]


def run_experiment(
    recipe: Recipe, pack: Pack, folder: Path, *, device: str = "auto", resume: bool = False
) -> Run:
    """Train a recipe on a pack to the end and leave everything about it in ``folder``.

    With ``resume`` an unfinished run in ``folder`` goes on where it stopped; on the same machine the result is the
    same, bit for bit, as if it had never stopped.
    Raises: LilliputError of every kind.
    """
    for _ in run_steps(recipe, pack, folder, device=device, resume=resume):
        pass
    return Run.open(folder)


def run_steps(
    recipe: Recipe,
    pack: Pack,
    folder: Path,
    *,
    device: str | Group = "auto",
    resume: bool = False,
    command: str = "",
) -> Generator[Runtime | Step | Epoch]:
    """:func:`run_experiment` seen from inside: a Runtime, then a Step after every step and an Epoch after every epoch.

    Whoever leaves the loop early leaves a checkpoint behind. ``command`` is what the run says it was started by.
    ``device`` may be a group of processes, each with its device: the first calls this, the others :func:`follow_steps`.
    """
    world, device = (device, device.device) if isinstance(device, Group) else (ALONE, device)
    if resume:
        run = _open_to_resume(folder, recipe, pack)
        runtime = recorded_runtime(run.environment.get("runtime", {}), device, world)
        if run.is_finished:
            world.hand_out(None)
            yield runtime
            return
        dataset = _select(pack, recipe)
        goes_on = newest_checkpoint(run.checkpoints_path) is not None
        state = _new_state(_new_model(recipe, dataset, goes_on=goes_on), recipe, runtime)
        for line in load_checkpoint(run.checkpoints_path, state):
            run.log(line)
        if len(run.history) > 1 and not state.history:  # one: killed before its checkpoint
            raise RunError(
                f"{run.path} has a history but no checkpoint to go on from",
                "train again without --resume, into another --run",
            )
    else:
        refuse_occupied(Path(folder))
        dataset = _select(pack, recipe)
        model = _new_model(recipe, dataset)
        runtime = _choose_runtime(recipe, dataset, model, device, world)
        dropped = Dropped(dataset.dropped, drop_digest(recipe.data)) if recipe.data.drop else None
        environment = describe_environment(runtime, pack, command, dropped)
        if recipe.model.start:
            environment["start_sha256"] = start_digest(recipe.model.start)
        if recipe.teacher.path:
            environment["teacher_sha256"] = teacher_digest(recipe.teacher)
        run = Run.create(folder, recipe.to_toml(), environment, dataset.classes)
        state = _new_state(model, recipe, runtime)
    try:
        yield runtime
    except GeneratorExit:
        world.hand_out(None)
        raise
    world.hand_out(Beginning.of(pack.fingerprint, runtime.to_json(), run.checkpoints_path))
    validation = Validation(dataset.validation, recipe.evaluation, runtime)
    record = RunRecord(run, dataset.training.names)
    batches = _batches(recipe, dataset, runtime.torch_device, runtime.world)
    yield from fit_recorded(record, state, batches, validation, recipe)
    _finish(run, state, dataset, recipe, validation)


def follow_steps(recipe: Recipe, pack: Pack, world: Group) -> Generator[Step | Epoch]:
    """What every process but the first does of :func:`run_steps`: the same steps, and nothing is written.

    Raises: LilliputError; Interrupted when another process is asked to stop.
    """
    begin: Beginning | None = world.hand_out(None)
    if begin is None:  # there is nothing to do
        return
    if begin.fingerprint != pack.fingerprint:
        raise PackError(
            f"{pack.path}, which process {world.rank} trains on, is not the data of the first process",
            "give all machines the same data",
        )
    dataset = _select(pack, recipe)
    runtime = recorded_runtime(begin.runtime, "auto", world)
    model = _new_model(recipe, dataset, goes_on=begin.checkpoint is not None)
    state = _new_state(model, recipe, runtime)
    begin.restore(state)
    validation = Validation(dataset.validation, recipe.evaluation, runtime)
    batches = _batches(recipe, dataset, runtime.torch_device, runtime.world)
    yield from fit_recorded(Record(), state, batches, validation, recipe)


def rate_steps(
    recipe: Recipe, pack: Pack, sweep: Sweep, *, device: str = "auto"
) -> Iterator[Runtime | RatePoint]:
    """Sweep the learning rate over a fresh network of the recipe: a Runtime, then a RatePoint after every step.

    Nothing is written. Raises: LilliputError.
    """
    dataset = _select(pack, recipe)
    model = _new_model(recipe, dataset)
    short = recipe.changed(["training.step=plain"])
    runtime = _choose_runtime(short, dataset, model, device)
    yield runtime
    batches = _batches(recipe, dataset, runtime.torch_device, runtime.world)
    yield from sweep_rates(_new_state(model, recipe, runtime), batches, recipe, runtime, sweep)


def _finish(
    run: Run, state: TrainingState, dataset: DataSet, recipe: Recipe, validation: Validation
) -> None:
    """Weights and predictions of the last epoch. The weights come last: they are what says that a run is finished."""
    RunRecord(run, dataset.training.names).epochs(state)
    run.save_predictions(dataset.validation_name, validation.latest(state.judged))
    plan = recipe.model.network(len(dataset.classes)).with_images_of(recipe.evaluation.image_pixels)
    metadata = {
        "classes": json.dumps([list(one) for one in dataset.classes]),
        "image_size": json.dumps(image_size(dataset.training)),
        "lilliput": lilliput.__version__,
        "plan": str(plan),
        "views": json.dumps(recipe.evaluation.views),
    }
    write_tensors(run.weights_path, state.judged.state_dict(), metadata)


def _open_to_resume(folder: Path, recipe: Recipe, pack: Pack) -> Run:
    """The run to go on with. Raises: RunError showing every difference of recipe or data."""
    run = Run.open(folder)
    # Read as a recipe, so that keys younger than the run have their defaults.
    began_with = load_recipe(run.recipe_path)
    changed = differences(began_with.model_dump(mode="json"), recipe.model_dump(mode="json"))
    trained_on = run.fingerprint
    if trained_on != pack.fingerprint:
        changed.append(f"data: {str(trained_on)[:16]}, now {pack.fingerprint[:16]} ({pack.path})")
    if recipe.data.drop == began_with.data.drop != "":
        before, now = str(run.environment["data"].get("drop_sha256")), drop_digest(recipe.data)
        if before != now:
            changed.append(f"the content of {recipe.data.drop}: {before[:16]}, now {now[:16]}")
    if recipe.teacher == began_with.teacher and recipe.teacher.path:
        before, now = str(run.environment.get("teacher_sha256")), teacher_digest(recipe.teacher)
        if before != now:
            changed.append(f"the weights of {recipe.teacher.path}: {before[:16]}, now {now[:16]}")
    if changed:
        listing = "".join(f"\n  {line}" for line in changed)
        raise RunError(
            f"{folder} was begun with something else:{listing}",
            "resume with what it began with, or start another --run",
        )
    return run


def _select(pack: Pack, recipe: Recipe) -> DataSet:
    """The images the recipe asks for. Raises: RecipeError when the pack lacks what it needs."""
    dataset = select(pack, recipe.data, recipe.seed)
    if recipe.augment.box_crop and not (dataset.training.boxes(slice(None)) >= 0).any():
        raise RecipeError(
            f"augment.box_crop = {recipe.augment.box_crop}: no training image of {pack.path} has a bounding box",
            "leave it at 0",
        )
    return dataset


def _choose_runtime(
    recipe: Recipe, dataset: DataSet, model: nn.Module, device: str, world: World = ALONE
) -> Runtime:
    batches = _batches(recipe, dataset, torch.device("cpu"), world)
    return choose_runtime(recipe, device, world, model, batches)


def _new_state(model: nn.Module, recipe: Recipe, runtime: Runtime) -> TrainingState:
    """Where a training begins; the model is moved to where it runs."""
    runtime.place(model)
    sums = torch.zeros(2, dtype=runtime.sum_dtype, device=runtime.device)
    decay = recipe.training.average_decay
    average = Average(model, decay) if decay else None
    return TrainingState(model, make_optimizer(model, recipe.optimizer), sums, average=average)


def _new_model(recipe: Recipe, dataset: DataSet, *, goes_on: bool = False) -> nn.Sequential:
    """What a training begins with; one that ``goes_on`` has its weights in a checkpoint."""
    plan = recipe.model.network(len(dataset.classes))
    # What is measured on the images is part of what another network, or a checkpoint, brings along.
    is_new = not (goes_on or recipe.model.start)
    statistics = empty_statistics(*image_size(dataset.training))
    if is_new and recipe.model.standardize:
        statistics = pixel_statistics(dataset.training)
    asked = recipe.model.model_dump(include={"stochastic_depth", "zero_init"})
    model = build_model(plan, *statistics, seed=recipe.seed, **asked)
    if is_new:
        whiten(model, sample_images(dataset.training))
    elif not goes_on:
        start_from(model, plan, dataset.classes, recipe.model.start)
    return model


def _batches(recipe: Recipe, dataset: DataSet, device: torch.device, world: World) -> Batches:
    world.refuse_parts(recipe.training.accumulate)
    lesson = lesson_of(recipe.teacher, dataset, device)
    batches = Batches(
        dataset.training,
        len(dataset.classes),
        batch_images=recipe.training.batch_images,
        seed=recipe.seed,
        augmentations=[*augmentations(recipe.augment, recipe.training.epochs), *lesson.live],
        device=device,
        targets=lesson.stored,
    )
    return batches.shared(world, mixes=mixes(recipe.augment))
