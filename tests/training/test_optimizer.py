from __future__ import annotations

import pytest
import torch
from torch import nn

from lilliput.recipe import OptimizerRecipe
from lilliput.training.optimizer import make_optimizer


def test_a_step_follows_the_gradient_of_lambda_times_the_squared_weights(
    small_model: nn.Sequential,
) -> None:
    penalty, rate = 0.03, 0.5
    recipe = OptimizerRecipe(learning_rate=rate, momentum=0.0, l2=penalty)
    optimizer = make_optimizer(small_model, recipe)
    before = {name: value.detach().clone() for name, value in small_model.named_parameters()}
    weights = [value for value in small_model.parameters() if value.ndim >= 2]
    expected = torch.autograd.grad(penalty * sum((w**2).sum() for w in weights), weights)
    for parameter in small_model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    moved = [
        (before[name] - value.detach()) / rate for name, value in small_model.named_parameters()
    ]
    for gradient, step in zip(expected, [m for m in moved if m.ndim >= 2], strict=True):
        torch.testing.assert_close(step, gradient, atol=1e-7, rtol=1e-4)
    assert all(bool((step == 0).all()) for step in moved if step.ndim < 2)


def test_every_parameter_is_optimized_once(small_model: nn.Sequential) -> None:
    optimizer = make_optimizer(small_model, OptimizerRecipe())
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in small_model.parameters())


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, True)])
def test_nesterov_only_with_momentum(
    momentum: float, nesterov: bool, small_model: nn.Sequential
) -> None:
    optimizer = make_optimizer(small_model, OptimizerRecipe(momentum=momentum, nesterov=True))
    assert {group["nesterov"] for group in optimizer.param_groups} == {nesterov}
