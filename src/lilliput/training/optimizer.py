"""Optimizers, and the paper's L2 penalty as they understand it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import SGD, Optimizer

from lilliput.recipe import OptimizerRecipe


def make_optimizer(model: nn.Module, recipe: OptimizerRecipe) -> Optimizer:
    """The optimizer of a recipe for the model's parameters.

    The paper adds lambda * ||W||^2 to the loss (§4.4), whose gradient is 2 * lambda * W. That gradient is what SGD's
    weight decay adds, so weights (every parameter of two or more dimensions) decay by 2 * lambda and biases by nothing.
    The losses that are reported are the softmax loss alone, without this term.
    """
    weights = [p for p in model.parameters() if p.ndim >= 2]
    biases = [p for p in model.parameters() if p.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": 2 * recipe.l2},
        {"params": biases, "weight_decay": 0.0},
    ]
    return OPTIMIZERS[recipe.name](groups, recipe)


def _sgd(groups: list[dict[str, Any]], recipe: OptimizerRecipe) -> Optimizer:
    # Nesterov's form needs a momentum to look ahead with.
    nesterov = recipe.nesterov and recipe.momentum > 0
    return SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov)


OPTIMIZERS: dict[str, Callable[[list[dict[str, Any]], OptimizerRecipe], Optimizer]] = {"sgd": _sgd}
"""Every optimizer by its name in a recipe."""
