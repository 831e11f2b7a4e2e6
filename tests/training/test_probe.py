from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from lilliput.data.batches import Batch
from lilliput.recipe import Recipe
from lilliput.training import probe
from lilliput.training.probe import Probe, choose_runtime
from lilliput.training.processes import ALONE
from lilliput.training.runtime import Runtime


@pytest.fixture
def choose(
    make_recipe: Callable, small_model: nn.Sequential, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Runtime]:
    """``choose(precision=...)`` with these keys of the recipe's training; all others are settled."""
    monkeypatch.setattr(probe, "is_bf16_hopeless", lambda device: False)
    images = torch.arange(4 * 3 * 8 * 8).reshape(4, 3, 8, 8) % 256
    batch = Batch(images.to(torch.uint8).float() / 255, torch.eye(5)[:4])

    class Batches(list):
        def epoch(self, number: int) -> Any:
            return iter(self)

    def choose(**keys: Any) -> Runtime:
        settled = {"precision": "fp32", "memory_format": "channels_last", "threads": 1}
        recipe = make_recipe(training={**settled, "step": "plain", **keys})
        return choose_runtime(recipe, "cpu", ALONE, small_model, Batches([batch]))

    return choose


OPEN = {"precision": "auto", "memory_format": "auto"}


@pytest.fixture(autouse=True)
def same_threads() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_every_open_choice_is_timed_and_one_is_taken(
    choose: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "HOPELESS", math.inf)
    chosen = choose(**OPEN)
    names = {f"{p} {f}" for p in ("fp32", "bf16") for f in ("contiguous", "channels_last")}
    assert {name.removesuffix(" 1 thread") for name in chosen.timings} == names
    assert f"{chosen.precision} {chosen.memory_format}" in names
    assert all(milliseconds > 0 for milliseconds in chosen.timings.values())


def test_model_and_random_numbers_are_left_alone(
    choose: Callable[..., Runtime], small_model: nn.Sequential
) -> None:
    before = {name: value.clone() for name, value in small_model.state_dict().items()}
    strides = [value.stride() for value in small_model.parameters()]
    state = torch.get_rng_state()
    choose(**OPEN)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], v) for name, v in small_model.state_dict().items())
    assert strides == [value.stride() for value in small_model.parameters()]
    assert all(parameter.grad is None for parameter in small_model.parameters())


def test_what_the_recipe_says_is_not_probed(
    choose: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Probe, "_step", lambda *one: pytest.fail("was probed"))
    chosen = choose(precision="bf16")
    assert (chosen.precision, chosen.memory_format) == ("bf16", "channels_last")
    assert (chosen.threads, chosen.step, chosen.timings) == (1, "plain", {})
    assert torch.get_num_threads() == 1


def test_half_of_it_open(choose: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_time_alternately", lambda *steps: [9.0, 3.0])
    monkeypatch.setattr(probe, "THREADS", 1)
    chosen = choose(precision="bf16", memory_format="auto")
    assert (chosen.precision, chosen.memory_format) == ("bf16", "contiguous")
    assert chosen.timings == {"bf16 channels_last": 9.0, "bf16 contiguous": 3.0}


def test_bf16_that_is_emulated_is_not_tried(
    choose: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "is_bf16_hopeless", lambda device: True)
    assert all(name.startswith("fp32") for name in choose(**OPEN).timings)
    assert choose(precision="bf16").precision == "bf16"  # who asks for it has it


@pytest.mark.parametrize(
    ("milliseconds", "taken"),
    [
        ({8: 10, 4: 9, 2: 1}, 8),  # not clearly faster, so nothing more is tried
        ({8: 10, 4: 5, 2: 4.9}, 4),
        ({8: 10, 4: 5, 2: 3, 1: 2}, 1),
        ({8: 500, 4: 5}, 8),  # a long step keeps all threads busy
    ],
)
def test_fewer_threads_where_they_are_faster(
    milliseconds: dict[int, float],
    taken: int,
    choose: Callable[..., Runtime],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "THREADS", 8)
    monkeypatch.setattr(
        Probe, "_step", lambda self, runtime: lambda: torch.set_num_threads(runtime.threads)
    )
    monkeypatch.setattr(
        probe, "_milliseconds", lambda step: step() or milliseconds[torch.get_num_threads()]
    )
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert choose(threads=0).threads == taken
    assert torch.get_num_threads() == taken
    monkeypatch.setenv("OMP_NUM_THREADS", "8")  # who sets it wants it
    assert choose(threads=0).threads == 8


def test_a_way_that_does_not_work_is_passed_over_and_told(
    choose: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(*one: object) -> nn.Module:
        raise RuntimeError("no C++ compiler\nand a long tale")

    monkeypatch.setattr("lilliput.training.stepper.compiled", no_compiler)
    chosen = choose(step="compiled")
    assert chosen.step == "plain"
    assert chosen.failures == {"compiled": "no C++ compiler"}
    assert choose(step="captured").step == "plain"  # for recipes that come from a GPU


@pytest.mark.parametrize(
    ("steps", "failing", "taken"),
    [
        (1000, (), "captured"),  # too short a training to compile for
        (1_000_000, (), "compiled"),
        (1_000_000, ("compiled",), "captured"),
        (1000, ("captured",), "plain"),
    ],
)
def test_on_a_gpu_long_trainings_are_compiled(
    steps: int,
    failing: tuple[str, ...],
    taken: str,
    make_recipe: Callable[..., Recipe],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = Runtime("cuda", "bf16", "channels_last", 1)
    costs = {"plain": 10.0, "captured": 9.0, "compiled": 5.0}
    chosen: list[str] = []
    monkeypatch.setattr(Probe, "_step", lambda self, one: lambda: chosen.append(one.step))
    monkeypatch.setattr(probe, "_milliseconds", lambda step: step() or costs[chosen[-1]])
    monkeypatch.setattr(Probe, "_works", lambda self, one: one.step not in failing)
    monkeypatch.setattr(probe, "compiler", lambda: "g++")
    found = Probe(make_recipe(), nn.Sequential(), Batch(torch.zeros(1), torch.zeros(1)))
    assert found.way(plain, steps).step == taken
    together = replace(plain, world=SimpleNamespace(size=2))  # pyrefly: ignore
    assert found.way(together, steps).step == "plain"


@pytest.mark.parametrize(
    ("timings", "taken"), [([10, 9, 11], 0), ([10, 7.5, 7], 2), ([10, 20, 30], 0), ([10, 5, 6], 1)]
)
def test_another_choice_must_be_clearly_faster(timings: list[float], taken: int) -> None:
    candidates = [Runtime("cpu", "fp32", "contiguous", n) for n in range(3)]
    assert probe._pick(candidates, timings) is candidates[taken]


def test_a_hopeless_candidate_is_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = {"a": 1.0, "b": 100.0, "c": 200.0}
    calls: list[str] = []

    def timed(step: Callable[[], None]) -> float:
        step()
        return costs[calls[-1]]

    monkeypatch.setattr(probe, "_milliseconds", timed)
    steps = [lambda name=name: calls.append(name) for name in costs]
    timings = probe._time_alternately(steps, ["fp32", "bf16", "bf16"])
    assert timings == [1.0, 100.0, math.inf]
    assert calls.count("b") == 1
    assert calls.count("c") == 0  # its kind is known to be hopeless
    assert calls.count("a") == 2 + 2 * probe.ROUNDS  # once unmeasured, once to warm up
