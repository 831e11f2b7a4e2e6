"""fastai: ImageDataLoaders.from_folder, Learner, fit."""

from __future__ import annotations

import time
from functools import partial

import torch
from fastai.vision.all import (
    Callback,
    CancelFitException,
    CrossEntropyLossFlat,
    DataLoaders,
    FlipItem,
    ImageDataLoaders,
    Learner,
    Normalize,
    OptimWrapper,
    set_seed,
)

from networks import make_network
from task import (
    BATCH_IMAGES,
    DEVIATION,
    LEARNING_RATE,
    MEAN,
    MOMENTUM,
    Clock,
    Task,
    answer_seconds,
    read_task,
)


def make_loaders(task: Task) -> DataLoaders:
    """The class folders, each image mirrored every second time; 200 images are set aside, for fastai wants some."""
    return ImageDataLoaders.from_folder(
        task.data,
        valid_pct=0.002,
        seed=task.seed,
        item_tfms=FlipItem(0.5),
        batch_tfms=Normalize.from_stats(MEAN, DEVIATION, cuda=False),
        bs=BATCH_IMAGES,
        num_workers=task.workers,
        device=torch.device("cpu"),
    )


class Timer(Callback):
    """Tells the clock of every step, and ends the training after the last one that is wanted."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def after_batch(self) -> None:
        """A step is done."""
        if self.training and self.clock.step(self.loss.item()):
            raise CancelFitException


def train(task: Task) -> Clock:
    """A Learner and fit."""
    sgd = partial(OptimWrapper, opt=torch.optim.SGD, momentum=MOMENTUM, nesterov=True)
    learn = Learner(
        make_loaders(task),
        make_network(task.network),
        loss_func=CrossEntropyLossFlat(),
        opt_func=sgd,
    )
    timer = Timer(Clock(task))
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, lr=LEARNING_RATE, cbs=[timer])
    return timer.clock


def load(task: Task) -> Clock:
    """The loader alone."""
    clock = Clock(task)
    for _ in make_loaders(task).train:
        if clock.step():
            break
    return clock


if __name__ == "__main__":
    task = read_task()
    set_seed(task.seed)
    if task.action == "scan":
        started = time.perf_counter()
        make_loaders(task)
        answer_seconds(time.perf_counter() - started)
    else:
        {"train": train, "load": load}[task.action](task).answer()
