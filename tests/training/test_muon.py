from __future__ import annotations

import pytest
import torch
from torch import nn

from lilliput.recipe import OptimizerRecipe
from lilliput.training.muon import Muon, orthogonal
from lilliput.training.optimizer import make_optimizer, set_rate


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (5, 20), (20, 5)])
def test_it_comes_near_the_nearest_orthogonal_matrix(rows: int, columns: int) -> None:
    matrices = torch.randn(3, rows, columns, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    result = orthogonal(matrices, steps=5)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.4 and values.max() < 1.3
    likeness = (result * (left @ right)).sum((1, 2)) / min(rows, columns)
    assert likeness.min() > 0.7


def test_one_of_its_steps_is_as_long_in_every_direction() -> None:
    weight = nn.Parameter(torch.zeros(8, 4, 3, 3))
    weight.grad = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    Muon([{"params": [weight], "parts": 2}], lr=0.1, momentum=0.9).step()
    for half in weight.detach().chunk(2):
        values = torch.linalg.svdvals(half.flatten(1))
        assert values.max() / values.min() < 4
        assert values.min() > 0.02 and values.max() < 0.13


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (64, 3, 3, 3), (64, 4, 1, 1)])
def test_it_takes_the_same_step_however_the_numbers_lie_in_memory(shape: tuple[int, ...]) -> None:
    gradient = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    weights = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        weight = nn.Parameter(torch.zeros(shape).contiguous(memory_format=memory_format))
        weight.grad = gradient.contiguous(memory_format=memory_format)
        Muon([{"params": [weight], "parts": 2}], lr=0.1, momentum=0.9).step()
        weights.append(weight)
    torch.testing.assert_close(weights[0], weights[1])


def test_what_is_in_no_parts_moves_as_nesterovs_sgd_does() -> None:
    weights = [nn.Parameter(torch.ones(3, 2)) for _ in range(2)]
    muon = Muon([{"params": weights[:1], "l2": 0.05}], lr=0.1, momentum=0.9)
    sgd = torch.optim.SGD(weights[1:], lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)
    for step in range(3):
        for weight, optimizer in zip(weights, (muon, sgd), strict=True):
            weight.grad = torch.full((3, 2), float(step + 1))
            optimizer.step()
    torch.testing.assert_close(weights[0], weights[1])


def test_every_parameter_has_its_rate() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 128, 3, groups=4), nn.BatchNorm2d(128), nn.Conv2d(128, 96, 1), nn.Linear(9, 5)
    )
    recipe = OptimizerRecipe(name="muon", learning_rate=0.2, last_layer_rate=0.6, bias_rate=0.02)
    optimizer = make_optimizer(model, recipe)
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in model.parameters()}
    assert len(held) == len(list(model.parameters()))
    set_rate(optimizer, 0.1)
    found = {
        id(p): (round(group["lr"], 6), group["parts"])
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert found[id(model[0].weight)] == (0.1, 4)  # a matrix per group
    assert found[id(model[2].weight)] == (0.1, 2)  # of no more than 64 filters
    assert found[id(model[3].weight)] == (0.3, 0)
    assert {found[id(model[n].bias)] for n in (0, 1, 2, 3)} == {(0.01, 0)}
