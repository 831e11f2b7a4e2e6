"""A network whose weights follow those of the one in training, and so waver less from step to step."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    """The exponential average of the weights of a network (Tan and Le 2019, arXiv:1905.11946, section 5).

    ``model`` is a network of its own, in evaluation mode. Batch statistics are averaged like weights, so that they are
    those of about the same steps; none has to be measured anew.
    """

    def __init__(self, of: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(of).eval().requires_grad_(False)
        self.decay = decay
        self._followed = _floats(of)
        self._following = _floats(self.model)
        self._counts = [
            (own, other)
            for own, other in zip(_all(self.model), _all(of), strict=True)
            if not own.is_floating_point()
        ]

    @torch.no_grad()
    def follow(self, steps: int) -> None:
        """Come nearer to the network after its first ``steps`` steps: in the beginning faster than later.

        What is left of the average is ``decay``, at most (1 + steps) / (10 + steps).
        """
        left = min(self.decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(self._following, self._followed, 1 - left)
        for own, other in self._counts:
            own.copy_(other)


def _floats(model: nn.Module) -> list[Tensor]:
    return [one for one in _all(model) if one.is_floating_point()]


def _all(model: nn.Module) -> list[Tensor]:
    return list(model.state_dict(keep_vars=True).values())
