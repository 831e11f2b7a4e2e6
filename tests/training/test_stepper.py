from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lilliput.data.batches import Batch
from lilliput.models.build import seed_dropout
from lilliput.training import loop, stepper
from lilliput.training.loop import fit, train_step
from lilliput.training.optimizer import keep_rates_on, make_optimizer, set_rate
from lilliput.training.runtime import Runtime
from lilliput.training.stepper import FIRST_STEPS, Captured, Result, compiled, make_stepper

PLANS = {
    "normalised, dropout": "ConvBNReLU(F3-6) -> MaxPool -> FCReLU(12) -> FC(4)",
    "passed by": "ConvReLU(F3-6,S2) -> PreAct(F3-6) x2 -> BNReLU -> GlobalPool -> FC(4)",
    "resized": "Resize(8) -> ConvReLU(F3-6) -> GlobalPool -> FC(4)",
}


def validate(model: nn.Module, is_finished: bool) -> tuple[float, float]:
    return 1.0, 0.5


def pretend(
    step: Callable[[], Result], generators: Sequence[torch.Generator]
) -> tuple[Callable[[], None], Result]:
    """As a CUDA graph behaves: nothing is done at first, and results always lie in the same place."""
    result: list[Tensor] = []
    mean_loss, right = torch.zeros(()), torch.zeros(10, dtype=torch.bool)

    def replay() -> None:
        result[:] = step()
        mean_loss.copy_(result[0])
        right.copy_(result[1])

    return replay, (mean_loss, right)


def history(
    make_recipe: Callable, make_state: Callable, make_batches: Callable, **changes: Any
) -> tuple[list[float], dict[str, Tensor]]:
    runtime = changes.pop("runtime")
    recipe = make_recipe(schedule={"name": "one-cycle"}, **changes)
    state = make_state(recipe, runtime=runtime)
    state.sums = state.sums.to(runtime.torch_device)
    for _ in fit(state, make_batches(recipe), validate, recipe, runtime):
        pass
    return [e.train_loss for e in state.history], state.model.state_dict()


WAYS = [
    {"name": "sgd"},
    {"name": "muon"},
    {"name": "adamw", "l2": 0.0, "weight_decay": 0.1},
    {"name": "muon", "rest": "adamw", "clip_norm": 0.5, "sam": 0.05, "bias_decay": 0.1},
]


@pytest.mark.parametrize("optimizer", WAYS, ids=lambda one: "-".join(map(str, one)))
@pytest.mark.parametrize("plan", PLANS)
def test_a_captured_training_is_the_same_training(  # noqa: PLR0913
    plan: str,
    optimizer: dict,
    make_recipe: Callable,
    make_state: Callable,
    make_batches: Callable,
    plain: Runtime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five steps an epoch, the last of them smaller; the rate moves with every step, the images grow."""
    changes = {
        "model": {"plan": PLANS[plan], "dropout": 0.3, "stochastic_depth": 0.5},
        "optimizer": optimizer,
        "training": {"epochs": 4, "image_pixels": [6, 8] if plan == "resized" else []},
        "runtime": plain,
    }
    expected = history(make_recipe, make_state, make_batches, **changes)
    captured: list[Captured] = []

    def make(
        train_step: Any, model: Any, optimizer: Any, runtime: Any, images: int, parts: int
    ) -> Captured:
        keep_rates_on(optimizer, torch.device("cpu"))
        step = make_stepper(train_step, model, optimizer, runtime, images, parts).step
        captured.append(Captured(step, model, images, pretend))
        return captured[-1]

    monkeypatch.setattr(loop, "make_stepper", make)
    losses, weights = history(make_recipe, make_state, make_batches, **changes)
    assert captured[0]._replay is not None
    assert losses == pytest.approx(expected[0], rel=1e-5)
    torch.testing.assert_close(weights, expected[1], rtol=1e-4, atol=1e-6)


def test_a_step_is_captured_once_and_anew_when_images_grow() -> None:
    taken, captures = [], []

    def step(batch: Batch) -> Result:
        taken.append(batch.images.sum().item())
        return torch.zeros(()), torch.zeros(10, dtype=torch.bool)

    def capture(step: Callable, generators: Sequence) -> tuple[Callable[[], None], Result]:
        captures.append(len(taken))
        return pretend(step, generators)

    take = Captured(step, nn.Sequential(), 10, capture)

    def batch(value: int, images: int = 10) -> Batch:
        return Batch(torch.full((images, 3, 1, 1), float(value)), torch.zeros(images, 4))

    for value in range(FIRST_STEPS + 2):
        take(batch(value))
    take(batch(100, images=3))
    assert taken == [30.0 * value for value in range(FIRST_STEPS + 2)] + [900.0]
    assert captures == [FIRST_STEPS]
    take.resized(16)
    take(batch(0))
    take.resized(16)
    for value in range(1, FIRST_STEPS + 2):
        take(batch(value))
    assert captures == [FIRST_STEPS, 2 * FIRST_STEPS + 3]


def test_rates_on_the_device_move_in_place(make_recipe: Callable, small_model: nn.Module) -> None:
    optimizer = make_optimizer(small_model, make_recipe().optimizer)
    set_rate(optimizer, 0.5)
    keep_rates_on(optimizer, torch.device("cpu"))
    kept = [group["lr"] for group in optimizer.param_groups]
    set_rate(optimizer, 0.25)
    assert {rate.item() for rate in kept} == {0.25}
    assert all(a is b["lr"] for a, b in zip(kept, optimizer.param_groups, strict=True))


@pytest.mark.filterwarnings(
    "ignore:The .grad attribute"
)  # the compiler's own, where a stretch follows another
def test_a_compiled_step_is_the_same_step(
    make_recipe: Callable,
    make_state: Callable,
    make_batches: Callable,
    plain: Runtime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = compiled
    seen: list[torch.Size] = []

    def backend(graph: torch.fx.GraphModule, inputs: list) -> Callable:
        def run(*values: Tensor) -> Any:
            seen.append(next(v.shape for v in values if isinstance(v, Tensor) and v.ndim in {2, 4}))
            return graph(*values)

        return run

    monkeypatch.setattr(stepper, "compiled", lambda model, images: whole(model, images, backend))
    recipe = make_recipe()
    results = []
    for step in ("plain", "compiled"):
        runtime = replace(plain, step=step)
        state = make_state(recipe, runtime=runtime)
        take_step = make_stepper(train_step, state.model, state.optimizer, runtime, 10)
        state.model.train()
        for number, batch in enumerate(make_batches(recipe).epoch(1)):
            seed_dropout(state.model, number)
            loss, right = take_step(batch)
        results.append((loss, right, copy.deepcopy(state.model.state_dict())))
    torch.testing.assert_close(results[0], results[1])
    assert (
        len(seen) == 2 * 4
    )  # before and behind the dropout; the last batch, which is smaller, is not compiled


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
@pytest.mark.parametrize("step", ["captured", "compiled"])
def test_on_a_gpu_a_captured_training_is_the_same_training(
    step: str,
    optimizer: str,
    make_recipe: Callable,
    make_state: Callable,
    make_batches: Callable,
) -> None:
    runtime = Runtime("cuda", "fp32", "channels_last", 1)
    changes = {"optimizer": {"name": optimizer}, "training": {"epochs": 4}}
    losses = []
    for one in (runtime, replace(runtime, step=step)):

        def batches(recipe: Any) -> Any:
            found = make_batches(recipe)
            found.device = runtime.torch_device
            return found

        losses.append(history(make_recipe, make_state, batches, runtime=one, **changes)[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
