"""Optimizers, and the paper's L2 penalty as they understand it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from lilliput.recipe import OptimizerRecipe
from lilliput.training.muon import Muon

_MUON_FILTERS = 64


def make_optimizer(model: nn.Module, recipe: OptimizerRecipe) -> Optimizer:
    """The optimizer of a recipe for the model's parameters.

    The paper adds lambda * ||W||^2 to the loss (§4.4), whose gradient is 2 * lambda * W. That gradient is what SGD's
    weight decay adds, so weights (every parameter of two or more dimensions) decay by 2 * lambda and biases by nothing.
    The losses that are reported are the softmax loss alone, without this term. A decoupled decay and a
    shortened gradient come before a step, and are the same for every optimizer.
    """
    optimizer = OPTIMIZERS[recipe.name](model, recipe)
    # Before a step; within it where that is captured.
    if recipe.clip_norm:
        optimizer.register_step_pre_hook(lambda one, *_: _clip(one, recipe.clip_norm))
    if recipe.weight_decay or recipe.last_layer_decay or recipe.bias_decay:
        optimizer.register_step_pre_hook(lambda one, *_: _decay(one))
    return optimizer


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
    groups = _groups(model, recipe)
    for group in groups:
        group["weight_decay"] = 2 * group.pop("l2")
    # Nesterov's form needs a momentum to look ahead with.
    nesterov = recipe.nesterov and recipe.momentum > 0
    return SGD(
        groups,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=nesterov,
        fused=_in_one_pass(model),
    )


def _adamw(model: nn.Module, recipe: OptimizerRecipe) -> Optimizer:
    # What decays is left to the groups' ``decay``.
    betas = (recipe.momentum, recipe.square_momentum)
    groups = [{**group, "weight_decay": 0.0} for group in _groups(model, recipe)]
    return AdamW(groups, lr=recipe.learning_rate, betas=betas, fused=_in_one_pass(model))


def _in_one_pass(model: nn.Module) -> bool | None:
    # Instead of five over the weights; and alone this form leaves the rate on the GPU where it lies there.
    return next(model.parameters()).device.type in ("cpu", "cuda") or None


def _muon(model: nn.Module, recipe: OptimizerRecipe) -> Optimizer:
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    parts = {id(layer.weight): _parts(layer) for layer in layers[:-1]}
    hidden, *rest = _groups(model, recipe)
    groups: list[dict[str, Any]] = [
        {
            **hidden,
            "params": [w for w in hidden["params"] if parts[id(w)] == number],
            "parts": number,
        }
        for number in sorted(set(parts.values()))
    ]
    own = {"square_momentum": recipe.square_momentum if recipe.rest == "adamw" else 0.0}
    groups += [{**group, **own} for group in rest]
    return Muon(groups, lr=recipe.learning_rate, momentum=recipe.momentum)


def _groups(model: nn.Module, recipe: OptimizerRecipe) -> list[dict[str, Any]]:
    """Weights (every parameter of two or more dimensions) but the last, the last layer's, biases and the like."""
    *hidden, last = (p for p in model.parameters() if p.ndim >= 2)
    decay, rate = recipe.weight_decay, recipe.learning_rate
    return [
        {"params": hidden, "l2": recipe.l2, "decay": decay},
        {
            "params": [last],
            "l2": recipe.l2,
            "factor": recipe.last_layer_rate / rate or 1,
            "decay": recipe.last_layer_decay or decay,
        },
        {
            "params": [p for p in model.parameters() if p.ndim < 2],
            "l2": 0.0,
            "factor": recipe.bias_rate / rate or 1,
            "decay": recipe.bias_decay,
        },
    ]


@torch.no_grad()
def _clip(optimizer: Optimizer, length: float) -> None:
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    nn.utils.clip_grad_norm_(weights, length)


@torch.no_grad()
def _decay(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        if group["decay"] and group["params"]:
            torch._foreach_mul_(group["params"], 1 - group["lr"] * group["decay"])


def _parts(layer: nn.Conv2d | nn.Linear) -> int:
    """Into how many matrices Muon cuts a weight: one per group, of at most 64 filters if that comes out even.

    Small ones cost less and learn no worse (docs/experiments.md).
    """
    groups, filters = getattr(layer, "groups", 1), len(layer.weight)
    even = (number for number in range(groups, filters, groups) if filters % number == 0)
    few = (number for number in even if filters // number <= _MUON_FILTERS)
    return next(few, groups)


OPTIMIZERS: dict[str, Callable[[nn.Module, OptimizerRecipe], Optimizer]] = {
    "sgd": _sgd,
    "adamw": _adamw,
    "muon": _muon,
}
"""Every optimizer by its name in a recipe."""
