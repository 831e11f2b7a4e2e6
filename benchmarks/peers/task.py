"""What ``run.py`` asks of every peer, and how it wants the answer: one line of JSON. Python's own library only."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

# The same for everyone. Mean and deviation of the training pixels, per channel, as Tiny ImageNet's users quote them.
CLASSES = 200
IMAGE_PIXELS = 64
BATCH_IMAGES = 64
LEARNING_RATE = 0.01
MOMENTUM = 0.9
MEAN = (0.480, 0.448, 0.398)
DEVIATION = (0.277, 0.269, 0.282)


class Task(argparse.Namespace):
    """One measurement in a process of its own.

    ``action`` is ``train``, ``load`` (the loader alone, up to what the network takes in) or ``scan`` (what a framework
    does before its first batch; for Lilliput: the packing). ``warmup`` steps are not timed, ``steps`` after them are.
    ``data`` is a folder of class folders, or Lilliput's pack; ``workers`` are processes of the loader.
    """

    action: str
    network: str
    data: Path
    source: Path
    scratch: Path
    warmup: int
    steps: int
    workers: int
    seed: int


def read_task() -> Task:
    """The task as ``run.py`` gave it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["train", "load", "scan"])
    parser.add_argument("--network", choices=["m1", "m4"], default="m1")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(namespace=Task())


class Clock:
    """Counts steps: the time begins after the warm-up and ends with the last step."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.steps = 0
        self.losses: list[float] = []
        self._began = self._ended = 0.0

    def step(self, loss: float | None = None) -> bool:
        """A batch has been trained on, or loaded; whether it was the last one that is wanted."""
        self.steps += 1
        if loss is not None:
            self.losses.append(loss)
        self._ended = time.perf_counter()
        if self.steps == self.task.warmup:
            self._began = self._ended
        return self.steps == self.task.warmup + self.task.steps

    def answer(self, **more: object) -> None:
        """Tell images per second, and the mean loss over all steps, those of the warm-up included."""
        seconds = self._ended - self._began
        facts = {"seconds": seconds, "images_per_second": self.task.steps * BATCH_IMAGES / seconds}
        if self.losses:
            facts["loss"] = sum(self.losses) / len(self.losses)
        print(json.dumps({**facts, **more}), flush=True)


def answer_seconds(seconds: float, **more: object) -> None:
    """Tell how long a scan took."""
    print(json.dumps({"seconds": seconds, **more}), flush=True)
