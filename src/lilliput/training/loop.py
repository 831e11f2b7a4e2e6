"""The loop: ``fit`` is a generator of what happens.

Recording, progress and stopping are lines of the caller's ``for``.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from lilliput.data.batches import Batch, Batches, step_seed
from lilliput.errors import TrainingError
from lilliput.models.build import seed_dropout
from lilliput.recipe import Recipe
from lilliput.results.history import Epoch
from lilliput.training.runtime import Runtime
from lilliput.training.schedule import learning_rate_factor

Validate = Callable[[nn.Module], tuple[float, float]]
"""Gives a network's (mean softmax loss, share of images right) on the validation images."""

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
    summed over the epoch so far. ``seconds`` is the training time of the epoch so far.
    """

    model: nn.Module
    optimizer: Optimizer
    sums: Tensor
    epoch: int = 1
    step: int = 0
    seconds: float = 0.0
    history: list[Epoch] = field(default_factory=list)


def train_step(model: nn.Module, batch: Batch, optimizer: Optimizer, runtime: Runtime) -> Tensor:
    """One step down the gradient of the softmax loss. Gives float32[2]: the summed loss, the number of images right.

    Right is what the network, dropout and augmentation included, ranks first. Paper: §3.2.
    """
    with runtime.autocast():
        logits = model(runtime.arrange(batch.images))
        loss = cross_entropy(logits, batch.targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    right = (logits.detach().argmax(1) == batch.targets.argmax(1)).sum()
    return torch.stack([loss.detach().float() * len(logits), right.float()])


def fit(
    state: TrainingState, batches: Batches, validate: Validate, recipe: Recipe, runtime: Runtime
) -> Iterator[Step | Epoch]:
    """Train from where ``state`` stands to the recipe's last epoch: a Step after each step, an Epoch after each epoch.

    Whenever it hands something out, ``state`` is complete, so the caller may save it and leave.
    Raises: TrainingError when the loss or a weight is no longer a number; asked now and then, and before every Epoch.
    """
    steps = len(batches)
    while state.epoch <= recipe.training.epochs:
        state.model.train()
        started = time.perf_counter() - state.seconds
        for batch in batches.epoch(state.epoch, state.step):
            for group in state.optimizer.param_groups:
                group["lr"] = _rate(recipe, state.epoch, state.step, steps)
            seed_dropout(state.model, step_seed(recipe.seed, state.epoch, state.step))
            state.sums += train_step(state.model, batch, state.optimizer, runtime)
            state.step += 1
            if state.step % LOSS_CHECK_STEPS == 0 or state.step == steps:
                check_finite(state, recipe)
            state.seconds = time.perf_counter() - started
            paused = time.perf_counter()
            yield Step(state.epoch, state.step, steps, len(batch.images))
            started += time.perf_counter() - paused  # what the caller does is not training
        # Asked for anew: a training resumed behind an epoch's last step has taken no step here.
        yield _finish_epoch(state, batches, validate, _rate(recipe, state.epoch, steps - 1, steps))


def _rate(recipe: Recipe, epoch: int, step: int, steps: int) -> float:
    progress = epoch - 1 + step / steps
    factor = learning_rate_factor(recipe.schedule, progress, recipe.training.epochs)
    return recipe.optimizer.learning_rate * factor


def _finish_epoch(state: TrainingState, batches: Batches, validate: Validate, rate: float) -> Epoch:
    images = len(batches.selection)
    loss, right = (state.sums / images).tolist()
    val_loss, val_accuracy = validate(state.model)
    epoch = Epoch(
        epoch=state.epoch,
        seconds=state.seconds,
        learning_rate=rate,
        train_loss=loss,
        train_accuracy=right,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
        images_per_second=images / state.seconds if state.seconds else math.nan,
        peak_memory_bytes=peak_memory_bytes(batches.device),
    )
    state.history.append(epoch)
    state.epoch, state.step, state.seconds = state.epoch + 1, 0, 0.0
    state.sums.zero_()
    return epoch


def check_finite(state: TrainingState, recipe: Recipe) -> None:
    """Whoever saves a state asks this first, so that what is saved can be gone on with.

    A step can spoil the weights after a fine loss, so both are looked at.
    Raises: TrainingError when the loss, or any weight, is no longer a number.
    """
    if not math.isfinite(state.sums[0].item()):
        broken = "the loss is no longer a number"
    elif not all(bool(weights.isfinite().all()) for weights in state.model.parameters()):
        broken = "the network's weights are no longer numbers"
    else:
        return
    raise TrainingError(
        f"{broken}: epoch {state.epoch}, step {state.step} at the latest, seed {recipe.seed}",
        "the last checkpoint before it is kept; try a lower rate: "
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
