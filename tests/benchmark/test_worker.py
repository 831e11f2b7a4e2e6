from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lilliput.benchmark import worker
from lilliput.benchmark.worker import KINDS, Order, measure, most_memory
from lilliput.data.pack import Pack
from lilliput.recipe import load_recipe

SMALL = [
    "model.plan=ConvReLU(F3-4) -> MaxPool -> FC(4)",
    "model.dropout=0.0",
    "training.batch_images=16",
    "training.epochs=1",
    "training.precision=fp32",
    "training.memory_format=contiguous",
]


@pytest.fixture
def order(tiny_pack: Pack, tmp_path: Path) -> Iterator[Order]:
    yield Order("lilliput", load_recipe("m1", SMALL), tiny_pack.path, tmp_path, "cpu")
    worker._begin.cache_clear()


@pytest.mark.parametrize("kind", KINDS)
def test_everything_has_a_speed(kind: str, order: Order) -> None:
    assert measure(replace(order, kind=kind), 0) > 0


def test_a_training_that_ends_is_followed_by_another(order: Order, tmp_path: Path) -> None:
    for _ in range(3):  # of an untimed step and two timed ones each; an epoch has three
        measure(order, 0)
    assert {path.name for path in tmp_path.iterdir()} >= {"0", "1"}


def test_what_is_not_a_step_is_not_timed(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of 10 images takes one second, validation between them a thousand."""
    clock = [0.0]

    def events(order: Order) -> Iterator[int]:
        while True:
            clock[0] += 1000
            yield 0
            clock[0] += 1
            yield 10

    monkeypatch.setattr(worker.time, "perf_counter", lambda: clock[0])
    monkeypatch.setitem(KINDS, "lilliput", events)
    assert measure(order, 5) == pytest.approx(10)


def test_memory_is_more_than_nothing() -> None:
    assert most_memory("cpu") > 0
