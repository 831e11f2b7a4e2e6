from __future__ import annotations

import pickle

import pytest

from lilliput.benchmark.rounds import Round, _ask, _process, _take_turns
from lilliput.errors import LilliputError, UsageError
from lilliput.results.throughput import Measured
from lilliput.training.runtime import find_device


def test_turns_alternate_and_are_paired() -> None:
    order: list[str] = []

    def work(name: str, value: float):
        def go() -> float:
            order.append(name)
            return value + len(order)

        return go

    works = {"a": work("a", 0), "b": work("b", 10)}
    turns = _take_turns("title", works, 3)
    events = []
    try:
        while True:
            events.append(next(turns))
    except StopIteration as stop:
        found = stop.value
    assert "".join(order) == "abbaab"
    assert events == [Round("title", n, 3) for n in (1, 2, 3)]
    assert found == {"a": Measured((1.0, 4.0, 5.0)), "b": Measured((12.0, 13.0, 16.0))}


def test_an_error_in_a_process_is_told_with_its_hint_and_a_death_too() -> None:
    with _process() as process:
        with pytest.raises(UsageError, match="no device 'cpi'") as caught:
            _ask(process, find_device, "cpi")
        assert caught.value.hint == "did you mean 'cpu'?"
        with pytest.raises(LilliputError, match="was killed"):
            _ask(process, _die)


def _die() -> None:
    import os

    os._exit(9)


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(LilliputError("what", "hint")))
    assert (str(error), error.hint) == ("what", "hint")
