"""Targets that are shared among classes, and images that are mixed with others of their batch."""

from __future__ import annotations

import torch
from torch import Tensor

from lilliput.data.augment.values import as_floats
from lilliput.data.batches import Batch, Draws


def smooth_labels(batch: Batch, draws: Draws, *, share: float) -> Batch:
    """Spread this share of every target evenly over the classes (Szegedy et al. 2015, arXiv:1512.00567, section 7).

    The loss of the training is then that of the smoothed targets; which class is right does not change.
    """
    return batch._replace(targets=batch.targets * (1 - share) + share / batch.targets.shape[1])


def mix(
    batch: Batch, draws: Draws, *, mixup: float, cutmix: float, probability: float, until_epoch: int
) -> Batch:
    """Mix an image and its target with those of the image before it in the batch; not after ``until_epoch``.

    ``mixup`` and ``cutmix`` are the alphas of the Beta distributions that shares are drawn from, 0 is never; where both
    are on each has half of the images. ``probability`` is how many are mixed at all. With mixup pixels are the weighted
    mean of both (Zhang et al. 2017, arXiv:1710.09412): floats. With cutmix a rectangle is the other image's (Yun et al.
    2019, arXiv:1905.04899), and the targets' shares are those of the area that is really there.
    Where other processes have the rest, the first image is the one before this process's, and is left out afterwards.
    """
    assert draws.are_whole or draws.has_one_before, "shared(..., mixes=True) reads it"
    images = as_floats(batch.images)
    if draws.epoch > until_epoch or not len(images):
        # Floats all the same: a step that was captured takes one kind of images.
        return _own(batch._replace(images=images), draws)
    mixed = draws.chance(probability)
    pasted = draws.chance(0.5 if mixup and cutmix else float(cutmix > 0))
    own = torch.where(pasted, draws.beta(cutmix or 1.0), draws.beta(mixup or 1.0))
    own = torch.where(mixed, own, 1.0)
    inside = _rectangle(batch.images.shape, (1 - own).sqrt(), draws)
    there = 1 - inside.flatten(1).float().mean(1)
    # An image is blended or pasted into; where nothing is done, all of it is its own.
    share = torch.where(pasted, there, own)
    weight = torch.where(pasted[:, None, None, None], (~inside).float(), own[:, None, None, None])
    images = torch.lerp(images.roll(1, 0), images, weight)
    targets = torch.lerp(batch.targets.roll(1, 0), batch.targets, share[:, None])
    return _own(batch._replace(images=images, targets=targets), draws)


def _own(batch: Batch, draws: Draws) -> Batch:
    """Without the image that was there to be mixed with, if there was one."""
    first = int(draws.has_one_before)
    images, targets = batch.images[first:], batch.targets[first:]
    return batch._replace(images=images, targets=targets, boxes=None)


def _rectangle(shape: torch.Size, side: Tensor, draws: Draws) -> Tensor:
    """bool[b,1,h,w]: a rectangle about a place in the image, as wide and high as ``side`` float[b], in shares of it."""
    _, _, height, width = shape
    rows = _between(draws.uniform(0, height), side * height, height)
    columns = _between(draws.uniform(0, width), side * width, width)
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _between(centre: Tensor, length: Tensor, size: int) -> Tensor:
    """bool[b,size]: the pixels within half a ``length`` of the ``centre``, to the nearest pixel."""
    places = torch.arange(size, device=centre.device) + 0.5
    return (places - centre[:, None]).abs() < length[:, None] / 2
