"""timm's training pieces: create_dataset, create_loader with its prefetcher, create_optimizer_v2, train.py's loop."""

from __future__ import annotations

import time

import torch
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from timm.utils import AverageMeter
from torch import nn

from networks import make_network
from task import (
    BATCH_IMAGES,
    DEVIATION,
    IMAGE_PIXELS,
    LEARNING_RATE,
    MEAN,
    MOMENTUM,
    Clock,
    Task,
    answer_seconds,
    read_task,
)


def make_dataset(task: Task) -> torch.utils.data.Dataset:
    """The class folders."""
    return create_dataset("", root=str(task.data.parent), split=task.data.name)


def make_loader(task: Task):
    """Shuffled batches, whole images, mirrored every second time."""
    return create_loader(
        make_dataset(task),
        input_size=(3, IMAGE_PIXELS, IMAGE_PIXELS),
        batch_size=BATCH_IMAGES,
        is_training=True,
        scale=(1.0, 1.0),
        ratio=(1.0, 1.0),
        hflip=0.5,
        color_jitter=None,
        interpolation="bilinear",
        mean=MEAN,
        std=DEVIATION,
        num_workers=task.workers,
        device=torch.device("cpu"),
    )


def train(task: Task) -> Clock:
    """The inner loop of timm's train.py, without what is switched off by default."""
    model = make_network(task.network)
    loss_fn = nn.CrossEntropyLoss()
    # timm's "sgd" is SGD with Nesterov's momentum.
    optimizer = create_optimizer_v2(
        model, opt="sgd", lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=0.0
    )
    losses = AverageMeter()
    clock = Clock(task)
    model.train()
    for images, labels in make_loader(task):
        loss = loss_fn(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), len(images))
        if clock.step(losses.val):
            break
    return clock


def load(task: Task) -> Clock:
    """The loader alone."""
    clock = Clock(task)
    for _ in make_loader(task):
        if clock.step():
            break
    return clock


if __name__ == "__main__":
    task = read_task()
    torch.manual_seed(task.seed)
    if task.action == "scan":
        started = time.perf_counter()
        make_dataset(task)
        answer_seconds(time.perf_counter() - started)
    else:
        {"train": train, "load": load}[task.action](task).answer()
