"""Plain PyTorch with torchvision: ImageFolder, DataLoader, a loop."""

from __future__ import annotations

import time

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import Compose, Normalize, RandomHorizontalFlip, ToTensor

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


def make_dataset(task: Task) -> ImageFolder:
    """The class folders, each image mirrored every second time."""
    transform = Compose([RandomHorizontalFlip(), ToTensor(), Normalize(MEAN, DEVIATION)])
    return ImageFolder(task.data, transform)


def make_loader(task: Task) -> DataLoader:
    """Shuffled batches."""
    return DataLoader(
        make_dataset(task), batch_size=BATCH_IMAGES, shuffle=True, num_workers=task.workers
    )


def train(task: Task) -> Clock:
    """The loop of PyTorch's tutorials."""
    model = make_network(task.network)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, nesterov=True
    )
    clock = Clock(task)
    model.train()
    for images, labels in make_loader(task):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        if clock.step(loss.item()):
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
