"""Plan to network. The first layer (behind a Resize) standardises, so the model owns its pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lilliput.models.blocks import (
    BLOCKS,
    NONLINEARITIES,
    ResidualBlock,
    ResizedImages,
    Standardize,
)
from lilliput.models.shared import BatchNorm, SeededDropout, Shared, StochasticDepth
from lilliput.notation import Plan, Resize, trace

# SiLU falls below -1.28.
_RISING = tuple(type(make()) for name, make in NONLINEARITIES.items() if name != "SiLU")


def build_model(
    plan: Plan,
    mean: Tensor,
    scale: Tensor,
    *,
    seed: int = 0,
    stochastic_depth: float = 0.0,
    zero_init: bool = False,
) -> nn.Sequential:
    """The network of a plan: images uint8[b,3,h,w] in 0..255, or float in 0..1, in; logits float[b,classes] out.

    ``mean`` and ``scale`` are float32[3,h,w] for pixels in 0..1; h and w are the size of the images. A plan that begins
    with Resize uses their means over the image. Whitening filters are 0 until ``models.whiten`` measures them.
    Weights are drawn as He et al. (2015, arXiv:1502.01852) do, from ``seed`` alone; biases begin at 0, normalisations
    with factor 1 and offset 0. With ``zero_init`` every residual block begins by handing on what comes in: the last
    factors of its body, or filters where nothing normalises them, are 0 (Goyal et al. 2017, arXiv:1706.02677, 5.1).
    ``stochastic_depth`` 0..1 is how often training passes the last of these blocks by; the first never, those between
    in proportion (Huang et al. 2016, arXiv:1603.09382).
    Raises: NotationError when images of this size cannot pass the plan.
    """
    shape = tuple(mean.shape)
    modules: list[nn.Module] = []
    if isinstance(plan.layers[0], Resize):
        # Of any size: by one mean and one deviation per colour.
        mean, scale = mean.mean((1, 2), keepdim=True), scale.mean((1, 2), keepdim=True)
    # torch's layers draw weights of their own when they are made; the caller's random numbers stay as they were.
    with torch.random.fork_rng(devices=[]):
        for layer in trace(plan, shape):
            modules += BLOCKS[type(layer.layer)](layer.layer, shape)
            shape = layer.shape
    # Bytes are resized before anything else: that is fast, and leaves less to standardise.
    modules.insert(isinstance(plan.layers[0], Resize), Standardize(mean, scale))
    model = nn.Sequential(*pool_first(modules))
    _draw_weights(model, seed)
    blocks = [module for module in model.modules() if isinstance(module, ResidualBlock)]
    if zero_init:
        for block in blocks:
            nn.init.zeros_(_last_factors(block))
    if stochastic_depth:
        for number, block in enumerate(blocks):
            rate = stochastic_depth * number / max(1, len(blocks) - 1)
            block.body.append(StochasticDepth(rate))
    return model


def _last_factors(block: ResidualBlock) -> Tensor:
    return [m.weight for m in block.body if isinstance(m, (BatchNorm, nn.Conv2d))][-1]


def pool_first(modules: Sequence[nn.Module]) -> list[nn.Module]:
    """Swap every nonlinearity with the pooling behind it.

    The largest of rising values is the value of the largest, so the outputs are the same, and the nonlinearity has a
    quarter of the values to work on.
    """
    modules = list(modules)
    for place in range(len(modules) - 1):
        first, second = modules[place : place + 2]
        if isinstance(first, _RISING) and isinstance(second, nn.MaxPool2d):
            modules[place : place + 2] = [second, first]
    return modules


def seed_dropout(model: nn.Module, seed: int) -> None:
    """Let everything the model draws in its next step follow from ``seed``."""
    for number, module in enumerate(model.modules()):
        if isinstance(module, SeededDropout):
            module.reseed((seed + number) % 2**63)


def resize_images(model: nn.Module, pixels: int) -> None:
    """Let a model whose plan begins with Resize see its images this high and wide."""
    for module in model.modules():
        if isinstance(module, ResizedImages):
            module.pixels = pixels


def share_batch(model: nn.Module, images: int, part: slice) -> None:
    """Tell the model that its next step sees only ``part`` of a batch of ``images``, the rest being elsewhere."""
    for module in model.modules():
        if isinstance(module, Shared):
            module.batch_images, module.part = images, part


def _draw_weights(model: nn.Sequential, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    for layer in layers:
        # The last layer has no nonlinearity behind it that would halve its variance.
        gain = "linear" if layer is layers[-1] else "relu"
        nn.init.kaiming_normal_(layer.weight, nonlinearity=gain, generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
