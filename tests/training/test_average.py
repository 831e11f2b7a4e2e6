"""Weights that follow those in training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from lilliput.models.build import build_model
from lilliput.notation import parse
from lilliput.training.average import Average
from lilliput.training.loop import Step, fit
from lilliput.training.runtime import Runtime

PLAN = "ConvBNReLU(F3-4) -> MaxPool -> FCReLU(5) -> FC(3)"


def network() -> nn.Sequential:
    half = torch.full((3, 8, 8), 0.5)
    return build_model(parse(PLAN), half, half, seed=1)


def test_it_begins_as_the_network_and_follows_it_more_slowly_later() -> None:
    model = network()
    average = Average(model, decay=0.75)
    weights = [one.detach().clone() for one in model.state_dict().values()]
    assert not average.model.training
    for steps in range(1, 60):
        with torch.no_grad():
            for number, one in enumerate(model.state_dict().values()):
                one.add_(steps + number if one.is_floating_point() else 1)
        average.follow(steps)
        left = min(0.75, (1 + steps) / (10 + steps))
        for expected, now in zip(weights, model.state_dict().values(), strict=True):
            expected.copy_(now + (expected - now) * left if now.is_floating_point() else now)
    for expected, found in zip(weights, average.model.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected)
    assert left == 0.75


def test_it_shares_no_memory_with_the_network() -> None:
    model = network()
    average = Average(model, decay=0.9)
    places = {one.data_ptr() for one in model.state_dict().values()}
    assert not places & {one.data_ptr() for one in average.model.state_dict().values()}


def test_the_average_is_what_is_judged(
    make_recipe: Callable, make_state: Callable, make_batches: Callable, plain: Runtime
) -> None:
    recipe = make_recipe()
    state = make_state(recipe)
    state.average = Average(state.model, 0.9)
    judged: list[nn.Module] = []

    def validate(model: nn.Module, is_finished: bool) -> tuple[float, float]:
        judged.append(model)
        return 1.0, 0.5

    steps = sum(
        isinstance(one, Step) for one in fit(state, make_batches(recipe), validate, recipe, plain)
    )
    assert steps and all(model is state.average.model for model in judged)
    last = [one for one in state.model.parameters()]
    followed = [one for one in state.average.model.parameters()]
    assert all((a != b).any() for a, b in zip(last, followed, strict=True))
