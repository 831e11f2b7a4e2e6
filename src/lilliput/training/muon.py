"""Muon: momentum whose steps change a layer's outputs by as much in every direction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adam import adam

NEWTON_SCHULZ_STEPS = 3
# The coefficients of Jordan's polynomial: a few steps bring the singular values near 1.
_FIRST, _THIRD, _FIFTH = 3.4445, -4.7750, 2.0315


class Muon(Optimizer):
    """Nesterov momentum, the weights' step replaced by the nearest orthogonal matrix.

    Jordan et al. 2024, https://kellerjordan.github.io/posts/muon. A parameter group has its own ``lr``, ``l2`` (2*l2
    times W is added to the gradient) and ``parts``: into how many matrices of equal height each weight is cut; 0 leaves
    the step as momentum makes it, for biases and for the last layer. A group with ``square_momentum`` is moved as Adam
    does (Kingma and Ba 2014, arXiv:1412.6980). ``momentum`` is shared. PyTorch's own Muon takes matrices alone, no
    convolutions.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], *, lr: float, momentum: float) -> None:
        # Of a group that is "fused", torch loads the number of steps to where the weights are.
        defaults = {"lr": lr, "momentum": momentum, "l2": 0.0, "parts": 0}
        defaults |= {"square_momentum": 0.0, "fused": True}
        super().__init__(list(groups), defaults)

    @torch.no_grad()
    # An optimizer of torch's may also be handed a function that computes the loss; nobody here does.
    def step(self, closure: None = None) -> None:  # pyrefly: ignore
        """One step along the gradients that are there."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights and group["square_momentum"]:
                self._step_of_adam(weights, group)
            elif weights:
                directions = self._directions(weights, group)
                # Not sub_ with alpha, which would fetch the rate from the GPU where it lies there.
                torch._foreach_mul_(directions, group["lr"])
                torch._foreach_sub_(weights, directions)

    def _directions(self, weights: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
        gradients = _gradients(weights, group)
        buffers = [self._momentum(weight) for weight in weights]
        torch._foreach_mul_(buffers, group["momentum"])
        torch._foreach_add_(buffers, gradients)
        ahead = list(torch._foreach_add(gradients, buffers, alpha=group["momentum"]))
        return [_even(one, group["parts"]) for one in ahead] if group["parts"] else ahead

    def _step_of_adam(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        for weight in weights:
            if not self.state[weight]:
                averages = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
                steps = torch.zeros((), dtype=torch.float32, device=weight.device)
                self.state[weight] = {"step": steps, **averages}
        kept = [self.state[weight] for weight in weights]
        adam(
            weights,
            _gradients(weights, group),
            *([one[name] for one in kept] for name in ("exp_avg", "exp_avg_sq")),
            max_exp_avg_sqs=[],
            state_steps=[one["step"] for one in kept],
            fused=weights[0].device.type in ("cpu", "cuda"),
            amsgrad=False,
            beta1=group["momentum"],
            beta2=group["square_momentum"],
            lr=group["lr"],
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        return state["momentum_buffer"]


def _gradients(weights: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if group["l2"]:
        gradients = list(torch._foreach_add(gradients, weights, alpha=2 * group["l2"]))
    return gradients


def _even(direction: Tensor, parts: int) -> Tensor:
    """The direction [f,...], each of its parts replaced by the nearest orthogonal matrix."""
    # As the numbers lie in memory: in which order they stand in a row does not matter.
    rows = direction.movedim(1, -1)
    matrices = rows.reshape(parts, len(rows) // parts, -1)
    tall = matrices.shape[1] / matrices.shape[2]
    return orthogonal(matrices).mul_(max(1, tall) ** 0.5).reshape(rows.shape).movedim(-1, 1)


def orthogonal(matrices: Tensor, steps: int = NEWTON_SCHULZ_STEPS) -> Tensor:
    """About the orthogonal matrices nearest to float[n,rows,columns], by Newton and Schulz's iteration."""
    tall = matrices.shape[1] > matrices.shape[2]
    values = matrices.mT if tall else matrices
    values = values / values.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(steps):
        squares = values @ values.mT
        polynomial = torch.baddbmm(squares, squares, squares, beta=_THIRD, alpha=_FIFTH)
        polynomial.diagonal(dim1=1, dim2=2).add_(_FIRST)
        values = polynomial @ values
    return values.mT if tall else values
