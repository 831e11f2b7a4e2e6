"""What is measured, each in a process of its own, so that neither side works with what the other has set or left."""

from __future__ import annotations

import atexit
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

import torch

from lilliput.benchmark.ceiling import settle
from lilliput.benchmark.plain import plain_batches, plain_steps
from lilliput.data.augment import augmentations
from lilliput.data.batches import Batches
from lilliput.data.pack import Pack
from lilliput.data.selection import select
from lilliput.experiment import Step, run_steps
from lilliput.recipe import Recipe
from lilliput.training.loop import peak_memory_bytes
from lilliput.training.memory import keep_freed_memory


@dataclass(frozen=True)
class Order:
    """What to measure: a ``kind`` of KINDS for a recipe on a pack; ``folder`` is for what a training leaves."""

    kind: str
    recipe: Recipe
    pack: Path
    folder: Path
    device: str


def measure(order: Order, seconds: float) -> float:
    """Images per second over about ``seconds``, after a step that is not counted.

    The first call begins; later ones in the same process go on where the last one stopped.
    """
    device, steps = torch.device(order.device), _begin(order)
    while not next(steps):
        pass
    settle(device)
    images, spent, taken = 0, 0.0, 0
    while spent < seconds or taken < 2:
        started = time.perf_counter()
        stepped = next(steps)
        if stepped:  # else it was validation, or the start of another training
            images, spent, taken = (
                images + stepped,
                spent + time.perf_counter() - started,
                taken + 1,
            )
    started = time.perf_counter()
    settle(device)
    return images / (spent + time.perf_counter() - started)


def most_memory(device: str) -> int:
    """Bytes that were in use at most so far: on the GPU, or by this process."""
    return peak_memory_bytes(torch.device(device))


def prepare_process() -> None:
    """What a process does before its first order: it leaves Ctrl-C to its parent, and ends trainings before it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(_begin.cache_clear)


@cache
def _begin(order: Order) -> Iterator[int]:
    return KINDS[order.kind](order)


def _lilliput(order: Order) -> Iterator[int]:
    """The whole way of ``lilliput train``; 0 for whatever is not a step."""
    pack = Pack.open(order.pack)
    for number in count():
        folder = order.folder / str(number)
        for event in run_steps(order.recipe, pack, folder, device=order.device):
            yield event.images if isinstance(event, Step) else 0


def _plain(order: Order) -> Iterator[int]:
    dataset = select(Pack.open(order.pack), order.recipe.data, order.recipe.seed)
    return plain_steps(dataset, order.recipe, torch.device(order.device))


def _lilliput_loader(order: Order) -> Iterator[int]:
    if order.device == "cpu":
        keep_freed_memory()  # as every training does
    dataset = select(Pack.open(order.pack), order.recipe.data, order.recipe.seed)
    batches = Batches(
        dataset.training,
        len(dataset.classes),
        batch_images=order.recipe.training.batch_images,
        seed=order.recipe.seed,
        augmentations=augmentations(order.recipe.augment, 1),
        device=torch.device(order.device),
    )
    for epoch in count(1):
        yield from (len(batch.images) for batch in batches.epoch(epoch))


def _plain_loader(order: Order) -> Iterator[int]:
    dataset = select(Pack.open(order.pack), order.recipe.data, order.recipe.seed)
    batches, device = plain_batches(dataset, order.recipe), torch.device(order.device)
    while True:
        yield from (len(images.to(device)) for images, _ in batches)


KINDS: dict[str, Callable[[Order], Iterator[int]]] = {
    "lilliput": _lilliput,
    "plain": _plain,
    "lilliput loader": _lilliput_loader,
    "plain loader": _plain_loader,
}
"""Everything that gives images: how many each step took, 0 for what is not to be timed."""
