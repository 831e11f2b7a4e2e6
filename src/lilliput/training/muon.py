"""Muon: momentum whose steps change a layer's outputs by as much in every direction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

NEWTON_SCHULZ_STEPS = 3
# The coefficients of Jordan's polynomial: a few steps bring the singular values near 1.
_FIRST, _THIRD, _FIFTH = 3.4445, -4.7750, 2.0315


class Muon(Optimizer):
    """Nesterov momentum, the weights' step replaced by the nearest orthogonal matrix.

    Jordan et al. 2024, https://kellerjordan.github.io/posts/muon. A parameter group has its own ``lr``, ``l2`` (2*l2
    times W is added to the gradient) and ``parts``: into how many matrices of equal height each weight is cut; 0 leaves
    the step as momentum makes it, for biases and for the last layer. ``momentum`` is shared. PyTorch's own Muon takes
    matrices alone, no convolutions.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], *, lr: float, momentum: float) -> None:
        defaults = {"lr": lr, "momentum": momentum, "l2": 0.0, "parts": 0}
        super().__init__(list(groups), defaults)

    @torch.no_grad()
    # An optimizer of torch's may also be handed a function that computes the loss; nobody here does.
    def step(self, closure: None = None) -> None:  # pyrefly: ignore
        """One step along the gradients that are there."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    # Not add_ with alpha, which would fetch the rate from the GPU where it lies there.
                    direction = self._direction(weight, weight.grad, group)
                    weight.sub_(direction.mul_(group["lr"]))

    def _direction(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        if group["l2"]:
            gradient = gradient.add(weight, alpha=2 * group["l2"])
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(gradient)
        ahead = gradient.add(buffer, alpha=group["momentum"])
        if not group["parts"]:
            return ahead
        matrices = ahead.reshape(group["parts"], len(weight) // group["parts"], -1)
        rows, columns = matrices.shape[1:]
        length = max(1, rows / columns) ** 0.5
        return orthogonal(matrices).mul_(length).reshape(weight.shape)


def orthogonal(matrices: Tensor, steps: int = NEWTON_SCHULZ_STEPS) -> Tensor:
    """About the orthogonal matrices nearest to float[n,rows,columns], by Newton and Schulz's iteration."""
    tall = matrices.shape[1] > matrices.shape[2]
    values = matrices.mT if tall else matrices
    values = values / values.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(steps):
        squares = values @ values.mT
        polynomial = torch.baddbmm(squares, squares, squares, beta=_THIRD, alpha=_FIFTH)
        values = torch.baddbmm(values, polynomial, values, beta=_FIRST)
    return values.mT if tall else values
