from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from lilliput.errors import TrainingError
from lilliput.results.history import Epoch
from lilliput.training import loop
from lilliput.training.loop import Step, check_finite, fit
from lilliput.training.runtime import Runtime


def validate(model: nn.Module, is_finished: bool) -> tuple[float, float]:
    return 1.0, 0.5


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_memorises_16_images(
    memory_format: str,
    precision: str,
    make_recipe: Callable,
    make_state: Callable,
    make_batches: Callable,
) -> None:
    recipe = make_recipe(
        data={"limit": 16},
        model={"plan": "ConvReLU(F3-8) -> MaxPool -> FCReLU(32) -> FC(4)", "dropout": 0.0},
        optimizer={"learning_rate": 0.01, "l2": 0.0},
        training={"epochs": 60, "batch_images": 8},
    )
    runtime = Runtime("cpu", precision, memory_format, torch.get_num_threads())
    state = make_state(recipe, runtime=runtime)
    for _ in fit(state, make_batches(recipe), validate, recipe, runtime):
        pass
    last = state.history[-1]
    assert last.train_accuracy == 1
    assert last.train_loss < 0.05


def test_what_happens_in_what_order(
    make_recipe: Callable, make_state: Callable, make_batches: Callable, plain: Runtime
) -> None:
    recipe = make_recipe(schedule={"every_epochs": 1, "factor": 0.5})
    events = list(fit(make_state(recipe), make_batches(recipe), validate, recipe, plain))
    one = [Step(1, n, 5, 10) for n in range(1, 5)] + [Step(1, 5, 5, 8)]
    assert events[:5] == one
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert [events.index(epoch) for epoch in epochs] == [5, 11]
    assert [epoch.learning_rate for epoch in epochs] == [0.02, 0.01]
    assert [(epoch.val_loss, epoch.val_accuracy) for epoch in epochs] == [(1.0, 0.5)] * 2
    assert all(0 <= epoch.train_accuracy <= 1 and epoch.train_loss > 0 for epoch in epochs)


def test_the_reported_loss_is_the_mean_softmax_loss_over_images(
    make_recipe: Callable, make_state: Callable, make_batches: Callable, plain: Runtime
) -> None:
    """With a rate too small to move, it is the loss of the untouched network, without the L2 term."""
    recipe = make_recipe(
        model={"dropout": 0.0},
        optimizer={"learning_rate": 1e-30, "l2": 5.0},
        training={"epochs": 1},
    )
    state, batches = make_state(recipe), make_batches(recipe)
    everything = list(batches.epoch(1))
    with torch.no_grad():
        logits = state.model(torch.cat([batch.images for batch in everything]))
    targets = torch.cat([batch.targets for batch in everything])
    expected = nn.functional.cross_entropy(logits, targets).item()
    for _ in fit(state, batches, validate, recipe, plain):
        pass
    assert state.history[0].train_loss == pytest.approx(expected, rel=1e-5)
    right = (logits.argmax(1) == targets.argmax(1)).float().mean().item()
    assert state.history[0].train_accuracy == pytest.approx(right)


def test_a_state_behind_the_last_step_of_an_epoch_goes_on_with_its_end(
    make_recipe: Callable, make_state: Callable, make_batches: Callable, plain: Runtime
) -> None:
    recipe = make_recipe(schedule={"name": "cosine"}, training={"epochs": 1})
    state = make_state(recipe)
    whole = fit(state, make_batches(recipe), validate, recipe, plain)
    for _ in range(5):
        next(whole)
    state_again = state  # a second loop over the state, as after loading it
    (epoch,) = fit(state_again, make_batches(recipe), validate, recipe, plain)
    assert isinstance(epoch, Epoch)
    assert epoch.learning_rate == pytest.approx(0.02 * (1 + math.cos(math.pi * 4 / 5)) / 2)


def test_a_lost_loss_is_told_with_step_and_seed(
    make_recipe: Callable, make_state: Callable, make_batches: Callable, plain: Runtime
) -> None:
    recipe = make_recipe(seed=77, optimizer={"learning_rate": 1e30})
    with pytest.raises(TrainingError, match=r"epoch 1, step 5 at the latest, seed 77") as caught:
        list(fit(make_state(recipe), make_batches(recipe), validate, recipe, plain))
    assert "optimizer.learning_rate=3.3e+29" in caught.value.hint


def test_it_is_noticed_within_a_long_epoch(
    make_recipe: Callable,
    make_state: Callable,
    make_batches: Callable,
    plain: Runtime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "LOSS_CHECK_STEPS", 3)
    recipe = make_recipe(optimizer={"learning_rate": 1e30})
    with pytest.raises(TrainingError, match="epoch 1, step 3 at the latest"):
        list(fit(make_state(recipe), make_batches(recipe), validate, recipe, plain))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_spoiled_weights_are_noticed_though_the_loss_is_fine(
    value: float, make_recipe: Callable, make_state: Callable
) -> None:
    recipe = make_recipe()
    state = make_state(recipe)
    check_finite(state, recipe)
    next(iter(state.model.parameters())).data.view(-1)[3] = value
    with pytest.raises(TrainingError, match="weights are no longer numbers: epoch 1, step 0"):
        check_finite(state, recipe)


def test_a_batch_statistic_that_is_no_number_is_noticed(
    make_recipe: Callable, make_state: Callable
) -> None:
    recipe = make_recipe(model={"plan": "ConvBNReLU(F3-4) -> GlobalPool -> FC(4)"})
    state = make_state(recipe)
    check_finite(state, recipe)
    state.model.state_dict()["2.running_var"][1] = math.inf
    with pytest.raises(TrainingError, match="no longer numbers"):
        check_finite(state, recipe)


def test_the_learning_record_counts_what_the_history_counts(
    make_recipe: Callable, make_state: Callable, make_batches: Callable, plain: Runtime
) -> None:
    recipe = make_recipe(training={"epochs": 3})
    state = make_state(recipe)
    for _ in fit(state, make_batches(recipe), validate, recipe, plain):
        pass
    assert state.learning is not None
    rows = np.unpackbits(np.stack(state.learning), axis=1, count=48)
    assert rows.mean(1).tolist() == [epoch.train_accuracy for epoch in state.history]


def test_the_network_is_finished_after_the_last_epoch_alone(
    make_recipe: Callable, make_state: Callable, make_batches: Callable, plain: Runtime
) -> None:
    told = []

    def note(model: nn.Module, is_finished: bool) -> tuple[float, float]:
        told.append(is_finished)
        return 1.0, 0.5

    recipe = make_recipe(training={"epochs": 3, "batch_images": 24})
    for _ in fit(make_state(recipe), make_batches(recipe), note, recipe, plain):
        pass
    assert told == [False, False, True]
