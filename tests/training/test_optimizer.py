from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lilliput.recipe import OptimizerRecipe
from lilliput.training.optimizer import make_optimizer, set_rate


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


EVERY = [("sgd", "sgd"), ("adamw", "sgd"), ("muon", "sgd"), ("muon", "adamw")]


@pytest.mark.parametrize(("name", "rest"), EVERY)
def test_decoupled_decay_takes_the_same_share_whatever_the_optimizer(
    name: str, rest: str, small_model: nn.Sequential
) -> None:
    recipe = OptimizerRecipe(
        name=name, rest=rest, weight_decay=0.2, last_layer_decay=0.4, bias_decay=0.1
    )
    optimizer = make_optimizer(small_model, recipe)
    set_rate(optimizer, 0.5)
    before = [value.detach().clone() for value in small_model.parameters()]
    for parameter in small_model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    left = [0.9, 0.95, 0.8, 0.95]  # filters, their biases, the last layer, its biases
    expected = [share * value for share, value in zip(left, before, strict=True)]
    torch.testing.assert_close([value.detach() for value in small_model.parameters()], expected)


@pytest.mark.parametrize("length", [0.5, 50.0])
def test_a_long_gradient_is_shortened_and_a_short_one_left(
    length: float, small_model: nn.Sequential
) -> None:
    recipe = OptimizerRecipe(learning_rate=1.0, momentum=0.0, clip_norm=2.0)
    optimizer = make_optimizer(small_model, recipe)
    before = nn.utils.parameters_to_vector(small_model.parameters()).detach().clone()
    gradient = torch.randn(len(before), generator=torch.Generator().manual_seed(1))
    gradient *= length / gradient.norm()
    for parameter, part in zip(
        small_model.parameters(),
        gradient.split([p.numel() for p in small_model.parameters()]),
        strict=True,
    ):
        parameter.grad = part.reshape(parameter.shape).clone()
    optimizer.step()
    moved = before - nn.utils.parameters_to_vector(small_model.parameters()).detach()
    torch.testing.assert_close(moved, gradient * min(1, 2 / length), atol=1e-5, rtol=1e-3)


def _copies(model: nn.Sequential) -> list[nn.Sequential]:
    return [copy.deepcopy(model) for _ in range(2)]


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_adamw_moves_what_it_moves_as_torchs_does(name: str, small_model: nn.Sequential) -> None:
    ours, theirs = _copies(small_model)
    recipe = OptimizerRecipe(
        name=name,
        rest="adamw",
        learning_rate=0.01,
        square_momentum=0.95,
        weight_decay=0.1,
        bias_decay=0.1,
    )
    optimizers = [
        make_optimizer(ours, recipe),
        torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=(0.9, 0.95), weight_decay=0.1),
    ]
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    pairs = list(zip(ours.parameters(), theirs.parameters(), strict=True))
    for one, other in pairs if name == "adamw" else pairs[1:]:
        torch.testing.assert_close(one, other)
    if name == "muon":
        assert not torch.allclose(*pairs[0])


def test_what_l2_would_not_mean_is_refused() -> None:
    with pytest.raises(ValueError, match=r"use optimizer\.weight_decay"):
        OptimizerRecipe(name="adamw", l2=0.1)
