"""The benchmark: rounds in which everything takes its turn once, so that what disturbs the machine disturbs all."""

from __future__ import annotations

import multiprocessing
import platform
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

import torch

import lilliput
from lilliput.benchmark.ceiling import copy_gigabytes_per_second, product_gflops
from lilliput.benchmark.worker import Order, measure, most_memory, prepare_process
from lilliput.data.pack import Pack
from lilliput.data.selection import select
from lilliput.errors import LilliputError
from lilliput.notation import trace
from lilliput.recipe import AugmentRecipe, Recipe
from lilliput.results.run import Run
from lilliput.results.throughput import (
    Benchmark,
    Ceiling,
    LoadingSpeed,
    Measured,
    TrainingSpeed,
    training_multiply_adds,
)
from lilliput.training.environment import memory_bytes, processor, usable_cores
from lilliput.training.runtime import find_device

VARIED = AugmentRecipe(flip=True, crop_pixels=4, brightness=0.2, contrast=0.2, saturation=0.2)
"""What is done to every image where loading alone is measured."""

VARIED_IN_WORDS = "flip, crop, brightness, contrast, saturation"

_CEILING_SECONDS = 0.3  # products and copies differ little from go to go

Work = Callable[[], float]
T = TypeVar("T")


class Round(NamedTuple):
    """Round ``number`` of ``rounds`` is done; ``title`` is what was measured in it."""

    title: str
    number: int
    rounds: int


@dataclass(frozen=True)
class Effort:
    """``rounds`` of about ``seconds`` for everything that is measured, on this ``device``."""

    rounds: int = 5
    seconds: float = 2.0
    device: str = "auto"


def bench_steps(
    recipes: Sequence[Recipe], pack: Pack, effort: Effort
) -> Generator[Round | Benchmark]:
    """Recipe after recipe, then loading alone: a Round after each round, at the end the Benchmark.

    A recipe that begins with smaller images is measured on those of its plan.
    Raises: LilliputError of every kind.
    """
    effort = replace(effort, device=find_device(effort.device))
    recipes = [recipe.changed(["training.image_pixels=[]"]) for recipe in recipes]
    trainings: list[TrainingSpeed] = []
    with TemporaryDirectory(prefix="lilliput-bench-") as scratch:
        for number, recipe in enumerate(recipes):
            folder = Path(scratch) / str(number)
            trainings.append((yield from _training(recipe, pack, folder, effort)))
        loading, ceiling = yield from _loading(recipes[0], pack, Path(scratch), effort)
    yield Benchmark(
        machine=_describe_machine(effort.device),
        data={
            "pack": str(pack.path),
            "fingerprint": pack.fingerprint,
            "classes": len(pack.classes),
            "counts": pack.counts,
            "image_size": pack.image_size,
        },
        ceiling=ceiling,
        trainings=tuple(trainings),
        loading=loading,
    )


def _training(
    recipe: Recipe, pack: Pack, folder: Path, effort: Effort
) -> Generator[Round, None, TrainingSpeed]:
    order = Order("lilliput", recipe, pack.path, folder, effort.device)
    plan = recipe.model.network(len(select(pack, recipe.data, recipe.seed).classes))

    def runtime() -> Mapping[str, str]:
        # Chosen by the probe, and written down, before the first step.
        return Run.open(folder / "0").environment["runtime"]

    with _process() as ours, _process() as theirs:
        works: dict[str, Work] = {
            "lilliput": lambda: _ask(ours, measure, order, effort.seconds),
            "loader": lambda: _ask(
                ours, measure, replace(order, kind="lilliput loader"), effort.seconds / 4
            ),
            "plain": lambda: _ask(theirs, measure, replace(order, kind="plain"), effort.seconds),
            "ceiling": lambda: product_gflops(
                runtime()["precision"], torch.device(effort.device), _CEILING_SECONDS
            ),
        }
        measured = yield from _take_turns(recipe.name, works, effort.rounds)
        memory, plain_memory = (_ask(one, most_memory, effort.device) for one in (ours, theirs))
    return TrainingSpeed(
        recipe=recipe.name,
        plan=str(plan),
        batch_images=recipe.training.batch_images,
        multiply_adds=training_multiply_adds(trace(plan, (3, *pack.image_size))),
        precision=runtime()["precision"],
        memory_format=runtime()["memory_format"],
        lilliput=measured["lilliput"],
        plain=measured["plain"],
        loader=measured["loader"],
        ceiling=measured["ceiling"],
        lilliput_memory_bytes=memory,
        plain_memory_bytes=plain_memory,
    )


def _loading(
    recipe: Recipe, pack: Pack, folder: Path, effort: Effort
) -> Generator[Round, None, tuple[LoadingSpeed, Ceiling]]:
    varied = recipe.model_copy(update={"augment": VARIED})
    order = Order("lilliput loader", varied, pack.path, folder, effort.device)
    device = torch.device(effort.device)
    with _process() as ours, _process() as theirs:
        works: dict[str, Work] = {
            "lilliput": lambda: _ask(ours, measure, order, effort.seconds / 2),
            "plain": lambda: _ask(
                theirs, measure, replace(order, kind="plain loader"), effort.seconds / 2
            ),
            "fp32": lambda: product_gflops("fp32", device, _CEILING_SECONDS),
            "bf16": lambda: product_gflops("bf16", device, _CEILING_SECONDS),
            "copy": lambda: copy_gigabytes_per_second(device, _CEILING_SECONDS),
        }
        measured = yield from _take_turns("loading alone", works, effort.rounds)
    height, width = pack.image_size
    loading = LoadingSpeed(
        augmentation=VARIED_IN_WORDS,
        image_bytes=3 * height * width,
        lilliput=measured["lilliput"],
        plain=measured["plain"],
        copy=measured["copy"],
    )
    return loading, Ceiling(fp32=measured["fp32"], bf16=measured["bf16"], copy=measured["copy"])


def _take_turns(
    title: str, works: Mapping[str, Work], rounds: int
) -> Generator[Round, None, dict[str, Measured]]:
    """Every work once a round, every second round in the opposite order; the first one begins."""
    values: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name in list(works)[:: -1 if number % 2 else 1]:
            values[name].append(works[name]())
        yield Round(title, number + 1, rounds)
    return {name: Measured(tuple(found)) for name, found in values.items()}


@contextmanager
def _process() -> Iterator[ProcessPoolExecutor]:
    """A fresh process that does one thing after the other."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=prepare_process) as process:
        yield process


def _ask(process: ProcessPoolExecutor, work: Callable[..., T], *words: object) -> T:
    """What the work gives there. Raises: LilliputError."""
    try:
        return process.submit(work, *words).result()
    except BrokenProcessPool as error:
        raise LilliputError(
            "a process of the benchmark was killed",
            "memory may have run out: try training.batch_images=16",
        ) from error


def _describe_machine(device: str) -> dict[str, object]:
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "memory_bytes": memory_bytes(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "versions": {
            "lilliput": lilliput.__version__,
            "python": platform.python_version(),
            "torch": version("torch"),
        },
    }
