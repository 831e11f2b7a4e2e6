"""What a training runs on: device, precision, memory format, threads; chosen by timing a few steps where it is open."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lilliput.errors import RunError, UsageError, did_you_mean
from lilliput.recipe import TrainingRecipe
from lilliput.training.memory import keep_freed_memory
from lilliput.training.processes import ALONE, World

# The pack holds pixels channels last, so that comes first.
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
PROBE_ROUNDS = 4
# Anything but the first choice must be clearly faster: two trainings on one busy machine shall choose alike.
CLEARLY_FASTER = 1.3
# So many times slower than the best is not worth timing again.
HOPELESS = 5


@dataclass(frozen=True)
class Runtime:
    """Where and how: ``precision`` fp32 or bf16, ``memory_format`` contiguous or channels_last.

    ``timings`` are the milliseconds of a step in each of the ways that were tried. ``world`` are the processes, each
    with so many ``threads``.
    """

    device: str
    precision: str
    memory_format: str
    threads: int
    timings: dict[str, float] = field(default_factory=dict)
    world: World = ALONE

    @property
    def torch_device(self) -> torch.device:
        """The device as torch knows it."""
        return torch.device(self.device)

    @property
    def sum_dtype(self) -> torch.dtype:
        """What sums over an epoch are kept in: float64, but on MPS, which has none."""
        return torch.float32 if self.device.startswith("mps") else torch.float64

    def place(self, model: nn.Module) -> nn.Module:
        """The model on this device, in this memory format; the process keeps the memory that its steps free."""
        if self.torch_device.type == "cpu":
            keep_freed_memory()
        model = model.to(self.torch_device)
        # torch's own signatures forget the form of Module.to that takes a memory format alone.
        return model.to(memory_format=FORMATS[self.memory_format])  # pyrefly: ignore

    def arrange(self, images: Tensor) -> Tensor:
        """Images [b,3,h,w] in this memory format; no copy where they are in it already."""
        return images.contiguous(memory_format=FORMATS[self.memory_format])

    def autocast(self) -> torch.autocast:
        """The arithmetic of a forward pass: with bf16, convolutions and products round to it, weights stay fp32."""
        return torch.autocast(
            self.torch_device.type, torch.bfloat16, enabled=self.precision == "bf16"
        )

    def to_json(self) -> dict[str, Any]:
        """As it stands in a run's ``environment.json``."""
        facts = asdict(replace(self, world=ALONE))  # what joins the processes cannot be copied
        del facts["world"]
        return {**facts, "processes": self.world.size}


def find_device(name: str) -> str:
    """A device that is there: ``auto`` takes CUDA, then MPS, then the CPU. Raises: UsageError."""
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return next(kind for kind in ("cuda", "mps", "cpu") if present[kind])
    kind, _, number = name.partition(":")
    if kind not in present or (number and not number.isdecimal()):
        raise UsageError(f"there is no device '{name}'", did_you_mean(name, ["auto", *present]))
    if not present[kind] or (kind == "cuda" and int(number or 0) >= torch.cuda.device_count()):
        here = ", ".join(kind for kind, there in present.items() if there)
        raise UsageError(f"this machine has no device '{name}'", f"it has: {here}")
    return name


def recorded_runtime(recorded: dict[str, Any], device: str, world: World = ALONE) -> Runtime:
    """The runtime a run began with, to go on exactly as it did; with another number of processes, nearly so.

    Raises: RunError, UsageError.
    """
    try:
        runtime = Runtime(
            device=str(recorded["device"]),
            precision=str(recorded["precision"]),
            memory_format=str(recorded["memory_format"]),
            threads=int(recorded["threads"]),
            world=world,
        )
    except (KeyError, ValueError) as error:
        raise RunError(
            "the run's environment.json does not say what it ran on", "train again"
        ) from error
    if device != "auto" and find_device(device) != runtime.device:
        raise RunError(
            f"the run began on {runtime.device}, not on {device}", "resume it where it began"
        )
    find_device(runtime.device)
    if recorded.get("processes", 1) != world.size:
        return replace(runtime, threads=torch.get_num_threads())
    if runtime.device == "cpu" and runtime.threads != torch.get_num_threads():
        torch.set_num_threads(runtime.threads)  # sums are rounded in another order by other threads
    return runtime


def runtime_here(recorded: dict[str, Any]) -> Runtime:
    """The runtime a run began with, or a plain one where this machine lacks its device. Raises: RunError."""
    try:
        return recorded_runtime(recorded, "auto")
    except UsageError:
        return Runtime(find_device("auto"), "fp32", "contiguous", torch.get_num_threads())


def choose_runtime(
    recipe: TrainingRecipe, device: str, model: nn.Module, images: Tensor, targets: Tensor
) -> Runtime:
    """What a recipe asks for; what it leaves open goes to the faster, timed on copies of ``model``.

    images: uint8[b,3,h,w]; targets: float32[b,k]. The model itself is left alone.
    """
    plain = Runtime(find_device(device), "fp32", "channels_last", torch.get_num_threads())
    precisions = ["fp32", "bf16"] if recipe.precision == "auto" else [recipe.precision]
    formats = list(FORMATS) if recipe.memory_format == "auto" else [recipe.memory_format]
    candidates = [replace(plain, precision=p, memory_format=f) for p in precisions for f in formats]
    if len(candidates) == 1:
        return candidates[0]
    steps = [_stepper(one, model, images, targets) for one in candidates]
    timings = _time_alternately(steps, [one.precision for one in candidates])
    names = [f"{one.precision} {one.memory_format}" for one in candidates]
    timed = {name: ms for name, ms in zip(names, timings, strict=True) if ms < math.inf}
    return replace(_pick(candidates, timings), timings=timed)


def _pick(candidates: list[Runtime], timings: list[float]) -> Runtime:
    """The first candidate, unless another is clearly faster; among those, the fastest."""
    fastest = min(range(len(candidates)), key=timings.__getitem__)
    return candidates[fastest if timings[fastest] * CLEARLY_FASTER < timings[0] else 0]


def _stepper(
    runtime: Runtime, model: nn.Module, images: Tensor, targets: Tensor
) -> Callable[[], None]:
    trial = runtime.place(copy.deepcopy(model)).train()
    device = runtime.torch_device
    images, targets = images.to(device), targets.to(device)

    def step() -> None:
        with runtime.autocast():
            loss = cross_entropy(trial(runtime.arrange(images)), targets)
        loss.backward()
        trial.zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def _time_alternately(steps: list[Callable[[], None]], kinds: list[str]) -> list[float]:
    """Milliseconds of each step: the best of a few rounds in which they take turns, after one round to warm up.

    A step that is hopelessly slower than the best in the warm-up is not timed again, and a later one of its kind not at
    all (inf): bf16 without the instructions for it takes half a minute.
    """
    steps[0]()  # whatever is done once per process shall not be counted against the first one
    first: list[float] = []
    for step, kind in zip(steps, kinds, strict=True):
        alike = [ms for ms, other in zip(first, kinds, strict=False) if other == kind]
        is_hopeless = bool(alike) and min(alike) > HOPELESS * min(first)
        first.append(math.inf if is_hopeless else _milliseconds(step))
    times: list[list[float]] = [[] if one < HOPELESS * min(first) else [one] for one in first]
    slow = [bool(one) for one in times]
    for _ in range(PROBE_ROUNDS):
        for step, measured, hopeless in zip(steps, times, slow, strict=True):
            if not hopeless:
                measured.append(_milliseconds(step))
    return [round(min(measured), 2) for measured in times]


def _milliseconds(step: Callable[[], None]) -> float:
    started = time.perf_counter()
    step()
    return (time.perf_counter() - started) * 1000
