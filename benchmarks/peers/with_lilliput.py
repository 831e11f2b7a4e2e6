"""Lilliput, by the way of ``lilliput train``; ``--data`` is a pack."""

from __future__ import annotations

import time

import torch

from lilliput.data.augment import augmentations
from lilliput.data.batches import Batches
from lilliput.data.pack import Pack
from lilliput.data.prepare import prepare
from lilliput.data.selection import select
from lilliput.data.statistics import pixel_statistics
from lilliput.experiment import Runtime, Step, run_steps
from lilliput.models.blocks import Standardize
from lilliput.recipe import Recipe, load_recipe
from lilliput.results.history import Epoch
from lilliput.training.memory import keep_freed_memory
from task import BATCH_IMAGES, LEARNING_RATE, MOMENTUM, Clock, Task, answer_seconds, read_task


def make_recipe(task: Task) -> Recipe:
    """M1 or M4 trained as everyone here does, once over as many images as are wanted; 200 are set aside to validate."""
    images = (task.warmup + task.steps) * BATCH_IMAGES
    return load_recipe(
        task.network,
        [
            f"seed={task.seed}",
            f"data.limit={images}",
            "data.holdout=0.002",
            "model.dropout=0.0",
            "augment.flip=true",
            f"optimizer.learning_rate={LEARNING_RATE}",
            f"optimizer.momentum={MOMENTUM}",
            "optimizer.nesterov=true",
            "optimizer.l2=0.0",
            "schedule.name=constant",
            "training.epochs=1",
            f"training.batch_images={BATCH_IMAGES}",
        ],
    )


def train(task: Task) -> None:
    """The steps of ``lilliput train``."""
    clock, loss, arithmetic = Clock(task), 0.0, ""
    for event in run_steps(make_recipe(task), Pack.open(task.data), task.scratch / "run"):
        if isinstance(event, Step):
            clock.step()
        elif isinstance(event, Epoch):
            loss = event.train_loss
        elif isinstance(event, Runtime):
            arithmetic = f"{event.precision} {event.memory_format}"
    clock.answer(loss=loss, arithmetic=arithmetic)


def load(task: Task) -> None:
    """The batches alone, standardised as the network's first layer does it; memory is kept as in every training."""
    keep_freed_memory()
    recipe = make_recipe(task).changed(["data.limit=0"])
    training = select(Pack.open(task.data), recipe.data, recipe.seed).training
    standardize = Standardize(*pixel_statistics(training))
    batches = Batches(
        training,
        200,
        batch_images=BATCH_IMAGES,
        seed=task.seed,
        augmentations=augmentations(recipe.augment),
    )
    clock = Clock(task)
    with torch.no_grad():
        for batch in batches.epoch(1):
            standardize(batch.images)
            if clock.step():
                break
    clock.answer()


def scan(task: Task) -> None:
    """Packing the official folder, done once for ever; and opening the pack, done by every training."""
    started = time.perf_counter()
    pack = prepare(task.source, task.scratch / "pack")
    packed = time.perf_counter()
    select(Pack.open(pack.path), make_recipe(task).changed(["data.limit=0"]).data, task.seed)
    answer_seconds(packed - started, open_seconds=time.perf_counter() - packed)


if __name__ == "__main__":
    task = read_task()
    {"train": train, "load": load, "scan": scan}[task.action](task)
