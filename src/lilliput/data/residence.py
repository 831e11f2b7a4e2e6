"""Where the pixels of a training live, and their way to the device.

On a GPU: in its own memory, if they fit; else on the disk, and sent a batch ahead while it computes. On a CPU: on the
disk, that is, in the system's cache of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lilliput.data.selection import Selection

# The pixels may take this share of the memory that is free when a training begins; the rest is the network's.
SHARE = 0.5
_CHUNK = 4096

Places = NDArray[np.int64] | slice
_T = TypeVar("_T")


class Residence(Protocol):
    """Selected images, handed out by their places in the selection."""

    def batches(self, wanted: Iterable[Places]) -> Iterator[Tensor]:
        """For each of ``wanted`` its images uint8[b,3,h,w] on the device; in memory they lie as [b,h,w,3]."""
        ...


class Resident:
    """All pixels in the memory of the device: only the places travel."""

    def __init__(self, selection: Selection, device: torch.device) -> None:
        self.device = device
        shape = (len(selection), *selection.split.images.shape[1:])
        self._pixels = torch.empty(shape, dtype=torch.uint8, device=device)
        for start in range(0, len(selection), _CHUNK):
            part = slice(start, start + _CHUNK)
            self._pixels[part] = torch.from_numpy(selection.images(part)).to(device)

    def batches(self, wanted: Iterable[Places]) -> Iterator[Tensor]:
        """See :class:`Residence`."""
        for places in wanted:
            if isinstance(places, slice):
                chosen = self._pixels[places]
            else:
                chosen = self._pixels.index_select(0, send(torch.from_numpy(places), self.device))
            yield chosen.permute(0, 3, 1, 2)


class Mapped:
    """The pixels on the disk, read when they are wanted; for a GPU a batch ahead, and sent beside its computing."""

    def __init__(self, selection: Selection, device: torch.device) -> None:
        self.selection = selection
        self.device = device
        self._aside = torch.cuda.Stream(device) if device.type == "cuda" else None

    def batches(self, wanted: Iterable[Places]) -> Iterator[Tensor]:
        """See :class:`Residence`."""
        read = (torch.from_numpy(self.selection.images(places)) for places in wanted)
        sent = read if self._aside is None else self._sent_ahead(read, self._aside)
        for images in sent:
            yield images.to(self.device).permute(0, 3, 1, 2)

    def _sent_ahead(self, read: Iterable[Tensor], aside: torch.cuda.Stream) -> Iterator[Tensor]:
        for images, arrived in one_ahead(self._send_aside(images, aside) for images in read):
            computing = torch.cuda.current_stream(self.device)
            computing.wait_event(arrived)
            # Their memory is not given away before the step is done with them.
            images.record_stream(computing)
            yield images

    def _send_aside(
        self, images: Tensor, aside: torch.cuda.Stream
    ) -> tuple[Tensor, torch.cuda.Event]:
        arrived = torch.cuda.Event()
        with torch.cuda.stream(aside):
            sent = send(images, self.device)
            arrived.record(aside)
        return sent, arrived


def reside(selection: Selection, device: torch.device) -> Residence:
    """Where the selected images are best kept for trainings on this device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if fits(selection, free):
            return Resident(selection, device)
    return Mapped(selection, device)


def fits(selection: Selection, free_bytes: int) -> bool:
    """Whether the pixels take no more than their :data:`SHARE` of the free memory."""
    return len(selection) * selection.split.images[:1].nbytes <= SHARE * free_bytes


def send(values: Tensor, device: torch.device) -> Tensor:
    """``values`` on the device. A GPU is not waited for: the copy takes its turn among what it has to do."""
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def one_ahead(items: Iterable[_T]) -> Iterator[_T]:
    """The items; each is handed out when the next one has been made."""
    waiting: list[_T] = []
    for item in items:
        waiting.append(item)
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting
