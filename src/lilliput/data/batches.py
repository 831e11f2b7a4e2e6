"""Batches: which images come when, and their way from the pack to the device.

The order is a pure function of (seed, epoch); what an augmentation draws is a pure function of (seed, epoch, step). So
the whole state of the input is three integers: a training goes on exactly where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import cached_property
from operator import getitem
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lilliput.data.residence import Residence, reside, send
from lilliput.data.selection import Selection
from lilliput.data.share import Share, with_one_before


class Batch(NamedTuple):
    """What a training step sees.

    images: uint8[b,3,h,w] in 0..255 or float[b,3,h,w] in 0..1; lies in memory as [b,h,w,3].
    targets: float32[b,k], for every image a probability per class.
    boxes: int16[b,4], the bounding boxes x0 y0 x1 y1 in pixels of the images as they are in the pack, both ends within
    the box, -1 where there is none; or None. An augmentation that moves pixels hands on None.
    weight: what the mean loss of these images counts for in the mean over all processes; see :class:`Share`.
    """

    images: Tensor
    targets: Tensor
    boxes: Tensor | None = None
    weight: float = 1.0


class Draws:
    """The random numbers of one step: one per image of the *global* batch, of which this process keeps its ``part``.

    So every process draws the same, and what happens to an image does not depend on how many processes there are.
    ``turns`` bool[images] says whose turn it is in this ``epoch`` (from 1); see :meth:`alternating`. A part
    given as places is led by the image before this process's own, which is there to be mixed with and then left out.
    """

    def __init__(
        self,
        seed: int,
        images: int,
        part: slice | NDArray[np.int64],
        device: torch.device,
        turns: NDArray[np.bool_] | None = None,
        epoch: int = 1,
    ) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._images = images
        self._part = part
        self._device = device
        self._turns = turns
        self.epoch = epoch

    @property
    def has_one_before(self) -> bool:
        """Whether the first image is the one before this process's own."""
        return not isinstance(self._part, slice)

    @property
    def are_whole(self) -> bool:
        """Whether this process has all images of the batch as its own."""
        part = self._part
        return isinstance(part, slice) and part.indices(self._images)[:2] == (0, self._images)

    def uniform(self, low: float, high: float) -> Tensor:
        """float32[b] from low to high."""
        drawn = torch.empty(self._images).uniform_(low, high, generator=self._generator)
        return send(drawn[self._part], self._device)

    def integers(self, low: int, high: int) -> Tensor:
        """int64[b] from low to high, both included."""
        drawn = torch.randint(low, high + 1, (self._images,), generator=self._generator)
        return send(drawn[self._part], self._device)

    def beta(self, alpha: float) -> Tensor:
        """float32[b] of Beta(alpha, alpha), 0 to 1."""
        seed = int(torch.randint(2**62, (), generator=self._generator))
        drawn = np.random.default_rng(seed).beta(alpha, alpha, self._images).astype(np.float32)
        return send(torch.from_numpy(drawn)[self._part], self._device)

    def integers_here(self, low: int, high: int) -> Tensor:
        """The same as :meth:`integers`, kept on the CPU, for what is decided there."""
        return torch.randint(low, high + 1, (self._images,), generator=self._generator)[self._part]

    def chance(self, probability: float) -> Tensor:
        """bool[b], true with this probability."""
        return self.uniform(0, 1) < probability

    def alternating(self) -> Tensor:
        """bool[b], for every image true in one epoch and false in the next; half of them begin with true."""
        assert self._turns is not None, "these draws know of no epochs"
        return send(torch.from_numpy(self._turns[self._part]), self._device)


Augmentation = Callable[[Batch, Draws], Batch]


class Batches:
    """The training images in random order, augmented, a batch at a time, every image once per epoch.

    ``targets`` float32[n,classes], a probability per class for every selected image, stand for the labels.
    """

    def __init__(  # noqa: PLR0913
        self,
        selection: Selection,
        classes: int,
        *,
        batch_images: int,
        seed: int,
        augmentations: Sequence[Augmentation] = (),
        device: torch.device | None = None,
        targets: NDArray[np.float32] | None = None,
    ) -> None:
        self.selection = selection
        self.classes = classes
        self.batch_images = batch_images
        self.seed = seed
        self.augmentations = tuple(augmentations)
        self.device = device or torch.device("cpu")
        self.targets = targets
        self.share = Share()
        self._reads_one_before = False

    def shared(self, share: Share, *, mixes: bool = False) -> Batches:
        """The same batches, of each of which this process hands out its share.

        ``mixes``: the last augmentation mixes an image with the one before it; the one before the share is read too.
        Raises: UsageError when they cannot be shared equally.
        """
        share.refuse_uneven(self.batch_images)
        batches = copy(self)
        batches.share = share
        batches._reads_one_before = mixes and share.size > 1
        return batches

    def __len__(self) -> int:
        return -(-len(self.selection) // self.batch_images)

    def images_in(self, step: int) -> int:
        """How many images the batch of a step (from 0) has over all processes; the last of an epoch may have fewer."""
        return min(self.batch_images, len(self.selection) - step * self.batch_images)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (counted from 1), from ``first_step`` (counted from 0) on."""
        order = epoch_order(self.seed, epoch, len(self.selection))
        steps = range(first_step, len(self))
        chosen = [order[s * self.batch_images : (s + 1) * self.batch_images] for s in steps]
        parts = [self._part(len(places)) for places in chosen]
        pixels = self._residence.batches(map(getitem, chosen, parts))
        for step, places, part, images in zip(steps, chosen, parts, pixels, strict=True):
            weight = self.share.weight(len(places))
            batch = self._with_targets(images, places[part])._replace(weight=weight)
            turns = self._begins[places] ^ (epoch % 2 == 0)
            seed = step_seed(self.seed, epoch, step)
            draws = Draws(seed, len(places), part, self.device, turns, epoch)
            for augmentation in self.augmentations:
                batch = augmentation(batch, draws)
            yield batch

    def _part(self, images: int) -> slice | NDArray[np.int64]:
        part = self.share.part(images)
        return with_one_before(part, images) if self._reads_one_before else part

    def _with_targets(self, images: Tensor, places: NDArray[np.int64]) -> Batch:
        boxes = send(torch.from_numpy(self.selection.boxes(places)), self.device)
        if self.targets is not None:
            return Batch(images, send(torch.from_numpy(self.targets[places]), self.device), boxes)
        labels = send(torch.from_numpy(self.selection.labels[places]), self.device)
        targets = torch.zeros(len(places), self.classes, device=self.device)
        return Batch(images, targets.scatter_(1, labels[:, None], 1.0), boxes)

    @cached_property
    def _residence(self) -> Residence:
        return reside(self.selection, self.device)

    @cached_property
    def _begins(self) -> NDArray[np.bool_]:
        """Whose turn it is in the first epoch, by one draw per selected image."""
        return np.random.default_rng([self.seed, 0]).random(len(self.selection)) < 0.5


def epoch_order(seed: int, epoch: int, images: int) -> NDArray[np.int64]:
    """In which order an epoch (from 1) visits the images: a permutation int64[images]."""
    return np.random.default_rng([seed, epoch]).permutation(images)


def step_seed(seed: int, epoch: int, step: int) -> int:
    """The seed of everything random within one step."""
    return int(np.random.SeedSequence([seed, epoch, step]).generate_state(1, np.uint64)[0] >> 1)
