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

    The probabilities of the ``views`` are averaged. The model is left in the mode it was in.
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
                    logits = [model(view(images)) for view in chosen]
                # On the CPU, because not every device has float64.
                mean = torch.stack([one.float().cpu().double().softmax(1) for one in logits]).mean(
                    0
                )
                results.append(mean.float().numpy())
    finally:
        model.train(was_training)
    return np.concatenate(results)


def _plain(images: Tensor) -> Tensor:
    return images


def _flip(images: Tensor) -> Tensor:
    return images.flip(3)


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {"plain": _plain, "flip": _flip}
"""What the network is shown of one image."""
