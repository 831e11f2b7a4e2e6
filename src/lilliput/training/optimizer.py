"""Optimizers, and the paper's L2 penalty as they understand it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from lilliput.recipe import OptimizerRecipe
from lilliput.training.muon import Muon

_MUON_FILTERS = 64


def make_optimizer(model: nn.Module, recipe: OptimizerRecipe) -> Optimizer:
    """The optimizer of a recipe for the model's parameters.

    The paper adds lambda * ||W||^2 to the loss (§4.4), whose gradient is 2 * lambda * W. That gradient is what SGD's
    weight decay adds, so weights (every parameter of two or more dimensions) decay by 2 * lambda and biases by nothing.
    The losses that are reported are the softmax loss alone, without this term.
    """
    return OPTIMIZERS[recipe.name](model, recipe)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Let the next step have this learning rate; a group with a ``factor`` has so many times that."""
    for group in optimizer.param_groups:
        own = rate * group.get("factor", 1)
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(own)
        else:
            group["lr"] = own


def keep_rates_on(optimizer: Optimizer, device: torch.device) -> None:
    """Keep the learning rates on the device: a step that was captured with them there follows when they change."""
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(float(group["lr"]), device=device)


def _sgd(model: nn.Module, recipe: OptimizerRecipe) -> Optimizer:
    weights = [p for p in model.parameters() if p.ndim >= 2]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": 2 * recipe.l2},
        {"params": _biases(model), "weight_decay": 0.0},
    ]
    # Nesterov's form needs a momentum to look ahead with.
    nesterov = recipe.nesterov and recipe.momentum > 0
    # One pass over the weights instead of five; and alone this form leaves the rate on the GPU where it lies there.
    fused = weights[0].device.type in ("cpu", "cuda") or None
    return SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=fused
    )


def _muon(model: nn.Module, recipe: OptimizerRecipe) -> Optimizer:
    rate = recipe.learning_rate
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    parts = {layer.weight: _parts(layer) for layer in layers[:-1]}
    groups: list[dict[str, Any]] = [
        {"params": [w for w in parts if parts[w] == number], "parts": number, "l2": recipe.l2}
        for number in sorted(set(parts.values()))
    ]
    last, biases = recipe.last_layer_rate / rate or 1, recipe.bias_rate / rate or 1
    groups.append({"params": [layers[-1].weight], "factor": last, "l2": recipe.l2})
    groups.append({"params": _biases(model), "factor": biases})
    return Muon(groups, lr=rate, momentum=recipe.momentum)


def _parts(layer: nn.Conv2d | nn.Linear) -> int:
    """Into how many matrices Muon cuts a weight: one per group, of at most 64 filters if that comes out even.

    Small ones cost less and learn no worse (docs/experiments.md).
    """
    groups, filters = getattr(layer, "groups", 1), len(layer.weight)
    even = (number for number in range(groups, filters, groups) if filters % number == 0)
    few = (number for number in even if filters // number <= _MUON_FILTERS)
    return next(few, groups)


def _biases(model: nn.Module) -> list[nn.Parameter]:
    return [p for p in model.parameters() if p.ndim < 2]


OPTIMIZERS: dict[str, Callable[[nn.Module, OptimizerRecipe], Optimizer]] = {
    "sgd": _sgd,
    "muon": _muon,
}
"""Every optimizer by its name in a recipe."""
