"""How the processes of one training share its batches: every batch is cut into as many parts, in order. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lilliput.errors import UsageError


@dataclass(frozen=True)
class Share:
    """The share of process ``rank`` (from 0) of ``size``."""

    rank: int = 0
    size: int = 1

    def part(self, images: int) -> slice:
        """Which of so many images are this process's; some or none when there are fewer images than processes."""
        return slice(images * self.rank // self.size, images * (self.rank + 1) // self.size)

    def weight(self, images: int) -> float:
        """How many of so many images are this process's, over how many each process has on average.

        The mean over the processes of their own means, weighted so, is the mean over the images.
        """
        part = self.part(images)
        return (part.stop - part.start) * self.size / images

    def refuse_uneven(self, batch_images: int) -> None:
        """Raises: UsageError when a whole batch cannot be cut into equal parts."""
        rest = batch_images % self.size
        if rest:
            below, above = batch_images - rest, batch_images - rest + self.size
            fitting = f"training.batch_images={above}"
            fitting += f" or {below}" if below else ""
            raise UsageError(
                f"training.batch_images = {batch_images} cannot be shared equally by {self.size} processes",
                f"the nearest that can: {fitting}",
            )

    def refuse_parts(self, parts: int) -> None:
        """Raises: UsageError when a step goes through the network in parts and several processes share it already."""
        if parts > 1 and self.size > 1:
            raise UsageError(
                f"training.accumulate = {parts} is for one process, and these are {self.size}",
                "each has a part of every step already: training.accumulate=1",
            )


def with_one_before(part: slice, images: int) -> NDArray[np.int64]:
    """The places of a part of so many images, led by the place before it; before the first comes the last."""
    first, last, _ = part.indices(images)
    return np.arange(first - 1, last) % max(images, 1)
