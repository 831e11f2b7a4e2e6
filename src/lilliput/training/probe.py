"""The probe: what a recipe leaves open of a runtime goes to what a few timed steps show to be faster."""

from __future__ import annotations

import copy
import math
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from lilliput.data.batches import Batch, Batches
from lilliput.recipe import Recipe
from lilliput.training.loop import step_of
from lilliput.training.optimizer import make_optimizer, set_rate
from lilliput.training.processes import World
from lilliput.training.runtime import FORMATS, THREADS, Runtime, find_device
from lilliput.training.stepper import FIRST_STEPS, make_stepper

ROUNDS = 4
# Anything but the first choice must be clearly faster: two trainings on one busy machine shall choose alike.
CLEARLY_FASTER = 1.15
# So many times slower than the best is not worth timing again.
HOPELESS = 5
# Longer steps keep all threads busy.
SHORT_STEP_MILLISECONDS = 30
# To compile a network and time it takes half a minute to a minute, and nobody knows what it brings: only a training
# that takes twenty times as long is worth the question.
LONG_TRAINING_SECONDS = 1200


def choose_runtime(
    recipe: Recipe, device: str, world: World, model: nn.Module, batches: Batches
) -> Runtime:
    """What a recipe asks for; what it leaves open goes to the faster, timed on copies of ``model``.

    Steps are those of the training, with the first of the ``batches``, at a rate of 0. The model itself is left alone.
    """
    threads = recipe.training.threads or THREADS
    plain = Runtime(find_device(device), "fp32", "channels_last", threads, world=world)
    probe = Probe(recipe, model, next(batches.epoch(1)))
    chosen = probe.choose(plain, recipe.training.epochs * len(batches))
    _use_threads(chosen)
    return replace(chosen, timings=probe.timings, failures=probe.failures)


class Probe:
    """Times the steps of a training in one way after the other; ``timings`` are the milliseconds of all of them."""

    def __init__(self, recipe: Recipe, model: nn.Module, batch: Batch) -> None:
        self.recipe = recipe
        self.model = model
        self.batch = batch
        self.timings: dict[str, float] = {}
        self.failures: dict[str, str] = {}

    def choose(self, plain: Runtime, steps: int) -> Runtime:
        """One thing after the other, each with what has been chosen before, for a training of so many ``steps``."""
        return self.way(self.threads(self.arithmetic(plain)), steps)

    def arithmetic(self, plain: Runtime) -> Runtime:
        """Precision and memory format."""
        asked = self.recipe.training
        precisions = ["fp32", "bf16"] if asked.precision == "auto" else [asked.precision]
        if len(precisions) > 1 and is_bf16_hopeless(plain.torch_device):
            precisions.remove("bf16")
        formats = list(FORMATS) if asked.memory_format == "auto" else [asked.memory_format]
        return self.fastest(
            [replace(plain, precision=p, memory_format=f) for p in precisions for f in formats]
        )

    def threads(self, chosen: Runtime) -> Runtime:
        """Half the processor's threads, and half of those again, while that is clearly faster."""
        is_open = not self.recipe.training.threads and "OMP_NUM_THREADS" not in os.environ
        if not is_open or chosen.torch_device.type != "cpu" or chosen.world.size > 1:
            return chosen
        while chosen.threads > 1 and self.milliseconds(chosen) < SHORT_STEP_MILLISECONDS:
            fewer = self.fastest([chosen, replace(chosen, threads=chosen.threads // 2)])
            if fewer is chosen:
                break
            chosen = fewer
        return chosen

    def way(self, chosen: Runtime, steps: int) -> Runtime:
        """How the ``steps`` of the training are carried out; a way that fails here is passed over."""
        asked = self.recipe.training.step
        if chosen.world.size > 1:
            return chosen  # the compiler and CUDA's graphs know nothing of what the processes say to each other
        if asked != "auto":
            ways = {"plain": [], "captured": ["captured"], "compiled": ["compiled", "captured"]}
            return next(
                (one for one in self._ways(chosen, ways[asked]) if self._works(one)), chosen
            )
        if chosen.torch_device.type != "cuda":
            return chosen  # docs/experiments.md: compiled steps are slower on the processor
        wanted = ["captured"]
        if steps * self.milliseconds(chosen) > 1000 * LONG_TRAINING_SECONDS and compiler():
            wanted.append("compiled")
        working = [one for one in self._ways(chosen, wanted) if self._works(one)]
        return self.fastest([*working, chosen])

    def fastest(self, candidates: list[Runtime]) -> Runtime:
        """The first candidate, unless another is clearly faster; among those, the fastest."""
        if len(candidates) == 1:
            return candidates[0]
        steps = [self._step(one) for one in candidates]
        times = _time_alternately(steps, [one.precision for one in candidates])
        for one, milliseconds in zip(candidates, times, strict=True):
            if milliseconds < math.inf:
                self.timings[name_of(one)] = milliseconds
        return _pick(candidates, times)

    def milliseconds(self, runtime: Runtime) -> float:
        """What a step takes this way, as it was timed or at a glance."""
        if name_of(runtime) not in self.timings:
            step = self._step(runtime)
            step()
            self.timings[name_of(runtime)] = round(_milliseconds(step), 2)
        return self.timings[name_of(runtime)]

    def _ways(self, chosen: Runtime, ways: list[str]) -> list[Runtime]:
        on_cuda = chosen.torch_device.type == "cuda"
        return [replace(chosen, step=way) for way in ways if on_cuda or way != "captured"]

    def _works(self, runtime: Runtime) -> bool:
        try:
            step = self._step(runtime)
            for _ in range(FIRST_STEPS + 1):
                step()
        except RuntimeError as error:  # of the compiler, of CUDA: all are such
            self.failures[runtime.step] = str(error).strip().partition("\n")[0]
            return False
        return True

    def _step(self, runtime: Runtime) -> Callable[[], None]:
        """A step on a copy of the model that leaves its weights as they are."""
        model = runtime.place(copy.deepcopy(self.model)).train()
        optimizer = make_optimizer(model, self.recipe.optimizer)
        images = len(self.batch.images)
        parts = self.recipe.training.accumulate
        take_step = make_stepper(step_of(self.recipe), model, optimizer, runtime, images, parts)
        set_rate(optimizer, 0.0)
        device = runtime.torch_device
        batch = self.batch._replace(
            images=self.batch.images.to(device), targets=self.batch.targets.to(device)
        )

        def step() -> None:
            _use_threads(runtime)
            take_step(batch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return step


def compiler() -> str | None:
    """The C++ compiler that PyTorch's own compiler would take, or None."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    return shutil.which(os.environ.get("CXX", usual))


def is_bf16_hopeless(device: torch.device) -> bool:
    """Whether bf16 is clearly emulated here: known by a small product, where a whole step would take half a minute."""
    if device.type != "cpu":
        return False
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times = [_product_seconds(kind) for kind in (torch.float32, torch.bfloat16)]
    torch.set_num_threads(threads)
    return times[1] > HOPELESS * times[0]


def _product_seconds(kind: torch.dtype) -> float:
    """What a product takes of a thread: so short a time on the clock would be at the mercy of other programs."""
    matrix = torch.ones(256, 256, dtype=kind)
    times: list[float] = []
    for _ in range(5):
        started = time.thread_time()
        torch.mm(matrix, matrix)
        times.append(time.thread_time() - started)
    return min(times)


def _use_threads(runtime: Runtime) -> None:
    if runtime.torch_device.type == "cpu" and runtime.threads != torch.get_num_threads():
        torch.set_num_threads(runtime.threads)


def name_of(runtime: Runtime) -> str:
    """A way as the timings call it: what is as everywhere (all threads, plain steps) goes without saying."""
    parts = [runtime.precision, runtime.memory_format]
    if runtime.threads != THREADS:
        parts.append(f"{runtime.threads} thread{'s' if runtime.threads > 1 else ''}")
    if runtime.step != "plain":
        parts.append(runtime.step)
    return " ".join(parts)


def _pick(candidates: list[Runtime], timings: list[float]) -> Runtime:
    """The first candidate, unless another is clearly faster; among those, the fastest."""
    fastest = min(range(len(candidates)), key=timings.__getitem__)
    return candidates[fastest if timings[fastest] * CLEARLY_FASTER < timings[0] else 0]


def _time_alternately(steps: list[Callable[[], None]], kinds: list[str]) -> list[float]:
    """Milliseconds of each step: the best of a few rounds in which they take turns, after one round to warm up.

    A turn is two steps, of which the second counts: the first finds the caches full of another one's weights.

    A step that is hopelessly slower than the best in the warm-up is not timed again, and a later one of its kind not at
    all (inf).
    """
    steps[0]()  # whatever is done once per process shall not be counted against the first one
    first: list[float] = []
    for step, kind in zip(steps, kinds, strict=True):
        alike = [ms for ms, other in zip(first, kinds, strict=False) if other == kind]
        is_hopeless = bool(alike) and min(alike) > HOPELESS * min(first)
        first.append(math.inf if is_hopeless else _milliseconds(step))
    times: list[list[float]] = [[] if one < HOPELESS * min(first) else [one] for one in first]
    slow = [bool(one) for one in times]
    for _ in range(ROUNDS):
        for step, measured, hopeless in zip(steps, times, slow, strict=True):
            if not hopeless:
                step()
                measured.append(_milliseconds(step))
    return [round(min(measured), 2) for measured in times]


def _milliseconds(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return (time.perf_counter() - started) * 1000
