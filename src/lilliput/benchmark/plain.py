"""The other side: training as a first PyTorch script does it, on pictures that are decoded already.

A Dataset varies one picture at a time, a DataLoader in the same process stacks them, the network stays in fp32 and
contiguous memory, its layers in the order of the plan. Reading JPEG files is not in it; ``docs/benchmarks.md`` measures
that too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset

from lilliput.data.selection import DataSet
from lilliput.data.statistics import image_size
from lilliput.models.blocks import BLOCKS
from lilliput.models.whiten import whiten
from lilliput.notation import Plan, trace
from lilliput.recipe import AugmentRecipe, Recipe

_GREY = torch.tensor((0.299, 0.587, 0.114))[:, None, None]
_SAMPLE_IMAGES = 1000


class Pictures(Dataset[Any]):
    """Pictures uint8[n,h,w,3] in memory; each comes out varied, as standardised float32[3,h,w], with its label.

    ``recipe`` is followed in mirroring, cropping, brightness, contrast and saturation.
    """

    def __init__(
        self, images: NDArray[np.uint8], labels: NDArray[np.int64], recipe: AugmentRecipe
    ) -> None:
        self.images = images
        self.labels = labels
        self.recipe = recipe
        sample = torch.from_numpy(images[:_SAMPLE_IMAGES]).float() / 255
        self.mean = sample.mean((0, 1, 2))[:, None, None]
        self.deviation = sample.std((0, 1, 2))[:, None, None].clamp(min=1 / 255)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = torch.from_numpy(self.images[index]).permute(2, 0, 1).contiguous().float() / 255
        image = (vary(image, self.recipe) - self.mean) / self.deviation
        return image, int(self.labels[index])


def vary(image: Tensor, recipe: AugmentRecipe) -> Tensor:
    """One picture float32[3,h,w] in 0..1, cropped, mirrored and recoloured by draws of its own."""
    if recipe.crop_pixels:
        height, width = image.shape[1:]
        wide = pad(image[None], (recipe.crop_pixels,) * 4, "reflect")[0]
        top, left = torch.randint(0, 2 * recipe.crop_pixels + 1, (2,)).tolist()
        image = wide[:, top : top + height, left : left + width]
    if recipe.flip and torch.rand(()) < 0.5:
        image = image.flip(2)
    if recipe.brightness:
        image = (image * _factor(recipe.brightness)).clamp(0, 1)
    if recipe.contrast:
        image = _blend(image, (image * _GREY).sum(0).mean(), _factor(recipe.contrast))
    if recipe.saturation:
        image = _blend(image, (image * _GREY).sum(0, keepdim=True), _factor(recipe.saturation))
    return image


def _factor(amount: float) -> Tensor:
    return 1 + amount * (2 * torch.rand(()) - 1)


def _blend(image: Tensor, towards: Tensor, factor: Tensor) -> Tensor:
    return (towards + factor * (image - towards)).clamp(0, 1)


def plain_batches(dataset: DataSet, recipe: Recipe) -> DataLoader[Any]:
    """The training pictures in random order, all of them once an iteration."""
    chosen = dataset.training
    pictures = Pictures(chosen.images(slice(None)), chosen.labels, recipe.augment)
    return DataLoader(pictures, batch_size=recipe.training.batch_images, shuffle=True)


def plain_network(plan: Plan, height: int, width: int) -> nn.Sequential:
    """The modules of a plan in its own order: standardised images float32[b,3,h,w] in, logits out."""
    shape: tuple[int, ...] = (3, height, width)
    modules: list[nn.Module] = []
    for layer in trace(plan, shape):
        modules += BLOCKS[type(layer.layer)](layer.layer, shape)
        shape = layer.shape
    return nn.Sequential(*modules)


def plain_steps(dataset: DataSet, recipe: Recipe, device: torch.device) -> Iterator[int]:
    """Train for ever with SGD and Nesterov's momentum; gives the number of images of every step taken."""
    plan = recipe.model.network(len(dataset.classes))
    model = plain_network(plan, *image_size(dataset.training))
    batches = plain_batches(dataset, recipe)
    whiten(model, next(iter(batches))[0])
    model.to(device).train()
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=recipe.optimizer.learning_rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=2 * recipe.optimizer.l2,
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.augment.label_smoothing)
    while True:
        for images, labels in batches:
            optimizer.zero_grad()
            loss = criterion(model(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            yield len(labels)
