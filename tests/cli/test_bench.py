from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from lilliput.benchmark import ceiling, rounds, worker
from lilliput.cli.app import run
from lilliput.data.pack import Pack

WORDS = [
    "toy-a",
    "model.plan=ConvReLU(F3-4) -> MaxPool -> FC(4)",
    "model.dropout=0.0",
    "training.precision=fp32",
    "training.memory_format=contiguous",
    "--device=cpu",
    "--rounds=2",
    "--seconds=0",
]


class Here:
    """Does at once, in this process, what a process of its own would take seconds to begin with."""

    def submit(self, work: Callable, *words: object) -> Future:
        future: Future = Future()
        future.set_result(work(*words))
        return future


@contextmanager
def here() -> Iterator[Here]:
    yield Here()
    worker._begin.cache_clear()


def test_it_measures_and_saves(
    tiny_pack: Pack, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_process", here)
    monkeypatch.setattr(ceiling, "_SIDES", (16, 16))
    monkeypatch.setattr(ceiling, "_COPIED_FLOATS", 1024)
    to = tmp_path / "bench"
    assert run(["bench", *WORDS, "--data", str(tiny_pack.path), "--to", str(to), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    training = facts["trainings"][0]
    assert training["recipe"] == "toy-a"
    assert training["ratio"]["n"] == facts["loading"]["ratio"]["n"] == 2
    assert min(training["lilliput_images_per_second"]["rounds"]) > 0
    assert json.loads((to / "bench.json").read_text()) == facts
    assert (to / "bench.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--seconds", "-1"], ["m9"]])
def test_what_cannot_be_measured(words: list[str], capsys: pytest.CaptureFixture) -> None:
    assert run(["bench", *words]) == 2
    assert capsys.readouterr().err.startswith("error: ")
