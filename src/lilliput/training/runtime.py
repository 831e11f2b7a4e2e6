"""What a training runs on: device, precision, memory format, threads, and how its steps are carried out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from lilliput.errors import RunError, UsageError, did_you_mean
from lilliput.training.memory import keep_freed_memory
from lilliput.training.processes import ALONE, World

# The pack holds pixels channels last, so that comes first.
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
# As PyTorch or OMP_NUM_THREADS set it. A training may take fewer; the next one in this process begins from here again.
THREADS = torch.get_num_threads()


@dataclass(frozen=True)
class Runtime:
    """Where and how: ``precision`` fp32 or bf16, ``memory_format`` contiguous or channels_last, ``step`` plain,
    captured or compiled (``training.stepper``).

    ``timings`` are the milliseconds of a step in each of the ways that were tried; ``failures`` are the ways that did
    not work, each with what happened. ``world`` are the processes, each with so many ``threads``.
    """

    device: str
    precision: str
    memory_format: str
    threads: int
    timings: dict[str, float] = field(default_factory=dict)
    world: World = ALONE
    step: str = "plain"
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def torch_device(self) -> torch.device:
        """The device as torch knows it."""
        return torch.device(self.device)

    @property
    def sum_dtype(self) -> torch.dtype:
        """What sums over an epoch are kept in: float64, but on MPS, which has none."""
        return torch.float32 if self.device.startswith("mps") else torch.float64

    def place(self, model: nn.Module) -> nn.Module:
        """The model on this device, in this memory format.

        On the CPU the process keeps the memory that its steps free; on CUDA fp32 products round to TF32, as
        convolutions do without being told.
        """
        if self.torch_device.type == "cpu":
            keep_freed_memory()
        elif self.torch_device.type == "cuda":
            torch.set_float32_matmul_precision("high")
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
            step=str(recorded.get("step", "plain")),  # not said by older runs
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
        return replace(runtime, threads=torch.get_num_threads(), step="plain")
    if runtime.device == "cpu" and runtime.threads != torch.get_num_threads():
        torch.set_num_threads(runtime.threads)  # sums are rounded in another order by other threads
    return runtime


def runtime_here(recorded: dict[str, Any]) -> Runtime:
    """The runtime a run began with, or a plain one where this machine lacks its device. Raises: RunError."""
    try:
        return recorded_runtime(recorded, "auto")
    except UsageError:
        return Runtime(find_device("auto"), "fp32", "contiguous", torch.get_num_threads())
