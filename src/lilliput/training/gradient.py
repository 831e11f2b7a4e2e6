"""The gradient of a step: all its images at once or part by part, where the weights are or where it is worst nearby."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lilliput.data.batches import Batch
from lilliput.training.runtime import Runtime


def add_gradient(
    model: nn.Module, batch: Batch, runtime: Runtime, parts: int = 1
) -> tuple[Tensor, Tensor]:
    """Add the gradient of a batch's mean softmax loss to that of the weights. Gives the loss float32[] and logits
    float[b,classes].

    The images go through the network in so many ``parts``, one after the other, of which each is normalised by itself.
    """
    losses, found = [], []
    pairs = zip(batch.images.chunk(parts), batch.targets.chunk(parts), strict=True)
    for images, targets in pairs:
        with runtime.autocast():
            logits = model(runtime.arrange(images))
            # Not torch's own mean: of the last batch of an epoch a process may have no image.
            loss = cross_entropy(logits, targets, reduction="sum") / max(len(batch.images), 1)
        (loss * batch.weight).backward()
        losses.append(loss.detach().float())
        found.append(logits.detach())
    if parts == 1:
        return losses[0], found[0]
    return torch.stack(losses).sum(), torch.cat(found)


@contextmanager
def at_the_worst(model: nn.Module, distance: float) -> Iterator[None]:
    """Within it the weights stand where the loss rises most: ``distance`` away, up the gradient, which is forgotten.

    A gradient taken there is that of sharpness-aware minimisation (Foret et al. 2020, arXiv:2010.01412). Weights and
    batch statistics are then what they were.
    """
    weights: list[Tensor] = [one for one in model.parameters() if one.grad is not None]
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    kept = [*weights, *model.buffers()]
    with torch.no_grad():
        before = [one.clone() for one in kept]
        length = nn.utils.get_total_norm(gradients).clamp_min(1e-12)
        moves = torch._foreach_mul(gradients, distance / length)
        torch._foreach_add_(weights, moves)
    for weight in weights:
        weight.grad = None
    yield
    with torch.no_grad():
        for one, old in zip(kept, before, strict=True):
            one.copy_(old)
