"""The filters of Whiten, measured on training images."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from lilliput.models.blocks import Whitening

# Added to the variances (of standardised pixels), so that the faintest directions are not blown up. Jordan 2024,
# arXiv:2404.00498, uses 5e-4 for the four directions of 2x2 patches; large patches have fainter ones.
SMALLEST_VARIANCE = 1e-2


def whiten(model: nn.Sequential, images: Tensor) -> None:
    """Set the filters of every Whiten of ``model`` by these images, uint8[b,3,h,w]; without one, nothing happens.

    The filters are the eigenvectors of the patches' second moments, the strongest first, each divided by the square
    root of its eigenvalue.
    """
    with torch.inference_mode():
        for place, module in enumerate(model):
            if isinstance(module, Whitening):
                module.weight.copy_(_filters(module, model[:place].eval()(images)))


def _filters(module: Whitening, values: Tensor) -> Tensor:
    patches = unfold(values, module.weight.shape[2:], stride=module.stride)
    patches = patches.transpose(1, 2).flatten(0, 1)
    variances, directions = torch.linalg.eigh((patches.T @ patches).double() / len(patches))
    filters = (directions / (variances + SMALLEST_VARIANCE).sqrt()).T.flip(0)
    return filters[: len(module.weight)].reshape(module.weight.shape).float()
