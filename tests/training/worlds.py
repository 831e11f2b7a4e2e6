"""Trainings in several processes, for ``test_processes.py``: ``python worlds.py PACK FOLDER`` leaves a run for each.

One program for all of them, that forks: PyTorch is loaded slowly. Nothing of PyTorch's has run before a fork.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import torch
import torch._dynamo  # which DistributedDataParallel else loads in every process
from pytest import raises

from lilliput.data.pack import Pack
from lilliput.errors import Interrupted, ProcessError, TrainingError
from lilliput.experiment import Group, follow_steps, run_steps
from lilliput.recipe import Recipe
from lilliput.training import loop, processes

# Normalised over the batch, dropout on maps and on neurons, the second block passed by at times; the last batch of 45
# images is one image.
PLAN = "ConvBNReLU(F3-6) -> Dropout(0.2) -> MaxPool -> Residual(F3-8) x2 -> GlobalPool -> Dropout(0.3) -> FC(4)"


def recipe(name: str, **training) -> Recipe:
    return Recipe.model_validate(
        {
            "name": name,
            "data": {"limit": 45},
            "model": {"plan": PLAN, "stochastic_depth": 0.5},
            "augment": {
                "flip": True,
                "crop_pixels": 2,
                "brightness": 0.2,
                "mixup": 0.4,
                "cutmix": 1.0,
            },
            "optimizer": {"learning_rate": 0.02, "l2": 1e-3},
            "training": {
                "epochs": 2,
                "batch_images": 4,
                "precision": "fp32",
                "memory_format": "channels_last",
                **training,
            },
        }
    )


def start(size: int, work: Callable[[int, Group | None], None]) -> list[int]:
    """The exit codes of so many processes that do ``work(rank, group)``."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = str(place.getsockname()[1])
    children = []
    for rank in range(size):
        child = os.fork()
        if not child:
            os.environ.update(RANK=str(rank), WORLD_SIZE=str(size))
            os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
            _be_one(rank, size, work)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _be_one(rank: int, size: int, work: Callable[[int, Group | None], None]) -> None:
    try:
        group = Group.of_environment(os.environ, "cpu") if size > 1 else None
        work(rank, group)
        if group:
            group.end()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def events(group: Group | None, one: Recipe, place: str, resume: bool = False) -> Generator:
    if group and not group.is_first:
        return follow_steps(one, PACK, group)
    return run_steps(one, PACK, FOLDER / place, device=group or "cpu", resume=resume)


def whole(rank: int, group: Group | None, place: str, one: Recipe, resume: bool = False) -> None:
    for _ in events(group, one, place, resume):
        pass


def left(rank: int, group: Group | None) -> None:
    """The second process is asked to stop after its 14th event; the others learn of it."""
    steps = events(group, recipe("same"), "left")
    if rank == 1:
        with closing(steps):
            for _ in islice(steps, 14):
                pass
        return
    with raises(Interrupted):
        for _ in steps:
            pass


def unbegun(rank: int, group: Group | None) -> None:
    """The first process is left before the first step: there is nothing to do for the other."""
    with closing(events(group, recipe("unbegun"), "unbegun")) as steps:
        assert len(list(islice(steps, 1))) == (rank == 0)


def lost(rank: int, group: Group | None) -> None:
    """A loss that is no number on the second process alone ends all at the same step."""
    step = loop.train_step

    def spoilt(*arguments, **settings):
        loss, right = step(*arguments, **settings)
        return loss * (math.nan if rank == 1 else 1), right

    loop.train_step = spoilt
    with raises(TrainingError, match="step 12 "):
        whole(rank, group, "lost", recipe("lost"))


def dead(rank: int, group: Group | None) -> None:
    """The second process is killed within a step; the other one says which it was."""
    assert group is not None
    processes.ROLL_CALL_SECONDS = 1.5
    with raises(ProcessError, match="process 1 of 2 is gone"):
        for number, _ in enumerate(events(group, recipe("dead", checkpoint_seconds=0), "dead")):
            if rank == 1 and number == 14:
                os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    for size in (1, 2, 4):
        work = partial(whole, place=f"same-{size}", one=recipe("same"))
        assert start(size, work) == [0] * size
    assert start(2, left) == [0, 0]
    assert start(4, partial(whole, place="left", one=recipe("same"), resume=True)) == [0] * 4
    assert start(2, unbegun) == [0, 0]
    assert start(2, lost) == [0, 0]
    assert start(2, dead) == [0, -signal.SIGKILL]
    again = partial(whole, place="dead", one=recipe("dead", checkpoint_seconds=0), resume=True)
    assert start(1, again) == [0]


if __name__ == "__main__":
    torch.set_num_threads(1)
    PACK, FOLDER = Pack.open(Path(sys.argv[1])), Path(sys.argv[2])
    main()
