"""Network and images to probabilities, with test views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lilliput.errors import UsageError, did_you_mean


def predict(
    model: nn.Module,
    batches: Iterable[Tensor],
    *,
    views: Sequence[str] = ("plain",),
    bf16: bool = False,
) -> NDArray[np.float32]:
    """Probabilities float32[n,k] of images that come as batches [b,3,h,w] on the model's device.

    The probabilities of all pictures of the ``views`` are averaged. The model is left in the mode it was in.
    Raises: UsageError for an unknown view.
    """
    chosen = []
    for view in views:
        if view not in VIEWS:
            raise UsageError(f"there is no view '{view}'", did_you_mean(view, VIEWS))
        chosen.append(VIEWS[view])
    was_training = model.training
    model.eval()
    results = []
    try:
        with torch.inference_mode():
            for images in batches:
                with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
                    logits = [model(picture) for view in chosen for picture in view(images)]
                # On the CPU, because not every device has float64.
                mean = torch.stack([one.float().cpu().double().softmax(1) for one in logits]).mean(
                    0
                )
                results.append(mean.float().numpy())
    finally:
        model.train(was_training)
    return np.concatenate(results)


def _plain(images: Tensor) -> list[Tensor]:
    return [images]


def _flip(images: Tensor) -> list[Tensor]:
    return [images.flip(3)]


def _shift(images: Tensor) -> list[Tensor]:
    """By a thirty-second of the side down and right, and up and left, edges mirrored; and the mirror image of both.

    All four corners say no more (docs/experiments.md).
    """
    height, width = images.shape[2:]
    corners = []
    for way in (-1, 1):
        rows = _shifted(images, height, way * (height // _SHIFTS))
        columns = _shifted(images, width, way * (width // _SHIFTS))
        corners.append(images.index_select(2, rows).index_select(3, columns))
    return [*corners, *(corner.flip(3) for corner in corners)]


def _shifted(images: Tensor, length: int, shift: int) -> Tensor:
    places = (torch.arange(length, device=images.device) + shift).abs()
    return torch.where(places >= length, 2 * (length - 1) - places, places)


_SHIFTS = 32

VIEWS: dict[str, Callable[[Tensor], list[Tensor]]] = {
    "plain": _plain,
    "flip": _flip,
    "shift": _shift,
}
"""The pictures that the network is shown of one image."""
