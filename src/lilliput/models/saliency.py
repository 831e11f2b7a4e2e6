"""Which pixels a prediction rests on, by captum's gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lilliput.errors import MissingExtraError, UsageError, did_you_mean
from lilliput.models.blocks import Standardize

STEPS = 32  # of the integral; the sum over a picture's pixels is then within a few percent of what it should be
_BATCH = 16
_BRIGHTEST = (
    0.99  # this quantile of a map becomes 1, so that a single pixel does not darken all others
)


def saliency(
    model: nn.Module, images: Tensor, classes: Tensor, *, method: str = "integrated"
) -> Tensor:
    """How much each pixel of images uint8[b,3,h,w] speaks for or against ``classes`` int64[b]: float32[b,h,w] in 0..1.

    ``method`` is a name of :data:`METHODS`. The model is in evaluation mode and stays unchanged.
    Raises: UsageError for an unknown method; MissingExtraError without captum.
    """
    if method not in METHODS:
        raise UsageError(f"there is no method '{method}'", did_you_mean(method, METHODS))
    try:
        from captum import attr
    except ImportError as error:
        raise MissingExtraError("explaining predictions", "explain") from error
    was_training = model.training
    model.eval()
    try:
        pixels = (images.float() / 255).requires_grad_()
        attributions = METHODS[method](attr, model, pixels, classes)
    finally:
        model.train(was_training)
    strength = attributions.detach().abs().sum(dim=1).float()
    top = strength.flatten(1).quantile(_BRIGHTEST, dim=1).clamp_min(1e-30)
    return (strength / top[:, None, None]).clamp(0, 1)


def saliency_maps(
    model: nn.Module,
    images: NDArray[np.uint8],
    classes: NDArray[np.int64],
    *,
    method: str = "integrated",
) -> NDArray[np.float32]:
    """:func:`saliency` of pictures uint8[m,h,w,3] as they lie in a pack, a few at a time: float32[m,h,w] in 0..1."""
    device = next(model.parameters()).device
    maps = [np.empty((0, *images.shape[1:3]), np.float32)]
    for start in range(0, len(images), _BATCH):
        part = slice(start, start + _BATCH)
        batch = torch.tensor(images[part], device=device).permute(0, 3, 1, 2)
        targets = torch.tensor(classes[part], device=device)
        maps.append(saliency(model, batch, targets, method=method).cpu().numpy())
    return np.concatenate(maps)


def _integrated(attr: Any, model: nn.Module, pixels: Tensor, classes: Tensor) -> Tensor:
    # Along the way from the mean image, which the network sees as nothing at all, to the picture.
    first = next((m for m in model.modules() if isinstance(m, Standardize)), None)
    start = first.mean.expand_as(pixels) if first else torch.zeros_like(pixels)
    integrated = attr.IntegratedGradients(model)
    return integrated.attribute(
        pixels, start, target=classes, n_steps=STEPS, internal_batch_size=256
    )


def _gradient(attr: Any, model: nn.Module, pixels: Tensor, classes: Tensor) -> Tensor:
    return attr.Saliency(model).attribute(pixels, target=classes)


METHODS: dict[str, Callable[[Any, nn.Module, Tensor, Tensor], Tensor]] = {
    "integrated": _integrated,
    "gradient": _gradient,
}
"""Integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365), or the plain gradient at the picture itself."""
