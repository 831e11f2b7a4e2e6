from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lilliput.data.batches import Batch
from lilliput.data.pack import Pack
from lilliput.data.share import Share
from lilliput.errors import UsageError
from lilliput.experiment import run_steps
from lilliput.models.shared import BatchNorm
from lilliput.recipe import OptimizerRecipe
from lilliput.training.gradient import add_gradient, at_the_worst
from lilliput.training.loop import fit, train_step
from lilliput.training.optimizer import make_optimizer
from lilliput.training.processes import Group
from lilliput.training.runtime import Runtime


def batch_of(images: int) -> Batch:
    generator = torch.Generator().manual_seed(3)
    return Batch(
        torch.randn(images, 3, 8, 8, generator=generator),
        torch.rand(images, 5, generator=generator).softmax(1),
    )


def gradients(model: nn.Module) -> list[Tensor]:
    found = [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]
    model.zero_grad()
    return found


@pytest.mark.parametrize("images", [12, 7, 1])
@pytest.mark.parametrize("parts", [2, 3, 12])
def test_parts_add_up_to_the_whole(
    parts: int, images: int, small_model: nn.Sequential, plain: Runtime
) -> None:
    batch = batch_of(images)
    loss, logits = add_gradient(small_model, batch, plain)
    whole = gradients(small_model)
    loss_of_parts, logits_of_parts = add_gradient(small_model, batch, plain, parts)
    torch.testing.assert_close(gradients(small_model), whole, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(logits_of_parts, logits)
    torch.testing.assert_close(loss_of_parts, loss)
    torch.testing.assert_close(loss, cross_entropy(logits, batch.targets))


def test_sam_takes_the_gradient_of_a_place_up_the_slope(
    small_model: nn.Sequential, plain: Runtime
) -> None:
    batch, distance, rate = batch_of(6), 0.3, 0.5
    weights = list(small_model.parameters())
    before = [weight.detach().clone() for weight in weights]

    def slope(places: list[Tensor]) -> tuple[Tensor, ...]:
        named = dict(zip(dict(small_model.named_parameters()), places, strict=True))
        logits = torch.func.functional_call(small_model, named, batch.images)
        return torch.autograd.grad(cross_entropy(logits, batch.targets), places)

    here = [weight.clone().requires_grad_() for weight in before]
    up = slope(here)
    length = sum(float((one**2).sum()) for one in up) ** 0.5
    worst = [
        (weight + distance / length * one).detach().requires_grad_()
        for weight, one in zip(before, up, strict=True)
    ]
    expected = [weight - rate * one for weight, one in zip(before, slope(worst), strict=True)]
    optimizer = make_optimizer(small_model, OptimizerRecipe(learning_rate=rate, momentum=0.0))
    loss, _ = train_step(small_model, batch, optimizer, plain, sam=distance)
    torch.testing.assert_close([one.detach() for one in weights], expected, atol=1e-6, rtol=1e-4)
    here_loss = cross_entropy(
        torch.func.functional_call(
            small_model,
            dict(zip(dict(small_model.named_parameters()), before, strict=True)),
            batch.images,
        ),
        batch.targets,
    )
    torch.testing.assert_close(loss, here_loss)


def test_weights_and_batch_statistics_come_back_from_the_worst_place(plain: Runtime) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), BatchNorm(4), nn.Flatten(), nn.Linear(144, 5))
    batch = batch_of(6)
    add_gradient(model, batch, plain)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with at_the_worst(model, 0.5):
        moved = sum(
            float((value.detach() - before[name]).square().sum())
            for name, value in model.named_parameters()
        )
        assert moved == pytest.approx(0.25, rel=1e-4)
        add_gradient(model, batch, plain)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"accumulate": 5}},
        {"optimizer": {"sam": 0.05}},
        {"optimizer": {"name": "adamw", "l2": 0.0}},
    ],
)
def test_a_training_learns_so_too(
    changes: dict,
    make_recipe: Callable,
    make_state: Callable,
    make_batches: Callable,
    plain: Runtime,
) -> None:
    changes = {**changes, "training": {"epochs": 6, **changes.get("training", {})}}
    recipe = make_recipe(model={"dropout": 0.0}, **changes)
    state = make_state(recipe)
    for _ in fit(state, make_batches(recipe), lambda *_: (1.0, 0.5), recipe, plain):
        pass
    assert state.history[-1].train_loss < 0.8 * state.history[0].train_loss


def test_several_processes_take_no_parts() -> None:
    Share(0, 2).refuse_parts(1)
    Share().refuse_parts(4)
    with pytest.raises(UsageError, match="accumulate = 4 is for one process, and these are 2"):
        Share(0, 2).refuse_parts(4)


def test_parts_and_processes_are_refused_before_anything_is_written(
    make_recipe: Callable, tiny_pack: Pack, tmp_path: Path
) -> None:
    recipe = make_recipe(training={"accumulate": 5})
    with pytest.raises(UsageError, match="is for one process"):
        list(run_steps(recipe, tiny_pack, tmp_path / "run", device=Group(0, 2)))
    assert not (tmp_path / "run").exists()
