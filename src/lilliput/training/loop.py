"""The loop: ``fit`` is a generator of what happens.

Recording, progress and stopping are lines of the caller's ``for``.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from lilliput.data.batches import Batch, Batches, epoch_order, step_seed
from lilliput.errors import TrainingError
from lilliput.models.build import resize_images, seed_dropout
from lilliput.recipe import Recipe
from lilliput.results.history import Epoch
from lilliput.training.average import Average
from lilliput.training.gradient import add_gradient, at_the_worst
from lilliput.training.optimizer import set_rate
from lilliput.training.processes import World
from lilliput.training.runtime import Runtime
from lilliput.training.schedule import learning_rate_factor
from lilliput.training.stepper import make_stepper

Validate = Callable[[nn.Module, bool], tuple[float, float]]
"""Gives a network's (mean softmax loss, share of images right) on the validation images; told if it is finished."""

LOSS_CHECK_STEPS = 50


@dataclass(frozen=True)
class Step:
    """An optimizer step that has been taken: number ``step`` of ``steps`` in ``epoch``, on ``images`` images."""

    epoch: int
    step: int
    steps: int
    images: int


@dataclass
class TrainingState:
    """Everything that changes while training; saved and restored, it goes on as if nothing had happened.

    ``epoch`` (from 1) and ``step`` say what comes next. ``sums`` float64[2] are the loss and how many images are right,
    summed over the epoch so far; of several processes each has its own, until they collect. ``seconds`` is the training
    time of the epoch so far.

    ``right`` bool[n] says which images were right at their step of this epoch, in the order the epoch visits them.
    ``learning`` is the same of the epochs before, each epoch the bits uint8[ceil(n/8)] of the images in the order of
    the selection; None in a training that began before this was recorded.
    ``average`` follows the model, where the recipe asks for one; then it is what is judged and kept.
    """

    model: nn.Module
    optimizer: Optimizer
    sums: Tensor
    epoch: int = 1
    step: int = 0
    seconds: float = 0.0
    history: list[Epoch] = field(default_factory=list)
    right: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.bool))
    learning: list[NDArray[np.uint8]] | None = field(default_factory=list)
    average: Average | None = None

    @property
    def judged(self) -> nn.Module:
        """The network that is validated, and kept at the end."""
        return self.average.model if self.average else self.model


def train_step(
    model: nn.Module,
    batch: Batch,
    optimizer: Optimizer,
    runtime: Runtime,
    *,
    parts: int = 1,
    sam: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """One step down the gradient of the softmax loss. Gives the mean loss float32[] and which images are right bool[b].

    Right is what the network, dropout and augmentation included, ranks first. Paper: §3.2. The gradient is added up
    over ``parts`` of the batch, and taken at the worst place within ``sam`` of the weights.
    """
    loss, logits = add_gradient(model, batch, runtime, parts)
    if sam:
        with at_the_worst(model, sam):
            add_gradient(model, batch, runtime, parts)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss, logits.argmax(1) == batch.targets.argmax(1)


def step_of(recipe: Recipe) -> Callable[..., tuple[Tensor, Tensor]]:
    """:func:`train_step` as a recipe wants it."""
    return partial(train_step, parts=recipe.training.accumulate, sam=recipe.optimizer.sam)


def fit(
    state: TrainingState, batches: Batches, validate: Validate, recipe: Recipe, runtime: Runtime
) -> Iterator[Step | Epoch]:
    """Train from where ``state`` stands to the recipe's last epoch: a Step after each step, an Epoch after each epoch.

    Whenever it hands something out, ``state`` is complete, so the caller may save it and leave.
    Raises: TrainingError when the loss or a weight is no longer a number; asked now and then, and before every Epoch.
    """
    steps, world = len(batches), runtime.world
    model = world.join(state.model)
    parts = recipe.training.accumulate
    take_step = make_stepper(
        step_of(recipe), model, state.optimizer, runtime, batches.batch_images, parts
    )
    if len(state.right) != len(batches.selection):
        state.right = torch.zeros(
            len(batches.selection), dtype=torch.bool, device=state.sums.device
        )
    while state.epoch <= recipe.training.epochs:
        if pixels := recipe.training.pixels_in(state.epoch):
            resize_images(state.model, pixels)
            resize_images(state.judged, pixels)
            take_step.resized(pixels)
        state.model.train()
        started = time.perf_counter() - state.seconds
        for batch in batches.epoch(state.epoch, state.step):
            set_rate(state.optimizer, _rate(recipe, state.epoch, state.step, steps))
            seed_dropout(state.model, step_seed(recipe.seed, state.epoch, state.step))
            images = batches.images_in(state.step)
            world.share_step(state.model, images)
            loss, right = take_step(batch)
            first = state.step * batches.batch_images + world.part(images).start
            _count(state, loss, right, first)
            state.step += 1
            if state.average:
                state.average.follow((state.epoch - 1) * steps + state.step)
            if state.step % LOSS_CHECK_STEPS == 0 or state.step == steps:
                world.collect(state)
                check_finite(state, recipe)
            state.seconds = time.perf_counter() - started
            paused = time.perf_counter()
            yield Step(state.epoch, state.step, steps, images)
            started += time.perf_counter() - paused  # what the caller does is not training
        # Asked for anew: a training resumed behind an epoch's last step has taken no step here.
        rate = _rate(recipe, state.epoch, steps - 1, steps)
        judged = validate(state.judged, state.epoch == recipe.training.epochs)
        yield _finish_epoch(state, batches, judged, rate, world)


def _count(state: TrainingState, loss: Tensor, right: Tensor, first: int) -> None:
    """Add a step, whose images the epoch visits from ``first`` on, to its sums. Nothing here waits for the device."""
    state.sums += torch.stack([loss * len(right), right.sum().float()])
    state.right[first : first + len(right)] = right


def _learned(state: TrainingState, batches: Batches) -> NDArray[np.uint8]:
    """The epoch's ``right`` in the order of the selection, as bits."""
    in_place = np.empty(len(state.right), np.bool_)
    order = epoch_order(batches.seed, state.epoch, len(state.right))
    in_place[order] = state.right.cpu().numpy()
    return np.packbits(in_place)


def _rate(recipe: Recipe, epoch: int, step: int, steps: int) -> float:
    progress = epoch - 1 + step / steps
    factor = learning_rate_factor(recipe.schedule, progress, recipe.training.epochs)
    return recipe.peak_rate * factor


def _finish_epoch(
    state: TrainingState, batches: Batches, judged: tuple[float, float], rate: float, world: World
) -> Epoch:
    images = len(batches.selection)
    loss, right = (world.total(state.sums) / images).tolist()
    memory = torch.tensor(peak_memory_bytes(batches.device))
    epoch = Epoch(
        epoch=state.epoch,
        seconds=state.seconds,
        learning_rate=rate,
        train_loss=loss,
        train_accuracy=right,
        val_loss=judged[0],
        val_accuracy=judged[1],
        images_per_second=images / state.seconds if state.seconds else math.nan,
        peak_memory_bytes=int(world.total(memory)),
    )
    state.history.append(epoch)
    if state.learning is not None:
        state.learning.append(_learned(state, batches))
    state.epoch, state.step, state.seconds = state.epoch + 1, 0, 0.0
    state.sums.zero_()
    state.right.zero_()
    return epoch


def check_finite(state: TrainingState, recipe: Recipe) -> None:
    """Whoever saves a state asks this first, so that what is saved can be gone on with.

    A step can spoil the weights after a fine loss, so both are looked at.
    Raises: TrainingError when the loss, any weight or any batch statistic is no longer a number.
    """
    if not math.isfinite(state.sums[0].item()):
        broken = "the loss is no longer a number"
    elif not all(bool(tensor.isfinite().all()) for tensor in state.model.state_dict().values()):
        broken = "the network's weights are no longer numbers"
    else:
        return
    raise TrainingError(
        f"{broken}: epoch {state.epoch}, step {state.step} at the latest, seed {recipe.seed}",
        "what was saved before it is kept; try a lower rate: "
        f"optimizer.learning_rate={recipe.optimizer.learning_rate / 3:.2g}",
    )


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory in use so far: the device's for CUDA, else this process's; 0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return 0
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
