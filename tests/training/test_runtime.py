from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lilliput.errors import RunError, UsageError
from lilliput.recipe import TrainingRecipe
from lilliput.training import runtime
from lilliput.training.runtime import Runtime, choose_runtime, find_device, recorded_runtime


def training(**settings) -> TrainingRecipe:
    return TrainingRecipe(epochs=1, batch_images=4, **settings)


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    images = torch.arange(4 * 3 * 8 * 8).reshape(4, 3, 8, 8) % 256
    return images.float() / 255, torch.eye(5)[:4]


def test_the_probe_times_every_open_choice_and_takes_one(
    small_model: nn.Sequential, batch: tuple[Tensor, Tensor]
) -> None:
    chosen = choose_runtime(training(), "cpu", small_model, *batch)
    assert set(chosen.timings) == {
        f"{p} {f}" for p in ("fp32", "bf16") for f in ("contiguous", "channels_last")
    }
    assert f"{chosen.precision} {chosen.memory_format}" in chosen.timings
    assert all(milliseconds > 0 for milliseconds in chosen.timings.values())


def test_the_probe_leaves_the_model_and_the_random_numbers_alone(
    small_model: nn.Sequential, batch: tuple[Tensor, Tensor]
) -> None:
    before = {name: value.clone() for name, value in small_model.state_dict().items()}
    strides = [value.stride() for value in small_model.parameters()]
    state = torch.get_rng_state()
    choose_runtime(training(), "cpu", small_model, *batch)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], v) for name, v in small_model.state_dict().items())
    assert strides == [value.stride() for value in small_model.parameters()]
    assert all(parameter.grad is None for parameter in small_model.parameters())


def test_what_the_recipe_says_is_not_probed(
    small_model: nn.Sequential, batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_time_alternately", lambda *steps: pytest.fail("was probed"))
    asked = training(precision="bf16", memory_format="channels_last")
    chosen = choose_runtime(asked, "cpu", small_model, *batch)
    assert (chosen.precision, chosen.memory_format) == ("bf16", "channels_last")
    assert chosen.timings == {}


def test_half_of_it_open(
    small_model: nn.Sequential, batch: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_time_alternately", lambda *steps: [9.0, 3.0])
    chosen = choose_runtime(training(precision="bf16"), "cpu", small_model, *batch)
    assert (chosen.precision, chosen.memory_format) == ("bf16", "contiguous")
    assert chosen.timings == {"bf16 channels_last": 9.0, "bf16 contiguous": 3.0}


@pytest.mark.parametrize(
    ("timings", "taken"), [([10, 8, 11], 0), ([10, 7.5, 7], 2), ([10, 20, 30], 0), ([10, 5, 6], 1)]
)
def test_another_choice_must_be_clearly_faster(timings: list[float], taken: int) -> None:
    candidates = [Runtime("cpu", "fp32", "contiguous", n) for n in range(3)]
    assert runtime._pick(candidates, timings) is candidates[taken]


def test_a_hopeless_candidate_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = {"a": 1.0, "b": 100.0, "c": 200.0}
    calls: list[str] = []

    def timed(step: Callable[[], None]) -> float:
        step()
        return costs[calls[-1]]

    monkeypatch.setattr(runtime, "_milliseconds", timed)
    steps = [lambda name=name: calls.append(name) for name in costs]
    timings = runtime._time_alternately(steps, ["fp32", "bf16", "bf16"])
    assert timings == [1.0, 100.0, math.inf]
    assert calls.count("b") == 1
    assert calls.count("c") == 0  # its kind is known to be hopeless
    assert calls.count("a") == 2 + runtime.PROBE_ROUNDS  # once unmeasured, once to warm up


def test_devices() -> None:
    assert find_device("cpu") == "cpu"
    assert find_device("auto") in {"cpu", "cuda", "mps"}
    with pytest.raises(UsageError, match="no device 'cpuu'") as caught:
        find_device("cpuu")
    assert "cpu" in caught.value.hint
    with pytest.raises(UsageError):
        find_device("cuda:99")


def test_a_recorded_runtime_comes_back(plain: Runtime) -> None:
    assert recorded_runtime(plain.to_json(), "auto") == plain
    assert recorded_runtime(plain.to_json(), "cpu") == plain


@pytest.mark.parametrize("recorded", [{}, {"device": "cpu"}, {"device": "cpu", "x": 1}])
def test_a_damaged_record_is_refused(recorded: dict) -> None:
    with pytest.raises(RunError, match=r"environment\.json"):
        recorded_runtime(recorded, "auto")


def test_a_run_does_not_move_to_another_device(plain: Runtime) -> None:
    with pytest.raises(RunError, match="began on cuda:7"):
        recorded_runtime({**plain.to_json(), "device": "cuda:7"}, "cpu")
